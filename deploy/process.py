"""Child processes that die with this one, and whose output goes to log files of bounded size."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

Privilege = Literal["keep", "namespace", "nobody"]
Child = subprocess.Popen[bytes]

LAUNCHER = Path(__file__).with_name("tied.py")
LOG_LIMIT = 8 * 1024 * 1024


def tied(command: Sequence[str | Path], *, death_signal: int = signal.SIGKILL, privilege: Privilege = "keep") -> list[str]:
    """Wrap a command so that it gets `death_signal` when the process that starts it dies, even by `kill -9`.

    It is the starting *thread* whose end counts: start children from a thread that lives as long as the process.
    """
    launcher = [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), str(int(death_signal)), privilege]
    return [*launcher, *map(str, command)]


def start(
    command: Sequence[str | Path],
    *,
    log: Path,
    death_signal: int = signal.SIGKILL,
    privilege: Privilege = "keep",
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
) -> Child:
    """Start a tied command in a session of its own, so that the terminal's Ctrl-C reaches only the supervisor."""
    with log.open("ab") as sink:
        child = subprocess.Popen(
            tied(command, death_signal=death_signal, privilege=privilege),
            stdin=subprocess.PIPE,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env=env,
            start_new_session=True,
        )
    if child.stdin is not None:  # always, but the type cannot say so
        with child.stdin as pipe:
            pipe.write(stdin)
    return child


def ask_to_stop(child: Child, *, by: signal.Signals = signal.SIGTERM) -> None:
    """Send the signal `by` to a child that still runs."""
    if child.poll() is None:
        child.send_signal(by)


def stop(child: Child, *, by: signal.Signals = signal.SIGTERM, within: float = 5.0) -> None:
    """Ask a child to stop with the signal `by`; after `within` seconds kill it. Asking twice does no harm."""
    ask_to_stop(child, by=by)
    try:
        child.wait(max(0.0, within))
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def rotate(log: Path) -> None:
    """Keep one older log, so that a folder never holds more than twice the limit per process plus one run's output."""
    if log.exists() and log.stat().st_size > LOG_LIMIT:
        log.replace(log.with_suffix(".1.log"))


def alive(pid: int, *, mentions: str) -> bool:
    """Say whether a process lives whose command line mentions something; a number alone may have been given anew."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return mentions in os.fsdecode(command)


def wait_until_gone(pid: int, *, mentions: str, within: float) -> bool:
    """Wait for another's process to end; say whether it did."""
    deadline = time.monotonic() + within
    while alive(pid, mentions=mentions):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True

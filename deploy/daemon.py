"""One of Rondo's own processes under the supervisor: started, started again with growing pauses, and stopped."""

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from deploy import process
from deploy.options import Refused
from deploy.process import Child

STEADY_AFTER = 60.0
LONGEST_PAUSE = 30.0


class Daemon:
    """A Python module that is meant to run for ever. `failures` counts its ends since it last ran a steady minute."""

    def __init__(self, name: str, *, module: str, env: Mapping[str, str], log: Path, report: Callable[[str], None]) -> None:
        self.name = name
        self.log = log
        self.failures = 0
        self._module = module
        self._env = env
        self._report = report
        self._due: float | None = None
        process.rotate(log)
        self._start(time.monotonic())

    def _start(self, now: float) -> None:
        self._due = None
        self._started = now
        self._child: Child = process.start([sys.executable, "-m", self._module], log=self.log, env=self._env)

    def tend(self, now: float) -> None:
        """Notice that the process ended, and start it again when its pause is over."""
        if self._due is not None:
            if now >= self._due:
                self._start(now)
            return
        if (code := self._child.poll()) is None:
            return
        self.failures = 1 if now - self._started > STEADY_AFTER else self.failures + 1
        pause = min(LONGEST_PAUSE, 0.25 * 2**self.failures)
        self._due = now + pause
        self._report(f"The {self.name} ended (exit code {code}) and is started again in {pause:.1f} s; {self.log} says why.")

    def stop(self, *, within: float) -> None:
        """Ask the process to stop; kill it after `within` seconds."""
        process.stop(self._child, within=within)

    def last_words(self) -> str:
        """Return the last line of its log."""
        return last_line(self.log)


def run_to_end(name: str, *arguments: str, env: Mapping[str, str], logs: Path) -> None:
    """Run a Python command that ends by itself. Raises Refused with its last line if it fails."""
    log = logs / f"{name}.log"
    process.rotate(log)
    child = process.start([sys.executable, *arguments], log=log, env=env)
    try:
        code = child.wait(timeout=300)
    except subprocess.TimeoutExpired:
        process.stop(child)
        raise Refused(f"The command {name} did not end within 5 minutes; {log} says why.") from None
    if code != 0:
        raise Refused(f"The command {name} failed: {last_line(log)} ({log} has more).")


def last_line(log: Path) -> str:
    """Return the last line of a file that is not empty, cut to 300 characters."""
    lines = log.read_bytes()[-4096:].decode(errors="replace").split("\n")
    return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "it said nothing")

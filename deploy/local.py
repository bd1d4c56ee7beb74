"""`make run`: embedded stores, the API and a worker under one supervisor, stopped together and never left behind.

With `DATABASE_URL` or `REDIS_URL` set, that store is not started. Everything else is as in production.
"""

import fcntl
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

import psycopg
import redis

from deploy import embedded, health
from deploy.daemon import Daemon, run_to_end
from deploy.embedded import Store, StoreFailed
from deploy.options import Options, Refused
from shared import keyring
from shared.db import conninfo
from shared.settings import SettingError

READY_WITHIN = 45.0
WORKER_STOPS_WITHIN, API_STOPS_WITHIN, STORES_STOP_WITHIN = 3.0, 3.7, 4.7
"""Seconds since the stop was asked for; together they keep the promise of five."""


def main() -> int:
    """Run until a signal comes or a store dies; return the exit code."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        _serve(Options.from_env(os.environ))
    except KeyboardInterrupt:
        say("Stopped.")
        return 0
    except (Refused, StoreFailed, SettingError) as refusal:
        print(f"rondo: {refusal}", file=sys.stderr, flush=True)
        return 1


def say(line: str) -> None:
    """Show progress."""
    print(line, flush=True)


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    """Leave whatever is going on. A child that is just being started dies with this process."""
    raise KeyboardInterrupt


def _serve(options: Options) -> NoReturn:
    began = time.monotonic()
    with ExitStack() as stack:
        stack.enter_context(_state_folder(options))
        _check_port(options)
        stores: list[Store] = []
        daemons: list[Daemon] = []
        stack.callback(_stop, daemons, stores)
        env = _environment(options, stores)
        say("Preparing the database …")
        run_to_end("migrate", "-m", "api.admin", "migrate", env=env, logs=options.logs)
        say("Starting the API and a worker …")
        for name, module, own in (("worker", "worker", env | _numbers_of_the_worker(env)), ("API", "api", env)):
            daemons.append(Daemon(name, module=module, env=own, log=options.logs / f"{module}.log", report=say))
        run_to_end("bootstrap", "-m", "api.admin", "bootstrap", env=env, logs=options.logs)
        _wait_until_ready(options, stores, daemons)
        say(_welcome(options, env["RONDO_API_KEY"], time.monotonic() - began))
        while True:
            _tend(stores, daemons)
            time.sleep(0.2)


@contextmanager
def _state_folder(options: Options) -> Iterator[None]:
    """Make the folder, and hold it: two supervisors on the same data would harm each other."""
    try:
        options.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        options.logs.mkdir(exist_ok=True)
        lock = (options.state / "lock").open("a+", encoding="utf-8")
    except OSError as error:
        raise Refused(
            f"The state folder {options.state} cannot be used: {error.strerror}. RONDO_STATE_DIR chooses another."
        ) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused(f"Another Rondo already runs on {options.state}: stop it, or set RONDO_STATE_DIR.") from None
        yield


def _check_port(options: Options) -> None:
    """Refuse a port that is taken before anything is started. Raises Refused."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(options.host, options.port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        why = error.strerror or str(error)
        raise Refused(
            f"Port {options.port} on {options.host} cannot be used: {why}. Set PORT or HOST to choose another."
        ) from None


def _environment(options: Options, stores: list[Store]) -> dict[str, str]:
    """Start the stores that are not given, after checking those that are; tell the children where everything is."""
    if options.database_url:
        _check_database(options.database_url)
    if options.redis_url:
        _check_redis(options.redis_url)
    if not options.database_url:
        say(f"Starting PostgreSQL in {options.state} …")
        stores.append(embedded.postgres(options.state / "postgres", log=options.log("postgres")))
    database = options.database_url or stores[-1].url
    if not options.redis_url:
        say(f"Starting Valkey in {options.state} …")
        stores.append(embedded.valkey(options.state / "valkey", log=options.log("valkey")))
    broker = options.redis_url or stores[-1].url
    addresses = {"DATABASE_URL": database, "REDIS_URL": broker, "HOST": options.host, "PORT": str(options.port)}
    kept = {"RONDO_API_KEY": options.api_key or _kept_key(options.state), "PYTHONUNBUFFERED": "1"}
    keys = {} if options.brings_keys else {"RONDO_ENCRYPTION_KEY_FILE": str(_kept_encryption_keys(options.state))}
    return {"RONDO_DRAIN": "2.5", **os.environ, **addresses, **kept, **keys}


def _numbers_of_the_worker(env: Mapping[str, str]) -> dict[str, str]:
    """Give the worker's numbers a port of their own, the next one after the API's."""
    port = env.get("RONDO_METRICS_PORT", "").strip()
    return {"RONDO_METRICS_PORT": str(int(port) + 1)} if port.isdecimal() and int(port) else {}


def _check_database(url: str) -> None:
    try:
        psycopg.connect(conninfo(url), connect_timeout=5).close()
    except psycopg.Error as error:
        raise Refused(f"DATABASE_URL does not lead to a PostgreSQL: {_first_line(error)}") from None


def _check_redis(url: str) -> None:
    if not url.startswith(("redis://", "rediss://")):
        raise Refused(f"REDIS_URL must begin with redis:// or rediss://, but begins with {url.partition('://')[0]}.")
    try:
        with redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5) as client:
            client.ping()
    except (redis.RedisError, ValueError) as error:
        raise Refused(f"REDIS_URL does not lead to a Redis: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def _kept_key(state: Path) -> str:
    """Return the API key of this state folder, made on the first start, for its owner's eyes only."""
    path = state / "api_key"
    if path.exists():
        return path.read_text(encoding="ascii").strip()
    key = f"rk_{secrets.token_urlsafe(32)}"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"{key}\n")
    return key


def _kept_encryption_keys(state: Path) -> Path:
    """Return this state folder's key file, made on the first start. Raises SettingError if it cannot be used."""
    path = state / "encryption_keys"
    if not path.exists():
        keyring.write(path, [keyring.new_key()])
    keyring.read(path)
    return path


def _wait_until_ready(options: Options, stores: list[Store], daemons: list[Daemon]) -> None:
    """Wait until the API says that it, the stores and a worker are there. Raises Refused."""
    deadline = time.monotonic() + READY_WITHIN
    while (missing := health.complaint(options.address, options.port)) is not None:
        _tend(stores, daemons)
        broken = next((daemon for daemon in daemons if daemon.failures >= 3), None)
        if broken:
            raise Refused(f"The {broken.name} does not start: {broken.last_words()} ({broken.log} has more).")
        if time.monotonic() > deadline:
            raise Refused(f"Not ready after {READY_WITHIN:.0f} s: {missing} The logs are in {options.logs}.")
        time.sleep(0.05)


def _tend(stores: list[Store], daemons: list[Daemon]) -> None:
    """Start daemons again that ended; raise StoreFailed if a store did, because nothing is safe without it."""
    for store in stores:
        if store.child.poll() is not None:
            raise StoreFailed(f"{store.name} ended unexpectedly, so everything stops; its log says why.")
    for daemon in daemons:
        daemon.tend(time.monotonic())


def _stop(daemons: list[Daemon], stores: list[Store]) -> None:
    """Stop the worker, which hands back what it holds, then the API, which tells its clients, then the stores."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    began = time.monotonic()
    for daemon, within in zip(daemons, (WORKER_STOPS_WITHIN, API_STOPS_WITHIN), strict=False):
        daemon.stop(within=began + within - time.monotonic())
    for store in stores:
        store.ask_to_stop()
    for store in stores:
        store.stop(within=began + STORES_STOP_WITHIN - time.monotonic())


def _welcome(options: Options, key: str, seconds: float) -> str:
    return f"""
Rondo is ready after {seconds:.1f} s.

  URL      {options.url}
  API key  {key}
  Logs     {options.logs}

Try it:

  curl {options.url}/v1/responses \\
    -H "Authorization: Bearer {key}" -H "Content-Type: application/json" \\
    -d '{_TRIAL}'

Ctrl-C stops everything.
"""


_TRIAL = '{"model": "demo/assistant", "input": "What is the date today?", "tools": [{"type": "orq:current_date"}]}'


if __name__ == "__main__":
    sys.exit(main())

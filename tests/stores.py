"""Real PostgreSQL and Valkey for tests: `TEST_DATABASE_URL` and `TEST_REDIS_URL` if set, else embedded ones without fsync.

They are started at most once per run, on first use, or by the controller of a distributed run for all its workers.
Pub/sub channels are shared by all databases of one server: name channels by ids, as the product does.
"""

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import redis
from psycopg import sql

from deploy import embedded
from shared import migrations


@dataclass(frozen=True, slots=True)
class Stores:
    """Where this run's servers listen, and the migrated database that tests get copies of."""

    postgres: str
    template: str
    redis: str


@contextmanager
def running() -> Iterator[Stores]:
    """Start what the environment does not give, migrate a template database, and stop it all afterwards."""
    with ExitStack() as stack:
        home = Path(tempfile.mkdtemp(prefix="rondo-test-"))
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        postgres, valkey = os.environ.get("TEST_DATABASE_URL"), os.environ.get("TEST_REDIS_URL")
        if not postgres:
            server = embedded.postgres(home / "postgres", log=home / "postgres.log", durable=False, connections=200)
            stack.callback(server.stop)
            postgres = server.url
        if not valkey:
            cache = embedded.valkey(home / "valkey", log=home / "valkey.log", durable=False)
            stack.callback(cache.stop)
            valkey = cache.url
        template = stack.enter_context(_template(postgres))
        yield Stores(postgres, template, valkey)


@contextmanager
def _template(server: str) -> Iterator[str]:
    with database(server) as url:
        migrations.upgrade(url)
        yield _name(url)


@contextmanager
def database(server: str, *, template: str = "template0") -> Iterator[str]:
    """Make a database from a template and give its URL; drop it afterwards, whoever is still connected."""
    name = f"rondo_test_{secrets.token_hex(6)}"
    # Copying files takes 10 ms without fsync; the default, to log every page, takes 130.
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
    made = statement.format(sql.Identifier(name), sql.Identifier(template))
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(made)
    try:
        yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    finally:
        with psycopg.connect(server, autocommit=True) as admin:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _name(url: str) -> str:
    return urlsplit(url).path.removeprefix("/")


class RedisDatabases:
    """A server's databases that nobody else takes: two systems on one would take each other's messages."""

    def __init__(self, server: str, numbers: Iterable[int]) -> None:
        self._server = server
        self._free = list(numbers)

    @contextmanager
    def one(self) -> Iterator[str]:
        """Give the URL of one that is free, for the length of the block."""
        number = self._free.pop()
        with redis_database(self._server, number) as url:
            yield url
        self._free.append(number)


@contextmanager
def redis_database(server: str, number: int) -> Iterator[str]:
    """Give the URL of one of a server's numbered databases, emptied before and after."""
    url = urlunsplit(urlsplit(server)._replace(path=f"/{number}"))
    with redis.Redis.from_url(url) as client:
        client.flushdb()
        yield url
        client.flushdb()

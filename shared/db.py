"""The door to Postgres: a pool, transactions as indented blocks, and one place where its errors become ours."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, TypeAlias, TypeVar

import orjson
import psycopg
import structlog
from psycopg import AsyncConnection
from psycopg.types.json import set_json_dumps, set_json_loads
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from shared.errors import Unavailable
from shared.settings import SettingError, Settings

_NUL: Final = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")


def _dumps(value: Any) -> bytes:
    """Encode for a JSONB column. It cannot hold U+0000, which programs print now and then, and no run may fail by that."""
    encoded = orjson.dumps(value)
    return _NUL.sub(rb"\1\\ufffd", encoded) if b"\\u0000" in encoded else encoded


set_json_dumps(_dumps)
set_json_loads(orjson.loads)

T = TypeVar("T")

log = structlog.get_logger(__name__)

Session: TypeAlias = AsyncConnection[tuple[Any, ...]]
Pool: TypeAlias = AsyncConnectionPool[Session]


class DatabaseUnavailable(Unavailable):
    """The database cannot be reached right now. Please try again."""


def conninfo(url: str) -> str:
    """Accept `postgresql://` and SQLAlchemy's `postgresql+psycopg://`; raise SettingError for anything else."""
    scheme, _, rest = url.partition("://")
    if scheme not in {"postgresql", "postgres", "postgresql+psycopg"}:
        raise SettingError(f"DATABASE_URL must begin with postgresql://, but begins with {scheme}://.")
    return f"postgresql://{rest}"


def make_pool(settings: Settings, *, size: int | None = None, synchronous: bool = True) -> Pool:
    """Make a closed pool; `async with` opens it. `synchronous=False` lets a commit return before it is on disk."""
    options = "" if synchronous else "-c synchronous_commit=off"
    return AsyncConnectionPool(
        conninfo(settings.database_url),
        min_size=1,
        max_size=size or settings.database_pool,
        timeout=10,
        reconnect_timeout=float("inf"),
        open=False,
        kwargs={"autocommit": True, "options": options, "connect_timeout": 5},
    )


@asynccontextmanager
async def single(settings: Settings) -> AsyncIterator[Session]:
    """Run the block as one transaction on a connection of its own; raise DatabaseUnavailable at once, with the reason."""
    try:
        session = await AsyncConnection.connect(conninfo(settings.database_url), autocommit=True, connect_timeout=5)
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable(f"The database cannot be reached: {str(error).splitlines()[0]}") from error
    async with session, session.transaction():
        yield session


@asynccontextmanager
async def connection(pool: Pool) -> AsyncIterator[Session]:
    """Lend a connection on which every statement commits by itself. Raises DatabaseUnavailable."""
    try:
        async with pool.connection() as session, _whole(session):
            yield session
    except psycopg.errors.ProgramLimitExceeded:  # operational by its class, but it would happen again
        raise
    except (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout) as error:
        raise DatabaseUnavailable from error


@asynccontextmanager
async def _whole(session: Session) -> AsyncIterator[None]:
    """Close a connection whose round trip was broken off by a cancellation: whoever borrowed it next would hang."""
    try:
        yield
    finally:
        if session.pgconn.pipeline_status:
            await session.close()


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Session]:
    """Run the block as one transaction; statements whose results are not awaited travel in one round trip.

    Raises DatabaseUnavailable. Leaving the block by an exception rolls everything back.
    """
    async with connection(pool) as session, session.pipeline(), session.transaction():
        yield session


async def insist(attempt: Callable[[], Awaitable[T]], *, what: str) -> T:
    """Repeat `attempt` for as long as Postgres stays away, so that an outage pauses work and loses none of it.

    The attempt must bear repetition: it may have been done although its answer was lost.
    """
    delay = 0.1
    while True:
        try:
            return await attempt()
        except DatabaseUnavailable:
            log.warning("waits_for_database", what=what, retry_in=delay)
            await asyncio.sleep(delay)
            delay = min(delay * 2, 2.0)

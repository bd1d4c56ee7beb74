"""Postgres goes away in many ways; callers see one."""

import asyncio
import socket

import psycopg
import pytest
from psycopg import errors

from shared import db
from shared.settings import Settings
from tests import rows

AWAY = (
    errors.AdminShutdown,
    errors.CrashShutdown,
    errors.CannotConnectNow,
    errors.TooManyConnections,
    errors.ConnectionFailure,
    errors.DeadlockDetected,
    errors.SerializationFailure,
    errors.LockNotAvailable,
    errors.QueryCanceled,
    errors.DiskFull,
    errors.OutOfMemory,
    psycopg.OperationalError,
    psycopg.InterfaceError,
)
OURS = (
    errors.UniqueViolation,
    errors.ForeignKeyViolation,
    errors.CheckViolation,
    errors.NotNullViolation,
    errors.UntranslatableCharacter,
    errors.UndefinedTable,
    errors.SyntaxError,
    errors.ProgramLimitExceeded,
)


@pytest.mark.parametrize("foreign", AWAY)
def test_what_may_pass_is_unavailable(database_url: str, foreign: type[Exception]) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url) as pool:
            with pytest.raises(db.DatabaseUnavailable):
                async with db.connection(pool):
                    raise foreign("as if")

    asyncio.run(main())


@pytest.mark.parametrize("foreign", OURS)
def test_what_would_happen_again_is_not(database_url: str, foreign: type[Exception]) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url) as pool:
            with pytest.raises(foreign):
                async with db.connection(pool):
                    raise foreign("as if")

    asyncio.run(main())


def test_a_row_that_no_index_can_hold_fails_and_is_not_tried_forever(database_url: str) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url) as pool:
            await rows.execute(pool, "CREATE TABLE t (n text PRIMARY KEY)")
            with pytest.raises(errors.ProgramLimitExceeded):
                await together(pool, "INSERT INTO t SELECT string_agg(md5(n::text), '') FROM generate_series(1, 1000) n")

    asyncio.run(main())


async def together(pool: db.Pool, *statements: str) -> None:
    """Run statements in one transaction and one round trip, and read the last one's result."""
    async with db.transaction(pool) as session:
        for statement in statements:
            last = await session.execute(statement)
        await last.fetchall()


def test_a_connection_killed_in_a_transaction_is_unavailable_and_writes_nothing(database_url: str) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url) as pool:
            await rows.execute(pool, "CREATE TABLE t (n int)")
            with pytest.raises(db.DatabaseUnavailable):
                await together(pool, "INSERT INTO t VALUES (1)", "SELECT pg_terminate_backend(pg_backend_pid())")
            assert await rows.read(pool, "SELECT n FROM t") == []

    asyncio.run(main())


def test_a_connection_killed_between_two_statements_is_unavailable(database_url: str) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url) as pool:
            with pytest.raises(db.DatabaseUnavailable):
                await killed_from_outside(pool)
            assert await rows.read(pool, "SELECT 1 AS n") == [{"n": 1}]

    asyncio.run(main())


async def killed_from_outside(pool: db.Pool) -> None:
    async with db.connection(pool) as session:
        cursor = await session.execute("SELECT pg_backend_pid()")
        await rows.execute(pool, "SELECT pg_terminate_backend(%s)", *(await cursor.fetchone() or ()))
        await session.execute("SELECT 1")


def test_nobody_listening_is_unavailable() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"postgresql://postgres@127.0.0.1:{probe.getsockname()[1]}/x"

    async def main() -> None:
        async with db.make_pool(Settings(database_url=url), size=1) as pool:
            pool.timeout = 0.2
            with pytest.raises(db.DatabaseUnavailable):
                async with db.connection(pool):
                    pass

    asyncio.run(main())


def test_an_error_in_the_block_rolls_everything_back(database_url: str) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url) as pool:
            await rows.execute(pool, "CREATE TABLE t (n int)")
            with pytest.raises(KeyError):
                await failing(pool)
            assert await rows.read(pool, "SELECT n FROM t") == []

    asyncio.run(main())


async def failing(pool: db.Pool) -> None:
    async with db.transaction(pool) as session:
        await session.execute("INSERT INTO t VALUES (1)")
        raise KeyError


def test_the_first_error_of_a_round_trip_is_the_one_that_is_raised(database_url: str) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url) as pool:
            await rows.execute(pool, "CREATE TABLE t (n int PRIMARY KEY)")
            with pytest.raises(errors.UniqueViolation):
                await together(pool, "INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (1)", "SELECT n FROM t")

    asyncio.run(main())


@pytest.mark.parametrize("synchronous", [True, False])
def test_only_a_pool_that_asks_for_it_commits_before_the_disk_has_it(database_url: str, synchronous: bool) -> None:
    async def main() -> None:
        async with db.make_pool(Settings(database_url=database_url), size=1, synchronous=synchronous) as pool:
            [found] = await rows.read(pool, "SELECT setting, source FROM pg_settings WHERE name = 'synchronous_commit'")
        assert (found["source"] == "client") is not synchronous
        assert synchronous or found["setting"] == "off"

    asyncio.run(main())


def test_a_connection_whose_round_trip_was_broken_off_is_lent_to_nobody_else(database_url: str) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url, size=1) as pool:
            await rows.execute(pool, "CREATE TABLE t (n int)")
            async with db.connection(pool) as session:
                await session.pipeline().__aenter__()
                await session.execute("INSERT INTO t VALUES (1)")
            async with asyncio.timeout(5):
                await rows.execute(pool, "INSERT INTO t VALUES (2)")
                assert await rows.read(pool, "SELECT n FROM t") == [{"n": 2}]

    asyncio.run(main())

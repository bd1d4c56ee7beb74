"""Records of router calls: what is noted gets written, whatever happens on the way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from structlog.testing import capture_logs

from api.router.recorder import Record, Recorder
from shared import db, ids, tasks
from shared.items import Json
from tests import rows
from tests.stores import Stores

STARTED = datetime(2026, 1, 31, 12, 0, 0, 250_000, tzinfo=UTC)


def record(project_id: str, **fields: Any) -> Record:
    plain = Record(
        id=ids.new("rc"),
        project_id=project_id,
        api_key_id="key_1",
        endpoint="embeddings",
        model="demo/echo",
        answered_by="demo/echo",
        status="completed",
        http_status=200,
        error=None,
        stream=False,
        cache=None,
        attempts=[{"model": "demo/echo", "status": 200, "code": None, "ms": 3}],
        usage={"total_tokens": 7},
        cost=Decimal("0.0000001"),
        first_token_ms=2,
        identity=None,
        thread=None,
        name=None,
        tags=[],
        metadata={},
        started_at=STARTED,
        finished_at=STARTED,
    )
    return replace(plain, **fields)


async def written(pool: db.Pool) -> list[str]:
    return [each["id"] for each in await rows.read(pool, "SELECT id FROM router_calls ORDER BY id")]


async def appears(pool: db.Pool, records: list[Record], *, within: float) -> None:
    async with asyncio.timeout(within):
        while True:
            if await written(pool) == sorted(each.id for each in records):
                return
            await asyncio.sleep(0.01)


@asynccontextmanager
async def locked(database_url: str) -> AsyncIterator[None]:
    """Let no record be written for the length of the block."""
    async with await psycopg.AsyncConnection.connect(database_url) as other:
        await other.execute("LOCK TABLE router_calls")
        yield


@asynccontextmanager
async def away(stores: Stores, database_url: str) -> AsyncIterator[None]:
    """Refuse all connections to a database for the length of the block."""
    name = urlsplit(database_url).path.removeprefix("/")
    async with await psycopg.AsyncConnection.connect(stores.postgres, autocommit=True) as admin:
        await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
        await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
        yield
        await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true".encode())


def test_a_record_is_stored_as_it_was_noted(database_url: str) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url) as pool:
            given = record(
                await rows.add_project(pool),
                error={"code": "c", "message": "nul: \0"},
                identity={"id": "u"},
                thread={"id": "t"},
                tags=["a"],
                metadata={"k": "v"},
            )
            recorder = Recorder(pool)
            recorder.note(given)
            await recorder.flush()
            (row,) = await rows.read(pool, "SELECT * FROM router_calls")
        same = ("id", "api_key_id", "attempts", "usage", "cost", "tags", "metadata", "started_at", "first_token_ms")
        assert {name: row[name] for name in same} == {name: getattr(given, name) for name in same}
        assert (row["identity_id"], row["thread_id"], row["cache"]) == ("u", "t", None)
        assert row["error"]["message"] == "nul: \N{REPLACEMENT CHARACTER}"

    asyncio.run(main())


def test_what_calls_say_of_one_identity_is_put_together(database_url: str) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url) as pool:
            project_id = await rows.add_project(pool)
            recorder = Recorder(pool)
            for said in ({"display_name": "Jo", "email": "a@b.example"}, {"display_name": "Jane", "tags": ["x"]}, {}):
                recorder.note(record(project_id, identity={"id": "u", **said}, thread={"id": "t"}))
            await recorder.flush()
            recorder.note(record(project_id, identity={"id": "u"}, thread={"id": "t", "tags": ["y"]}))
            await recorder.flush()
            (known,) = await rows.read(pool, "SELECT id, display_name, email, tags FROM identities")
            assert known == {"id": "u", "display_name": "Jane", "email": "a@b.example", "tags": ["x"]}
            assert await rows.read(pool, "SELECT id, tags FROM threads") == [{"id": "t", "tags": ["y"]}]

    asyncio.run(main())


def test_one_id_belongs_to_each_project_that_names_it(database_url: str) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url) as pool:
            projects = sorted([await rows.add_project(pool), await rows.add_project(pool)])
            recorder = Recorder(pool)
            for project_id in projects:
                recorder.note(record(project_id, identity={"id": "u"}))
            await recorder.flush()
            found = await rows.read(pool, "SELECT project_id FROM identities WHERE id = 'u' ORDER BY 1")
            assert [each["project_id"] for each in found] == projects

    asyncio.run(main())


def test_a_record_written_twice_is_there_once(database_url: str) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url) as pool:
            given = record(await rows.add_project(pool))
            recorder = Recorder(pool)
            for again in (given, replace(given, status="failed")):
                recorder.note(again)
                await recorder.flush()
            assert await rows.read(pool, "SELECT id, status FROM router_calls") == [{"id": given.id, "status": "completed"}]

    asyncio.run(main())


@pytest.mark.parametrize("faulty", [{"http_status": 2**40}, {"name": "\ud800"}, {"usage": {"total_tokens": 2**70}}])
def test_a_record_that_cannot_be_stored_takes_no_other_with_it(database_url: str, faulty: Json) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url) as pool:
            project_id = await rows.add_project(pool)
            given = [record(project_id) for _ in range(5)]
            given[3] = replace(given[3], **faulty)
            recorder = Recorder(pool)
            for each in given:
                recorder.note(each)
            with capture_logs() as logs:
                await recorder.flush()
            assert await written(pool) == sorted(each.id for each in given if each is not given[3])
            assert [(line["event"], line["id"]) for line in logs] == [("record_refused", given[3].id)]

    asyncio.run(main())


def test_records_are_written_soon_after_they_were_noted(database_url: str) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url) as pool:
            project_id = await rows.add_project(pool)
            recorder = Recorder(pool)
            running = asyncio.create_task(recorder.run())
            noted = []
            for _ in range(2):
                noted.append(record(project_id))
                recorder.note(noted[-1])
                await appears(pool, noted, within=1)
            await tasks.end([running])

    asyncio.run(main())


def test_a_write_that_is_broken_off_loses_nothing(database_url: str) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url) as pool:
            given = record(await rows.add_project(pool))
            recorder = Recorder(pool)
            recorder.note(given)
            async with locked(database_url):
                writing = asyncio.create_task(recorder.flush())
                await asyncio.sleep(0.1)
                await tasks.end([writing])
            await recorder.close()
            assert await written(pool) == [given.id]

    asyncio.run(main())


def test_records_outwait_an_absent_postgres(stores: Stores, database_url: str) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url) as pool:
            project_id = await rows.add_project(pool)
            given = [record(project_id) for _ in range(3)]
            recorder = Recorder(pool)
            running = asyncio.create_task(recorder.run())
            async with away(stores, database_url):
                for each in given:
                    recorder.note(each)
                    await asyncio.sleep(0.3)
            await appears(pool, given, within=10)
            await tasks.end([running])

    asyncio.run(main())


def test_of_too_many_records_the_oldest_are_dropped_and_counted(database_url: str) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url) as pool:
            project_id = await rows.add_project(pool)
            given = [record(project_id) for _ in range(5)]
            recorder = Recorder(pool, most=3)
            for each in given:
                recorder.note(each)
            with capture_logs() as logs:
                await recorder.flush()
            assert await written(pool) == sorted(each.id for each in given[2:])
            assert [(line["event"], line["count"]) for line in logs] == [("records_dropped", 2)]

    asyncio.run(main())


def test_a_process_that_ends_says_how_many_records_it_could_not_write(database_url: str) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url) as pool:
            project_id = await rows.add_project(pool)
            recorder = Recorder(pool)
            for _ in range(3):
                recorder.note(record(project_id))
            async with locked(database_url):
                with capture_logs() as logs:
                    await recorder.close(within=0.1)
            assert [(line["event"], line["count"]) for line in logs] == [("records_lost", 3)]

    asyncio.run(main())

"""Events are persisted, then published, each once, and only under a lease that holds."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from redis.asyncio import Redis

from shared import bus, db, frames, tasks
from shared.frames import EventLog
from tests import rows
from tests.worker.stage import Fate, MortalRedis, until
from worker.flusher import Flusher


class Unsteady:
    """A pool whose database is away for a number of times."""

    def __init__(self, pool: db.Pool, *, away: int = 0) -> None:
        self.away = away
        self._pool = pool

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        if self.away:
            self.away -= 1
            raise db.DatabaseUnavailable
        async with self._pool.connection() as session:
            yield session


@asynccontextmanager
async def flushing(pool: db.Pool, redis_url: str, *, away: int = 0) -> AsyncIterator[tuple[Flusher, MortalRedis]]:
    redis = MortalRedis(bus.connect(redis_url), Fate())
    flusher = Flusher(cast("db.Pool", Unsteady(pool, away=away)), cast("Redis", redis), every=0.001)
    task = asyncio.create_task(flusher.run())
    try:
        yield flusher, redis
    finally:
        await tasks.end([task])
        await redis.redis.aclose()


async def running(pool: db.Pool, *, epoch: int = 1) -> str:
    response_id = await rows.add_response(pool, await rows.add_project(pool))
    await rows.change(pool, response_id, phase="'running'", status="'in_progress'", epoch=str(epoch))
    return response_id


def heard(redis: MortalRedis, response_id: str) -> list[int]:
    return [
        event["sequence_number"]
        for name, page, _ in redis.published
        if name == bus.channel(response_id)
        for event in frames.decode(page.frames)
    ]


async def written(pool: db.Pool, response_id: str) -> list[int]:
    return [event["sequence_number"] for event in await rows.events(pool, response_id)]


def test_everything_said_is_written_and_published_once_and_in_order(database_url: str, redis_url: str) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url) as pool, flushing(pool, redis_url) as (flusher, redis):
            logs = [EventLog(await running(pool), 1, 1, wake=flusher.wake) for _ in range(5)]
            for number in range(60):
                for log in logs[: 1 + number % 5]:
                    log.emit("keepalive")
                if number % 7 == 0:
                    await asyncio.sleep(0.002)
            await until(lambda: all(heard(redis, log.response_id)[-1:] == [log.last] for log in logs))
            for log in logs:
                assert heard(redis, log.response_id) == [*range(1, log.last + 1)]
                assert await written(pool, log.response_id) == [*range(log.last + 1)]

    asyncio.run(main())


def test_a_log_that_lost_its_lease_is_neither_written_nor_published(database_url: str, redis_url: str) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url) as pool, flushing(pool, redis_url) as (flusher, redis):
            lost = EventLog(await running(pool, epoch=2), 1, 1, wake=flusher.wake)
            kept = EventLog(await running(pool), 1, 1, wake=flusher.wake)
            lost.emit("keepalive")
            kept.emit("keepalive")
            await until(lambda: heard(redis, kept.response_id) == [1])
            assert heard(redis, lost.response_id) == []
            assert await written(pool, lost.response_id) == [0]

    asyncio.run(main())


def test_two_attempts_at_one_response_in_one_process_do_not_hide_each_other(database_url: str, redis_url: str) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url) as pool, flushing(pool, redis_url) as (flusher, redis):
            response_id = await running(pool, epoch=2)
            older = EventLog(response_id, 1, 1, wake=flusher.wake)
            newer = EventLog(response_id, 2, 1001, wake=flusher.wake)
            newer.emit("keepalive")
            older.emit("keepalive")
            await flusher.settle(older)
            await until(lambda: bool(heard(redis, response_id)))
            assert heard(redis, response_id) == [1001]
            assert await written(pool, response_id) == [0, 1001]

    asyncio.run(main())


def test_events_wait_for_the_database_and_are_not_forgotten(database_url: str, redis_url: str) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url) as pool, flushing(pool, redis_url, away=2) as (flusher, redis):
            log = EventLog(await running(pool), 1, 1, wake=flusher.wake)
            log.emit("keepalive")
            await asyncio.sleep(0.02)
            log.emit("keepalive")
            assert heard(redis, log.response_id) == []
            await until(lambda: heard(redis, log.response_id) == [1, 2])

    asyncio.run(main())


def test_settling_leaves_only_what_nobody_has_heard(database_url: str, redis_url: str) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url) as pool, flushing(pool, redis_url, away=1) as (flusher, redis):
            log = EventLog(await running(pool), 1, 1, wake=flusher.wake)
            log.emit("keepalive")
            await asyncio.sleep(0.02)
            log.emit("keepalive")
            await flusher.settle(log)
            assert heard(redis, log.response_id) == [1]
            tail = log.take()
            assert tail is not None
            assert (tail.first, tail.last) == (2, 2)
            await asyncio.sleep(0.02)
            assert heard(redis, log.response_id) == [1]

    asyncio.run(main())


def test_without_redis_events_are_written_all_the_same(database_url: str) -> None:
    async def main() -> None:
        nobody = "redis://127.0.0.1:1/0"
        async with rows.pool_of(database_url) as pool, flushing(pool, nobody) as (flusher, _):
            log = EventLog(await running(pool), 1, 1, wake=flusher.wake)
            log.emit("keepalive")
            async with asyncio.timeout(5):
                while await written(pool, log.response_id) != [0, 1]:  # noqa: ASYNC110  # no event tells
                    await asyncio.sleep(0.01)

    asyncio.run(main())

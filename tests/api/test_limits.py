"""The door that calls pass, on a real Redis and without one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from api.keys import Holder
from api.limits import Limits
from shared import bus, db, ids
from shared.errors import RateLimited, Unavailable
from shared.meters import Meters
from shared.settings import Settings
from tests import rows

NOWHERE = "redis://127.0.0.1:1/0"


@asynccontextmanager
async def door(database_url: str, redis_url: str, *, need_redis: bool = False) -> AsyncIterator[tuple[Limits, Holder]]:
    """Make the door to a project with a budget of one request a minute, and one call at a time."""
    redis = bus.connect(redis_url)
    async with rows.pool_of(database_url) as pool:
        project_id = await rows.add_project(pool)
        await budget(pool, project_id)
        limits = Limits(Settings(limits_need_redis=need_redis), Meters(pool, redis))
        yield limits, Holder(project_id, None, "key_1")
        await limits.drain()
    await redis.aclose()


async def budget(pool: db.Pool, project_id: str) -> None:
    async with db.connection(pool) as session:
        await session.execute(
            "INSERT INTO budgets (id, project_id, scope, requests_per_minute, concurrency) VALUES (%s, %s, 'project', 2, 1)",
            (ids.new("bud"), project_id),
        )


def test_a_call_is_settled_once(database_url: str, redis_url: str) -> None:
    async def go() -> None:
        async with door(database_url, redis_url) as (limits, holder):
            first = await limits.admit(holder, None)
            with pytest.raises(RateLimited, match="calls at the same time"):
                await limits.admit(holder, None)
            first.settle()
            first.settle()
            await limits.drain()
            await limits.admit(holder, None)
            with pytest.raises(RateLimited, match="requests per minute"):
                await limits.admit(holder, None)

    asyncio.run(go())


def test_without_redis_calls_are_let_in(database_url: str) -> None:
    async def go() -> list[dict[str, str]]:
        async with door(database_url, NOWHERE) as (limits, holder):
            return [(await limits.admit(holder, None)).headers for _ in range(5)]

    assert asyncio.run(go()) == [{}] * 5


def test_without_redis_calls_are_refused_where_that_is_wanted(database_url: str) -> None:
    async def go() -> None:
        async with door(database_url, NOWHERE, need_redis=True) as (limits, holder):
            for _ in range(2):
                with pytest.raises(Unavailable, match="cannot be counted"):
                    await limits.admit(holder, None)

    asyncio.run(go())

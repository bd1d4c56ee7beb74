"""API keys: only a hash is kept, a revoked key stops working, and a known one costs no look into Postgres."""

import asyncio
from argparse import Namespace
from collections.abc import Awaitable, Callable

import pytest

from api import admin, keys
from api.keys import InvalidApiKey, KeyRing
from shared import db
from tests import rows

Play = Callable[[db.Pool, str], Awaitable[None]]


def with_key(database_url: str, play: Play) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url) as pool:
            await rows.add_project(pool, "mine")
            await play(pool, await make(pool, "mine"))

    asyncio.run(main())


async def make(pool: db.Pool, project: str) -> str:
    async with db.transaction(pool) as session:
        [key] = await admin.create_key(session, Namespace(project=project, name="test"))
    return key


def test_a_key_opens_its_project(database_url: str) -> None:
    async def play(pool: db.Pool, key: str) -> None:
        [project] = await rows.read(pool, "SELECT id FROM projects")
        assert await KeyRing(pool).project(key) == project["id"]

    with_key(database_url, play)


def test_nothing_that_is_stored_contains_the_key(database_url: str) -> None:
    async def play(pool: db.Pool, key: str) -> None:
        [stored] = await rows.read(pool, "SELECT * FROM api_keys")
        assert key not in repr(stored)
        assert key[6:-2] not in repr(stored)
        assert bytes(stored["hash"]) == keys.digest(key)
        assert len(stored["prefix"]) < 12

    with_key(database_url, play)


@pytest.mark.parametrize("wrong", ["", "rk_", "nonsense", "\u20ac" * 40, "x" * 100_000])
def test_a_wrong_key_opens_nothing_and_is_not_repeated(database_url: str, wrong: str) -> None:
    async def play(pool: db.Pool, _: str) -> None:
        with pytest.raises(InvalidApiKey) as refused:
            await KeyRing(pool).project(wrong)
        assert len(wrong) < 3 or wrong not in refused.value.message
        assert refused.value.status_code == 401

    with_key(database_url, play)


@pytest.mark.parametrize("table", ["api_keys", "projects"])
def test_a_revoked_key_and_a_key_of_a_revoked_project_open_nothing(database_url: str, table: str) -> None:
    async def play(pool: db.Pool, key: str) -> None:
        await rows.execute(pool, f"UPDATE {table} SET revoked_at = now()")
        with pytest.raises(InvalidApiKey):
            await KeyRing(pool).project(key)

    with_key(database_url, play)


def test_a_known_key_is_trusted_for_a_while_and_no_longer(database_url: str) -> None:
    async def play(pool: db.Pool, key: str) -> None:
        times = iter([1000.0, 1000.0, 1000.0 + keys.REMEMBERED - 0.1, 1000.0 + keys.REMEMBERED + 0.1])
        ring = KeyRing(pool, clock=lambda: next(times))
        known = await ring.project(key)
        await rows.execute(pool, "UPDATE api_keys SET revoked_at = now()")
        assert await ring.project(key) == known
        with pytest.raises(InvalidApiKey):
            await ring.project(key)

    with_key(database_url, play)


def test_keys_differ_and_are_long() -> None:
    made = {keys.make() for _ in range(100)}
    assert len(made) == 100
    assert all(len(key) >= 43 and key.startswith("rk_") for key in made)


@pytest.mark.parametrize("key", ["", "short", "rk_" + "a" * 43])
def test_a_hint_is_too_little_to_use(key: str) -> None:
    assert len(keys.hint(key)) <= 9
    assert key == "" or key not in keys.hint(key)

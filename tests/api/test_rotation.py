"""Keys are rotated while secrets are read and written, and no secret becomes unreadable."""

import asyncio
import base64
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from api import rotation
from api.rotation import RotationFailed
from shared import db, ids, keyring, vault
from shared.keyring import Key
from shared.settings import Settings
from shared.vault import SecretUnreadable, Vault, VaultLocked
from tests import rows

ONE, TWO, THREE = (Key(name, bytes([number]) * 32) for number, name in enumerate(("one", "two", "three")))


@dataclass(frozen=True)
class Place:
    """A database with a response, and keys in a file."""

    pool: db.Pool
    settings: Settings
    path: Path
    project_id: str
    response_id: str

    async def put(self, values: Mapping[str, str], box: Vault | None = None) -> None:
        async with db.transaction(self.pool) as session:
            box = box or Vault.from_settings(self.settings)
            await vault.put(session, box, self.project_id, values, response_id=self.response_id)

    async def load(self, *secret_ids: str, box: Vault | None = None) -> dict[str, str]:
        async with db.transaction(self.pool) as session:
            return await vault.load(session, box or Vault.from_settings(self.settings), self.project_id, secret_ids)

    async def key_ids(self) -> set[str]:
        return {row["key_id"] for row in await rows.read(self.pool, "SELECT DISTINCT key_id FROM secrets")}


@asynccontextmanager
async def place(url: str, folder: Path, *keys: Key) -> AsyncIterator[Place]:
    path = folder / "keys"
    keyring.write(path, keys)
    async with rows.pool_of(url) as pool:
        project_id = await rows.add_project(pool)
        response_id = await rows.add_response(pool, project_id)
        yield Place(pool, Settings(database_url=url, encryption_key_file=path), path, project_id, response_id)


def many(count: int, value: str = "value") -> dict[str, str]:
    return {ids.new("sec"): f"{value} {number}" for number in range(count)}


def run(main: Coroutine[Any, Any, None]) -> None:
    asyncio.run(main)


def test_everything_is_put_under_the_first_key(database_url: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with place(database_url, tmp_path, ONE) as here:
            values = many(450)
            await here.put(values)
            keyring.write(here.path, [TWO, ONE])
            assert await rotation.rotate(here.settings) == ["Re-encrypted 450 secrets; the key 'two' seals."]
            assert await here.key_ids() == {"two"}
            assert await here.load(*values) == values
            assert await rotation.rotate(here.settings) == ["Re-encrypted 0 secrets; the key 'two' seals."]

    run(main())


def test_a_new_key_is_made_and_the_old_one_retired(database_url: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with place(database_url, tmp_path, ONE) as here:
            values = many(3)
            await here.put(values)
            made, moved, retired = await rotation.rotate(here.settings, new=True, retire=True)
            [key] = keyring.read(here.path)
            assert made == f"Made the key '{key.id}'."
            assert moved == f"Re-encrypted 3 secrets; the key '{key.id}' seals."
            assert retired == "Retired 'one'. Backups from before still need them."
            assert here.path.stat().st_mode & 0o777 == 0o600
            assert await here.load(*values) == values

    run(main())


def test_what_is_printed_holds_no_key(database_url: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with place(database_url, tmp_path, ONE) as here:
            lines = await rotation.rotate(here.settings, new=True)
            assert [base64.b64encode(key.material).decode() in "".join(lines) for key in keyring.read(here.path)] == [
                *(False, False)
            ]

    run(main())


def test_no_key_is_retired_that_a_secret_needs(database_url: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with place(database_url, tmp_path, ONE) as here:
            await here.put({"sec_1": "lost", "sec_2": "kept"})
            await rows.execute(here.pool, "UPDATE secrets SET key_id = 'lost' WHERE id = 'sec_1'")
            keyring.write(here.path, [TWO, ONE])
            with pytest.raises(RotationFailed) as failed:
                await rotation.rotate(here.settings, retire=True)
            assert failed.value.message == (
                "Re-encrypted 1 secrets; the key 'two' seals. "
                "Secrets that could not be re-encrypted: 1 under 'lost'. No key was retired."
            )
            assert keyring.read(here.path) == (TWO, ONE)
            assert await here.load("sec_2") == {"sec_2": "kept"}

    run(main())


def test_keys_in_a_variable_are_rotated_and_their_owner_is_told_which_to_remove(database_url: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with place(database_url, tmp_path, ONE) as here:
            await here.put(many(2))
            entries = ",".join(f"{key.id}:{base64.b64encode(key.material).decode()}" for key in (TWO, ONE))
            settings = Settings(database_url=database_url, encryption_keys=entries)
            assert await rotation.rotate(settings, retire=True) == [
                "Re-encrypted 2 secrets; the key 'two' seals.",
                "No secret uses 'one': remove them from RONDO_ENCRYPTION_KEYS once every process seals with another.",
            ]
            with pytest.raises(RotationFailed, match="RONDO_ENCRYPTION_KEYS yourself"):
                await rotation.rotate(settings, new=True)

    run(main())


def test_without_keys_there_is_nothing_to_rotate(database_url: str) -> None:
    with pytest.raises(VaultLocked):
        asyncio.run(rotation.rotate(Settings(database_url=database_url)))


def test_a_row_that_was_replaced_meanwhile_is_not_overwritten(database_url: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with place(database_url, tmp_path, TWO, ONE) as here:
            await here.put({"sec_1": "new"})
            [now] = await rows.read(here.pool, "SELECT * FROM secrets")
            read = rotation._Row("sec_1", here.project_id, "one", b"what it was when it was read")
            fresh = Vault.from_settings(here.settings).seal("old", secret_id="sec_1", project_id=here.project_id)
            async with db.connection(here.pool) as session:
                assert await rotation._replace(session, [read], {"sec_1": fresh}) == 0
            assert await rows.read(here.pool, "SELECT * FROM secrets") == [now]

    run(main())


def test_a_key_is_not_retired_while_somebody_is_about_to_commit_what_it_sealed(database_url: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with place(database_url, tmp_path, ONE) as here:
            async with db.transaction(here.pool) as session:
                box = Vault.from_settings(here.settings)
                await vault.put(session, box, here.project_id, {"sec_1": "value"}, response_id=here.response_id)
                keyring.write(here.path, [TWO, ONE])
                rotating = asyncio.create_task(rotation.rotate(here.settings, retire=True))
                await waits_for_a_lock(here.pool)
                assert keyring.read(here.path) == (TWO, ONE)
            assert (await rotating)[-1] == "There is no key to retire."
            assert keyring.read(here.path) == (TWO, ONE)
            assert await here.load("sec_1") == {"sec_1": "value"}

    run(main())


async def waits_for_a_lock(pool: db.Pool) -> None:
    """Wait until somebody waits for an advisory lock."""
    for _ in range(500):
        if await rows.read(pool, "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("nobody waits")


def test_nothing_becomes_unreadable_while_keys_are_rotated_and_retired(database_url: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with place(database_url, tmp_path, ONE) as here:
            values = many(250, "first")
            await here.put(values)
            over = asyncio.Event()
            clients = [client(here, values, over) for _ in range(3)]
            rounds = await asyncio.gather(rotate_often(here, over), *clients)
            assert min(rounds) > 3
            assert len(await here.key_ids()) == 1
            assert len(keyring.read(here.path)) == 1
            assert await here.load(*values) == values

    run(main())


async def client(here: Place, values: dict[str, str], over: asyncio.Event) -> int:
    """Store and read with a vault that lives as long as a process would; return how often."""
    box = Vault.from_settings(here.settings)
    rounds = 0
    while not over.is_set():
        more = many(3, "more")
        await here.put(more, box)
        values |= more
        wanted = dict(list(values.items())[-40:])
        assert await here.load(*wanted, box=box) == wanted
        rounds += 1
    return rounds


async def rotate_often(here: Place, over: asyncio.Event) -> int:
    try:
        for _ in range(6):
            await rotation.rotate(here.settings, new=True, retire=True)
            await asyncio.sleep(0.02)
        over.set()
        await asyncio.sleep(0.2)
        await rotation.rotate(here.settings, new=True, retire=True)
    finally:
        over.set()
    return 6


def test_rotations_that_run_at_once_lose_no_key(database_url: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with place(database_url, tmp_path, ONE) as here:
            values = many(300)
            await here.put(values)
            await asyncio.gather(*(rotation.rotate(here.settings, new=True) for _ in range(4)))
            assert len(keyring.read(here.path)) == 5
            assert await here.load(*values) == values

    run(main())


def test_a_retired_key_opens_nothing_any_more(database_url: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with place(database_url, tmp_path, TWO, ONE) as here:
            await here.put({"sec_1": "value"})
            await rotation.rotate(here.settings, new=True, retire=True)
            keyring.write(here.path, [TWO, ONE])
            with pytest.raises(SecretUnreadable):
                await here.load("sec_1")

    run(main())

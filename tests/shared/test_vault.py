"""What is sealed opens for its own row alone, and only as it was."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import db, ids, vault
from shared.errors import Unavailable
from shared.keyring import Key, Keyring
from shared.vault import Sealed, SecretGone, SecretUnreadable, Vault, VaultLocked
from tests import rows

ONE, TWO = Key("one", bytes(range(32))), Key("two", bytes(range(32, 64)))
OURS = {"secret_id": "sec_1", "project_id": "proj_1"}
TEXT = st.text(max_size=60)
NAME = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=9)


def vault_of(*keys: Key) -> Vault:
    return Vault(Keyring(keys))


@given(TEXT, NAME, NAME)
def test_what_was_sealed_opens(value: str, secret_id: str, project_id: str) -> None:
    box = vault_of(ONE)
    sealed = box.seal(value, secret_id=secret_id, project_id=project_id)
    assert box.open(sealed, secret_id=secret_id, project_id=project_id) == value


@given(TEXT, st.data())
def test_any_flipped_bit_is_noticed(value: str, data: st.DataObject) -> None:
    box = vault_of(ONE)
    sealed = box.seal(value, **OURS)
    place = data.draw(st.integers(0, len(sealed.data) * 8 - 1))
    flipped = bytearray(sealed.data)
    flipped[place // 8] ^= 1 << place % 8
    with pytest.raises(SecretUnreadable):
        box.open(Sealed(sealed.key_id, bytes(flipped)), **OURS)


@given(TEXT, st.data())
def test_what_was_cut_off_is_noticed(value: str, data: st.DataObject) -> None:
    box = vault_of(ONE)
    sealed = box.seal(value, **OURS)
    length = data.draw(st.integers(0, len(sealed.data) - 1))
    with pytest.raises(SecretUnreadable):
        box.open(Sealed(sealed.key_id, sealed.data[:length]), **OURS)


@given(st.tuples(NAME, NAME), st.tuples(NAME, NAME))
def test_a_value_opens_nowhere_but_in_its_own_row(home: tuple[str, str], elsewhere: tuple[str, str]) -> None:
    box = vault_of(ONE)
    sealed = box.seal("value", secret_id=home[0], project_id=home[1])
    if home != elsewhere:
        with pytest.raises(SecretUnreadable):
            box.open(sealed, secret_id=elsewhere[0], project_id=elsewhere[1])


def test_the_same_value_never_looks_the_same() -> None:
    box = vault_of(ONE)
    assert len({box.seal("value", **OURS).data for _ in range(100)}) == 100


def test_the_first_key_seals_and_all_open() -> None:
    sealed = vault_of(ONE).seal("value", **OURS)
    both = vault_of(TWO, ONE)
    assert both.seal("other", **OURS).key_id == "two"
    assert both.open(sealed, **OURS) == "value"


def test_a_missing_key_is_named_and_the_value_is_not() -> None:
    sealed = vault_of(ONE).seal("geheim", **OURS)
    with pytest.raises(SecretUnreadable) as unreadable:
        vault_of(TWO).open(sealed, **OURS)
    assert str(unreadable.value) == "The secret sec_1 was sealed with the key 'one', which is not there."


def test_another_key_of_the_same_name_does_not_open() -> None:
    sealed = vault_of(ONE).seal("value", **OURS)
    with pytest.raises(SecretUnreadable):
        vault_of(Key("one", TWO.material)).open(sealed, **OURS)


def test_without_keys_nothing_is_sealed_or_opened_and_the_settings_are_named() -> None:
    locked = vault_of()
    with pytest.raises(VaultLocked, match=r"RONDO_ENCRYPTION_KEYS nor RONDO_ENCRYPTION_KEY_FILE is set") as sealing:
        locked.seal("value", **OURS)
    assert isinstance(sealing.value, Unavailable)
    with pytest.raises(VaultLocked):
        locked.open(Sealed("one", b""), **OURS)


async def stored(url: str, box: Vault, values: dict[str, str]) -> tuple[str, str]:
    """Store values for a new response; return its project and its id."""
    async with rows.pool_of(url) as pool:
        project_id = await rows.add_project(pool)
        response_id = await rows.add_response(pool, project_id)
        async with db.transaction(pool) as session:
            await vault.put(session, box, project_id, values, response_id=response_id)
    return project_id, response_id


async def loaded(url: str, box: Vault, project_id: str, *secret_ids: str) -> dict[str, str]:
    async with rows.pool_of(url) as pool, db.transaction(pool) as session:
        return await vault.load(session, box, project_id, secret_ids)


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(coroutine)


def test_stored_secrets_are_loaded_by_their_ids(database_url: str) -> None:
    values = {ids.new("sec"): "one", ids.new("sec"): "zwei ☃"}
    project_id, _ = run(stored(database_url, vault_of(ONE), values))
    assert run(loaded(database_url, vault_of(TWO, ONE), project_id, *values, *values)) == values


def test_no_secrets_need_no_keys(database_url: str) -> None:
    project_id, _ = run(stored(database_url, vault_of(), {}))
    assert run(loaded(database_url, vault_of(), project_id)) == {}


def test_a_secret_of_another_project_is_gone(database_url: str) -> None:
    run(stored(database_url, vault_of(ONE), {"sec_1": "value"}))
    with pytest.raises(SecretGone, match="sec_1"):
        run(loaded(database_url, vault_of(ONE), "proj_other", "sec_1"))


def test_a_secret_goes_with_its_owner(database_url: str) -> None:
    async def body() -> None:
        project_id, response_id = await stored(database_url, vault_of(ONE), {"sec_1": "value"})
        async with rows.pool_of(database_url) as pool:
            await rows.execute(pool, "DELETE FROM responses WHERE id = %s", response_id)
        await loaded(database_url, vault_of(ONE), project_id, "sec_1")

    with pytest.raises(SecretGone):
        run(body())


def test_a_stored_value_does_not_show(database_url: str) -> None:
    async def body() -> list[dict[str, Any]]:
        await stored(database_url, vault_of(ONE), {"sec_1": "geheim"})
        async with rows.pool_of(database_url) as pool:
            return await rows.read(pool, "SELECT s::text AS shown, sealed FROM secrets s")

    [row] = run(body())
    assert "geheim" not in row["shown"]
    assert b"geheim" not in row["sealed"]

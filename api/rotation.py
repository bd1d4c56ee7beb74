"""Another encryption key for all secrets while everything runs: whoever reads or writes waits for one batch at most."""

import asyncio
from collections.abc import Sequence
from typing import Final, NamedTuple

from shared import db, keyring, vault
from shared.db import Session
from shared.errors import RondoError
from shared.keyring import Key, Keyring
from shared.settings import Settings
from shared.vault import Sealed, SecretUnreadable, Vault, VaultLocked

_BATCH: Final = 200
_PASSES: Final = 50
_PAUSE: Final = 0.1
"""Seconds between two passes, when rows were skipped because somebody else held them."""


class RotationFailed(RondoError):
    """The keys could not be rotated."""


class _Row(NamedTuple):
    id: str
    project_id: str
    key_id: str
    sealed: bytes


async def rotate(settings: Settings, *, new: bool = False, retire: bool = False) -> list[str]:
    """Re-encrypt every secret that is not under the first key, and return lines that say what was done.

    `new` first makes a key and puts it first; `retire` then drops the keys that no secret uses. It may be stopped at any time
    and run again. Raises VaultLocked, RotationFailed if a secret could not be re-encrypted, SettingError, DatabaseUnavailable.
    """
    box = Vault.from_settings(settings)
    if not box.keyring.keys:
        raise VaultLocked
    lines = [await _add_key(settings, box.keyring)] if new else []
    moved, left = await _reseal_all(settings, box)
    lines.append(f"Re-encrypted {moved} secrets; the key '{_first(box).id}' seals.")
    if left:
        listed = ", ".join(f"{count} under '{key_id}'" for key_id, count in sorted(left.items()))
        raise RotationFailed(f"{' '.join(lines)} Secrets that could not be re-encrypted: {listed}. No key was retired.")
    return [*lines, await _retire(settings, box.keyring)] if retire else lines


async def _add_key(settings: Settings, ring: Keyring) -> str:
    """Put a new key first in the file. It is safely there before it seals anything."""
    if ring.path is None:
        raise RotationFailed("Only a key file can be given a new key: put one first in RONDO_ENCRYPTION_KEYS yourself.")
    key = keyring.new_key()
    async with db.single(settings) as session:
        await vault.keep_keys(session, alone=True)
        keyring.write(ring.path, [key, *keyring.read(ring.path)])
    return f"Made the key '{key.id}'."


async def _retire(settings: Settings, ring: Keyring) -> str:
    """Drop the keys that no secret uses. Nobody can store what such a key sealed: they would have to wait, and look again."""
    async with db.single(settings) as session:
        await vault.keep_keys(session, alone=True)
        cursor = await session.execute("SELECT DISTINCT key_id FROM secrets")
        used = {row[0] for row in await cursor.fetchall()}
        first, *others = keyring.read(ring.path) if ring.path else ring.keys
        unused = [key for key in others if key.id not in used]
        if ring.path and unused:
            keyring.write(ring.path, [first, *(key for key in others if key.id in used)])
    return _told(unused, dropped=ring.path is not None)


def _told(unused: Sequence[Key], *, dropped: bool) -> str:
    if not unused:
        return "There is no key to retire."
    names = ", ".join(f"'{key.id}'" for key in unused)
    if dropped:
        return f"Retired {names}. Backups from before still need them."
    return f"No secret uses {names}: remove them from RONDO_ENCRYPTION_KEYS once every process seals with another."


def _first(box: Vault) -> Key:
    return box.keyring.keys[0]


async def _reseal_all(settings: Settings, box: Vault) -> tuple[int, dict[str, int]]:
    """Re-encrypt until nothing is left that can be. Return how many were, and how many were not, by their keys."""
    total = 0
    for _ in range(_PASSES):
        moved, unreadable = await _pass(settings, box)
        total += moved
        async with db.single(settings) as session:
            left = await _left(session, box)
        if sum(left.values()) <= unreadable:
            break
        await asyncio.sleep(_PAUSE)
    return total, left


async def _left(session: Session, box: Vault) -> dict[str, int]:
    cursor = await session.execute("SELECT key_id, count(*) FROM secrets WHERE key_id <> %s GROUP BY key_id", (_first(box).id,))
    return dict(await cursor.fetchall())


async def _pass(settings: Settings, box: Vault) -> tuple[int, int]:
    """Walk once over all secrets, a transaction for each batch. Return how many were re-encrypted, and how many cannot be."""
    moved = unreadable = 0
    after = ""
    while True:
        async with db.single(settings) as session:
            await vault.keep_keys(session)
            rows = await _batch(session, box, after=after)
            fresh = _resealed(rows, box)
            moved += await _replace(session, rows, fresh)
        if not rows:
            return moved, unreadable
        unreadable += len(rows) - len(fresh)
        after = rows[-1].id


async def _batch(session: Session, box: Vault, *, after: str) -> list[_Row]:
    """Lock the next rows that nobody else has locked."""
    cursor = await session.execute(
        """SELECT id, project_id, key_id, sealed FROM secrets
            WHERE key_id <> %s AND id > %s ORDER BY id LIMIT %s FOR NO KEY UPDATE SKIP LOCKED""",
        (_first(box).id, after, _BATCH),
    )
    return [_Row(*row) for row in await cursor.fetchall()]


def _resealed(rows: Sequence[_Row], box: Vault) -> dict[str, Sealed]:
    """Seal anew what opens."""
    fresh: dict[str, Sealed] = {}
    for row in rows:
        try:
            value = box.open(Sealed(row.key_id, row.sealed), secret_id=row.id, project_id=row.project_id)
        except SecretUnreadable:
            continue
        fresh[row.id] = box.seal(value, secret_id=row.id, project_id=row.project_id)
    return fresh


async def _replace(session: Session, rows: Sequence[_Row], fresh: dict[str, Sealed]) -> int:
    """Replace each row's ciphertext if it still is what was read."""
    ready = [row for row in rows if row.id in fresh]
    cursor = await session.execute(
        """UPDATE secrets s SET key_id = new.key_id, sealed = new.sealed
             FROM unnest(%s::text[], %s::bytea[], %s::text[], %s::bytea[]) AS new (id, before, key_id, sealed)
            WHERE s.id = new.id AND s.sealed = new.before""",
        (
            *([row.id for row in ready], [row.sealed for row in ready]),
            *([fresh[row.id].key_id for row in ready], [fresh[row.id].data for row in ready]),
        ),
    )
    return cursor.rowcount

"""API keys: made of 256 random bits, stored as SHA-256, looked up once and then remembered for a few seconds."""

import hashlib
import secrets
import time
from collections.abc import Callable
from typing import Annotated, Final

from fastapi import Depends, Request

from shared import db
from shared.errors import Unauthorized

REMEMBERED: Final = 10.0
"""Seconds that a process trusts a looked-up key; a revoked key works that much longer at most."""


class InvalidApiKey(Unauthorized):
    """Incorrect API key provided."""

    code = "invalid_api_key"


def make() -> str:
    """Make a new key."""
    return f"rk_{secrets.token_urlsafe(32)}"


def digest(key: str) -> bytes:
    """Return what is stored of a key."""
    return hashlib.sha256(key.encode()).digest()


def hint(key: str) -> str:
    """Return enough of a key to recognise it, and too little to use it."""
    return f"{key[:6]}…{key[-2:]}" if len(key) >= 20 else "…"


class KeyRing:
    """Which project a key opens."""

    def __init__(self, pool: db.Pool, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with nothing remembered."""
        self._clock = clock
        self._pool = pool
        self._known: dict[bytes, tuple[str, float]] = {}

    async def project(self, key: str) -> str:
        """Return the id of the project that `key` belongs to. Raises InvalidApiKey."""
        hashed = digest(key)
        project_id, until = self._known.get(hashed, ("", 0.0))
        if until > self._clock():
            return project_id
        async with db.connection(self._pool) as session:
            cursor = await session.execute(
                """SELECT p.id FROM api_keys k JOIN projects p ON p.id = k.project_id
                    WHERE k.hash = %s AND k.revoked_at IS NULL AND p.revoked_at IS NULL""",
                (hashed,),
            )
            row = await cursor.fetchone()
        if row is None:
            self._known.pop(hashed, None)
            raise InvalidApiKey(f"Incorrect API key provided: {hint(key)}.")
        if len(self._known) > 10_000:
            self._known.clear()
        self._known[hashed] = (row[0], self._clock() + REMEMBERED)
        return str(row[0])


async def _project(request: Request) -> str:
    """Read the project from the `Authorization` header."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise Unauthorized
    ring: KeyRing = request.state.desk.keys
    return await ring.project(key.strip())


ProjectId = Annotated[str, Depends(_project)]
"""A handler's parameter of this type makes the route require a key, and receives the key's project."""

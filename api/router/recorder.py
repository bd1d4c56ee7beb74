"""Records of router calls: noted in memory when a call ends, written in batches a fraction of a second later."""

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any, Final

import orjson
import psycopg
import structlog
from psycopg.types.json import Jsonb

from shared import db
from shared.db import Session
from shared.items import Json

log = structlog.get_logger(__name__)

EVERY: Final = 0.25
"""Seconds between two writes, which are what a crash loses."""
MOST: Final = 100_000
"""Records that wait while Postgres is away; then the oldest are dropped."""
LAST: Final = 5.0
"""Seconds that a process which ends gives its last records to be written."""
_BATCH: Final = 1_000
"""Records in one statement, which takes a few hundredths of a second, a fifth of it on the event loop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One call, as `router_calls` keeps it. `identity` and `thread` are what the request said of them."""

    id: str
    project_id: str
    api_key_id: str | None
    endpoint: str
    model: str
    answered_by: str | None
    status: str
    http_status: int
    error: Json | None
    stream: bool
    cache: str | None
    attempts: list[Json]
    usage: Json | None
    cost: Decimal | None
    first_token_ms: int | None
    identity: Json | None
    thread: Json | None
    name: str | None
    tags: list[str]
    metadata: Json
    started_at: datetime
    finished_at: datetime


class Recorder:
    """What is still to be written. `note` never waits."""

    def __init__(self, pool: db.Pool, *, most: int = MOST) -> None:
        """Begin with nothing. Beyond `most` waiting records the oldest are dropped."""
        self._pool = pool
        self._waiting: deque[Record] = deque(maxlen=most)
        self._batch: list[Record] = []
        self._dropped = 0
        self._some = asyncio.Event()

    def note(self, record: Record) -> None:
        """Take a record."""
        if len(self._waiting) == self._waiting.maxlen:
            self._dropped += 1
        self._waiting.append(record)
        self._some.set()

    async def run(self) -> None:
        """Write what is noted, until cancelled; for as long as Postgres is away, it waits."""
        while True:
            await self._some.wait()
            await asyncio.sleep(EVERY)
            self._some.clear()
            await db.insist(self.flush, what="router_calls")

    async def flush(self) -> None:
        """Write everything that waits. Raises DatabaseUnavailable; what may not have been written stays, as when cancelled."""
        if self._dropped:
            log.error("records_dropped", count=self._dropped)
            self._dropped = 0
        while self._batch or self._waiting:
            if not self._batch:
                self._batch = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
            await self._store(self._batch)
            self._batch = []

    async def close(self, *, within: float = LAST) -> None:
        """Write what is left, once `run` has ended."""
        try:
            async with asyncio.timeout(within):
                await db.insist(self.flush, what="router_calls")
        except TimeoutError:
            log.error("records_lost", count=len(self._batch) + len(self._waiting))  # noqa: TRY400  # the trace says no more

    async def _store(self, batch: list[Record]) -> None:
        """Write records; one that Postgres will not have is left out, and takes no other with it."""
        try:
            async with db.connection(self._pool) as session:
                await write(session, batch)
        except (psycopg.Error, orjson.JSONEncodeError) as error:
            if len(batch) == 1:
                log.error("record_refused", id=batch[0].id, error=type(error).__name__)  # noqa: TRY400  # its text may quote data
                return
            middle = len(batch) // 2
            await self._store(batch[:middle])
            await self._store(batch[middle:])


async def write(session: Session, records: list[Record]) -> None:
    """Store records, and who and what they name; a record that is there already is left as it is."""
    values = {
        "calls": Jsonb([_row(record) for record in records]),
        "identities": Jsonb(_named((record.project_id, record.identity) for record in records)),
        "threads": Jsonb(_named((record.project_id, record.thread) for record in records)),
    }
    await session.execute(_WRITE, values)


_COLUMNS: Final = tuple(field.name for field in fields(Record))
_values = attrgetter(*_COLUMNS)


def _row(record: Record) -> dict[str, Any]:
    """Name a record's values, without the copies that `asdict` makes of them, which take longer than all the rest."""
    row = dict(zip(_COLUMNS, _values(record), strict=True))
    identity, thread, cost = row.pop("identity"), row.pop("thread"), row["cost"]
    row["identity_id"] = identity and identity["id"]
    row["thread_id"] = thread and thread["id"]
    row["cost"] = None if cost is None else str(cost)
    row["tags"] = row["tags"] or None
    row["metadata"] = row["metadata"] or None
    return row


def _named(given: Iterable[tuple[str, Json | None]]) -> list[Json]:
    """Put together what was said of each, the last word counting.

    The order is the same in every process, so that no two wait for each other.
    """
    named: dict[tuple[str, str], Json] = {}
    for project_id, said in given:
        if said:
            known = named.setdefault((project_id, said["id"]), {"project_id": project_id})
            known.update({name: value for name, value in said.items() if value is not None})
    return [named[key] for key in sorted(named)]


_WRITE: Final = """
WITH calls AS (
    INSERT INTO router_calls (id, project_id, api_key_id, endpoint, model, answered_by, status, http_status, error, stream,
                              cache, attempts, usage, cost, first_token_ms, identity_id, thread_id, name, tags, metadata,
                              started_at, finished_at)
    SELECT id, project_id, api_key_id, endpoint, model, answered_by, status, http_status, error, stream, cache, attempts, usage,
           cost, first_token_ms, identity_id, thread_id, name, tags, metadata, started_at, finished_at
      FROM jsonb_to_recordset(%(calls)s)
           AS c(id text, project_id text, api_key_id text, endpoint text, model text, answered_by text, status text,
                http_status int, error jsonb, stream bool, cache text, attempts jsonb, usage jsonb, cost numeric,
                first_token_ms int, identity_id text, thread_id text, name text, tags jsonb, metadata jsonb,
                started_at timestamptz, finished_at timestamptz)
        ON CONFLICT (id) DO NOTHING),
who AS (
    INSERT INTO identities (project_id, id, display_name, email, logo_url, metadata, tags)
    SELECT project_id, id, display_name, email, logo_url, metadata, tags
      FROM jsonb_to_recordset(%(identities)s)
           AS i(project_id text, id text, display_name text, email text, logo_url text, metadata jsonb, tags jsonb)
        ON CONFLICT (project_id, id) DO UPDATE SET
           display_name = coalesce(excluded.display_name, identities.display_name),
           email = coalesce(excluded.email, identities.email),
           logo_url = coalesce(excluded.logo_url, identities.logo_url),
           metadata = coalesce(excluded.metadata, identities.metadata),
           tags = coalesce(excluded.tags, identities.tags), updated_at = now())
INSERT INTO threads (project_id, id, tags)
SELECT project_id, id, tags FROM jsonb_to_recordset(%(threads)s) AS t(project_id text, id text, tags jsonb)
    ON CONFLICT (project_id, id) DO UPDATE SET tags = coalesce(excluded.tags, threads.tags), updated_at = now()
"""

"""Records of router calls: noted in memory when a call ends, written in batches a fraction of a second later."""

import asyncio
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

import structlog
from psycopg.types.json import Jsonb

from shared import db
from shared.db import Session
from shared.errors import Unavailable
from shared.items import Json

log = structlog.get_logger(__name__)

EVERY: Final = 0.25
"""Seconds between two writes, which are what a crash loses."""
MOST: Final = 100_000
"""Records that wait while Postgres is away; then the oldest are dropped."""
_BATCH: Final = 2_000


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

    def __init__(self, pool: db.Pool) -> None:
        """Begin with nothing."""
        self._pool = pool
        self._waiting: list[Record] = []
        self._some = asyncio.Event()

    def note(self, record: Record) -> None:
        """Take a record."""
        self._waiting.append(record)
        self._some.set()

    async def run(self) -> None:
        """Write what is noted, until cancelled."""
        while True:
            await self._some.wait()
            await asyncio.sleep(EVERY)
            await self.flush()

    async def flush(self) -> None:
        """Write everything that waits; what cannot be written now waits on."""
        self._some.clear()
        while self._waiting:
            batch, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
            try:
                async with db.connection(self._pool) as session:
                    await write(session, batch)
            except Unavailable as error:
                self._keep(batch, error)
                return

    def _keep(self, batch: list[Record], error: Unavailable) -> None:
        """Put a batch back, before what came since."""
        together = [*batch, *self._waiting]
        self._waiting = together[-MOST:]
        self._some.set()
        log.warning("records_wait", waiting=len(self._waiting), dropped=len(together) - len(self._waiting), error=error.message)


async def write(session: Session, records: list[Record]) -> None:
    """Store records, and who and what they name; a record that is there already is left as it is."""
    rows = [{**_plain(record), "cost": None if record.cost is None else str(record.cost)} for record in records]
    values = {
        "calls": Jsonb(rows),
        "identities": Jsonb(_latest((record.project_id, record.identity) for record in records)),
        "threads": Jsonb(_latest((record.project_id, record.thread) for record in records)),
    }
    await session.execute(_WRITE, values)


def _plain(record: Record) -> Json:
    plain = asdict(record)
    identity, thread = plain.pop("identity"), plain.pop("thread")
    return {
        **plain,
        "identity_id": identity and identity["id"],
        "thread_id": thread and thread["id"],
        "tags": plain["tags"] or None,
        "metadata": plain["metadata"] or None,
    }


def _latest(named: Iterable[tuple[str, Json | None]]) -> list[Json]:
    """Keep what was said last of each, in an order that is the same in every process, so that none waits for another."""
    latest = {(project_id, given["id"]): {"project_id": project_id, **given} for project_id, given in named if given}
    return [latest[key] for key in sorted(latest)]


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

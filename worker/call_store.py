"""What a worker does to a tool call in Postgres: claim it, end it, put it off, hand it back. Every write carries its epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from shared import bus, db
from shared.db import Session
from shared.frames import Page
from shared.items import Json
from worker import telling

if TYPE_CHECKING:
    from worker.runtime import Runtime


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A call this worker may run, and what it needs to know of the response that made it."""

    id: str
    project_id: str
    response_id: str
    call_id: str
    """The model's."""
    tool: str
    label: str | None
    name: str
    arguments: str
    effect: str
    idempotency_key: str
    timeout: float
    epoch: int
    attempts: int
    request: Json
    body: Json
    model: str
    depth: int
    store: bool
    identity_id: str | None
    thread_id: str | None
    seconds_left: float
    """Until the response's deadline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What a call gave: a JSON value, or the sentence that says why there is none."""

    result: Any = None
    error: str | None = None


_CALL: Final = (
    *("id", "project_id", "response_id", "call_id", "tool", "label", "name", "arguments", "effect", "idempotency_key"),
    "timeout",
)
_RESPONSE: Final = ("request", "body", "model", "depth", "store", "identity_id", "thread_id")
_CLAIM = f"""
WITH taken AS (
    UPDATE tool_calls
       SET status = 'running', epoch = epoch + 1, attempts = attempts + 1, worker_id = %(worker)s,
           lease_until = now() + %(lease)s * interval '1 second', started_at = coalesce(started_at, now())
     WHERE id = %(id)s AND status = 'pending'
 RETURNING *)
SELECT {", ".join(f"t.{name}" for name in (*_CALL, "epoch", "attempts"))}, {", ".join(f"r.{name}" for name in _RESPONSE)},
       extract(epoch FROM r.deadline_at - now())::float8 AS seconds_left
  FROM taken t JOIN responses r ON r.id = t.response_id
"""
_END = """
UPDATE tool_calls
   SET status = %(status)s, result = %(result)s, error = %(error)s, lease_until = NULL, finished_at = clock_timestamp()
 WHERE id = %(id)s AND epoch = %(epoch)s AND status = %(live)s
RETURNING id
"""
_POSTPONE = """
UPDATE tool_calls SET status = 'pending', lease_until = NULL, hint_at = now() + %s * interval '1 second'
 WHERE id = %s AND epoch = %s AND status = 'running'
"""
CUT_OFF: Final = """
UPDATE tool_calls
   SET status = CASE WHEN effect = 'at_most_once' THEN 'unknown' ELSE 'pending' END, lease_until = NULL, hint_at = now(),
       error = CASE WHEN effect = 'at_most_once'
                    THEN 'The outcome is unknown: the worker stopped while the tool ran. Verify before repeating.' END
"""
"""What becomes of calls that began and were not ended by their worker; the caller says which."""

_HAND_BACK = f"""{CUT_OFF}, attempts = attempts - 1 WHERE id = %s AND epoch = %s AND status = 'running'"""
_BRING_BACK = """
UPDATE responses SET phase = 'ready', hints = 0, hint_at = now() + interval '2 seconds'
 WHERE id = %(id)s AND phase = 'tools' AND NOT EXISTS (
       SELECT 1 FROM tool_calls WHERE response_id = %(id)s AND status IN ('pending', 'running', 'waiting'))
RETURNING id
"""


async def claim(session: Session, call_id: str, *, worker: str, lease: float) -> Claimed | None:
    """Take a pending call, raising its epoch."""
    async with session.cursor(row_factory=class_row(Claimed)) as cursor:
        await cursor.execute(_CLAIM, {"id": call_id, "worker": worker, "lease": lease})
        return await cursor.fetchone()


async def end(runtime: Runtime, call: Claimed, ended: Ended) -> None:
    """Store and tell what a call gave, then tell the readers; the last call of a response makes it ready."""
    page, back = await db.insist(lambda: _end(runtime, call, ended), what="tool result")
    await announce(runtime, call.response_id, page, back=back)


async def announce(runtime: Runtime, response_id: str, page: Page | None, *, back: bool) -> None:
    """Tell the readers, and the next worker, what was committed."""
    if page is not None:
        await bus.publish(runtime.redis, [(bus.channel(response_id), bus.pack(page))])
    if back:
        runtime.hints.advance(response_id)


async def _end(runtime: Runtime, call: Claimed, ended: Ended) -> tuple[Page | None, bool]:
    async with db.transaction(runtime.pool) as session:
        phase = await phase_of(session, call.response_id)
        if not await store(session, call.id, call.epoch, ended, live="running"):
            return None, False
        return await told(session, call.response_id, phase)


async def phase_of(session: Session, response_id: str) -> str | None:
    """Lock the response's row, which makes one call the last, and return its phase; None if it is gone."""
    cursor = await session.execute("SELECT phase FROM responses WHERE id = %s FOR UPDATE", (response_id,))
    row = await cursor.fetchone()
    return row[0] if row else None


async def store(session: Session, call_id: str, epoch: int, ended: Ended, *, live: str) -> bool:
    """Write what a call gave; False if it was not `live` any more."""
    values = {
        "id": call_id,
        "epoch": epoch,
        "status": "failed" if ended.error is not None else "succeeded",
        "result": None if ended.error is not None else Jsonb(ended.result),
        "error": ended.error,
        "live": live,
    }
    cursor = await session.execute(_END, values)
    return await cursor.fetchone() is not None


async def told(session: Session, response_id: str, phase: str | None) -> tuple[Page | None, bool]:
    """Tell results of a response that waits for them; return the page, and whether it is ready by it.

    In any other phase a step has the log, or it is over; the next step tells what is left.
    """
    if phase != "tools":
        return None, False
    page = await telling.tell(session, response_id)
    back = await session.execute(_BRING_BACK, {"id": response_id})
    return page, await back.fetchone() is not None


async def postpone(session: Session, call: Claimed, wait: float) -> None:
    """Have the call tried again in `wait` seconds; meanwhile it costs no slot."""
    await session.execute(_POSTPONE, (wait, call.id, call.epoch))


async def hand_back(session: Session, call: Claimed) -> None:
    """Let another worker run the call, unless repeating it might do it twice."""
    await session.execute(_HAND_BACK, (call.id, call.epoch))

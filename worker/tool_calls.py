"""One server tool call: claim, run, store the result, and bring the response back when it was the last."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from agents.tools import registry
from agents.tools.base import Call, ToolError
from shared import db
from shared.db import Session
from shared.items import Json
from worker.rescue import CUT_OFF
from worker.runtime import Runtime

log = structlog.get_logger(__name__)

_CLAIM = """
UPDATE tool_calls
   SET status = 'running', epoch = epoch + 1, attempts = attempts + 1, worker_id = %(worker)s,
       lease_until = now() + %(lease)s * interval '1 second', started_at = coalesce(started_at, now())
 WHERE id = %(id)s AND status = 'pending'
RETURNING id, response_id, tool, name, arguments, idempotency_key, timeout, epoch, attempts
"""
_STORE = """
UPDATE tool_calls SET status = %(status)s, result = %(result)s, error = %(error)s, lease_until = NULL, finished_at = now()
 WHERE id = %(id)s AND epoch = %(epoch)s AND status = 'running'
"""
_HAND_BACK = f"""{CUT_OFF}, attempts = attempts - 1 WHERE id = %s AND epoch = %s AND status = 'running'"""
_BRING_BACK = """
UPDATE responses SET phase = 'ready', hints = 0, hint_at = now() + interval '2 seconds'
 WHERE id = %(id)s AND phase = 'tools' AND NOT EXISTS (
       SELECT 1 FROM tool_calls WHERE response_id = %(id)s AND status IN ('pending', 'running'))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A call this worker may run."""

    id: str
    response_id: str
    tool: str
    name: str
    arguments: str
    idempotency_key: str
    timeout: float
    epoch: int
    attempts: int


async def run_tool(runtime: Runtime, call_id: str) -> None:
    """Run a call, if it is ours to run. A failure of the tool is a result that the model is told."""
    if runtime.draining:
        return
    async with db.connection(runtime.pool) as session:
        call = await _claim(session, call_id, runtime)
    if call is None:
        return
    with (
        structlog.contextvars.bound_contextvars(response_id=call.response_id, tool_call_id=call.id),
        runtime.holding(runtime.calls, call.id, epoch=call.epoch),
    ):
        try:
            result, error = await _outcome(call, runtime)
        except asyncio.CancelledError:
            await _hand_back(runtime, call)
            raise
        await _finish(runtime, call, result, error)


async def _claim(session: Session, call_id: str, runtime: Runtime) -> Claimed | None:
    """Take a pending call, raising its epoch."""
    async with session.cursor(row_factory=class_row(Claimed)) as cursor:
        values = {"id": call_id, "worker": runtime.worker_id, "lease": runtime.settings.lease}
        await cursor.execute(_CLAIM, values)
        return await cursor.fetchone()


async def _outcome(call: Claimed, runtime: Runtime) -> tuple[Any, str | None]:
    """Run the tool; return its result, or the sentence that says why there is none."""
    if call.attempts > runtime.settings.max_claims:
        return None, f"The tool was given up after {call.attempts - 1} workers died while it ran."
    try:
        return await registry.run({"type": call.tool}, call.arguments, _context(call, runtime)), None
    except ToolError as error:
        return None, str(error)


def _context(call: Claimed, runtime: Runtime) -> Call:
    """Tell the tool what it may know."""
    return Call(
        name=call.name,
        now=datetime.now(UTC),
        idempotency_key=call.idempotency_key,
        attempt=call.attempts,
        timeout=call.timeout,
        engine="text",
        variables={},
        secrets={},
        box=runtime.box,
    )


async def _finish(runtime: Runtime, call: Claimed, result: Any, error: str | None) -> None:
    """Store the outcome; the last call of a response makes it ready."""
    values = {
        "id": call.id,
        "epoch": call.epoch,
        "status": "failed" if error is not None else "succeeded",
        "result": None if error is not None else Jsonb(result),
        "error": error,
    }
    runtime.let_go(runtime.calls, call.id, epoch=call.epoch)
    if await db.insist(lambda: _store(runtime, call.response_id, values), what="tool result"):
        runtime.hints.advance(call.response_id)


async def _store(runtime: Runtime, response_id: str, values: Json) -> bool:
    """Write the outcome, and tell whether the response is ready by it. The row lock makes one call the last."""
    async with db.transaction(runtime.pool) as session:
        await session.execute("SELECT 1 FROM responses WHERE id = %s FOR UPDATE", (response_id,))
        await session.execute(_STORE, values)
        back = await session.execute(_BRING_BACK, {"id": response_id})
    return back.rowcount == 1


async def _hand_back(runtime: Runtime, call: Claimed) -> None:
    """Let another worker run the call, unless repeating it might do it twice."""
    async with db.connection(runtime.pool) as session:
        await session.execute(_HAND_BACK, (call.id, call.epoch))

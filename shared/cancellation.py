"""Ending responses from outside, each with all that was delegated for it. What they have put out is kept.

It goes level by level: a response that is cancelled delegates no more, so that no child of it can be missed.
"""

from typing import Any, Final

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from shared import pages
from shared.db import Session
from shared.status import Status, before

_CANCEL: Final = """
UPDATE responses SET status = 'cancelled', phase = 'done', epoch = epoch + 1, finished_at = now(),
       lease_until = NULL, wake_at = NULL, waiting_for = NULL
 WHERE {which} AND status = ANY(%(before)s)
RETURNING *
"""
_ONE: Final = _CANCEL.format(which="id = %(id)s AND project_id = %(project_id)s")
_DELEGATED: Final = _CANCEL.format(which="parent_id = ANY(%(parents)s)")

_STOP_CALLS: Final = """
UPDATE tool_calls SET status = 'failed', epoch = epoch + 1, error = 'The response was cancelled.', lease_until = NULL,
       finished_at = now()
 WHERE response_id = ANY(%s) AND status IN ('pending', 'running', 'waiting')
"""
_CUT_OFF: Final = """
UPDATE items SET item = item || '{"status": "incomplete"}'
 WHERE response_id = ANY(%s) AND direction = 'output' AND item->>'status' = 'in_progress'
"""
"""Calls that were on record as in progress, and will not end any more."""


async def cancel(session: Session, project_id: str, response_id: str) -> list[str]:
    """Make a live response cancelled, and all that it delegated; return their ids, none if it was over already."""
    rows = await _cancel(session, _ONE, id=response_id, project_id=project_id)
    return [row["id"] for row in rows] + await cancel_delegated(session, [row["id"] for row in rows])


async def cancel_delegated(session: Session, parents: list[str]) -> list[str]:
    """Cancel what is live below responses that are over, or about to be; return the ids."""
    cancelled: list[str] = []
    while parents:
        parents = [row["id"] for row in await _cancel(session, _DELEGATED, parents=parents)]
        cancelled += parents
    return cancelled


async def _cancel(session: Session, statement: str, **which: Any) -> list[dict[str, Any]]:
    """Cancel the rows of one level, and keep what their running steps have said."""
    async with session.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(statement, {**which, "before": before(Status.CANCELLED)})
        rows = await cursor.fetchall()
    for row in rows:
        await _keep_unfinished(session, row)
    if found := [row["id"] for row in rows]:
        await session.execute(_STOP_CALLS, (found,))
        await session.execute(_CUT_OFF, (found,))
    return rows


async def _keep_unfinished(session: Session, row: dict[str, Any]) -> None:
    """Store the items that no commit covers; those that were cut off become incomplete."""
    for index, item in await pages.unfinished(session, row):
        await session.execute(
            """INSERT INTO items (response_id, direction, position, project_id, id, item)
               VALUES (%s, 'output', %s, %s, %s, %s)""",
            (row["id"], index, row["project_id"], item["id"], Jsonb(item)),
        )

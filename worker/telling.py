"""Putting on record what happened while no step ran: results of calls, and what a dead attempt left open in the log.

Each result is told once: the flag on its call is set in the transaction that writes its events and its item.
"""

from dataclasses import replace
from typing import Any

from psycopg.rows import dict_row

from agents import calls
from agents.turn import ToolResult
from shared import fold, frames, ids, pages
from shared.db import Session
from shared.frames import EventLog, Page
from shared.items import Item
from worker import store
from worker.store import Fenced, Run

_UNTOLD = """
UPDATE tool_calls SET told = true
 WHERE response_id = %s AND NOT told AND status IN ('succeeded', 'failed', 'unknown')
RETURNING call_id, tool, name, arguments, result, error, label, output_index, finished_at, step, position
"""
_OVERDUE = """
UPDATE tool_calls SET status = 'failed', epoch = epoch + 1, told = true, lease_until = NULL, finished_at = now(),
       error = 'The response reached its deadline.'
 WHERE response_id = %s AND status IN ('pending', 'running', 'waiting')
RETURNING output_index
"""


async def tell(session: Session, response_id: str) -> Page | None:
    """Tell the results that are there, of a response whose row the caller has locked; return the page to publish."""
    cursor = await session.execute(
        "SELECT project_id, epoch, committed_seq, next_output_index FROM responses WHERE id = %s", (response_id,)
    )
    row = await cursor.fetchone()
    if row is None:
        return None
    project_id, epoch, committed_seq, next_index = row
    log = _log(response_id, epoch, committed_seq + 1)
    told = await _put_out(session, log, next_index)
    return await _write(session, log, project_id, told, next_index)


async def settle(session: Session, run: Run) -> tuple[Run, Page | None]:
    """Bring the log of a claimed response up to date: close what a dead attempt left open, and tell results.

    At the deadline, calls without a result are given up. Returns the run as it is then, and the page to publish. Raises Fenced.
    """
    held = await session.execute(
        "SELECT 1 FROM responses WHERE id = %s AND epoch = %s AND phase = 'running' FOR UPDATE", (run.id, run.epoch)
    )
    if await held.fetchone() is None:
        raise Fenced
    log = _log(run.id, run.epoch, run.first_number)
    next_index = max(run.next_output_index, await _close(session, run, log))
    told = await _put_out(session, log, next_index)
    if run.seconds_left <= 0:
        told |= await _give_up(session, log)
    page = await _write(session, log, run.project_id, told, next_index, covered=run.last_seq)
    seen = page.last if page else run.last_seq
    next_index = max([next_index, *(index + 1 for index in told)])
    run = replace(run, output=_merged(run.output, told), next_output_index=next_index, last_seq=seen, committed_seq=seen)
    return run, page


def _log(response_id: str, epoch: int, first: int) -> EventLog:
    """Make a log that is written by the caller's transaction, and wakes nobody."""
    return EventLog(response_id, epoch, first, wake=lambda _: None)


async def _close(session: Session, run: Run, log: EventLog) -> int:
    """End what a dead attempt left open; return the lowest output index above those that it used."""
    if run.last_seq <= run.committed_seq:
        return 0
    mail = await pages.read(session, run.id, after=run.committed_seq, limit=1_000_000)
    left = fold.fold(event for page in (mail.pages if mail else []) for event in frames.decode(page.frames))
    fold.close(left, log.emit)
    return left.next_index


async def _put_out(session: Session, log: EventLog, next_index: int) -> dict[int, Item]:
    """Say what untold calls gave, in the order in which they ended; return the items by output index."""
    async with session.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_UNTOLD, (log.response_id,))
        ended = await cursor.fetchall()
    told: dict[int, Item] = {}
    for call in sorted(ended, key=_order):
        result = ToolResult(**{name: call[name] for name in ToolResult.__dataclass_fields__})
        standing = await _standing(session, log.response_id, result.output_index)
        index = next_index if standing is None or result.output_index is None else result.output_index
        next_index += standing is None
        told[index] = calls.tell(result, log.emit, output_index=index, item=standing, new_id=ids.new)
    return told


def _order(call: dict[str, Any]) -> tuple[Any, ...]:
    """Sort by when calls ended; those whose end nobody saw come last."""
    ended = call["finished_at"]
    return (ended is None, ended.timestamp() if ended else 0, call["step"], call["position"])


async def _standing(session: Session, response_id: str, index: int | None) -> Item | None:
    """Read the item in progress that a result completes."""
    if index is None:
        return None
    cursor = await session.execute(
        "SELECT item FROM items WHERE response_id = %s AND direction = 'output' AND position = %s", (response_id, index)
    )
    row = await cursor.fetchone()
    return row[0] if row else None


async def _give_up(session: Session, log: EventLog) -> dict[int, Item]:
    """Fail the calls that have no result; return their items that were in progress, as incomplete."""
    cursor = await session.execute(_OVERDUE, (log.response_id,))
    told: dict[int, Item] = {}
    for (index,) in await cursor.fetchall():
        standing = await _standing(session, log.response_id, index)
        if standing is not None:
            told[index] = standing | {"status": "incomplete"}
            log.emit("response.output_item.done", output_index=index, item=told[index])
    return told


async def _write(
    session: Session, log: EventLog, project_id: str, told: dict[int, Item], next_index: int, *, covered: int = -1
) -> Page | None:
    """Store the items, the events as one page, and how far the response's row knows of both."""
    page = log.whole()
    if page is not None:
        await pages.append(session, log.response_id, log.epoch, page)
    if told:
        await store.amend(session, log.response_id, project_id, told)
    await session.execute(
        "UPDATE responses SET next_output_index = %s, committed_seq = greatest(committed_seq, %s) WHERE id = %s",
        (max([next_index, *(index + 1 for index in told)]), page.last if page else covered, log.response_id),
    )
    return page


def _merged(output: list[Item], told: dict[int, Item]) -> list[Item]:
    """Put items in the place of those with the same id, and the others behind."""
    changed = {item["id"]: item for item in told.values()}
    kept = [changed.pop(item["id"], item) for item in output]
    return kept + list(changed.values())

"""What the API does to responses in Postgres: read, list, cancel, delete. Every statement is scoped to a project."""

from collections.abc import Sequence
from typing import Any

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from shared import fold, frames, history, pages, snapshot
from shared.db import Session
from shared.entry import NewResponse
from shared.items import Item, Json
from shared.status import Status, before


async def remember_key(session: Session, new: NewResponse) -> tuple[str, bytes] | None:
    """Bind the idempotency key to the new response; if it is bound already, return that response's id and body hash."""
    inserted = await session.execute(
        """INSERT INTO idempotency_keys (project_id, key, request_hash, response_id) VALUES (%s, %s, %s, %s)
               ON CONFLICT DO NOTHING RETURNING 1""",
        (new.project_id, new.idempotency_key, new.request_hash, new.id),
    )
    if await inserted.fetchone():
        return None
    bound = await session.execute(
        "SELECT response_id, request_hash FROM idempotency_keys WHERE project_id = %s AND key = %s",
        (new.project_id, new.idempotency_key),
    )
    row = await bound.fetchone()
    return (row[0], bytes(row[1])) if row else None


async def find(session: Session, project_id: str, response_id: str) -> dict[str, Any] | None:
    """Read a stored response's row; None if it is unknown, foreign, deleted, or was not to be stored."""
    async with session.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            "SELECT * FROM responses WHERE id = %s AND project_id = %s AND store AND deleted_at IS NULL",
            (response_id, project_id),
        )
        return await cursor.fetchone()


async def row_of(session: Session, response_id: str) -> dict[str, Any] | None:
    """Read any row, stored or not: for the request that made it."""
    async with session.cursor(row_factory=dict_row) as cursor:
        await cursor.execute("SELECT * FROM responses WHERE id = %s", (response_id,))
        return await cursor.fetchone()


async def object_of(session: Session, row: dict[str, Any]) -> Json:
    """Render a row with its output so far, including what a running step has said."""
    if row["phase"] == "done":
        return snapshot.render(row, await pages.output_of(session, row["id"]))
    committed = await pages.output_of(session, row["id"], below=row["next_output_index"])
    return snapshot.render(row, committed + [item for _, item in await _unfinished(session, row)])


async def _unfinished(session: Session, row: dict[str, Any]) -> list[tuple[int, Item]]:
    """Fold the events that no commit covers yet into items."""
    mail = await pages.read(session, row["id"], after=row["committed_seq"], limit=100_000)
    folded = fold.fold(event for page in (mail.pages if mail else []) for event in frames.decode(page.frames))
    return [(index, item) for index, item in sorted(folded.items.items()) if index >= row["next_output_index"]]


async def cancel(session: Session, project_id: str, response_id: str) -> bool:
    """Make a live response cancelled and keep what it has put out; False if it was over already."""
    async with session.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            """UPDATE responses SET status = 'cancelled', phase = 'done', epoch = epoch + 1, finished_at = now(),
                      lease_until = NULL, wake_at = NULL, waiting_for = NULL
                WHERE id = %s AND project_id = %s AND status = ANY(%s) RETURNING *""",
            (response_id, project_id, before(Status.CANCELLED)),
        )
        row = await cursor.fetchone()
    if row is None:
        return False
    for index, item in await _unfinished(session, row):
        stopped = {**item, "status": "incomplete"} if item.get("status") == "in_progress" else item
        await session.execute(
            """INSERT INTO items (response_id, direction, position, project_id, id, item)
               VALUES (%s, 'output', %s, %s, %s, %s)""",
            (response_id, index, project_id, item["id"], Jsonb(stopped)),
        )
    await session.execute(
        """UPDATE tool_calls SET status = 'failed', error = 'The response was cancelled.', finished_at = now()
            WHERE response_id = %s AND status = 'pending'""",
        (response_id,),
    )
    return True


async def delete(session: Session, project_id: str, response_id: str) -> None:
    """Hide a response at once; remove its content, and that of hidden ancestors, once no descendant needs it."""
    await session.execute(
        """WITH hidden AS (UPDATE responses SET deleted_at = now() WHERE id = %s AND project_id = %s RETURNING id)
           DELETE FROM event_pages p USING hidden WHERE p.response_id = hidden.id""",
        (response_id, project_id),
    )
    candidate: str | None = response_id
    while candidate:
        cursor = await session.execute(
            """DELETE FROM responses r WHERE id = %s AND deleted_at IS NOT NULL
                  AND NOT EXISTS (SELECT 1 FROM responses c WHERE c.previous_response_id = r.id)
            RETURNING previous_response_id""",
            (candidate,),
        )
        row = await cursor.fetchone()
        candidate = row[0] if row else None


async def forget(session: Session, response_id: str) -> None:
    """Remove a response that was not to be stored; its client has read the end of it."""
    await session.execute("DELETE FROM responses WHERE id = %s AND NOT store AND phase = 'done'", (response_id,))
    await session.execute(
        """DELETE FROM event_pages WHERE response_id = %s
              AND NOT EXISTS (SELECT 1 FROM responses WHERE id = %s)""",
        (response_id, response_id),
    )


async def items_by_id(session: Session, project_id: str, wanted: Sequence[str]) -> dict[str, Item]:
    """Resolve item ids to stored items of the project, the newest where an id was stored more than once."""
    cursor = await session.execute(
        """SELECT DISTINCT ON (i.id) i.id, i.item FROM items i JOIN responses r ON r.id = i.response_id
            WHERE i.project_id = %s AND i.id = ANY(%s) AND r.store AND r.deleted_at IS NULL
            ORDER BY i.id, r.created_at DESC""",
        (project_id, list(wanted)),
    )
    return {row[0]: row[1] for row in await cursor.fetchall()}


async def input_items(session: Session, response_id: str) -> list[Item]:
    """Read everything that was put in front of the model: inherited items, then the response's own input."""
    cursor = await session.execute(_INPUT, (response_id,))
    return [row[0] for row in await cursor.fetchall()]


_INPUT = (
    "SELECT h.item FROM responses r, LATERAL ("
    + history.CHAIN.format(root="r", select=f"i.item, row_number() OVER (ORDER BY {history.ORDER}) AS n")
    + " WHERE c.depth > 0 OR i.direction = 'input') h WHERE r.id = %s ORDER BY h.n"
)

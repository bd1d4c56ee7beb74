"""Event pages in Postgres: the mailbox that every reader can go back to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared import fold, frames
from shared.db import Session
from shared.frames import Page, split
from shared.items import Item


@dataclass(frozen=True, slots=True)
class Mail:
    """What the mailbox holds beyond a sequence number, and whether anything more can come."""

    pages: list[Page]
    done: bool


async def read(session: Session, response_id: str, *, after: int, limit: int = 200) -> Mail | None:
    """Read up to `limit` pages with events beyond `after`, in one snapshot with the phase; None for an unknown response."""
    cursor = await session.execute(_READ, {"id": response_id, "after": after, "limit": limit}, binary=True)
    rows = await cursor.fetchall()
    if not rows:
        return None
    pages = [Page(first, last, bytes(frames)) for _, first, last, frames in rows if frames is not None]
    return Mail(pages, done=rows[0][0] == "done" and len(pages) < limit)


_READ = """
SELECT r.phase, p.first_seq, p.last_seq, p.frames
  FROM responses r
  LEFT JOIN LATERAL (
       SELECT first_seq, last_seq, frames FROM event_pages
        WHERE response_id = r.id AND last_seq > %(after)s ORDER BY first_seq LIMIT %(limit)s) p ON true
 WHERE r.id = %(id)s
 ORDER BY p.first_seq
"""


async def append(session: Session, response_id: str, epoch: int, page: Page) -> None:
    """Add one page, within the caller's transaction."""
    await session.execute(
        "INSERT INTO event_pages (response_id, first_seq, last_seq, epoch, frames) VALUES (%s, %s, %s, %s, %b)",
        (response_id, page.first, page.last, epoch, page.frames),
    )


async def write(session: Session, batch: list[tuple[str, int, Page]]) -> set[tuple[str, int]]:
    """Write one page for each `(response_id, epoch, page)`, all in one statement; return the leases that still hold.

    A page of a lost lease is not written, and must not be published. Writing the same page again is harmless.
    """
    columns = {
        "ids": [response_id for response_id, _, _ in batch],
        "epochs": [epoch for _, epoch, _ in batch],
        "firsts": [page.first for _, _, page in batch],
        "lasts": [page.last for _, _, page in batch],
        "frames": [page.frames for _, _, page in batch],
    }
    cursor = await session.execute(_WRITE, columns)
    return {(row[0], row[1]) for row in await cursor.fetchall()}


_WRITE = """
INSERT INTO event_pages (response_id, first_seq, last_seq, epoch, frames)
SELECT p.id, p.first_seq, p.last_seq, p.epoch, p.frames
  FROM unnest(%(ids)b::text[], %(epochs)b::bigint[], %(firsts)b::bigint[], %(lasts)b::bigint[], %(frames)b::bytea[])
       AS p(id, epoch, first_seq, last_seq, frames)
 WHERE (SELECT r.epoch = p.epoch AND r.phase = 'running' FROM responses r WHERE r.id = p.id)
    ON CONFLICT (response_id, first_seq) DO UPDATE SET last_seq = excluded.last_seq
RETURNING response_id, epoch
"""
"""A lookup by key for each page: a join is planned, before the tables have statistics, as every page against every row."""


async def reopen(session: Session, response_id: str) -> None:
    """Take the terminal event off the end of the log, so that it can go on; its number is not used again."""
    cursor = await session.execute(
        "SELECT first_seq, last_seq, frames FROM event_pages WHERE response_id = %s ORDER BY first_seq DESC LIMIT 1",
        (response_id,),
        binary=True,
    )
    if (row := await cursor.fetchone()) is None:
        return
    first, last, frames = row
    await session.execute("DELETE FROM event_pages WHERE response_id = %s AND first_seq = %s", (response_id, first))
    if last > first:
        await append(session, response_id, 0, Page(first, last - 1, b"".join(split(bytes(frames))[:-1])))


async def output_of(session: Session, response_id: str, *, below: int | None = None) -> list[Item]:
    """Read a response's output items in order; `below` leaves out those of later steps than the caller's row knows."""
    cursor = await session.execute(
        """SELECT item FROM items WHERE response_id = %s AND direction = 'output' AND position < coalesce(%s, position + 1)
            ORDER BY position""",
        (response_id, below),
    )
    return [row[0] for row in await cursor.fetchall()]


async def unfinished(session: Session, row: Mapping[str, Any]) -> list[tuple[int, Item]]:
    """Fold the events that no commit covers yet into items: `(output index, item)`, those of the running attempt only.

    `row` needs the response's `id`, `committed_seq` and `next_output_index`.
    """
    mail = await read(session, row["id"], after=row["committed_seq"], limit=100_000)
    folded = fold.fold(event for page in (mail.pages if mail else []) for event in frames.decode(page.frames))
    return [(index, item) for index, item in sorted(folded.items.items()) if index >= row["next_output_index"]]

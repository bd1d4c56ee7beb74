"""The one reader: streams, waiting requests, long polls and resumed readers all follow the same log."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Final

from api.mailroom import Mailbox
from shared import bus, db, pages
from shared.frames import Page

SILENCE: Final = 2.0
"""Seconds without mail after which a follower looks into Postgres."""


async def follow(pool: db.Pool, mailbox: Mailbox, response_id: str, *, after: int, known: bool = False) -> AsyncIterator[Page]:
    """Yield everything beyond `after`, in order and without gaps or repeats, until the response is over.

    An empty page is a sign of life, every two quiet seconds. `mailbox` must have been subscribed before; `known` says that
    nothing beyond `after` was written before that, so that the first look into Postgres can be left out.
    While Postgres is away it waits.
    """
    last = after
    while True:
        if not known:
            mail = await db.insist(partial(_read, pool, response_id, last), what="reader")
            if mail is None:
                return
            for page in mail.pages:
                yield Page(max(page.first, last + 1), page.last, page.after(last))
                last = page.last
            if mail.done:
                return
            if mail.pages:
                continue
        known = False
        async for page, ended in _live(mailbox, last):
            yield Page(max(page.first, last + 1), page.last, page.after(last))
            last = page.last
            if ended:
                return
        yield Page(last + 1, last, b"")


async def _read(pool: db.Pool, response_id: str, after: int) -> pages.Mail | None:
    """Look into the mailbox that is Postgres."""
    async with db.connection(pool) as session:
        return await pages.read(session, response_id, after=after)


async def _live(mailbox: Mailbox, last: int) -> AsyncIterator[tuple[Page, bool]]:
    """Yield mail that continues at `last`, and whether it is the last; end where something is missing or nothing comes."""
    while (letter := await mailbox.get(silence=SILENCE)) is not None:
        page, flag = letter
        if page.first > last + 1 or (flag == bus.END and page.last <= last):
            return
        if page.last > last:
            yield page, flag == bus.END
            last = page.last

"""Event pages in Postgres: written only under a lease that holds, and read by anybody from anywhere."""

import asyncio

import pytest

from shared import db, frames, pages
from shared.frames import Page
from tests import rows


def page(first: int, last: int) -> Page:
    return Page(first, last, b"".join(frames.encode(number, "keepalive", {}) for number in range(first, last + 1)))


def numbers(found: list[Page]) -> list[int]:
    return [event["sequence_number"] for one in found for event in frames.decode(one.frames)]


async def running(pool: db.Pool, *, epoch: int = 3) -> str:
    response_id = await rows.add_response(pool, await rows.add_project(pool))
    await rows.change(pool, response_id, phase="'running'", status="'in_progress'", epoch=str(epoch))
    return response_id


@pytest.mark.parametrize(
    ("change", "held"),
    [
        ({}, True),
        ({"epoch": "4"}, False),
        ({"phase": "'ready'"}, False),
        ({"phase": "'tools'"}, False),
        ({"phase": "'done'", "status": "'cancelled'"}, False),
    ],
)
def test_a_page_is_written_only_while_its_lease_holds(database_url: str, change: dict[str, str], held: bool) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url) as pool:
            response_id = await running(pool)
            if change:
                await rows.change(pool, response_id, **change)
            before = await rows.events(pool, response_id)
            async with db.connection(pool) as session:
                written = await pages.write(session, [(response_id, 3, page(1, 2))])
            assert bool(written) is held
            assert len(await rows.events(pool, response_id)) == len(before) + (2 if held else 0)

    asyncio.run(main())


def test_one_lost_lease_does_not_hold_up_the_rest_of_a_batch(database_url: str) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url) as pool:
            kept, lost = await running(pool), await running(pool, epoch=9)
            async with db.connection(pool) as session:
                await pages.write(session, [(lost, 3, page(1, 1)), (kept, 3, page(1, 1)), ("resp_unknown", 3, page(1, 1))])
            assert [event["sequence_number"] for event in await rows.events(pool, kept)] == [0, 1]
            assert [event["sequence_number"] for event in await rows.events(pool, lost)] == [0]
            assert len(await rows.read(pool, "SELECT 1 FROM event_pages")) == 3

    asyncio.run(main())


def test_writing_the_same_page_again_changes_nothing(database_url: str) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url) as pool:
            response_id = await running(pool)
            for _ in range(2):
                async with db.connection(pool) as session:
                    assert await pages.write(session, [(response_id, 3, page(1, 4))])
            assert [event["sequence_number"] for event in await rows.events(pool, response_id)] == [0, 1, 2, 3, 4]

    asyncio.run(main())


def test_a_reader_gets_what_lies_beyond_its_number_and_learns_of_the_end(database_url: str) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url) as pool:
            response_id = await running(pool)
            async with db.connection(pool) as session:
                for first, last in ((1, 3), (4, 4), (1005, 1007)):
                    await pages.write(session, [(response_id, 3, page(first, last))])
                whole = [0, 1, 2, 3, 4, 1005, 1006, 1007]
                for after in range(-1, 1009):
                    mail = await pages.read(session, response_id, after=after)
                    assert mail is not None
                    assert not mail.done
                    assert numbers([Page(p.first, p.last, p.after(after)) for p in mail.pages]) == [
                        n for n in whole if n > after
                    ]
                await session.execute("UPDATE responses SET phase = 'done', status = 'failed'")
                for after in (-1, 2, 1007):
                    mail = await pages.read(session, response_id, after=after)
                    assert mail is not None
                    assert mail.done

    asyncio.run(main())


def test_a_reader_that_gets_part_of_the_pages_is_not_told_that_this_is_all(database_url: str) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url) as pool:
            response_id = await running(pool)
            async with db.connection(pool) as session:
                for number in range(1, 6):
                    await pages.write(session, [(response_id, 3, page(number, number))])
                await session.execute("UPDATE responses SET phase = 'done', status = 'failed'")
                after, got, done = -1, [], False
                while not done:
                    mail = await pages.read(session, response_id, after=after, limit=2)
                    assert mail is not None
                    got += numbers(mail.pages)
                    after, done = (mail.pages[-1].last if mail.pages else after), mail.done
                assert got == [0, 1, 2, 3, 4, 5]

    asyncio.run(main())


def test_an_unknown_response_has_no_mail(database_url: str) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url) as pool, db.connection(pool) as session:
            assert await pages.read(session, "resp_unknown", after=-1) is None

    asyncio.run(main())


def test_a_reopened_log_has_lost_its_last_event_only(database_url: str) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url) as pool:
            response_id = await running(pool)
            async with db.transaction(pool) as session:
                for first, last in ((1, 3), (4, 6)):
                    await pages.append(session, response_id, 3, page(first, last))
                await pages.reopen(session, response_id)
            assert [event["sequence_number"] for event in await rows.events(pool, response_id)] == [*range(6)]

    asyncio.run(main())


def test_a_reopened_log_loses_a_page_that_held_one_event(database_url: str) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url) as pool:
            response_id = await running(pool)
            async with db.transaction(pool) as session:
                await pages.append(session, response_id, 3, page(1, 1))
                await pages.reopen(session, response_id)
            stored = await rows.read(pool, "SELECT first_seq, last_seq FROM event_pages ORDER BY first_seq")
            assert [(one["first_seq"], one["last_seq"]) for one in stored] == [(0, 0)]

    asyncio.run(main())

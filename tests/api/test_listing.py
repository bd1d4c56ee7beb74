"""Lists: whatever the order, the cursor and the filters, every row is on one page, once."""

import asyncio
from itertools import product
from typing import Any

import orjson
import pytest
from fastapi import Response
from hypothesis import given
from hypothesis import strategies as st

from api import listing, replies
from api.create.query import Page
from shared import db
from shared.errors import InvalidRequest
from shared.items import Json
from tests import rows

FILTERS: tuple[list[tuple[str, str]], ...] = (
    [],
    [("status", "completed")],
    [("status", "completed"), ("status", "queued")],
    [("identity", "u1")],
    [("thread", "t0")],
    [("model", "scripted/two")],
    [("metadata[k]", "1")],
    [("status", "queued"), ("identity", "u0"), ("metadata[k]", "0")],
    [("agent", "nobody")],
)


async def stored(pool: db.Pool, project_id: str) -> list[dict[str, Any]]:
    """Store responses of every kind, many of them in the same second."""
    for n in range(12):
        response_id = await rows.add_response(
            pool,
            project_id,
            created_at=1_700_000_000 + n // 5,
            model=f"scripted/{'two' if n % 4 else 'one'}",
            identity={"id": f"u{n % 2}"},
            thread={"id": f"t{n % 3}"},
            metadata={"k": str(n % 3), "other": "x"},
        )
        if n % 3 == 0:
            await rows.change(pool, response_id, status="'completed'", phase="'done'", finished_at="now()")
    hidden = [await rows.add_response(pool, project_id), await rows.add_response(pool, project_id, store=False)]
    await rows.change(pool, hidden[0], deleted_at="now()")
    await rows.add_response(pool, await rows.add_project(pool))
    return await rows.read(
        pool, "SELECT * FROM responses WHERE project_id = %s AND id <> ALL(%s) ORDER BY created_at, id", project_id, hidden
    )


def fits(row: dict[str, Any], pairs: list[tuple[str, str]]) -> bool:
    """Filter in the simplest way."""
    columns = {"identity": "identity_id", "thread": "thread_id"}
    statuses = {value for name, value in pairs if name == "status"}
    return (not statuses or row["status"] in statuses) and all(
        row["body"]["metadata"].get("k") == value if name == "metadata[k]" else row[columns.get(name, name)] == value
        for name, value in pairs
        if name != "status"
    )


async def page_of(pool: db.Pool, project_id: str, pairs: list[tuple[str, str]], page: Page) -> list[str]:
    async with db.connection(pool) as session:
        found, _ = await listing.select(session, project_id, pairs, page)
    return [row["id"] for row in found]


async def walk(pool: db.Pool, project_id: str, pairs: list[tuple[str, str]], order: str, limit: int) -> list[list[str]]:
    """Go forward page by page to the end."""
    pages: list[list[str]] = []
    after: str | None = None
    while part := await page_of(pool, project_id, pairs, Page(limit=limit, order=order, after=after)):  # type: ignore[arg-type]
        pages.append(part)
        after = part[-1]
    return pages


def test_every_row_that_fits_is_on_one_page_once_in_every_order(database_url: str) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url) as pool:
            project_id = await rows.add_project(pool)
            everything = await stored(pool, project_id)
            for pairs, order, limit in product(FILTERS, ("asc", "desc"), (1, 3, 5, 100)):
                wanted = [row["id"] for row in everything if fits(row, pairs)][:: 1 if order == "asc" else -1]
                pages = await walk(pool, project_id, pairs, order, limit)
                assert [one for page in pages for one in page] == wanted
                assert all(len(page) == limit for page in pages[:-1])

    asyncio.run(main())


def test_going_back_shows_the_rows_before_a_cursor_in_the_same_order(database_url: str) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url) as pool:
            project_id = await rows.add_project(pool)
            everything = [row["id"] for row in await stored(pool, project_id)]
            for order, limit in product(("asc", "desc"), (1, 4, 100)):
                wanted = everything if order == "asc" else everything[::-1]
                for place, cursor in enumerate(wanted):
                    back = Page(limit=limit, order=order, before=cursor)  # type: ignore[arg-type]
                    assert await page_of(pool, project_id, [], back) == wanted[max(0, place - limit) : place]

    asyncio.run(main())


def test_a_cursor_that_is_foreign_is_unknown(database_url: str) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url) as pool:
            mine, other = await rows.add_project(pool), await rows.add_project(pool)
            foreign = await rows.add_response(pool, other)
            for cursor in (foreign, "resp_unknown"):
                with pytest.raises(InvalidRequest, match=f"No object with id '{cursor}' is in this list"):
                    await page_of(pool, mine, [], Page(after=cursor))

    asyncio.run(main())


def test_a_cursor_still_holds_when_its_response_was_deleted(database_url: str) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url) as pool:
            project_id = await rows.add_project(pool)
            everything = [row["id"] for row in await stored(pool, project_id)]
            await rows.change(pool, everything[3], deleted_at="now()")
            assert await page_of(pool, project_id, [], Page(limit=2, order="asc", after=everything[3])) == everything[4:6]

    asyncio.run(main())


def test_an_unknown_status_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="Supported values are: 'queued', 'in_progress'"):
        listing._filters([("status", "done")])


def body(answer: Response) -> Json:
    found: Json = orjson.loads(answer.body)
    return found


@given(st.integers(0, 12), st.integers(1, 14))
def test_a_whole_list_is_walked_forward_and_back(length: int, limit: int) -> None:
    data = [{"id": f"i{n}"} for n in range(length)]
    forward: list[Json] = []
    page = Page(limit=limit)
    while (found := body(replies.list_reply(data, page)))["data"]:
        forward += found["data"]
        assert found["has_more"] is (len(forward) < length)
        assert (found["first_id"], found["last_id"]) == (found["data"][0]["id"], found["data"][-1]["id"])
        page = Page(limit=limit, after=found["last_id"])
    assert forward == data
    backward: list[Json] = []
    while (
        length and (found := body(replies.list_reply(data, Page(limit=limit, before=(backward or data[-1:])[0]["id"]))))["data"]
    ):
        backward = found["data"] + backward
        assert found["has_more"] is (len(backward) < length - 1)
    assert backward == data[:-1]


def test_an_empty_list_has_no_first_and_no_last() -> None:
    assert body(replies.list_reply([], Page())) == {
        "object": "list",
        "data": [],
        "first_id": None,
        "last_id": None,
        "has_more": False,
    }


@pytest.mark.parametrize("cursor", [{"after": "nobody"}, {"before": "nobody"}])
def test_an_unknown_cursor_is_named(cursor: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        replies.list_reply([{"id": "a"}], Page(**cursor))  # type: ignore[arg-type]
    assert refused.value.param == next(iter(cursor))

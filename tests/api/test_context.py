"""What a new response builds on must be there, be finished, and pair every call with its output."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import orjson
import pytest

from api import context
from shared import db
from shared.errors import InvalidRequest, NotFound
from shared.items import Item, text_of
from tests import rows

Play = Callable[[db.Pool, str], Awaitable[None]]


def user(text: str, **more: Any) -> Item:
    return {"type": "message", "role": "user", "content": text, "id": f"msg_{text}", **more}


def call(call_id: str, **more: Any) -> Item:
    return {"type": "function_call", "id": f"fc_{call_id}", "call_id": call_id, "name": "f", "arguments": "{}", **more}


def output(call_id: str, **more: Any) -> Item:
    return {"type": "function_call_output", "id": f"fco_{call_id}", "call_id": call_id, "output": "x", **more}


def clock(call_id: str) -> Item:
    return {"type": "orq:current_date", "id": f"orq_{call_id}", "call_id": call_id, "result": 1}


CUSTOM = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "1", "name": "f", "input": ""}
CUSTOM_OUTPUT = {"type": "custom_tool_call_output", "id": "ctco_1", "call_id": "1", "output": "x"}


@pytest.mark.parametrize(
    "items",
    [
        [],
        [user("a")],
        [call("1"), output("1")],
        [call("1"), call("2"), output("2"), output("1")],
        [call("1"), user("a"), output("1")],
        [call("1"), clock("1")],
        [CUSTOM, CUSTOM_OUTPUT],
        [call("1", status="incomplete"), user("a")],
        [call("1"), output("1"), output("1", id="again")],
    ],
)
def test_calls_that_are_answered_are_fine(items: list[Item]) -> None:
    context.check_pairs(items)


@pytest.mark.parametrize(
    ("items", "sentence"),
    [
        ([call("1")], "No tool output found for function call 1."),
        ([call("1"), call("2"), output("1")], "No tool output found for function call 2."),
        ([output("1")], "No tool call found for function call output with call_id 1."),
        ([output("1"), call("1")], "No tool call found for function call output with call_id 1."),
        ([CUSTOM], "No tool output found for function call 1."),
        ([CUSTOM_OUTPUT], "No tool call found for function call output with call_id 1."),
    ],
)
def test_a_call_or_an_output_alone_is_refused_in_the_words_that_clients_know(items: list[Item], sentence: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        context.check_pairs(items)
    assert (refused.value.message, refused.value.param) == (sentence, "input")


def with_project(database_url: str, play: Play) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url) as pool:
            await play(pool, await rows.add_project(pool))

    asyncio.run(main())


async def finished(pool: db.Pool, project_id: str, said: list[Item], *, status: str = "completed", **fields: Any) -> str:
    """Store a response that has put something out."""
    response_id = await rows.add_response(pool, project_id, **fields)
    await rows.change(pool, response_id, phase="'done'", status=f"'{status}'", finished_at="now()")
    for position, item in enumerate(said):
        await rows.execute(
            pool,
            "INSERT INTO items VALUES (%s, 'output', %s, %s, %s, %s)",
            response_id,
            position,
            project_id,
            item["id"],
            orjson.dumps(item).decode(),
        )
    return response_id


async def resolve(pool: db.Pool, project_id: str, items: list[Item], parent: str | None = None) -> list[Item]:
    async with db.transaction(pool) as session:
        new = replace(rows.new_response(project_id), items=items, previous_response_id=parent)
        return (await context.resolve(session, new)).items


def test_an_output_answers_its_parents_call(database_url: str) -> None:
    async def play(pool: db.Pool, project_id: str) -> None:
        parent = await finished(pool, project_id, [call("1")])
        assert await resolve(pool, project_id, [output("1")], parent) == [output("1")]
        with pytest.raises(InvalidRequest, match="No tool output found for function call 1"):
            await resolve(pool, project_id, [user("a")], parent)

    with_project(database_url, play)


@pytest.mark.parametrize("status", ["cancelled", "failed", "incomplete"])
def test_a_call_that_was_left_behind_does_not_spoil_the_chain(database_url: str, status: str) -> None:
    async def play(pool: db.Pool, project_id: str) -> None:
        parent = await finished(pool, project_id, [call("1")], status=status)
        assert await resolve(pool, project_id, [user("a")], parent) == [user("a")]
        child = await finished(pool, project_id, [], previous_response_id=parent)
        assert await resolve(pool, project_id, [user("b")], child) == [user("b")]

    with_project(database_url, play)


def test_what_the_server_remembers_is_not_taken_twice(database_url: str) -> None:
    async def play(pool: db.Pool, project_id: str) -> None:
        parent = await finished(pool, project_id, [call("1")], input=[user("a")])
        resent = [user("a"), call("1"), output("1"), user("b")]
        assert await resolve(pool, project_id, resent, parent) == [output("1"), user("b")]

    with_project(database_url, play)


def test_an_item_that_one_request_holds_twice_is_taken_once(database_url: str) -> None:
    async def play(pool: db.Pool, project_id: str) -> None:
        assert await resolve(pool, project_id, [user("a"), user("a"), user("b")]) == [user("a"), user("b")]

    with_project(database_url, play)


@pytest.mark.parametrize("status", ["queued", "in_progress"])
def test_a_response_that_is_not_over_is_not_continued(database_url: str, status: str) -> None:
    async def play(pool: db.Pool, project_id: str) -> None:
        parent = await rows.add_response(pool, project_id)
        await rows.change(pool, parent, status=f"'{status}'")
        with pytest.raises(InvalidRequest) as refused:
            await resolve(pool, project_id, [user("a")], parent)
        assert refused.value.code_value == "previous_response_not_finished"

    with_project(database_url, play)


def test_an_unknown_a_foreign_a_deleted_and_an_unstored_parent_look_alike(database_url: str) -> None:
    async def play(pool: db.Pool, project_id: str) -> None:
        deleted = await finished(pool, project_id, [])
        await rows.change(pool, deleted, deleted_at="now()")
        foreign = await finished(pool, await rows.add_project(pool), [])
        for parent in ("resp_unknown", foreign, deleted, await finished(pool, project_id, [], store=False)):
            with pytest.raises(context.PreviousResponseNotFound) as refused:
                await resolve(pool, project_id, [user("a")], parent)
            assert refused.value.message == f"Previous response with id '{parent}' not found."
            assert (refused.value.status_code, refused.value.param) == (400, "previous_response_id")

    with_project(database_url, play)


def test_a_reference_is_replaced_by_the_item_where_it_stood(database_url: str) -> None:
    async def play(pool: db.Pool, project_id: str) -> None:
        await finished(pool, project_id, [call("1")], input=[user("a")])
        refer = [{"type": "item_reference", "id": "fc_1"}, output("1"), {"type": "item_reference", "id": "msg_a"}]
        found = await resolve(pool, project_id, refer)
        assert found[:2] == [call("1"), output("1")]
        assert (found[2]["id"], text_of(found[2])) == ("msg_a", "a")

    with_project(database_url, play)


def test_a_reference_to_nothing_is_not_found(database_url: str) -> None:
    async def play(pool: db.Pool, project_id: str) -> None:
        await finished(pool, await rows.add_project(pool), [], input=[user("a")])
        with pytest.raises(NotFound, match="Item with id 'msg_a' not found"):
            await resolve(pool, project_id, [{"type": "item_reference", "id": "msg_a"}])

    with_project(database_url, play)


def test_branches_do_not_see_each_other(database_url: str) -> None:
    async def play(pool: db.Pool, project_id: str) -> None:
        root = await finished(pool, project_id, [call("1")])
        await finished(pool, project_id, [], input=[output("1")], previous_response_id=root)
        with pytest.raises(InvalidRequest, match="No tool output found for function call 1"):
            await resolve(pool, project_id, [user("a")], root)

    with_project(database_url, play)

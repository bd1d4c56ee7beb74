"""What the API does to responses: cancelling keeps what was said, deleting hides at once, and forgetting leaves nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from api import store
from shared import cancellation, db, fold, frames
from shared.frames import EventLog
from shared.items import Json, text_of
from tests import rows

Play = Callable[[db.Pool, str], Awaitable[None]]


def with_project(database_url: str, play: Play) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url) as pool:
            await play(pool, await rows.add_project(pool))

    asyncio.run(main())


async def cancel(pool: db.Pool, project_id: str, response_id: str) -> bool:
    async with db.transaction(pool) as session:
        return bool(await cancellation.cancel(session, project_id, response_id))


async def delete(pool: db.Pool, project_id: str, response_id: str) -> None:
    async with db.transaction(pool) as session:
        await store.delete(session, project_id, response_id)


async def forget(pool: db.Pool, response_id: str) -> None:
    async with db.transaction(pool) as session:
        await store.forget(session, response_id)


async def find(pool: db.Pool, project_id: str, response_id: str) -> dict[str, Any] | None:
    async with db.connection(pool) as session:
        return await store.find(session, project_id, response_id)


async def shown(pool: db.Pool, response_id: str) -> Json:
    async with db.connection(pool) as session:
        return await store.object_of(session, await rows.row(pool, response_id))


async def write(pool: db.Pool, response_id: str, *events: tuple[str, Json], first: int = 1) -> None:
    """Write what a running attempt has said."""
    log = EventLog(response_id, 1, first, wake=lambda _: None)
    for type_, members in events:
        log.emit(type_, **members)
    page = log.whole()
    assert page is not None
    await rows.execute(
        pool, "INSERT INTO event_pages VALUES (%s, %s, %s, 1, %s)", response_id, page.first, page.last, page.frames
    )


def half(index: int, text: str) -> list[tuple[str, Json]]:
    """Begin a message."""
    item = {"id": f"msg_{index}", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
    part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    where = {"item_id": item["id"], "output_index": index, "content_index": 0}
    return [
        ("response.output_item.added", {"output_index": index, "item": item}),
        ("response.content_part.added", {**where, "part": part}),
        ("response.output_text.delta", {**where, "delta": text, "logprobs": []}),
    ]


async def running(pool: db.Pool, project_id: str, **fields: Any) -> str:
    response_id = await rows.add_response(pool, project_id, **fields)
    await rows.change(pool, response_id, phase="'running'", status="'in_progress'", epoch="1")
    return response_id


async def finished(pool: db.Pool, project_id: str, **fields: Any) -> str:
    response_id = await rows.add_response(pool, project_id, **fields)
    await rows.change(pool, response_id, phase="'done'", status="'completed'", finished_at="now()")
    return response_id


def test_a_running_response_shows_what_was_said_so_far(database_url: str) -> None:
    async def play(pool: db.Pool, project_id: str) -> None:
        response_id = await running(pool, project_id)
        await write(pool, response_id, *half(0, "so far"))
        [item] = (await shown(pool, response_id))["output"]
        assert (text_of(item), item["status"]) == ("so far", "in_progress")

    with_project(database_url, play)


def test_cancelling_keeps_what_was_said(database_url: str) -> None:
    async def play(pool: db.Pool, project_id: str) -> None:
        response_id = await running(pool, project_id)
        await write(pool, response_id, *half(0, "so far"))
        assert await cancel(pool, project_id, response_id)
        found = await shown(pool, response_id)
        assert (found["status"], found["completed_at"]) == ("cancelled", None)
        assert [(text_of(item), item["status"]) for item in found["output"]] == [("so far", "incomplete")]
        row = await rows.row(pool, response_id)
        assert (row["phase"], row["epoch"]) == ("done", 2)

    with_project(database_url, play)


def test_cancelling_twice_or_too_late_changes_nothing(database_url: str) -> None:
    async def play(pool: db.Pool, project_id: str) -> None:
        first, over = await running(pool, project_id), await finished(pool, project_id)
        assert await cancel(pool, project_id, first)
        before = await rows.everything(pool)
        assert not await cancel(pool, project_id, first)
        assert not await cancel(pool, project_id, over)
        assert await rows.everything(pool) == before

    with_project(database_url, play)


def test_only_one_of_many_who_cancel_does_it(database_url: str) -> None:
    async def play(pool: db.Pool, project_id: str) -> None:
        response_id = await running(pool, project_id)
        await write(pool, response_id, *half(0, "x"))
        assert sorted(await asyncio.gather(*(cancel(pool, project_id, response_id) for _ in range(4)))) == [False] * 3 + [True]
        assert len(await rows.output(pool, response_id)) == 1

    with_project(database_url, play)


def test_a_foreign_response_is_neither_found_cancelled_nor_deleted(database_url: str) -> None:
    async def play(pool: db.Pool, project_id: str) -> None:
        other = await rows.add_project(pool)
        response_id = await running(pool, project_id)
        before = await rows.everything(pool)
        assert await find(pool, other, response_id) is None
        assert not await cancel(pool, other, response_id)
        await delete(pool, other, response_id)
        assert await rows.everything(pool) == before

    with_project(database_url, play)


def test_a_deleted_response_is_gone_with_all_that_was_its(database_url: str) -> None:
    async def play(pool: db.Pool, project_id: str) -> None:
        response_id = await finished(pool, project_id)
        await delete(pool, project_id, response_id)
        assert {table: len(found) for table, found in (await rows.everything(pool)).items()} == dict.fromkeys(rows.TABLES, 0)

    with_project(database_url, play)


def test_a_deleted_parent_is_hidden_and_its_child_keeps_the_context(database_url: str) -> None:
    async def play(pool: db.Pool, project_id: str) -> None:
        parent = await finished(pool, project_id, input="question")
        child = await finished(pool, project_id, input="more", previous_response_id=parent)
        await delete(pool, project_id, parent)
        assert await find(pool, project_id, parent) is None
        async with db.connection(pool) as session:
            items = await store.input_items(session, child)
        assert [text_of(item) for item in items] == ["question", "more"]

    with_project(database_url, play)


def test_the_last_deleted_descendant_takes_its_deleted_ancestors_with_it(database_url: str) -> None:
    async def play(pool: db.Pool, project_id: str) -> None:
        root = await finished(pool, project_id)
        kept = await finished(pool, project_id, previous_response_id=root)
        middle = await finished(pool, project_id, previous_response_id=root)
        leaf = await finished(pool, project_id, previous_response_id=middle)
        for each in (root, middle, leaf):
            await delete(pool, project_id, each)
        left = {row["id"] for row in await rows.read(pool, "SELECT id FROM responses")}
        assert left == {root, kept}
        await delete(pool, project_id, kept)
        assert await rows.read(pool, "SELECT 1 FROM responses") == []
        assert await rows.read(pool, "SELECT 1 FROM event_pages") == []

    with_project(database_url, play)


def test_only_an_unstored_and_finished_response_is_forgotten(database_url: str) -> None:
    async def play(pool: db.Pool, project_id: str) -> None:
        kept, live = await finished(pool, project_id), await running(pool, project_id, store=False)
        gone = await finished(pool, project_id, store=False)
        for each in (kept, live, gone):
            await forget(pool, each)
        for table, column in (("responses", "id"), ("event_pages", "response_id"), ("items", "response_id")):
            assert {row[column] for row in await rows.read(pool, f"SELECT * FROM {table}")} == {kept, live}

    with_project(database_url, play)


def test_an_unstored_response_is_not_found_by_its_id(database_url: str) -> None:
    async def play(pool: db.Pool, project_id: str) -> None:
        response_id = await running(pool, project_id, store=False)
        assert await find(pool, project_id, response_id) is None

    with_project(database_url, play)


def test_identities_and_threads_are_kept_once_and_brought_up_to_date(database_url: str) -> None:
    async def play(pool: db.Pool, project_id: str) -> None:
        who, where = {"id": "u1", "display_name": "Ann", "tags": ["a"]}, {"id": "t1", "tags": ["x"]}
        await rows.add_response(pool, project_id, identity=who, thread=where)
        await rows.add_response(pool, project_id, identity={"id": "u1", "email": "a@example.org"}, thread={"id": "t1"})
        [identity] = await rows.read(pool, "SELECT * FROM identities")
        assert (identity["display_name"], identity["email"], identity["tags"]) == ("Ann", "a@example.org", ["a"])
        [thread] = await rows.read(pool, "SELECT * FROM threads")
        assert (thread["id"], thread["tags"]) == ("t1", ["x"])

    with_project(database_url, play)


def test_an_idempotency_key_is_bound_once_even_by_many_at_once(database_url: str) -> None:
    async def play(pool: db.Pool, project_id: str) -> None:
        async def bind(body: bytes) -> tuple[str, bytes] | None:
            new = replace(rows.new_response(project_id), idempotency_key="k", request_hash=body)
            async with db.transaction(pool) as session:
                return await store.remember_key(session, new)

        bound = await asyncio.gather(*(bind(b"%d" % n) for n in range(4)))
        winners = [n for n, other in enumerate(bound) if other is None]
        assert len(winners) == 1
        assert {other[1] for other in bound if other} == {b"%d" % winners[0]}

    with_project(database_url, play)


def test_items_are_found_by_id_within_the_project_only(database_url: str) -> None:
    async def play(pool: db.Pool, project_id: str) -> None:
        other = await rows.add_project(pool)
        item = {"type": "message", "role": "user", "content": "x"}
        await finished(pool, project_id, input=[item | {"id": "msg_a", "content": "old"}])
        await finished(pool, project_id, input=[item | {"id": "msg_a", "content": "new"}], created_at=1_800_000_000)
        await finished(pool, other, input=[item | {"id": "msg_b"}])
        hidden = await finished(pool, project_id, input=[item | {"id": "msg_c"}])
        await finished(pool, project_id, previous_response_id=hidden)
        await delete(pool, project_id, hidden)
        await finished(pool, project_id, input=[item | {"id": "msg_d"}], store=False)
        async with db.connection(pool) as session:
            found = await store.items_by_id(session, project_id, ["msg_a", "msg_b", "msg_c", "msg_d", "msg_e"])
        assert {name: text_of(found[name]) for name in found} == {"msg_a": "new"}

    with_project(database_url, play)


def test_a_closed_leftover_of_a_dead_attempt_is_no_output(database_url: str) -> None:
    async def play(pool: db.Pool, project_id: str) -> None:
        response_id = await running(pool, project_id)
        await write(pool, response_id, *half(0, "hal"))
        log = EventLog(response_id, 2, 1004, wake=lambda _: None)
        [page] = [row["frames"] for row in await rows.read(pool, "SELECT frames FROM event_pages WHERE first_seq = 1")]
        fold.close(fold.fold(frames.decode(page)), log.emit)
        closing = log.whole()
        assert closing is not None
        await rows.change(pool, response_id, next_output_index="1")
        await rows.execute(
            pool, "INSERT INTO event_pages VALUES (%s, 1004, %s, 2, %s)", response_id, closing.last, closing.frames
        )
        await write(pool, response_id, *half(1, "half"), first=closing.last + 1)
        assert [text_of(item) for item in (await shown(pool, response_id))["output"]] == ["half"]
        await cancel(pool, project_id, response_id)
        assert [text_of(item) for item in (await shown(pool, response_id))["output"]] == ["half"]

    with_project(database_url, play)

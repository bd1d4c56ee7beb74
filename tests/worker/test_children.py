"""Work that is handed to another response: it costs no slot, is told once, counts, and ends with the one that waits for it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from agents.models.base import Finished, Model, ModelError, TextDelta
from agents.models.scripted import Scripted, call, says
from api import journal
from api import store as client_side
from shared import cancellation, db
from tests import rows
from tests.worker.stage import COST, Stage, stage
from worker import advance, children, rescue, tool_calls

HELP = {"tools": [{"type": "orq:subagent", "model": "helper/one"}]}
DONE = Finished(reason="stop", usage=COST)

Play = Callable[[db.Pool, Stage, str], Awaitable[None]]


def asks(*tasks: str) -> list[Any]:
    """Script a turn that hands tasks over."""
    made = [event for n, task in enumerate(tasks) for event in call("orq_subagent", f'{{"task": "{task}"}}', call_id=f"c{n}")]
    return [*made, DONE]


def with_helper(database_url: str, redis_url: str, helper: Model, play: Play, *tasks: str, **fields: Any) -> None:
    """Open a worker whose first model hands tasks to the helper, and answers when it has heard of them."""

    async def main() -> None:
        model = Scripted(asks(*(tasks or ("sum up",))), says("All done."))
        async with rows.pool_of(database_url, size=8) as pool, stage(pool, redis_url, model) as worker:
            worker.runtime.providers.models["helper"] = helper  # type: ignore[attr-defined]
            await play(pool, worker, await rows.add_response(pool, await rows.add_project(pool), **HELP, **fields))

    asyncio.run(main())


async def the_child(pool: db.Pool) -> dict[str, Any]:
    [found] = await rows.read(pool, "SELECT * FROM responses WHERE parent_id IS NOT NULL")
    return found


async def hand_over(worker: Stage, response_id: str) -> None:
    """Bring the response to where it waits for its child."""
    await advance.advance(worker.runtime, response_id)
    for call_id in worker.hints.calls:
        await tool_calls.run_tool(worker.runtime, call_id)
    worker.hints.calls.clear()


def test_a_delegated_task_is_answered_by_a_response_of_its_own(database_url: str, redis_url: str) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        await worker.play(response_id)
        output = await rows.output(pool, response_id)
        assert [item["type"] for item in output] == ["function_call", "orq:subagent", "message"]
        child = await the_child(pool)
        assert (child["parent_id"], child["depth"], child["status"]) == (response_id, 1, "completed")
        assert output[1]["result"]["output"] == "The sum."
        assert output[1]["result"]["response_id"] == child["id"]
        row = await rows.row(pool, response_id)
        assert row["status"] == "completed"
        assert row["usage"]["total_tokens"] == 15 + 15 + 15

    with_helper(database_url, redis_url, Scripted(says("The sum.")), play)


def test_a_call_that_waits_for_its_child_holds_no_lease(database_url: str, redis_url: str) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        await hand_over(worker, response_id)
        [waiting] = await rows.read(pool, "SELECT * FROM tool_calls")
        assert (waiting["status"], waiting["lease_until"]) == ("waiting", None)
        assert worker.runtime.calls == {}
        assert worker.hints.responses == [(await the_child(pool))["id"]]
        assert (await rows.row(pool, response_id))["phase"] == "tools"

    with_helper(database_url, redis_url, Scripted(), play)


def test_several_children_work_at_once_and_the_last_brings_the_parent_back(database_url: str, redis_url: str) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        await worker.play(response_id)
        output = await rows.output(pool, response_id)
        assert [item["type"] for item in output].count("orq:subagent") == 3
        numbers = [event["sequence_number"] for event in await rows.events(pool, response_id)]
        assert numbers == sorted(set(numbers))
        assert (await rows.row(pool, response_id))["usage"]["total_tokens"] == 15 * 5

    with_helper(database_url, redis_url, Scripted(*[says("x")] * 3), play, "a", "b", "c")


def test_a_failed_child_is_told_as_failed(database_url: str, redis_url: str) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        await worker.play(response_id)
        child = await the_child(pool)
        assert child["status"] == "failed"
        result = (await rows.output(pool, response_id))[1]
        assert "ended as failed: No" in result["error"]
        assert (await rows.row(pool, response_id))["status"] == "completed"

    with_helper(database_url, redis_url, Scripted([ModelError("invalid_prompt", "No.")]), play)


def test_a_child_whose_worker_died_before_it_told_anybody_is_found(database_url: str, redis_url: str) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        await hand_over(worker, response_id)
        child = await the_child(pool)
        await rows.change(pool, child["id"], parent_call_id="NULL")
        await advance.advance(worker.runtime, child["id"])
        assert (await rows.row(pool, response_id))["phase"] == "tools"
        await rows.execute(pool, "UPDATE responses SET parent_call_id = %s WHERE id = %s", child["parent_call_id"], child["id"])
        worker.hints.responses.clear()
        await rescue._look(worker.runtime, expire=True)
        assert worker.hints.responses == [response_id]
        await worker.play()
        assert (await rows.row(pool, response_id))["status"] == "completed"

    with_helper(database_url, redis_url, Scripted(says("late")), play)


def test_a_child_that_waits_for_an_approval_answers_nothing_until_its_continuation_is_over(
    database_url: str, redis_url: str
) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        await hand_over(worker, response_id)
        child = await the_child(pool)
        await rows.execute(
            pool,
            """INSERT INTO approvals (id, project_id, response_id, server_label, name, arguments, status)
               VALUES ('mcpr_1', %s, %s, 'files', 'delete', '{}', 'pending')""",
            child["project_id"],
            child["id"],
        )
        await worker.play(child["id"])
        await rescue._look(worker.runtime, expire=True)
        assert (await rows.row(pool, response_id))["phase"] == "tools"
        assert worker.hints.responses == []
        await rows.execute(pool, "UPDATE approvals SET status = 'approved'")
        await children.answer(worker.runtime, child["parent_call_id"])
        assert (await rows.row(pool, response_id))["phase"] == "ready"

    with_helper(database_url, redis_url, Scripted(says("May I?")), play)


def test_a_child_is_made_once_however_often_its_call_is_run(database_url: str, redis_url: str) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        await hand_over(worker, response_id)
        [waiting] = await rows.read(pool, "SELECT id FROM tool_calls")
        await rows.execute(pool, "UPDATE tool_calls SET status = 'pending'")
        await tool_calls.run_tool(worker.runtime, waiting["id"])
        child = await the_child(pool)
        assert worker.hints.responses == [child["id"], child["id"]]

    with_helper(database_url, redis_url, Scripted(), play)


def test_cancelling_a_response_cancels_what_it_delegated(database_url: str, redis_url: str) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        await hand_over(worker, response_id)
        child = await the_child(pool)
        async with db.transaction(pool) as session:
            assert await cancellation.cancel(session, child["project_id"], response_id) == [response_id, child["id"]]
        assert (await the_child(pool))["status"] == "cancelled"
        [stopped] = await rows.read(pool, "SELECT status, epoch FROM tool_calls")
        assert stopped == {"status": "failed", "epoch": 2}
        await worker.play(child["id"])
        await children.answer(worker.runtime, child["parent_call_id"])
        assert (await rows.row(pool, response_id))["status"] == "cancelled"

    with_helper(database_url, redis_url, Scripted(), play)


def test_a_cancelled_child_is_told_as_cancelled(database_url: str, redis_url: str) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        await hand_over(worker, response_id)
        child = await the_child(pool)
        async with db.transaction(pool) as session:
            await cancellation.cancel(session, child["project_id"], child["id"])
        worker.hints.responses.clear()
        await rescue._look(worker.runtime, expire=True)
        await worker.play()
        assert "ended as cancelled" in (await rows.output(pool, response_id))[1]["error"]

    with_helper(database_url, redis_url, Scripted(), play)


def test_at_its_deadline_a_response_gives_its_children_up(database_url: str, redis_url: str) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        await hand_over(worker, response_id)
        worker.hints.responses.clear()
        await rows.change(pool, response_id, deadline_at="now()")
        await rows.execute(pool, rescue.STRANDED)
        await worker.play(response_id)
        row = await rows.row(pool, response_id)
        assert (row["status"], row["incomplete_details"]) == ("incomplete", {"reason": "max_execution_time"})
        child = await the_child(pool)
        assert child["status"] == "cancelled"
        assert f"cancel {child['id']}" in worker.redis.orders

    with_helper(database_url, redis_url, Scripted(), play)


def test_a_child_has_no_more_time_than_its_parent(database_url: str, redis_url: str) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        await hand_over(worker, response_id)
        [late] = await rows.read(
            pool,
            """SELECT c.deadline_at - p.deadline_at AS by FROM responses c JOIN responses p ON p.id = c.parent_id""",
        )
        assert abs(late["by"].total_seconds()) < 0.5

    with_helper(database_url, redis_url, Scripted(), play)


@pytest.mark.parametrize("arguments", ['{"task": ""}', "{}"])
def test_a_task_that_does_not_fit_is_told_to_the_model(database_url: str, redis_url: str, arguments: str) -> None:
    async def main() -> None:
        model = Scripted([*call("orq_subagent", arguments), DONE], [TextDelta("Oh."), DONE])
        async with rows.pool_of(database_url, size=8) as pool, stage(pool, redis_url, model) as worker:
            response_id = await rows.add_response(pool, await rows.add_project(pool), **HELP)
            await worker.play(response_id)
            assert "do not fit" in (await rows.output(pool, response_id))[1]["error"]
            assert await rows.read(pool, "SELECT 1 FROM responses WHERE parent_id IS NOT NULL") == []

    asyncio.run(main())


def test_deleting_a_response_deletes_what_it_delegated(database_url: str, redis_url: str) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        await worker.play(response_id)
        project_id = (await rows.row(pool, response_id))["project_id"]
        async with db.transaction(pool) as session:
            await client_side.delete(session, project_id, response_id)
        kept = await rows.everything(pool)
        assert [len(kept[table]) for table in rows.TABLES] == [0] * len(rows.TABLES)

    with_helper(database_url, redis_url, Scripted(says("x")), play)


def test_the_journal_tells_of_children(database_url: str, redis_url: str) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        await hand_over(worker, response_id)
        async with db.connection(pool) as session:
            [now] = await journal._rows(session, journal._NOW, response_id)
            [made] = await journal._rows(session, journal._CALLS, response_id)
        assert journal.explain(now) == "It waits for its tool calls; responses of their own answer 1 of them."
        assert (made["status"], made["child_id"]) == ("waiting", (await the_child(pool))["id"])

    with_helper(database_url, redis_url, Scripted(), play)

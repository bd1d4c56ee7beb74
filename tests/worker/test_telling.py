"""Results are told as they come, each once, in the log of a response that waits."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import orjson
import pytest

from agents.models.base import Finished
from agents.models.scripted import Scripted, call
from agents.tools import registry
from agents.tools.base import Effect, Queue, ToolUnavailable
from agents.turn import ServerCall
from shared import cancellation, db, frames
from shared.frames import EventLog
from shared.items import Item, Json
from shared.status import Phase, Status
from tests import rows
from tests.worker.stage import COST, Played, Stage, stage
from worker import advance, rescue, store, tool_calls
from worker.store import Commit

CLOCK = {"tools": [{"type": "orq:current_date"}]}
DONE = Finished(reason="stop", usage=COST)

Play = Callable[[db.Pool, Stage, str], Awaitable[None]]


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def become(act: Callable[[], Awaitable[Any]], effects: Effect = "pure", queue: Queue = "tools") -> None:
        played = Played(act, effects, queue)
        for type_ in ("orq:current_date", "mcp"):
            monkeypatch.setitem(cast("dict[str, Any]", registry.TOOLS), type_, played)

    return become


def waiting(database_url: str, redis_url: str, count: int, play: Play) -> None:
    """Bring a response to where it waits for calls."""
    made = [event for n in range(count) for event in call("orq_current_date", call_id=f"c{n}")]

    async def main() -> None:
        async with rows.pool_of(database_url, size=8) as pool, stage(pool, redis_url, Scripted([*made, DONE])) as worker:
            response_id = await rows.add_response(pool, await rows.add_project(pool), **CLOCK)
            await advance.advance(worker.runtime, response_id)
            await play(pool, worker, response_id)

    asyncio.run(main())


async def done(pool: db.Pool, response_id: str) -> list[Item]:
    events = await rows.events(pool, response_id)
    return [event["item"] for event in events if event["type"] == "response.output_item.done"]


def test_a_result_is_told_while_others_still_run(database_url: str, redis_url: str) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        second = worker.hints.calls[1]
        await tool_calls.run_tool(worker.runtime, second)
        assert (await rows.row(pool, response_id))["phase"] == "tools"
        [*_, told] = await done(pool, response_id)
        assert (told["type"], told["call_id"]) == ("orq:current_date", "c1")
        assert (await rows.output(pool, response_id))[-1] == told
        heard = [event for _, page, _ in worker.redis.published for event in frames.decode(page.frames)]
        assert heard[-1]["item"] == told
        assert [event["sequence_number"] for event in heard] == sorted({event["sequence_number"] for event in heard})

    waiting(database_url, redis_url, 2, play)


def test_results_of_calls_that_end_at_once_have_numbers_of_their_own(database_url: str, redis_url: str) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        await asyncio.gather(*(asyncio.create_task(tool_calls.run_tool(worker.runtime, one)) for one in worker.hints.calls))
        events = await rows.events(pool, response_id)
        numbers = [event["sequence_number"] for event in events]
        assert numbers == [*range(len(events))]
        told = [item["call_id"] for item in await done(pool, response_id) if item["type"] == "orq:current_date"]
        assert sorted(told) == [f"c{n}" for n in range(8)]
        assert (await rows.row(pool, response_id))["next_output_index"] == 16

    waiting(database_url, redis_url, 8, play)


def test_an_outcome_that_nobody_knows_is_told_by_the_next_step(database_url: str, redis_url: str) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        await rows.execute(
            pool, "UPDATE tool_calls SET status = 'running', effect = 'at_most_once', lease_until = now() - interval '1 s'"
        )
        for statement in (rescue.LOST_CALLS, rescue.STRANDED):
            await rows.execute(pool, statement)
        run = None
        async with db.connection(pool) as session:
            run = await store.claim(session, response_id, worker="w2", lease=10, slots=10)
        assert run is not None
        settled = await advance._settle(worker.runtime, run)
        assert "outcome is unknown" in settled.output[-1]["error"]
        assert settled.next_output_index == run.next_output_index + 1
        assert (await done(pool, response_id))[-1] == settled.output[-1]

    waiting(database_url, redis_url, 1, play)


def test_results_that_are_there_at_the_deadline_are_not_lost(database_url: str, redis_url: str) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        await rows.change(pool, response_id, deadline_at="now()")
        await rows.execute(pool, rescue.STRANDED)
        await rows.execute(pool, "UPDATE tool_calls SET status = 'succeeded', result = '1' WHERE position = 0")
        worker.hints.calls.clear()
        await worker.play(response_id)
        types = [item["type"] for item in await rows.output(pool, response_id)]
        assert types == ["function_call", "function_call", "orq:current_date"]
        assert (await rows.row(pool, response_id))["status"] == "incomplete"

    waiting(database_url, redis_url, 2, play)


def test_a_tool_that_is_away_is_tried_again_later_and_costs_no_slot_meanwhile(
    database_url: str, redis_url: str, tool: Callable[..., None]
) -> None:
    async def away() -> None:
        raise ToolUnavailable("Busy.", retry_after=7)

    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        [call_id] = worker.hints.calls
        for attempt in (1, 2):
            await tool_calls.run_tool(worker.runtime, call_id)
            [one] = await rows.read(pool, "SELECT *, extract(epoch FROM hint_at - now())::float8 AS left FROM tool_calls")
            assert (one["status"], one["attempts"], one["lease_until"]) == ("pending", attempt, None)
            assert 6 < one["left"] <= 7
        await tool_calls.run_tool(worker.runtime, call_id)
        [one] = await rows.read(pool, "SELECT * FROM tool_calls")
        assert (one["status"], one["error"]) == ("failed", "Busy.")

    tool(away)
    waiting(database_url, redis_url, 1, play)


def test_a_call_that_may_do_harm_twice_is_not_tried_again(database_url: str, redis_url: str, tool: Callable[..., None]) -> None:
    async def away() -> None:
        raise ToolUnavailable("Busy.")

    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        await tool_calls.run_tool(worker.runtime, worker.hints.calls[0])
        [one] = await rows.read(pool, "SELECT status, attempts FROM tool_calls")
        assert one == {"status": "failed", "attempts": 1}

    tool(away, effects="at_most_once")
    waiting(database_url, redis_url, 1, play)


def test_calls_of_code_are_hinted_at_on_their_own_queue(database_url: str, redis_url: str, tool: Callable[..., None]) -> None:
    async def nothing() -> None:
        return None

    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        [call_id] = worker.hints.calls
        assert worker.hints.queues == {call_id: "code"}
        worker.hints.queues.clear()
        await rows.execute(pool, "UPDATE tool_calls SET hint_at = now()")
        await rescue._look(worker.runtime, expire=True)
        assert worker.hints.queues == {call_id: "code"}

    tool(nothing, queue="code")
    waiting(database_url, redis_url, 1, play)


MCP = {"id": "mcp_1", "type": "mcp_call", "server_label": "files", "name": "read", "arguments": "{}", "status": "in_progress"}

PLAN = orjson.dumps(
    {
        "body": {
            "tools": [{"type": "mcp", "server_label": "files", "server_url": "https://m.example", "require_approval": "never"}]
        }
    }
).decode()


def with_mcp(database_url: str, redis_url: str, play: Play) -> None:
    """Bring a response to where an MCP call stands in progress."""

    async def main() -> None:
        async with rows.pool_of(database_url, size=8) as pool, stage(pool, redis_url, Scripted()) as worker:
            response_id = await rows.add_response(pool, await rows.add_project(pool))
            await rows.change(pool, response_id, request=f"request || '{PLAN}'")
            async with db.connection(pool) as session:
                run = await store.claim(session, response_id, worker="w1", lease=10, slots=10)
                assert run is not None
                log = EventLog(run.id, run.epoch, run.first_number, wake=lambda _: None)
                log.emit("response.output_item.added", output_index=0, item=MCP)
                log.emit("response.mcp_call.in_progress", output_index=0, item_id="mcp_1")
                made = ServerCall(call_id="k", tool="mcp", name="read", arguments="{}", label="files", output_index=0)
                step = Commit(
                    status=Status.IN_PROGRESS,
                    phase=Phase.TOOLS,
                    outcome="tools",
                    items=[MCP],
                    page=log.whole(),
                    next_output_index=1,
                    calls=(made,),
                )
                worker.hints.calls = [call_id for call_id, _ in await store.commit(session, run, step, worker="w1")]
            await play(pool, worker, response_id)

    asyncio.run(main())


def test_an_mcp_call_is_completed_where_it_stands(database_url: str, redis_url: str, tool: Callable[..., None]) -> None:
    async def contents() -> str:
        return "text"

    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        await tool_calls.run_tool(worker.runtime, worker.hints.calls[0])
        [item] = await rows.output(pool, response_id)
        assert (item["id"], item["status"], item["output"]) == ("mcp_1", "completed", "text")
        events = await rows.events(pool, response_id)
        assert [event["type"] for event in events[-2:]] == ["response.mcp_call.completed", "response.output_item.done"]
        assert {event["output_index"] for event in events[-2:]} == {0}
        assert (await rows.row(pool, response_id))["next_output_index"] == 1

    tool(contents)
    with_mcp(database_url, redis_url, play)


def test_an_mcp_call_of_a_cancelled_response_is_incomplete(database_url: str, redis_url: str) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        project_id = (await rows.row(pool, response_id))["project_id"]
        async with db.transaction(pool) as session:
            await cancellation.cancel(session, project_id, response_id)
        [item] = await rows.output(pool, response_id)
        assert item["status"] == "incomplete"

    with_mcp(database_url, redis_url, play)


def test_an_mcp_call_that_its_response_cannot_wait_for_is_incomplete(database_url: str, redis_url: str) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        await rows.change(pool, response_id, deadline_at="now()")
        await rows.execute(pool, rescue.STRANDED)
        worker.hints.calls.clear()
        await worker.play(response_id)
        [item] = await rows.output(pool, response_id)
        assert item["status"] == "incomplete"
        assert (await done(pool, response_id)) == [item]
        assert f"stop_calls {response_id}" in worker.redis.orders

    with_mcp(database_url, redis_url, play)


def test_requests_for_approval_are_listed_by_the_commit_that_puts_them_out(database_url: str, redis_url: str) -> None:
    request: Json = {"id": "mcpr_1", "type": "mcp_approval_request", "server_label": "files", "name": "rm", "arguments": "{}"}

    async def main() -> None:
        async with rows.pool_of(database_url) as pool:
            response_id = await rows.add_response(pool, await rows.add_project(pool))
            async with db.connection(pool) as session:
                run = await store.claim(session, response_id, worker="w1", lease=10, slots=10)
                assert run is not None
                step = Commit(
                    status=Status.COMPLETED, phase=Phase.DONE, outcome="await_client", items=[request], next_output_index=1
                )
                await store.commit(session, run, step, worker="w1")
            [listed] = await rows.read(pool, "SELECT * FROM approvals")
            assert (listed["id"], listed["response_id"], listed["status"]) == ("mcpr_1", response_id, "pending")

    asyncio.run(main())

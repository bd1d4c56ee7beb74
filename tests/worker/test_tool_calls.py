"""Server tool calls: each runs under its own lease, and the last one to finish brings the response back, once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from agents.models.scripted import Scripted, call
from agents.tools import registry
from agents.tools.base import ToolError
from shared import cancellation, db
from tests import rows
from tests.worker.stage import COST, Played, Stage, stage, until
from worker import advance, heartbeat, rescue, tool_calls

CLOCK = {"tools": [{"type": "orq:current_date"}]}

Play = Callable[[db.Pool, Stage, str, list[str]], Awaitable[None]]


def with_calls(database_url: str, redis_url: str, count: int, play: Play, **changes: Any) -> None:
    """Bring a response to where it waits for `count` calls, and let the test play."""
    from agents.models.base import Finished

    turn = [event for n in range(count) for event in call("orq_current_date", call_id=f"c{n}")]
    model = Scripted([*turn, Finished(reason="stop", usage=COST)])

    async def main() -> None:
        async with rows.pool_of(database_url, size=8) as pool, stage(pool, redis_url, model, **changes) as worker:
            response_id = await rows.add_response(pool, await rows.add_project(pool), **CLOCK)
            await advance.advance(worker.runtime, response_id)
            calls, worker.hints.calls = worker.hints.calls, []
            assert len(calls) == count
            await play(pool, worker, response_id, calls)

    asyncio.run(main())


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Register another tool under the clock's name."""

    def become(run: Callable[[], Awaitable[Any]]) -> None:
        monkeypatch.setitem(registry.TOOLS, "orq:current_date", Played(run))

    return become


async def the_calls(pool: db.Pool) -> list[dict[str, Any]]:
    return await rows.read(pool, "SELECT * FROM tool_calls ORDER BY position")


@pytest.mark.parametrize("count", [1, 2, 8])
def test_calls_that_finish_at_once_bring_the_response_back_exactly_once(database_url: str, redis_url: str, count: int) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str, calls: list[str]) -> None:
        await asyncio.gather(*(asyncio.create_task(tool_calls.run_tool(worker.runtime, one)) for one in calls))
        assert worker.hints.responses == [response_id]
        assert (await rows.row(pool, response_id))["phase"] == "ready"
        assert {one["status"] for one in await the_calls(pool)} == {"succeeded"}

    with_calls(database_url, redis_url, count, play)


def test_a_response_waits_for_its_last_call(database_url: str, redis_url: str) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str, calls: list[str]) -> None:
        for one in calls[:-1]:
            await tool_calls.run_tool(worker.runtime, one)
            assert worker.hints.responses == []
            assert (await rows.row(pool, response_id))["phase"] == "tools"
        await tool_calls.run_tool(worker.runtime, calls[-1])
        assert worker.hints.responses == [response_id]

    with_calls(database_url, redis_url, 3, play)


def test_a_call_that_is_hinted_at_ten_times_runs_once(database_url: str, redis_url: str, tool: Callable[..., None]) -> None:
    runs: list[object] = []

    async def count() -> int:
        runs.append(None)
        return len(runs)

    async def play(pool: db.Pool, worker: Stage, response_id: str, calls: list[str]) -> None:
        await asyncio.gather(*(asyncio.create_task(tool_calls.run_tool(worker.runtime, calls[0])) for _ in range(10)))
        assert len(runs) == 1
        assert worker.hints.responses == [response_id]
        [one] = await the_calls(pool)
        assert (one["status"], one["attempts"], one["result"]) == ("succeeded", 1, 1)

    tool(count)
    with_calls(database_url, redis_url, 1, play)


def test_a_tool_that_fails_is_a_result(database_url: str, redis_url: str, tool: Callable[..., None]) -> None:
    async def refuse() -> None:
        raise ToolError("Not today.")

    async def play(pool: db.Pool, worker: Stage, response_id: str, calls: list[str]) -> None:
        await tool_calls.run_tool(worker.runtime, calls[0])
        [one] = await the_calls(pool)
        assert (one["status"], one["error"], one["result"]) == ("failed", "Not today.", None)
        assert worker.hints.responses == [response_id]

    tool(refuse)
    with_calls(database_url, redis_url, 1, play)


def test_what_is_told_of_a_failure_is_bounded(database_url: str, redis_url: str, tool: Callable[..., None]) -> None:
    async def refuse() -> None:
        raise ToolError("a" * 100_000)

    async def play(pool: db.Pool, worker: Stage, _: str, calls: list[str]) -> None:
        await tool_calls.run_tool(worker.runtime, calls[0])
        [one] = await the_calls(pool)
        assert len(one["error"]) < registry.MAX_ERROR + 100
        assert "Truncated" in one["error"]

    tool(refuse)
    with_calls(database_url, redis_url, 1, play)


@pytest.mark.parametrize("printed", ["a\0b", {"out": ["\0"]}])
def test_a_result_may_hold_what_the_database_cannot(
    database_url: str, redis_url: str, tool: Callable[..., None], printed: Any
) -> None:
    async def print_it() -> Any:
        return printed

    async def play(pool: db.Pool, worker: Stage, response_id: str, calls: list[str]) -> None:
        await tool_calls.run_tool(worker.runtime, calls[0])
        [one] = await the_calls(pool)
        assert one["status"] == "succeeded"

    tool(print_it)
    with_calls(database_url, redis_url, 1, play)


@pytest.mark.parametrize(("effect", "after", "told"), [("pure", "pending", False), ("at_most_once", "unknown", True)])
def test_a_call_that_is_cut_off_is_handed_on_or_told_as_unknown(
    database_url: str, redis_url: str, tool: Callable[..., None], effect: str, after: str, told: bool
) -> None:
    async def forever() -> None:
        await asyncio.Event().wait()

    async def play(pool: db.Pool, worker: Stage, response_id: str, calls: list[str]) -> None:
        await rows.execute(pool, "UPDATE tool_calls SET effect = %s", effect)
        running = asyncio.create_task(tool_calls.run_tool(worker.runtime, calls[0]))
        await until(lambda: bool(worker.runtime.calls))
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        [one] = await the_calls(pool)
        assert (one["status"], one["attempts"]) == (after, 0)
        assert (one["error"] is not None) is told

    tool(forever)
    with_calls(database_url, redis_url, 1, play)


def test_a_call_whose_workers_keep_dying_is_given_up(database_url: str, redis_url: str) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str, calls: list[str]) -> None:
        await rows.execute(pool, "UPDATE tool_calls SET attempts = 3")
        await tool_calls.run_tool(worker.runtime, calls[0])
        [one] = await the_calls(pool)
        assert one["status"] == "failed"
        assert "3 workers died" in one["error"]
        assert worker.hints.responses == [response_id]

    with_calls(database_url, redis_url, 1, play)


def test_a_worker_that_lost_the_lease_of_a_call_stores_nothing(
    database_url: str, redis_url: str, tool: Callable[..., None]
) -> None:
    gates = [asyncio.Event(), asyncio.Event()]
    runs = iter(range(2))

    async def gated() -> int:
        number = next(runs)
        await gates[number].wait()
        return number

    async def play(pool: db.Pool, worker: Stage, response_id: str, calls: list[str]) -> None:
        first = asyncio.create_task(tool_calls.run_tool(worker.runtime, calls[0]))
        await until(lambda: bool(worker.runtime.calls))
        worker.runtime.calls.clear()  # the other attempt is another process's
        await rows.execute(pool, "UPDATE tool_calls SET lease_until = now() - interval '1 s'")
        await rows.execute(pool, rescue.LOST_CALLS)
        second = asyncio.create_task(tool_calls.run_tool(worker.runtime, calls[0]))
        await until(lambda: bool(worker.runtime.calls))
        gates[0].set()
        await first
        [one] = await the_calls(pool)
        assert (one["status"], one["result"]) == ("running", None)
        assert worker.hints.responses == []
        gates[1].set()
        await second
        [one] = await the_calls(pool)
        assert (one["status"], one["result"]) == ("succeeded", 1)

    tool(gated)
    with_calls(database_url, redis_url, 1, play)


def test_a_call_of_a_cancelled_response_is_not_run(database_url: str, redis_url: str) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str, calls: list[str]) -> None:
        project_id = (await rows.row(pool, response_id))["project_id"]
        async with db.transaction(pool) as session:
            await cancellation.cancel(session, project_id, response_id)
        await tool_calls.run_tool(worker.runtime, calls[0])
        [one] = await the_calls(pool)
        assert (one["status"], one["attempts"]) == ("failed", 0)
        assert (await rows.row(pool, response_id))["status"] == "cancelled"

    with_calls(database_url, redis_url, 1, play)


@pytest.mark.parametrize("order", ["cancel", "stop_calls"])
def test_a_control_message_stops_the_calls_of_its_response_at_once(
    database_url: str, redis_url: str, tool: Callable[..., None], order: str
) -> None:
    async def forever() -> None:
        await asyncio.Event().wait()

    async def play(pool: db.Pool, worker: Stage, response_id: str, calls: list[str]) -> None:
        running = asyncio.create_task(tool_calls.run_tool(worker.runtime, calls[0]))
        await until(lambda: bool(worker.runtime.calls))
        heartbeat._obey(worker.runtime, f"{order} resp_other")
        heartbeat._obey(worker.runtime, f"{order} {response_id}")
        with pytest.raises(asyncio.CancelledError):
            await running

    tool(forever)
    with_calls(database_url, redis_url, 1, play)


def test_a_call_whose_response_is_deleted_while_it_runs_ends_quietly(
    database_url: str, redis_url: str, tool: Callable[..., None]
) -> None:
    gate = asyncio.Event()

    async def play(pool: db.Pool, worker: Stage, response_id: str, calls: list[str]) -> None:
        running = asyncio.create_task(tool_calls.run_tool(worker.runtime, calls[0]))
        await until(lambda: bool(worker.runtime.calls))
        await rows.execute(pool, "DELETE FROM responses WHERE id = %s", response_id)
        gate.set()
        await running
        assert await the_calls(pool) == []
        assert worker.hints.responses == []

    tool(gate.wait)
    with_calls(database_url, redis_url, 1, play)

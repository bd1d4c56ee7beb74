"""Whole responses, step by step, on real stores: what the client reads in the end is what the model said."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest

from agents.models.base import Finished, Model, ModelError, TextDelta, Usage
from agents.models.scripted import STOP, Scripted, call, says
from api import store as client_side
from shared import cancellation, db, frames
from shared.items import Json, text_of
from tests import rows
from tests.agents.recording import obeys_the_order_of_events
from tests.worker.stage import Stage, dated, stage, until
from worker import advance, rescue

CLOCK = {"tools": [{"type": "orq:current_date"}]}

Play = Callable[[db.Pool, Stage, str], Awaitable[None]]


def on_stage(database_url: str, redis_url: str, model: Model, play: Play, request: Json | None = None, **changes: Any) -> None:
    """Store a response, open a worker, and let the test play."""

    async def main() -> None:
        async with rows.pool_of(database_url, size=8) as pool, stage(pool, redis_url, model, **changes) as worker:
            await play(pool, worker, await rows.add_response(pool, await rows.add_project(pool), **(request or {})))

    asyncio.run(main())


async def object_of(pool: db.Pool, response_id: str) -> Json:
    async with db.connection(pool) as session:
        found: Json = orjson.loads(orjson.dumps(await client_side.object_of(session, await rows.row(pool, response_id))))
        return found


async def forever() -> None:
    await asyncio.Event().wait()


def holds_the_laws(events: list[Json]) -> None:
    """Numbers rise and never repeat, and every item has its whole life."""
    numbers = [event["sequence_number"] for event in events]
    assert numbers == sorted(set(numbers))
    obeys_the_order_of_events([event for event in events if "output_index" in event])


def test_a_text_is_streamed_stored_and_told_at_the_end(database_url: str, redis_url: str) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        await worker.play(response_id)
        events = await rows.events(pool, response_id)
        assert [event["type"] for event in events[:2]] == ["response.created", "response.in_progress"]
        assert [event["sequence_number"] for event in events] == [*range(len(events))]
        holds_the_laws(events)
        last = events[-1]
        assert last["type"] == "response.completed"
        assert last["response"]["output"] == await rows.output(pool, response_id)
        assert text_of(last["response"]["output"][0]) == "Hello, world."
        assert last["response"]["usage"]["total_tokens"] == 15

    on_stage(database_url, redis_url, Scripted(says("Hello, ", "world.")), play)


def test_the_terminal_event_and_a_later_look_are_the_same_object(database_url: str, redis_url: str) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        await worker.play(response_id)
        assert (await rows.events(pool, response_id))[-1]["response"] == await object_of(pool, response_id)

    on_stage(database_url, redis_url, Scripted(says("a")), play)


def test_a_server_tool_runs_between_two_steps(database_url: str, redis_url: str) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        await worker.play(response_id)
        types = [item["type"] for item in await rows.output(pool, response_id)]
        assert types == ["function_call", "orq:current_date", "message"]
        events = await rows.events(pool, response_id)
        holds_the_laws(events)
        row = await rows.row(pool, response_id)
        assert (row["status"], row["steps"], row["iterations"], row["next_output_index"]) == ("completed", 2, 2, 3)
        assert [one["outcome"] for one in await rows.read(pool, "SELECT outcome FROM steps ORDER BY epoch")] == [
            "tools",
            "completed",
        ]
        [tool_call] = await rows.read(pool, "SELECT status, attempts, told FROM tool_calls")
        assert tool_call == {"status": "succeeded", "attempts": 1, "told": True}

    on_stage(database_url, redis_url, dated(["It is ", "today."]), play, CLOCK)


def test_usage_is_summed_over_the_steps(database_url: str, redis_url: str) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        await worker.play(response_id)
        row = await rows.row(pool, response_id)
        assert row["usage"] == {
            "input_tokens": 20,
            "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 0},
            "output_tokens": 10,
            "output_tokens_details": {"reasoning_tokens": 2},
            "total_tokens": 30,
        }
        steps = await rows.read(pool, "SELECT usage, cost FROM steps")
        assert [(step["usage"]["total_tokens"], step["cost"]) for step in steps] == [(15, None), (15, None)]

    on_stage(database_url, redis_url, dated(["a"]), play, CLOCK)


def test_costs_are_summed_over_the_steps_and_told(database_url: str, redis_url: str) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        await rows.change(pool, response_id, model="'openai/gpt-4o'")
        worker.runtime.providers.models["openai"] = dated(["a"])  # type: ignore[attr-defined]
        await worker.play(response_id)
        row = await rows.row(pool, response_id)
        steps = await rows.read(pool, "SELECT cost FROM steps")
        assert row["cost"] == sum(step["cost"] for step in steps) > 0
        assert row["usage"]["total_cost"] == pytest.approx(float(row["cost"]))

    on_stage(database_url, redis_url, dated(["a"]), play, CLOCK)


def test_a_client_tool_ends_the_response_with_its_call(database_url: str, redis_url: str) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        await worker.play(response_id)
        row = await rows.row(pool, response_id)
        assert (row["status"], row["phase"]) == ("completed", "done")
        [item] = await rows.output(pool, response_id)
        assert (item["type"], item["status"], item["name"]) == ("function_call", "completed", "look")
        assert worker.hints.calls == []

    tools = {"tools": [{"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}}]}
    on_stage(database_url, redis_url, Scripted([*call("look"), STOP]), play, tools)


def test_a_rate_limit_puts_the_response_to_sleep_as_long_as_the_provider_asks(database_url: str, redis_url: str) -> None:
    limit = ModelError("rate_limit_exceeded", "Slow down.", provider_status=429, retry_after=7.0)

    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        await worker.play(response_id)
        [row] = await rows.read(pool, "SELECT *, extract(epoch FROM wake_at - now()) AS left FROM responses")
        assert (row["phase"], row["failures"], row["claims"]) == ("sleeping", 1, 0)
        assert 6 < row["left"] <= 7
        assert "try again in 7s" in row["waiting_for"]
        await rows.change(pool, response_id, wake_at="now()")
        await rescue._look(worker.runtime, expire=True)
        assert worker.hints.responses == [response_id]
        await worker.play()
        events = await rows.events(pool, response_id)
        holds_the_laws(events)
        assert [event["type"] for event in events].count("response.in_progress") == 1
        [item] = await rows.output(pool, response_id)
        assert text_of(item) == "now"

    on_stage(database_url, redis_url, Scripted([limit], says("now")), play)


def test_what_a_failed_attempt_said_is_ended_and_left_out(database_url: str, redis_url: str) -> None:
    broken = ModelError("provider_unavailable", "Gone.")

    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        await worker.play(response_id)
        await rows.change(pool, response_id, wake_at="now()")
        await rescue._look(worker.runtime, expire=True)
        assert (await object_of(pool, response_id))["output"] == []
        await worker.play()
        events = await rows.events(pool, response_id)
        holds_the_laws(events)
        assert [text_of(item) for item in events[-1]["response"]["output"]] == ["whole"]
        assert [e["item"]["status"] for e in events if e["type"] == "response.output_item.done"] == ["incomplete", "completed"]

    on_stage(database_url, redis_url, Scripted([TextDelta("ha"), broken], says("whole")), play)


def test_a_provider_that_goes_on_failing_fails_the_response_in_the_end(database_url: str, redis_url: str) -> None:
    broken = ModelError("provider_unavailable", "Gone.")

    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        for _ in range(3):
            await worker.play(response_id)
            await rows.change(pool, response_id, wake_at="now()")
            await rows.execute(pool, rescue.AWAKE)
        row = await rows.row(pool, response_id)
        assert (row["status"], row["phase"], row["error"]) == ("failed", "done", {"code": broken.code, "message": "Gone."})
        assert [one["outcome"] for one in await rows.read(pool, "SELECT outcome FROM steps ORDER BY epoch")] == [
            "retry",
            "retry",
            "failed",
        ]
        last = (await rows.events(pool, response_id))[-1]
        assert (last["type"], last["response"]["error"]["code"]) == ("response.failed", broken.code)

    on_stage(database_url, redis_url, Scripted([broken], [broken], [broken]), play)


def test_an_error_that_will_not_pass_is_not_tried_again(database_url: str, redis_url: str) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        await worker.play(response_id)
        row = await rows.row(pool, response_id)
        assert (row["status"], row["error"]["code"]) == ("failed", "invalid_prompt")

    on_stage(database_url, redis_url, Scripted([ModelError("invalid_prompt", "No.")]), play)


def test_at_its_deadline_a_response_is_incomplete_and_keeps_what_was_said(database_url: str, redis_url: str) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        await worker.play(response_id)
        row = await rows.row(pool, response_id)
        assert (row["status"], row["incomplete_details"]) == ("incomplete", {"reason": "max_execution_time"})
        [item] = await rows.output(pool, response_id)
        assert (text_of(item), item["status"]) == ("half a", "incomplete")
        events = await rows.events(pool, response_id)
        holds_the_laws(events)
        assert events[-1]["response"]["output"] == [item]

    model = Scripted([TextDelta("half a"), forever, TextDelta(" sentence"), STOP])
    on_stage(database_url, redis_url, model, play, {"max_execution_time": 0.3})
    assert model.closed == 1


def test_a_response_whose_deadline_passed_while_its_tool_ran_says_nothing_about_the_tool(
    database_url: str, redis_url: str
) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        await advance.advance(worker.runtime, response_id)
        await rows.change(pool, response_id, deadline_at="now()")
        await rows.execute(pool, rescue.STRANDED)
        worker.hints.calls.clear()
        await worker.play(response_id)
        row = await rows.row(pool, response_id)
        assert row["status"] == "incomplete"
        assert [item["type"] for item in await rows.output(pool, response_id)] == ["function_call"]

    on_stage(database_url, redis_url, dated(["a"]), play, CLOCK)


def test_after_three_deaths_a_response_is_a_dead_letter(database_url: str, redis_url: str) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        await rows.change(pool, response_id, claims="3", status="'in_progress'", epoch="3")
        await worker.play(response_id)
        row = await rows.row(pool, response_id)
        assert (row["status"], row["error"]["code"]) == ("failed", "worker_lost")
        assert row["dead_lettered_at"] is not None
        assert "3 workers died" in row["error"]["message"]

    on_stage(database_url, redis_url, Scripted(), play)


def test_two_deaths_are_not_the_end(database_url: str, redis_url: str) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        await rows.change(pool, response_id, claims="2", status="'in_progress'", epoch="2")
        await worker.play(response_id)
        row = await rows.row(pool, response_id)
        assert (row["status"], row["claims"], row["dead_lettered_at"]) == ("completed", 0, None)

    on_stage(database_url, redis_url, Scripted(says("a")), play)


def test_a_cancelled_response_keeps_what_was_said_and_its_worker_writes_no_more(database_url: str, redis_url: str) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        said = worker.redis.published
        running = asyncio.create_task(worker.play(response_id))
        await until(lambda: any(b"half" in page.frames for _, page, _ in said))
        project_id = (await rows.row(pool, response_id))["project_id"]
        async with db.transaction(pool) as session:
            assert await cancellation.cancel(session, project_id, response_id)
        before = await rows.everything(pool)
        worker.runtime.responses[response_id].task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert await rows.everything(pool) == before
        assert before["responses"][0]["status"] == "cancelled"
        [item] = await rows.output(pool, response_id)
        assert (text_of(item), item["status"]) == ("half", "incomplete")
        assert worker.hints.responses == []

    on_stage(database_url, redis_url, Scripted([TextDelta("half"), forever]), play)


def test_a_drained_worker_hands_back_and_another_continues(database_url: str, redis_url: str) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        said = worker.redis.published
        running = asyncio.create_task(worker.play(response_id))
        await until(lambda: any(b"half" in page.frames for _, page, _ in said))
        worker.runtime.responses[response_id].task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert worker.hints.responses == [response_id]
        assert (await rows.row(pool, response_id))["claims"] == 0
        await worker.play()
        events = await rows.events(pool, response_id)
        holds_the_laws(events)
        assert [text_of(item) for item in events[-1]["response"]["output"]] == ["whole"]

    on_stage(database_url, redis_url, Scripted([TextDelta("half"), forever], says("whole")), play)


def test_a_process_that_stood_still_and_claims_again_stops_its_older_attempt(database_url: str, redis_url: str) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        older = asyncio.create_task(advance.advance(worker.runtime, response_id))
        await until(lambda: any(b"half" in page.frames for _, page, _ in worker.redis.published))
        await rows.change(pool, response_id, lease_until="now() - interval '1 second'")
        await rows.execute(pool, rescue.EXPIRED)
        await worker.play(response_id)
        with pytest.raises(asyncio.CancelledError):
            await older
        events = await rows.events(pool, response_id)
        holds_the_laws(events)
        assert [text_of(item) for item in events[-1]["response"]["output"]] == ["whole"]
        assert worker.runtime.responses == {}

    on_stage(database_url, redis_url, Scripted([TextDelta("half"), forever], says("whole")), play)


def test_what_a_dead_attempt_said_is_no_output_of_a_response_cancelled_later(database_url: str, redis_url: str) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        said = worker.redis.published
        for text in (b"hal", b"half"):
            running = asyncio.create_task(advance.advance(worker.runtime, response_id))
            await until(lambda text=text: any(b'"%b"' % text in page.frames for _, page, _ in said))  # type: ignore[misc]
            await rows.change(pool, response_id, lease_until="now() - interval '1 second'")
            if text == b"hal":
                await rows.execute(pool, rescue.EXPIRED)
        assert [text_of(item) for item in (await object_of(pool, response_id))["output"]] == ["half"]
        project_id = (await rows.row(pool, response_id))["project_id"]
        async with db.transaction(pool) as session:
            await cancellation.cancel(session, project_id, response_id)
        assert [text_of(item) for item in await rows.output(pool, response_id)] == ["half"]
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    on_stage(database_url, redis_url, Scripted([TextDelta("hal"), forever], [TextDelta("half"), forever]), play)


def test_a_draining_worker_takes_nothing_up(database_url: str, redis_url: str) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        worker.runtime.drain()
        await worker.play(response_id)
        assert (await rows.row(pool, response_id))["phase"] == "ready"

    on_stage(database_url, redis_url, Scripted(), play)


def test_a_model_call_without_a_count_leaves_the_sum_as_it_was(database_url: str, redis_url: str) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        await worker.play(response_id)
        row = await rows.row(pool, response_id)
        assert (row["usage"]["total_tokens"], row["iterations"]) == (15, 2)

    uncounted = Finished(reason="stop", usage=None)
    counted = Finished(reason="stop", usage=Usage(input=10, output=5))
    model = Scripted([*call("orq_current_date"), counted], [TextDelta("a"), uncounted])
    on_stage(database_url, redis_url, model, play, CLOCK)


def test_everything_published_was_persisted_before(database_url: str, redis_url: str) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        await worker.play(response_id)
        stored = await rows.read(pool, "SELECT frames FROM event_pages ORDER BY first_seq")
        log = b"".join(bytes(page["frames"]) for page in stored)
        said = [frame for _, page, _ in worker.redis.published for frame in frames.split(page.frames)]
        assert log.endswith(b"".join(said))
        assert [flag for _, _, flag in worker.redis.published][-1] == b"e"

    on_stage(database_url, redis_url, dated(["a", "b", "c"], pause=0.004), play, CLOCK)

"""A worker dies at any moment while calls run and children work: no call is lost, no result told twice, no effect doubled."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from agents.models.base import Finished, TextDelta
from agents.models.scripted import call
from agents.tools import registry
from agents.tools.base import Effect
from shared import db
from shared.items import Json
from tests import rows
from tests.agents.recording import obeys_the_order_of_events
from tests.worker.stage import COST, Actor, Death, Fate, MortalRedis, Played, Stage, stage
from tests.worker.test_takeover import find_the_dead, heard_only_what_was_written, perish
from worker import rescue

DONE = Finished(reason="stop", usage=COST)


def boss() -> Actor:
    """Call the clock and a subagent at once, then answer; as the subagent, answer at once."""
    calls = [*call("orq_current_date", call_id="c0"), *call("orq_subagent", '{"task": "t"}', call_id="c1"), DONE]
    return Actor([calls, [], [TextDelta("done"), DONE]])


def helper() -> Actor:
    return Actor([[TextDelta("helped"), DONE]])


TOOLS: Json = {"tools": [{"type": "orq:current_date"}, {"type": "orq:subagent", "model": "helper/one"}]}


class Ledger:
    """What happened outside, which no rollback undoes."""

    def __init__(self) -> None:
        self.effects = 0

    async def act(self) -> str:
        self.effects += 1
        await asyncio.sleep(0)
        return "done"


async def live(pool: db.Pool, redis_url: str, response_id: str, *, at: int | None) -> tuple[Fate, MortalRedis]:
    """Run a process until nothing is left to do, or until it dies."""
    fate = Fate(at)
    async with stage(pool, redis_url, boss(), fate=fate) as worker:
        _add_helper(worker)
        playing = asyncio.ensure_future(worker.play(response_id))
        while not playing.done() and not fate.dead:
            await asyncio.wait({playing}, timeout=0.005)
        playing.cancel()
        for outcome in await asyncio.gather(playing, return_exceptions=True):
            assert outcome is None or isinstance(outcome, Death | asyncio.CancelledError), repr(outcome)
        await perish(worker.runtime.responses, worker.runtime.calls)
    return fate, worker.redis


def _add_helper(worker: Stage) -> None:
    worker.runtime.providers.models["helper"] = helper()  # type: ignore[attr-defined]


async def finish(pool: db.Pool, redis_url: str) -> MortalRedis:
    """Let a process that does not die find what was left, and end it."""
    async with stage(pool, redis_url, boss()) as worker:
        _add_helper(worker)
        for _ in range(6):
            found = await find_the_dead(pool)
            await rescue._look(worker.runtime, expire=True)
            await worker.play(*found)
    return worker.redis


async def is_whole(pool: db.Pool, response_id: str, heard: list[MortalRedis]) -> None:
    """The oracle."""
    row = await rows.row(pool, response_id)
    assert (row["status"], row["phase"]) == ("completed", "done")
    output = await rows.output(pool, response_id)
    assert sorted(item["type"] for item in output) == [
        *("function_call", "function_call", "message", "orq:current_date", "orq:subagent"),
    ]
    children = await rows.read(pool, "SELECT status FROM responses WHERE parent_id = %s", response_id)
    assert children == [{"status": "completed"}]
    calls = await rows.read(pool, "SELECT status, told FROM tool_calls WHERE response_id = %s", response_id)
    assert {call["status"] for call in calls} <= {"succeeded", "unknown"}
    assert all(call["told"] for call in calls)
    assert row["usage"]["total_tokens"] == 3 * 15
    log = await rows.events(pool, response_id)
    numbers = [event["sequence_number"] for event in log]
    assert numbers == sorted(set(numbers))
    obeys_the_order_of_events([event for event in log if "output_index" in event])
    told = [
        event["item"]["call_id"] for event in log if event["type"].endswith("item.done") and "orq:" in event["item"]["type"]
    ]
    assert sorted(told) == ["c0", "c1"]
    assert log[-1]["response"]["output"] == output
    heard_only_what_was_written(log, heard, response_id)


@pytest.mark.parametrize("effects", ["at_most_once", "idempotent"])
def test_a_death_at_any_moment_loses_no_call_and_tells_none_twice(
    database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch, effects: Effect
) -> None:
    def ledger() -> Ledger:
        kept = Ledger()
        monkeypatch.setitem(cast("dict[str, Any]", registry.TOOLS), "orq:current_date", Played(kept.act, effects))
        return kept

    asyncio.run(_die_everywhere(database_url, redis_url, ledger, at_most=1 if effects == "at_most_once" else 2))


async def _die_everywhere(database_url: str, redis_url: str, ledger: Callable[[], Ledger], *, at_most: int) -> None:
    async with rows.pool_of(database_url, size=8) as pool:
        project_id = await rows.add_project(pool)
        ledger()
        whole, _ = await live(pool, redis_url, await rows.add_response(pool, project_id, **TOOLS), at=None)
        assert whole.moments > 25
        for moment in range(whole.moments):
            kept = ledger()
            response_id = await rows.add_response(pool, project_id, **TOOLS)
            _, heard = await live(pool, redis_url, response_id, at=moment)
            later = await finish(pool, redis_url)
            await is_whole(pool, response_id, [heard, later])
            assert kept.effects <= at_most

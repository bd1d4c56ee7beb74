"""A worker dies at any moment; another one finishes what it began, and no reader can tell lies from the log."""

import asyncio
from typing import Any

import pytest

from shared import bus, db, frames
from shared.items import Json, text_of
from tests import rows
from tests.agents.recording import obeys_the_order_of_events
from tests.worker.stage import Death, Fate, MortalRedis, dated, stage
from worker import rescue

ANSWER = ["It ", "is ", "a ", "fine ", "day."]
CLOCK = {"tools": [{"type": "orq:current_date"}]}


async def live_and_die(pool: db.Pool, redis_url: str, response_id: str, *, at: int | None) -> tuple[Fate, MortalRedis]:
    """Run a process until nothing is left to do, or until it dies at a moment."""
    fate = Fate(at)
    async with stage(pool, redis_url, dated(ANSWER, pause=0.003), fate=fate) as worker:
        playing = asyncio.ensure_future(worker.play(response_id))
        while not playing.done() and not fate.dead:
            await asyncio.wait({playing}, timeout=0.005)
        playing.cancel()
        for outcome in await asyncio.gather(playing, return_exceptions=True):
            assert outcome is None or isinstance(outcome, Death | asyncio.CancelledError)
        await perish(worker.runtime.responses, worker.runtime.calls)
    return fate, worker.redis


async def perish(*leases: dict[str, Any]) -> None:
    """Stop what a dead process would not run any more."""
    tasks = [lease.task for held in leases for lease in held.values()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def find_the_dead(pool: db.Pool) -> list[str]:
    """Let every lease expire and every hint be missed, and return what is to be run."""
    await rows.execute(pool, "UPDATE responses SET lease_until = now() - interval '1 s', hint_at = now() - interval '1 s'")
    await rows.execute(pool, "UPDATE tool_calls SET lease_until = now() - interval '1 s', hint_at = now() - interval '1 s'")
    async with db.connection(pool) as session:
        for statement in (rescue.EXPIRED, rescue.LOST_CALLS, rescue.STRANDED):
            await rescue._ids(session, statement)
        return await rescue._ids(session, rescue.UNHINTED, slots=100)


async def finish(pool: db.Pool, redis_url: str, response_id: str) -> MortalRedis:
    """Let a process that does not die bring the response to its end."""
    async with stage(pool, redis_url, dated(ANSWER)) as worker:
        for _ in range(4):
            await worker.play(*await find_the_dead(pool))
            async with db.connection(pool) as session:
                worker.hints.calls += await rescue._ids(session, rescue.UNHINTED_CALLS)
    return worker.redis


async def is_as_if_nothing_had_happened(pool: db.Pool, response_id: str, heard: list[MortalRedis]) -> None:
    """The oracle: the scripted answer, a lawful log, and readers who heard only what the log says."""
    row = await rows.row(pool, response_id)
    assert (row["status"], row["phase"], row["dead_lettered_at"]) == ("completed", "done", None)
    output = await rows.output(pool, response_id)
    assert [item["type"] for item in output] == ["function_call", "orq:current_date", "message"]
    assert text_of(output[2]) == "".join(ANSWER)
    log = await rows.events(pool, response_id)
    numbers = [event["sequence_number"] for event in log]
    assert numbers == sorted(set(numbers))
    obeys_the_order_of_events([event for event in log if "output_index" in event])
    assert log[-1]["type"] == "response.completed"
    assert log[-1]["response"]["output"] == output
    done = {event["item"]["id"]: event["item"] for event in log if event["type"] == "response.output_item.done"}
    assert [done[item["id"]] for item in output] == output
    assert len(await rows.read(pool, "SELECT 1 FROM steps WHERE response_id = %s AND outcome <> 'lost'", response_id)) == 2
    heard_only_what_was_written(log, heard, response_id)


def heard_only_what_was_written(log: list[Json], heard: list[MortalRedis], response_id: str) -> None:
    written = {event["sequence_number"]: event for event in log}
    for redis in heard:
        for name, page, _ in redis.published:
            if name == bus.channel(response_id):
                for event in frames.decode(page.frames):
                    assert written[event["sequence_number"]] == event


def test_a_death_at_any_moment_changes_nothing_for_the_client(database_url: str, redis_url: str) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url, size=8) as pool:
            project_id = await rows.add_project(pool)
            whole, _ = await live_and_die(pool, redis_url, await rows.add_response(pool, project_id, **CLOCK), at=None)
            assert whole.moments > 15
            for moment in range(whole.moments):
                response_id = await rows.add_response(pool, project_id, **CLOCK)
                _, heard = await live_and_die(pool, redis_url, response_id, at=moment)
                heard_later = await finish(pool, redis_url, response_id)
                await is_as_if_nothing_had_happened(pool, response_id, [heard, heard_later])

    asyncio.run(main())


@pytest.mark.parametrize("second", [1, 4, 7, 10])
def test_the_one_that_took_over_may_die_too(database_url: str, redis_url: str, second: int) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url, size=8) as pool:
            project_id = await rows.add_project(pool)
            for first in range(2, 12):
                response_id = await rows.add_response(pool, project_id, **CLOCK)
                _, heard = await live_and_die(pool, redis_url, response_id, at=first)
                await find_the_dead(pool)
                _, heard_next = await live_and_die(pool, redis_url, response_id, at=second)
                heard_last = await finish(pool, redis_url, response_id)
                await is_as_if_nothing_had_happened(pool, response_id, [heard, heard_next, heard_last])

    asyncio.run(main())

"""Whatever nobody works on is found: every statement of rescue, one by one, on a clock that is moved in the rows."""

import asyncio
from typing import Any

import pytest

from agents.tools.base import Effect
from agents.turn import ServerCall
from shared import db
from shared.status import Phase, Status
from tests import rows
from worker import rescue, store
from worker.store import Commit, Run

AGO = "now() - interval '1 second'"
AHEAD = "now() + interval '1 minute'"
COLUMNS = "project_id, status, phase, model, body, request, background, store, deadline_at"


async def ids(pool: db.Pool, statement: str, **values: int) -> list[str]:
    async with db.connection(pool) as session:
        return await rescue._ids(session, statement, **values)


async def claimed(pool: db.Pool, project_id: str | None = None) -> Run:
    response_id = await rows.add_response(pool, project_id or await rows.add_project(pool))
    async with db.connection(pool) as session:
        run = await store.claim(session, response_id, worker="w1", lease=10, slots=1000)
    assert run is not None
    return run


async def with_call(pool: db.Pool, *, effect: Effect = "pure", **columns: str) -> tuple[Run, str]:
    """Bring a response to where its one tool call runs."""
    run = await claimed(pool)
    call = ServerCall(call_id="c", tool="orq:current_date", name="n", arguments="{}", effect=effect)
    step = Commit(status=Status.IN_PROGRESS, phase=Phase.TOOLS, outcome="tools", next_output_index=0, calls=(call,))
    async with db.transaction(pool) as session:
        [(call_id, _)] = await store.commit(session, run, step, worker="w1")
    for column, value in columns.items():
        await rows.execute(pool, f"UPDATE tool_calls SET {column} = {value} WHERE id = %s", call_id)
    return run, call_id


async def the_call(pool: db.Pool) -> dict[str, Any]:
    [call] = await rows.read(pool, "SELECT *, hint_at <= now() AS due FROM tool_calls")
    return call


def test_an_expired_lease_brings_the_response_back_with_a_row_in_the_journal(database_url: str) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url) as pool:
            dead, alive = await claimed(pool), await claimed(pool)
            await rows.change(pool, dead.id, lease_until=AGO)
            assert await ids(pool, rescue.EXPIRED) == [dead.id]
            row = await rows.row(pool, dead.id)
            assert (row["phase"], row["status"], row["claims"], row["epoch"]) == ("ready", "in_progress", 1, 1)
            assert (await rows.row(pool, alive.id))["phase"] == "running"
            [journal] = await rows.read(pool, "SELECT * FROM steps")
            assert (journal["outcome"], journal["epoch"], journal["worker_id"]) == ("lost", 1, "w1")
            assert journal["error"]["code"] == "worker_lost"
            assert await ids(pool, rescue.UNHINTED, slots=10) == [dead.id]

    asyncio.run(main())


def test_every_lost_attempt_has_its_own_row_in_the_journal(database_url: str) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url) as pool:
            run = await claimed(pool)
            for _ in range(2):
                await rows.change(pool, run.id, lease_until=AGO)
                await ids(pool, rescue.EXPIRED)
                async with db.connection(pool) as session:
                    assert await store.claim(session, run.id, worker="w2", lease=10, slots=10) is not None
            journal = await rows.read(pool, "SELECT epoch, attempt FROM steps ORDER BY epoch")
            assert [(one["epoch"], one["attempt"]) for one in journal] == [(1, 1), (2, 2)]

    asyncio.run(main())


def test_two_processes_that_look_at_once_find_a_response_once(database_url: str) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url, size=8) as pool:
            run = await claimed(pool)
            await rows.change(pool, run.id, lease_until=AGO)
            found = await asyncio.gather(*(ids(pool, rescue.EXPIRED) for _ in range(8)))
            assert [response_id for each in found for response_id in each] == [run.id]
            assert len(await rows.read(pool, "SELECT 1 FROM steps")) == 1

    asyncio.run(main())


def test_a_ready_response_is_hinted_at_again_and_each_time_later(database_url: str) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url) as pool:
            response_id = await rows.add_response(pool, await rows.add_project(pool))
            assert await ids(pool, rescue.UNHINTED, slots=10) == []
            waits = []
            for _ in range(8):
                await rows.change(pool, response_id, hint_at=AGO)
                assert await ids(pool, rescue.UNHINTED, slots=10) == [response_id]
                assert await ids(pool, rescue.UNHINTED, slots=10) == []
                [row] = await rows.read(pool, "SELECT extract(epoch FROM hint_at - now())::float8 AS left FROM responses")
                waits.append(round(row["left"]))
            assert waits == [2, 4, 8, 16, 32, 60, 60, 60]

    asyncio.run(main())


def test_projects_are_served_in_turn_and_each_within_its_share(database_url: str) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url) as pool:
            greedy, modest = await rows.add_project(pool), await rows.add_project(pool)
            many = [await rows.add_response(pool, greedy) for _ in range(6)]
            few = [await rows.add_response(pool, modest) for _ in range(2)]
            for age, response_id in enumerate([*many, *few]):
                await rows.change(pool, response_id, hint_at=f"now() - interval '{100 - age} seconds'")
            await rows.change(pool, many[0], phase="'running'")
            hinted = await ids(pool, rescue.UNHINTED, slots=4)
            assert set(hinted) == {many[1], many[2], many[3], few[0], few[1]}
            assert await ids(pool, rescue.UNHINTED, slots=1) == []

    asyncio.run(main())


def test_when_there_are_more_than_one_round_can_hint_at_nobodys_turn_is_taken_twice(database_url: str) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url) as pool:
            greedy, modest = await rows.add_project(pool), await rows.add_project(pool)
            first = await rows.add_response(pool, greedy)
            await rows.execute(
                pool,
                f"""INSERT INTO responses ({COLUMNS}, id, hint_at)
                    SELECT {COLUMNS}, 'resp_' || n, now() - interval '1 hour'
                      FROM responses, generate_series(1, 600) n WHERE id = %s""",
                first,
            )
            late = await rows.add_response(pool, modest)
            await rows.change(pool, late, hint_at=AGO)
            hinted = await ids(pool, rescue.UNHINTED, slots=1000)
            assert len(hinted) == 500
            assert late in hinted

    asyncio.run(main())


@pytest.mark.parametrize(("column", "woken"), [("wake_at", True), ("deadline_at", True), (None, False)])
def test_a_sleeper_wakes_when_its_time_has_come(database_url: str, column: str | None, woken: bool) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url) as pool:
            response_id = await rows.add_response(pool, await rows.add_project(pool))
            times = {"wake_at": AHEAD, "deadline_at": AHEAD} | ({column: AGO} if column else {})
            await rows.change(pool, response_id, phase="'sleeping'", status="'in_progress'", waiting_for="'x'", **times)
            assert await ids(pool, rescue.AWAKE) == ([response_id] if woken else [])
            row = await rows.row(pool, response_id)
            assert row["phase"] == ("ready" if woken else "sleeping")
            assert (row["waiting_for"] is None) is woken
            assert (await ids(pool, rescue.UNHINTED, slots=10) == [response_id]) is woken

    asyncio.run(main())


@pytest.mark.parametrize("status", ["succeeded", "failed", "unknown"])
def test_a_response_whose_calls_are_over_comes_back(database_url: str, status: str) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url) as pool:
            run, call_id = await with_call(pool)
            assert await ids(pool, rescue.STRANDED) == []
            await rows.execute(pool, "UPDATE tool_calls SET status = 'running' WHERE id = %s", call_id)
            assert await ids(pool, rescue.STRANDED) == []
            await rows.execute(pool, "UPDATE tool_calls SET status = %s WHERE id = %s", status, call_id)
            assert await ids(pool, rescue.STRANDED) == [run.id]
            assert (await rows.row(pool, run.id))["phase"] == "ready"

    asyncio.run(main())


def test_a_response_does_not_wait_for_its_calls_beyond_its_deadline(database_url: str) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url) as pool:
            run, _ = await with_call(pool)
            await rows.change(pool, run.id, deadline_at=AGO)
            assert await ids(pool, rescue.STRANDED) == [run.id]

    asyncio.run(main())


@pytest.mark.parametrize("effect", ["pure", "idempotent"])
def test_a_lost_call_that_may_be_repeated_is(database_url: str, effect: Effect) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url) as pool:
            _, call_id = await with_call(pool, effect=effect, status="'running'", lease_until=AHEAD)
            assert await ids(pool, rescue.LOST_CALLS) == []
            await rows.execute(pool, f"UPDATE tool_calls SET lease_until = {AGO}")
            assert await ids(pool, rescue.LOST_CALLS) == [call_id]
            call = await the_call(pool)
            assert (call["status"], call["error"], call["due"]) == ("pending", None, True)

    asyncio.run(main())


def test_a_lost_call_that_must_not_be_repeated_is_unknown_and_the_model_is_told(database_url: str) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url) as pool:
            run, call_id = await with_call(pool, effect="at_most_once", status="'running'", lease_until=AGO)
            assert await ids(pool, rescue.LOST_CALLS) == [call_id]
            call = await the_call(pool)
            assert call["status"] == "unknown"
            assert "Verify before repeating" in call["error"]
            assert await ids(pool, rescue.STRANDED) == [run.id]

    asyncio.run(main())


def test_a_pending_call_is_hinted_at_again(database_url: str) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url) as pool:
            _, call_id = await with_call(pool)
            assert await ids(pool, rescue.UNHINTED_CALLS) == []
            await rows.execute(pool, f"UPDATE tool_calls SET hint_at = {AGO}")
            assert await ids(pool, rescue.UNHINTED_CALLS) == [call_id]
            assert await ids(pool, rescue.UNHINTED_CALLS) == []

    asyncio.run(main())


def test_what_was_not_to_be_stored_is_forgotten_with_its_events(database_url: str) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url) as pool:
            project_id = await rows.add_project(pool)
            gone, fresh = [await rows.add_response(pool, project_id, store=False) for _ in range(2)]
            kept, live = await rows.add_response(pool, project_id), await rows.add_response(pool, project_id, store=False)
            over = {"phase": "'done'", "status": "'completed'"}
            for response_id in (gone, kept):
                await rows.change(pool, response_id, **over, finished_at="now() - interval '61 seconds'")
            await rows.change(pool, fresh, **over, finished_at=AGO)
            await ids(pool, rescue.FORGOTTEN)
            left = {fresh, kept, live}
            assert {row["id"] for row in await rows.read(pool, "SELECT id FROM responses")} == left
            for table in ("event_pages", "items"):
                found = await rows.read(pool, f"SELECT response_id FROM {table}")
                assert {row["response_id"] for row in found} == left

    asyncio.run(main())


def test_old_workers_and_keys_are_tidied_away(database_url: str) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url) as pool:
            await rows.execute(
                pool,
                """INSERT INTO workers (id, host, pid, heartbeat_at)
                   VALUES ('old', 'h', 1, now() - interval '2 hours'), ('new', 'h', 1, now())""",
            )
            await rows.execute(
                pool,
                """INSERT INTO idempotency_keys (project_id, key, request_hash, response_id, created_at)
                   VALUES ('p', 'old', '', 'r', now() - interval '25 hours'), ('p', 'new', '', 'r', now())""",
            )
            for statement in rescue.TIDY:
                await rows.execute(pool, statement)
            assert await rows.read(pool, "SELECT id FROM workers") == [{"id": "new"}]
            assert await rows.read(pool, "SELECT key FROM idempotency_keys") == [{"key": "new"}]

    asyncio.run(main())

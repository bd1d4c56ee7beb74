"""A model that fails is asked again, and then the next one, which stays for the rest of the response."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest

from agents.models.base import ErrorCode, Model, ModelError
from agents.models.scripted import Scripted, says
from shared import db
from shared.items import Json, text_of
from tests import rows
from tests.worker.stage import Stage, dated, stage
from worker import rescue

Play = Callable[[db.Pool, Stage, str], Awaitable[None]]
TWO = {"models": ["scripted/one", "second/two"]}


def with_plan(database_url: str, redis_url: str, models: dict[str, Model], plan: Json, play: Play, **fields: Any) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url, size=8) as pool, stage(pool, redis_url, Scripted()) as worker:
            worker.runtime.providers.models.update(models)  # type: ignore[attr-defined]
            response_id = await rows.add_response(pool, await rows.add_project(pool), **fields)
            added = orjson.dumps(plan).decode().replace("'", "''")
            await rows.change(pool, response_id, request=f"request || '{added}'")
            await play(pool, worker, response_id)

    asyncio.run(main())


async def journal(pool: db.Pool) -> list[tuple[str, str | None]]:
    return [(one["outcome"], one["model"]) for one in await rows.read(pool, "SELECT outcome, model FROM steps ORDER BY epoch")]


async def play_on(pool: db.Pool, worker: Stage, response_id: str) -> None:
    """Play, waking the response whenever it sleeps."""
    await worker.play(response_id)
    while (await rows.row(pool, response_id))["phase"] == "sleeping":
        await rows.change(pool, response_id, wake_at="now()")
        await rows.execute(pool, rescue.AWAKE)
        await worker.play(response_id)


def broken(code: ErrorCode, **about: Any) -> list[Any]:
    return [ModelError(code, "Gone.", **about)]


def test_a_model_that_is_used_up_gives_way_to_the_next_one(database_url: str, redis_url: str) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        await play_on(pool, worker, response_id)
        assert await journal(pool) == [
            ("retry", "scripted/one"),
            ("retry", "scripted/one"),
            ("fallback", "scripted/one"),
            ("completed", "second/two"),
        ]
        assert [text_of(item) for item in await rows.output(pool, response_id)] == ["Hello."]

    down = Scripted(*[broken("provider_unavailable")] * 3)
    with_plan(database_url, redis_url, {"scripted": down, "second": Scripted(says("Hello."))}, TWO, play)


@pytest.mark.parametrize("code", ["provider_authentication", "model_not_found", "insufficient_quota"])
def test_a_failure_that_will_not_pass_moves_on_at_once(database_url: str, redis_url: str, code: ErrorCode) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        await worker.play(response_id)
        assert await journal(pool) == [("fallback", "scripted/one"), ("completed", "second/two")]

    with_plan(database_url, redis_url, {"scripted": Scripted(broken(code)), "second": Scripted(says("a"))}, TWO, play)


def test_a_model_that_asks_for_a_long_rest_gives_way_at_once_if_another_is_left(database_url: str, redis_url: str) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        await worker.play(response_id)
        assert await journal(pool) == [("fallback", "scripted/one"), ("completed", "second/two")]

    limited = Scripted(broken("rate_limit_exceeded", retry_after=600.0))
    with_plan(database_url, redis_url, {"scripted": limited, "second": Scripted(says("a"))}, TWO, play)


def test_the_last_model_is_waited_for_however_long_it_rests(database_url: str, redis_url: str) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        await play_on(pool, worker, response_id)
        assert await journal(pool) == [("retry", "scripted/one"), ("completed", "scripted/one")]

    limited = Scripted(broken("rate_limit_exceeded", retry_after=600.0), says("a"))
    with_plan(database_url, redis_url, {"scripted": limited}, {}, play)


def test_a_count_is_of_retries(database_url: str, redis_url: str) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        await play_on(pool, worker, response_id)
        assert [outcome for outcome, _ in await journal(pool)] == ["retry", "failed"]

    down = Scripted(*[broken("provider_unavailable")] * 2)
    with_plan(database_url, redis_url, {"scripted": down}, {"retry": {"count": 1}}, play)


@pytest.mark.parametrize("code", ["invalid_prompt", "context_length_exceeded"])
def test_what_is_wrong_with_the_question_is_wrong_for_every_model(database_url: str, redis_url: str, code: ErrorCode) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        await worker.play(response_id)
        assert await journal(pool) == [("failed", "scripted/one")]

    with_plan(database_url, redis_url, {"scripted": Scripted(broken(code))}, TWO, play)


def test_the_next_model_stays_for_the_rest_of_the_response(database_url: str, redis_url: str) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        await worker.play(response_id)
        assert [model for _, model in await journal(pool)] == ["scripted/one", "second/two", "second/two"]

    models: dict[str, Model] = {"scripted": Scripted(broken("insufficient_quota")), "second": dated(["today"])}
    with_plan(database_url, redis_url, models, TWO, play, tools=[{"type": "orq:current_date"}])


def test_a_provider_that_nobody_has_is_no_end_while_another_is_left(database_url: str, redis_url: str) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        from agents.models.providers import Providers

        worker.runtime.providers = Providers([])
        await worker.play(response_id)
        assert await journal(pool) == [("fallback", "gone/one"), ("completed", "demo/echo")]
        row = await rows.row(pool, response_id)
        assert (row["usage"]["input_cost"], row["usage"]["output_cost"], row["usage"]["total_cost"]) == (0.0, 0.0, 0.0)

    with_plan(database_url, redis_url, {}, {"models": ["gone/one", "demo/echo"]}, play)


def test_the_plan_says_how_often_and_after_what_a_model_is_asked_again(database_url: str, redis_url: str) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        await play_on(pool, worker, response_id)
        assert [outcome for outcome, _ in await journal(pool)] == ["retry", "failed"]

    model = Scripted(broken("provider_unavailable", provider_status=503), broken("provider_unavailable", provider_status=500))
    plan = {"retry": {"count": 5, "on_codes": [503]}}
    with_plan(database_url, redis_url, {"scripted": model}, plan, play)


def test_the_price_is_that_of_the_model_that_was_asked(database_url: str, redis_url: str) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        await worker.play(response_id)
        usage = (await rows.row(pool, response_id))["usage"]
        assert usage["input_cost"] > 0
        assert usage["total_cost"] == pytest.approx(usage["input_cost"] + usage["output_cost"])

    models: dict[str, Model] = {"scripted": Scripted(broken("insufficient_quota")), "openai": Scripted(says("a"))}
    with_plan(database_url, redis_url, models, {"models": ["scripted/one", "openai/gpt-4o"]}, play)

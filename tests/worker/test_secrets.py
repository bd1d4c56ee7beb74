"""Secrets are opened when they are used, and stand in nothing that is kept or told."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, cast

import orjson
import pytest

from agents.models.base import Finished, ModelError, TextDelta
from agents.models.scripted import Scripted, call
from agents.tools import registry
from agents.tools.base import Call, ToolError
from shared import db, vault
from shared.items import Json
from shared.keyring import Key, Keyring
from shared.vault import Vault
from tests import rows
from tests.worker.stage import COST, Played, Stage, stage

SECRET = "s3cr3t-canary-4711"
DONE = Finished(reason="stop", usage=COST)
CLOCK = {"tools": [{"type": "orq:current_date"}]}

Play = Callable[[db.Pool, Stage, str], Awaitable[None]]


@dataclass
class Curious(Played):
    """A tool that keeps what it was told."""

    calls: list[Call] = field(default_factory=list)

    async def run(self, _spec: Json, _arguments: Json, call: Call, /) -> Any:
        self.calls.append(call)
        return await self.act()


def with_secret(database_url: str, redis_url: str, model: Scripted, play: Play, *, stored: bool = True) -> None:
    async def main() -> None:
        async with rows.pool_of(database_url, size=8) as pool, stage(pool, redis_url, model) as worker:
            worker.runtime.vault = Vault(Keyring([Key("k1", b"k" * 32)]))
            project_id = await rows.add_project(pool)
            response_id = await rows.add_response(pool, project_id, **CLOCK)
            plan = {"secrets": ["sec_1"], "variables": {"token": {"secret": "sec_1"}, "city": "Delft"}}
            await rows.change(pool, response_id, request=f"request || '{orjson.dumps(plan).decode()}'")
            if stored:
                async with db.transaction(pool) as session:
                    await vault.put(session, worker.runtime.vault, project_id, {"sec_1": SECRET}, response_id=response_id)
            await play(pool, worker, response_id)

    asyncio.run(main())


async def leaks(pool: db.Pool, worker: Stage) -> bool:
    """Say whether the secret stands anywhere it should not."""
    kept = await rows.everything(pool)
    said = b"".join(page.frames for _, page, _ in worker.redis.published)
    logs = b"".join(bytes(page["frames"]) for page in kept["event_pages"])
    return SECRET in repr(kept) or SECRET.encode() in said + logs


def plays(monkeypatch: pytest.MonkeyPatch, act: Callable[[], Awaitable[Any]]) -> Curious:
    tool = Curious(act)
    monkeypatch.setitem(cast("dict[str, Any]", registry.TOOLS), "orq:current_date", tool)
    return tool


def test_a_tool_gets_secrets_in_clear_and_its_result_is_kept_without_them(
    database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def echo() -> Json:
        return {"sent": f"Bearer {SECRET}"}

    tool = plays(monkeypatch, echo)

    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        await worker.play(response_id)
        [made] = tool.calls
        assert (dict(made.variables), dict(made.secrets)) == ({"token": SECRET, "city": "Delft"}, {"sec_1": SECRET})
        assert (await rows.output(pool, response_id))[1]["result"] == {"sent": "Bearer [secret]"}
        assert not await leaks(pool, worker)

    with_secret(database_url, redis_url, Scripted([*call("orq_current_date"), DONE], [TextDelta("ok"), DONE]), play)


def test_a_tools_error_is_kept_without_secrets(database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse() -> None:
        raise ToolError(f"{SECRET} was refused.")

    plays(monkeypatch, refuse)

    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        await worker.play(response_id)
        assert (await rows.output(pool, response_id))[1]["error"] == "[secret] was refused."
        assert not await leaks(pool, worker)

    with_secret(database_url, redis_url, Scripted([*call("orq_current_date"), DONE], [TextDelta("ok"), DONE]), play)


def test_a_model_that_says_a_secret_is_heard_without_it(database_url: str, redis_url: str) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        await worker.play(response_id)
        assert (await rows.row(pool, response_id))["status"] == "completed"
        assert not await leaks(pool, worker)

    with_secret(database_url, redis_url, Scripted([TextDelta(f"It is {SECRET[:5]}"), TextDelta(f"{SECRET[5:]}!"), DONE]), play)


def test_a_provider_that_repeats_a_secret_in_its_error_is_quoted_without_it(database_url: str, redis_url: str) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        await worker.play(response_id)
        assert (await rows.row(pool, response_id))["error"]["message"] == "Bad: [secret]"
        assert not await leaks(pool, worker)

    with_secret(database_url, redis_url, Scripted([ModelError("invalid_prompt", f"Bad: {SECRET}")]), play)


def test_a_secret_that_is_gone_fails_the_response_at_once(database_url: str, redis_url: str) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        await worker.play(response_id)
        row = await rows.row(pool, response_id)
        assert (row["status"], row["error"]["code"]) == ("failed", "secret_gone")

    with_secret(database_url, redis_url, Scripted(), play, stored=False)


def test_a_locked_vault_fails_the_response_at_once(database_url: str, redis_url: str) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        worker.runtime.vault = Vault(Keyring())
        await worker.play(response_id)
        row = await rows.row(pool, response_id)
        assert (row["status"], row["error"]["code"]) == ("failed", "vault_locked")

    with_secret(database_url, redis_url, Scripted(), play)


def test_a_secret_that_went_while_the_model_spoke_fails_the_call(database_url: str, redis_url: str) -> None:
    async def play(pool: db.Pool, worker: Stage, response_id: str) -> None:
        from worker import advance, tool_calls

        await advance.advance(worker.runtime, response_id)
        await rows.execute(pool, "DELETE FROM secrets")
        await tool_calls.run_tool(worker.runtime, worker.hints.calls[0])
        [failed] = await rows.read(pool, "SELECT status, error FROM tool_calls")
        assert failed["status"] == "failed"
        assert "is gone" in failed["error"]

    with_secret(database_url, redis_url, Scripted([*call("orq_current_date"), DONE]), play)

"""What a step and a tool call tell of themselves, and how little of what was said."""

import os
from collections.abc import Callable, Iterator

import orjson
import pytest

from agents.models.base import Finished, ModelError, TextDelta
from agents.models.scripted import Scripted, call, says
from shared import db, telemetry
from shared.items import Json
from tests import collector as far
from tests.collector import Collector, Seen
from tests.worker.stage import COST, Stage
from tests.worker.test_children import with_helper
from tests.worker.test_secrets import SECRET, plays, with_secret

DONE = Finished(reason="stop", usage=COST)


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """A collector, which this process's environment names."""
    with far.collecting() as collecting:
        for name, value in collecting.env.items():
            monkeypatch.setenv(name, value)
        yield collecting


@pytest.fixture
def watched(database_url: str, redis_url: str, collector: Collector) -> Callable[..., list[Seen]]:
    """Play a response that has a secret, watched; give the spans in their order."""

    def watch(model: Scripted, *, content: bool) -> list[Seen]:
        async def play(_: db.Pool, worker: Stage, response_id: str) -> None:
            async with telemetry.exporting("rondo-worker", os.environ, content=content):
                await worker.play(response_id)

        with_secret(database_url, redis_url, model, play)
        return sorted(collector.spans, key=lambda span: span.begun)

    return watch


async def reveal() -> Json:
    return {"sent": f"Bearer {SECRET}"}


def talkative() -> Scripted:
    """A model that has a tool run, and repeats a secret."""
    return Scripted([*call("orq_current_date"), DONE], [TextDelta(f"The word is {SECRET}."), DONE])


def test_spans_hold_what_was_said_where_they_may_and_secrets_not_even_there(
    watched: Callable[..., list[Seen]], collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    plays(monkeypatch, reveal)
    spans = watched(talkative(), content=True)
    tool = next(span for span in spans if span.name.startswith("execute_tool")).attributes
    assert orjson.loads(tool["gen_ai.tool.call.result"]) == {"sent": "Bearer [secret]"}
    last = [span for span in spans if span.name == "invoke_agent"][-1].attributes
    assert orjson.loads(last["gen_ai.input.messages"])[0] == {"role": "user", "parts": [{"type": "text", "content": "hello"}]}
    assert orjson.loads(last["gen_ai.output.messages"])[-1]["parts"][0]["content"] == "The word is [secret]."
    assert not any(SECRET.encode() in body for body in collector.bodies)


def test_spans_hold_nothing_of_what_was_said_where_they_may_not(
    watched: Callable[..., list[Seen]], collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    plays(monkeypatch, reveal)
    assert len(watched(talkative(), content=False)) == 5
    assert not any(word in body for body in collector.bodies for word in (b"hello", b"The word", b"Bearer"))


def test_a_models_failure_fails_its_span_and_its_step_by_the_code(watched: Callable[..., list[Seen]]) -> None:
    step, call_ = watched(Scripted([ModelError("invalid_prompt", f"Bad: {SECRET}")]), content=True)
    assert (step.name, call_.name, call_.parent) == ("invoke_agent", "chat one", step.id)
    assert [span.attributes["error.type"] for span in (step, call_)] == ["invalid_prompt"] * 2
    assert step.attributes["rondo.outcome"] == "failed"
    assert "gen_ai.usage.input_tokens" not in call_.attributes


def test_a_delegated_response_stands_below_the_call_that_it_answers(
    database_url: str, redis_url: str, collector: Collector
) -> None:
    async def play(_: db.Pool, worker: Stage, response_id: str) -> None:
        async with telemetry.exporting("rondo-worker", os.environ):
            await worker.play(response_id)

    with_helper(database_url, redis_url, Scripted(says("The sum.")), play)
    (tool,) = (span for span in collector.spans if span.name == "execute_tool orq_subagent")
    (child,) = (span for span in collector.spans if span.attributes.get("rondo.model") == "helper/one")
    assert tool.attributes["rondo.outcome"] == "delegated"
    assert (child.trace, child.parent) == (tool.trace, tool.id)

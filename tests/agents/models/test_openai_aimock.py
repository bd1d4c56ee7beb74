"""OpenAI's two wires against a mock of them that is not ours, found by their providers' names as a worker finds them."""

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest

from agents.models import providers
from agents.models.base import (
    Finished,
    ModelEvent,
    ModelRequest,
    ReasoningDelta,
    ReasoningDone,
    ReasoningSummaryDelta,
    Timeouts,
    Usage,
)
from shared.items import Item, Json
from shared.settings import Settings
from tests.agents.models.examples import user
from tests.agents.models.taking import calls, collect, failure, text

WEATHER: Json = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
FORM: Json = {
    "format": {
        "type": "json_schema",
        "name": "weather",
        "schema": {"type": "object", "properties": {"city": {"type": "string"}, "celsius": {"type": "integer"}}},
    }
}

pytestmark = pytest.mark.parametrize("wire", ["openai-responses", "openai-chat"])


@pytest.fixture
def settings(aimock: str, tmp_path: Path) -> Settings:
    """Settings whose providers are the mock, each named as its wire."""
    file = tmp_path / "providers.toml"
    wires = ("openai-responses", "openai-chat")
    file.write_text("".join(f'[providers.{wire}]\nwire = "{wire}"\nbase_url = "{aimock}/v1"\n' for wire in wires))
    return Settings(providers_file=file)


def take(settings: Settings, wire: str, *items: Item, **fields: Any) -> list[ModelEvent]:
    """Take a turn of a model that the mock knows to reason."""

    async def taken() -> list[ModelEvent]:
        known = providers.load(settings, {})
        model, name = known.resolve(f"{wire}/o3")
        try:
            return await collect(model.stream(ModelRequest(model=name, items=list(items), **fields)))
        finally:
            await known.aclose()

    return asyncio.run(taken())


def test_a_text_is_streamed(settings: Settings, wire: str) -> None:
    events = take(settings, wire, user("say hello"))
    said = [event for event in events if not isinstance(event, ReasoningDone)]
    assert text(events) == "Hello from the mock, in a few pieces."
    assert len(said) == 9
    assert events[-1] == Finished(reason="stop", usage=Usage(input=12, output=9))


def test_a_tool_is_called_and_its_answer_is_read(settings: Settings, wire: str) -> None:
    question = user("weather in Paris")
    called = calls(take(settings, wire, question, tools=[WEATHER]))
    assert called == {"call_paris": ("get_weather", "function", '{"city":"Paris"}')}
    call = {"type": "function_call", "call_id": "call_paris", "name": "get_weather", "arguments": called["call_paris"][2]}
    answer = {"type": "function_call_output", "call_id": "call_paris", "output": "sunny"}
    assert text(take(settings, wire, question, call, answer, tools=[WEATHER])) == "It is sunny in Paris."


def test_tools_are_called_in_parallel(settings: Settings, wire: str) -> None:
    assert calls(take(settings, wire, user("weather in two cities"), tools=[WEATHER])) == {
        "call_oslo": ("get_weather", "function", '{"city":"Oslo"}'),
        "call_rome": ("get_weather", "function", '{"city":"Rome"}'),
    }


def test_a_text_may_come_before_a_call(settings: Settings, wire: str) -> None:
    events = take(settings, wire, user("explain, then look it up"), tools=[WEATHER])
    assert (text(events), list(calls(events))) == ("Let me look.", ["call_lima"])


def test_a_structured_answer_is_whole(settings: Settings, wire: str) -> None:
    assert orjson.loads(text(take(settings, wire, user("weather as an object"), text=FORM))) == {"city": "Paris", "celsius": 21}


def test_reasoning_comes_before_the_answer_and_may_go_back(settings: Settings, wire: str) -> None:
    question = user("think about it")
    events = take(settings, wire, question)
    thoughts = [event.text for event in events if isinstance(event, ReasoningDelta | ReasoningSummaryDelta)]
    (done,) = (event for event in events if isinstance(event, ReasoningDone))
    assert ("".join(thoughts), text(events)) == ("Two and two make four.", "Four.")
    assert done.opaque is not None
    again = take(settings, wire, question, {"type": "reasoning", "encrypted_content": done.opaque}, question)
    assert text(again) == "Four."


def test_an_answer_that_was_too_long_says_so(settings: Settings, wire: str) -> None:
    last = take(settings, wire, user("talk too long"))[-1]
    assert isinstance(last, Finished)
    assert last.reason == "max_output_tokens"


@pytest.mark.parametrize(
    ("words", "code", "status"),
    [
        ("hit the rate limit", "rate_limit_exceeded", 429),
        ("run out of credit", "insufficient_quota", 429),
        ("use a wrong key", "provider_authentication", 401),
        ("ask an unknown model", "model_not_found", 404),
        ("overflow the context", "context_length_exceeded", 400),
        ("send nonsense", "invalid_prompt", 400),
        ("overload it", "provider_unavailable", 503),
    ],
)
def test_a_refusal_has_our_code_and_its_status(settings: Settings, wire: str, words: str, code: str, status: int) -> None:
    error = failure(lambda: take(settings, wire, user(words)))
    assert (error.code, error.provider_status) == (code, status)


def test_a_rate_limit_says_how_long_to_wait(settings: Settings, wire: str) -> None:
    assert failure(lambda: take(settings, wire, user("hit the rate limit"))).retry_after == 7


def test_a_stream_that_is_cut_short_is_an_error_that_may_pass(settings: Settings, wire: str) -> None:
    error = failure(lambda: take(settings, wire, user("be cut short")))
    assert (error.code, error.retryable) == ("provider_protocol", True)


def test_a_provider_that_does_not_begin_is_given_up(settings: Settings, wire: str) -> None:
    impatient = Timeouts(first_token=0.3)
    assert failure(lambda: take(settings, wire, user("fall silent"), timeouts=impatient)).code == "provider_timeout"


def test_many_turns_share_a_client(settings: Settings, wire: str) -> None:
    async def together() -> list[str]:
        known = providers.load(settings, {})
        model, name = known.resolve(f"{wire}/o3")
        request = ModelRequest(model=name, items=[user("say hello")])
        try:
            return [text(events) for events in await asyncio.gather(*(collect(model.stream(request)) for _ in range(20)))]
        finally:
            await known.aclose()

    assert asyncio.run(together()) == ["Hello from the mock, in a few pieces."] * 20

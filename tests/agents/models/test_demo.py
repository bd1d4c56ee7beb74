"""The demo provider: what it says, which tools it calls, how it paces itself and how it fails."""

import asyncio
from dataclasses import replace
from typing import Any

import jsonschema
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.models import demo_intent, demo_script
from agents.models.base import (
    Finished,
    ModelError,
    ModelEvent,
    ModelRequest,
    Sampling,
    TextDelta,
    ToolCallDelta,
    ToolCallDone,
    ToolCallStarted,
)
from agents.models.demo import Demo
from shared.items import Item, Json

DATE: Json = {
    "type": "function",
    "name": "current_date",
    "description": "Tell the current date and time.",
    "parameters": {"type": "object", "properties": {"timezone": {"type": "string"}}, "required": []},
}
WEATHER: Json = {
    "type": "function",
    "name": "get_weather",
    "description": "Get the weather of a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}},
        "required": ["city", "unit"],
        "additionalProperties": False,
    },
}
SHELL: Json = {"type": "custom", "name": "shell", "description": "Run a command."}


def user(text: str) -> Item:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def ask(model: str, text: str, /, **fields: Any) -> ModelRequest:
    return ModelRequest(model=model, items=[user(text)], **fields)


def play(request: ModelRequest, demo: Demo | None = None) -> list[ModelEvent]:
    async def collect() -> list[ModelEvent]:
        return [event async for event in (demo or Demo()).stream(request)]

    return asyncio.run(collect())


def said(events: list[ModelEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def calls(events: list[ModelEvent]) -> dict[str, Any]:
    """Arguments by tool name, put together as a reader of the stream would."""
    names = {event.key: event.name for event in events if isinstance(event, ToolCallStarted)}
    parts: dict[str, str] = dict.fromkeys(names, "")
    for event in events:
        if isinstance(event, ToolCallDelta):
            parts[event.key] += event.arguments
    return {names[key]: orjson.loads(text) for key, text in parts.items()}


def answered(request: ModelRequest, *outputs: tuple[str, str]) -> ModelRequest:
    """Follow a request by calls of the named tools and their outputs."""
    items = list(request.items)
    for name, output in outputs:
        items.append({"type": "function_call", "call_id": f"c-{name}", "name": name, "arguments": "{}"})
        items.append({"type": "function_call_output", "call_id": f"c-{name}", "output": output})
    return replace(request, items=items)


def test_echo_answers_with_the_last_user_text_in_word_pieces() -> None:
    events = play(ask("echo", "Hello  there,\nworld"))
    assert [event.text for event in events if isinstance(event, TextDelta)] == ["Hello  ", "there,\n", "world"]


@given(st.text())
def test_pieces_joined_are_the_text(text: str) -> None:
    assert "".join(demo_script.pieces(text)) == text


def test_a_turn_ends_with_its_word_counts() -> None:
    last = play(ask("echo", "one two three", instructions="Be brief."))[-1]
    assert isinstance(last, Finished)
    assert last.reason == "stop"
    assert last.usage is not None
    assert (last.usage.input, last.usage.output) == (5, 3)


def test_output_beyond_the_limit_is_cut() -> None:
    events = play(ask("echo", "one two three", sampling=Sampling(max_output_tokens=2)))
    assert said(events) == "one two "
    assert isinstance(events[-1], Finished)
    assert events[-1].reason == "max_output_tokens"


def test_an_unknown_model_names_those_that_exist() -> None:
    with pytest.raises(ModelError, match="demo/echo, demo/assistant, demo/load") as caught:
        play(ask("gpt", "hello"))
    assert caught.value.code == "model_not_found"


def test_every_listed_model_answers() -> None:
    for model in Demo.models:
        assert isinstance(play(ask(model, "hello"))[-1], Finished)


def test_the_assistant_says_that_it_is_no_model() -> None:
    assert "not a language model" in said(play(ask("assistant", "Who are you?")))


def test_the_assistant_names_the_tools_it_was_given() -> None:
    assert "current_date, get_weather" in said(play(ask("assistant", "Hello!", tools=[DATE, WEATHER])))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("What day is it today?", {"current_date": {}}),
        ("What time is it in Europe/Amsterdam?", {"current_date": {"timezone": "Europe/Amsterdam"}}),
        ("How is the weather in New York in fahrenheit?", {"get_weather": {"city": "New York", "unit": "fahrenheit"}}),
        ("Will it rain in Paris?", {"get_weather": {"city": "Paris", "unit": "celsius"}}),
        (
            "Today's date, and the weather in Oslo, please.",
            {"current_date": {}, "get_weather": {"city": "Oslo", "unit": "celsius"}},
        ),
        ("Please update my profile.", {}),
    ],
)
def test_the_assistant_calls_the_tools_that_the_text_asks_for(text: str, expected: dict[str, Json]) -> None:
    assert calls(play(ask("assistant", text, tools=[DATE, WEATHER]))) == expected


def test_without_parallel_calls_the_assistant_calls_one_tool_after_the_other() -> None:
    request = ask("assistant", "The date and the weather in Oslo?", tools=[DATE, WEATHER], parallel_tool_calls=False)
    assert list(calls(play(request))) == ["current_date"]
    assert list(calls(play(answered(request, ("current_date", "Monday"))))) == ["get_weather"]


def test_the_assistant_tells_the_results_of_its_calls() -> None:
    request = ask("assistant", "The date and the weather in Oslo?", tools=[DATE, WEATHER])
    text = said(play(answered(request, ("current_date", "Monday"), ("get_weather", "4 degrees"))))
    assert "current_date gave Monday" in text
    assert "get_weather gave 4 degrees" in text


def test_outputs_of_an_earlier_question_do_not_answer_a_new_one() -> None:
    request = answered(ask("assistant", "What time is it?", tools=[DATE]), ("current_date", "Monday"))
    assert list(calls(play(replace(request, items=[*request.items, user("And what date is it?")])))) == ["current_date"]


@pytest.mark.parametrize(
    ("choice", "called"),
    [
        ("none", []),
        ("auto", []),
        ("required", ["current_date"]),
        ({"type": "function", "name": "get_weather"}, ["get_weather"]),
    ],
    ids=str,
)
def test_the_tool_choice_decides_over_the_text(choice: str | Json, called: list[str]) -> None:
    assert list(calls(play(ask("assistant", "Hello!", tools=[DATE, WEATHER], tool_choice=choice)))) == called


def test_a_custom_tool_gets_the_text_itself() -> None:
    events = play(ask("assistant", "run the shell", tools=[SHELL]))
    assert ToolCallDelta("0", "run ") in events
    started = next(event for event in events if isinstance(event, ToolCallStarted))
    assert started.kind == "custom"


def test_a_hosted_tool_is_not_called() -> None:
    assert calls(play(ask("assistant", "search the web", tools=[{"type": "web_search", "name": "search"}]))) == {}


def test_the_assistant_answers_a_json_schema_with_an_instance_of_it() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 3}}, "required": ["n"]}
    text = said(play(ask("assistant", "A number?", text={"format": {"type": "json_schema", "name": "n", "schema": schema}})))
    jsonschema.validate(orjson.loads(text), schema)


def test_the_assistant_answers_json_object_with_an_object() -> None:
    assert isinstance(orjson.loads(said(play(ask("assistant", "Hi", text={"format": {"type": "json_object"}})))), dict)


@pytest.mark.parametrize(
    ("properties", "text", "expected"),
    [
        ({"a": {"type": "integer"}, "b": {"type": "integer"}}, "add 2 and 40", {"a": 2, "b": 40}),
        ({"amount": {"type": "number"}}, "convert 2.5 litres", {"amount": 2.5}),
        ({"email": {"type": "string"}}, "write to jo@example.com now", {"email": "jo@example.com"}),
        ({"url": {"type": "string"}}, "open https://example.com/a?b=1 please", {"url": "https://example.com/a?b=1"}),
        ({"query": {"type": "string"}}, 'search for "blue whales" now', {"query": "blue whales"}),
        ({"query": {"type": "string"}}, "find whales", {"query": "find whales"}),
        ({"query": {"type": "string", "maxLength": 4}}, "find whales", {"query": "find"}),
        ({"tz": {"type": "string"}}, "what time is it", {"tz": "UTC"}),
        ({"tz": {"type": "string", "default": "Asia/Tokyo"}}, "time in Europe/Rome", {"tz": "Asia/Tokyo"}),
        ({"unit": {"enum": ["c", "kelvin"]}}, "in Kelvin", {"unit": "kelvin"}),
        (
            {"deep": {"type": "object", "required": ["x"], "properties": {"x": {"type": "boolean"}}}},
            "go",
            {"deep": {"x": True}},
        ),
    ],
)
def test_required_arguments_are_found_in_the_text_or_made_up(properties: Json, text: str, expected: Json) -> None:
    tool = {"type": "function", "parameters": {"type": "object", "properties": properties, "required": list(properties)}}
    assert orjson.loads(demo_intent.arguments(tool, text)) == expected


def test_a_tool_without_parameters_is_called_with_an_empty_object() -> None:
    assert demo_intent.arguments({"type": "function", "name": "ping"}, "ping") == "{}"


@given(st.text())
def test_no_text_breaks_the_arguments(text: str) -> None:
    jsonschema.validate(orjson.loads(demo_intent.arguments(WEATHER, text)), WEATHER["parameters"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tokens=200 rate=50 tools=3", {"tokens": 200, "rate": 50, "tools": 3}),
        ("please: tokens=5, thanks", {"tokens": 5}),
        ("tools=5000", {"tools": 128}),
        ("nothing=1 tokens=-4 tokens=x", {}),
        ("fail=429 after=3", {"fail": 429, "after": 3}),
        ("delay_ms=20 some_tokens=3", {"delay_ms": 20}),
    ],
)
def test_directives_are_read_and_bounded(text: str, expected: dict[str, int]) -> None:
    assert demo_script.directives(text) == expected


def test_load_calls_the_first_tool_as_often_as_told_in_one_turn() -> None:
    events = play(ask("load", "tokens=2 tools=3", tools=[DATE, WEATHER]))
    assert [event.name for event in events if isinstance(event, ToolCallStarted)] == ["current_date"] * 3
    assert len({event.call_id for event in events if isinstance(event, ToolCallStarted)}) == 3
    assert [event.key for event in events if isinstance(event, ToolCallDone)] == ["0", "1", "2"]
    assert said(events) == ""


def test_load_numbers_its_tokens_once_its_calls_are_answered() -> None:
    request = ask("load", "tokens=3 tools=1", tools=[DATE])
    assert said(play(answered(request, ("current_date", "Monday")))) == "1 2 3 "


class Clock:
    """A clock that only moves when it is told to, and notes how long it was asked to sleep."""

    def __init__(self) -> None:
        self.now = 100.0
        self.waits: list[float] = []

    def read(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.waits.append(round(seconds, 6))
        self.now += seconds


def waits(text: str, pauses: list[float]) -> list[float]:
    """Read a load whose reader pauses after each token; return how long the demo slept before each."""
    clock = Clock()

    async def read() -> None:
        events = Demo(clock=clock.read, sleep=clock.sleep).stream(ask("load", text))
        for pause in pauses:
            await anext(events)
            clock.now += pause

    asyncio.run(read())
    return clock.waits


def test_load_keeps_its_schedule_although_its_reader_is_slow() -> None:
    assert waits("tokens=9 rate=10", [0.04] * 5) == [0.0, 0.06, 0.06, 0.06, 0.06]


def test_load_catches_up_after_its_reader_paused() -> None:
    assert waits("tokens=9 rate=10", [0.25, 0, 0, 0]) == [0.0, 0.0, 0.0, 0.05]


@pytest.mark.parametrize(
    ("text", "code", "spoken"),
    [
        ("tokens=5 fail=429 after=3", "rate_limit_exceeded", 3),
        ("tokens=5 fail=503", "provider_unavailable", 0),
        ("fail=401", "provider_authentication", 0),
        ("tokens=2 fail=400 after=9", "invalid_prompt", 2),
    ],
)
def test_load_fails_as_told(text: str, code: str, spoken: int) -> None:
    heard: list[ModelEvent] = []

    async def read() -> None:
        async for event in Demo().stream(ask("load", text)):
            heard.append(event)  # noqa: PERF401 - what was heard before the failure is the point

    with pytest.raises(ModelError) as caught:
        asyncio.run(read())
    assert caught.value.code == code
    assert len(heard) == spoken

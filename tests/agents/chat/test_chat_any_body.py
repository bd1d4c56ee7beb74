"""Whatever a body holds, it is answered, or refused with a sentence: by the translation, and by the wire it is sent over."""

import asyncio
from collections.abc import Callable
from typing import Final

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.chat import options
from agents.models.anthropic import Anthropic
from agents.models.base import Model, ModelError
from agents.models.demo import Demo
from agents.models.google import Google
from agents.models.openai_responses import OpenAIResponses
from agents.models.provider import Provider
from agents.models.upstream import Ask
from shared.items import Json
from tests.agents.chat.chatting import read, say

MEMBERS: Final = sorted({*options.READ, *options.PASSED, *options.IGNORED} - {"messages"})
WORDS: Final = [
    *("function", "custom", "text", "image_url", "input_audio", "file", "json_schema", "allowed_tools", "required", "enabled"),
    *("user", "assistant", "tool", "c1", "f", "auto", "high", "data:image/png;base64,AA==", "", "{}"),
]
NAMES: Final = [
    *("type", "name", "function", "custom", "text", "content", "image_url", "url", "file", "file_data", "input_audio", "data"),
    *(
        "json_schema",
        "schema",
        "parameters",
        "properties",
        "items",
        "anyOf",
        "format",
        "budget_tokens",
        "effort",
        "mode",
        "tools",
    ),
]
values: st.SearchStrategy[object] = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 9) | st.floats(allow_nan=False) | st.sampled_from(WORDS) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=10,
)
contents = st.sampled_from(["Hi", ""]) | st.lists(
    st.builds(
        lambda kind, inner: {"type": kind, **inner}, st.sampled_from(WORDS), st.dictionaries(st.sampled_from(NAMES), values)
    ),
    max_size=2,
)
functions = st.builds(
    lambda name, schema: {"type": "function", "function": {"name": name, "parameters": schema}},
    st.sampled_from(["f", "g"]),
    st.dictionaries(st.sampled_from(NAMES), values, max_size=3),
)
CALL: Final = {"role": "assistant", "tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": "["}}]}
messages = st.lists(
    st.one_of(
        st.builds(lambda role, content: {"role": role, "content": content}, st.sampled_from(["user", "system"]), contents),
        st.builds(
            lambda said: {"role": "assistant", **said}, st.dictionaries(st.sampled_from(["content", "tool_calls"]), values)
        ),
        st.just(CALL),
        contents.map(lambda content: {"role": "tool", "tool_call_id": "c1", "content": content}),
        values,
    ),
    max_size=4,
)
bodies = st.builds(
    lambda members, said, offered: {**members, "messages": said, **({"tools": offered} if offered else {})},
    st.dictionaries(st.sampled_from(MEMBERS), values, max_size=3),
    messages,
    st.lists(functions, max_size=2),
)


def _down(_request: httpx2.Request) -> httpx2.Response:
    return httpx2.Response(503)


Make = Callable[[httpx2.AsyncClient, Provider], Model]

wires = pytest.mark.parametrize(
    ("make", "model"),
    [(Anthropic, "claude-opus-5"), (Anthropic, "claude-3-haiku"), (Google, "gemini-2.5-pro"), (OpenAIResponses, "gpt-5")],
)


async def outcome(make: Make, model: str, body: Json) -> bool | str:
    """Say whether a body was answered, or with which code it was refused."""
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(_down)) as client:
        provider = Provider(name="p", wire="anthropic", base_url="https://p.test")
        try:
            return bool(await read(make(client, provider), Ask(endpoint="chat/completions", model=model, body=body)))
        except ModelError as error:
            return error.code


@wires
@given(body=bodies)
def test_every_body_is_refused_or_sent(make: Make, model: str, body: Json) -> None:
    assert asyncio.run(outcome(make, model, body)) in {"invalid_prompt", "provider_unavailable"}


schemas = st.dictionaries(st.sampled_from([*NAMES, "$defs", "oneOf", "enum", "const", "description"]), values, max_size=4)
forms = st.builds(lambda schema: {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}, schemas)
tools = st.builds(lambda schema: {"type": "function", "function": {"name": "f", "parameters": schema}}, schemas)


@wires
@given(form=forms, tool=tools)
def test_every_schema_is_sent(make: Make, model: str, form: Json, tool: Json) -> None:
    body = {"messages": say("Hi"), "response_format": form, "tools": [tool]}
    assert asyncio.run(outcome(make, model, body)) == "provider_unavailable"


@given(body=bodies)
def test_every_body_is_refused_or_answered_by_the_demo(body: Json) -> None:
    told = asyncio.run(outcome(lambda _client, _provider: Demo(), "echo", body))
    assert told is True or told == "invalid_prompt"

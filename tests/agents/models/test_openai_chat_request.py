"""A turn as a Chat Completions request, for the servers that know more or less of it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.models import opaque
from agents.models.base import ModelRequest, Sampling
from agents.models.openai_chat import OpenAIChat
from agents.models.provider import Provider
from shared.items import Item, Json, Part
from tests.agents.models.examples import call, entries, output, user
from tests.agents.models.taking import Canned, failure, frames, take

VLLM, OPENAI, MISTRAL = "http://gpu:8000/v1", "https://api.openai.com/v1", "https://api.mistral.ai/v1"
STOP: Json = {"choices": [{"delta": {}, "finish_reason": "stop"}]}
FUNCTION: Json = {"type": "function", "name": "f", "description": "Do.", "parameters": {"type": "object"}, "strict": True}
CUSTOM: Json = {"type": "custom", "name": "g", "format": {"type": "grammar", "syntax": "lark", "definition": "start: A"}}


def sent(*items: Item, base_url: str = VLLM, model: str = "m", **fields: Any) -> Json:
    """Take a turn, and return the body that it sent."""
    canned = Canned(frames(STOP))
    adapter = OpenAIChat(canned.client(), Provider(name="p", wire="openai-chat", base_url=base_url))
    take(adapter, ModelRequest(model=model, items=list(items), **fields))
    return canned.sent


def messages(*items: Item, **fields: Any) -> list[Json]:
    given: list[Json] = sent(*items, **fields)["messages"]
    return given


def image(**members: str) -> Part:
    return {"type": "input_image", **members}


def test_the_least_request_streams_and_asks_for_usage() -> None:
    assert sent(user("hi")) == {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_what_the_client_gave_is_sent_and_nothing_else() -> None:
    body = sent(
        user("hi"),
        sampling=Sampling(temperature=0, top_k=5, presence_penalty=0.1, max_output_tokens=9, stop=("END",), top_logprobs=2),
        text={"format": {"type": "json_object"}, "verbosity": "low"},
        reasoning={"effort": "high", "summary": "auto"},
        passthrough={"user": "u", "metadata": {"a": "b"}, "prompt_cache_key": "k", "include": []},
    )
    assert {name: body[name] for name in body if name not in {"model", "messages", "stream", "stream_options"}} == {
        "temperature": 0,
        "top_k": 5,
        "presence_penalty": 0.1,
        "max_tokens": 9,
        "stop": ["END"],
        "logprobs": True,
        "top_logprobs": 2,
        "response_format": {"type": "json_object"},
        "verbosity": "low",
        "reasoning_effort": "high",
        "user": "u",
    }


@pytest.mark.parametrize(
    ("base_url", "model", "member"),
    [
        (VLLM, "llama", "max_tokens"),
        (VLLM, "gpt-oss-120b", "max_tokens"),
        (VLLM, "openai/gpt-5-mini", "max_completion_tokens"),
        (VLLM, "o3", "max_completion_tokens"),
        (OPENAI, "gpt-4o", "max_completion_tokens"),
        ("https://me.openai.azure.com/openai/v1", "mine", "max_completion_tokens"),
        ("https://notopenai.com/v1", "llama", "max_tokens"),
        (MISTRAL, "mistral-large", "max_tokens"),
    ],
)
def test_the_limit_has_the_name_that_the_server_knows(base_url: str, model: str, member: str) -> None:
    body = sent(user("hi"), base_url=base_url, model=model, sampling=Sampling(max_output_tokens=9))
    assert {name for name in body if name.startswith("max_")} == {member}


def test_a_strict_server_is_sent_only_what_it_knows() -> None:
    body = sent(user("hi"), base_url=MISTRAL, passthrough={"user": "u", "prompt_cache_key": "k", "service_tier": "flex"})
    assert body.keys() == {"model", "messages", "stream"}


def test_openai_is_sent_what_it_knows() -> None:
    body = sent(user("hi"), base_url=OPENAI, passthrough={"prompt_cache_key": "k", "safety_identifier": "s", "metadata": {}})
    assert body.keys() == {"model", "messages", "stream", "stream_options", "prompt_cache_key", "safety_identifier"}


def test_a_schema_is_wrapped_as_chat_has_it() -> None:
    format_ = {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True, "description": None}
    assert sent(user("hi"), text={"format": format_})["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": True},
    }


def test_functions_are_wrapped_custom_tools_become_functions_and_hosted_tools_are_skipped() -> None:
    tools = [FUNCTION, CUSTOM, {"type": "web_search"}]
    body = sent(user("hi"), tools=tools, tool_choice={"type": "custom", "name": "g"}, parallel_tool_calls=False)
    function, custom = body["tools"]
    assert function == {"type": "function", "function": {name: FUNCTION[name] for name in FUNCTION if name != "type"}}
    assert custom["function"]["name"] == "g"
    assert custom["function"]["parameters"]["required"] == ["input"]
    assert custom["function"]["description"] == "The input must follow this grammar (lark):\nstart: A"
    assert body["tool_choice"] == {"type": "function", "function": {"name": "g"}}
    assert body["parallel_tool_calls"] is False


def test_without_tools_nothing_about_tools_is_sent() -> None:
    assert not {"tools", "tool_choice", "parallel_tool_calls"} & sent(user("hi"), tools=[{"type": "web_search"}]).keys()


def test_system_and_developer_messages_are_one_and_come_first() -> None:
    told = messages(user("hi"), {"role": "developer", "content": "b"}, {"role": "system", "content": "c"}, instructions="a")
    assert told == [{"role": "system", "content": "a\n\nb\n\nc"}, {"role": "user", "content": "hi"}]


def test_a_models_turn_is_one_message_followed_by_its_answers() -> None:
    said: Item = {"role": "assistant", "content": [{"type": "output_text", "text": "Let me see."}]}
    custom: Item = {"type": "custom_tool_call", "call_id": "c2", "name": "g", "input": "x"}
    answer: Item = {"type": "custom_tool_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "y"}]}
    assert messages(user("hi"), said, call("c1"), custom, output("c1"), answer, user("so?")) == [
        {"role": "user", "content": "hi"},
        {
            "role": "assistant",
            "content": "Let me see.",
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}},
                {"id": "c2", "type": "function", "function": {"name": "g", "arguments": '{"input":"x"}'}},
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "o"},
        {"role": "tool", "tool_call_id": "c2", "content": "y"},
        {"role": "user", "content": "so?"},
    ]


def test_an_image_that_a_tool_gave_is_shown_by_the_user() -> None:
    shown: Item = {**output("c1"), "output": [{"type": "input_text", "text": "a cat"}, image(image_url="https://h/a.png")]}
    assert messages(user("hi"), call("c1"), shown)[2:] == [
        {"role": "tool", "tool_call_id": "c1", "content": "a cat"},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://h/a.png"}}]},
    ]


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (image(image_url="https://h/a.png", detail="low"), {"image_url": {"url": "https://h/a.png", "detail": "low"}}),
        (image(image_url="data:image/gif;base64,AAAA", detail="auto"), {"image_url": {"url": "data:image/gif;base64,AAAA"}}),
        ({"type": "input_file", "file_id": "file-1"}, {"file": {"file_id": "file-1"}}),
        (
            {"type": "input_file", "filename": "a.pdf", "file_data": "AAAA"},
            {"file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"}},
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
            {"input_audio": {"data": "AAAA", "format": "mp3"}},
        ),
    ],
)
def test_images_files_and_audio_are_sent(part: Part, expected: Json) -> None:
    kind = next(iter(expected))
    (message,) = messages({"role": "user", "content": [{"type": "input_text", "text": "See:"}, part]})
    assert message["content"] == [{"type": "text", "text": "See:"}, {"type": kind, **expected}]


@pytest.mark.parametrize("part", [image(file_id="file-1"), {"type": "input_file", "file_url": "https://h/a.pdf"}])
def test_what_the_wire_cannot_carry_is_refused(part: Part) -> None:
    error = failure(lambda: messages({"role": "user", "content": [part]}))
    assert (error.code, part["type"] in error.message) == ("invalid_prompt", True)


@given(st.lists(entries, max_size=12))
def test_every_call_is_answered_before_anything_else_is_said(items: list[Item]) -> None:
    open_calls: list[str] = []
    for message in messages(*items):
        if message["role"] == "tool":
            open_calls.remove(message["tool_call_id"])
        else:
            assert not open_calls
            open_calls = [made["id"] for made in message.get("tool_calls", ())]
    assert not open_calls


def thought(text: str) -> Item:
    """The reasoning item of a turn in which a server thought this."""
    return {
        "type": "reasoning",
        "encrypted_content": opaque.seal("openai-chat:p", {"member": "reasoning_content", "text": text}),
    }


def test_reasoning_goes_back_while_the_model_answers_the_same_question() -> None:
    items = [user("hi"), thought("old"), call("c0"), output("c0"), user("and?"), thought("new"), call("c1"), output("c1")]
    assert [message.get("reasoning_content") for message in messages(*items) if message["role"] == "assistant"] == [None, "new"]


def test_reasoning_does_not_go_to_servers_that_refuse_it() -> None:
    assert "reasoning_content" not in messages(user("hi"), thought("new"), call("c1"), output("c1"), base_url=MISTRAL)[1]

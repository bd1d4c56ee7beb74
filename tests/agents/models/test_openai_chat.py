"""The Chat Completions wire: what is sent to which server, and what is made of the chunks that they write."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.models.base import (
    AnnotationAdded,
    Finished,
    ModelEvent,
    ModelRequest,
    ReasoningDelta,
    ReasoningDone,
    RefusalDelta,
    Sampling,
    TextDelta,
    ToolCallDone,
    Usage,
)
from agents.models.openai_chat import OpenAIChat
from agents.models.provider import Provider
from shared.items import Item, Json, Part
from tests.agents.models.examples import call, entries, output, user
from tests.agents.models.taking import Canned, calls, failure, frames, take, text

VLLM, OPENAI, MISTRAL = "http://gpu:8000/v1", "https://api.openai.com/v1", "https://api.mistral.ai/v1"
STOP: Json = {"choices": [{"delta": {}, "finish_reason": "stop"}]}
DONE = Finished(reason="stop", usage=None)
FUNCTION: Json = {"type": "function", "name": "f", "description": "Do.", "parameters": {"type": "object"}, "strict": True}
CUSTOM: Json = {"type": "custom", "name": "g", "format": {"type": "grammar", "syntax": "lark", "definition": "start: A"}}


def adapter(canned: Canned, base_url: str = VLLM) -> OpenAIChat:
    return OpenAIChat(canned.client(), Provider(name="p", wire="openai-chat", base_url=base_url))


def sent(*items: Item, base_url: str = VLLM, model: str = "m", **fields: Any) -> Json:
    """Take a turn, and return the body that it sent."""
    canned = Canned(frames(STOP))
    take(adapter(canned, base_url), ModelRequest(model=model, items=list(items), **fields))
    return canned.sent


def messages(*items: Item, **fields: Any) -> list[Json]:
    given: list[Json] = sent(*items, **fields)["messages"]
    return given


def heard(*chunks: Json | str, tools: list[Json] | None = None) -> list[ModelEvent]:
    return take(adapter(Canned(frames(*chunks))), ModelRequest(model="m", items=[], tools=tools or []))


def failing(*chunks: Json | str) -> Callable[[], object]:
    return lambda: heard(*chunks)


def delta(**members: Any) -> Json:
    return {"choices": [{"index": 0, "delta": members, "finish_reason": None}]}


def calling(*pieces: Json) -> Json:
    return delta(tool_calls=list(pieces))


def piece(arguments: str | Json | None = "", **members: Any) -> Json:
    """One element of `tool_calls`; `name` goes where names go."""
    function = {"arguments": arguments, **({"name": members.pop("name")} if "name" in members else {})}
    return {**members, "function": function}


def image(**members: str) -> Part:
    return {"type": "input_image", **members}


# What is sent.


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


def thought(text_: str) -> Item:
    """The reasoning item of a turn in which a server thought this."""
    events = heard(delta(reasoning_content=text_), delta(content="x"), STOP)
    sealed = next(event.opaque for event in events if isinstance(event, ReasoningDone))
    return {"type": "reasoning", "encrypted_content": sealed}


def test_reasoning_goes_back_while_the_model_answers_the_same_question() -> None:
    items = [user("hi"), thought("old"), call("c0"), output("c0"), user("and?"), thought("new"), call("c1"), output("c1")]
    assert [message.get("reasoning_content") for message in messages(*items) if message["role"] == "assistant"] == [None, "new"]


def test_reasoning_does_not_go_to_servers_that_refuse_it() -> None:
    assert "reasoning_content" not in messages(user("hi"), thought("new"), call("c1"), output("c1"), base_url=MISTRAL)[1]


# What is heard.


def test_text_is_heard_with_its_logprobs() -> None:
    first = delta(role="assistant", content="")
    second = {"choices": [{"delta": {"content": "Hi"}, "logprobs": {"content": [{"token": "Hi", "logprob": -0.1}]}}]}
    assert heard(first, second, STOP, "[DONE]") == [TextDelta("Hi", ({"token": "Hi", "logprob": -0.1},)), DONE]


def test_a_refusal_and_a_citation_are_heard() -> None:
    citation = {"type": "url_citation", "url_citation": {"url": "u", "title": "t", "start_index": 0, "end_index": 1}}
    events = heard(delta(content="Hi"), delta(annotations=[citation]), delta(refusal="No."), STOP)
    assert events[1:3] == [
        AnnotationAdded({"type": "url_citation", "url": "u", "title": "t", "start_index": 0, "end_index": 1}),
        RefusalDelta("No."),
    ]


@pytest.mark.parametrize("member", ["reasoning_content", "reasoning"])
def test_reasoning_is_heard_and_ends_where_the_answer_begins(member: str) -> None:
    thinking = ({**delta(content=None, **{member: part})} for part in ("Two ", "and two"))
    events = heard(*thinking, delta(content="Four", **{member: None}), STOP)
    assert [type(event) for event in events] == [ReasoningDelta, ReasoningDelta, ReasoningDone, TextDelta, Finished]


def test_reasoning_as_part_of_the_content_is_told_from_the_text() -> None:
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}
    events = heard(delta(content=[thinking]), delta(content=[{"type": "text", "text": "Four"}]), STOP)
    assert events == [ReasoningDelta("Hm."), ReasoningDone(), TextDelta("Four"), DONE]


A, B = ("f", "function", '{"n":1}'), ("f", "function", '{"n":2}')


@pytest.mark.parametrize(
    "chunks",
    [
        [
            calling(piece(index=0, id="a", name="f"), piece(index=1, id="b", name="f")),
            calling(piece('{"n"', index=0), piece('{"n"', index=1)),
            calling(piece(":1}", index=0), piece(":2}", index=1)),
        ],
        [calling(piece('{"n":1}', index=0, id="a", name="f")), calling(piece('{"n":2}', index=0, id="b", name="f"))],
        [calling(piece('{"n":1}', id="a", name="f"), piece('{"n":2}', id="b", name="f"))],
        [
            calling(piece('{"n"', index=0, id="a", name="f")),
            calling(piece(":1}", index=0, id="a", name="f")),
            calling(piece('{"n":2}', index=1, id="b", name="f")),
        ],
        [
            calling(piece("", index=0, id="a", name="f")),
            calling(piece('{"n":1}', index=0, id="x1")),
            calling(piece("", index=1, id="b", name="f")),
            calling(piece('{"n":2}', index=1, id="x2")),
        ],
        [calling(piece({"n": 1}, index=0, id="a", name="f"), piece({"n": 2}, index=1, id="b", name="f"))],
        [
            calling(piece(None, index=0, id="a")),
            calling(piece('{"n":1}', index=0, name="f")),
            calling(piece('{"n":2}', index=1, id="b", name="f")),
        ],
    ],
    ids=["interleaved", "one index", "no index", "repeated", "a new id each time", "objects", "name late"],
)
def test_calls_are_told_apart_however_a_server_numbers_them(chunks: list[Json]) -> None:
    events = heard(*chunks, STOP)
    assert calls(events) == {"a": A, "b": B}
    assert sum(isinstance(event, ToolCallDone) for event in events) == 2


def test_calls_without_ids_and_numbers_are_told_apart_and_get_ids() -> None:
    events = heard(calling(piece('{"n"', name="f")), calling(piece(":1}", name="f")), calling(piece('{"n":2}', name="f")), STOP)
    made = calls(events)
    assert list(made.values()) == [A, B]
    assert all(call_id.startswith("call_") for call_id in made)


def test_a_custom_tools_input_is_unwrapped() -> None:
    pieces = (calling(piece('{"inp', index=0, id="a", name="g")), calling(piece('ut":"x\\ny"}', index=0)))
    assert calls(heard(*pieces, STOP, tools=[CUSTOM])) == {"a": ("g", "custom", "x\ny")}


def test_a_custom_tools_input_that_was_not_wrapped_is_taken_as_it_is() -> None:
    assert calls(heard(calling(piece("x y", id="a", name="g")), STOP, tools=[CUSTOM])) == {"a": ("g", "custom", "x y")}


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ("stop", "stop"),
        ("tool_calls", "stop"),
        ("eos", "stop"),
        ("length", "max_output_tokens"),
        ("model_length", "max_output_tokens"),
        ("content_filter", "content_filter"),
    ],
)
def test_the_reason_to_finish_is_read(told: str, reason: str) -> None:
    (event,) = heard({"choices": [{"delta": {}, "finish_reason": told}]}, "[DONE]")
    assert isinstance(event, Finished)
    assert event.reason == reason


@pytest.mark.parametrize(
    ("given", "usage"),
    [
        ({"prompt_tokens": 5, "completion_tokens": 3}, Usage(input=5, output=3)),
        (
            {
                "prompt_tokens": 5,
                "prompt_tokens_details": {"cached_tokens": 4},
                "completion_tokens": 3,
                "completion_tokens_details": {"reasoning_tokens": 2},
                "total_tokens": 8,
            },
            Usage(input=5, cached=4, output=3, reasoning=2),
        ),
        ({"prompt_tokens": 5, "prompt_cache_hit_tokens": 4, "completion_tokens": 3}, Usage(input=5, cached=4, output=3)),
        (
            {
                "prompt_tokens": 5,
                "completion_tokens": 3,
                "completion_tokens_details": {"reasoning_tokens": 2},
                "total_tokens": 10,
            },
            Usage(input=5, output=5, reasoning=2),
        ),
    ],
    ids=["plain", "details", "cache hits", "reasoning beside the output"],
)
@pytest.mark.parametrize("place", ["last", "choice", "groq"])
def test_usage_is_read_wherever_it_stands(given: Json, usage: Usage, place: str) -> None:
    match place:
        case "last":
            last: Json = {"choices": [], "usage": given}
        case "choice":
            last = {"choices": [{"delta": {}, "usage": given}]}
        case _:
            last = {"choices": [], "x_groq": {"usage": given}}
    (event,) = heard(STOP, last, "[DONE]")
    assert event == Finished(reason="stop", usage=usage)


def test_a_stream_may_lack_its_last_mark_but_not_a_reason_to_finish() -> None:
    assert heard(delta(content="Hi"), STOP)[-1] == DONE
    assert failure(failing(delta(content="Hi"))).code == "provider_protocol"


@pytest.mark.parametrize("reason", ["error", "insufficient_system_resource"])
def test_a_server_that_gives_up_is_unavailable(reason: str) -> None:
    error = failure(failing({"choices": [{"delta": {}, "finish_reason": reason}]}, "[DONE]"))
    assert error.code == "provider_unavailable"


def test_an_error_within_the_stream_is_an_error() -> None:
    error = failure(failing(delta(content="Hi"), {"error": {"code": 502, "message": "Upstream."}, "choices": []}))
    assert (error.code, error.message) == ("provider_unavailable", "Upstream.")


@given(st.lists(st.text(min_size=1, max_size=5), max_size=5))
def test_a_text_is_the_sum_of_its_pieces(pieces: list[str]) -> None:
    assert text(heard(*(delta(content=part) for part in pieces), STOP)) == "".join(pieces)


def test_arguments_reach_the_client_as_they_were_written() -> None:
    written = '{ "n" :\n1.0 }'
    assert calls(heard(calling(piece(written, index=0, id="a", name="f")), STOP))["a"][2] == written

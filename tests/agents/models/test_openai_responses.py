"""The Responses wire: what is sent, and what is made of the provider's events."""

from collections.abc import Callable
from typing import Any

import pytest

from agents.models.base import (
    AnnotationAdded,
    Finished,
    ItemDone,
    ModelEvent,
    ModelRequest,
    ReasoningDelta,
    ReasoningDone,
    ReasoningSummaryDelta,
    RefusalDelta,
    Sampling,
    TextDelta,
    ToolCallDelta,
    ToolCallDone,
    ToolCallStarted,
    Usage,
)
from agents.models.openai_responses import OpenAIResponses
from agents.models.provider import Provider
from shared.items import Item, Json
from tests.agents.models.examples import call, output, user
from tests.agents.models.taking import Canned, failure, frames, take

COMPLETED: Json = {"type": "response.completed", "response": {"status": "completed"}}
DONE = Finished(reason="stop", usage=None)


def adapter(canned: Canned, *, name: str = "openai") -> OpenAIResponses:
    return OpenAIResponses(canned.client(), Provider(name=name, wire="openai-responses", base_url="http://h/v1"))


def sent(*items: Item, model: str = "gpt-5", **fields: Any) -> Json:
    """Take a turn, and return the body that it sent."""
    canned = Canned(frames(COMPLETED))
    take(adapter(canned), ModelRequest(model=model, items=list(items), **fields))
    return canned.sent


def heard(*events: Json | str) -> list[ModelEvent]:
    return take(adapter(Canned(frames(*events))), ModelRequest(model="gpt-5", items=[]))


def failing(*events: Json) -> Callable[[], object]:
    return lambda: heard(*events)


def added(index: int, item: Item) -> Json:
    return {"type": "response.output_item.added", "output_index": index, "item": item}


def done(index: int, item: Item) -> Json:
    return {"type": "response.output_item.done", "output_index": index, "item": item}


def delta(kind: str, text: str, index: int = 0, **members: Any) -> Json:
    return {"type": f"response.{kind}.delta", "output_index": index, "delta": text, **members}


def test_the_least_request_streams_stores_nothing_and_asks_for_the_reasoning() -> None:
    assert sent(user("hi")) == {
        "model": "gpt-5",
        "input": [{"type": "message", "role": "user", "content": "hi"}],
        "stream": True,
        "store": False,
        "include": ["reasoning.encrypted_content"],
    }


@pytest.mark.parametrize("model", ["gpt-4o", "gpt-4.1-mini", "ft:gpt-4o:me", "chatgpt-4o-latest", "gpt-5-chat-latest"])
def test_a_model_without_reasoning_is_not_asked_for_it(model: str) -> None:
    assert "include" not in sent(user("hi"), model=model)


def test_what_the_client_gave_is_sent_and_nothing_else() -> None:
    body = sent(
        user("hi"),
        instructions="Be brief.",
        sampling=Sampling(temperature=0, top_p=0.5, max_output_tokens=99, stop=("END",)),
        text={"format": {"type": "json_object"}, "verbosity": None},
        reasoning={"effort": "low", "summary": None, "budget_tokens": 2000},
        passthrough={"prompt_cache_key": "k", "include": ["message.output_text.logprobs"]},
    )
    assert {name: body[name] for name in body if name not in {"model", "input", "stream", "store"}} == {
        "instructions": "Be brief.",
        "temperature": 0,
        "top_p": 0.5,
        "max_output_tokens": 99,
        "stop": ["END"],
        "text": {"format": {"type": "json_object"}},
        "reasoning": {"effort": "low"},
        "prompt_cache_key": "k",
        "include": ["message.output_text.logprobs", "reasoning.encrypted_content"],
    }


def test_tools_pass_as_they_are() -> None:
    tools: list[Json] = [{"type": "function", "name": "f", "parameters": {}, "strict": None}, {"type": "web_search"}]
    body = sent(user("hi"), tools=tools, tool_choice="required", parallel_tool_calls=False)
    assert body["tools"] == [{"type": "function", "name": "f", "parameters": {}}, {"type": "web_search"}]
    assert (body["tool_choice"], body["parallel_tool_calls"]) == ("required", False)


def test_items_lose_the_ids_that_the_provider_does_not_know() -> None:
    parts = [{"type": "input_image", "image_url": "https://h/a.png"}]
    items: list[Item] = [
        {"type": "message", "id": "msg_1", "status": "completed", "role": "user", "content": parts},
        {**call("c1"), "id": "fc_1", "status": "completed"},
        {**output("c1"), "id": "fco_1"},
        {"type": "custom_tool_call", "id": "ctc_1", "call_id": "c2", "name": "g", "input": "x"},
    ]
    assert sent(*items)["input"] == [
        {"type": "message", "role": "user", "content": parts},
        call("c1"),
        output("c1"),
        {"type": "custom_tool_call", "call_id": "c2", "name": "g", "input": "x"},
    ]


def test_an_assistants_plain_text_is_sent_as_a_string() -> None:
    content = [{"type": "output_text", "text": "a", "annotations": []}, {"type": "output_text", "text": "b"}]
    assert sent({"type": "message", "role": "assistant", "content": content})["input"][0]["content"] == "ab"


def test_an_assistants_refusal_is_sent_as_a_part() -> None:
    content = [{"type": "output_text", "text": "a", "annotations": []}, {"type": "refusal", "refusal": "No."}]
    assert sent({"type": "message", "role": "assistant", "content": content})["input"][0]["content"] == [
        {"type": "output_text", "text": "a"},
        {"type": "refusal", "refusal": "No."},
    ]


def test_the_items_of_hosted_tools_pass_and_extensions_do_not() -> None:
    hosted = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
    assert sent(hosted, {"type": "orq:current_date", "id": "x_1"})["input"] == [hosted]


def test_text_is_heard_with_its_logprobs_and_citations() -> None:
    events = heard(
        delta("output_text", "Hi", logprobs=[{"token": "Hi", "logprob": -0.1}]),
        {"type": "response.output_text.annotation.added", "annotation": {"type": "url_citation", "url": "u"}},
        COMPLETED,
    )
    assert events == [
        TextDelta("Hi", ({"token": "Hi", "logprob": -0.1},)),
        AnnotationAdded({"type": "url_citation", "url": "u"}),
        DONE,
    ]


def test_a_refusal_is_heard() -> None:
    assert heard(delta("refusal", "No."), COMPLETED) == [RefusalDelta("No."), DONE]


def test_calls_of_both_kinds_are_heard() -> None:
    function = {"type": "function_call", "call_id": "c1", "name": "f", "namespace": "n", "arguments": ""}
    custom = {"type": "custom_tool_call", "call_id": "c2", "name": "g", "input": ""}
    events = heard(
        added(0, function),
        added(1, custom),
        delta("function_call_arguments", "{}", 0),
        delta("custom_tool_call_input", "x", 1),
        done(0, {**function, "arguments": "{}"}),
        done(1, {**custom, "input": "x"}),
        COMPLETED,
    )
    assert events == [
        ToolCallStarted("0", "c1", "f", "function", "n"),
        ToolCallStarted("1", "c2", "g", "custom"),
        ToolCallDelta("0", "{}"),
        ToolCallDelta("1", "x"),
        ToolCallDone("0"),
        ToolCallDone("1"),
        DONE,
    ]


def test_what_was_not_streamed_is_heard_when_it_is_done() -> None:
    message = {"type": "message", "content": [{"type": "output_text", "text": "Hi"}, {"type": "refusal", "refusal": "No."}]}
    thoughts = {"type": "reasoning", "summary": [{"text": "s"}], "content": [{"text": "r"}]}
    events = heard(done(0, thoughts), done(1, message), done(2, call("c1")), COMPLETED)
    assert [event for event in events if not isinstance(event, ReasoningDone)] == [
        ReasoningSummaryDelta("s"),
        ReasoningDelta("r"),
        TextDelta("Hi"),
        RefusalDelta("No."),
        ToolCallStarted("2", "c1", "f"),
        ToolCallDelta("2", "{}"),
        ToolCallDone("2"),
        DONE,
    ]


def test_what_was_streamed_is_not_heard_again() -> None:
    message = {"type": "message", "content": [{"type": "output_text", "text": "Hi"}]}
    assert heard(delta("output_text", "Hi"), done(0, message), COMPLETED) == [TextDelta("Hi"), DONE]


def test_reasoning_goes_back_to_its_provider_as_it_came() -> None:
    thoughts = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "s"}], "encrypted_content": "e"}
    events = heard(
        delta("reasoning_summary_text", "s", summary_index=0),
        delta("reasoning_summary_text", "t", summary_index=1),
        done(0, {**thoughts, "status": "completed"}),
        COMPLETED,
    )
    assert events[:2] == [ReasoningSummaryDelta("s", 0), ReasoningSummaryDelta("t", 1)]
    assert isinstance(events[2], ReasoningDone)
    assert sent({"type": "reasoning", "id": "ours", "encrypted_content": events[2].opaque})["input"] == [thoughts]


def test_reasoning_does_not_go_to_another_provider() -> None:
    events = heard(done(0, {"type": "reasoning", "id": "rs_1", "encrypted_content": "e"}), COMPLETED)
    assert isinstance(events[0], ReasoningDone)
    canned = Canned(frames(COMPLETED))
    items: list[Item] = [user("hi"), {"type": "reasoning", "encrypted_content": events[0].opaque}]
    take(adapter(canned, name="another"), ModelRequest(model="gpt-5", items=items))
    assert [item["type"] for item in canned.sent["input"]] == ["message"]


def test_reasoning_that_holds_nothing_for_the_next_turn_is_not_sealed() -> None:
    assert heard(done(0, {"type": "reasoning", "id": "rs_1", "summary": []}), COMPLETED) == [ReasoningDone(), DONE]


def test_the_item_of_a_hosted_tool_is_heard_whole() -> None:
    item = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
    assert heard(added(0, item), done(0, item), COMPLETED) == [ItemDone(item), DONE]


def test_unknown_events_mean_nothing() -> None:
    assert heard({"type": "keepalive"}, {"type": "response.something.new", "x": 1}, COMPLETED, "[DONE]") == [DONE]


def test_usage_and_tier_are_read_from_the_last_event() -> None:
    usage = {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3},
        "output_tokens": 7,
        "output_tokens_details": {"reasoning_tokens": 2},
    }
    (event,) = heard({"type": "response.completed", "response": {"usage": usage, "service_tier": "flex"}})
    assert event == Finished(
        reason="stop", usage=Usage(input=10, cached=4, cache_write=3, output=7, reasoning=2), service_tier="flex"
    )


@pytest.mark.parametrize(("told", "reason"), [("max_output_tokens", "max_output_tokens"), ("content_filter", "content_filter")])
def test_an_incomplete_response_says_why(told: str, reason: str) -> None:
    response = {"status": "incomplete", "incomplete_details": {"reason": told}}
    (event,) = heard({"type": "response.incomplete", "response": response})
    assert isinstance(event, Finished)
    assert event.reason == reason


@pytest.mark.parametrize(
    "event",
    [
        {"type": "response.failed", "response": {"status": "failed", "error": {"code": "server_error", "message": "Oops."}}},
        {"type": "error", "code": "server_error", "message": "Oops."},
        {"type": "error", "error": {"code": "server_error", "message": "Oops."}},
    ],
    ids=["failed", "flat", "nested"],
)
def test_a_failure_within_the_stream_is_an_error(event: Json) -> None:
    error = failure(failing(delta("output_text", "Hi"), event))
    assert (error.code, error.message) == ("provider_unavailable", "Oops.")


def test_a_stream_without_its_last_event_was_cut_short() -> None:
    assert failure(failing(delta("output_text", "Hi"))).code == "provider_protocol"


def test_the_key_and_the_configured_headers_are_sent() -> None:
    provider = Provider(name="p", wire="openai-responses", base_url="http://h", api_key="k", headers={"OpenAI-Project": "x"})
    canned = Canned(frames(COMPLETED))
    take(OpenAIResponses(canned.client(), provider), ModelRequest(model="m", items=[]))
    assert (canned.headers["authorization"], canned.headers["openai-project"]) == ("Bearer k", "x")

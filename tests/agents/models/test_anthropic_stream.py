"""Anthropic's event stream, written by hand, read into our events."""

import orjson
import pytest

from agents.models import opaque, sse
from agents.models.anthropic_stream import Reader, explain
from agents.models.base import (
    AnnotationAdded,
    Finished,
    ModelError,
    ModelEvent,
    ReasoningDone,
    ReasoningSummaryDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallDone,
    ToolCallStarted,
    Usage,
)
from shared.items import Item, Json

WIRE = "anthropic:test"
START: Json = {"type": "message_start", "message": {"usage": {"input_tokens": 5, "output_tokens": 1}}}
STOP: Json = {"type": "message_stop"}


def stopping(reason: str, **usage: object) -> Json:
    return {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage}


def block(start: Json, *deltas: Json, index: int = 0) -> list[Json]:
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def text(*pieces: str, index: int = 0) -> list[Json]:
    return block({"type": "text", "text": ""}, *({"type": "text_delta", "text": piece} for piece in pieces), index=index)


def tool(name: str, *pieces: str, index: int = 0, given: Json | None = None) -> list[Json]:
    start = {"type": "tool_use", "id": f"toolu_{index}", "name": name, "input": given or {}}
    return block(start, *({"type": "input_json_delta", "partial_json": piece} for piece in pieces), index=index)


def read(*events: Json, reader: Reader | None = None) -> list[ModelEvent]:
    """Read events as they come over the wire, and its end."""
    body = b"".join(b"event: %s\ndata: %s\n\n" % (event["type"].encode(), orjson.dumps(event)) for event in events)
    reader = reader or Reader(WIRE)
    heard = [given for name, data in sse.Splitter().feed(body) for given in reader.read(name, data)]
    return heard if heard and isinstance(heard[-1], Finished) else [*heard, *reader.end()]


def finished(*events: Json) -> Finished:
    last = read(*events)[-1]
    assert isinstance(last, Finished)
    return last


def test_text_is_streamed_piece_by_piece() -> None:
    assert read(START, *text("Hel", "lo"), stopping("end_turn"), STOP)[:-1] == [TextDelta("Hel"), TextDelta("lo")]


def test_text_that_comes_with_the_block_is_not_lost() -> None:
    assert read(*block({"type": "text", "text": "Hi"}), stopping("end_turn"))[0] == TextDelta("Hi")


def test_parallel_calls_are_told_apart() -> None:
    events = read(START, *tool("f", '{"a":', "1}"), *tool("g", index=1), stopping("tool_use"), STOP)
    assert events[:-1] == [
        ToolCallStarted("0", "toolu_0", "f"),
        ToolCallDelta("0", '{"a":'),
        ToolCallDelta("0", "1}"),
        ToolCallDone("0"),
        ToolCallStarted("1", "toolu_1", "g"),
        ToolCallDelta("1", "{}"),
        ToolCallDone("1"),
    ]


def test_arguments_that_come_with_the_block_are_told_at_its_end() -> None:
    assert ToolCallDelta("0", '{"a":1}') in read(*tool("f", given={"a": 1}), stopping("tool_use"))


def test_a_custom_tools_input_is_unwrapped() -> None:
    events = read(*tool("sh", '{"input":', '"ls -l"}'), stopping("tool_use"), reader=Reader(WIRE, custom_tools=["sh"]))
    assert events[:-1] == [ToolCallStarted("0", "toolu_0", "sh", "custom"), ToolCallDelta("0", "ls -l"), ToolCallDone("0")]


def test_the_arguments_of_the_answering_tool_are_the_text() -> None:
    events = read(*tool("out", '{"a":', "1}"), stopping("tool_use"), reader=Reader(WIRE, answer="out"))
    assert events[:-1] == [TextDelta('{"a":'), TextDelta("1}")]


def test_thinking_is_a_summary_and_is_sealed_with_its_signature() -> None:
    thinking = block(
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "thinking_delta", "thinking": "two "},
        {"type": "thinking_delta", "thinking": "and two"},
        {"type": "signature_delta", "signature": "sig"},
    )
    first, second, done, *_ = read(START, *thinking, *text("4", index=1), stopping("end_turn"), STOP)
    assert [first, second] == [ReasoningSummaryDelta("two "), ReasoningSummaryDelta("and two")]
    assert unsealed(done) == {"blocks": [{"type": "thinking", "thinking": "two and two", "signature": "sig"}]}


def test_redacted_thinking_is_kept_as_it_came() -> None:
    redacted = {"type": "redacted_thinking", "data": "secret"}
    assert unsealed(read(*block(redacted), stopping("end_turn"))[0]) == {"blocks": [redacted]}


def test_thinking_without_a_signature_is_not_given_back() -> None:
    thinking = block({"type": "thinking", "thinking": ""}, {"type": "thinking_delta", "thinking": "hm"})
    assert read(*thinking, stopping("end_turn"))[1] == ReasoningDone(None)


def unsealed(event: ModelEvent) -> Json | None:
    assert isinstance(event, ReasoningDone)
    item: Item = {"encrypted_content": event.opaque}
    return opaque.unseal(WIRE, item)


def test_a_cited_page_is_an_annotation_of_its_blocks_text() -> None:
    citation = {"type": "web_search_result_location", "url": "https://x.test", "title": "X", "cited_text": "…"}
    cited = block(
        {"type": "text", "text": ""},
        {"type": "citations_delta", "citation": citation},
        {"type": "citations_delta", "citation": {"type": "page_location", "document_index": 0}},
        {"type": "text_delta", "text": "four"},
        index=1,
    )
    events = read(START, *text("Two plus two: "), *cited, stopping("end_turn"), STOP)
    assert [event for event in events if isinstance(event, AnnotationAdded)] == [
        AnnotationAdded({"type": "url_citation", "url": "https://x.test", "title": "X", "start_index": 14, "end_index": 18})
    ]


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("tool_use", "stop"),
        ("pause_turn", "stop"),
        ("max_tokens", "max_output_tokens"),
        ("model_context_window_exceeded", "max_output_tokens"),
        ("refusal", "content_filter"),
    ],
)
def test_each_stop_reason_has_its_finish(reason: str, expected: str) -> None:
    assert finished(START, stopping(reason), STOP).reason == expected


def test_a_refusals_explanation_is_told() -> None:
    delta = {"stop_reason": "refusal", "stop_details": {"type": "refusal", "explanation": "It could do harm."}}
    assert read(START, {"type": "message_delta", "delta": delta}, STOP)[0] == RefusalDelta("It could do harm.")


def test_input_counts_include_what_was_cached() -> None:
    start = {
        "type": "message_start",
        "message": {
            "usage": {
                "input_tokens": 5,
                "cache_read_input_tokens": 100,
                "cache_creation_input_tokens": 20,
                "output_tokens": 1,
                "service_tier": "priority",
            }
        },
    }
    details = {"thinking_tokens": 30}
    end = finished(start, stopping("end_turn", output_tokens=50, input_tokens=None, output_tokens_details=details), STOP)
    assert end.usage == Usage(input=125, cached=100, cache_write=20, output=50, reasoning=30)
    assert end.service_tier == "priority"


def test_a_turn_without_counts_has_no_usage() -> None:
    assert finished({"type": "message_start", "message": {}}, stopping("end_turn"), STOP).usage is None


def test_a_stream_that_lacks_only_its_last_event_is_whole() -> None:
    assert finished(START, *text("Hi"), stopping("end_turn")).reason == "stop"


def test_a_stream_cut_in_its_text_is_an_error() -> None:
    with pytest.raises(ModelError) as caught:
        read(START, *text("Hi")[:2])
    assert caught.value.code == "provider_protocol"


def test_pings_and_blocks_of_unknown_kinds_are_passed_over() -> None:
    unknown = block({"type": "server_tool_use", "id": "s", "name": "web_search"}, {"type": "future_delta", "x": 1})
    assert len(read(START, {"type": "ping"}, {"type": "future"}, *unknown, stopping("end_turn"), STOP)) == 1


def test_a_delta_outside_of_a_block_is_an_error() -> None:
    with pytest.raises(ModelError, match="belongs to no block"):
        read(START, text("Hi")[1])


@pytest.mark.parametrize(
    ("type_", "code"),
    [
        ("overloaded_error", "provider_unavailable"),
        ("rate_limit_error", "rate_limit_exceeded"),
        ("new_error", "provider_unavailable"),
    ],
)
def test_an_error_in_the_stream_is_raised(type_: str, code: str) -> None:
    with pytest.raises(ModelError, match="Oh no") as caught:
        read(START, *text("Hi"), {"type": "error", "error": {"type": type_, "message": "Oh no"}})
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("status", "type_", "message", "code"),
    [
        (401, "authentication_error", "invalid x-api-key", "provider_authentication"),
        (403, "permission_error", "no", "provider_authentication"),
        (402, "billing_error", "pay", "insufficient_quota"),
        (400, "invalid_request_error", "Your credit balance is too low", "insufficient_quota"),
        (404, "not_found_error", "model: x", "model_not_found"),
        (429, "rate_limit_error", "slow down", "rate_limit_exceeded"),
        (400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum", "context_length_exceeded"),
        (413, "request_too_large", "big", "context_length_exceeded"),
        (400, "invalid_request_error", "tools.0: bad", "invalid_prompt"),
        (500, "api_error", "oops", "provider_unavailable"),
        (529, "overloaded_error", "busy", "provider_unavailable"),
        (504, "timeout_error", "late", "provider_timeout"),
    ],
)
def test_each_refusal_has_its_code(status: int, type_: str, message: str, code: str) -> None:
    error = explain(status, orjson.dumps({"type": "error", "error": {"type": type_, "message": message}}))
    assert (error.code, error.message) == (code, message)


@pytest.mark.parametrize(
    ("body", "status", "code"), [(b"<html>", 502, "provider_unavailable"), (b'{"error": "no"}', 400, "invalid_prompt")]
)
def test_a_refusal_in_no_known_shape_is_told_by_its_status(body: bytes, status: int, code: str) -> None:
    error = explain(status, body)
    assert (error.code, error.message) == (code, f"The provider answered with status {status}.")

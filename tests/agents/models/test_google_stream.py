"""Google's event stream, written by hand, read into our events."""

import orjson
import pytest

from agents.models import opaque, sse
from agents.models.base import (
    AnnotationAdded,
    Finished,
    ItemDone,
    ModelError,
    ModelEvent,
    ReasoningDone,
    ReasoningSummaryDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallDone,
    ToolCallStarted,
    Usage,
)
from agents.models.google_stream import Reader, explain
from shared.items import Json

WIRE = "google:test"


def reader(*, custom_tools: tuple[str, ...] = (), parallel: bool = True) -> Reader:
    return Reader(WIRE, new_id=lambda prefix: f"{prefix}_made", custom_tools=custom_tools, parallel=parallel)


def chunk(*parts: Json, finish: str | None = None, **more: Json) -> Json:
    candidate: Json = {"content": {"role": "model", "parts": list(parts)}}
    return {"candidates": [candidate | ({"finishReason": finish} if finish else {})], **more}


def called(name: str, **call: object) -> Json:
    return {"functionCall": {"name": name, **call}}


def read(*chunks: Json, by: Reader | None = None) -> list[ModelEvent]:
    """Read chunks as they come over the wire, and its end."""
    by = by or reader()
    body = b"".join(b"data: %s\r\n\r\n" % orjson.dumps(each) for each in chunks)
    heard = [event for name, data in sse.Splitter().feed(body) for event in by.read(name, data)]
    return [*heard, *by.end()]


def finished(*chunks: Json) -> Finished:
    last = read(*chunks)[-1]
    assert isinstance(last, Finished)
    return last


def test_text_is_streamed_and_thoughts_are_a_summary() -> None:
    events = read(
        chunk({"text": "hm", "thought": True}), chunk({"text": "Hel"}), chunk({"text": "lo"}, {"text": ""}, finish="STOP")
    )
    assert events[:-1] == [ReasoningSummaryDelta("hm"), TextDelta("Hel"), TextDelta("lo")]


def test_a_call_comes_whole_and_is_given_an_id_if_it_has_none() -> None:
    events = read(chunk(called("f", args={"a": 1}), called("g", id="own"), finish="STOP"))
    assert events[:-1] == [
        ToolCallStarted("0", "call_made", "f"),
        ToolCallDelta("0", '{"a":1}'),
        ToolCallDone("0"),
        ToolCallStarted("1", "own", "g"),
        ToolCallDelta("1", "{}"),
        ToolCallDone("1"),
    ]


def test_a_calls_signature_is_sealed_before_it() -> None:
    sealed, started, *_ = read(chunk({**called("f", id="c"), "thoughtSignature": "sig"}, finish="STOP"))
    assert isinstance(sealed, ReasoningDone)
    assert opaque.unseal(WIRE, {"encrypted_content": sealed.opaque}) == {"call_id": "c", "signature": "sig"}
    assert started == ToolCallStarted("0", "c", "f")


def test_a_custom_tools_input_is_unwrapped() -> None:
    events = read(chunk(called("sh", id="c", args={"input": "ls"}), finish="STOP"), by=reader(custom_tools=("sh",)))
    assert events[:-1] == [ToolCallStarted("0", "c", "sh", "custom"), ToolCallDelta("0", "ls"), ToolCallDone("0")]


def test_without_parallel_calls_only_the_first_counts() -> None:
    events = read(chunk(called("f", id="a")), chunk(called("g", id="b"), finish="STOP"), by=reader(parallel=False))
    assert [event.name for event in events if isinstance(event, ToolCallStarted)] == ["f"]


def test_an_image_is_an_item() -> None:
    event = read(chunk({"inlineData": {"mimeType": "image/png", "data": "AAAA"}}, finish="STOP"))[0]
    assert event == ItemDone({"type": "image_generation_call", "id": "ig_made", "status": "completed", "result": "AAAA"})


def test_a_cited_page_is_an_annotation_counted_in_characters() -> None:
    grounding = {
        "groundingChunks": [{"web": {"uri": "https://x.test", "title": "X"}}, {"retrievedContext": {}}],
        "groundingSupports": [{"segment": {"startIndex": 6, "endIndex": 10}, "groundingChunkIndices": [0, 1]}],
    }
    last = chunk({"text": " four"}, finish="STOP")
    last["candidates"][0]["groundingMetadata"] = grounding
    events = read(chunk({"text": "héé"}), last)
    assert events[-2] == AnnotationAdded(
        {"type": "url_citation", "url": "https://x.test", "title": "X", "start_index": 4, "end_index": 8}
    )


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("STOP", "stop"),
        ("FUNCTION_CALL", "stop"),
        ("MAX_TOKENS", "max_output_tokens"),
        ("SAFETY", "content_filter"),
        ("RECITATION", "content_filter"),
        ("PROHIBITED_CONTENT", "content_filter"),
    ],
)
def test_each_finish_reason_has_its_finish(reason: str, expected: str) -> None:
    assert finished(chunk(finish=reason)).reason == expected


def test_a_blocked_prompt_is_a_content_filter() -> None:
    assert finished({"promptFeedback": {"blockReason": "OTHER"}}).reason == "content_filter"


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("MALFORMED_FUNCTION_CALL", "provider_protocol"),
        ("OTHER", "provider_protocol"),
        ("MISSING_THOUGHT_SIGNATURE", "invalid_prompt"),
    ],
)
def test_a_model_that_breaks_off_is_an_error(reason: str, code: str) -> None:
    with pytest.raises(ModelError) as caught:
        read(chunk({"text": "Hi"}, finish=reason))
    assert caught.value.code == code


def test_a_stream_without_a_finish_reason_was_cut_short() -> None:
    with pytest.raises(ModelError, match="ended before") as caught:
        read(chunk({"text": "Hi"}))
    assert caught.value.code == "provider_protocol"


def test_the_last_counts_are_the_turns() -> None:
    counts = {
        "promptTokenCount": 10,
        "toolUsePromptTokenCount": 2,
        "cachedContentTokenCount": 4,
        "candidatesTokenCount": 7,
        "thoughtsTokenCount": 5,
    }
    usage = finished(
        chunk(usageMetadata={"promptTokenCount": 10, "candidatesTokenCount": 1}), chunk(finish="STOP", usageMetadata=counts)
    ).usage
    assert usage == Usage(input=12, cached=4, output=12, reasoning=5)


def test_a_turn_without_counts_has_no_usage() -> None:
    assert finished(chunk(finish="STOP")).usage is None


def test_an_error_in_the_stream_is_raised() -> None:
    with pytest.raises(ModelError, match="busy") as caught:
        read(chunk({"text": "Hi"}), {"error": {"code": 503, "status": "UNAVAILABLE", "message": "busy"}})
    assert caught.value.code == "provider_unavailable"


@pytest.mark.parametrize(
    ("status", "name", "message", "code"),
    [
        (400, "INVALID_ARGUMENT", "bad tool", "invalid_prompt"),
        (
            400,
            "INVALID_ARGUMENT",
            "The input token count (9) exceeds the maximum number of tokens allowed (8).",
            "context_length_exceeded",
        ),
        (400, "FAILED_PRECONDITION", "location", "invalid_prompt"),
        (401, "UNAUTHENTICATED", "key", "provider_authentication"),
        (403, "PERMISSION_DENIED", "key", "provider_authentication"),
        (404, "NOT_FOUND", "model", "model_not_found"),
        (429, "RESOURCE_EXHAUSTED", "quota", "rate_limit_exceeded"),
        (500, "INTERNAL", "oops", "provider_unavailable"),
        (503, "UNAVAILABLE", "busy", "provider_unavailable"),
        (504, "DEADLINE_EXCEEDED", "late", "provider_timeout"),
    ],
)
def test_each_refusal_has_its_code(status: int, name: str, message: str, code: str) -> None:
    error = explain(status, orjson.dumps({"error": {"code": status, "status": name, "message": message}}))
    assert (error.code, error.message) == (code, message)


def test_a_refusal_in_a_list_is_read_too() -> None:
    assert explain(429, b'[{\n "error": {"status": "RESOURCE_EXHAUSTED", "message": "quota"}\n}\n]').message == "quota"


def test_a_wrong_key_is_told_apart_from_a_wrong_request() -> None:
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]
    error = explain(400, orjson.dumps({"error": {"status": "INVALID_ARGUMENT", "message": "key", "details": details}}))
    assert error.code == "provider_authentication"


def test_the_delay_that_is_asked_for_is_kept() -> None:
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.5s"}]
    error = explain(429, orjson.dumps({"error": {"status": "RESOURCE_EXHAUSTED", "details": details}}))
    assert error.retry_after == 34.5


def test_a_refusal_in_no_known_shape_is_told_by_its_status() -> None:
    error = explain(502, b"<html>")
    assert (error.code, error.message) == ("provider_unavailable", "The provider answered with status 502.")

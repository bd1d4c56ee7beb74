"""The contract itself: it must not pass what it is there to catch."""

import copy

import orjson
import pytest
from pydantic import ValidationError

from shared.items import Json
from tests.system.contract import check_frame, check_order, check_response

ITEM: Json = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": []}


def response(**members: object) -> Json:
    """A whole response object."""
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "completed_at": 2,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "model": "demo/echo",
        "output": [ITEM],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "metadata": {},
        "tool_choice": "auto",
        "tools": [],
        "temperature": 1.0,
        "top_p": 1.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "top_logprobs": 0,
        "truncation": "disabled",
        "text": {"format": {"type": "text"}},
        "reasoning": {"effort": None, "summary": None},
        "usage": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "store": True,
        "background": False,
        "service_tier": "default",
        "safety_identifier": None,
        "prompt_cache_key": None,
        **members,
    }


def stream() -> list[Json]:
    """The events of a response with one message."""
    where = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    part = {"type": "output_text", "text": "Hi", "annotations": [], "logprobs": []}
    whole = {**ITEM, "content": [part]}
    told: list[Json] = [
        {"type": "response.created", "response": response(status="queued", output=[])},
        {"type": "response.output_item.added", "output_index": 0, "item": {**ITEM, "status": "in_progress"}},
        {"type": "response.content_part.added", **where, "part": {**part, "text": ""}},
        {"type": "response.output_text.delta", **where, "delta": "Hi", "logprobs": []},
        {"type": "response.output_text.done", **where, "text": "Hi", "logprobs": []},
        {"type": "response.content_part.done", **where, "part": part},
        {"type": "response.output_item.done", "output_index": 0, "item": whole},
        {"type": "response.completed", "response": response(output=[whole])},
    ]
    return copy.deepcopy([{**event, "sequence_number": number} for number, event in enumerate(told)])


def frame(event: Json) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (event["type"].encode(), orjson.dumps(event))


def test_what_is_right_passes() -> None:
    check_response(response())
    check_order(stream())
    for event in stream():
        check_frame(frame(event))


@pytest.mark.parametrize("key", ["id", "output", "tools", "usage", "max_output_tokens", "text", "error"])
def test_a_response_without_one_of_its_keys_is_caught(key: str) -> None:
    whole = response()
    del whole[key]
    with pytest.raises((ValidationError, KeyError)):
        check_response(whole)


def test_an_event_without_one_of_its_members_is_caught() -> None:
    event = stream()[3]
    del event["logprobs"]
    with pytest.raises(ValidationError):
        check_frame(frame(event))


@pytest.mark.parametrize("fault", ["repeated number", "late creation", "lost item", "other text", "other id", "early end"])
def test_a_stream_that_breaks_the_order_is_caught(fault: str) -> None:
    told = stream()
    match fault:
        case "repeated number":
            told[4]["sequence_number"] = 3
        case "late creation":
            told[0]["type"] = "response.in_progress"
        case "lost item":
            del told[6]
        case "other text":
            told[3]["delta"] = "Ho"
        case "other id":
            told[6]["item"]["id"] = "msg_2"
        case "early end":
            told[5] = {**told[7], "sequence_number": 5}
    with pytest.raises(AssertionError):
        check_order(told)

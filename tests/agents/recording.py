"""A log that remembers its events, and the laws that every log obeys."""

import warnings
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any, Final

from openai import omit
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import ResponseStreamEvent
from openresponses_types import types as open_responses
from pydantic import TypeAdapter

from shared.items import Item, Json

SDK_EVENT: Final[TypeAdapter[Any]] = TypeAdapter(ResponseStreamEvent)

OPEN_RESPONSES: Final[dict[str, Any]] = {
    "response.output_item.added": open_responses.ResponseOutputItemAddedStreamingEvent,
    "response.output_item.done": open_responses.ResponseOutputItemDoneStreamingEvent,
    "response.content_part.added": open_responses.ResponseContentPartAddedStreamingEvent,
    "response.content_part.done": open_responses.ResponseContentPartDoneStreamingEvent,
    "response.output_text.delta": open_responses.ResponseOutputTextDeltaStreamingEvent,
    "response.output_text.done": open_responses.ResponseOutputTextDoneStreamingEvent,
    "response.output_text.annotation.added": open_responses.ResponseOutputTextAnnotationAddedStreamingEvent,
    "response.refusal.delta": open_responses.ResponseRefusalDeltaStreamingEvent,
    "response.refusal.done": open_responses.ResponseRefusalDoneStreamingEvent,
    "response.reasoning_summary_part.added": open_responses.ResponseReasoningSummaryPartAddedStreamingEvent,
    "response.reasoning_summary_part.done": open_responses.ResponseReasoningSummaryPartDoneStreamingEvent,
    "response.reasoning_summary_text.delta": open_responses.ResponseReasoningSummaryDeltaStreamingEvent,
    "response.reasoning_summary_text.done": open_responses.ResponseReasoningSummaryDoneStreamingEvent,
    "response.function_call_arguments.delta": open_responses.ResponseFunctionCallArgumentsDeltaStreamingEvent,
    "response.function_call_arguments.done": open_responses.ResponseFunctionCallArgumentsDoneStreamingEvent,
}
OPEN_RESPONSES_ITEMS: Final = frozenset({"message", "function_call", "function_call_output", "reasoning"})

TEXTS: Final = {
    "response.output_text": "text",
    "response.refusal": "refusal",
    "response.reasoning_text": "text",
    "response.reasoning_summary_text": "text",
    "response.function_call_arguments": "arguments",
    "response.custom_tool_call_input": "input",
    "response.mcp_call_arguments": "arguments",
}
"""What deltas grow, and the member of the `done` event that repeats it."""


class Recording:
    """A log; also makes ids that count, so that tests know them."""

    def __init__(self) -> None:
        self.events: list[Json] = []
        self.ids = 0

    def emit(self, type_: str, /, **fields: Any) -> None:
        self.events.append({"type": type_, "sequence_number": len(self.events) + 2, **fields})

    def new_id(self, prefix: str, /) -> str:
        self.ids += 1
        return f"{prefix}_{self.ids}"

    @property
    def types(self) -> list[str]:
        return [event["type"].removeprefix("response.") for event in self.events]

    def of(self, type_: str) -> list[Json]:
        return [event for event in self.events if event["type"] == f"response.{type_}"]

    @property
    def done(self) -> list[Item]:
        """The finished items by output index."""
        return [event["item"] for event in sorted(self.of("output_item.done"), key=lambda event: event["output_index"])]


def obeys_the_order_of_events(
    events: list[Json], *, begun: Mapping[int, Item] = MappingProxyType({}), waiting: Collection[int] = ()
) -> None:
    """Every item and part is added, then grows, then is done, once each and under one id; its texts are said alike thrice.

    Items that were `begun` before end here, and calls that are `waiting` for their results end later.
    """
    open_items: dict[int, Item] = dict(begun)
    open_parts: set[tuple[Any, ...]] = set()
    grown: dict[tuple[Any, ...], str] = {}
    indexes = []
    for event in events:
        index = event["output_index"]
        match event["type"].split("."):
            case [_, "output_item", "added"]:
                indexes.append(index)
                open_items[index] = event["item"]
            case [_, "output_item", "done"]:
                added = open_items.pop(index)
                assert added["id"] == event["item"]["id"]
                assert added["type"] == event["item"]["type"]
                assert added.get("call_id") == event["item"].get("call_id")
                assert event["item"].get("status") != "in_progress"
                assert not [part for part in open_parts if part[0] == index]
            case [_, "content_part" | "reasoning_summary_part" as part, step]:
                key = _key(event, part)
                assert open_items[index]["id"] == event["item_id"]
                (open_parts.add if step == "added" else open_parts.remove)(key)
            case [*_, "annotation", "added"]:
                assert _key(event, "content_part") in open_parts
            case [*_, "delta"]:
                assert open_items[index]["id"] == event["item_id"]
                assert event["delta"] or event.get("logprobs")
                key = _key(event, event["type"].removesuffix(".delta"))
                grown[key] = grown.get(key, "") + event["delta"]
            case [*_, "done"]:
                name = event["type"].removesuffix(".done")
                assert open_items[index]["id"] == event["item_id"]
                assert event[TEXTS[name]] == grown.pop(_key(event, name), "")
            case [_, "mcp_call" | "mcp_list_tools" as type_, "in_progress" | "completed" | "failed"]:
                assert (open_items[index]["type"], open_items[index]["id"]) == (type_, event["item_id"])
            case _:
                raise AssertionError(event["type"])
    assert open_items.keys() == set(waiting)
    assert not open_parts
    assert not grown
    assert len(set(indexes)) == len(indexes)
    assert indexes == sorted(indexes)


def repeats_its_texts_in_its_items(events: list[Json], items: list[Item]) -> None:
    """What the `done` events of texts and parts say is what the finished items hold."""
    first = min((event["output_index"] for event in events), default=0)
    for event in events:
        if "item_id" not in event or not event["type"].endswith(".done"):
            continue
        item = items[event["output_index"] - first]
        assert item["id"] == event["item_id"]
        name = event["type"].removesuffix(".done")
        if "content_index" in event or "summary_index" in event:
            member = "summary" if "summary_index" in event else "content"
            part = item[member][event.get("content_index", event.get("summary_index"))]
            assert part == event["part"] if "part" in event else part[TEXTS[name]] == event[TEXTS[name]]
        else:
            assert item[TEXTS[name]] == event[TEXTS[name]]


def fits_the_published_types(events: list[Json]) -> None:
    """Every event is one of the SDK's and, where the open specification has a model for it, one of its."""
    for event in events:
        type_ = event.get("item", {}).get("type", "")
        if not type_.startswith("orq:"):
            SDK_EVENT.validate_python(event)
        model = OPEN_RESPONSES.get(event["type"])
        if model is not None and (not type_ or type_ in OPEN_RESPONSES_ITEMS):
            model.model_validate(event)


def is_accumulated_by_the_sdk(events: list[Json], items: list[Item]) -> None:
    """The SDK's own accumulator takes the events, between the first and the last of a response, and ends with the items."""
    from openai._models import construct_type

    response = {"id": "resp_1", "object": "response", "created_at": 1, "model": "m", "tools": [], "output": []}
    last = {"type": "response.completed", "sequence_number": len(events) + 2, "response": {**response, "output": items}}
    state: ResponseStreamState[Any] = ResponseStreamState(input_tools=omit, text_format=omit)
    fired: list[Any] = []
    with warnings.catch_warnings():
        # It has no type for `orq:` items, carries them as messages, and warns that they are none.
        warnings.simplefilter("ignore", UserWarning)
        for event in [{"type": "response.created", "sequence_number": 0, "response": response}, *events, last]:
            fired += state.handle_event(construct_type(type_=ResponseStreamEvent, value=event))  # type: ignore[arg-type]
    assert [item.id for item in fired[-1].response.output] == [item["id"] for item in items]


def _key(event: Json, name: str) -> tuple[Any, ...]:
    return event["output_index"], name, event.get("content_index"), event.get("summary_index")

"""Reading an event log back into output items: for snapshots of running responses, cancellation and takeover."""

from collections.abc import Iterable
from typing import Any, Protocol

from shared.items import Item, Json


class Emit(Protocol):
    """Append one event to a log."""

    def __call__(self, type_: str, /, **fields: Any) -> None:
        """Take the event's type and its other members."""


class Folded:
    """Output items by output index, and which of them are still open."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.items: dict[int, Item] = {}
        self.open: set[int] = set()

    def feed(self, event: Json) -> None:
        """Apply one event; events that change no item are ignored."""
        index = event.get("output_index")
        if index is None:
            return
        match event["type"]:
            case "response.output_item.added":
                self.items[index] = event["item"]
                self.open.add(index)
            case "response.output_item.done":
                self.items[index] = event["item"]
                self.open.discard(index)
            case type_:
                _apply(self.items[index], type_, event)

    def partial(self) -> list[tuple[int, Item]]:
        """List `(output index, item)` in order, with open items as `incomplete`."""
        return [
            (index, {**item, "status": "incomplete"} if index in self.open else item)
            for index, item in sorted(self.items.items())
        ]

    @property
    def next_index(self) -> int:
        """The lowest output index above all that were used; 0 for an empty log."""
        return max(self.items, default=-1) + 1


def fold(events: Iterable[Json]) -> Folded:
    """Read events, oldest first."""
    folded = Folded()
    for event in events:
        folded.feed(event)
    return folded


def _apply(item: Item, type_: str, event: Json) -> None:
    """Grow an open item by one delta."""
    match type_:
        case "response.content_part.added":
            item.setdefault("content", []).append(event["part"])
        case "response.output_text.delta" | "response.reasoning_text.delta":
            item["content"][event["content_index"]]["text"] += event["delta"]
        case "response.refusal.delta":
            item["content"][event["content_index"]]["refusal"] += event["delta"]
        case "response.output_text.annotation.added":
            item["content"][event["content_index"]]["annotations"].append(event["annotation"])
        case "response.reasoning_summary_part.added":
            item["summary"].append(event["part"])
        case "response.reasoning_summary_text.delta":
            item["summary"][event["summary_index"]]["text"] += event["delta"]
        case "response.function_call_arguments.delta":
            item["arguments"] += event["delta"]
        case "response.custom_tool_call_input.delta":
            item["input"] += event["delta"]


def close(folded: Folded, emit: Emit) -> None:
    """Emit what ends every open item as `incomplete`, so that no reader waits for the rest of it."""
    for index in sorted(folded.open):
        item = {**folded.items[index], "status": "incomplete"}
        where = {"item_id": item["id"], "output_index": index}
        for content_index, part in list(enumerate(item.get("content") or []))[-1:]:
            _close_part(part, emit, {**where, "content_index": content_index})
        emit("response.output_item.done", output_index=index, item=item)
        folded.items[index] = item
    folded.open.clear()


def _close_part(part: Json, emit: Emit, where: Json) -> None:
    """Emit the `done` events of an item's last content part."""
    match part["type"]:
        case "output_text":
            emit("response.output_text.done", **where, text=part["text"], logprobs=part.get("logprobs", []))
        case "refusal":
            emit("response.refusal.done", **where, refusal=part["refusal"])
        case "reasoning_text":
            emit("response.reasoning_text.done", **where, text=part["text"])
    emit("response.content_part.done", **where, part=part)

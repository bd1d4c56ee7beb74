"""Reading an event log back into output items: for snapshots of running responses, cancellation and takeover."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from shared.frames import Emit
from shared.items import Item, Json

_TEXTS: Final = {
    "output_text": ("response.output_text.done", ("text", "logprobs")),
    "refusal": ("response.refusal.done", ("refusal",)),
    "reasoning_text": ("response.reasoning_text.done", ("text",)),
    "summary_text": ("response.reasoning_summary_text.done", ("text",)),
    "function_call": ("response.function_call_arguments.done", ("arguments", "name")),
    "custom_tool_call": ("response.custom_tool_call_input.done", ("input",)),
    "mcp_call": ("response.mcp_call_arguments.done", ("arguments",)),
}
"""By type of part or item: the event that ends its text, and the members that the event repeats, the text first."""


@dataclass(slots=True)
class Growing:
    """The end of an open item: what grows there, and the events that readers still wait for."""

    holder: Json
    """The newest part, or the item itself."""
    where: Json
    """The part's index, by its name."""
    ends: list[str]


class Folded:
    """Output items by output index, and which of them are still open."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.items: dict[int, Item] = {}
        self.open: dict[int, Growing] = {}

    def feed(self, event: Json) -> None:
        """Apply one event; events that change no item are ignored."""
        index = event.get("output_index")
        if index is None:
            return
        match event["type"]:
            case "response.output_item.added":
                item = self.items[index] = event["item"]
                self.open[index] = Growing(item, {}, [_TEXTS[item["type"]][0]] if item["type"] in _TEXTS else [])
            case "response.output_item.done":
                self.items[index] = event["item"]
                self.open.pop(index, None)
            case "response.content_part.added":
                self._add_part(index, "content", "content_index", event)
            case "response.reasoning_summary_part.added":
                self._add_part(index, "summary", "summary_index", event)
            case type_ if index in self.open:
                _apply(self.open[index], type_, event)
            case _:  # it completes an item of an earlier page, which its last event repeats
                pass

    def _add_part(self, index: int, member: str, number: str, event: Json) -> None:
        """Open a part, which is what grows from now on."""
        part = event["part"]
        self.items[index].setdefault(member, []).append(part)
        ends = [_TEXTS[part["type"]][0], event["type"].replace(".added", ".done")]
        self.open[index] = Growing(part, {number: event[number]}, ends)

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


def _apply(growing: Growing, type_: str, event: Json) -> None:
    """Grow the end of an open item, or note that its readers have been told of an end."""
    holder = growing.holder
    if type_.endswith(".delta"):
        _, (text, *_) = _TEXTS[holder["type"]]
        holder[text] += event["delta"]
        if event.get("logprobs"):
            holder["logprobs"] += event["logprobs"]
    elif type_.endswith(".annotation.added"):
        holder["annotations"].append(event["annotation"])
    elif type_ in growing.ends:
        growing.ends.remove(type_)


def close(folded: Folded, emit: Emit) -> None:
    """Emit what ends every open item as `incomplete`, so that no reader waits for the rest of it."""
    for index, growing in sorted(folded.open.items()):
        item = {**folded.items[index], "status": "incomplete"}
        where = {"item_id": item["id"], "output_index": index, **growing.where}
        for type_ in growing.ends:
            emit(type_, **where, **_last_words(growing.holder, type_))
        emit("response.output_item.done", output_index=index, item=item)
        folded.items[index] = item
    folded.open.clear()


def _last_words(holder: Json, type_: str) -> Json:
    """Say what the event that ends a part, or its text, repeats."""
    text_done, members = _TEXTS[holder["type"]]
    return {member: holder[member] for member in members} if type_ == text_done else {"part": holder}

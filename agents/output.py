"""A model's events become the events that clients stream, and the finished items, which say the same."""

from typing import Any, Final, Protocol, assert_never

from agents.models.base import (
    AnnotationAdded,
    Finished,
    ItemDone,
    ModelEvent,
    ReasoningDelta,
    ReasoningDone,
    ReasoningSummaryDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallDone,
    ToolCallStarted,
)
from agents.parts import (
    ARGUMENTS,
    INPUT,
    MCP_ARGUMENTS,
    REASONING,
    REFUSAL,
    SUMMARY,
    TEXT,
    Ending,
    Growing,
    OpenCall,
    OpenItem,
)
from shared.frames import Emit
from shared.items import Item, Json

_PREFIXES: Final = {
    "message": "msg",
    "reasoning": "rs",
    "function_call": "fc",
    "function_call_output": "fco",
    "custom_tool_call": "ctc",
    "custom_tool_call_output": "ctco",
    "mcp_call": "mcp",
    "mcp_list_tools": "mcpl",
    "mcp_approval_request": "mcpr",
}
_MESSAGE: Final[Json] = {"type": "message", "role": "assistant", "content": []}
_REASONING: Final[Json] = {"type": "reasoning", "summary": []}


class NewId(Protocol):
    """Make an id that was never used, such as `shared.ids.new`."""

    def __call__(self, prefix: str, /) -> str:
        """Take the prefix that says what the id is of."""


class Output:
    """The output items of one step, while they grow.

    One message or reasoning item is open at a time, beside any number of calls; an event of another kind ends it. A call's
    deltas after its end, or without its beginning, are ignored.
    """

    def __init__(self, emit: Emit, *, first_index: int, new_id: NewId) -> None:
        """Begin at output index `first_index`."""
        self.next_index = first_index
        self.spoken = False
        """Whether the model has put out anything."""
        self._emit = emit
        self._new_id = new_id
        self._items: dict[int, Item] = {}
        self._open: OpenItem | None = None
        self._calls: dict[str, OpenCall] = {}

    @property
    def items(self) -> list[Item]:
        """The items on record, in the order of their output indexes: finished ones, and calls that wait for their results."""
        return [self._items[index] for index in sorted(self._items)]

    def hear(self, event: ModelEvent) -> None:
        """Take the model's next event."""
        match event:
            case TextDelta():
                if event.text or event.logprobs:
                    self._message().switch(TEXT).add(event.text, event.logprobs)
            case ToolCallDelta():
                if event.arguments and event.key in self._calls:
                    self._calls[event.key].growing.add(event.arguments)
            case ReasoningDelta() | ReasoningSummaryDelta() | RefusalDelta():
                if event.text:
                    self._speak(event)
            case AnnotationAdded():
                self._cite(event.annotation)
            case ReasoningDone() | ToolCallStarted() | ToolCallDone() | ItemDone():
                self._turn_to(event)
            case Finished():
                self.end("completed" if event.reason == "stop" else "incomplete")
            case _:
                assert_never(event)

    def put(self, item: Item) -> Item:
        """Put out an item that is already whole, and return it, with an id if it had none."""
        index, item = self.announce(item)
        return self.finish(index, item)

    def announce(self, item: Item) -> tuple[int, Item]:
        """Say that an item begins, which `finish` ends; return its output index, and it, with an id if it had none."""
        self._end_open("completed")
        if not item.get("id"):
            prefix, _, _ = item["type"].partition(":")
            item = {"id": self._new_id(_PREFIXES.get(item["type"], prefix)), **item}
        index = self.reserve()
        self._emit("response.output_item.added", output_index=index, item=item)
        return index, item

    def finish(self, index: int, item: Item) -> Item:
        """Say that an announced item ends, and return it."""
        self._emit("response.output_item.done", output_index=index, item=item)
        return self.keep(index, item)

    def put_mcp_call(self, item: Item) -> tuple[int, Item]:
        """Put out the call of an MCP server's function, which stays in progress until its result is told."""
        index, begun = self.announce(item | {"arguments": "", "status": "in_progress"})
        growing = Growing(self._emit, MCP_ARGUMENTS, item_id=begun["id"], output_index=index)
        growing.add(item["arguments"])
        growing.end()
        self._emit("response.mcp_call.in_progress", output_index=index, item_id=begun["id"])
        return index, self.keep(index, begun | {"arguments": item["arguments"]})

    def keep(self, index: int, item: Item) -> Item:
        """Hold the item that stands at an output index, and return it; its events were told."""
        self._items[index] = item
        return item

    def at(self, index: int) -> Item:
        """Return the item that stands at an output index."""
        return self._items[index]

    def reserve(self) -> int:
        """Take the next output index."""
        index = self.next_index
        self.next_index += 1
        return index

    def end(self, status: Ending) -> None:
        """End whatever is still open."""
        self._end_open(status)
        for key in list(self._calls):
            self._end_call(key, status)

    def _speak(self, event: ReasoningDelta | ReasoningSummaryDelta | RefusalDelta) -> None:
        match event:
            case ReasoningDelta():
                self._reasoning().switch(REASONING).add(event.text)
            case ReasoningSummaryDelta():
                self._reasoning().switch(SUMMARY, event.index).add(event.text)
            case RefusalDelta():
                self._message().switch(REFUSAL).add(event.text)
            case _:
                assert_never(event)

    def _cite(self, annotation: Json) -> None:
        """Add a citation to the text that is open; a text that is done can have no more of them."""
        part = self._open.part if self._open is not None else None
        if part is not None and part.kind is TEXT:
            part.annotate(annotation)

    def _turn_to(self, event: ReasoningDone | ToolCallStarted | ToolCallDone | ItemDone) -> None:
        """Begin or end an item."""
        match event:
            case ReasoningDone():
                self._end_reasoning(event.opaque)
            case ToolCallStarted():
                self._begin_call(event)
            case ToolCallDone():
                self._end_call(event.key, "completed")
            case ItemDone():
                self.spoken = True
                self.put(event.item)
            case _:
                assert_never(event)

    def _message(self) -> OpenItem:
        return self._current(_MESSAGE)

    def _reasoning(self) -> OpenItem:
        return self._current(_REASONING)

    def _current(self, shape: Json) -> OpenItem:
        """Return the open item if it has that shape; else end it and open one that has."""
        if self._open is not None and self._open.item["type"] == shape["type"]:
            return self._open
        self._end_open("completed")
        index, item = self._announce(shape)
        self._open = OpenItem(self._emit, item, index)
        return self._open

    def _begin_call(self, event: ToolCallStarted) -> None:
        self._end_open("completed")
        self._end_call(event.key, "incomplete")
        function = event.kind == "function"
        words = ARGUMENTS if function else INPUT
        shape: Json = {
            "type": "function_call" if function else "custom_tool_call",
            "call_id": event.call_id,
            "name": event.name,
            words.member: "",
        }
        if event.namespace is not None:
            shape["namespace"] = event.namespace
        index, item = self._announce(shape)
        self._calls[event.key] = OpenCall(self._emit, item, index, words)

    def _end_call(self, key: str, status: Ending) -> None:
        call = self._calls.pop(key, None)
        if call is not None:
            self._items[call.output_index] = call.end(status)

    def _end_reasoning(self, opaque: str | None) -> None:
        """End the reasoning item. State that comes after its item was ended, or without one, gets an item of its own."""
        if opaque is not None:
            self._finish(self._reasoning(), "completed", encrypted_content=opaque)
        elif self._open is not None and self._open.item["type"] == "reasoning":
            self._end_open("completed")

    def _end_open(self, status: Ending) -> None:
        if self._open is not None:
            self._finish(self._open, status)

    def _finish(self, item: OpenItem, status: Ending, **more: Any) -> None:
        self._items[item.output_index] = item.end(status, **more)
        self._open = None

    def _announce(self, shape: Json) -> tuple[int, Item]:
        """Give an item its id and its output index, and say that it begins."""
        self.spoken = True
        index = self.reserve()
        item = {"id": self._new_id(_PREFIXES[shape["type"]]), **shape, "status": "in_progress"}
        self._emit("response.output_item.added", output_index=index, item=item)
        return index, item

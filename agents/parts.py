"""What grows while a model speaks: texts, the parts that hold them, and the items that hold the parts."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Literal, TypeAlias

from shared.frames import Emit
from shared.items import Item, Json, Part

Ending: TypeAlias = Literal["completed", "incomplete"]


@dataclass(frozen=True, slots=True)
class Words:
    """What the wire calls the deltas of a text, its end, and the member that holds all of it."""

    delta: str
    done: str
    member: str


ARGUMENTS: Final = Words("response.function_call_arguments.delta", "response.function_call_arguments.done", "arguments")
INPUT: Final = Words("response.custom_tool_call_input.delta", "response.custom_tool_call_input.done", "input")
MCP_ARGUMENTS: Final = Words("response.mcp_call_arguments.delta", "response.mcp_call_arguments.done", "arguments")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of part: its type, its text's words, the events around it, and the item's list that it goes into."""

    type: str
    words: Words
    added: str
    done: str
    list: Literal["content", "summary"]
    index: Literal["content_index", "summary_index"]
    extras: tuple[str, ...] = ()
    """Members that are lists and that grow beside the text."""


_CONTENT: Final = ("response.content_part.added", "response.content_part.done", "content", "content_index")
_SUMMARY: Final = (
    "response.reasoning_summary_part.added",
    "response.reasoning_summary_part.done",
    "summary",
    "summary_index",
)

TEXT: Final = Kind(
    "output_text",
    Words("response.output_text.delta", "response.output_text.done", "text"),
    *_CONTENT,
    extras=("annotations", "logprobs"),
)
REFUSAL: Final = Kind("refusal", Words("response.refusal.delta", "response.refusal.done", "refusal"), *_CONTENT)
REASONING: Final = Kind(
    "reasoning_text",
    Words("response.reasoning_text.delta", "response.reasoning_text.done", "text"),
    *_CONTENT,
)
SUMMARY: Final = Kind(
    "summary_text",
    Words("response.reasoning_summary_text.delta", "response.reasoning_summary_text.done", "text"),
    *_SUMMARY,
)


class Growing:
    """A text that grows: one event per delta, and one with all of it at the end."""

    __slots__ = ("_chunks", "_delta", "_done", "_member")

    def __init__(self, emit: Emit, words: Words, **fixed: Any) -> None:
        """`fixed` are the members that every one of its events has."""
        # Bound once, because a token's whole cost here is one call of this.
        self._delta = partial(emit, words.delta, **fixed)
        self._done = partial(emit, words.done, **fixed)
        self._member = words.member
        self._chunks: list[str] = []

    def add(self, text: str) -> None:
        """Append one delta."""
        self._chunks.append(text)
        self._delta(delta=text)

    def add_with(self, text: str, logprobs: Sequence[Json]) -> None:
        """Append one delta that has log probabilities of its own."""
        self._chunks.append(text)
        self._delta(delta=text, logprobs=list(logprobs))

    def text(self) -> str:
        """Join what was said so far."""
        return "".join(self._chunks)

    def end(self, **more: Any) -> str:
        """Say all of it, with `more` members that only the end has, and return it."""
        text = self.text()
        self._done(**{self._member: text}, **more)
        return text


class OpenPart:
    """A part that is being streamed."""

    __slots__ = ("_emit", "_where", "annotations", "growing", "key", "kind", "logprobs")

    def __init__(self, emit: Emit, kind: Kind, key: int, *, item_id: str, output_index: int, index: int) -> None:
        """Announce the part; `key` tells it from other parts of its kind."""
        self.kind = kind
        self.key = key
        self.annotations: list[Json] = []
        self.logprobs: list[Json] = []
        self._emit = emit
        self._where = {"item_id": item_id, "output_index": output_index, kind.index: index}
        fixed = self._where | {"logprobs": []} if kind is TEXT else self._where
        self.growing = Growing(emit, kind.words, **fixed)
        emit(kind.added, **self._where, part=self._part(""))

    def add(self, text: str, logprobs: Sequence[Json] = ()) -> None:
        """Append one delta."""
        if logprobs:
            self.logprobs.extend(logprobs)
            self.growing.add_with(text, logprobs)
        else:
            self.growing.add(text)

    def annotate(self, annotation: Json) -> None:
        """Add a citation."""
        self._emit(
            "response.output_text.annotation.added",
            **self._where,
            annotation_index=len(self.annotations),
            annotation=annotation,
        )
        self.annotations.append(annotation)

    def end(self) -> Part:
        """Emit what ends the part, and return it."""
        text = self.growing.end(logprobs=self.logprobs) if self.kind is TEXT else self.growing.end()
        part = self._part(text)
        self._emit(self.kind.done, **self._where, part=part)
        return part

    def _part(self, text: str) -> Part:
        part = {"type": self.kind.type, self.kind.words.member: text}
        return part | {member: getattr(self, member) for member in self.kind.extras}


@dataclass(slots=True)
class OpenItem:
    """A message or a reasoning item: parts in a row, of which the last one grows."""

    emit: Emit
    item: Item
    """As it was announced; the finished item adds to it."""
    output_index: int
    part: OpenPart | None = None
    parts: dict[str, list[Part]] = field(default_factory=dict)

    def switch(self, kind: Kind, key: int = 0) -> OpenPart:
        """Return the open part if it is of that kind and key; else end it and open another."""
        part = self.part
        if part is not None and part.kind is kind and part.key == key:
            return part
        self._end_part()
        self.part = OpenPart(
            self.emit,
            kind,
            key,
            item_id=self.item["id"],
            output_index=self.output_index,
            index=len(self.parts.setdefault(kind.list, [])),
        )
        return self.part

    def end(self, status: Ending, **more: Any) -> Item:
        """Emit what ends the item, and return it."""
        self._end_part()
        item = self.item | self.parts | more | {"status": status}
        self.emit("response.output_item.done", output_index=self.output_index, item=item)
        return item

    def _end_part(self) -> None:
        if self.part is not None:
            self.parts[self.part.kind.list].append(self.part.end())
            self.part = None


@dataclass(slots=True)
class OpenCall:
    """A call whose arguments, or input, are being streamed."""

    emit: Emit
    item: Item
    output_index: int
    words: Words
    growing: Growing = field(init=False)

    def __post_init__(self) -> None:
        """Bind the fixed members of its deltas."""
        self.growing = Growing(self.emit, self.words, item_id=self.item["id"], output_index=self.output_index)

    def end(self, status: Ending) -> Item:
        """Emit what ends the call, and return it. A function that was called with nothing is called with `{}`."""
        named = {}
        if self.words is ARGUMENTS:
            named = {"name": self.item["name"]}
            if status == "completed" and not self.growing.text():
                self.growing.add("{}")
        item = self.item | {self.words.member: self.growing.end(**named), "status": status}
        self.emit("response.output_item.done", output_index=self.output_index, item=item)
        return item

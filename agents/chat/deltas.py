"""A model's events as what each adds to a chat's message: the pieces that are streamed, or added up to the whole."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final, TypeAlias, assert_never

from agents.chat.choices import Choices, cut_short
from agents.models import opaque
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
    Usage,
)
from shared.items import Item, Json

_REASONS: Final = {"max_output_tokens": "length", "content_filter": "content_filter"}
_IMAGES: Final = {"/9j/": "jpeg", "UklGR": "webp", "R0lGOD": "gif"}
"""How images begin in base64; every other one is a PNG."""


@dataclass(frozen=True, slots=True)
class Piece:
    """More of the message of one choice; `reason` tells that it ends here, and why."""

    index: int
    delta: Json
    first: bool = False
    logprobs: tuple[Json, ...] = ()
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Total:
    """All choices are complete: what they took together."""

    usage: Usage | None
    service_tier: str | None


Told: TypeAlias = Piece | Total


async def tell(choices: Choices, *, functions: bool) -> AsyncIterator[Told]:
    """Tell what each event adds, and in the end the total. Raises ModelError, also for a turn that ends too early.

    `functions`: a call is told as `function_call`.
    """
    messages = [Deltas(index, functions=functions) for index in range(choices.number)]
    ended: list[Finished] = []
    async for index, event in choices:
        piece = messages[index].add(event)
        if piece is not None:
            yield piece
        if isinstance(event, Finished):
            ended.append(event)
            if len(ended) == choices.number:
                yield _total(ended)
    if len(ended) < choices.number:
        raise cut_short()


def _total(ended: list[Finished]) -> Total:
    counts = [one.usage for one in ended if one.usage is not None]
    return Total(sum(counts, start=Usage()) if counts else None, next((one.service_tier for one in ended), None))


class Deltas:
    """Turns the events of one choice into pieces. It remembers which calls were made, because they are told by number."""

    def __init__(self, index: int, *, functions: bool = False) -> None:
        """Begin the message of choice `index`."""
        self._index = index
        self._functions = functions
        self._first = True
        self._spoken = False
        self._calls: dict[str, tuple[int, str]] = {}
        self._listed = {"annotations": 0, "images": 0}
        self._sealed: list[str] = []
        self._signed = False

    def add(self, event: ModelEvent) -> Piece | None:
        """Return what an event adds to the message; None if it adds nothing."""
        delta = self._delta(event)
        if delta is None:
            return None
        if self._sealed:
            delta = {**self._signature(), **delta}
        first, self._first = self._first, False
        if isinstance(event, TextDelta):
            self._spoken = True
            return Piece(self._index, delta, first, event.logprobs)
        return Piece(self._index, delta, first, (), self._reason(event) if isinstance(event, Finished) else None)

    def _delta(self, event: ModelEvent) -> Json | None:
        match event:
            case TextDelta(text):
                return {"content": text}
            case ToolCallStarted() | ToolCallDelta() | ToolCallDone():
                return self._called(event)
            case ReasoningDelta(text) | ReasoningSummaryDelta(text):
                return {"reasoning_content": text, "reasoning": text}
            case ReasoningDone(sealed):
                self._sealed += [sealed] if sealed else []
                return None
            case RefusalDelta(text):
                return {"refusal": text}
            case AnnotationAdded() | ItemDone():
                return self._listing(event)
            case Finished():
                return {}
            case _:
                assert_never(event)

    def _called(self, event: ToolCallStarted | ToolCallDelta | ToolCallDone) -> Json | None:
        match event:
            case ToolCallDelta(key, arguments):
                return self._argued(key, arguments)
            case ToolCallStarted():
                return self._started(event)
            case ToolCallDone():
                return None
            case _:
                assert_never(event)

    def _listing(self, event: AnnotationAdded | ItemDone) -> Json | None:
        """Tell of a citation, or of an image, for which clients look beside the content."""
        match event:
            case AnnotationAdded(annotation):
                return {"annotations": [self._numbered("annotations", _nested(annotation))]}
            case ItemDone(item):
                image = _image(item)
                return None if image is None else {"images": [self._numbered("images", image)]}
            case _:
                assert_never(event)

    def _reason(self, finished: Finished) -> str:
        called = "function_call" if self._functions else "tool_calls"
        return _REASONS.get(finished.reason) or (called if self._calls else "stop")

    def _started(self, call: ToolCallStarted) -> Json | None:
        """Tell that a call begins. Before tools there was one call at most, and so there is for those clients."""
        index = len(self._calls)
        self._calls[call.key] = (index, call.kind)
        if self._functions:
            return {"function_call": {"name": call.name, "arguments": ""}} if index == 0 else None
        member = "arguments" if call.kind == "function" else "input"
        told: Json = {"index": index, "id": call.call_id, "type": call.kind, call.kind: {"name": call.name, member: ""}}
        return {"tool_calls": [{**told, **self._thought_before(call)}]}

    def _argued(self, key: str, arguments: str) -> Json | None:
        index, kind = self._calls[key]
        if self._functions:
            return {"function_call": {"arguments": arguments}} if index == 0 else None
        member = "arguments" if kind == "function" else "input"
        return {"tool_calls": [{"index": index, kind: {member: arguments}}]}

    def _thought_before(self, call: ToolCallStarted) -> Json:
        """Keep what was thought between words or calls and this call, or was signed for it, at its place before the call."""
        begun = self._spoken or len(self._calls) > 1
        if not self._sealed or not (begun or opaque.call_of(self._sealed[-1]) == call.call_id):
            return {}
        signature = " ".join(self._sealed)
        self._sealed.clear()
        return {"thought_signature": signature}

    def _signature(self) -> Json:
        """Tell what the provider wants back: words parted by blanks, so that pieces add up to what can be read again."""
        told = ("" if not self._signed else " ") + " ".join(self._sealed)
        self._signed = True
        self._sealed.clear()
        return {"reasoning_signature": told}

    def _numbered(self, name: str, entry: Json) -> Json:
        """Number an entry of a list, which is how clients add lists up."""
        number = self._listed[name]
        self._listed[name] += 1
        return {"index": number, **entry}


def _image(item: Item) -> Json | None:
    """Tell an image that a model has made; other items have no shape in chats."""
    image = item.get("result")
    if item.get("type") != "image_generation_call" or not isinstance(image, str):
        return None
    kind = next((kind for beginning, kind in _IMAGES.items() if image.startswith(beginning)), "png")
    return {"type": "image_url", "image_url": {"url": f"data:image/{kind};base64,{image}"}}


def _nested(annotation: Json) -> Json:
    """Lay a citation a level deeper, as chats have it."""
    kind = str(annotation.get("type") or "url_citation")
    return {"type": kind, kind: {name: value for name, value in annotation.items() if name != "type"}}


def usage(given: Usage | None) -> Json:
    """Write token counts as chats have them; zeros if the provider told none."""
    counts = given or Usage()
    return {
        "prompt_tokens": counts.input,
        "completion_tokens": counts.output,
        "total_tokens": counts.input + counts.output,
        "prompt_tokens_details": {
            "cached_tokens": counts.cached,
            "cache_write_tokens": counts.cache_write,
            "cache_creation_tokens": counts.cache_write,
            "audio_tokens": 0,
        },
        "completion_tokens_details": {"reasoning_tokens": counts.reasoning, "audio_tokens": 0},
    }

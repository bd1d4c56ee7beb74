"""Secret values are taken out of what models say and tools return, in the forms that programs usually give them."""

import re
from bisect import bisect_right
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Final, TypeAlias, assert_never, cast

from agents import credentials, spellings
from agents.models import opaque
from agents.models.base import (
    AnnotationAdded,
    Finished,
    ItemDone,
    Model,
    ModelError,
    ModelEvent,
    ModelRequest,
    ReasoningDelta,
    ReasoningDone,
    ReasoningSummaryDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallDone,
    ToolCallStarted,
)
from shared.items import Item, Json

MASK: Final = "[secret]"
MIN_SECRET: Final = 4
"""Shortest value that can be a secret, in characters: shorter ones occur everywhere by chance."""
_STRUCTURE: Final = frozenset({"type", "id", "call_id", "status", "role"})
"""Members of an item that we or the provider's adapter wrote, and that others rely on."""


class Scrubber:
    """Replaces secret values by `[secret]`: at every place the longest form that stands there. False if it has none.

    Every form is at least MIN_SECRET long, so one pattern of all forms' first characters finds where to look closer. It stays
    small however long the values are.
    """

    def __init__(self, values: Iterable[str]) -> None:
        """Look for `values`, with and without space around and a scheme before them, of at least MIN_SECRET characters."""
        exact = {text for value in values for text in credentials.within(value) if len(text) >= MIN_SECRET}
        forms = {form for text in exact for form in spellings.of(text)}
        self._forms = sorted(forms)
        self._longest = max(map(len, forms), default=0)
        self._by_head: dict[str, list[str]] = {}
        for form in sorted(forms, key=len, reverse=True):
            self._by_head.setdefault(form[:MIN_SECRET], []).append(form)
        self._heads = _any_of(self._by_head)

    def __bool__(self) -> bool:
        return bool(self._forms)

    def text(self, text: str) -> str:
        """Return `text` without secrets."""
        done: list[str] = []
        place = 0
        while hit := self._hit(text, place):
            done += (text[place : hit[0]], MASK)
            place = hit[1]
        return "".join((*done, text[place:]))

    def split(self, text: str) -> tuple[str, str]:
        """Return the part of `text` that is decided, without secrets, and the end that may be the beginning of one, as it is.

        More text may be appended to that end; `split` of the whole continues as if it had never been split.
        """
        done: list[str] = []
        place = 0
        while True:
            hit = self._hit(text, place)
            held = self._undecided(text, place, hit[0] if hit else len(text) - 1)
            if held is not None:
                return "".join((*done, text[place:held])), text[held:]
            if hit is None:
                return "".join((*done, text[place:])), ""
            done += (text[place : hit[0]], MASK)
            place = hit[1]

    def value(self, value: Any) -> Any:
        """Return a JSON value without secrets in its strings, its numbers and its keys."""
        match value:
            case str():
                return self.text(value)
            case dict():
                return {self.value(key): self.value(each) for key, each in value.items()}
            case list() | tuple():
                return [self.value(each) for each in value]
            case int() | float() if not isinstance(value, bool):
                shown = str(value)
                return value if (clean := self.text(shown)) == shown else clean
            case _:
                return value

    def item(self, item: Item) -> Item:
        """Return an item without secrets. What makes it an item stays, even if a secret is a word as common as `message`."""
        return {name: each if name in _STRUCTURE else self.value(each) for name, each in item.items()}

    def _hit(self, text: str, start: int) -> tuple[int, int] | None:
        """Find the first place from `start` on where a form stands, and the end of the longest that stands there."""
        while head := self._heads.search(text, start):
            begin = head.start()
            for form in self._by_head[head[0]]:
                if text.startswith(form, begin):
                    return begin, begin + len(form)
            start = begin + 1
        return None

    def _undecided(self, text: str, start: int, stop: int) -> int | None:
        """Find the first place from `start` to `stop` from which the rest of `text` is the beginning of a longer form."""
        for place in range(max(start, len(text) - self._longest + 1), stop + 1):
            rest = text[place:]
            following = bisect_right(self._forms, rest)
            if following < len(self._forms) and self._forms[following].startswith(rest):
                return place
        return None


def _any_of(heads: Iterable[str]) -> re.Pattern[str]:
    """Match any of `heads`; grouped by the first character, so that few alternatives are tried at a place."""
    rests: dict[str, list[str]] = {}
    for head in heads:
        rests.setdefault(head[0], []).append(re.escape(head[1:]))
    groups = (f"{re.escape(first)}(?:{'|'.join(those)})" for first, those in rests.items())
    return re.compile("|".join(groups) or "(?!)")


_Speech: TypeAlias = TextDelta | RefusalDelta | ReasoningDelta | ReasoningSummaryDelta
"""What one open item grows by; an event of another kind ends it."""


NOTHING: Final = Scrubber(())
"""Leaves everything as it is."""


class Guarded:
    """A model whose words hold no secrets, however they are cut into events."""

    def __init__(self, model: Model, scrubber: Scrubber) -> None:
        self._model = model
        self._scrubber = scrubber

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """Take one turn. Text that may be the beginning of a secret comes once that is decided. Raises ModelError."""
        guard = _Guard(self._scrubber)
        events = cast("AsyncGenerator[ModelEvent, None]", self._model.stream(request))
        async with aclosing(events):
            try:
                async for event in events:
                    for clean in guard.hear(event):
                        yield clean
            except ModelError as error:
                raise self._clean(error) from None  # the original would be part of a traceback

    def _clean(self, error: ModelError) -> ModelError:
        message = self._scrubber.text(error.message)
        return ModelError(error.code, message, provider_status=error.provider_status, retry_after=error.retry_after)


class _Guard:
    """One turn: what is held back of the speech that goes on, and of each call's arguments."""

    def __init__(self, scrubber: Scrubber) -> None:
        self._scrubber = scrubber
        self._speech: _Speech | None = None
        """The latest delta, with the text that is held back as its text."""
        self._arguments: dict[str, str] = {}

    def hear(self, event: ModelEvent) -> Iterator[ModelEvent]:
        """Take the model's next event, and yield what is decided by it.

        What does not end the speech lets nothing out: a value could be spoken around a citation, or around a call's arguments.
        """
        match event:
            case TextDelta() | RefusalDelta() | ReasoningDelta() | ReasoningSummaryDelta():
                yield from self._speak(event)
            case ToolCallDelta():
                yield from self._argue(event)
            case ToolCallDone():
                yield from self._end_arguments(event.key)
                yield event
            case ReasoningDone(opaque=None) if isinstance(self._speech, TextDelta | RefusalDelta):
                yield event  # which ends no message
            case AnnotationAdded():
                yield AnnotationAdded(self._scrubber.item(event.annotation))
            case ReasoningDone() | ToolCallStarted() | ItemDone() | Finished():
                yield from self._end_speech()
                yield from self._turn_to(event)
            case _:
                assert_never(event)

    def _turn_to(self, event: ReasoningDone | ToolCallStarted | ItemDone | Finished) -> Iterator[ModelEvent]:
        match event:
            case ReasoningDone():
                state = None if event.opaque is None else opaque.scrubbed(event.opaque, self._scrubber.value)
                yield ReasoningDone(state)
            case ToolCallStarted():
                yield from self._end_arguments(event.key)
                namespace = None if event.namespace is None else self._scrubber.text(event.namespace)
                yield replace(event, name=self._scrubber.text(event.name), namespace=namespace)
            case ItemDone():
                yield ItemDone(self._scrubber.item(event.item))
            case Finished():
                for key in list(self._arguments):
                    yield from self._end_arguments(key)
                yield event
            case _:
                assert_never(event)

    def _speak(self, event: _Speech) -> Iterator[_Speech]:
        """Let out what is decided. Log probabilities spell the text, so they come once all of it is, or never if it changed."""
        if not event.text and not _logprobs(event):
            return
        if self._speech is not None and _part(self._speech) != _part(event):
            yield from self._end_speech()
        held = self._speech.text if self._speech else ""
        logprobs = (_logprobs(self._speech) if self._speech else ()) + _logprobs(event)
        clean, rest = self._scrubber.split(held + event.text)
        if clean + rest != held + event.text:
            logprobs = ()
        self._speech = _with(event, rest, logprobs) if rest else None
        spelled = () if rest else logprobs
        if clean or spelled:
            yield _with(event, clean, spelled)

    def _end_speech(self) -> Iterator[_Speech]:
        """Let out what is held: it ended before it became a secret, or it is one."""
        if self._speech is None:
            return
        speech, self._speech = self._speech, None
        clean = self._scrubber.text(speech.text)
        yield _with(speech, clean, _logprobs(speech) if clean == speech.text else ())

    def _argue(self, event: ToolCallDelta) -> Iterator[ToolCallDelta]:
        clean, rest = self._scrubber.split(self._arguments.pop(event.key, "") + event.arguments)
        if rest:
            self._arguments[event.key] = rest
        if clean:
            yield ToolCallDelta(event.key, clean)

    def _end_arguments(self, key: str) -> Iterator[ToolCallDelta]:
        if rest := self._arguments.pop(key, ""):
            yield ToolCallDelta(key, self._scrubber.text(rest))


def _part(speech: _Speech) -> tuple[type, int]:
    """Tell the parts of an item apart."""
    return type(speech), speech.index if isinstance(speech, ReasoningSummaryDelta) else 0


def _logprobs(speech: _Speech) -> tuple[Json, ...]:
    return speech.logprobs if isinstance(speech, TextDelta) else ()


def _with(speech: _Speech, text: str, logprobs: tuple[Json, ...]) -> _Speech:
    """Return the delta with another text, and for text with these log probabilities."""
    return TextDelta(text, logprobs) if isinstance(speech, TextDelta) else replace(speech, text=text)

"""A model that plays what it is told to: the test double for everything above the providers."""

from collections.abc import AsyncIterator, Awaitable, Iterable
from typing import Protocol, TypeAlias

from agents.models.base import (
    Finished,
    ModelEvent,
    ModelRequest,
    TextDelta,
    ToolCallDelta,
    ToolCallDone,
    ToolCallStarted,
    Usage,
)


class Gate(Protocol):
    """Something to wait for in the middle of a turn, such as `asyncio.Event().wait`."""

    def __call__(self) -> Awaitable[object]:
        """Return when the model may go on."""


Cue: TypeAlias = ModelEvent | Exception | Gate

STOP = Finished(reason="stop", usage=Usage(input=10, output=5))


class Scripted:
    """Takes one scripted turn per request, in order, and keeps the requests."""

    def __init__(self, *turns: Iterable[Cue]) -> None:
        """Each turn is a row of events to give, exceptions to raise and gates to wait at."""
        self.requests: list[ModelRequest] = []
        self.closed = 0
        """How many turns are over: played to the end, failed, or closed by the caller."""
        self._turns = [list(turn) for turn in turns]

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """Play the next turn; one too many is an `IndexError`."""
        self.requests.append(request)
        try:
            for cue in self._turns[len(self.requests) - 1]:
                if isinstance(cue, Exception):
                    raise cue
                if callable(cue):
                    await cue()
                else:
                    yield cue
        finally:
            self.closed += 1


def says(*texts: str) -> list[ModelEvent]:
    """Script a turn of plain text, one delta per argument."""
    return [*map(TextDelta, texts), STOP]


def call(name: str, arguments: str = "{}", *, call_id: str = "call_1") -> list[ModelEvent]:
    """Script one complete function call, without the end of the turn."""
    return [ToolCallStarted(call_id, call_id, name), ToolCallDelta(call_id, arguments), ToolCallDone(call_id)]

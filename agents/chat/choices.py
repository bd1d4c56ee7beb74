"""The turns of one call, taken at once, each of which is a choice of the answer."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import TypeAlias, cast

from agents.models.base import ModelError, ModelEvent

_Turn: TypeAlias = AsyncGenerator[ModelEvent, None]
_Next: TypeAlias = "asyncio.Future[ModelEvent | None]"


class Choices:
    """Several turns as one row of events, in the order in which they come. `close` must be awaited in the end."""

    def __init__(self, turns: Sequence[AsyncIterator[ModelEvent]]) -> None:
        """`turns` are not begun, and closed with this."""
        self.number = len(turns)
        self._turns = [cast("_Turn", turn) for turn in turns]
        self._first: ModelEvent | None = None
        self._awaited: dict[_Next, int] = {}

    async def begin(self) -> None:
        """Return once every turn has begun. Raises ModelError of the first that fails."""
        if self.number == 1:
            self._first = _begun(await anext(self._turns[0], None))
            return
        for index in range(self.number):
            self._await(index)
        done, _ = await asyncio.wait(self._awaited, return_when=asyncio.FIRST_EXCEPTION)
        for one in done:
            _begun(one.result())

    async def __aiter__(self) -> AsyncIterator[tuple[int, ModelEvent]]:
        """Yield events with the numbers of their turns. Raises ModelError."""
        if self._first is not None:
            yield 0, self._first
            async for event in self._turns[0]:
                yield 0, event
        while self._awaited:
            done, _ = await asyncio.wait(self._awaited, return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                index = self._awaited.pop(one)
                told = one.result()
                if told is not None:
                    yield index, told
                    self._await(index)

    async def close(self) -> None:
        """Close every turn, whose provider's connection goes with it."""
        for one in self._awaited:
            one.cancel()
        await asyncio.gather(*self._awaited, return_exceptions=True)
        for turn in self._turns:
            await turn.aclose()

    def _await(self, index: int) -> None:
        self._awaited[asyncio.ensure_future(_next(self._turns[index]))] = index


def cut_short() -> ModelError:
    """Make the error of a turn that ended before it was finished."""
    return ModelError("provider_protocol", "The provider's stream ended before its answer was complete.")


def _begun(first: ModelEvent | None) -> ModelEvent:
    if first is None:
        raise cut_short()
    return first


async def _next(turn: _Turn) -> ModelEvent | None:
    return await anext(turn, None)

"""A model that has only so long to begin."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import cast

from agents.models.base import Model, ModelError, ModelEvent, ModelRequest


class Hurried:
    """Another model, given up if its first event takes too long."""

    def __init__(self, model: Model, seconds: float) -> None:
        """`seconds` bound the wait for the first event of each turn."""
        self._model = model
        self._seconds = seconds

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """Take one turn. Raises ModelError `provider_timeout` if it does not begin in time."""
        async with aclosing(cast("AsyncGenerator[ModelEvent, None]", self._model.stream(request))) as events:
            try:
                async with asyncio.timeout(self._seconds):
                    first = await anext(events, None)
            except TimeoutError:
                message = f"The provider did not answer within {self._seconds:g} seconds."
                raise ModelError("provider_timeout", message) from None
            if first is None:
                return
            yield first
            async for event in events:
                yield event

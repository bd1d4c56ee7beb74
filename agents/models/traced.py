"""A model whose turns are seen in traces."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import cast

from agents import costs, spans
from agents.models.base import Finished, Model, ModelError, ModelEvent, ModelRequest
from shared import telemetry
from shared.telemetry import Span


class Traced:
    """Another model, each call of which has a span below the current one."""

    def __init__(self, model: Model, asked: str) -> None:
        """`asked` is the model as `provider/model`."""
        self._model = model
        self._asked = asked

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """Take one turn. Raises ModelError."""
        asking = spans.model_call(self._asked, "chat")
        span = telemetry.begin(f"chat {request.model}", kind="client", attributes={**asking, "gen_ai.request.stream": True})
        begun, first = time.monotonic(), True
        try:
            async with aclosing(cast("AsyncGenerator[ModelEvent, None]", self._model.stream(request))) as events:
                async for event in events:
                    if first:
                        first = False
                        span.set({"gen_ai.response.time_to_first_chunk": time.monotonic() - begun})
                    if isinstance(event, Finished):
                        self._finish(span, event)
                    yield event
        except ModelError as error:
            span.fail(error.code)
            raise
        except asyncio.CancelledError:
            span.fail("cancelled")
            raise
        finally:
            span.end()

    def _finish(self, span: Span, event: Finished) -> None:
        """Say how the call ended, and what it took."""
        provider, _, model = self._asked.partition("/")
        cost = None if event.usage is None else costs.cost(provider, model, event.usage)
        known = spans.took(event.usage, None if cost is None else cost.total)
        span.set({**known, **spans.finished(event.reason), "gen_ai.response.model": model})

"""Reading a response's log for one request, and waiting for its end."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Final, TypeAlias

import orjson
from fastapi import Request, Response

from api import store
from api.desk import Desk
from api.follow import follow
from api.mailroom import Mailbox
from api.replies import ResponseNotFound, raw_reply
from api.stream import gone
from shared import db, frames
from shared.errors import RondoError
from shared.frames import Page
from shared.items import Json

OnDrop: TypeAlias = Callable[[], None]
"""Called if the client goes away before the end."""


def nothing() -> None:
    """Do nothing: the reader was only a reader."""


class Reader:
    """One request's way through a log; when it ends, its mailbox is given up and an unstored response forgotten."""

    def __init__(
        self, desk: Desk, box: Mailbox, response_id: str, *, after: int, page: Page | None = None, store: bool = True
    ) -> None:
        """Begin beyond `after`. `page` is what the caller knows to come first, written after `box` was subscribed."""
        self.response_id = response_id
        self._desk = desk
        self._box = box
        self._after = after
        self._page = page
        self._store = store

    async def __aiter__(self) -> AsyncIterator[Page]:
        """Yield pages, and empty ones as signs of life."""
        after = self._after
        if self._page:
            yield self._page
            after = self._page.last
        async for page in follow(self._desk.pool, self._box, self.response_id, after=after, known=self._page is not None):
            yield page

    async def snapshot(self) -> bytes:
        """Encode the response as it is stored."""
        async with db.connection(self._desk.pool) as session:
            row = await store.row_of(session, self.response_id)
            return orjson.dumps(await store.object_of(session, row)) if row else b"null"

    def close(self) -> None:
        """Give the mailbox up, in any case."""
        self._desk.mailroom.leave(self._box)
        if not self._store:
            self._desk.errand(db.insist(self._forget, what="forgetting"))

    async def _forget(self) -> None:
        async with db.transaction(self._desk.pool) as session:
            await store.forget(session, self.response_id)


class GenerationFailed(RondoError):
    """The response could not be generated."""

    def __init__(self, response_id: str, error: Json) -> None:
        """Map the stored error's code to a status. It was retried already, so the client need not."""
        super().__init__(
            error["message"],
            code=error["code"],
            headers={"x-should-retry": "false", "x-rondo-response-id": response_id},
        )
        self.status_code = STATUS.get(error["code"], 500)
        self.type = {400: "invalid_request_error", 429: "requests"}.get(self.status_code, "server_error")


STATUS: Final = {
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "context_length_exceeded": 400,
    "invalid_prompt": 400,
    "model_not_found": 400,
    "provider_authentication": 502,
    "provider_unavailable": 502,
    "provider_protocol": 502,
    "provider_timeout": 504,
}
"""HTTP statuses of a failed response's error codes, where the client waited for it; any other is 500."""


async def for_the_end(
    request: Request, reader: Reader, *, on_drop: OnDrop, render: Callable[[bytes], Response] = raw_reply
) -> Response:
    """Answer with the finished response, which `render` writes. Raises GenerationFailed."""
    reading = asyncio.ensure_future(_last_frame(reader))
    leaving = asyncio.ensure_future(gone(request.receive))
    try:
        await asyncio.wait({reading, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not reading.done():
            on_drop()
            return Response(status_code=499)
        return render(await _finished(reader, reading.result()))
    finally:
        for task in (reading, leaving):
            task.cancel()
        await asyncio.gather(reading, leaving, return_exceptions=True)
        reader.close()


async def _last_frame(reader: Reader) -> bytes:
    """Read the log to its end and return the last frame. Raises ResponseNotFound if the response is gone."""
    last = b""
    async for page in reader:
        last = page.frames or last
    if not last:
        raise ResponseNotFound(reader.response_id)
    return frames.split(last)[-1]


async def _finished(reader: Reader, frame: bytes) -> bytes:
    """Cut the response out of its terminal event; a cancelled one has none, so it is read from its row."""
    if frame.startswith((b"event: response.completed\n", b"event: response.incomplete\n")):
        return frames.response_in(frame)
    if frame.startswith(b"event: response.failed\n"):
        raise GenerationFailed(reader.response_id, orjson.loads(frames.response_in(frame))["error"])
    return await reader.snapshot()

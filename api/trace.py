"""What every request gets, as plain ASGI: an id, its time, one line in the log."""

import re
import time
from typing import Any, Final

import structlog
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared import ids

log = structlog.get_logger("api.access")

_CLIENT_ID: Final = re.compile(rb"[\x21-\x7e]{1,200}")


class Trace:
    """Middleware: `x-request-id` and `openai-processing-ms` on every answer, and the access log."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap an app."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.monotonic()
        request_id = ids.new("req")
        status = 0

        async def tagged(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = request_id
                headers["openai-processing-ms"] = str(round((time.monotonic() - begun) * 1000))
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id, **_client_request_id(scope)):
            try:
                await self._app(scope, receive, tagged)
            finally:
                took = round((time.monotonic() - begun) * 1000, 1)
                log.info("request", method=scope["method"], path=scope["path"], status=status, ms=took)


def _client_request_id(scope: Scope) -> dict[str, Any]:
    """Keep the id that a client gave its request, if it is fit for a log."""
    for name, value in scope["headers"]:
        if name == b"x-client-request-id" and _CLIENT_ID.fullmatch(value):
            return {"client_request_id": value.decode("ascii")}
    return {}

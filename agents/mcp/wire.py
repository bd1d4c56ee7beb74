"""All HTTP of a session with an MCP server passes here: its sizes are bounded, and what became of each request is noted.

The SDK tells its caller little about a request that failed, and one that could not be sent ends the session for everybody.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

import httpx2
import orjson

from agents import net
from agents.tools.base import ToolUnavailable

MAX_RESPONSE: Final = 8_000_000
"""Bytes of an answer to a request."""
NOTICE: Final = 5.0
"""Seconds that a notification may take: the SDK sends nothing else meanwhile."""


@dataclass(slots=True)
class Attempt:
    """What HTTP saw of a request of ours."""

    sent: bool = False
    """Whether it came as far as here."""
    lost: bool = False
    """The server has not taken it: there was no connection, or it does not know the session."""
    status: int | None = None
    """The HTTP status of a refusal."""
    fault: str = ""
    """Why there was no answer, a sentence."""


ATTEMPT: ContextVar[Attempt] = ContextVar("mcp_attempt")
"""Set by who asks. The SDK sends a request in the context of its caller."""

_UNSENT: Final = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


class Lost(ToolUnavailable):
    """The server has not taken the request: it may be made again, in another session."""


class Wire(httpx2.AsyncBaseTransport):
    """A transport on top of a client that decides what may be connected to."""

    def __init__(self, client: httpx2.AsyncClient, *, broken: Callable[[], None] | None) -> None:
        """`broken` is called when a session of the old transport, which answers by its one stream, cannot go on."""
        self._client = client
        self._broken = broken

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send it. A message that fails is answered with 502, so that it fails alone."""
        if request.method != "POST":
            response = await self._client.send(request, stream=True, follow_redirects=False)
            ended = self._broken if request.method == "GET" else None
            return _passed(response, _Body(response, limit=None, ended=ended))
        attempt = ATTEMPT.get(None) or Attempt()
        attempt.sent, attempt.status = True, None
        try:
            response = await self._post(request)
        except (httpx2.HTTPError, TimeoutError) as error:
            attempt.lost, attempt.fault = isinstance(error, _UNSENT) and not isinstance(error, net.Refused), why(error)
            return self._refused(httpx2.Response(502, request=request))
        if response.is_error or response.has_redirect_location:
            attempt.status = response.status_code
            attempt.lost = response.status_code == httpx2.codes.NOT_FOUND and self._in_session(request)
            self._refused(response)
        return _passed(response, _Body(response, limit=MAX_RESPONSE, ended=None))

    async def aclose(self) -> None:
        """Close the client."""
        await self._client.aclose()

    async def _post(self, request: httpx2.Request) -> httpx2.Response:
        message = orjson.loads(request.content)
        async with asyncio.timeout(None if "id" in message else NOTICE):
            return await self._client.send(request, stream=True, follow_redirects=False)

    def _in_session(self, request: httpx2.Request) -> bool:
        return self._broken is not None or "mcp-session-id" in request.headers

    def _refused(self, response: httpx2.Response) -> httpx2.Response:
        """Tell that the old transport lost a message: the SDK sends no further one after that."""
        if self._broken is not None:
            self._broken()
        return response


class _Body(httpx2.AsyncByteStream):
    """A body that ends with an error of its own if it is too long or breaks off."""

    def __init__(self, response: httpx2.Response, *, limit: int | None, ended: Callable[[], None] | None) -> None:
        self._response = response
        self._limit = limit
        self._ended = ended

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = self._limit
        try:
            async for chunk in self._response.aiter_raw():
                left = None if left is None else left - len(chunk)
                if left is not None and left < 0:
                    raise httpx2.StreamError(f"more than {self._limit} bytes")  # the SDK knows this one
                yield chunk
        except httpx2.TransportError as error:
            raise httpx2.StreamError("broke off") from error
        finally:
            if self._ended is not None:
                self._ended()

    async def aclose(self) -> None:
        await self._response.aclose()


def _passed(response: httpx2.Response, body: _Body) -> httpx2.Response:
    return httpx2.Response(response.status_code, headers=response.headers, stream=body, extensions=response.extensions)


def why(error: Exception) -> str:
    """Say why there was no answer, without the address, which may have a secret in it."""
    match error:
        case net.Refused():
            return str(error)
        case httpx2.ConnectError() | httpx2.ConnectTimeout() | httpx2.PoolTimeout():
            return "No connection could be made to the MCP server."
        case httpx2.TimeoutException() | TimeoutError():
            return "The MCP server did not answer in time."
        case _:
            return "The connection to the MCP server ended before it answered."

"""What the SDK and the libraries below it raise, in sentences: nothing foreign gets past here.

What a server says is told, what a library says is not: it repeats what it could not read.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import anyio
import httpx2
from mcp import MCPError
from mcp.client.streamable_http import StreamableHTTPError
from mcp_types import CONNECTION_CLOSED, PARSE_ERROR

from agents.mcp.wire import Attempt, Lost, why
from agents.tools.base import ToolError, ToolUnavailable

MAX_MESSAGE: Final = 64_000
"""Characters that a server may say of a failure."""

FOREIGN: Final = (
    MCPError,
    StreamableHTTPError,
    httpx2.HTTPError,
    httpx2.CookieConflict,
    httpx2.InvalidURL,
    anyio.BrokenResourceError,
    anyio.BusyResourceError,
    anyio.ClosedResourceError,
    anyio.EndOfStream,
    anyio.WouldBlock,
    RuntimeError,  # the SDK's for an unknown version of the protocol; httpx2's for a body that cannot be read
    ValueError,  # pydantic's for an answer without the promised shape; the SDK's for a foreign origin
)

_CLOSED: Final = (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream)
_ENDED: Final = "The connection to the MCP server ended before it answered."
_UNREADABLE: Final = "The MCP server's answer does not follow the protocol."


@contextmanager
def told(attempt: Attempt) -> Iterator[None]:
    """Turn every foreign exception, alone or in groups, into a `ToolError`, and into `Lost` if nothing can have happened."""
    try:
        yield
    except FOREIGN as error:
        raise _sentence(error, attempt) from error
    except ExceptionGroup as group:
        known, rest = group.split(FOREIGN)
        if known is None or rest is not None:
            raise
        raise _sentence(_first(known), attempt) from group


def _sentence(error: Exception, attempt: Attempt) -> ToolError:
    if attempt.lost:
        return Lost(attempt.fault or "The MCP server does not know the session any more.")
    if _closed(error):
        return ToolUnavailable(attempt.fault or _ENDED) if attempt.sent else Lost(_ENDED)
    if attempt.fault:
        return ToolUnavailable(attempt.fault)
    match error:
        case MCPError():
            return _refusal(error, attempt)
        case httpx2.HTTPStatusError():
            return ToolError(f"The MCP server answered with HTTP {error.response.status_code}.")
        case httpx2.HTTPError():
            return ToolUnavailable(why(error))
        case _:
            return ToolError(_UNREADABLE)


def _refusal(error: MCPError, attempt: Attempt) -> ToolError:
    if error.code == PARSE_ERROR:
        return ToolError(_UNREADABLE)
    how = "answered" if attempt.status is None else f"answered with HTTP {attempt.status}"
    said = error.message[:MAX_MESSAGE].rstrip()
    return ToolError(f"The MCP server {how}: {said}{'' if said.endswith(('.', '!', '?')) else '.'}")


def _closed(error: Exception) -> bool:
    return isinstance(error, _CLOSED) or (isinstance(error, MCPError) and error.code == CONNECTION_CLOSED)


def _first(error: Exception) -> Exception:
    """Return the first of a group's exceptions, which caused the others."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error

"""Nothing foreign gets past the adapter, and nobody pays for the SDK who needs no server."""

import subprocess
import sys
from types import ModuleType
from typing import Final

import anyio
import httpx2
import mcp.client._input_required
import mcp.client.streamable_http
import mcp.client.subscriptions
import mcp.shared.exceptions
import pydantic
import pytest
from mcp import MCPError
from mcp_types import CONNECTION_CLOSED, INTERNAL_ERROR

from agents import net
from agents.mcp import faults
from agents.mcp.wire import Attempt, Lost
from agents.tools.base import ToolError, ToolUnavailable

FOREIGN: Final[tuple[ModuleType, ...]] = (
    mcp.shared.exceptions,
    mcp.client.streamable_http,
    mcp.client.subscriptions,
    mcp.client._input_required,
    httpx2,
    anyio,
)

_ELSEWHERE: Final = {
    *("BrokenWorkerInterpreter", "BrokenWorkerProcess", "NoEventLoopError", "RunFinishedError"),  # threads and processes
    *("FutureAlreadyFinished", "FutureCancelled", "FutureFailed", "FutureNotFinished"),
    *("TaskCancelled", "TaskFailed", "TaskNotFinished"),
    *("DelimiterNotFound", "IncompleteRead", "TypedAttributeLookupError", "ConnectionFailed"),  # sockets, which are aiohttp's
}
"""Of parts of anyio that the SDK's clients do not use."""


def raisable() -> list[type[Exception]]:
    found = [each for module in FOREIGN for each in vars(module).values() if isinstance(each, type)]
    mine = [each for each in found if issubclass(each, Exception) and not issubclass(each, Warning)]
    return sorted({*mine, pydantic.ValidationError}, key=str)


@pytest.mark.parametrize("error", [each for each in raisable() if each.__name__ not in _ELSEWHERE], ids=str)
def test_every_foreign_exception_is_known(error: type[Exception]) -> None:
    assert issubclass(error, faults.FOREIGN)


def raised(error: Exception, attempt: Attempt) -> ToolError:
    with pytest.raises(ToolError) as caught, faults.told(attempt):
        raise error
    return caught.value


def test_exceptions_in_groups_are_known_too() -> None:
    group = ExceptionGroup("a", [ExceptionGroup("b", [httpx2.ConnectError("c")]), anyio.ClosedResourceError()])
    assert raised(group, Attempt(sent=True)).message == "No connection could be made to the MCP server."


def test_a_group_with_something_else_in_it_is_not_ours() -> None:
    with pytest.raises(ExceptionGroup), faults.told(Attempt()):
        raise ExceptionGroup("a", [httpx2.ConnectError("b"), KeyError("c")])


@pytest.mark.parametrize(
    ("attempt", "kind"),
    [
        (Attempt(), Lost),
        (Attempt(sent=True, lost=True), Lost),
        (Attempt(sent=True), ToolUnavailable),
        (Attempt(sent=True, fault="It broke."), ToolUnavailable),
    ],
)
def test_a_request_counts_as_not_taken_only_if_that_is_certain(attempt: Attempt, kind: type[ToolError]) -> None:
    assert type(raised(MCPError(CONNECTION_CLOSED, "Connection closed"), attempt)) is kind


def test_what_a_library_says_is_not_repeated() -> None:
    assert "s3cret" not in raised(httpx2.ReadError("https://far.test/?key=s3cret"), Attempt(sent=True)).message


def test_what_a_server_says_is_bounded() -> None:
    assert len(raised(MCPError(INTERNAL_ERROR, "a" * 100_000), Attempt(sent=True)).message) < faults.MAX_MESSAGE + 100


def test_an_address_that_may_not_be_reached_is_named() -> None:
    refused = net.Refused("The address of 'far' is in a network that may not be reached.")
    assert raised(refused, Attempt()).message == str(refused)


def test_a_worker_that_needs_no_server_does_not_import_the_sdk() -> None:
    code = "import sys, worker.app, agents.tools.registry; print([name for name in sys.modules if name.split('.')[0] == 'mcp'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # our own
    assert done.stdout.strip() == "[]"

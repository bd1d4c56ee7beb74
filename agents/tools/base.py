"""What a tool that a worker runs consists of.

A tool's *spec* is the object that stands in a response's `tools`, complete: a saved tool has been put in its place, and secrets
stand in it as `{"secret": id}`. One `Tool` serves all specs of a type.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from agents.plan import Engine
from agents.scrub import NOTHING, Scrubber
from shared.items import Json

if TYPE_CHECKING:
    from agents.tools.box import Toolbox

Effect: TypeAlias = Literal["pure", "idempotent", "at_most_once"]
"""What a repeated call does: nothing (`pure`), the same as one (`idempotent`), or harm (`at_most_once`)."""

Queue: TypeAlias = Literal["tools", "code"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """What a model is offered; `parameters` is the JSON Schema of the arguments."""

    name: str
    description: str
    parameters: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a running tool may know of its call."""

    name: str
    """The owner's name of the function that the model called."""
    now: datetime
    """With its time zone."""
    idempotency_key: str
    """The same in all attempts."""
    attempt: int
    """1 for the first."""
    timeout: float
    """Seconds until the call is stopped from outside."""
    engine: Engine
    variables: Mapping[str, Any]
    """The response's variables, secret ones in clear: for the tool's configuration, never for anything a model sees."""
    secrets: Mapping[str, str]
    """The value of each `{"secret": id}` by its id."""
    box: "Toolbox"
    """What the process shares: HTTP client, MCP sessions, sandbox."""
    scrubber: Scrubber = NOTHING
    """Takes secrets out of texts. What is cut must be scrubbed before: a secret's beginning would not be found again."""


class Tool(Protocol):
    """A type of tool."""

    queue: Queue

    def offer(self, spec: Json, /) -> Function:
        """Say what a model is offered."""

    def effect(self, spec: Json, /) -> Effect:
        """Say what a repeated call does."""

    def timeout(self, spec: Json, /) -> float:
        """Seconds that one call may take."""

    async def run(self, spec: Json, arguments: Json, call: Call, /) -> Any:
        """Take arguments that fit the schema; return a JSON value or raise `ToolError`."""


class ToolError(Exception):
    """The call failed, for a reason that the model is told."""

    def __init__(self, message: str) -> None:
        """`message` is a sentence that helps the model to call better."""
        self.message = message
        super().__init__(message)


class ToolUnavailable(ToolError):
    """The call failed for now: where it is harmless to repeat, a later attempt may do better."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        """`retry_after` is how many seconds the far side asks to be left alone."""
        self.retry_after = retry_after
        super().__init__(message)

"""What a tool that a worker runs consists of."""

from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol, TypeAlias

from shared.items import Json

Effect: TypeAlias = Literal["pure", "idempotent", "at_most_once"]
"""What a repeated call does: nothing (`pure`), the same as one (`idempotent`), or harm (`at_most_once`)."""


class Run(Protocol):
    """Run the tool."""

    def __call__(self, arguments: Json, /, *, now: datetime) -> Awaitable[Any]:
        """Take arguments that fit the schema, and the time with its zone; return a JSON value or raise `ToolError`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A tool; `schema` is the JSON Schema of its arguments, `timeout` is in seconds."""

    description: str
    schema: Json
    effect: Effect
    timeout: float
    run: Run


class ToolError(Exception):
    """The call failed, for a reason that the model is told."""

    def __init__(self, message: str) -> None:
        """`message` is a sentence that helps the model to call better."""
        self.message = message
        super().__init__(message)

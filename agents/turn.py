"""What a step is given and what it returns: values, so that the loop can be tested without stores or processes."""

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from agents.models.base import ModelError, Sampling, Timeouts, Usage
from agents.plan import ApprovalPolicy
from agents.tools.base import Effect, Queue
from shared.items import Item, Json


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """What a server tool gave for one call. Exactly one of `result` and `error` is meant; an error is told to the model."""

    call_id: str
    tool: str
    """The tool's type, such as `orq:current_date`."""
    name: str
    arguments: str
    result: Any = None
    error: str | None = None
    label: str | None = None
    """The MCP server's label."""
    output_index: int | None = None
    """Where the `mcp_call` item stands that this completes; None if the result is an item of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Everything one step may know.

    `history` is the context so far, oldest first: inherited items, input, and what earlier steps of this response put out.
    `body` is the response object's echo: instructions, tools, tool_choice, parallel_tool_calls, max_tool_calls, text,
    reasoning, temperature, top_p and so on. `results` are server calls that finished since the last step, in call order.
    """

    response_id: str
    model: str
    history: list[Item]
    body: Json
    sampling: Sampling = field(default_factory=Sampling)
    """What the client asked for; the echo in `body` shows defaults too, which are not sent to a provider."""
    passthrough: Json = field(default_factory=dict)
    iteration: int = 0
    """Model calls that earlier steps of this response made."""
    max_iterations: int = 25
    tool_calls: int = 0
    """Server tool calls that earlier steps of this response ran."""
    uses: dict[str, int] = field(default_factory=dict)
    """How many of them by the name of the function."""
    spent: float = 0.0
    """USD so far, delegated responses included; calls of unknown price count nothing."""
    max_cost: float | None = None
    approval: ApprovalPolicy = "respect_tool"
    depth: int = 0
    """How many responses delegated to this one, one through the other."""
    max_depth: int = 5
    """A response at this depth is not offered to delegate any further."""
    window: int | None = None
    """Tokens that the model can take; None if that is not known, or nothing may be left out of the context."""
    next_output_index: int = 0
    results: list[ToolResult] = field(default_factory=list)
    timeouts: Timeouts = field(default_factory=Timeouts)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerCall:
    """A call that a worker runs: `tool` is the tool's type (`orq:current_date`), `name` what the model called it."""

    call_id: str
    tool: str
    name: str
    arguments: str
    label: str | None = None
    """The MCP server's label."""
    effect: Effect = "idempotent"
    queue: Queue = "tools"
    timeout: float = 300.0
    """Seconds that one attempt may take."""
    output_index: int | None = None
    """Where its `mcp_call` item stands, in progress; None if the result will be an item of its own."""


@dataclass(frozen=True, slots=True)
class Continue:
    """The model must be asked again: it was told something it has not answered yet."""


@dataclass(frozen=True, slots=True)
class RunTools:
    """Workers run these calls; the last one to finish brings the response back."""

    calls: tuple[ServerCall, ...]


@dataclass(frozen=True, slots=True)
class AwaitClient:
    """The response completes with calls, or requests for approval, that the client answers in its next request."""


@dataclass(frozen=True, slots=True)
class Finish:
    """The response is over; `reason` says why it is incomplete."""

    status: Literal["completed", "incomplete"] = "completed"
    reason: str | None = None


Verdict: TypeAlias = Continue | RunTools | AwaitClient | Finish


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A step's result. `items` are output items, the first at `Turn.next_output_index`, without gaps.

    They are finished, except for `mcp_call` items in progress, which their results complete.
    """

    verdict: Verdict
    items: list[Item]
    amended: dict[int, Item] = field(default_factory=dict)
    """Items of earlier steps, by output index, that this step completed."""
    usage: Usage | None = None
    """None if no model was called, or the provider told nothing."""
    called_model: bool = False
    first_token: float | None = None
    """Seconds from asking the model to its first event."""
    service_tier: str | None = None


class StepFailed(Exception):
    """The model failed. Items it left open were closed as incomplete in the log, and none of this step's items count."""

    def __init__(self, error: ModelError, *, next_output_index: int) -> None:
        """`next_output_index` is the first index that a new attempt may use."""
        self.error = error
        self.next_output_index = next_output_index
        super().__init__(error.message)

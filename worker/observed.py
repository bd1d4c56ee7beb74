"""What traces and numbers are told of a worker's steps and tool calls.

A step's span begins with its claim and ends with its commit, below the request that asked for the response: nothing is held
open from one step to the next, which may be days later and in another process.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import structlog

from agents import spans
from shared import metrics, telemetry

if TYPE_CHECKING:
    from shared.telemetry import Span
    from worker.call_store import Claimed
    from worker.store import Commit, Run

ToolOutcome: TypeAlias = Literal["succeeded", "failed", "again", "delegated"]


@contextmanager
def step(run: Run) -> Iterator[None]:
    """Open a step's span for the length of the block."""
    if not telemetry.on():
        yield
        return
    agent = spans.agent(run.plan.agent)
    attributes = {
        "gen_ai.operation.name": "invoke_agent",
        **agent,
        **spans.about(run.identity_id, run.thread_id),
        "rondo.response.id": run.id,
        "rondo.model": run.asked,
        "rondo.step": run.steps,
        "rondo.attempt": run.claims + run.failures,
    }
    name = f"invoke_agent {agent['gen_ai.agent.name'] or ''}".strip()
    with (
        telemetry.span(name, attributes=attributes, remote=run.plan.trace),
        structlog.contextvars.bound_contextvars(**telemetry.log_ids()),
    ):
        yield


def committed(run: Run, step: Commit) -> None:
    """Tell what came of a step, within its block."""
    metrics.step(outcome=step.outcome, seconds=_seconds(run))
    provider = run.asked.partition("/")[0]
    used, cost = step.step_usage, step.step_cost
    if step.called_model:
        metrics.model_turn(
            provider=provider,
            first_token=step.first_token,
            tokens=(used["input_tokens"], used["output_tokens"]) if used else None,
            cost=None if cost is None else float(cost),
        )
    code = (step.step_error or step.error or {}).get("code")
    if step.failed:
        metrics.model_error(provider=provider, code=str(code))
    if not telemetry.on():
        return
    span = telemetry.current()
    span.set({"rondo.outcome": step.outcome, "rondo.status": step.status.value})
    if code is not None:
        span.fail(code)
    if telemetry.content():
        asked = spans.messages([*run.context, *run.output])
        span.set({"gen_ai.input.messages": asked, "gen_ai.output.messages": spans.messages(step.items)})


def fenced(run: Run) -> None:
    """Tell that a step was for nothing, within its block: somebody else has the response."""
    metrics.step(outcome="fenced", seconds=_seconds(run))
    telemetry.current().fail("fenced")


def _seconds(run: Run) -> float:
    """Measure from the claim, which Postgres timed, as in the journal."""
    return max((datetime.now(UTC) - run.claimed_at).total_seconds(), 0.0)


@dataclass(slots=True)
class Seen:
    """A tool call that runs."""

    call: Claimed
    begun: float
    span: Span

    def end(self, outcome: ToolOutcome, result: Any = None) -> None:
        """Tell what came of it; `result` is what the model is told."""
        metrics.tool_call(tool=self.call.tool, outcome=outcome, seconds=time.monotonic() - self.begun)
        self.span.set({"rondo.outcome": outcome})
        if outcome == "failed":
            self.span.fail("tool_error")
        if telemetry.content():
            said = {"gen_ai.tool.call.arguments": spans.bounded(self.call.arguments)}
            self.span.set(said if result is None else {**said, "gen_ai.tool.call.result": spans.bounded(result)})


@contextmanager
def tool(call: Claimed) -> Iterator[Seen]:
    """Open a tool call's span for the length of the block."""
    if not telemetry.on():
        yield Seen(call, time.monotonic(), telemetry.OFF)
        return
    attributes = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": call.name,
        "gen_ai.tool.call.id": call.call_id,
        **spans.about(call.identity_id, call.thread_id),
        "rondo.tool.type": call.tool,
        "rondo.response.id": call.response_id,
        "rondo.attempt": call.attempts,
    }
    with (
        telemetry.span(f"execute_tool {call.name}", attributes=attributes, remote=call.request.get("trace")) as span,
        structlog.contextvars.bound_contextvars(**telemetry.log_ids()),
    ):
        yield Seen(call, time.monotonic(), span)

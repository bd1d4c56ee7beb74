"""One server tool call: claim, run, store and tell the result, and bring the response back when it was the last."""

import asyncio
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import structlog

from agents import toolset
from agents.plan import Plan
from agents.tools import registry
from agents.tools.base import Call, ToolError, ToolUnavailable
from shared import db, metrics
from worker import call_store, children, observed, opening
from worker.call_store import Claimed, Ended
from worker.observed import Seen
from worker.opening import Opened
from worker.runtime import Runtime

log = structlog.get_logger(__name__)

ATTEMPTS: Final = 3
"""How often a call is tried whose tool is unavailable, if repeating it does no harm."""
MAX_WAIT: Final = 60.0
"""Seconds that a far side may have a call wait for its next attempt."""


@dataclass(frozen=True, slots=True)
class Again:
    """The call is to be tried once more, in `wait` seconds."""

    wait: float


async def run_tool(runtime: Runtime, call_id: str) -> None:
    """Run a call, if it is ours to run. A failure of the tool is a result that the model is told."""
    if runtime.draining:
        return
    async with db.connection(runtime.pool) as session:
        call = await call_store.claim(session, call_id, worker=runtime.worker_id, lease=runtime.settings.lease)
    metrics.claim("tool_call", taken=call is not None)
    if call is None:
        return
    with (
        structlog.contextvars.bound_contextvars(response_id=call.response_id, tool_call_id=call.id),
        runtime.holding(runtime.calls, call.id, epoch=call.epoch, of=call.response_id),
        observed.tool(call) as seen,
    ):
        try:
            await _run(runtime, call, seen)
        except asyncio.CancelledError:
            async with db.connection(runtime.pool) as session:
                await call_store.hand_back(session, call)
            raise


async def _run(runtime: Runtime, call: Claimed, seen: Seen) -> None:
    """Have the call answered, by the tool or by a response of its own."""
    match await _outcome(runtime, call):
        case Ended() as ended:
            runtime.let_go(runtime.calls, call.id, epoch=call.epoch)
            await call_store.end(runtime, call, ended)
            told = ended.result if ended.error is None else ended.error
            seen.end("succeeded" if ended.error is None else "failed", told)
        case Again(wait):
            async with db.connection(runtime.pool) as session:
                await call_store.postpone(session, call, wait)
            seen.end("again")
        case children.Delegated(response_id):
            if response_id is not None:
                runtime.hints.advance(response_id)
            seen.end("delegated")


async def _outcome(runtime: Runtime, call: Claimed) -> Ended | Again | children.Delegated:
    """Say what came of the call; nothing in it repeats a secret."""
    if call.attempts > runtime.settings.max_claims:
        return Ended(error=f"The tool was given up after {call.attempts - 1} workers died while it ran.")
    plan = Plan.load(call.request)
    spec = toolset.spec_of({**call.body, **plan.body}.get("tools") or [], call)
    if spec is None:
        return Ended(error=f"There is no tool {call.name!r}.")
    try:
        opened = await opening.opened(runtime, call.project_id, plan)
    except opening.Closed as closed:
        return Ended(error=str(closed))
    try:
        if children.delegates(spec):
            return await children.delegate(runtime, call, plan, spec, opened)
        result = await registry.run(spec, call.arguments, _context(runtime, call, plan, opened))
    except ToolError as error:
        return _again(call, error) or Ended(error=_sentence(error, opened))
    return Ended(result=result)


def _sentence(error: ToolError, opened: Opened) -> str:
    """Bound what is told of a failure, without secrets first: one that is cut would not be found."""
    return str(registry.bounded(opened.scrubber.text(str(error)), limit=registry.MAX_ERROR))


def _again(call: Claimed, error: ToolError) -> Again | None:
    """Say when to try again, if the tool may be there later and repeating the call does no harm."""
    if not isinstance(error, ToolUnavailable) or call.effect == "at_most_once" or call.attempts >= ATTEMPTS:
        return None
    backoff = 2**call.attempts * random.uniform(0.5, 1)
    return Again(min(max(error.retry_after or 0, backoff), MAX_WAIT))


def _context(runtime: Runtime, call: Claimed, plan: Plan, opened: Opened) -> Call:
    """Tell the tool what it may know."""
    return Call(
        name=call.name,
        now=datetime.now(UTC),
        idempotency_key=call.idempotency_key,
        attempt=call.attempts,
        timeout=_timeout(call, plan),
        engine=plan.engine,
        variables=opened.variables,
        secrets=opened.texts,
        box=runtime.box,
        scrubber=opened.scrubber,
    )


def _timeout(call: Claimed, plan: Plan) -> float:
    """Seconds that the attempt may take: the tool's own bound, the plan's, and what is left of the response's time."""
    bound = call.timeout if plan.tool_timeout is None else min(call.timeout, plan.tool_timeout)
    return max(min(bound, call.seconds_left), 0.001)

"""What came of an attempt, as the one value that a commit writes."""

import random
from dataclasses import replace
from typing import Final, assert_never

from agents import costs
from agents.models.base import ModelError, Usage
from agents.turn import AwaitClient, Continue, Finish, Outcome, RunTools, StepFailed
from shared import fold, frames
from shared.frames import EventLog
from shared.items import Json
from shared.status import Phase, Status
from worker import accounting
from worker.store import Commit, Run

ATTEMPTS: Final = 3
"""How often a step is tried when the provider fails in a way that may pass."""


def of_turn(run: Run, outcome: Outcome) -> Commit:
    """Say what a verdict means for the row."""
    provider, _, model = run.model.partition("/")
    cost = costs.cost(provider, model, outcome.usage) if outcome.usage else None
    total_cost = accounting.add_cost(run.cost, cost, first=run.iterations == 0) if outcome.called_model else run.cost
    usage = accounting.unwire(run.usage) + (outcome.usage or Usage()) if outcome.usage or run.usage else None
    step = Commit(
        status=Status.IN_PROGRESS,
        phase=Phase.READY,
        outcome="continue",
        items=outcome.items,
        next_output_index=run.next_output_index + len(outcome.items),
        called_model=outcome.called_model,
        usage=accounting.wire(usage, cost=total_cost) if usage else None,
        step_usage=accounting.wire(outcome.usage, cost=cost) if outcome.usage else None,
        cost=total_cost,
        step_cost=cost,
        first_token=outcome.first_token,
        body={**run.body, "service_tier": outcome.service_tier} if outcome.service_tier else None,
    )
    match outcome.verdict:
        case Continue():
            return step
        case RunTools(calls):
            return replace(step, phase=Phase.TOOLS, outcome="tools", calls=calls)
        case AwaitClient():
            return replace(step, status=Status.COMPLETED, phase=Phase.DONE, outcome="await_client")
        case Finish(status, reason):
            details = {"reason": reason} if status == "incomplete" else None
            return replace(step, status=Status(status), phase=Phase.DONE, outcome=status, incomplete_details=details)
    assert_never(outcome.verdict)


def of_failure(run: Run, failure: StepFailed) -> Commit:
    """Sleep and try again if that may help; a provider's wish of how long is honoured."""
    error = _error(failure.error)
    if not failure.error.retryable or run.failures + 1 >= ATTEMPTS:
        return failed(run, failure.next_output_index, error)
    backoff = 0.5 * 2**run.failures * random.uniform(1, 1.25)
    return Commit(
        status=Status.IN_PROGRESS,
        phase=Phase.SLEEPING,
        outcome="retry",
        next_output_index=failure.next_output_index,
        failed=True,
        step_error=error,
        sleep=max(backoff, failure.error.retry_after or 0),
    )


def _error(error: ModelError) -> Json:
    """Render a provider's failure; Codex reads the wait out of the sentence."""
    message = error.message
    if error.code == "rate_limit_exceeded" and error.retry_after is not None and "try again in" not in message:
        message = f"{message} Please try again in {error.retry_after:g}s."
    return {"code": error.code, "message": message}


def failed(run: Run, next_output_index: int, error: Json) -> Commit:
    """End the response as failed; what earlier steps put out is kept."""
    return Commit(
        status=Status.FAILED,
        phase=Phase.DONE,
        outcome="failed",
        next_output_index=next_output_index,
        error=error,
        failed=True,
    )


def overdue(run: Run, events: EventLog) -> Commit:
    """End the response at its deadline; what the model had said by then is kept, as incomplete."""
    page = events.whole()
    said = fold.fold(frames.decode(page.frames) if page else [])
    items = [item for index, item in said.partial() if index >= run.next_output_index]
    fold.close(said, events.emit)
    return Commit(
        status=Status.INCOMPLETE,
        phase=Phase.DONE,
        outcome="incomplete",
        items=items,
        next_output_index=run.next_output_index + len(items),
        incomplete_details={"reason": "max_execution_time"},
    )

"""What came of an attempt, as the one value that a commit writes."""

import math
import random
from dataclasses import replace
from typing import Final, assert_never

from agents import accounting, costs, policy
from agents.models.base import ModelError
from agents.policy import Again, Elsewhere, GiveUp, Policy
from agents.turn import AwaitClient, Continue, Finish, Outcome, RunTools, StepFailed
from shared import fold, frames
from shared.frames import EventLog
from shared.items import Json
from shared.status import Phase, Status
from worker.store import Commit, Run

ATTEMPTS: Final = 3
"""How often a step is tried with each model when the provider fails in a way that may pass, if nothing is said of retries."""


def of_turn(run: Run, outcome: Outcome) -> Commit:
    """Say what a verdict means for the row."""
    provider, _, model = run.asked.partition("/")
    step_usage = None
    if outcome.usage is not None:
        step_usage = accounting.wire(outcome.usage, cost=costs.cost(provider, model, outcome.usage))
    usage = run.usage
    if outcome.called_model:
        uncounted = step_usage is None or (run.usage is None and run.iterations > 0)
        usage = accounting.add(run.usage, step_usage, uncounted=uncounted)
    step = Commit(
        status=Status.IN_PROGRESS,
        phase=Phase.READY,
        outcome="continue",
        items=outcome.items,
        amended=outcome.amended,
        next_output_index=run.next_output_index + len(outcome.items),
        called_model=outcome.called_model,
        usage=usage,
        step_usage=step_usage,
        cost=accounting.cost_of(usage),
        step_cost=accounting.cost_of(step_usage),
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
    """Sleep and try again if that may help; else ask the next model if there is one."""
    error = _error(failure.error)
    last = run.model_index + 1 >= len(run.models)
    verdict = policy.after(
        failure.error, _policy(run), failures=run.failures + 1, last=last, patience=math.inf, random=random.random
    )
    match verdict:
        case Again(wait):
            return replace(_again(failure, error), phase=Phase.SLEEPING, outcome="retry", sleep=wait)
        case Elsewhere():
            return replace(_again(failure, error), outcome="fallback", next_model=True)
        case GiveUp():
            return failed(run, failure.next_output_index, error)
    assert_never(verdict)


def _policy(run: Run) -> Policy:
    """Read off the plan what may be done when a model fails."""
    retry = run.plan.retry
    return Policy(models=tuple(run.models), attempts=policy.attempts(retry, otherwise=ATTEMPTS), on_codes=policy.codes(retry))


def _again(failure: StepFailed, error: Json) -> Commit:
    """Keep the response going although this attempt failed."""
    return Commit(
        status=Status.IN_PROGRESS,
        phase=Phase.READY,
        outcome="retry",
        next_output_index=failure.next_output_index,
        failed=True,
        step_error=error,
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

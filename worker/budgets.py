"""Counting what a step took against the budgets of whoever asked for it."""

import structlog
from redis.exceptions import RedisError

from shared.errors import Unavailable
from worker.runtime import Runtime
from worker.store import Commit, Run

log = structlog.get_logger(__name__)


async def charge(runtime: Runtime, run: Run, step: Commit) -> None:
    """Count a committed step's tokens and cost; costs nothing where there are no budgets.

    What cannot be counted now is counted with the next period, or when the counter is made anew: the journal has it all.
    """
    usage = step.step_usage or {}
    try:
        meters = await runtime.meters.applying(run.project_id, key_id=run.plan.key_id, identity_id=run.identity_id)
        if meters:
            await runtime.meters.settle(meters, run.id, tokens=usage["total_tokens"], cost=step.step_cost)
    except (RedisError, OSError, Unavailable) as error:
        log.warning("step_uncounted", error=type(error).__name__)

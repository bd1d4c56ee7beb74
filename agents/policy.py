"""Which models a call may ask, how often, and how long it may wait: one policy for the router and for responses."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from agents.models.base import ModelError

ELSEWHERE: Final = frozenset(
    {
        "insufficient_quota",
        "model_not_found",
        "provider_authentication",
        "provider_protocol",
        "provider_timeout",
        "provider_unavailable",
        "rate_limit_exceeded",
    }
)
"""Failures that another model may not have; the others are about what it would be asked."""

FIRST_BACKOFF: Final = 0.5
"""Seconds before the second attempt, without what is added at random; each further wait is twice as long."""
LONGEST_BACKOFF: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a call may do to be answered.

    `models` are tried in this order, each up to `attempts` times. `on_codes` are the provider's HTTP statuses that are worth
    another attempt (None: those that usually pass). `call_timeout` bounds each attempt, in seconds, until its answer begins.
    `cache_ttl`, in seconds, asks for answers that were given to exactly the same call before.
    """

    models: tuple[str, ...]
    attempts: int = 1
    on_codes: frozenset[int] | None = None
    call_timeout: float | None = None
    cache_ttl: int | None = None


def pick(weights: tuple[tuple[str, float], ...], *, draw: float) -> str:
    """Choose a model by weight; `draw` is from 0 up to, but not including, 1."""
    sums = list(accumulate(weight for _, weight in weights))
    return next((model for (model, _), upto in zip(weights, sums, strict=True) if draw * sums[-1] < upto), weights[-1][0])


def may_pass(error: ModelError, on_codes: frozenset[int] | None = None) -> bool:
    """Say whether the same model may do better; the statuses decide where the provider gave one."""
    if on_codes is None or error.provider_status is None:
        return error.retryable
    return error.provider_status in on_codes


def elsewhere(error: ModelError) -> bool:
    """Say whether another model may do better."""
    return error.code in ELSEWHERE


def backoff(failures: int, error: ModelError, *, random: Callable[[], float]) -> float:
    """Return the seconds to wait after so many `failures` of a model, at least as long as the provider asks.

    It doubles each time, with up to a quarter more at random, so that those who failed together do not come back together.
    """
    grown = min(LONGEST_BACKOFF, FIRST_BACKOFF * 2.0 ** (failures - 1)) * (1 + random() / 4)
    return max(grown, error.retry_after or 0.0)

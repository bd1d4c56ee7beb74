"""Which models a call may ask, how often, and how long it may wait: one policy for the router and for responses."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, TypeAlias

from agents.models.base import ModelError
from shared.items import Json

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

RETRIES: Final = 3
"""How often a model is asked again if retries are asked for without saying how many."""
FIRST_BACKOFF: Final = 0.5
"""Seconds before the first retry, without what is added at random; each further wait is twice as long."""
LONGEST_BACKOFF: Final = 30.0
"""Seconds that may pass before any retry, unless the provider asks for more."""
LONGEST_WAIT: Final = 30.0
"""Seconds that a provider may ask for before the call goes elsewhere instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a call may do to be answered.

    `models` are tried in this order, each up to `attempts` times: once, and again for each retry. `on_codes` are the provider's
    HTTP statuses that are worth a retry (None: those that usually pass). `call_timeout` bounds each attempt, in seconds, until
    its answer begins. `cache_ttl`, in seconds, asks for answers that were given to exactly the same call before.
    """

    models: tuple[str, ...]
    attempts: int = 1
    on_codes: frozenset[int] | None = None
    call_timeout: float | None = None
    cache_ttl: int | None = None


@dataclass(frozen=True, slots=True)
class Again:
    """The same model is asked again, after so many seconds."""

    wait: float


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The next model is asked."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The failure is the answer."""


Verdict: TypeAlias = Again | Elsewhere | GiveUp


def order(first: str, fallbacks: tuple[str, ...] = ()) -> tuple[str, ...]:
    """List the models that are tried, each once."""
    return tuple(dict.fromkeys((first, *fallbacks)))


def pick(weights: tuple[tuple[str, float], ...], *, draw: float) -> str:
    """Choose a model by weight; `draw` is from 0 up to, but not including, 1. The others do not stand in for it."""
    sums = list(accumulate(weight for _, weight in weights))
    return next((model for (model, _), upto in zip(weights, sums, strict=True) if draw * sums[-1] < upto), weights[-1][0])


def attempts(retry: Json | None, *, otherwise: int) -> int:
    """Say how often each model is asked at most: `count` is how often it is asked again."""
    return otherwise if not retry else 1 + int(retry.get("count", RETRIES))


def codes(retry: Json | None) -> frozenset[int] | None:
    """Read the statuses that are worth a retry; None: those that usually pass."""
    listed = (retry or {}).get("on_codes")
    return None if listed is None else frozenset(listed)


def after(
    error: ModelError, policy: Policy, *, failures: int, last: bool, patience: float, random: Callable[[], float]
) -> Verdict:
    """Say what follows when a model has failed, as often as `failures` by now.

    The `last` model is waited for up to `patience` seconds; a model with others after it, not longer than LONGEST_WAIT.
    """
    wait = backoff(failures, error, random=random)
    bearable = wait <= (patience if last else min(patience, LONGEST_WAIT))
    if bearable and failures < policy.attempts and may_pass(error, policy.on_codes):
        return Again(wait)
    return Elsewhere() if not last and elsewhere(error) else GiveUp()


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
    grown = FIRST_BACKOFF * 2.0 ** min(failures - 1, 16) * (1 + random() / 4)
    return max(min(LONGEST_BACKOFF, grown), error.retry_after or 0.0)

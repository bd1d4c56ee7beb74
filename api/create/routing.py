"""The members of a request that say which models may answer it, and how: retry, fallbacks, timeout, load_balancer, cache."""

import random
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final

from agents import policy
from agents.policy import Policy
from api.create import check
from api.create.check import Check
from shared.errors import InvalidRequest
from shared.items import Json

MAX_FALLBACKS: Final = 10
MAX_BALANCED: Final = 50
CACHED_FOR: Final = 1800
"""Seconds, if a cache is asked for without saying how long."""

_model = partial(check.string, least=1, most=256)
_weighted = partial(
    check.record,
    members={"model": _model, "weight": partial(check.number, low=0.000_001, high=1_000_000)},
    required=("model", "weight"),
)


def _balanced(value: Any, path: str) -> list[Json]:
    """Take the models to choose from, of which there must be one."""
    if value == []:
        raise InvalidRequest(
            f"Invalid '{path}': empty array. Expected an array with minimum length 1, but got an empty array instead.",
            param=path,
            code="empty_array",
        )
    return check.array(value, path, of=_weighted, most=MAX_BALANCED)


CHECKS: Final[Mapping[str, Check]] = {
    "retry": partial(
        check.record,
        members={
            "count": partial(check.integer, low=1, high=5),
            "on_codes": partial(
                check.array, of=partial(check.integer, low=100, high=599), most=64, expected="an array of integers"
            ),
        },
    ),
    "fallbacks": partial(
        check.array, of=partial(check.record, members={"model": _model}, required=("model",)), most=MAX_FALLBACKS
    ),
    "timeout": partial(
        check.record,
        members={"call_timeout": partial(check.integer, low=100, high=3_600_000)},
        required=("call_timeout",),
    ),
    "load_balancer": partial(
        check.record,
        members={"type": partial(check.choice, allowed=("weight_based",)), "models": _balanced},
        required=("type", "models"),
    ),
    "cache": partial(
        check.record,
        members={
            "type": partial(check.choice, allowed=("exact_match",)),
            "ttl": partial(check.integer, low=1, high=259_200),
        },
        required=("type",),
    ),
}
"""What each member may hold. `retry.count` is how often a model is asked again, `call_timeout` is in milliseconds."""


def named(given: Json) -> Iterator[tuple[str, str]]:
    """List every model that checked members name, with where it stands: `fallbacks[0].model`."""
    for index, one in enumerate((given.get("load_balancer") or {}).get("models", ())):
        yield f"load_balancer.models[{index}].model", one["model"]
    for index, one in enumerate(given.get("fallbacks") or ()):
        yield f"fallbacks[{index}].model", one["model"]


def policy_of(given: Json, model: str, *, draw: Callable[[], float] = random.random) -> Policy:
    """Make the policy of a call that asks for `model` and has these checked members; nothing said, nothing is retried.

    The balancer draws one model for this call, in place of `model`. Only fallbacks stand in for it.
    """
    balanced = (given.get("load_balancer") or {}).get("models")
    first = policy.pick(tuple((one["model"], one["weight"]) for one in balanced), draw=draw()) if balanced else model
    timeout = given.get("timeout")
    cache = given.get("cache")
    return Policy(
        models=policy.order(first, tuple(one["model"] for one in given.get("fallbacks") or ())),
        attempts=policy.attempts(given.get("retry"), otherwise=1),
        on_codes=policy.codes(given.get("retry")),
        call_timeout=None if timeout is None else timeout["call_timeout"] / 1000,
        cache_ttl=None if cache is None else cache.get("ttl", CACHED_FOR),
    )

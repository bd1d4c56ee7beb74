"""The members of a request that say which models may answer it, and how: retry, fallbacks, timeout, load_balancer, cache."""

import random
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from agents import policy
from agents.policy import Policy
from api.create import check
from api.create.check import Check
from shared.items import Json

_model = partial(check.string, least=1, most=256)


def _weight(value: Any, path: str) -> float:
    return check.number(value, path, low=0.000_001, high=1_000_000)


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
        check.array, of=partial(check.record, members={"model": _model}, required=("model",)), most=10, expected="an array"
    ),
    "timeout": partial(
        check.record,
        members={"call_timeout": partial(check.integer, low=1, high=3_600_000)},
        required=("call_timeout",),
    ),
    "load_balancer": partial(
        check.record,
        members={
            "type": partial(check.choice, allowed=("weight_based",)),
            "models": partial(
                check.array,
                of=partial(check.record, members={"model": _model, "weight": _weight}, required=("model",)),
                most=50,
                expected="an array",
            ),
        },
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
"""What each member may hold. `retry.count` is how often each model is asked, `call_timeout` is in milliseconds."""

CACHED_FOR: Final = 1800
"""Seconds, if a cache is asked for without saying how long."""


def policy_of(given: Json, model: str) -> Policy:
    """Make the policy of checked members. The balancer draws one model for this call; only fallbacks stand in for it."""
    balanced = (given.get("load_balancer") or {}).get("models") or []
    first = (
        policy.pick(tuple((one["model"], one.get("weight", 1.0)) for one in balanced), draw=random.random())
        if balanced
        else model
    )
    models = dict.fromkeys((first, *(one["model"] for one in given.get("fallbacks") or ())))
    retry = given.get("retry") or {}
    codes = retry.get("on_codes")
    timeout = given.get("timeout")
    cache = given.get("cache")
    return Policy(
        models=tuple(models),
        attempts=retry.get("count", 1),
        on_codes=None if codes is None else frozenset(codes),
        call_timeout=None if timeout is None else timeout["call_timeout"] / 1000,
        cache_ttl=None if cache is None else cache.get("ttl", CACHED_FOR),
    )

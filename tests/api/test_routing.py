"""What a request may say of the models that answer it."""

from typing import Any

import pytest

from agents.policy import Policy
from api.create import routing
from shared.errors import InvalidRequest

ONE, TWO = {"model": "a/one", "weight": 1}, {"model": "b/two", "weight": 3}
PAIR = {"type": "weight_based", "models": [ONE, TWO]}


def checked(**given: Any) -> Any:
    return {name: routing.CHECKS[name](value, name) for name, value in given.items()}


def test_a_call_that_says_nothing_is_asked_of_its_model_once() -> None:
    assert routing.policy_of({}, "a/one") == Policy(models=("a/one",))


def test_everything_that_is_said_stands_in_the_policy() -> None:
    said = checked(
        retry={"count": 2, "on_codes": [429, 503]},
        fallbacks=[{"model": "b/two"}, {"model": "a/one"}, {"model": "c/three"}],
        timeout={"call_timeout": 1500},
        cache={"type": "exact_match", "ttl": 60},
    )
    assert routing.policy_of(said, "a/one") == Policy(
        models=("a/one", "b/two", "c/three"), attempts=3, on_codes=frozenset({429, 503}), call_timeout=1.5, cache_ttl=60
    )


def test_a_cache_keeps_for_half_an_hour_if_nothing_else_is_said() -> None:
    assert routing.policy_of(checked(cache={"type": "exact_match"}), "a/one").cache_ttl == 1800


@pytest.mark.parametrize(("draw", "model"), [(0.0, "a/one"), (0.24, "a/one"), (0.26, "b/two"), (0.99, "b/two")])
def test_the_balancer_takes_the_place_of_the_model_and_its_other_models_do_not_stand_in(draw: float, model: str) -> None:
    said = checked(load_balancer=PAIR, fallbacks=[{"model": "c/three"}])
    assert routing.policy_of(said, "z/asked", draw=lambda: draw).models == (model, "c/three")


def test_every_model_is_named_with_its_place() -> None:
    assert list(routing.named(checked(load_balancer=PAIR, fallbacks=[{"model": "c/three"}]))) == [
        ("load_balancer.models[0].model", "a/one"),
        ("load_balancer.models[1].model", "b/two"),
        ("fallbacks[0].model", "c/three"),
    ]


@pytest.mark.parametrize(
    ("given", "param", "code"),
    [
        ({"retry": {"count": 0}}, "retry.count", "integer_below_min_value"),
        ({"retry": {"count": 6}}, "retry.count", "integer_above_max_value"),
        ({"retry": {"count": True}}, "retry.count", "invalid_type"),
        ({"retry": {"on_codes": [99]}}, "retry.on_codes[0]", "integer_below_min_value"),
        ({"retry": {"on_codes": 503}}, "retry.on_codes", "invalid_type"),
        ({"retry": {"times": 2}}, "retry.times", "unknown_parameter"),
        ({"fallbacks": ["a/one"]}, "fallbacks[0]", "invalid_type"),
        ({"fallbacks": [{}]}, "fallbacks[0].model", "missing_required_parameter"),
        ({"fallbacks": [{"model": "a/one"}] * 11}, "fallbacks", "array_above_max_length"),
        ({"timeout": {}}, "timeout.call_timeout", "missing_required_parameter"),
        ({"timeout": {"call_timeout": 30}}, "timeout.call_timeout", "integer_below_min_value"),
        ({"timeout": {"call_timeout": 3_600_001}}, "timeout.call_timeout", "integer_above_max_value"),
        ({"load_balancer": {**PAIR, "type": "round_robin"}}, "load_balancer.type", "invalid_value"),
        ({"load_balancer": {**PAIR, "models": []}}, "load_balancer.models", "empty_array"),
        ({"load_balancer": {**PAIR, "models": [ONE] * 51}}, "load_balancer.models", "array_above_max_length"),
        (
            {"load_balancer": {**PAIR, "models": [{"model": "a/one", "weight": 0}]}},
            "load_balancer.models[0].weight",
            "decimal_below_min_value",
        ),
        (
            {"load_balancer": {**PAIR, "models": [{"model": "a/one"}]}},
            "load_balancer.models[0].weight",
            "missing_required_parameter",
        ),
        ({"cache": {"type": "semantic"}}, "cache.type", "invalid_value"),
        ({"cache": {"type": "exact_match", "ttl": 259_201}}, "cache.ttl", "integer_above_max_value"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_place(given: dict[str, Any], param: str, code: str) -> None:
    with pytest.raises(InvalidRequest) as told:
        checked(**given)
    assert (told.value.param, told.value.code_value) == (param, code)

"""Whatever fails, in whatever order: no model is asked too often, too soon, or out of turn."""

from hypothesis import given, settings
from hypothesis import strategies as st

from agents import policy
from agents.models.base import RETRYABLE, ModelError
from agents.policy import LONGEST_BACKOFF, LONGEST_WAIT, Again, Elsewhere, GiveUp, Policy

CODES = sorted({*policy.ELSEWHERE, "invalid_prompt", "context_length_exceeded"})

names = st.sampled_from(["a/one", "b/two", "c/three", "d/four"])
draws = st.floats(0, 1, exclude_max=True)
weights = st.lists(st.tuples(names, st.floats(0.000_001, 1e6)), min_size=1, max_size=50).map(tuple)
errors = st.builds(
    ModelError,
    st.sampled_from(CODES),
    st.just("Gone."),
    provider_status=st.none() | st.sampled_from([400, 408, 429, 500, 503]),
    retry_after=st.none() | st.floats(0, 3600),
)
policies = st.builds(
    Policy,
    models=st.lists(names, min_size=1, max_size=4, unique=True).map(tuple),
    attempts=st.integers(1, 6),
    on_codes=st.none() | st.frozensets(st.sampled_from([400, 429, 503])),
)


@given(names, st.lists(names).map(tuple))
def test_every_model_is_tried_once_and_in_the_order_that_was_given(first: str, fallbacks: tuple[str, ...]) -> None:
    tried = policy.order(first, fallbacks)
    assert tried[0] == first
    assert set(tried) == {first, *fallbacks}
    assert len(tried) == len(set(tried))
    assert list(tried[1:]) == sorted(tried[1:], key=fallbacks.index)


@given(weights, draws)
def test_what_is_drawn_is_one_of_those_to_choose_from(weights: tuple[tuple[str, float], ...], draw: float) -> None:
    assert policy.pick(weights, draw=draw) in {model for model, _ in weights}


@given(st.integers(1, 20), st.integers(1, 20))
def test_models_are_drawn_as_often_as_their_weights_say(light: int, heavy: int) -> None:
    share = light + heavy
    drawn = [policy.pick((("a/one", light), ("b/two", heavy)), draw=(at + 0.5) / share) for at in range(share)]
    assert (drawn.count("a/one"), drawn.count("b/two")) == (light, heavy)


@given(st.integers(1, 50), errors, draws)
def test_waits_are_bounded_unless_the_provider_asks_for_more(failures: int, error: ModelError, draw: float) -> None:
    wait = policy.backoff(failures, error, random=lambda: draw)
    assert wait >= (error.retry_after or 0)
    assert wait <= max(LONGEST_BACKOFF, error.retry_after or 0)


@given(st.integers(1, 5), draws, draws)
def test_each_wait_is_longer_than_the_one_before(failures: int, draw: float, other: float) -> None:
    error = ModelError("provider_unavailable", "Gone.")
    before = policy.backoff(failures, error, random=lambda: draw)
    assert policy.backoff(failures + 1, error, random=lambda: other) > before


@settings(max_examples=300)
@given(errors, policies, st.integers(1, 7), st.booleans(), st.sampled_from([LONGEST_WAIT, float("inf")]), draws)
def test_a_failure_is_followed_by_what_may_help_or_is_the_answer(
    error: ModelError, rules: Policy, failures: int, last: bool, patience: float, draw: float
) -> None:
    verdict = policy.after(error, rules, failures=failures, last=last, patience=patience, random=lambda: draw)
    match verdict:
        case Again(wait):
            assert failures < rules.attempts
            assert policy.may_pass(error, rules.on_codes)
            assert (error.retry_after or 0) <= wait <= (patience if last else LONGEST_WAIT)
        case Elsewhere():
            assert not last
            assert error.code in policy.ELSEWHERE
        case GiveUp():
            assert last or error.code not in policy.ELSEWHERE


@given(errors, st.frozensets(st.sampled_from([400, 429, 503])))
def test_listed_statuses_decide_where_the_provider_gave_one(error: ModelError, listed: frozenset[int]) -> None:
    expected = error.code in RETRYABLE if error.provider_status is None else error.provider_status in listed
    assert policy.may_pass(error, listed) == expected


def test_whoever_waits_longer_than_anybody_would_is_left_for_the_next_model_but_awaited_as_the_last() -> None:
    error = ModelError("rate_limit_exceeded", "Slow down.", provider_status=429, retry_after=600)
    rules = Policy(models=("a/one", "b/two"), attempts=3)

    def after(*, last: bool) -> policy.Verdict:
        return policy.after(error, rules, failures=1, last=last, patience=float("inf"), random=lambda: 0.0)

    assert (after(last=False), after(last=True)) == (Elsewhere(), Again(600.0))


def test_a_count_is_of_retries_and_three_if_it_is_not_said() -> None:
    assert [policy.attempts(retry, otherwise=1) for retry in (None, {}, {"count": 2}, {"on_codes": [503]})] == [1, 1, 3, 4]

"""Any order of items becomes alternating turns in which every call is answered at once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.models import turns
from agents.models.turns import ModelTurn, UserTurn
from shared.items import CALLS, Item
from tests.agents.models.examples import call, entries, output, user


def answered(turn: turns.Turn) -> list[str]:
    assert isinstance(turn, UserTurn)
    return [answer.call["call_id"] for answer in turn.answers]


@given(st.lists(entries, max_size=12))
def test_turns_alternate_and_answer_exactly_the_calls_before_them(items: list[Item]) -> None:
    taken = turns.alternate(items)
    calls: list[Item] = []
    for before, turn in zip([None, *taken], taken, strict=False):
        assert type(before) is not type(turn)
        if isinstance(turn, UserTurn):
            assert [answer.call for answer in turn.answers] == calls
        calls = [item for item in turn.items if item.get("type") in CALLS] if isinstance(turn, ModelTurn) else []
    assert not calls


@given(st.lists(entries, max_size=12))
def test_every_message_and_call_is_kept_in_its_order(items: list[Item]) -> None:
    kept = [item for turn in turns.alternate(items) for item in turn.items]
    assert kept == [
        item for item in items if item.get("role") in {"user", "assistant"} or item.get("type") in {*CALLS, "reasoning"}
    ]


def test_parallel_calls_are_answered_together_in_the_order_of_the_calls() -> None:
    taken = turns.alternate([user("hi"), call("a"), call("b"), output("b"), output("a")])
    assert [answered(turn) for turn in taken if isinstance(turn, UserTurn)] == [[], ["a", "b"]]


def test_calls_made_one_after_the_other_stay_in_turns_of_their_own() -> None:
    taken = turns.alternate([user("hi"), call("a"), output("a"), call("b"), output("b")])
    assert [answered(turn) for turn in taken if isinstance(turn, UserTurn)] == [[], ["a"], ["b"]]


def test_an_output_that_comes_after_another_message_still_answers_its_call_first() -> None:
    taken = turns.alternate([call("a"), user("wait"), output("a", "late")])
    assert taken[1] == UserTurn([turns.Answer(call("a"), output("a", "late"))], [user("wait")])


def test_a_call_without_an_output_is_answered_by_none() -> None:
    assert turns.alternate([call("a")])[-1] == UserTurn([turns.Answer(call("a"), None)])


def test_system_texts_are_collected_after_the_instructions() -> None:
    items = [
        {"role": "system", "content": "one"},
        user("hi"),
        {"role": "developer", "content": [{"type": "input_text", "text": "two"}]},
    ]
    assert turns.system("zero", items) == ["zero", "one", "two"]


def test_empty_system_texts_are_left_out() -> None:
    assert turns.system(None, [{"role": "system", "content": " \n"}]) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [('{"a": 1}', {"a": 1}), ("{}", {}), ("[1]", {"invalid": "[1]"}), ('{"a": ', {"invalid": '{"a": '})],
)
def test_arguments_that_are_no_object_are_shown_to_the_model_as_they_were(text: str, expected: Item) -> None:
    assert turns.arguments(text) == expected

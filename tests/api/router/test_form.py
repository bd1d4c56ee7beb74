"""A form's fields as the members of a body."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.router import form
from shared.errors import InvalidRequest
from shared.items import Json

Pairs = list[tuple[str, str]]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("model", "openai/whisper-1", "openai/whisper-1"),
        ("n", "2", 2),
        ("temperature", "0.5", 0.5),
        ("stream", "true", True),
        ("stream", "False", False),
        ("timestamp_granularities[]", "word", ["word"]),
        ("chunking_strategy[type]", "server_vad", "server_vad"),
        ("language", "42", "42"),
        ("name", "[not json]", "[not json]"),
        ("retry", '{"count": 2}', {"count": 2}),
        ("orq", '{"thread": {"id": "t"}}', {"thread": {"id": "t"}}),
    ],
)
def test_a_field_is_read_by_its_type(name: str, text: str, value: Any) -> None:
    assert form.members([(name, text)]) == {name: value}


def test_a_field_given_more_than_once_is_a_list() -> None:
    assert form.members([("include[]", "a"), ("x", "1"), ("include[]", "b")]) == {"include[]": ["a", "b"], "x": "1"}


@pytest.mark.parametrize(
    ("pairs", "members"),
    [
        (
            [("identity[id]", "42"), ("identity[tags][]", "a"), ("identity[tags][]", "b")],
            {"identity": {"id": "42", "tags": ["a", "b"]}},
        ),
        ([("fallbacks[][model]", "a/b"), ("fallbacks[][model]", "c/d")], {"fallbacks": [{"model": "a/b"}, {"model": "c/d"}]}),
        ([("retry[count]", "2"), ("retry[on_codes][]", "429")], {"retry": {"count": 2, "on_codes": [429]}}),
        ([("orq[cache][ttl]", "60"), ("orq[thread][id]", "7")], {"orq": {"cache": {"ttl": 60}, "thread": {"id": "7"}}}),
        (
            [("load_balancer[models][][model]", "a/b"), ("load_balancer[models][][weight]", "0.5")],
            {"load_balancer": {"models": [{"model": "a/b", "weight": 0.5}]}},
        ),
        ([("tags[]", "a")], {"tags": ["a"]}),
    ],
)
def test_rondos_members_may_be_spelt_as_the_sdks_spell_objects(pairs: Pairs, members: Json) -> None:
    assert form.members(pairs) == members


@pytest.mark.parametrize(
    ("pairs", "param", "why"),
    [
        ([("n", "two")], "n", "'two' is not a whole number"),
        ([("temperature", "nan")], "temperature", "'nan' is not a number"),
        ([("stream", "maybe")], "stream", "'maybe' is not 'true' or 'false'"),
        ([("retry", "{")], "retry", "'{' is not JSON"),
        ([("retry", "{}"), ("retry[count]", "1")], "retry", "it is given in two ways"),
        ([("retry[count]", "1"), ("retry[count]", "2")], "retry", "it is given more than once"),
        ([("retry[count]", "1"), ("retry[count][x]", "2")], "retry", "it is given more than once"),
        ([("fallbacks[][model]", "a"), ("fallbacks[x]", "b")], "fallbacks", "cannot be told apart"),
        (
            [("fallbacks[][model]", "a"), ("fallbacks[][model]", "b"), ("fallbacks[][x]", "b")],
            "fallbacks",
            "cannot be told apart",
        ),
        ([("identity" + "[x]" * 9, "1")], "identity", "nested more than 8 levels"),
    ],
)
def test_what_cannot_be_read_is_named(pairs: Pairs, param: str, why: str) -> None:
    with pytest.raises(InvalidRequest, match=why) as error:
        form.members(pairs)
    assert error.value.param == param


@pytest.mark.parametrize("pairs", [[("prompt", "\ud800")], [("n", "9" * 30)]])
def test_what_json_cannot_hold_is_refused(pairs: Pairs) -> None:
    with pytest.raises(InvalidRequest):
        form.members(pairs)


def test_a_nul_is_replaced_as_in_any_body() -> None:
    assert form.members([("prompt", "a\0b")]) == {"prompt": "a\ufffdb"}


NAMES = st.sampled_from(["n", "stream", "retry", "tags", "fallbacks", "orq", "prompt", "metadata"])
STEPS = st.lists(st.sampled_from(["[]", "[id]", "[x]", "[", "]", "[[a]]"]), max_size=4).map("".join)


@given(st.lists(st.tuples(st.builds(str.__add__, NAMES, STEPS), st.text(max_size=8)), max_size=6))
def test_any_form_is_read_or_refused(pairs: Pairs) -> None:
    try:
        found = form.members(pairs)
    except InvalidRequest:
        return
    assert orjson.loads(orjson.dumps(found)) == found

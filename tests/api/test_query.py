"""Query parameters are read as SDKs write them, and refused as bodies are."""

import pytest

from api.create import query
from api.create.query import Page
from shared.errors import InvalidRequest


@pytest.mark.parametrize(
    "pairs",
    [
        [("include[]", "web_search_call.results"), ("include[]", "reasoning.encrypted_content")],
        [("include", "web_search_call.results"), ("include", "reasoning.encrypted_content")],
        [("include[0]", "web_search_call.results"), ("include[1]", "reasoning.encrypted_content")],
    ],
)
def test_a_list_may_be_written_in_three_ways(pairs: list[tuple[str, str]]) -> None:
    assert query.include(pairs) == ["web_search_call.results", "reasoning.encrypted_content"]


def test_an_unknown_include_is_refused_by_its_place() -> None:
    with pytest.raises(InvalidRequest) as caught:
        query.include([("include[]", "everything")])
    assert (caught.value.code_value, caught.value.param) == ("invalid_value", "include[0]")


def test_a_page_has_defaults() -> None:
    assert query.page([("api-version", "1")]) == Page(limit=20, order="desc", after=None, before=None)


def test_a_page_is_read() -> None:
    pairs = [("limit", "100"), ("order", "asc"), ("after", "msg_1")]
    assert query.page(pairs) == Page(limit=100, order="asc", after="msg_1", before=None)


@pytest.mark.parametrize(
    ("pair", "code", "message"),
    [
        (
            ("limit", "0"),
            "integer_below_min_value",
            "Invalid 'limit': integer below minimum value. Expected a value >= 1, but got 0 instead.",
        ),
        (
            ("limit", "101"),
            "integer_above_max_value",
            "Invalid 'limit': integer above maximum value. Expected a value <= 100, but got 101 instead.",
        ),
        (("limit", "ten"), "invalid_type", "Invalid type for 'limit': expected an integer, but got a string instead."),
        (("limit", "9" * 5000), "invalid_type", "Invalid type for 'limit': expected an integer, but got a string instead."),
        (("order", "up"), "invalid_value", "Invalid value: 'up'. Supported values are: 'asc' and 'desc'."),
    ],
)
def test_a_bad_page_is_refused(pair: tuple[str, str], code: str, message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        query.page([pair])
    assert (caught.value.code_value, caught.value.param, caught.value.message) == (code, pair[0], message)


def test_a_page_cannot_begin_at_both_ends() -> None:
    with pytest.raises(InvalidRequest, match="'after' or 'before'"):
        query.page([("after", "a"), ("before", "b")])


@pytest.mark.parametrize(("text", "value"), [("true", True), ("True", True), ("1", True), ("false", False), ("", None)])
def test_a_boolean_is_read(text: str, value: bool | None) -> None:
    assert query.boolean([("stream", text)], "stream") is value


def test_a_boolean_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="expected a boolean"):
        query.boolean([("stream", "maybe")], "stream")


def test_a_number_may_be_where_nothing_was_yet() -> None:
    assert query.integer([("starting_after", "0")], "starting_after", low=0, high=2**53) == 0
    assert query.integer([], "starting_after", low=0, high=2**53) is None


@pytest.mark.parametrize("text", ["nan", "inf", "-1", "601", "soon"])
def test_a_wait_that_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="wait"):
        query.seconds([("wait", text)], "wait", high=600)


def test_a_wait_is_read_in_seconds() -> None:
    assert query.seconds([("wait", "2.5")], "wait", high=600) == 2.5


def test_metadata_is_read_as_pairs() -> None:
    assert query.metadata([("metadata[a]", "1"), ("metadata[b c]", ""), ("metadata", "x")]) == {"a": "1", "b c": ""}


def test_too_much_metadata_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="metadata"):
        query.metadata([(f"metadata[{n}]", "") for n in range(17)])


def test_the_last_of_several_values_counts() -> None:
    assert query.text([("after", "a"), ("after", "b")], "after") == "b"

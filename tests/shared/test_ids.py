"""Ids sort by age, and never repeat."""

from hypothesis import given
from hypothesis import strategies as st

from shared import ids

times = st.floats(0, 4e9, allow_nan=False)


@given(times, times)
def test_ids_sort_by_the_millisecond_they_were_made_in(one: float, other: float) -> None:
    early, late = sorted([one, other])
    if int(early * 1000) < int(late * 1000):
        assert ids.new("resp", now=early) < ids.new("resp", now=late)


def test_ids_of_one_millisecond_differ() -> None:
    assert len({ids.new("resp", now=1.0) for _ in range(1000)}) == 1000


def test_an_id_is_its_prefix_and_32_hexadecimal_digits() -> None:
    prefix, _, rest = ids.new("msg").partition("_")
    assert prefix == "msg"
    assert len(rest) == 32
    assert int(rest, 16) >= 0

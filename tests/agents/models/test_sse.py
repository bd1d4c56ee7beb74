"""Splitting server-sent events from bytes that are cut anywhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.models.base import ModelError
from agents.models.sse import Event, Splitter

LINE = st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), max_size=12)
EVENT = st.tuples(LINE, st.lists(LINE, min_size=1, max_size=3))
END = st.sampled_from(["\n", "\r\n", "\r"])


def split(*chunks: bytes) -> list[Event]:
    splitter = Splitter()
    return [event for chunk in chunks for event in splitter.feed(chunk)]


@st.composite
def streams(draw: st.DrawFn) -> tuple[bytes, list[Event]]:
    """A stream with the events in it; the lines of every event end in a way of its own."""
    content = ""
    events: list[Event] = []
    for name, data in draw(st.lists(EVENT, max_size=4)):
        end = draw(END)
        content += end.join([f"event: {name}", ":comment", *(f"data: {line}" for line in data), "", ""])
        events.append((name, "\n".join(data).encode()))
    return content.encode(), events


@given(streams(), st.data())
def test_any_cutting_of_a_stream_gives_the_same_events(stream: tuple[bytes, list[Event]], data: st.DataObject) -> None:
    content, events = stream
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=8)))
    chunks = [content[start:end] for start, end in zip([0, *cuts], [*cuts, len(content)], strict=True)]
    # A lone return at the very end may be half of an ending, so an event may wait for what comes next.
    assert split(*chunks, b"\n") == events


def test_fields_other_than_event_and_data_mean_nothing() -> None:
    assert split(b"id: 7\nretry: 100\n: hello\nfoo: bar\ndata: x\n\n") == [("", b"x")]


def test_data_keeps_all_spaces_but_one() -> None:
    assert split(b"data:  x \n\ndata:y\n\ndata\n\n") == [("", b" x "), ("", b"y"), ("", b"")]


def test_a_name_without_data_is_forgotten() -> None:
    assert split(b"event: ping\n\ndata: x\n\n") == [("", b"x")]


def test_an_event_without_its_empty_line_is_given_when_one_is_fed() -> None:
    splitter = Splitter()
    assert splitter.feed(b"event: end\r\ndata: x") == []
    assert splitter.feed(b"\n\n") == [("end", b"x")]


def test_an_event_that_outgrows_the_limit_is_refused() -> None:
    splitter = Splitter(limit=100)
    splitter.feed(b"data: " + b"x" * 90)
    with pytest.raises(ModelError, match="more than 100 bytes") as raised:
        splitter.feed(b"x" * 10)
    assert raised.value.code == "provider_protocol"


def test_the_limit_is_on_one_event_and_not_on_the_stream() -> None:
    splitter = Splitter(limit=100)
    assert len([event for _ in range(50) for event in splitter.feed(b"data: 0123456789\n\n: still here\n\n")]) == 50

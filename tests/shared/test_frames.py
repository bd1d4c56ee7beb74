"""Frames are encoded once; however they are handed out, the bytes and the numbers stay the same."""

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from shared import bus, frames
from shared.frames import EventLog, Page

json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
fields = st.dictionaries(st.sampled_from(["delta", "item", "part", "response"]), json, max_size=3)
events = st.tuples(st.sampled_from(["response.created", "response.output_text.delta", "keepalive"]), fields)


class Wakes:
    """Counts how often a log asks to be written."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, _: EventLog) -> None:
        self.count += 1


def log_at(first: int) -> tuple[EventLog, Wakes]:
    wakes = Wakes()
    return EventLog("resp_1", 1, first, wake=wakes), wakes


@given(st.integers(0, 2**40), st.lists(st.one_of(events, st.none()), max_size=30))
def test_pages_taken_at_any_moments_are_the_whole_log(first: int, script: list[tuple[str, dict[str, Any]] | None]) -> None:
    log, _ = log_at(first)
    taken: list[Page] = []
    for cue in [*script, None]:
        if cue is not None:
            log.emit(cue[0], **cue[1])
        elif (page := log.take()) is not None:
            taken.append(page)
    whole = log.whole()
    said = [cue for cue in script if cue is not None]
    if whole is None:
        assert not said
        assert not taken
        return
    assert b"".join(page.frames for page in taken) == whole.frames
    assert [page.first for page in taken] == [whole.first, *(page.last + 1 for page in taken[:-1])]
    assert (whole.first, whole.last, log.last) == (first, first + len(said) - 1, taken[-1].last)


@given(st.integers(0, 2**40), st.lists(events, min_size=1, max_size=20), st.integers(-3, 25))
def test_a_page_is_cut_after_any_number(first: int, said: list[tuple[str, dict[str, Any]]], offset: int) -> None:
    log, _ = log_at(first)
    for type_, members in said:
        log.emit(type_, **members)
    page = log.whole()
    assert page is not None
    numbers = [event["sequence_number"] for event in frames.decode(page.after(first + offset))]
    assert numbers == [number for number in range(first, first + len(said)) if number > first + offset]


@given(st.lists(events, max_size=10))
def test_what_was_encoded_is_split_and_decoded_again(said: list[tuple[str, dict[str, Any]]]) -> None:
    encoded = [frames.encode(number, type_, members) for number, (type_, members) in enumerate(said)]
    assert frames.split(b"".join(encoded)) == encoded
    assert list(frames.decode(b"".join(encoded))) == [
        {"type": type_, "sequence_number": number, **members} for number, (type_, members) in enumerate(said)
    ]


@given(st.integers(0, 2**40), st.dictionaries(st.text(), json, max_size=4))
def test_the_response_is_cut_out_of_a_lifecycle_frame(number: int, response: dict[str, Any]) -> None:
    frame = frames.encode(number, "response.completed", {"response": response})
    assert orjson.loads(frames.response_in(frame)) == response


@given(st.integers(0, 2**40), st.integers(-1, 2**40), st.binary(), st.sampled_from([bus.QUIET, bus.END]))
def test_a_published_page_is_unpacked_as_it_was_packed(first: int, last: int, body: bytes, flag: bytes) -> None:
    assert bus.unpack(bus.pack(Page(first, last, body), flag)) == (Page(first, last, body), flag)


def test_a_log_asks_to_be_written_once_until_it_is() -> None:
    log, wakes = log_at(0)
    log.emit("a")
    log.emit("b")
    assert wakes.count == 1
    log.take()
    log.emit("c")
    assert wakes.count == 2


def test_a_frame_is_the_wire_of_server_sent_events() -> None:
    assert frames.encode(7, "response.created", {"x": "a\nb"}) == (
        b'event: response.created\ndata: {"type":"response.created","sequence_number":7,"x":"a\\nb"}\n\n'
    )

"""Whatever a model says, in whatever order, the log obeys the laws that clients rely on."""

from dataclasses import replace
from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st

from agents.models.base import (
    AnnotationAdded,
    Finished,
    ItemDone,
    ModelEvent,
    ReasoningDelta,
    ReasoningDone,
    ReasoningSummaryDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallDone,
    ToolCallStarted,
)
from agents.output import Output
from tests.agents.recording import (
    Recording,
    fits_the_published_types,
    is_accumulated_by_the_sdk,
    obeys_the_order_of_events,
    repeats_its_texts_in_its_items,
)

LOGPROB = {"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": []}
CITATION = {"type": "url_citation", "url": "https://example.org", "title": "", "start_index": 0, "end_index": 1}
SEARCH = {"type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "q", "queries": ["q"]}}

texts = st.text(max_size=4)
keys = st.sampled_from("abc")
model_events: st.SearchStrategy[ModelEvent] = st.one_of(
    st.builds(TextDelta, texts, st.sampled_from([(), (LOGPROB,)])),
    st.builds(RefusalDelta, texts),
    st.builds(AnnotationAdded, st.just(CITATION)),
    st.builds(ReasoningDelta, texts),
    st.builds(ReasoningSummaryDelta, texts, st.integers(0, 2)),
    st.builds(ReasoningDone, st.sampled_from([None, "opaque"])),
    st.builds(
        ToolCallStarted,
        keys,
        st.just("call"),
        st.just("f"),
        st.sampled_from(["function", "custom"]),
        st.sampled_from([None, "space"]),
    ),
    st.builds(ToolCallDelta, keys, texts),
    st.builds(ToolCallDone, keys),
    st.builds(ItemDone, st.just(SEARCH)),
)
patient = settings(deadline=None)  # the first use of the SDK's types builds them
endings = st.sampled_from(["stop", "max_output_tokens", "content_filter", None])


def play(events: list[ModelEvent], ending: str | None, first_index: int = 0) -> tuple[Recording, Output]:
    """Let an output hear the events and, if `ending` is a reason, their end; else it is cut off."""
    log = Recording()
    output = Output(log.emit, first_index=first_index, new_id=log.new_id)
    numbers = count()
    for event in events:
        output.hear(replace(event, call_id=f"call_{next(numbers)}") if isinstance(event, ToolCallStarted) else event)
    if ending is None:
        output.end("incomplete")
    else:
        output.hear(Finished(reason=ending, usage=None))  # type: ignore[arg-type]
    return log, output


@patient
@given(st.lists(model_events, max_size=30), endings, st.integers(0, 3))
def test_items_and_parts_are_added_then_grow_then_are_done(
    events: list[ModelEvent], ending: str | None, first_index: int
) -> None:
    log, output = play(events, ending, first_index)
    obeys_the_order_of_events(log.events)
    repeats_its_texts_in_its_items(log.events, output.items)
    used = [event["output_index"] for event in log.of("output_item.added")]
    assert used == list(range(first_index, output.next_index))


@patient
@given(st.lists(model_events, max_size=30), endings)
def test_the_returned_items_are_those_in_the_log(events: list[ModelEvent], ending: str | None) -> None:
    log, output = play(events, ending)
    assert output.items == log.done
    assert len({item["id"] for item in output.items}) == len(output.items)


@patient
@given(st.lists(model_events, max_size=30), endings)
def test_no_text_is_lost_or_added(events: list[ModelEvent], ending: str | None) -> None:
    _, output = play(events, ending)
    parts = [part for item in output.items for part in (item.get("content") or [])]
    for kind, member, said in (
        ("output_text", "text", TextDelta),
        ("refusal", "refusal", RefusalDelta),
        ("reasoning_text", "text", ReasoningDelta),
    ):
        heard = "".join(event.text for event in events if isinstance(event, said))
        assert "".join(part[member] for part in parts if part["type"] == kind) == heard
    assert "".join(part["text"] for item in output.items for part in item.get("summary") or []) == "".join(
        event.text for event in events if isinstance(event, ReasoningSummaryDelta)
    )


@patient
@given(st.lists(model_events, max_size=30), st.sampled_from(["max_output_tokens", "content_filter", None]))
def test_what_is_open_when_a_turn_is_cut_off_is_incomplete_and_the_rest_is_not(
    events: list[ModelEvent], ending: str | None
) -> None:
    whole, _ = play(events, "stop")
    cut, _ = play(events, ending)
    for item, other in zip(whole.done, cut.done, strict=True):
        if item["status"] != other["status"]:
            assert (item["status"], other["status"]) == ("completed", "incomplete")


@patient
@given(st.lists(model_events, max_size=20), endings)
def test_every_event_fits_the_published_types(events: list[ModelEvent], ending: str | None) -> None:
    log, _ = play(events, ending)
    fits_the_published_types(log.events)


@patient
@given(st.lists(model_events, max_size=20), endings)
def test_the_sdk_accumulates_every_log(events: list[ModelEvent], ending: str | None) -> None:
    log, output = play(events, ending)
    is_accumulated_by_the_sdk(log.events, output.items)

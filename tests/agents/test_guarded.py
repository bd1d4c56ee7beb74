"""A guarded model says what the model says, without secrets, and as soon as it is known to hold none."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agents.models import opaque
from agents.models.base import (
    AnnotationAdded,
    ItemDone,
    ModelError,
    ModelEvent,
    ModelRequest,
    ReasoningDelta,
    ReasoningDone,
    ReasoningSummaryDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallDone,
    ToolCallStarted,
)
from agents.models.scripted import STOP, Cue, Scripted
from agents.output import Output
from agents.scrub import Guarded, Scrubber
from tests.agents.recording import Recording

SECRET = "abab-1"
SCRUBBER = Scrubber([SECRET, "aabb"])
PIECES = st.lists(st.text(alphabet="ab-1", max_size=5), max_size=8)


def heard(*cues: Cue) -> list[ModelEvent]:
    """Play a turn through the guard."""

    async def listen() -> list[ModelEvent]:
        return [event async for event in Guarded(Scripted(cues), SCRUBBER).stream(ModelRequest(model="m", items=[]))]

    return asyncio.run(listen())


def joined(events: Iterable[ModelEvent]) -> str:
    """Join what was spoken and argued."""
    return "".join(getattr(event, "text", "") or getattr(event, "arguments", "") for event in events)


def summary(text: str) -> ModelEvent:
    return ReasoningSummaryDelta(text, 1)


def argument(text: str) -> ModelEvent:
    return ToolCallDelta("0", text)


KINDS: list[Callable[[str], ModelEvent]] = [TextDelta, RefusalDelta, ReasoningDelta, summary, argument]


@pytest.mark.parametrize("make", KINDS)
def test_a_secret_is_found_across_pieces_of_every_kind(make: Callable[[str], ModelEvent]) -> None:
    events = heard(*map(make, ["say ab", "ab", "-", "1 ok a"]), STOP)
    assert joined(events) == "say [secret] ok a"
    assert {type(event) for event in events[:-1]} == {type(make(""))}


@pytest.mark.parametrize("make", KINDS)
@given(pieces=PIECES)
def test_any_cut_gives_what_the_whole_gives(make: Callable[[str], ModelEvent], pieces: list[str]) -> None:
    assert joined(heard(*map(make, pieces), STOP)) == SCRUBBER.text("".join(pieces))


WORD = st.text(alphabet="ab-1", max_size=4)
KEY = st.sampled_from("xy")
EVENT: st.SearchStrategy[ModelEvent] = st.one_of(
    *(st.builds(kind, WORD) for kind in (TextDelta, RefusalDelta, ReasoningDelta)),
    st.builds(ReasoningSummaryDelta, WORD, st.integers(0, 1)),
    st.builds(ReasoningDone, st.sampled_from([None, "opaque"])),
    st.builds(ToolCallStarted, KEY, st.just("call_1"), st.just("f")),
    st.builds(ToolCallDelta, KEY, WORD),
    st.builds(ToolCallDone, KEY),
    st.just(AnnotationAdded({"type": "url_citation"})),
    st.just(ItemDone({"type": "web_search_call"})),
)


@given(st.lists(EVENT, max_size=20))
@example([TextDelta("aba"), ReasoningDone(), TextDelta("b-1")])
@example([TextDelta("aba"), ReasoningDelta(""), TextDelta("b-1")])
@example([ToolCallStarted("x", "call_1", "f"), ToolCallDelta("x", "aba"), TextDelta("a"), ToolCallDelta("x", "b-1")])
def test_no_secret_is_in_any_text_of_the_items_that_clients_receive(events: list[ModelEvent]) -> None:
    log = Recording()
    output = Output(log.emit, first_index=0, new_id=log.new_id)
    for event in heard(*events, STOP):
        output.hear(event)
    assert SECRET not in repr(output.items)
    assert SECRET not in repr(log.events)


def test_text_that_begins_no_secret_is_not_held_back() -> None:
    assert heard(TextDelta("no"), TextDelta("thing a"), TextDelta("t all"), STOP) == [
        *(TextDelta("no"), TextDelta("thing "), TextDelta("at all"), STOP)
    ]


def test_what_is_held_back_comes_before_anything_that_ends_it() -> None:
    started = ToolCallStarted("0", "call_1", "f")
    assert heard(TextDelta("aba"), started, STOP) == [TextDelta("aba"), started, STOP]
    assert heard(ReasoningDelta("aba"), TextDelta("b-1"), STOP) == [ReasoningDelta("aba"), TextDelta("b-1"), STOP]
    assert heard(ReasoningDelta("aba"), ReasoningDone("x"), STOP) == [ReasoningDelta("aba"), ReasoningDone("x"), STOP]
    assert heard(argument("aba"), ToolCallDone("0"), STOP) == [argument("aba"), ToolCallDone("0"), STOP]


def test_parts_of_a_summary_are_told_apart() -> None:
    one, two = ReasoningSummaryDelta("aba", 0), ReasoningSummaryDelta("b-1", 1)
    assert heard(one, two, STOP) == [one, two, STOP]


@pytest.mark.parametrize(
    "between", [AnnotationAdded({"type": "url_citation"}), ToolCallDelta("0", "x"), ToolCallDone("0"), RefusalDelta("")]
)
def test_a_secret_around_something_that_ends_no_text_is_found(between: ModelEvent) -> None:
    assert TextDelta("[secret]") in heard(TextDelta("aba"), between, TextDelta("b-1"), STOP)


def test_arguments_of_calls_that_alternate_are_told_apart() -> None:
    cues = [ToolCallDelta("0", "aba"), ToolCallDelta("1", "ab"), ToolCallDelta("0", "b-1"), ToolCallDelta("1", "c")]
    assert heard(*cues, STOP) == [ToolCallDelta("0", "[secret]"), ToolCallDelta("1", "abc"), STOP]


def test_names_items_and_citations_are_scrubbed() -> None:
    started = ToolCallStarted("0", "call_1", f"f_{SECRET}", namespace=f"n_{SECRET}")
    cues: list[Cue] = [
        started,
        ItemDone({"type": "x", "a": [SECRET]}),
        AnnotationAdded({"type": "url_citation", "url": SECRET}),
    ]
    assert heard(*cues, STOP) == [
        replace(started, name="f_[secret]", namespace="n_[secret]"),
        ItemDone({"type": "x", "a": ["[secret]"]}),
        AnnotationAdded({"type": "url_citation", "url": "[secret]"}),
        STOP,
    ]


def test_a_providers_opaque_state_passes() -> None:
    state = opaque.seal("anthropic", {"blocks": [{"thinking": "Hm.", "signature": "sig"}]})
    assert heard(ReasoningDone(state), ReasoningDone("gAAAA-="), STOP) == [ReasoningDone(state), ReasoningDone("gAAAA-="), STOP]


def test_thoughts_that_a_provider_wants_back_hold_no_secret() -> None:
    state = {"member": "reasoning_content", "text": f"It is {SECRET}."}
    clean = opaque.seal("openai-chat", state | {"text": "It is [secret]."})
    assert heard(ReasoningDone(opaque.seal("openai-chat", state)), STOP) == [ReasoningDone(clean), STOP]


def test_a_signed_state_that_holds_a_secret_is_not_kept() -> None:
    signed = opaque.seal("anthropic", {"blocks": [{"thinking": SECRET, "signature": "sig"}]})
    assert heard(ReasoningDone(signed), ReasoningDone(SECRET), STOP) == [ReasoningDone(None), ReasoningDone(None), STOP]


def logprob(token: str) -> dict[str, object]:
    return {"token": token, "logprob": -0.5}


def test_log_probabilities_of_text_that_was_held_back_come_when_it_does() -> None:
    said: list[Cue] = [TextDelta(token, (logprob(token),)) for token in ("hi a", "b", "c", " d")]
    tokens = tuple(map(logprob, ("hi a", "b", "c")))
    assert heard(*said, STOP) == [TextDelta("hi "), TextDelta("abc", tokens), TextDelta(" d", (logprob(" d"),)), STOP]


def test_log_probabilities_that_would_spell_a_secret_never_come() -> None:
    said: list[Cue] = [TextDelta(token, (logprob(token),)) for token in ("aba", "b-", "1", " d")]
    assert heard(*said, STOP) == [TextDelta("[secret]"), TextDelta(" d", (logprob(" d"),)), STOP]


def test_an_error_is_scrubbed_and_stays_what_it_is() -> None:
    with pytest.raises(ModelError) as failed:
        heard(TextDelta("x"), ModelError("rate_limit_exceeded", f"no {SECRET}", provider_status=429, retry_after=2.0))
    error = failed.value
    assert (error.code, error.message, error.provider_status, error.retry_after) == (
        *("rate_limit_exceeded", "no [secret]", 429, 2.0),
    )
    assert error.__suppress_context__


def test_closing_it_closes_the_model() -> None:
    model = Scripted([TextDelta("x"), TextDelta("y"), STOP])

    async def listen() -> None:
        events = Guarded(model, SCRUBBER).stream(ModelRequest(model="m", items=[]))
        assert await anext(events) == TextDelta("x")
        await events.aclose()  # type: ignore[attr-defined]  # an iterator that is a generator

    asyncio.run(listen())
    assert model.closed == 1

"""Reading a log back: whatever a model says and wherever the log breaks off, it can be read, and ended."""

from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.models.base import Finished, ModelEvent, TextDelta, ToolCallDelta, ToolCallStarted
from agents.output import Output
from shared import fold
from shared.items import Json
from tests.agents.recording import Recording, obeys_the_order_of_events, repeats_its_texts_in_its_items
from tests.agents.test_output_laws import endings, model_events

scripts = st.lists(model_events, max_size=20)
patient = settings(deadline=None)


def copy(events: list[Json]) -> list[Json]:
    """Read the events as from the database: a fold may keep and change what it is fed."""
    return [orjson.loads(orjson.dumps(event)) for event in events]


class Written(Recording):
    """A log that keeps its events as they were when they were said, as bytes do."""

    def emit(self, type_: str, /, **fields: Any) -> None:
        super().emit(type_, **orjson.loads(orjson.dumps(fields)))


def play(script: list[ModelEvent], ending: str | None, first_index: int = 0) -> tuple[Written, Output]:
    """Let an output hear the events and, if `ending` is a reason, their end; else it is cut off."""
    log = Written()
    output = Output(log.emit, first_index=first_index, new_id=log.new_id)
    for number, event in enumerate(script):
        output.hear(replace(event, call_id=f"call_{number}") if isinstance(event, ToolCallStarted) else event)
    if ending is None:
        output.end("incomplete")
    else:
        output.hear(Finished(reason=ending, usage=None))  # type: ignore[arg-type]
    return log, output


@patient
@given(scripts, endings, st.integers(0, 3))
def test_a_whole_log_folds_to_the_finished_items(script: list[ModelEvent], ending: str | None, first: int) -> None:
    log, output = play(script, ending, first)
    folded = fold.fold(copy(log.events))
    assert folded.partial() == list(enumerate(output.items, start=first))
    assert not folded.open
    assert folded.next_index == (output.next_index if output.items else 0)


@patient
@given(scripts, endings, st.data())
def test_any_beginning_of_a_log_can_be_ended(script: list[ModelEvent], ending: str | None, data: st.DataObject) -> None:
    log, _ = play(script, ending)
    ended = Recording()
    ended.events = copy(log.events[: data.draw(st.integers(0, len(log.events)))])
    folded = fold.fold(copy(ended.events))
    fold.close(folded, ended.emit)
    obeys_the_order_of_events(ended.events)
    repeats_its_texts_in_its_items(ended.events, [item for _, item in folded.partial()])
    assert [item for _, item in folded.partial()] == ended.done
    assert not folded.open


@patient
@given(scripts, endings, st.data())
def test_a_log_that_was_ended_is_ended_already(script: list[ModelEvent], ending: str | None, data: st.DataObject) -> None:
    log, _ = play(script, ending)
    ended = Recording()
    ended.events = copy(log.events[: data.draw(st.integers(0, len(log.events)))])
    fold.close(fold.fold(copy(ended.events)), ended.emit)
    before = len(ended.events)
    fold.close(fold.fold(copy(ended.events)), ended.emit)
    assert len(ended.events) == before


@patient
@given(scripts, st.data())
def test_an_open_item_holds_every_delta_so_far(script: list[ModelEvent], data: st.DataObject) -> None:
    log, _ = play(script, "stop")
    heard = copy(log.events[: data.draw(st.integers(0, len(log.events)))])
    said = "".join(event["delta"] for event in heard if event["type"].endswith(".delta"))
    items = [item for _, item in fold.fold(copy(heard)).partial()]
    kept = sum(len(text) for item in items for text in texts_of(item))
    assert kept == len(said)
    assert all(item["status"] in {"completed", "incomplete"} for item in items)


def texts_of(item: Json) -> list[str]:
    parts = [*(item.get("content") or []), *(item.get("summary") or [])]
    return [part.get("text", part.get("refusal", "")) for part in parts] + [item.get("arguments", "") + item.get("input", "")]


@pytest.mark.parametrize("event", [{"type": "keepalive"}, {"type": "response.in_progress", "response": {}}])
def test_events_that_change_no_item_are_ignored(event: dict[str, Any]) -> None:
    assert fold.fold([event]).partial() == []


def test_log_probabilities_are_kept_with_the_text_that_has_them() -> None:
    log, _ = play([TextDelta("a", ({"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": []},))], None)
    cut = next(index for index, event in enumerate(log.events) if event["type"] == "response.output_text.delta")
    [(_, item)] = fold.fold(copy(log.events[: cut + 1])).partial()
    assert [entry["token"] for entry in item["content"][0]["logprobs"]] == ["a"]


def test_a_call_that_was_cut_off_is_ended_with_what_it_had() -> None:
    log = Recording()
    output = Output(log.emit, first_index=0, new_id=log.new_id)
    output.hear(ToolCallStarted("k", "call_1", "f"))
    output.hear(ToolCallDelta("k", '{"a":'))
    folded = fold.fold(copy(log.events))
    fold.close(folded, log.emit)
    assert log.types[-2:] == ["function_call_arguments.done", "output_item.done"]
    assert log.events[-2]["arguments"] == log.done[0]["arguments"] == '{"a":'
    assert log.done[0]["status"] == "incomplete"


def test_the_next_index_is_above_all_that_were_used() -> None:
    log, output = play([TextDelta("a"), ToolCallStarted("k", "c", "f"), Finished(reason="stop", usage=None)], None, 4)
    assert fold.fold(copy(log.events)).next_index == output.next_index == 6


MCP_CALL = {"id": "mcp_1", "type": "mcp_call", "server_label": "s", "name": "f", "arguments": "", "status": "in_progress"}


def test_an_mcp_call_that_was_cut_off_is_ended_with_what_it_had() -> None:
    log = Recording()
    log.emit("response.output_item.added", output_index=0, item=dict(MCP_CALL))
    log.emit("response.mcp_call_arguments.delta", output_index=0, item_id="mcp_1", delta='{"a"')
    folded = fold.fold(copy(log.events))
    fold.close(folded, log.emit)
    assert log.types[-2:] == ["mcp_call_arguments.done", "output_item.done"]
    assert log.events[-2]["arguments"] == log.done[0]["arguments"] == '{"a"'
    assert log.done[0]["status"] == "incomplete"


def test_events_that_complete_an_item_of_an_earlier_page_are_read() -> None:
    done = {**MCP_CALL, "status": "completed", "output": "x"}
    completed = {"type": "response.mcp_call.completed", "output_index": 3, "item_id": "mcp_1"}
    folded = fold.fold([completed, {"type": "response.output_item.done", "output_index": 3, "item": done}])
    assert folded.partial() == [(3, done)]
    assert not folded.open


def test_a_listing_that_was_cut_off_is_ended() -> None:
    log = Recording()
    listing = {"id": "mcpl_1", "type": "mcp_list_tools", "server_label": "s", "tools": [], "status": "in_progress"}
    log.emit("response.output_item.added", output_index=0, item=listing)
    log.emit("response.mcp_list_tools.in_progress", output_index=0, item_id="mcpl_1")
    folded = fold.fold(copy(log.events))
    fold.close(folded, log.emit)
    assert log.types[-1] == "output_item.done"
    assert [item["status"] for _, item in folded.partial()] == ["incomplete"]

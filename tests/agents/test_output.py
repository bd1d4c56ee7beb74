"""What a model says, as the events and items that clients get."""

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
from tests.agents.recording import Recording

STOP = Finished(reason="stop", usage=None)
CUT = Finished(reason="max_output_tokens", usage=None)
CITATION = {"type": "url_citation", "url": "https://example.org", "title": "t", "start_index": 0, "end_index": 1}


def hear(*events: ModelEvent) -> tuple[Recording, Output]:
    log = Recording()
    output = Output(log.emit, first_index=0, new_id=log.new_id)
    for event in events:
        output.hear(event)
    return log, output


def text_part(text: str, **more: object) -> dict[str, object]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": [], **more}


def test_a_message_is_announced_streamed_and_repeated_in_full() -> None:
    log, output = hear(TextDelta("Hel"), TextDelta("lo"), STOP)
    where = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "content": [], "status": "in_progress"}
    finished = {**message, "content": [text_part("Hello")], "status": "completed"}
    assert [{k: v for k, v in event.items() if k != "sequence_number"} for event in log.events] == [
        {"type": "response.output_item.added", "output_index": 0, "item": message},
        {"type": "response.content_part.added", **where, "part": text_part("")},
        {"type": "response.output_text.delta", **where, "delta": "Hel", "logprobs": []},
        {"type": "response.output_text.delta", **where, "delta": "lo", "logprobs": []},
        {"type": "response.output_text.done", **where, "text": "Hello", "logprobs": []},
        {"type": "response.content_part.done", **where, "part": text_part("Hello")},
        {"type": "response.output_item.done", "output_index": 0, "item": finished},
    ]
    assert output.items == [finished]


def test_log_probabilities_come_with_their_delta_and_together_at_the_end() -> None:
    first, second = {"token": "a", "logprob": -1.0}, {"token": "b", "logprob": -2.0}
    log, output = hear(TextDelta("a", (first,)), TextDelta("b", (second,)), STOP)
    assert [event["logprobs"] for event in log.of("output_text.delta")] == [[first], [second]]
    assert log.of("output_text.done")[0]["logprobs"] == [first, second]
    assert output.items[0]["content"][0]["logprobs"] == [first, second]


def test_citations_are_numbered_and_kept_in_their_part() -> None:
    log, output = hear(TextDelta("a"), AnnotationAdded(CITATION), AnnotationAdded(CITATION), STOP)
    assert [event["annotation_index"] for event in log.of("output_text.annotation.added")] == [0, 1]
    assert output.items[0]["content"][0]["annotations"] == [CITATION, CITATION]


def test_a_citation_for_a_text_that_is_done_opens_no_empty_message() -> None:
    _, output = hear(TextDelta("a"), ToolCallStarted("0", "call_a", "f"), AnnotationAdded(CITATION), STOP)
    assert [item["type"] for item in output.items] == ["message", "function_call"]


def test_a_refusal_is_a_part_of_its_own() -> None:
    log, output = hear(TextDelta("I "), RefusalDelta("can"), RefusalDelta("not"), STOP)
    assert log.types == [
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "content_part.added",
        "refusal.delta",
        "refusal.delta",
        "refusal.done",
        "content_part.done",
        "output_item.done",
    ]
    assert output.items[0]["content"] == [text_part("I "), {"type": "refusal", "refusal": "cannot"}]
    assert [event["content_index"] for event in log.of("content_part.added")] == [0, 1]


def test_reasoning_keeps_its_state_for_the_finished_item() -> None:
    log, output = hear(ReasoningDelta("hm"), ReasoningDone("sealed"), TextDelta("Yes"), STOP)
    assert log.types[:6] == [
        "output_item.added",
        "content_part.added",
        "reasoning_text.delta",
        "reasoning_text.done",
        "content_part.done",
        "output_item.done",
    ]
    assert log.events[0]["item"] == {"id": "rs_1", "type": "reasoning", "summary": [], "status": "in_progress"}
    assert output.items[0] == {
        "id": "rs_1",
        "type": "reasoning",
        "summary": [],
        "content": [{"type": "reasoning_text", "text": "hm"}],
        "encrypted_content": "sealed",
        "status": "completed",
    }


def test_each_summary_index_is_a_part_of_its_own() -> None:
    log, output = hear(ReasoningSummaryDelta("a", 0), ReasoningSummaryDelta("b", 0), ReasoningSummaryDelta("c", 4), STOP)
    assert log.types == [
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
    ]
    assert [event["summary_index"] for event in log.of("reasoning_summary_part.added")] == [0, 1]
    assert [part["text"] for part in output.items[0]["summary"]] == ["ab", "c"]


def test_state_without_reasoning_is_an_item_of_its_own() -> None:
    _, output = hear(TextDelta("Yes"), ReasoningDone("sealed"), STOP)
    assert [item["type"] for item in output.items] == ["message", "reasoning"]
    assert output.items[1]["encrypted_content"] == "sealed"


def test_the_end_of_reasoning_that_never_began_is_nothing() -> None:
    log, output = hear(ReasoningDone(None), TextDelta("Yes"), ReasoningDone(None), TextDelta("!"), STOP)
    assert [item["type"] for item in output.items] == ["message"]
    assert len(log.of("output_item.added")) == 1


def test_calls_grow_side_by_side() -> None:
    log, output = hear(
        ToolCallStarted("0", "call_a", "f"),
        ToolCallStarted("1", "call_b", "patch", "custom"),
        ToolCallDelta("0", '{"x"'),
        ToolCallDelta("1", "@@"),
        ToolCallDelta("0", ":1}"),
        ToolCallDone("1"),
        ToolCallDone("0"),
        STOP,
    )
    assert [(event["type"], event["item_id"], event["output_index"]) for event in log.events if "delta" in event] == [
        ("response.function_call_arguments.delta", "fc_1", 0),
        ("response.custom_tool_call_input.delta", "ctc_2", 1),
        ("response.function_call_arguments.delta", "fc_1", 0),
    ]
    function, custom = output.items
    assert function == {
        "id": "fc_1",
        "type": "function_call",
        "call_id": "call_a",
        "name": "f",
        "arguments": '{"x":1}',
        "status": "completed",
    }
    assert (custom["type"], custom["input"], custom["status"]) == ("custom_tool_call", "@@", "completed")
    assert log.of("function_call_arguments.done")[0]["name"] == "f"


def test_a_function_that_is_called_with_nothing_gets_an_empty_object_in_a_delta_too() -> None:
    log, output = hear(ToolCallStarted("0", "call_a", "f"), ToolCallDone("0"), STOP)
    assert [event["delta"] for event in log.of("function_call_arguments.delta")] == ["{}"]
    assert output.items[0]["arguments"] == "{}"


def test_a_custom_tool_may_be_called_with_nothing() -> None:
    _, output = hear(ToolCallStarted("0", "call_a", "f", "custom"), ToolCallDone("0"), STOP)
    assert output.items[0]["input"] == ""


def test_a_namespace_is_part_of_the_call() -> None:
    log, output = hear(ToolCallStarted("0", "call_a", "f", namespace="files"), STOP)
    assert log.events[0]["item"]["namespace"] == "files"
    assert output.items[0]["namespace"] == "files"


def test_text_after_a_call_is_another_message() -> None:
    _, output = hear(TextDelta("a"), ToolCallStarted("0", "call_a", "f"), TextDelta("b"), ToolCallDone("0"), STOP)
    assert [item["type"] for item in output.items] == ["message", "function_call", "message"]


def test_an_item_of_the_provider_passes_through_as_it_is() -> None:
    item = {"id": "ws_1", "type": "web_search_call", "status": "completed", "unheard": {"of": 1}}
    log, output = hear(TextDelta("a"), ItemDone(item), STOP)
    assert log.types[-2:] == ["output_item.added", "output_item.done"]
    assert output.items[1] == item


def test_an_item_without_an_id_gets_one() -> None:
    _, output = hear(ItemDone({"type": "orq:current_date", "call_id": "call_a"}), STOP)
    assert output.items[0]["id"] == "orq_1"


def test_empty_deltas_open_nothing() -> None:
    log, _ = hear(
        TextDelta(""),
        RefusalDelta(""),
        ReasoningDelta(""),
        ReasoningSummaryDelta(""),
        ToolCallDelta("0", ""),
        STOP,
    )
    assert log.events == []


def test_a_message_that_is_cut_off_is_incomplete_but_its_text_is_done() -> None:
    log, output = hear(TextDelta("Hel"), CUT)
    assert log.of("output_text.done")[0]["text"] == "Hel"
    assert output.items[0]["status"] == "incomplete"


def test_a_call_that_is_cut_off_is_incomplete_and_one_that_was_done_is_not() -> None:
    log, output = hear(
        ToolCallStarted("0", "call_a", "f"),
        ToolCallDelta("0", "{}"),
        ToolCallDone("0"),
        ToolCallStarted("1", "call_b", "f"),
        ToolCallDelta("1", '{"x'),
        CUT,
    )
    assert [(item["arguments"], item["status"]) for item in output.items] == [("{}", "completed"), ('{"x', "incomplete")]
    assert log.of("function_call_arguments.done")[1]["arguments"] == '{"x'


def test_a_call_whose_key_is_used_again_is_incomplete() -> None:
    _, output = hear(ToolCallStarted("0", "call_a", "f"), ToolCallStarted("0", "call_b", "f"), ToolCallDone("0"), STOP)
    assert [item["status"] for item in output.items] == ["incomplete", "completed"]


def test_deltas_of_a_call_that_is_not_open_are_ignored() -> None:
    log, _ = hear(ToolCallDelta("0", "{}"), ToolCallDone("0"), STOP)
    assert log.events == []


def test_output_goes_on_at_the_index_it_was_given() -> None:
    log = Recording()
    output = Output(log.emit, first_index=7, new_id=log.new_id)
    output.hear(TextDelta("a"))
    output.hear(STOP)
    assert {event["output_index"] for event in log.events} == {7}
    assert output.next_index == 8


def test_a_model_has_spoken_once_an_item_began() -> None:
    log = Recording()
    output = Output(log.emit, first_index=0, new_id=log.new_id)
    output.put({"type": "orq:current_date"})
    assert not output.spoken
    output.hear(TextDelta("a"))
    assert output.spoken

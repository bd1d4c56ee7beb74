"""One step: what it puts on record, what it asks the model, and what it says comes next."""

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest

from agents import step
from agents.models.base import (
    Finished,
    ItemDone,
    ModelError,
    ModelEvent,
    TextDelta,
    ToolCallDelta,
    ToolCallDone,
    ToolCallStarted,
    Usage,
)
from agents.models.scripted import STOP, Cue, Scripted, call, says
from agents.turn import (
    AwaitClient,
    Continue,
    Finish,
    Outcome,
    RunTools,
    ServerCall,
    StepFailed,
    ToolResult,
    Turn,
    Verdict,
)
from shared.items import Item, Json
from tests.agents.recording import Recording, fits_the_published_types, is_accumulated_by_the_sdk, obeys_the_order_of_events

USER: Item = {"type": "message", "role": "user", "content": "What day is it?"}
CLOCK: Json = {"type": "orq:current_date"}
F: Json = {"type": "function", "name": "f", "parameters": {}}
PATCH: Json = {"type": "custom", "name": "patch"}
FILES: Json = {"type": "namespace", "name": "files", "tools": [F]}
CUT = Finished(reason="max_output_tokens", usage=Usage(input=1, output=2))
TOO_LONG = ModelError("context_length_exceeded", "The context is too long.")


def turn(*tools: Json, history: Iterable[Item] = (USER,), body: Json | None = None, **more: Any) -> Turn:
    return Turn(
        response_id="resp_1",
        model="m",
        history=list(history),
        body={"tools": list(tools), **(body or {})},
        **more,
    )


def take(given: Turn, model: Scripted, log: Recording | None = None) -> Outcome:
    """Take a step, and hold its log against the laws."""
    log = log or Recording()
    outcome = asyncio.run(step.take(given, model, log.emit, new_id=log.new_id))
    obeys_the_order_of_events(log.events)
    fits_the_published_types(log.events)
    is_accumulated_by_the_sdk(log.events, log.done)
    assert outcome.items == log.done
    return outcome


def server(call_id: str = "call_1", arguments: str = "{}") -> ServerCall:
    return ServerCall(
        call_id=call_id,
        tool="orq:current_date",
        name="orq_current_date",
        arguments=arguments,
        effect="pure",
        timeout=5.0,
    )


def result(call_id: str = "call_1", **told: Any) -> ToolResult:
    return ToolResult(call_id=call_id, tool="orq:current_date", name="orq_current_date", arguments="{}", **told)


def called(name: str = "f", call_id: str = "call_1", **more: Any) -> Item:
    return {"id": f"fc_{call_id}", "type": "function_call", "call_id": call_id, "name": name, "arguments": "{}", **more}


def test_an_answer_finishes_the_response() -> None:
    outcome = take(turn(), Scripted(says("It is ", "Friday.")))
    assert outcome.verdict == Finish()
    assert [item["content"][0]["text"] for item in outcome.items] == ["It is Friday."]
    assert (outcome.called_model, outcome.usage) == (True, Usage(input=10, output=5))


PATCHED: list[ModelEvent] = [ToolCallStarted("p", "call_2", "patch", "custom"), ToolCallDelta("p", "@@"), ToolCallDone("p")]


@pytest.mark.parametrize(
    ("events", "verdict"),
    [
        ([STOP], Finish()),
        ([TextDelta("a"), CUT], Finish("incomplete", "max_output_tokens")),
        ([TextDelta("a"), Finished(reason="content_filter", usage=None)], Finish("incomplete", "content_filter")),
        ([*call("orq_current_date"), STOP], RunTools((server(),))),
        ([*call("f"), STOP], AwaitClient()),
        ([*PATCHED, STOP], AwaitClient()),
        ([*call("f"), *call("orq_current_date", call_id="call_2"), STOP], RunTools((server("call_2"),))),
        (
            [*call("orq_current_date"), *call("orq_current_date", call_id="call_2"), STOP],
            RunTools((server(), server("call_2"))),
        ),
        ([*call("nothing"), STOP], Continue()),
        ([*call("f", "{not json"), STOP], Continue()),
        ([*call("f", "[1]"), STOP], Continue()),
        ([*call("orq_current_date", "{"), STOP], Continue()),
        ([*call("nothing"), *call("f", call_id="call_2"), STOP], AwaitClient()),
        ([*call("nothing"), *call("orq_current_date", call_id="call_2"), STOP], RunTools((server("call_2"),))),
        ([*call("orq_current_date"), CUT], Finish("incomplete", "max_output_tokens")),
        ([*call("f"), CUT], Finish("incomplete", "max_output_tokens")),
        ([ItemDone({"id": "cu_1", "type": "program"}), STOP], Finish()),
    ],
)
def test_the_models_calls_decide_what_comes_next(events: list[Cue], verdict: Verdict) -> None:
    log = Recording()
    given = turn(CLOCK, F, PATCH)
    outcome = asyncio.run(step.take(given, Scripted(events), log.emit, new_id=log.new_id))
    obeys_the_order_of_events(log.events)
    assert outcome.verdict == verdict


def test_a_function_that_does_not_exist_is_refused_to_the_model() -> None:
    made, refusal = take(turn(F, CLOCK), Scripted([*call("nothing"), STOP])).items
    assert made["status"] == "completed"
    assert refusal == {
        "id": "fco_2",
        "type": "function_call_output",
        "call_id": "call_1",
        "output": "There is no tool named 'nothing'. The tools are: f, orq_current_date.",
        "status": "completed",
    }


def test_a_custom_tool_that_does_not_exist_is_refused_in_its_own_kind() -> None:
    _, refusal = take(turn(), Scripted([*PATCHED, STOP])).items
    assert refusal["type"] == "custom_tool_call_output"
    assert refusal["output"] == "There is no tool named 'patch'. The tools are: none."


def test_arguments_that_are_no_json_are_refused_with_the_reason() -> None:
    _, refusal = take(turn(F), Scripted([*call("f", "{x"), STOP])).items
    assert refusal["output"].startswith("The arguments are not valid JSON: ")


def test_a_tool_that_is_not_allowed_does_not_exist() -> None:
    choice = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]}
    model = Scripted([*call("orq_current_date"), STOP])
    outcome = take(turn(F, CLOCK, body={"tool_choice": choice}), model)
    assert outcome.verdict == Continue()
    assert model.requests[0].tools == [F]


def test_a_refusal_is_an_answer_in_the_next_step() -> None:
    first = take(turn(F), Scripted([*call("nothing"), STOP]))
    model = Scripted(says("Sorry."))
    second = take(turn(F, history=[USER, *first.items], iteration=1, next_output_index=2), model)
    assert second.verdict == Finish()
    assert [item["type"] for item in model.requests[0].items] == ["message", "function_call", "function_call_output"]


def test_a_result_is_put_on_record_before_the_model_sees_it() -> None:
    model = Scripted(says("Friday."))
    given = turn(
        CLOCK,
        history=[USER, called("orq_current_date")],
        iteration=1,
        next_output_index=1,
        results=[result(result={"weekday": "Friday"})],
    )
    outcome = take(given, model)
    assert outcome.items[0] == {
        "id": "orq_1",
        "type": "orq:current_date",
        "call_id": "call_1",
        "name": "orq_current_date",
        "arguments": "{}",
        "status": "completed",
        "result": {"weekday": "Friday"},
    }
    assert outcome.items[1]["type"] == "message"
    assert model.requests[0].items[-1] == {
        "type": "function_call_output",
        "call_id": "call_1",
        "output": '{"weekday":"Friday"}',
    }


def test_a_tools_error_is_put_on_record_instead_of_a_result() -> None:
    given = turn(CLOCK, history=[USER, called("orq_current_date")], iteration=1, results=[result(error="No such zone.")])
    item = take(given, Scripted(says("Sorry."))).items[0]
    assert item["error"] == "No such zone."
    assert "result" not in item


def test_after_the_workers_tools_the_client_is_awaited_without_asking_the_model() -> None:
    model = Scripted()
    history = [USER, called("f"), called("orq_current_date", "call_2")]
    given = turn(F, CLOCK, history=history, iteration=1, next_output_index=2, results=[result("call_2", result=1)])
    outcome = take(given, model)
    assert outcome.verdict == AwaitClient()
    assert (outcome.called_model, outcome.usage, model.requests) == (False, None, [])
    assert [item["type"] for item in outcome.items] == ["orq:current_date"]


@pytest.mark.parametrize(
    ("history", "iteration"),
    [
        ([called("f"), USER], 0),
        ([called("f"), USER, called("g", "call_2"), {"type": "orq:current_date", "call_id": "call_2", "result": 1}], 1),
        ([USER, called("f", status="incomplete")], 1),
        ([USER, called("f"), {"type": "function_call_output", "call_id": "call_1", "output": "1"}], 1),
    ],
)
def test_calls_that_are_not_this_responses_own_are_not_awaited(history: list[Item], iteration: int) -> None:
    outcome = take(turn(F, history=history, iteration=iteration), Scripted(says("Done.")))
    assert outcome.verdict == Finish()


def test_a_loop_ends_at_its_limit_with_its_results_on_record() -> None:
    model = Scripted()
    history = [USER, called("orq_current_date")]
    outcome = take(turn(CLOCK, history=history, iteration=3, max_iterations=3, results=[result(result=1)]), model)
    assert outcome.verdict == Finish("incomplete", "max_iterations")
    assert len(outcome.items) == 1
    assert model.requests == []


@pytest.mark.parametrize(("limit", "ran", "runs"), [(None, 9, 2), (4, 2, 2), (3, 2, 1), (2, 2, 0), (1, 2, 0)])
def test_server_calls_beyond_the_limit_are_refused(limit: int | None, ran: int, runs: int) -> None:
    model = Scripted([*call("orq_current_date"), *call("orq_current_date", call_id="call_2"), STOP])
    outcome = take(turn(CLOCK, body={"max_tool_calls": limit}, tool_calls=ran, iteration=1), model)
    allowed = (server(), server("call_2"))[:runs]
    assert outcome.verdict == (RunTools(allowed) if allowed else Continue())
    refused = [item for item in outcome.items if item["type"] == "orq:current_date"]
    assert [item["call_id"] for item in refused] == ["call_1", "call_2"][runs:]
    assert all("limit" in item["error"] for item in refused)


def test_client_calls_do_not_count_as_tool_calls() -> None:
    outcome = take(turn(F, body={"max_tool_calls": 1}, tool_calls=1, iteration=1), Scripted([*call("f"), STOP]))
    assert outcome.verdict == AwaitClient()


def test_calls_of_a_turn_that_was_cut_off_are_answered_so_that_the_chain_can_go_on() -> None:
    model = Scripted([*call("orq_current_date"), ToolCallStarted("x", "call_2", "orq_current_date"), CUT])
    outcome = take(turn(CLOCK), model)
    assert [(item["type"], item["status"]) for item in outcome.items] == [
        ("function_call", "completed"),
        ("function_call", "incomplete"),
        ("orq:current_date", "completed"),
    ]
    assert outcome.items[2]["error"] == "The model's turn was cut off, so this call was not run."


def test_without_parallel_calls_only_the_first_is_kept() -> None:
    model = Scripted([*call("f"), *call("orq_current_date", call_id="call_2"), STOP])
    outcome = take(turn(F, CLOCK, body={"parallel_tool_calls": False}), model)
    assert outcome.verdict == AwaitClient()
    assert [item["call_id"] for item in outcome.items] == ["call_1"]
    assert model.requests[0].parallel_tool_calls is False


@pytest.mark.parametrize("call_id", ["", "call_old"])
def test_an_id_that_says_nothing_or_is_in_use_is_replaced(call_id: str) -> None:
    history = [USER, called("f", "call_old"), {"type": "function_call_output", "call_id": "call_old", "output": "1"}]
    outcome = take(turn(F, history=history), Scripted([*call("f", call_id=call_id), *call("f", call_id=call_id), STOP]))
    made = [item["call_id"] for item in outcome.items]
    assert len({*made, "call_old", ""}) == 4


def test_a_call_is_on_record_by_its_owners_name() -> None:
    item = take(turn(F, FILES), Scripted([*call("files__f"), STOP])).items[0]
    assert (item["name"], item["namespace"]) == ("f", "files")


def test_a_forced_tool_is_forced_once() -> None:
    model = Scripted([*call("nothing"), STOP], says("Done."))
    body = {"tool_choice": "required"}
    take(turn(F, body=body), model)
    take(turn(F, body=body, iteration=1), model)
    assert [request.tool_choice for request in model.requests] == ["required", "auto"]


@pytest.mark.parametrize("after", [[], [TextDelta("Hel")], [*call("f")[:2]]])
def test_when_the_model_fails_nothing_is_left_open(after: list[Cue]) -> None:
    log = Recording()
    error = ModelError("provider_unavailable", "Gone.")
    with pytest.raises(StepFailed) as failed:
        asyncio.run(
            step.take(turn(F, next_output_index=4), Scripted([*after, error]), log.emit, new_id=log.new_id),
        )
    obeys_the_order_of_events(log.events)
    assert failed.value.error is error
    assert [item["status"] for item in log.done] == ["incomplete"][: len(after)]
    assert failed.value.next_output_index == 4 + len(log.done)


def test_an_answer_that_breaks_off_is_a_failure_that_may_pass() -> None:
    with pytest.raises(StepFailed) as failed:
        asyncio.run(step.take(turn(), Scripted([TextDelta("Hel")]), Recording().emit))
    assert failed.value.error.code == "provider_protocol"
    assert failed.value.error.retryable


def test_a_step_that_is_cancelled_closes_its_items_and_the_providers_connection() -> None:
    async def cancel(model: Scripted, log: Recording) -> None:
        task = asyncio.create_task(step.take(turn(), model, log.emit, new_id=log.new_id))
        while not log.events:  # noqa: ASYNC110
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert model.closed == 1

    log = Recording()
    asyncio.run(cancel(Scripted([TextDelta("Hel"), asyncio.Event().wait]), log))
    obeys_the_order_of_events(log.events)
    assert [item["status"] for item in log.done] == ["incomplete"]


def test_a_context_that_is_too_long_is_cut_until_it_fits() -> None:
    history = [{"role": "user", "content": str(number)} for number in range(8)]
    model = Scripted([TOO_LONG], [TOO_LONG], says("Ok."))
    outcome = take(turn(history=history, body={"truncation": "auto"}), model)
    assert outcome.verdict == Finish()
    assert [len(request.items) for request in model.requests] == [8, 4, 2]


@pytest.mark.parametrize(
    ("truncation", "history", "turns"),
    [
        ("disabled", [USER, USER], [[TOO_LONG]]),
        ("auto", [USER], [[TOO_LONG]]),
        ("auto", [USER, USER], [[TextDelta("a"), TOO_LONG]]),
        ("auto", [USER, USER], [[ModelError("rate_limit_exceeded", "Later.")]]),
        ("auto", [USER, USER], [[TOO_LONG], [TOO_LONG]]),
    ],
)
def test_a_context_is_not_cut_when_it_must_not_or_cannot_be(
    truncation: str, history: list[Item], turns: list[list[Cue]]
) -> None:
    model = Scripted(*turns)
    with pytest.raises(StepFailed):
        asyncio.run(step.take(turn(history=history, body={"truncation": truncation}), model, Recording().emit))
    assert len(model.requests) == len(turns)


def test_the_first_token_is_timed_from_the_question() -> None:
    times = iter([100.0, 100.25])
    outcome = asyncio.run(
        step.take(turn(), Scripted(says("a", "b")), Recording().emit, clock=lambda: next(times)),
    )
    assert outcome.first_token == 0.25


def test_the_tier_that_served_is_told() -> None:
    model = Scripted([Finished(reason="stop", usage=None, service_tier="flex")])
    outcome = take(turn(), model)
    assert (outcome.service_tier, outcome.usage) == ("flex", None)


def test_taking_a_step_again_gives_the_same() -> None:
    given = turn(CLOCK, history=[USER, called("orq_current_date")], iteration=1, results=[result(result=1)])
    events = [TextDelta("a"), *call("orq_current_date", call_id="call_9"), STOP]
    first, second = Recording(), Recording()
    assert take(given, Scripted(events), first).items == take(given, Scripted(events), second).items
    assert first.events == second.events

"""Calls that clients are not shown before it is decided what becomes of them."""

from collections.abc import Iterator
from typing import Any

import pytest

from agents import calls
from agents.models.base import Finished, ToolCallDelta, ToolCallStarted, Usage
from agents.models.scripted import STOP, Cue, Scripted, call, says
from agents.turn import AwaitClient, Continue, Finish, Outcome, RunTools, ServerCall, ToolResult
from shared.items import Item, Json
from tests.agents.recording import Recording
from tests.agents.stepping import ASKING, FIXED, USER, fixed_tools, listing, server, take, turn

CUT = Finished(reason="max_output_tokens", usage=Usage(input=1, output=2))
LISTED = [listing("rm", "ls"), USER]
F: Json = {"type": "function", "name": "f", "parameters": {}}


@pytest.fixture(autouse=True)
def _fixed() -> Iterator[None]:
    with fixed_tools():
        yield


def answers(request: Item, *, approve: bool = True, **more: Any) -> Item:
    return {"type": "mcp_approval_response", "approval_request_id": request["id"], "approve": approve, **more}


def asked(spec: Json, name: str, history: list[Item]) -> tuple[list[Item], Item]:
    """Let the model make a call that needs approval; return the history after it, and the request."""
    outcome = take(turn(spec, history=history), Scripted([*call(name, '{"x":1}'), STOP]))
    return [*history, *outcome.items], outcome.items[-1]


def test_an_mcp_call_is_one_item_that_waits_for_its_result() -> None:
    log = Recording()
    outcome = take(turn(server(), history=LISTED), Scripted([*call("rm", '{"x":1}'), STOP]), log=log)
    item = {
        "id": "mcp_1",
        "type": "mcp_call",
        "server_label": "files",
        "call_id": "call_1",
        "name": "rm",
        "arguments": '{"x":1}',
        "status": "in_progress",
    }
    assert outcome.items == [item]
    assert log.types == [
        "output_item.added",
        "mcp_call_arguments.delta",
        "mcp_call_arguments.done",
        "mcp_call.in_progress",
    ]
    assert outcome.verdict == RunTools(
        (
            ServerCall(
                call_id="call_1",
                tool="mcp",
                name="rm",
                arguments='{"x":1}',
                label="files",
                effect="at_most_once",
                timeout=60.0,
                output_index=0,
            ),
        )
    )


@pytest.mark.parametrize(
    ("told", "events", "shown"),
    [
        ({"result": "gone"}, ["mcp_call.completed"], {"status": "completed", "output": "gone"}),
        ({"result": {"n": 1}}, ["mcp_call.completed"], {"status": "completed", "output": '{"n":1}'}),
        (
            {"error": "No such file."},
            ["mcp_call.failed"],
            {
                "status": "failed",
                "error": {"type": "mcp_tool_execution_error", "content": [{"type": "text", "text": "No such file."}]},
            },
        ),
    ],
)
def test_a_result_that_nobody_told_completes_the_call_at_its_place(told: Json, events: list[str], shown: Json) -> None:
    first = take(turn(server(), history=LISTED), Scripted([*call("rm"), STOP]))
    result = ToolResult(call_id="call_1", tool="mcp", name="rm", arguments="{}", label="files", output_index=0, **told)
    log, model = Recording(), Scripted(says("Done."))
    history = [*LISTED, *first.items]
    second = take(turn(server(), history=history, iteration=1, next_output_index=1, results=[result]), model, log=log)
    assert second.amended == {0: first.items[0] | shown}
    assert [item["type"] for item in second.items] == ["message"]
    assert log.types[:2] == [*events, "output_item.done"]
    assert [item["type"] for item in model.requests[0].items] == ["message", "function_call", "function_call_output"]


def test_a_result_whose_call_is_not_there_is_an_item_of_its_own() -> None:
    result = ToolResult(call_id="call_1", tool="mcp", name="rm", arguments="{}", label="files", result="gone")
    outcome = take(turn(server(), history=LISTED, iteration=1, results=[result]), Scripted(says("Done.")))
    assert outcome.items[0] == {
        "id": "mcp_1",
        "type": "mcp_call",
        "server_label": "files",
        "call_id": "call_1",
        "name": "rm",
        "arguments": "{}",
        "status": "completed",
        "output": "gone",
    }


def test_a_call_that_needs_approval_becomes_a_request_and_nothing_else() -> None:
    outcome = take(turn(ASKING), Scripted([*call("asking", '{"x":1}'), STOP]))
    assert outcome.verdict == AwaitClient()
    assert outcome.items == [
        {
            "id": "mcpr_1",
            "type": "mcp_approval_request",
            "server_label": "orq:fixed",
            "name": "asking",
            "arguments": '{"x":1}',
        }
    ]


def test_a_call_that_turns_out_to_need_no_approval_is_put_out_whole() -> None:
    spec = ASKING | {"conditions": [{"condition": "x", "operator": "gt", "value": 10}]}
    outcome = take(turn(spec), Scripted([*call("asking", '{"x":1}'), STOP]))
    assert [(item["type"], item["arguments"], item["status"]) for item in outcome.items] == [
        ("function_call", '{"x":1}', "completed")
    ]
    assert isinstance(outcome.verdict, RunTools)


def test_other_calls_run_before_a_person_is_waited_for() -> None:
    model = Scripted([*call("asking"), *call("fixed", call_id="call_2"), STOP])
    first = take(turn(ASKING, FIXED), model)
    assert isinstance(first.verdict, RunTools)
    assert [one.name for one in first.verdict.calls] == ["fixed"]
    result = ToolResult(call_id="call_2", tool="orq:fixed", name="fixed", arguments="{}", result=1)
    history = [USER, *first.items]
    second = take(turn(ASKING, FIXED, history=history, iteration=1, next_output_index=2, results=[result]), Scripted())
    assert second.verdict == AwaitClient()


@pytest.mark.parametrize(
    ("spec", "name", "before", "type_"),
    [
        (ASKING, "asking", [USER], "function_call"),
        (server(require_approval="always"), "rm", LISTED, "mcp_call"),
    ],
)
def test_an_approved_call_runs_before_the_model_is_asked(spec: Json, name: str, before: list[Item], type_: str) -> None:
    history, request = asked(spec, name, before)
    outcome = take(turn(spec, history=[*history, answers(request)]), Scripted())
    assert isinstance(outcome.verdict, RunTools)
    assert [(one.name, one.arguments) for one in outcome.verdict.calls] == [(name, '{"x":1}')]
    assert [(item["type"], item["approval_request_id"]) for item in outcome.items] == [(type_, request["id"])]
    assert not outcome.called_model


@pytest.mark.parametrize(
    ("spec", "name", "before"),
    [(ASKING, "asking", [USER]), (server(require_approval="always"), "rm", LISTED)],
)
def test_a_denied_call_is_told_to_the_model_with_the_reason(spec: Json, name: str, before: list[Item]) -> None:
    history, request = asked(spec, name, before)
    model = Scripted(says("I see."))
    outcome = take(turn(spec, history=[*history, answers(request, approve=False, reason="Too risky")]), model)
    assert outcome.verdict == Finish()
    told = model.requests[0].items[-2:]
    assert [item["type"] for item in told] == ["function_call", "function_call_output"]
    assert told[1]["output"] == "The call was denied: Too risky"
    assert "approval_request_id" not in told[0]


def test_an_approved_call_of_a_tool_that_is_gone_is_told_to_the_model() -> None:
    history, request = asked(ASKING, "asking", [USER])
    model = Scripted(says("I see."))
    outcome = take(turn(history=[*history, answers(request)]), model)
    assert outcome.items[1]["error"] == "This call was not run, because its tool is not there any more."
    assert outcome.verdict == Finish()


@pytest.mark.parametrize("arguments", ["{", "[]"])
def test_nobody_is_asked_about_a_call_that_cannot_run(arguments: str) -> None:
    outcome = take(turn(ASKING), Scripted([*call("asking", arguments), STOP]))
    assert outcome.verdict == Continue()
    assert [item["type"] for item in outcome.items] == ["function_call", "orq:fixed"]


def test_a_held_call_that_the_model_did_not_finish_never_was() -> None:
    cues: list[Cue] = [ToolCallStarted("k", "call_1", "asking"), ToolCallDelta("k", '{"x'), CUT]
    outcome = take(turn(ASKING), Scripted(cues))
    assert (outcome.items, outcome.verdict) == ([], Finish("incomplete", "max_output_tokens"))


def test_a_held_call_of_a_turn_that_was_cut_off_is_not_run() -> None:
    outcome = take(turn(server(), ASKING, history=LISTED), Scripted([*call("rm"), *call("asking", call_id="call_2"), CUT]))
    assert [item["type"] for item in outcome.items] == ["mcp_call", "function_call", "orq:fixed"]
    assert outcome.items[0]["error"]["content"][0]["text"] == calls.CUT_OFF
    assert outcome.items[2]["error"] == calls.CUT_OFF


def test_a_call_with_nothing_said_has_empty_arguments() -> None:
    outcome = take(turn(server(), history=LISTED), Scripted([ToolCallStarted("k", "call_1", "ls"), STOP]))
    assert outcome.items[0]["arguments"] == "{}"


def limited(uses: dict[str, int], **spec: Any) -> Outcome:
    model = Scripted([*call("fixed"), *call("fixed", call_id="call_2"), STOP])
    return take(turn(FIXED | spec, uses=uses, iteration=1), model)


@pytest.mark.parametrize(("most", "used", "runs"), [(0, 9, 2), (3, 1, 2), (2, 1, 1), (1, 1, 0)])
def test_a_tool_is_used_as_often_as_its_spec_allows(most: int, used: int, runs: int) -> None:
    outcome = limited({"fixed": used, "other": 9}, max_uses=most)
    ran = outcome.verdict.calls if isinstance(outcome.verdict, RunTools) else ()
    assert len(ran) == runs
    refused = [item["error"] for item in outcome.items if item["type"] == "orq:fixed"]
    assert refused == [f"This call was not run, because fixed may be used {most} times at most. Answer without it."] * (
        2 - runs
    )


def test_calls_that_the_limit_stops_are_not_asked_about() -> None:
    outcome = take(turn(ASKING, body={"max_tool_calls": 0}), Scripted([*call("asking"), STOP]))
    assert outcome.verdict == Continue()


def test_the_time_of_a_call_is_the_shorter_of_the_tools_and_the_specs() -> None:
    for timeout, taken in ((2, 2), (50, 5.0), (None, 5.0)):
        outcome = take(turn(FIXED | {"timeout": timeout}), Scripted([*call("fixed"), STOP]))
        assert isinstance(outcome.verdict, RunTools)
        assert outcome.verdict.calls[0].timeout == taken


@pytest.mark.parametrize(("spent", "verdict"), [(0.99, Finish()), (1.0, Finish("incomplete", "max_cost"))])
def test_a_loop_ends_when_its_money_is_spent(spent: float, verdict: Finish) -> None:
    assert take(turn(spent=spent, max_cost=1.0), Scripted(says("Done."))).verdict == verdict


@pytest.mark.parametrize(("depth", "names"), [(1, ["orq_advisor", "fixed"]), (2, ["fixed"])])
def test_delegation_ends_at_its_depth(depth: int, names: list[str]) -> None:
    model = Scripted(says("Done."))
    take(turn({"type": "orq:advisor", "model": "m"}, FIXED, depth=depth, max_depth=2), model)
    assert [tool["name"] for tool in model.requests[0].tools] == names


def test_a_server_tool_is_called_as_a_function_whatever_the_provider_says() -> None:
    model = Scripted([ToolCallStarted("k", "call_1", "asking", "custom"), ToolCallDelta("k", '{"x":1}'), STOP])
    assert take(turn(ASKING), model).items[0]["type"] == "mcp_approval_request"


def test_a_custom_tools_text_is_not_held_back() -> None:
    patch: Json = {"type": "custom", "name": "patch"}
    model = Scripted([*call("asking"), ToolCallStarted("p", "call_2", "patch", "custom"), ToolCallDelta("p", "@@"), STOP])
    outcome = take(turn(ASKING, patch), model)
    assert [item["type"] for item in outcome.items] == ["custom_tool_call", "mcp_approval_request"]
    assert outcome.items[0]["input"] == "@@"


def test_an_earlier_request_that_nobody_decided_stops_nobody() -> None:
    history, _ = asked(ASKING, "asking", [USER])
    model = Scripted([*call("f", call_id="call_9"), STOP])
    outcome = take(turn(ASKING, F, history=[*history, USER]), model)
    assert [item["type"] for item in model.requests[0].items] == ["message", "message"]
    assert outcome.verdict == AwaitClient()

"""What a model is asked."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents import prompt, toolset
from agents.models.base import Sampling, Timeouts
from agents.toolset import Toolset
from agents.turn import Turn
from shared.items import Item, Json

SYSTEM: Item = {"type": "message", "role": "system", "content": "Be brief."}


def user(text: str) -> Item:
    return {"role": "user", "content": text}


def assistant(text: str) -> Item:
    return {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}


def call(call_id: str, **more: Any) -> Item:
    return {"type": "function_call", "call_id": call_id, "name": "f", "arguments": "{}", **more}


def output(call_id: str) -> Item:
    return {"type": "function_call_output", "call_id": call_id, "output": "1"}


def result(call_id: str, **more: Any) -> Item:
    return {"type": "orq:current_date", "id": f"orq_{call_id}", "call_id": call_id, "name": "f", "arguments": "{}", **more}


def known(*history: Item) -> list[Item]:
    return prompt.items(history, Toolset())


def test_ordinary_items_are_given_as_they_are() -> None:
    history = [SYSTEM, user("a"), assistant("b"), call("c", id="fc_1"), output("c"), {"type": "program", "id": "p", "x": 1}]
    assert known(*history) == history


@pytest.mark.parametrize(
    ("told", "text"),
    [
        ({"result": {"date": "2026-01-02"}}, '{"date":"2026-01-02"}'),
        ({"result": "plain"}, "plain"),
        ({"result": None}, "null"),
        ({"error": "There is no such zone."}, "There is no such zone."),
    ],
)
def test_a_server_tools_result_is_the_output_of_its_call(told: dict[str, Any], text: str) -> None:
    assert known(call("c"), result("c", **told)) == [
        call("c"),
        {"type": "function_call_output", "call_id": "c", "output": text},
    ]


def test_no_item_is_given_twice() -> None:
    message = {**assistant("a"), "id": "msg_1"}
    assert known(message, user("b"), user("b"), message) == [message, user("b"), user("b")]


@pytest.mark.parametrize(
    "history",
    [
        [call("c", status="incomplete")],
        [call("c", status="incomplete"), output("c")],
        [call("c")],
        [output("c")],
        [result("c", result=1)],
        [{"type": "reasoning", "summary": []}, call("c", status="incomplete")],
        [{"type": "reasoning", "summary": [], "status": "incomplete"}],
    ],
)
def test_what_has_lost_its_other_half_is_left_out(history: list[Item]) -> None:
    assert known(user("a"), *history, user("b")) == [user("a"), user("b")]


def test_reasoning_stays_before_what_it_led_to() -> None:
    thought: Item = {"type": "reasoning", "summary": []}
    history = [user("a"), thought, call("c"), output("c"), thought, thought, assistant("b"), thought, {"type": "program"}]
    assert known(*history) == history


def test_a_call_is_told_by_the_name_that_the_model_knows() -> None:
    f = {"type": "function", "name": "f"}
    offered = toolset.offer({"tools": [f, {"type": "namespace", "name": "files", "tools": [f]}]}, first=True)
    history = [call("a", namespace="files"), output("a"), call("b"), output("b"), call("c", namespace="gone"), output("c")]
    assert [item["name"] for item in prompt.items(history, offered) if "name" in item] == ["files__f", "f", "f"]


def test_the_request_has_the_settings_of_the_response() -> None:
    turn = Turn(
        response_id="resp_1",
        model="m",
        history=[user("a")],
        body={
            "instructions": "Be kind.",
            "tools": [{"type": "function", "name": "f"}],
            "tool_choice": "required",
            "parallel_tool_calls": False,
            "text": {"format": {"type": "json_object"}},
            "reasoning": {"effort": "low"},
        },
        sampling=Sampling(temperature=0.5, stop=("END",)),
        passthrough={"user": "u"},
        timeouts=Timeouts(connect=1.0),
    )
    request = prompt.build(turn, toolset.offer(turn.body, first=True))
    assert request.model == "m"
    assert request.items == [user("a")]
    assert request.instructions == "Be kind."
    assert request.tools == [{"type": "function", "name": "f"}]
    assert request.tool_choice == "required"
    assert request.parallel_tool_calls is False
    assert request.sampling == Sampling(temperature=0.5, stop=("END",))
    assert request.text == {"format": {"type": "json_object"}}
    assert request.reasoning == {"effort": "low"}
    assert request.passthrough == {"user": "u"}
    assert request.timeouts == Timeouts(connect=1.0)


def test_defaults_in_the_echo_are_not_sent() -> None:
    turn = Turn(response_id="resp_1", model="m", history=[], body={"temperature": 1.0, "top_p": 1.0, "top_logprobs": 0})
    assert prompt.build(turn, Toolset()).sampling == Sampling()


def test_a_response_without_settings_leaves_them_to_the_provider() -> None:
    request = prompt.build(Turn(response_id="resp_1", model="m", history=[], body={"text": None}), Toolset())
    assert request.sampling == Sampling()
    assert (request.instructions, request.text, request.reasoning, request.parallel_tool_calls) == (None, {}, {}, True)


def test_the_older_half_is_dropped() -> None:
    context = [user("1"), assistant("2"), user("3"), assistant("4"), user("5")]
    assert prompt.drop_oldest(context) == [user("3"), assistant("4"), user("5")]


def test_system_messages_and_the_newest_user_message_are_never_dropped() -> None:
    context = [SYSTEM, user("1"), {"role": "developer", "content": "x"}, user("2"), assistant("3")]
    assert prompt.drop_oldest(context) == [SYSTEM, context[2], user("2"), assistant("3")]
    assert prompt.drop_oldest([SYSTEM, context[2], user("2"), assistant("3")]) == [SYSTEM, context[2], user("2")]


@pytest.mark.parametrize("context", [[], [SYSTEM], [user("1")], [SYSTEM, user("1")]])
def test_when_nothing_is_left_to_drop_there_is_no_shorter_context(context: list[Item]) -> None:
    assert prompt.drop_oldest(context) is None


def test_reasoning_is_dropped_with_what_follows_it() -> None:
    thought: Item = {"type": "reasoning", "summary": []}
    context = [user("1"), thought, call("c"), output("c"), assistant("2"), user("3")]
    assert prompt.drop_oldest([user("1"), thought, assistant("2"), user("3")]) == [user("3")]
    assert prompt.drop_oldest(context) == [assistant("2"), user("3")]


blocks = st.sampled_from(["system", "user", "assistant", "pair", "parallel"])


@given(st.lists(blocks, max_size=12))
def test_dropping_ends_and_never_parts_a_call_from_its_output(kinds: list[str]) -> None:
    context: list[Item] = []
    for number, kind in enumerate(kinds):
        a, b = f"a{number}", f"b{number}"
        context += {
            "system": [SYSTEM],
            "user": [user(a)],
            "assistant": [assistant(a)],
            "pair": [call(a), output(a)],
            "parallel": [call(a), call(b), output(b), output(a)],
        }[kind]
    protected = [item for item in context if item.get("role") == "system"]
    newest = [item for item in context if item.get("role") == "user"][-1:]
    left: list[Item] | None = context
    while left is not None:
        made = [item["call_id"] for item in left if item.get("type") == "function_call"]
        assert sorted(made) == sorted(item["call_id"] for item in left if item.get("type") == "function_call_output")
        assert [item for item in left if item.get("role") == "system"] == protected
        assert [item for item in left if item.get("role") == "user"][-1:] == newest
        shorter = prompt.drop_oldest(left)
        assert shorter is None or len(shorter) < len(left)
        left = shorter


def mcp_call(call_id: str, **more: Any) -> Item:
    item = {"type": "mcp_call", "id": f"mcp_{call_id}", "server_label": "files", "call_id": call_id, "name": "ls"}
    return item | {"arguments": "{}", "status": "completed"} | more


SERVER: Json = {"type": "mcp", "server_label": "files", "server_url": "https://mcp.example/", "require_approval": "never"}
LISTING: Item = {
    "type": "mcp_list_tools",
    "id": "mcpl_1",
    "server_label": "files",
    "tools": [{"name": "ls", "input_schema": {"type": "object"}}],
}


@pytest.mark.parametrize(
    ("ended", "text"),
    [
        ({"output": "a.txt"}, "a.txt"),
        ({"output": ""}, ""),
        ({"error": {"type": "mcp_tool_execution_error", "content": [{"type": "text", "text": "No."}]}}, "No."),
        ({"error": {"type": "http_error", "code": 500, "message": "Down."}}, "Down."),
        ({"error": "Plain."}, "Plain."),
    ],
)
def test_an_mcp_call_is_a_call_and_its_output(ended: dict[str, Any], text: str) -> None:
    assert known(mcp_call("c", **ended)) == [
        {"type": "function_call", "call_id": "c", "name": "ls", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": text},
    ]


@pytest.mark.parametrize(
    "item",
    [
        mcp_call("c", status="in_progress"),
        mcp_call("c", status="incomplete"),
        LISTING,
        {"type": "mcp_approval_request", "id": "mcpr_1", "server_label": "files", "name": "ls", "arguments": "{}"},
        {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True},
    ],
)
def test_what_is_between_people_and_servers_is_not_told(item: Item) -> None:
    assert known(user("a"), item, user("b")) == [user("a"), user("b")]


def test_an_mcp_call_is_told_by_the_name_that_the_model_knows() -> None:
    body = {"tools": [{"type": "function", "name": "ls"}, SERVER]}
    offered = toolset.offer(body, first=True, history=[LISTING])
    assert offered.names() == ["ls", "files__ls"]
    told = prompt.items([mcp_call("c", output="")], offered)
    assert told[0]["name"] == "files__ls"


def test_outputs_of_mcp_calls_come_after_the_calls_that_were_made_at_once() -> None:
    history = [call("a"), mcp_call("b", output="1"), call("c"), mcp_call("d", output="2"), output("c"), output("a")]
    assert [item["call_id"] for item in known(*history)] == ["a", "b", "c", "d", "b", "d", "c", "a"]


def test_that_a_call_was_approved_is_not_told() -> None:
    assert known(call("c", approval_request_id="mcpr_1"), output("c")) == [call("c"), output("c")]

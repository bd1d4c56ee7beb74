"""Which calls a person has to approve, and which decisions are still to be carried out."""

from typing import Any

import pytest

from agents import approvals
from agents.approvals import Decision
from agents.toolset import Offered
from shared.items import Item, Json
from tests.agents.stepping import ASKING, FIXED, listing, server


def request(id_: str = "mcpr_1") -> Item:
    return {"type": "mcp_approval_request", "id": id_, "server_label": "files", "name": "rm", "arguments": "{}"}


def answer(id_: str = "mcpr_1", *, approve: bool = True, **more: Any) -> Item:
    return {"type": "mcp_approval_response", "approval_request_id": id_, "approve": approve, **more}


def carried_out(id_: str = "mcpr_1") -> Item:
    return {"type": "mcp_call", "id": "mcp_1", "approval_request_id": id_, "name": "rm", "arguments": "{}"}


@pytest.mark.parametrize(
    ("spec", "policy", "needed"),
    [
        (FIXED, "respect_tool", False),
        (FIXED, "all", True),
        (ASKING, "respect_tool", True),
        (ASKING, "none", False),
        (server(require_approval="always"), "respect_tool", True),
        (server(require_approval="always"), "none", False),
        (server(require_approval="never"), "respect_tool", False),
        (server(require_approval="never"), "all", True),
        (server(require_approval="never", requires_approval=True), "respect_tool", True),
        (server(require_approval={"never": {"tool_names": ["rm"]}}), "respect_tool", False),
        (server(require_approval={"never": {"tool_names": ["ls"]}}), "respect_tool", True),
    ],
)
def test_the_policy_and_the_tool_say_what_needs_approval(spec: Json, policy: Any, needed: bool) -> None:
    assert approvals.needs(spec, {}, policy, "rm", listed=listing("rm", "ls")) is needed


@pytest.mark.parametrize(
    ("operator", "value", "given", "needed"),
    [
        ("eq", 1, 1, True),
        ("eq", 1, 2, False),
        ("ne", 1, 2, True),
        ("ne", 1, 1, False),
        ("gt", 1, 2, True),
        ("gt", 1, 1, False),
        ("gte", 1, 1, True),
        ("gte", 1, 0, False),
        ("lt", 1, 0, True),
        ("lt", 1, 1, False),
        ("lte", 1, 1, True),
        ("lte", 1, 2, False),
        ("in", ["a"], "a", True),
        ("in", ["a"], "b", False),
        ("not_in", ["a"], "b", True),
        ("not_in", ["a"], "a", False),
        ("contains", "a", "cat", True),
        ("contains", "a", ["b"], False),
        ("exists", True, 0, True),
        ("exists", False, 0, False),
    ],
)
def test_a_condition_is_held_against_the_argument(operator: str, value: Any, given: Any, needed: bool) -> None:
    condition = {"condition": "order.total", "operator": operator, "value": value}
    spec = ASKING | {"conditions": [condition]}
    assert approvals.needs(spec, {"order": {"total": given}}, "respect_tool", "asking") is needed
    assert approvals.needs(spec, {"order.total": given}, "respect_tool", "asking") is needed


@pytest.mark.parametrize(
    ("operator", "needed"), [("eq", False), ("gt", False), ("exists", False), ("ne", True), ("not_in", True)]
)
def test_an_argument_that_is_not_there_is_none_of_the_values(operator: str, needed: bool) -> None:
    spec = ASKING | {"conditions": [{"condition": "a.b", "operator": operator, "value": [1]}]}
    assert approvals.needs(spec, {"a": 1}, "respect_tool", "asking") is needed


@pytest.mark.parametrize("operator", ["gt", "contains", "something new"])
def test_what_cannot_be_compared_is_looked_at_by_a_person(operator: str) -> None:
    spec = ASKING | {"conditions": [{"condition": "a", "operator": operator, "value": "x"}]}
    assert approvals.needs(spec, {"a": 5}, "respect_tool", "asking")


def test_approval_is_needed_only_if_all_conditions_hold() -> None:
    holds, fails = ({"condition": "a", "operator": "eq", "value": value} for value in (1, 2))
    assert approvals.needs(ASKING | {"conditions": [holds, holds]}, {"a": 1}, "respect_tool", "asking")
    assert not approvals.needs(ASKING | {"conditions": [holds, fails]}, {"a": 1}, "respect_tool", "asking")


def test_conditions_see_what_is_configured() -> None:
    spec = ASKING | {"conditions": [{"condition": "a", "operator": "eq", "value": 1}], "configuration": {"a": 1}}
    assert approvals.needs(spec, {"a": 2}, "respect_tool", "asking")


@pytest.mark.parametrize(
    ("tool", "policy", "may"),
    [
        (Offered(offered="f", name="f"), "all", False),
        (Offered(offered="fixed", name="fixed", server=FIXED), "respect_tool", False),
        (Offered(offered="fixed", name="fixed", server=FIXED), "all", True),
        (Offered(offered="asking", name="asking", server=ASKING), "respect_tool", True),
        (Offered(offered="asking", name="asking", server=ASKING), "none", False),
    ],
)
def test_only_what_workers_run_may_need_approval(tool: Offered, policy: Any, may: bool) -> None:
    assert approvals.may_need(tool, policy) is may


def test_a_request_is_pending_until_it_is_decided() -> None:
    assert approvals.pending([request("mcpr_1"), request("mcpr_2"), answer("mcpr_1")]) == [request("mcpr_2")]


def test_a_decision_is_carried_out_once() -> None:
    assert approvals.decided([request(), answer()]) == [Decision(request(), approve=True)]
    assert approvals.decided([request(), answer(), carried_out()]) == []


def test_the_first_decision_counts() -> None:
    history = [request(), answer(approve=False, reason="No."), answer(approve=True)]
    assert approvals.decided(history) == [Decision(request(), approve=False, reason="No.")]


@pytest.mark.parametrize("approve", [None, "true", 1])
def test_only_a_plain_yes_approves(approve: Any) -> None:
    assert not approvals.decided([request(), answer(approve=approve)])[0].approve


def test_an_answer_without_its_request_decides_nothing() -> None:
    assert approvals.decided([answer()]) == []

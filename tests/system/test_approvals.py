"""Approvals: nothing runs before somebody's word, every call is decided once, and it does not matter who decides where."""

from typing import Any

import httpx2
import pytest
from openai import OpenAI

from shared.items import Item, Json
from tests.agents.mcp import server as mcp
from tests.system.contract import events
from tests.system.outside import Outside
from tests.system.reading import create, finished, only, refused, text_of
from tests.system.running import Api, System, eventually
from tests.system.test_agents_api import fault, made, unique
from tests.system.test_agents_run import scripted_model
from tests.system.test_tools_api import made as tool_made

ONE: Json = {"amount": 1}


def saved(http: httpx2.Client, world: Outside, **members: Any) -> str:
    """Save a tool that acts on the world; return its key, by which the world counts as well."""
    key = unique("pay")
    part = {
        "blueprint": {"url": f"{world.url}/look/{key}", "method": "GET"},
        "arguments": {"amount": {"type": "integer"}},
    }
    tool_made(http, {"type": "http", "http": part, **members}, key=key)
    return key


def asking(http: httpx2.Client, world: Outside, *calls: tuple[str, Json], **settings: Any) -> Json:
    """Have an agent make calls in one turn, then say `done`; return the response that they end."""
    model = scripted_model(world, list(calls), "done")
    keys = sorted({name for name, _ in calls})
    settings = {"tools": [{"type": "http", "key": key} for key in keys], **settings}
    agent = made(http, model=model, settings=settings)["key"]
    return create(http, model=f"agent/{agent}", input="Go.")


def requests(response: Json) -> list[Item]:
    return [item for item in response["output"] if item["type"] == "mcp_approval_request"]


def word(request: Item, *, approve: bool, **members: Any) -> Json:
    return {"type": "mcp_approval_response", "approval_request_id": request["id"], "approve": approve, **members}


def decide(http: httpx2.Client, request: Item, *, approve: bool = True, **members: Any) -> httpx2.Response:
    return http.post(f"/v1/approvals/{request['id']}", json={"approve": approve, **members})


def answered(http: httpx2.Client, response: Json, *words: Json) -> Json:
    return create(http, model=response["model"], previous_response_id=response["id"], input=list(words))


@pytest.mark.parametrize(
    ("policy", "marked", "waits"),
    [("all", False, True), ("respect_tool", True, True), ("respect_tool", False, False), ("none", True, False)],
)
def test_the_agents_policy_and_the_tool_say_what_waits(
    scripted: httpx2.Client, world: Outside, policy: str, marked: bool, waits: bool
) -> None:
    key = saved(scripted, world, requires_approval=marked)
    response = asking(scripted, world, (key, {"amount": 1}), tool_approval_required=policy)
    assert (len(requests(response)), world.looks[key]) == ((1, 0) if waits else (0, 1))


@pytest.mark.parametrize(("amount", "waits"), [(101, True), (100, False)])
def test_a_call_waits_only_if_its_conditions_hold(scripted: httpx2.Client, world: Outside, amount: int, waits: bool) -> None:
    conditions = [{"condition": "amount", "operator": "gt", "value": 100}]
    key = saved(scripted, world, requires_approval=True, conditions=conditions)
    response = asking(scripted, world, (key, {"amount": amount}))
    assert (len(requests(response)), world.looks[key]) == ((1, 0) if waits else (0, 1))


def test_an_approved_call_is_made_and_a_denied_one_is_told_as_denied(scripted: httpx2.Client, world: Outside) -> None:
    yes, no = (saved(scripted, world, requires_approval=True) for _ in range(2))
    asked = asking(scripted, world, (yes, {"amount": 1}), (no, {"amount": 2}))
    by_name = {request["name"]: request for request in requests(asked)}
    assert (asked["status"], world.looks[yes], world.looks[no]) == ("completed", 0, 0)
    words = word(by_name[yes], approve=True), word(by_name[no], approve=False, reason="Too much.")
    ended = answered(scripted, asked, *words)
    assert (text_of(ended), world.looks[yes], world.looks[no]) == ("done", 1, 0)
    results = {item["name"]: item for item in ended["output"] if item["type"] == "orq:http"}
    assert "Too much." in results[no]["error"]
    assert results[yes]["result"]


def test_two_requests_of_a_turn_can_be_answered_one_after_the_other(scripted: httpx2.Client, world: Outside) -> None:
    first, second = (saved(scripted, world, requires_approval=True) for _ in range(2))
    asked = asking(scripted, world, (first, ONE), (second, ONE))
    one, two = requests(asked)
    answered(scripted, asked, word(one, approve=True))
    assert (world.looks[first], world.looks[second]) == (1, 0)
    pending = scripted.get("/v1/approvals", params={"response": asked["id"], "status": "pending"}).json()["data"]
    assert [each["id"] for each in pending] == [two["id"]]
    answered(scripted, asked, word(two, approve=True))
    assert (world.looks[first], world.looks[second]) == (1, 1)


def test_two_requests_decided_over_http_are_carried_out_together(scripted: httpx2.Client, world: Outside) -> None:
    first, second = (saved(scripted, world, requires_approval=True) for _ in range(2))
    asked = asking(scripted, world, (first, ONE), (second, ONE))
    one, two = requests(asked)
    half = decide(scripted, one).json()
    assert (half["status"], half["continued_by"], world.looks[first]) == ("approved", None, 0)
    whole = decide(scripted, two, approve=False, reason="No.").json()
    ended = finished(scripted, whole["continued_by"])
    assert (text_of(ended), world.looks[first], world.looks[second]) == ("done", 1, 0)
    assert (ended["previous_response_id"], whole["reason"]) == (asked["id"], "No.")


def test_one_request_can_be_decided_over_http_and_the_other_by_the_client(scripted: httpx2.Client, world: Outside) -> None:
    first, second = (saved(scripted, world, requires_approval=True) for _ in range(2))
    asked = asking(scripted, world, (first, ONE), (second, ONE))
    one, two = requests(asked)
    decide(scripted, one)
    answered(scripted, asked, word(two, approve=True))
    assert (world.looks[first], world.looks[second]) == (1, 1)


@pytest.mark.parametrize("first", ["http", "client"])
@pytest.mark.parametrize("second", ["http", "client"])
def test_nothing_is_decided_twice(scripted: httpx2.Client, world: Outside, first: str, second: str) -> None:
    key = saved(scripted, world, requires_approval=True)
    asked = asking(scripted, world, (key, ONE))
    (request,) = requests(asked)

    def say(where: str, *, approve: bool) -> httpx2.Response:
        body = {"model": asked["model"], "previous_response_id": asked["id"], "input": [word(request, approve=approve)]}
        return decide(scripted, request, approve=approve) if where == "http" else scripted.post("/v1/responses", json=body)

    assert say(first, approve=False).status_code == 200
    error = fault(say(second, approve=True), 400)
    assert (error["code"], error["param"]) == ("approval_already_decided", "approval_id" if second == "http" else "input")
    assert "denied" in error["message"]
    assert world.looks[key] == 0


def test_the_same_request_answered_twice_at_once_is_refused(scripted: httpx2.Client, world: Outside) -> None:
    key = saved(scripted, world, requires_approval=True)
    asked = asking(scripted, world, (key, ONE))
    (request,) = requests(asked)
    words = [word(request, approve=True), word(request, approve=False)]
    status, error = refused(scripted, model=asked["model"], previous_response_id=asked["id"], input=words)
    assert (status, error["code"]) == (400, "approval_already_decided")
    shown = scripted.get(f"/v1/approvals/{request['id']}").json()
    assert (shown["status"], world.looks[key]) == ("pending", 0)


def test_approvals_are_listed_by_what_they_belong_to_and_in_pages(scripted: httpx2.Client, world: Outside) -> None:
    key = saved(scripted, world, requires_approval=True)
    agent = made(
        scripted, model=scripted_model(world, [(key, ONE), (key, ONE)]), settings={"tools": [{"type": "http", "key": key}]}
    )
    thread, who = unique("thread"), unique("user")
    body = {"model": f"agent/{agent['key']}", "input": "Go.", "thread": {"id": thread}, "identity": {"id": who}}
    asked = create(scripted, **body)
    wanted = [request["id"] for request in requests(asked)]
    for name, value in {"agent": agent["key"], "thread": thread, "identity": who, "response": asked["id"]}.items():
        listed = scripted.get("/v1/approvals", params={name: value, "order": "asc"}).json()["data"]
        assert sorted(each["id"] for each in listed) == sorted(wanted), name
        assert scripted.get("/v1/approvals", params={name: "none"}).json()["data"] == []
    first = scripted.get("/v1/approvals", params={"thread": thread, "limit": 1}).json()
    rest = scripted.get("/v1/approvals", params={"thread": thread, "after": first["last_id"]}).json()
    assert (len(first["data"]), first["has_more"], len(rest["data"]), rest["has_more"]) == (1, True, 1, False)
    assert {first["data"][0]["id"], rest["data"][0]["id"]} == set(wanted)
    assert first["data"][0]["arguments"] == '{"amount":1}'


@pytest.mark.parametrize(
    ("query", "param"), [({"status": "open"}, "status"), ({"limit": "0"}, "limit"), ({"after": "mcpr_none"}, "after")]
)
def test_a_faulty_list_is_refused(scripted: httpx2.Client, query: Json, param: str) -> None:
    assert fault(scripted.get("/v1/approvals", params=query), 400)["param"] == param


@pytest.mark.parametrize("body", [{}, {"approve": "yes"}, {"approve": True, "reason": 3}, {"approve": True, "who": "me"}])
def test_a_faulty_decision_is_refused_and_decides_nothing(scripted: httpx2.Client, world: Outside, body: Json) -> None:
    key = saved(scripted, world, requires_approval=True)
    (request,) = requests(asking(scripted, world, (key, ONE)))
    assert scripted.post(f"/v1/approvals/{request['id']}", json=body).status_code == 400
    assert scripted.get(f"/v1/approvals/{request['id']}").json()["status"] == "pending"


def test_an_unknown_and_a_foreign_approval_look_alike(
    scripted_api: Api, scripted_system: System, scripted: httpx2.Client, world: Outside
) -> None:
    key = saved(scripted, world, requires_approval=True)
    asked = asking(scripted, world, (key, ONE))
    (request,) = requests(asked)
    with scripted_api.http(scripted_system.new_key(unique("project"))) as stranger:
        for one in (request, {"id": "mcpr_unknown"}, {"id": "%00"}):
            for answer in (stranger.get(f"/v1/approvals/{one['id']}"), decide(stranger, one)):
                assert fault(answer, 404)["param"] == "approval_id"
        assert stranger.get("/v1/approvals").json()["data"] == []
        stray = {"model": "demo/echo", "input": [{"role": "user", "content": "hi"}, word(request, approve=True)]}
        assert fault(stranger.post("/v1/responses", json=stray), 400)["param"] == "input"
    assert (scripted.get(f"/v1/approvals/{request['id']}").json()["status"], world.looks[key]) == ("pending", 0)


def test_approvals_of_a_deleted_response_are_gone(scripted: httpx2.Client, world: Outside) -> None:
    key = saved(scripted, world, requires_approval=True)
    asked = asking(scripted, world, (key, ONE))
    (request,) = requests(asked)
    scripted.delete(f"/v1/responses/{asked['id']}").raise_for_status()
    assert decide(scripted, request).status_code == 404
    assert scripted.get("/v1/approvals", params={"response": asked["id"]}).json()["data"] == []


def test_a_request_of_a_response_that_is_not_stored_is_answered_with_its_history(
    scripted: httpx2.Client, scripted_system: System, world: Outside
) -> None:
    key = saved(scripted, world, requires_approval=True)
    body: Json = {"model": scripted_model(world, [(key, ONE)], "done"), "tools": [{"type": "http", "key": key}], "store": False}
    asked = create(scripted, **body, input="Go.")
    (request,) = requests(asked)
    assert scripted.get(f"/v1/approvals/{request['id']}").status_code == 404
    history = [{"role": "user", "content": "Go."}, *asked["output"], word(request, approve=True)]
    assert (text_of(create(scripted, **body, input=history)), world.looks[key]) == ("done", 1)


@pytest.mark.parametrize("by", ["client", "http"])
def test_a_delegated_call_waits_with_its_parent_and_both_go_on_after_the_word(
    scripted: httpx2.Client, scripted_system: System, world: Outside, by: str
) -> None:
    key = saved(scripted, world, requires_approval=True)
    inner = scripted_model(world, [(key, ONE)], "from the child")
    child = made(scripted, model=inner, settings={"tools": [{"type": "http", "key": key}]})["key"]
    outer = scripted_model(world, [("orq_call_sub_agent", {"agent_key": child, "input": "Do it."})], "from the parent")
    parent = made(scripted, model=outer, team_of_agents=[{"key": child}])["key"]
    begun = create(scripted, model=f"agent/{parent}", input="Go.", background=True)

    def waiting() -> Any:
        return scripted.get("/v1/approvals", params={"agent": child, "status": "pending"}).json()["data"]

    (approval,) = eventually(waiting)
    held = "SELECT status, lease_until FROM tool_calls WHERE response_id = %s"
    assert scripted_system.rows(held, begun["id"]) == [("waiting", None)]
    assert (scripted.get(f"/v1/responses/{begun['id']}").json()["status"], world.looks[key]) == ("in_progress", 0)
    if by == "http":
        decide(scripted, approval).raise_for_status()
    else:
        answered(scripted, {"model": f"agent/{child}", "id": approval["response_id"]}, word(approval, approve=True))
    ended = finished(scripted, begun["id"])
    assert (text_of(ended), world.looks[key]) == ("from the parent", 1)
    assert "from the child" in str(only(ended["output"], "orq:call_sub_agent")["result"])


@pytest.mark.parametrize(
    ("policy", "waits"),
    [
        (None, True),
        ("never", False),
        ({"never": {"tool_names": ["add"]}}, False),
        ({"never": {"read_only": True}}, False),
        ({"always": {"tool_names": ["add"]}}, True),
    ],
)
def test_an_mcp_servers_calls_wait_as_it_is_said(
    scripted_api: Api, scripted: httpx2.Client, world: Outside, far_server: mcp.Running, policy: Any, waits: bool
) -> None:
    before = far_server.book.methods["tools/call"]
    tool: Any = {"type": "mcp", "server_label": "sums", "server_url": far_server.url}
    tool |= {"require_approval": policy} if policy else {}
    model = scripted_model(world, [("add", {"a": 1, "b": 2})], "done")
    with scripted_api.sdk() as client:
        asked = client.responses.create(model=model, input="Go.", tools=[tool])
        kinds = [item.type for item in asked.output]
        assert ("mcp_approval_request" in kinds, far_server.book.methods["tools/call"] - before) == (waits, int(not waits))
        if waits:
            _approve(client, asked.id, model, tool)
            assert far_server.book.methods["tools/call"] - before == 1


def _approve(client: OpenAI, response_id: str, model: str, tool: Any) -> None:
    """Say yes as OpenAI's users do."""
    asked = client.responses.retrieve(response_id)
    (request,) = (item for item in asked.output if item.type == "mcp_approval_request")
    answer: Any = {"type": "mcp_approval_response", "approval_request_id": request.id, "approve": True}
    ended = client.responses.create(model=model, previous_response_id=response_id, input=[answer], tools=[tool])
    (call,) = (item for item in ended.output if item.type == "mcp_call")
    assert (call.approval_request_id, call.output, ended.output_text) == (request.id, "3", "done")


def test_a_stream_shows_the_request_and_nothing_of_the_call(scripted: httpx2.Client, world: Outside) -> None:
    key = saved(scripted, world, requires_approval=True)
    body = {
        "model": scripted_model(world, [(key, ONE)]),
        "tools": [{"type": "http", "key": key}],
        "input": "Go.",
        "stream": True,
    }
    seen = events(scripted.post("/v1/responses", json=body).content)
    assert [event["item"]["type"] for event in seen if event["type"] == "response.output_item.done"] == ["mcp_approval_request"]
    assert not any("function_call" in event["type"] for event in seen)


@pytest.fixture(scope="module")
def far_server() -> Any:
    """An MCP server."""
    with mcp.serving(lambda book: mcp.app("http", book)) as running:
        yield running

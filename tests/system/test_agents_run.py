"""Responses of agents: which definition they follow, what a request may add to it, what ends them, and which model answers."""

import threading
import time
from typing import Any

import httpx2
import pytest

from shared.items import Json
from tests.system.outside import Outside, Said
from tests.system.reading import create, finished, only, refused, text_of
from tests.system.running import Api, System
from tests.system.test_agents_api import made, unique
from tests.system.test_tools import CLOCK, WEATHER
from tests.system.test_tools_api import made as tool_made

PRICED = "gpt-4o"
"""A model that has a price."""


def scripted_model(world: Outside, *said: Said) -> str:
    """Make a model that says one thing after the other, whatever it is asked."""
    name = unique("model")
    left = list(said)
    world.scripts[name] = lambda _turn: left.pop(0) if len(left) > 1 else left[0]
    return f"openai/{name}"


def said_by(world: Outside, model: str) -> list[Json]:
    """List what a model was asked."""
    return [body for body in world.heard if body["model"] == model.partition("/")[2]]


def journal(http: httpx2.Client, response: Json) -> Json:
    read: Json = http.get(f"/v1/responses/{response['id']}/steps").raise_for_status().json()
    return read


def saved_http(http: httpx2.Client, world: Outside, path: str = "/look/it", **members: Any) -> Json:
    """Save a tool that asks the world by `GET`, and name it as an agent does."""
    part = {"blueprint": {"url": world.url + path, "method": "GET"}, "arguments": {}}
    tool = tool_made(http, {"type": "http", "http": part, "description": "Look."}, **members)
    return {"type": "http", "key": tool["key"]}


def test_a_reference_names_the_newest_version_another_or_an_environments(scripted_api: Api, scripted: httpx2.Client) -> None:
    key = made(scripted, model="demo/echo", instructions="one")["key"]
    scripted.put(f"/v2/agents/{key}/environments/production", json={"version": "1.0.0"}).raise_for_status()
    scripted.patch(f"/v2/agents/{key}", json={"model": "demo/assistant"}).raise_for_status()
    with scripted_api.sdk() as client:
        answers = {
            ref: client.responses.create(model=f"agent/{key}{ref}", input="hello").output_text
            for ref in ("", "@latest", "@1.0.1", "@1.0.0", "@production")
        }
    assert {ref: answer == "hello" for ref, answer in answers.items()} == {
        "": False,
        "@latest": False,
        "@1.0.1": False,
        "@1.0.0": True,
        "@production": True,
    }


def test_an_unknown_agent_is_told_which_there_are(scripted: httpx2.Client) -> None:
    key = made(scripted)["key"]
    status, error = refused(scripted, model="agent/nobody", input="hi")
    assert (status, error["code"], error["param"]) == (404, "agent_not_found", "model")
    assert "'nobody'" in error["message"]
    assert f"'{key}'" in error["message"] or "more" in error["message"]


@pytest.mark.parametrize("ref", ["9.9.9", "staging", "x" * 99, "\0", "@"])
def test_an_unknown_version_or_environment_is_told_which_there_are(scripted: httpx2.Client, ref: str) -> None:
    key = made(scripted)["key"]
    scripted.put(f"/v2/agents/{key}/environments/production", json={"version": "1.0.0"})
    status, error = refused(scripted, model=f"agent/{key}@{ref}", input="hi")
    assert (status, error["code"]) == (404, "agent_not_found")
    assert "'1.0.0'" in error["message"]
    assert "'production'" in error["message"]


def test_a_foreign_agent_looks_like_none(scripted_api: Api, scripted: httpx2.Client, scripted_system: System) -> None:
    key = made(scripted)["key"]
    with scripted_api.http(scripted_system.new_key(unique("project"))) as stranger:
        status, error = refused(stranger, model=f"agent/{key}", input="hi")
    assert (status, error["code"]) == (404, "agent_not_found")


@pytest.mark.parametrize("change", ["patch", "delete"])
def test_a_running_response_keeps_the_definition_it_began_with(scripted: httpx2.Client, world: Outside, change: str) -> None:
    part: Json = {
        "blueprint": {
            "url": f"{world.url}/repeat/kept",
            "method": "GET",
            "headers": {"X-Token": "{{token}}", "X-Own": {"value": "tool-secret", "encrypted": True}},
        },
        "arguments": {},
    }
    tool = tool_made(scripted, {"type": "http", "http": part})
    changed = threading.Event()
    world.scripts["waits"] = lambda turn: [(tool["key"], {})] if turn == 1 and changed.wait(10) else "done"
    settings = {"tools": [{"type": "http", "key": tool["key"]}]}
    variables = {"token": {"value": "agent-secret", "secret": True}}
    key = made(scripted, model="openai/waits", settings=settings, variables=variables)["key"]
    slow = create(scripted, model=f"agent/{key}", input="Go.", background=True)
    if change == "patch":
        scripted.patch(f"/v2/agents/{key}", json={"model": "demo/echo", "settings": {}, "variables": {}})
        scripted.patch(f"/v2/tools/{tool['key']}", json={"http": {**part, "blueprint": {**part["blueprint"], "headers": {}}}})
    else:
        assert scripted.delete(f"/v2/agents/{key}").status_code == 204
        assert scripted.delete(f"/v2/tools/{tool['key']}").status_code == 204
    changed.set()
    assert text_of(finished(scripted, slow["id"])) == "done"
    sent = [one["headers"] for one in world.received if one["url"].endswith("/repeat/kept")][-1]
    assert (sent["x-token"], sent["x-own"]) == ("agent-secret", "tool-secret")


def test_a_requests_instructions_and_tools_come_to_the_agents(scripted: httpx2.Client, world: Outside) -> None:
    model = scripted_model(world, "done")
    key = made(scripted, model=model, instructions="Be kind.", settings={"tools": [CLOCK]})["key"]
    create(scripted, model=f"agent/{key}", input="Go.", instructions="Be brief.", tools=[WEATHER])
    (asked,) = said_by(world, model)
    assert asked["messages"][0]["content"] == "Be kind.\n\nBe brief."
    assert [tool["function"]["name"] for tool in asked["tools"]] == ["orq_current_date", "get_weather"]


def test_a_requests_sampling_replaces_the_agents_and_leaves_the_rest(scripted: httpx2.Client, world: Outside) -> None:
    model = scripted_model(world, "done")
    parameters = {"temperature": 0.5, "top_p": 0.9, "max_tokens": 300}
    key = made(scripted, model={"id": model, "parameters": parameters})["key"]
    create(scripted, model=f"agent/{key}", input="Go.", temperature=0.1, max_output_tokens=40)
    (asked,) = said_by(world, model)
    most = asked.get("max_completion_tokens") or asked.get("max_tokens")
    assert (asked["temperature"], asked["top_p"], most) == (0.1, 0.9, 40)


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ("none", "none"),
        ("required", "required"),
        ({"type": "function", "name": "get_weather"}, {"type": "function", "function": {"name": "get_weather"}}),
        ({"type": "orq:current_date"}, {"type": "function", "function": {"name": "orq_current_date"}}),
    ],
)
def test_a_requests_tool_choice_holds_over_the_agents_tools(
    scripted: httpx2.Client, world: Outside, choice: Any, sent: Any
) -> None:
    model = scripted_model(world, "done")
    key = made(scripted, model=model, settings={"tools": [CLOCK, WEATHER]})["key"]
    create(scripted, model=f"agent/{key}", input="Go.", tool_choice=choice)
    assert said_by(world, model)[0]["tool_choice"] == sent


def test_a_tool_choice_that_neither_agent_nor_request_has_is_refused(scripted: httpx2.Client) -> None:
    key = made(scripted, settings={"tools": [CLOCK]})["key"]
    choice = {"type": "function", "name": "nothing"}
    status, error = refused(scripted, model=f"agent/{key}", input="Go.", tool_choice=choice)
    assert (status, error["param"]) == (400, "tool_choice")


@pytest.mark.parametrize("tool", [CLOCK, {"type": "function", "name": "orq_current_date"}, WEATHER])
def test_a_tool_of_the_request_named_as_one_of_the_agent_is_refused(scripted: httpx2.Client, tool: Json) -> None:
    key = made(scripted, settings={"tools": [CLOCK, WEATHER]})["key"]
    status, error = refused(scripted, model=f"agent/{key}", input="Go.", tools=[tool])
    assert (status, error["param"]) == (400, "tools")
    assert "There are two tools named" in error["message"]


@pytest.mark.parametrize(("asked", "calls"), [(2, 2), (None, 3)])
def test_a_request_narrows_the_agents_iterations(
    scripted: httpx2.Client, world: Outside, asked: int | None, calls: int
) -> None:
    model = scripted_model(world, [("orq_current_date", {})])
    key = made(scripted, model=model, settings={"tools": [CLOCK], "max_iterations": 3})["key"]
    ended = create(scripted, model=f"agent/{key}", input="Go.", limits={"max_iterations": asked})
    assert (ended["status"], ended["incomplete_details"]) == ("incomplete", {"reason": "max_iterations"})
    assert len(said_by(world, model)) == calls


def test_a_request_that_would_widen_the_agents_bounds_is_refused(scripted: httpx2.Client) -> None:
    key = made(scripted, settings={"max_iterations": 3})["key"]
    status, error = refused(scripted, model=f"agent/{key}", input="Go.", limits={"max_iterations": 4})
    assert (status, error["param"]) == (400, "limits.max_iterations")


def test_time_that_is_up_ends_a_run_and_keeps_what_was_said(scripted: httpx2.Client) -> None:
    key = made(scripted, model="demo/load", settings={"max_execution_time": 1})["key"]
    ended = create(scripted, model=f"agent/{key}", input="tokens=500 rate=20")
    assert (ended["status"], ended["incomplete_details"]) == ("incomplete", {"reason": "max_execution_time"})
    assert text_of(ended).startswith("1 2 3")


def test_money_that_is_spent_ends_a_run(scripted: httpx2.Client, world: Outside) -> None:
    world.scripts[PRICED] = lambda _turn: [("orq_current_date", {})]
    key = made(scripted, model=f"openai/{PRICED}", settings={"tools": [CLOCK], "max_cost": 1})["key"]
    ended = create(scripted, model=f"agent/{key}", input="Go.", limits={"max_cost": 0.0001})
    assert (ended["status"], ended["incomplete_details"]) == ("incomplete", {"reason": "max_cost"})
    costs = [step["cost"] for step in journal(scripted, ended)["data"] if step["model"]]
    assert sum(costs[:-1]) < 0.0001 <= sum(costs)
    assert ended["usage"]["total_cost"] == pytest.approx(sum(costs))


def test_a_tool_that_takes_too_long_is_told_to_the_model(scripted: httpx2.Client, world: Outside) -> None:
    tool = saved_http(scripted, world, "/linger", key=unique("linger"))
    model = scripted_model(world, [(tool["key"], {})], "done")
    key = made(scripted, model=model, settings={"tools": [tool]})["key"]
    began = time.monotonic()
    ended = create(scripted, model=f"agent/{key}", input="Go.", limits={"tool_timeout": 1})
    assert time.monotonic() - began < 5
    assert "longer than 1 seconds" in only(ended["output"], "orq:http")["error"]
    assert (ended["status"], text_of(ended)) == ("completed", "done")


@pytest.mark.parametrize("status", [401, 404])
def test_the_next_model_answers_if_one_fails_for_good(scripted: httpx2.Client, world: Outside, status: int) -> None:
    first, second = scripted_model(world, status), scripted_model(world, "from the second")
    key = made(scripted, model=first, fallback_models=[second])["key"]
    answer = create(scripted, model=f"agent/{key}", input="Go.")
    assert text_of(answer) == "from the second"
    steps = [(step["model"], step["outcome"]) for step in journal(scripted, answer)["data"]]
    assert steps == [(first, "fallback"), (second, "completed")]


@pytest.mark.parametrize("status", [500, 429])
def test_a_model_is_asked_again_as_often_as_the_agent_says_and_then_the_next_one(
    scripted: httpx2.Client, world: Outside, status: int
) -> None:
    first, second = scripted_model(world, status), scripted_model(world, "from the second")
    key = made(scripted, model={"id": first, "retry": {"count": 1}}, fallback_models=[second])["key"]
    answer = create(scripted, model=f"agent/{key}", input="Go.")
    assert text_of(answer) == "from the second"
    outcomes = [(step["model"], step["outcome"]) for step in journal(scripted, answer)["data"]]
    assert outcomes == [(first, "retry"), (first, "fallback"), (second, "completed")]
    assert len(said_by(world, first)) == 2


def test_a_failure_that_passes_is_not_seen_by_the_client(scripted: httpx2.Client, world: Outside) -> None:
    model = scripted_model(world, 503, "recovered")
    key = made(scripted, model=model, fallback_models=["demo/echo"])["key"]
    assert text_of(create(scripted, model=f"agent/{key}", input="Go.")) == "recovered"


def test_with_no_model_left_the_last_failure_is_told(scripted: httpx2.Client, world: Outside) -> None:
    key = made(scripted, model=scripted_model(world, 401), fallback_models=[scripted_model(world, 403)])["key"]
    made_ = create(scripted, model=f"agent/{key}", input="Go.", background=True)
    ended = finished(scripted, made_["id"])
    assert (ended["status"], ended["error"]["code"]) == ("failed", "provider_authentication")


def test_an_identity_is_the_headers_or_else_the_key_owners(scripted_api: Api, scripted_system: System) -> None:
    key = scripted_system.admin("create-key", "default", "owned")
    ((key_id,),) = scripted_system.rows("SELECT id FROM api_keys WHERE name = 'owned'")
    scripted_system.admin("own-key", str(key_id), "jane")
    with scripted_api.http(key) as hers:
        assert create(hers, model="demo/echo", input="hi")["identity"]["id"] == "jane"
        header = {"X-ORQ-IDENTITY-ID": "joe"}
        told = hers.post("/v1/responses", json={"model": "demo/echo", "input": "hi"}, headers=header).json()
        assert told["identity"]["id"] == "joe"
        assert create(hers, model="demo/echo", input="hi", identity={"id": "jim"})["identity"]["id"] == "jim"

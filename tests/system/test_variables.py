"""Variables: where they are rendered, what is said of those that are missing, and what never becomes visible of secrets."""

import dataclasses
from contextlib import ExitStack
from typing import Any

import httpx2
import pytest

from shared.items import Json, text_of
from tests.system.contract import events
from tests.system.outside import Outside
from tests.system.reading import create, finished, refused
from tests.system.reading import text_of as said
from tests.system.running import System, eventually
from tests.system.test_agents_api import made
from tests.system.test_agents_run import said_by, scripted_model
from tests.system.test_tools_api import made as tool_made

SECRET = "sesame-open-5f1e"
TOKEN: Json = {"value": SECRET, "secret": True}


def blueprint(world: Outside, **members: Any) -> Json:
    """Describe a request to the world, which repeats it."""
    return {"url": f"{world.url}/repeat/it", "method": "POST", **members}


def http_tool(http: httpx2.Client, given: Json, **arguments: Json) -> Json:
    """Save an HTTP tool, and name it as a request does."""
    tool = tool_made(http, {"type": "http", "http": {"blueprint": given, "arguments": arguments}})
    return {"type": "http", "key": tool["key"]}


def calling(world: Outside, tool: Json) -> str:
    """Make a model that calls a tool, and then answers."""
    return scripted_model(world, [(tool["key"], {})], "done")


def rows(system: System) -> tuple[object, ...]:
    """Count what responses leave behind."""
    ((responses, secrets),) = system.rows(
        "SELECT (SELECT count(*) FROM responses), (SELECT count(*) FROM secrets WHERE response_id IS NOT NULL)"
    )
    return responses, secrets


@pytest.mark.parametrize("given", ["Ann", {"value": "Ann"}, {"value": "Ann", "secret": False}])
def test_a_variable_has_three_forms(scripted: httpx2.Client, given: Any) -> None:
    answer = create(scripted, model="demo/echo", input="Hello {{name}}", variables={"name": given})
    assert said(answer) == "Hello Ann"


@pytest.mark.parametrize(
    ("engine", "template", "expected"),
    [
        ("text", "{{who.name}} has {{n}}", "Ann has 3"),
        ("jinja", "{% for x in list %}{{ x|upper }}{% endfor %} {{ n + 1 }}", "AB 4"),
        ("mustache", "{{#list}}<{{.}}>{{/list}} {{who.name}}", "<a><b> Ann"),
    ],
)
def test_each_engine_renders_instructions_and_input(
    scripted: httpx2.Client, world: Outside, engine: str, template: str, expected: str
) -> None:
    model = scripted_model(world, "done")
    variables = {"who": {"value": {"name": "Ann"}}, "n": 3, "list": {"value": ["a", "b"]}}
    body = {"input": template, "instructions": template, "variables": variables, "template_engine": engine}
    create(scripted, model=model, **body)
    (asked,) = said_by(world, model)
    assert [message["content"] for message in asked["messages"]] == [expected, expected]


@pytest.mark.parametrize("code", ["{{other}}", "{{ 7*7 }}", "{% for x in y %}", "{{{raw}}}", "${other}"])
@pytest.mark.parametrize("engine", ["text", "jinja", "mustache"])
def test_a_value_that_looks_like_a_template_comes_out_as_it_went_in(
    scripted: httpx2.Client, world: Outside, engine: str, code: str
) -> None:
    template = "{{{value}}}" if engine == "mustache" else "{{value}}"
    body = {"variables": {"value": code, "other": "LEAKED"}, "template_engine": engine}
    assert said(create(scripted, model="demo/echo", input=template, **body)) == code


def test_a_text_without_variables_is_no_template(scripted: httpx2.Client) -> None:
    assert said(create(scripted, model="demo/echo", input="{{name}} {% if %}")) == "{{name}} {% if %}"


@pytest.mark.parametrize("mode", [{}, {"stream": True}, {"background": True}, {"store": False}])
@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"instructions": "{{who}}", "input": "hi"}, "instructions"),
        ({"input": "{{who}}"}, "input[0].content[0].text"),
        (
            {"input": [{"role": "user", "content": "a"}, {"role": "user", "content": "{{who.name}}"}]},
            "input[1].content[0].text",
        ),
    ],
)
def test_a_missing_variable_of_a_text_is_named_with_its_place_before_anything_is_stored(
    scripted: httpx2.Client, scripted_system: System, body: Json, place: str, mode: Json
) -> None:
    before = rows(scripted_system)
    status, error = refused(scripted, model="demo/echo", **body, variables={"token": TOKEN}, **mode)
    assert (status, error["code"], error["param"]) == (400, "missing_variable", place)
    assert "'who" in error["message"]
    assert rows(scripted_system) == before


@pytest.mark.parametrize(
    ("changed", "place"),
    [
        ({"url": "http://127.0.0.1:1/{{who}}"}, "url"),
        ({"headers": {"X-Who": "{{who}}"}}, "headers.X-Who"),
        ({"headers": {"X-Who": {"value": "Bearer {{who}}", "encrypted": True}}}, "headers.X-Who"),
        ({"body": {"deep": [{"who": "{{who}}"}]}}, "body.deep[0].who"),
    ],
)
def test_a_missing_variable_of_a_tool_is_named_with_its_place_before_anything_is_stored(
    scripted: httpx2.Client, scripted_system: System, world: Outside, changed: Json, place: str
) -> None:
    tool = http_tool(scripted, blueprint(world, **changed))
    before = rows(scripted_system)
    status, error = refused(scripted, model="demo/echo", input="hi", tools=[tool], variables={"token": TOKEN})
    assert (status, error["code"], error["param"]) == (400, "missing_variable", f"tools[0].http.blueprint.{place}")
    assert rows(scripted_system) == before


@pytest.mark.parametrize("member", [{"headers": {"X-Who": "{{who}}"}}, {"server_url": "https://{{who}}.example/mcp"}])
def test_a_missing_variable_of_a_server_is_named_with_its_place(scripted: httpx2.Client, member: Json) -> None:
    server = {"type": "mcp", "server_label": "crm", "server_url": "https://crm.example/mcp", **member}
    status, error = refused(scripted, model="demo/echo", input="hi", tools=[server])
    assert (status, error["code"]) == (400, "missing_variable")
    assert error["param"].startswith(f"tools[0].{next(iter(member))}")


def test_a_variable_that_an_agent_requires_is_asked_for(scripted: httpx2.Client) -> None:
    key = made(scripted, model="demo/echo", instructions="For {{who}}.", variables={"who": {"required": True}})["key"]
    status, error = refused(scripted, model=f"agent/{key}", input="hi")
    assert (status, error["code"], error["param"]) == (400, "missing_variable", "agent.instructions")


def test_a_requests_value_replaces_the_agents(scripted: httpx2.Client, world: Outside) -> None:
    model = scripted_model(world, "done")
    key = made(scripted, model=model, instructions="{{a}} {{b}}", variables={"a": "1", "b": "2"})["key"]
    create(scripted, model=f"agent/{key}", input="hi", variables={"b": "3"})
    assert said_by(world, model)[0]["messages"][0]["content"] == "1 3"


def test_a_secret_stays_a_placeholder_for_models_and_is_opened_for_tools(scripted: httpx2.Client, world: Outside) -> None:
    tool = http_tool(scripted, blueprint(world, headers={"X-Token": "{{token}}"}, body={"token": "{{token}}"}))
    model = calling(world, tool)
    body = {"instructions": "Use {{token}}.", "input": "With {{token}}.", "variables": {"token": TOKEN}}
    answer = create(scripted, model=model, tools=[tool], **body)
    assert [message["content"] for message in said_by(world, model)[0]["messages"]] == ["Use {{token}}.", "With {{token}}."]
    assert world.received[-1]["headers"]["x-token"] == SECRET
    assert SECRET in world.received[-1]["body"]
    assert SECRET not in str(said_by(world, model))
    assert SECRET not in str(answer)


@pytest.mark.parametrize("mode", ["foreground", "stream", "background"])
def test_the_echo_shows_that_there_is_a_secret_and_not_which(scripted: httpx2.Client, mode: str) -> None:
    body: Json = {"model": "demo/echo", "input": "{{name}}", "variables": {"name": "Ann", "token": TOKEN}}
    answer = scripted.post("/v1/responses", json={**body, **({mode: True} if mode != "foreground" else {})})
    shown = events(answer.content)[-1]["response"] if mode == "stream" else answer.json()
    assert SECRET not in answer.text
    assert shown["variables"] == {"name": "Ann", "token": {"secret": True}}
    ended = finished(scripted, shown["id"])
    assert (said(ended), ended["variables"]) == ("Ann", shown["variables"])
    assert text_of(scripted.get(f"/v1/responses/{shown['id']}/input_items").json()["data"][0]) == "Ann"


def test_a_response_far_down_a_chain_inherits_variables_and_secrets(scripted: httpx2.Client, world: Outside) -> None:
    first = create(scripted, model="demo/echo", input="{{name}}", variables={"name": "Ann", "token": TOKEN})
    second = create(scripted, model="demo/echo", input="and then?", previous_response_id=first["id"])
    scripted.delete(f"/v1/responses/{first['id']}").raise_for_status()
    tool = http_tool(scripted, blueprint(world, headers={"X-Token": "{{token}}", "X-Name": "{{name}}"}))
    model = calling(world, tool)
    create(scripted, model=model, input="Go.", tools=[tool], previous_response_id=second["id"], variables={"name": "Bob"})
    headers = world.received[-1]["headers"]
    assert (headers["x-token"], headers["x-name"]) == (SECRET, "Bob")


def test_what_an_agent_declares_is_read_anew_by_every_response(scripted: httpx2.Client, world: Outside) -> None:
    model = scripted_model(world, "done")
    key = made(scripted, model=model, instructions="{{a}} {{b}}", variables={"a": "old", "b": "old"})["key"]
    first = create(scripted, model=f"agent/{key}", input="hi", variables={"b": "mine"})
    scripted.patch(f"/v2/agents/{key}", json={"variables": {"a": "new", "b": "new"}}).raise_for_status()
    create(scripted, model=f"agent/{key}", input="hi", previous_response_id=first["id"])
    assert [asked["messages"][0]["content"] for asked in said_by(world, model)] == ["old mine", "new mine"]


def test_a_response_that_is_not_stored_leaves_no_secret_behind(
    scripted: httpx2.Client, scripted_system: System, world: Outside
) -> None:
    tool = http_tool(scripted, blueprint(world, headers={"X-Token": "{{token}}"}))
    before = rows(scripted_system)
    body: Json = {"input": "Go.", "tools": [tool], "variables": {"token": TOKEN}, "store": False}
    for stream in (False, True):
        answer = scripted.post("/v1/responses", json={**body, "model": calling(world, tool), "stream": stream})
        assert answer.status_code == 200, answer.text
        assert world.received.pop()["headers"]["x-token"] == SECRET
    eventually(lambda: rows(scripted_system) == before, what=lambda: str(rows(scripted_system)))


def test_deleting_a_response_deletes_its_secrets(scripted: httpx2.Client, scripted_system: System) -> None:
    made_ = create(scripted, model="demo/echo", input="hi", variables={"token": TOKEN})
    held = "SELECT 1 FROM secrets WHERE response_id = %s"
    assert len(scripted_system.rows(held, made_["id"])) == 1
    scripted.delete(f"/v1/responses/{made_['id']}").raise_for_status()
    assert scripted_system.rows(held, made_["id"]) == []


@pytest.mark.parametrize("mode", [{}, {"stream": True}, {"background": True}, {"store": False}])
def test_without_a_key_secrets_are_refused_and_nothing_is_stored(
    scripted_system: System, locked: httpx2.Client, mode: Json
) -> None:
    before = rows(scripted_system)
    status, error = refused(locked, model="demo/echo", input="hi", variables={"token": TOKEN}, **mode)
    assert (status, error["code"]) == (503, "vault_locked")
    assert "RONDO_ENCRYPTION_KEYS" in error["message"]
    assert rows(scripted_system) == before


def test_without_a_key_what_is_not_secret_works(locked: httpx2.Client) -> None:
    assert said(create(locked, model="demo/echo", input="{{name}}", variables={"name": "Ann"})) == "Ann"


@pytest.fixture(scope="module")
def locked_door(scripted_system: System) -> Any:
    """An API process that has no encryption key."""
    with ExitStack() as stack:
        env = {**scripted_system.env, "RONDO_ENCRYPTION_KEYS": ""}
        keyless = dataclasses.replace(scripted_system, env=env, processes=[], _stack=stack)
        yield keyless.api()


@pytest.fixture
def locked(locked_door: Any) -> Any:
    """A client of it."""
    with locked_door.http() as plain:
        yield plain

"""Saved tools in requests: of every type and by every name, and the tools that cannot run here or belong to other vendors."""

from typing import Any

import httpx2
import orjson
import pytest

from shared.items import Json
from tests.agents.mcp import server as mcp
from tests.system.outside import Outside
from tests.system.reading import create, only, refused, text_of
from tests.system.running import System
from tests.system.test_agents_api import made as agent_made
from tests.system.test_agents_run import said_by, scripted_model
from tests.system.test_tools import WEATHER
from tests.system.test_tools_api import CODE, FUNCTION, SCHEMA, made


def http_part(world: Outside, what: str) -> Json:
    return {"http": {"blueprint": {"url": f"{world.url}/repeat/{what}", "method": "GET"}, "arguments": {}}}


@pytest.mark.parametrize("named", ["key", "id", "version", "tool_id", "latest"])
def test_a_tool_is_used_by_every_name_it_has(scripted: httpx2.Client, world: Outside, named: str) -> None:
    tool = made(scripted, {"type": "http", **http_part(world, "old")})
    scripted.patch(f"/v2/tools/{tool['key']}", json=http_part(world, "new")).raise_for_status()
    given = {
        "key": {"type": "http", "key": tool["key"]},
        "id": {"type": "http", "id": tool["id"]},
        "version": {"type": "http", "key": f"{tool['key']}@1.0.0"},
        "tool_id": {"type": "orq:http", "tool_id": tool["id"]},
        "latest": {"type": "http", "key": f"{tool['key']}@latest"},
    }[named]
    answer = create(scripted, model=scripted_model(world, [(tool["key"], {})], "done"), input="Go.", tools=[given])
    assert world.received[-1]["url"].endswith("/old" if named == "version" else "/new")
    result = only(answer["output"], "orq:http")
    assert (result["name"], text_of(answer)) == (tool["key"], "done")


def test_a_code_tool_calculates(scripted: httpx2.Client, world: Outside) -> None:
    tool = made(scripted, {"type": "code", "code_tool": {**CODE["code_tool"], "secrets": []}})
    model = scripted_model(world, [(tool["key"], {"a": 20, "b": 22})], "done")
    answer = create(scripted, model=model, input="Go.", tools=[{"type": "code", "key": tool["key"]}])
    assert "42" in str(only(answer["output"], "orq:code")["result"])


@pytest.mark.parametrize("kind", ["function", "orq:function"])
def test_a_function_of_the_catalogue_is_the_clients(scripted: httpx2.Client, world: Outside, kind: str) -> None:
    tool = made(scripted, FUNCTION)
    model = scripted_model(world, [("ask_user", {})])
    answer = create(scripted, model=model, input="Go.", tools=[{"type": kind, "tool_id": tool["id"]}])
    assert [(item["type"], item["name"]) for item in answer["output"]] == [("function_call", "ask_user")]


def test_a_schema_shapes_the_answer_unless_the_request_says_otherwise(scripted: httpx2.Client) -> None:
    schema = {"type": "object", "properties": {"verdict": {"type": "string"}}, "required": ["verdict"]}
    tool = made(scripted, {**SCHEMA, "json_schema": {"name": "verdict", "schema": schema}})
    tools = [{"type": "json_schema", "key": tool["key"]}]
    shaped = create(scripted, model="demo/assistant", input="Go.", tools=tools)
    assert orjson.loads(text_of(shaped)).keys() == {"verdict"}
    plain = create(scripted, model="demo/assistant", input="Go.", tools=tools, text={"format": {"type": "text"}})
    assert not text_of(plain).startswith("{")
    key = agent_made(scripted, model="demo/assistant", settings={"tools": tools})["key"]
    assert orjson.loads(text_of(create(scripted, model=f"agent/{key}", input="Go."))).keys() == {"verdict"}


@pytest.mark.parametrize("kind", ["mcp", "orq:mcp"])
def test_a_saved_server_is_asked_with_its_credentials(
    scripted: httpx2.Client, world: Outside, far_server: mcp.Running, kind: str
) -> None:
    headers = {"X-Token": {"value": "Bearer {{token}}", "encrypted": True}}
    tool = made(scripted, {"type": "mcp", "mcp": {"server_url": far_server.url, "headers": headers}})
    model = scripted_model(world, [("add", {"a": 1, "b": 2})], "done")
    variables = {"token": {"value": "mcp-token-5f1e", "secret": True}}
    reference = {"type": kind, "tool_id": tool["id"], "allowed_tools": ["add"]}
    answer = create(scripted, model=model, input="Go.", tools=[reference], variables=variables)
    assert only(answer["output"], "mcp_call")["output"] == "3"
    assert far_server.book.headers[-1]["x-token"] == "Bearer mcp-token-5f1e"
    assert [each["function"]["name"] for each in said_by(world, model)[0]["tools"]] == ["add"]


@pytest.mark.parametrize("reference", [{"key": "nothing"}, {"tool_id": "tool_nothing"}, {"key": "\0"}, {"key": "@1.0.0"}])
def test_an_unknown_tool_is_told_which_there_are(scripted: httpx2.Client, reference: Json) -> None:
    made(scripted, FUNCTION)
    status, error = refused(scripted, model="demo/echo", input="hi", tools=[{"type": "http", **reference}])
    assert (status, error["code"], error["param"]) == (404, "tool_not_found", "tools")
    assert "The saved tools are: " in error["message"]


def test_an_unknown_version_is_told_which_there_are(scripted: httpx2.Client) -> None:
    tool = made(scripted, FUNCTION)
    tools = [{"type": "function", "key": f"{tool['key']}@9.9.9"}]
    status, error = refused(scripted, model="demo/echo", input="hi", tools=tools)
    assert (status, error["code"]) == (404, "tool_not_found")
    assert "'1.0.0'" in error["message"]


def test_a_tool_of_another_type_than_it_is_called_is_refused(scripted: httpx2.Client) -> None:
    tool = made(scripted, CODE)
    status, error = refused(scripted, model="demo/echo", input="hi", tools=[{"type": "http", "key": tool["key"]}])
    assert (status, error["param"]) == (400, "tools")
    assert "is of type 'code'" in error["message"]


def test_a_function_named_as_a_saved_tool_is_refused(scripted: httpx2.Client, world: Outside) -> None:
    tool = made(scripted, {"type": "http", **http_part(world, "it")})
    tools = [{"type": "http", "key": tool["key"]}, {"type": "function", "name": tool["key"]}]
    status, error = refused(scripted, model="demo/echo", input="hi", tools=tools)
    assert (status, error["param"]) == (400, "tools")
    assert f"two tools named '{tool['key']}'" in error["message"]


@pytest.mark.parametrize("kind", ["orq:web_search", "orq:google_search"])
def test_a_search_without_an_engine_is_refused_by_the_operators_setting(
    scripted: httpx2.Client, scripted_system: System, kind: str
) -> None:
    before = scripted_system.rows("SELECT count(*) FROM responses")
    status, error = refused(scripted, model="demo/echo", input="hi", tools=[{"type": kind}])
    assert (status, error["code"], error["param"]) == (400, "tool_not_configured", "tools[0]")
    assert "RONDO_SEARCH_BACKEND" in error["message"]
    assert scripted_system.rows("SELECT count(*) FROM responses") == before


@pytest.mark.parametrize("kind", ["web_search", "file_search", "image_generation", "local_shell"])
def test_a_tool_of_another_vendor_is_left_out_and_echoed(scripted: httpx2.Client, world: Outside, kind: str) -> None:
    model = scripted_model(world, "done")
    vendors: Any = {"type": kind, "vector_store_ids": ["vs_1"]} if kind == "file_search" else {"type": kind}
    answer = create(scripted, model=model, input="Go.", tools=[vendors, WEATHER])
    assert [tool["type"] for tool in answer["tools"]] == [kind, "function"]
    assert [tool["function"]["name"] for tool in said_by(world, model)[0]["tools"]] == ["get_weather"]


def test_a_tool_of_another_vendor_cannot_be_chosen(scripted: httpx2.Client, world: Outside) -> None:
    model = scripted_model(world, "done")
    chosen = {"tools": [{"type": "web_search"}], "tool_choice": {"type": "web_search"}}
    status, error = refused(scripted, model=model, input="Go.", **chosen)
    assert (status, error["code"], error["param"]) == (400, "unsupported_tool", "tool_choice")
    assert said_by(world, model) == []


@pytest.fixture(scope="module")
def far_server() -> Any:
    """An MCP server."""
    with mcp.serving(lambda book: mcp.app("http", book)) as running:
        yield running

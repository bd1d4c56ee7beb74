"""Saved tools: what is read can be written, secrets are kept, and no agent loses a tool by accident."""

from typing import Any

import httpx2
import pytest

from tests.system.running import Api, System
from tests.system.test_agents_api import fault, unique
from tests.system.test_agents_api import made as agent_made

HTTP: dict[str, Any] = {
    "type": "http",
    "description": "Finds an order.",
    "http": {
        "blueprint": {
            "url": "https://{{host}}/orders/{{id}}",
            "method": "POST",
            "headers": {"X-Team": "a", "Authorization": {"value": "Bearer sesame-open", "encrypted": True}},
            "body": {"id": "{{id}}", "deep": [{"city": "{{city}}"}]},
        },
        "arguments": {
            "id": {"type": "string", "description": "The order's number."},
            "city": {"type": "string", "send_to_model": False, "default_value": "Delft"},
        },
    },
}
CODE: dict[str, Any] = {
    "type": "code",
    "description": "Adds.",
    "code_tool": {
        "language": "python",
        "code": "a + b",
        "parameters": {"type": "object", "properties": {"a": {"type": "number"}}},
        "secrets": ["token"],
    },
}
FUNCTION: dict[str, Any] = {"type": "function", "function": {"name": "ask_user", "description": "Asks."}}
SCHEMA: dict[str, Any] = {
    "type": "json_schema",
    "json_schema": {"name": "verdict", "schema": {"type": "object"}, "strict": True},
}
MCP: dict[str, Any] = {
    "type": "mcp",
    "requires_approval": True,
    "conditions": [{"condition": "amount", "operator": "gt", "value": 100}],
    "timeout": 20,
    "mcp": {
        "server_url": "https://crm.example/mcp",
        "connection_type": "sse",
        "headers": {"Authorization": {"value": "Bearer {{token}} s3same", "encrypted": True}},
        "allowed_tools": ["find"],
        "require_approval": {"never": {"read_only": True}},
    },
}
EVERY = {"http": HTTP, "code": CODE, "function": FUNCTION, "json_schema": SCHEMA, "mcp": MCP}


def made(http: httpx2.Client, body: dict[str, Any], **members: Any) -> Any:
    answer = http.post("/v2/tools", json={"key": unique("tool"), **body, **members})
    assert answer.status_code == 201, answer.text
    return answer.json()


@pytest.mark.parametrize("kind", EVERY)
def test_a_tool_of_any_type_is_read_as_it_can_be_written_back(http: httpx2.Client, kind: str) -> None:
    tool = made(http, EVERY[kind])
    assert (tool["type"], tool["version"], tool["object"]) == (kind, "1.0.0", "tool")
    assert http.get(f"/v1/tools/{tool['id']}").json() == tool
    answer = http.patch(f"/v2/tools/{tool['key']}", json=tool)
    assert answer.status_code == 200, answer.text
    assert answer.json() == tool


def test_no_answer_shows_a_secret_header(http: httpx2.Client, system: System) -> None:
    tool = made(http, HTTP)
    path = f"/v2/tools/{tool['key']}"
    assert tool["http"]["blueprint"]["headers"] == {"X-Team": "a", "Authorization": {"encrypted": True}}
    http.patch(path, json={"http": {**tool["http"], "arguments": {}}})
    seen = [
        http.get(path),
        http.get("/v2/tools?limit=200"),
        http.get(f"{path}/versions/1.0.0"),
        http.get(f"{path}/versions/1.0.0/diff"),
    ]
    assert all("sesame" not in answer.text and "sec_" not in answer.text for answer in seen)
    assert "sesame" not in str(system.rows("SELECT definition FROM tool_versions"))
    assert len(system.rows("SELECT 1 FROM secrets WHERE tool_id = %s", tool["id"])) == 1


def test_versions_are_listed_compared_and_restored(http: httpx2.Client) -> None:
    tool = made(http, CODE)
    path = f"/v2/tools/{tool['key']}"
    changed = http.patch(path, json={"code_tool": {**tool["code_tool"], "code": "a - b"}, "versionIncrement": "minor"}).json()
    assert changed["version"] == "1.1.0"
    assert http.get(f"{path}/versions/1.0.0/diff").json()["changes"] == [
        {"path": "code_tool.code", "op": "replace", "from": "a + b", "to": "a - b"},
    ]
    assert http.post(f"{path}/versions/1.0.0/restore").json()["code_tool"]["code"] == "a + b"
    assert [each["version"] for each in http.get(f"{path}/versions").json()["data"]] == ["1.1.1", "1.1.0", "1.0.0"]
    assert http.get(f"{path}/versions?limit=1&starting_after=1.1.1").json()["last_id"] == "1.1.0"
    assert http.get(f"{path}?version=1.1.0").json()["code_tool"]["code"] == "a - b"


def test_a_key_is_taken_once(http: httpx2.Client) -> None:
    tool = made(http, FUNCTION)
    assert fault(http.post("/v2/tools", json={**FUNCTION, "key": tool["key"]}), 409)["code"] == "tool_already_exists"


def test_an_agent_names_a_saved_tool_by_key_or_id(http: httpx2.Client) -> None:
    tool = made(http, HTTP)
    given = [{"type": "http", "key": tool["key"], "requires_approval": True}]
    agent = agent_made(http, settings={"tools": given})
    kept = [{"type": "http", "key": tool["key"], "tool_id": tool["id"], "requires_approval": True}]
    assert agent["settings"]["tools"] == kept
    by_id = agent_made(http, settings={"tools": [{"type": "orq:http", "tool_id": tool["id"]}]})
    assert by_id["settings"]["tools"][0]["key"] == tool["key"]
    pinned = agent_made(http, settings={"tools": [{"type": "http", "key": f"{tool['key']}@1.0.0"}]})
    assert pinned["settings"]["tools"] == [{"type": "http", "key": f"{tool['key']}@1.0.0"}]


def test_a_tool_of_another_type_is_refused(http: httpx2.Client) -> None:
    tool = made(http, HTTP)
    body = {"key": unique("agent"), "model": "demo/echo", "settings": {"tools": [{"type": "code", "key": tool["key"]}]}}
    assert fault(http.post("/v2/agents", json=body), 400)["param"] == "settings.tools[0].type"


def test_a_tool_that_agents_use_is_deleted_only_by_force(http: httpx2.Client) -> None:
    tool = made(http, MCP)
    agent = agent_made(http, settings={"tools": [{"type": "mcp", "key": tool["key"]}]})
    error = fault(http.delete(f"/v2/tools/{tool['key']}"), 409)
    assert error["code"] == "tool_in_use"
    assert agent["key"] in error["message"]
    assert http.delete(f"/v2/tools/{tool['key']}?force=true").status_code == 204
    same = http.patch(f"/v2/agents/{agent['key']}", json=http.get(f"/v2/agents/{agent['key']}").json())
    assert same.json() == agent


def test_a_tool_that_only_an_environment_uses_is_in_use(http: httpx2.Client) -> None:
    tool = made(http, CODE)
    agent = agent_made(http, settings={"tools": [{"type": "code", "key": f"{tool['key']}@1.0.0"}]})
    http.put(f"/v2/agents/{agent['key']}/environments/production", json={"version": "1.0.0"})
    http.patch(f"/v2/agents/{agent['key']}", json={"settings": {}})
    assert fault(http.delete(f"/v2/tools/{tool['id']}"), 409)["code"] == "tool_in_use"
    http.delete(f"/v2/agents/{agent['key']}/environments/production")
    assert http.delete(f"/v2/tools/{tool['id']}").status_code == 204


def test_tools_are_found_by_type_and_words(http: httpx2.Client) -> None:
    word = unique("needle")
    tool = made(http, FUNCTION, description=word)
    assert [each["id"] for each in http.get(f"/v2/tools?search={word}&type=function").json()["data"]] == [tool["id"]]
    assert http.get(f"/v2/tools?search={word}&type=http").json()["data"] == []


def test_a_foreign_tool_looks_like_none(api: Api, http: httpx2.Client, foreign_key: str) -> None:
    tool = made(http, FUNCTION)
    with api.http(foreign_key) as stranger:
        path = f"/v2/tools/{tool['id']}"
        calls = [stranger.get(path), stranger.patch(path, json={"description": "x"}), stranger.delete(path)]
        assert {call.status_code for call in calls} == {404}
        assert tool["key"] not in calls[0].text


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "type"),
        ({"type": "wasm"}, "type"),
        ({"type": "http"}, "http"),
        ({"type": "http", "http": {}}, "http.blueprint"),
        ({"type": "http", "http": {"blueprint": {"url": "ftp://x", "method": "GET"}}}, "http.blueprint.url"),
        ({"type": "http", "http": {"blueprint": {"url": "https://", "method": "GET"}}}, "http.blueprint.url"),
        ({"type": "http", "http": {"blueprint": {"url": "https://x", "method": "BREW"}}}, "http.blueprint.method"),
        (
            {"type": "http", "http": {"blueprint": {"url": "https://x", "method": "GET", "timeout": 601}}},
            "http.blueprint.timeout",
        ),
        (
            {"type": "http", "http": {"blueprint": {"url": "https://x", "method": "GET", "headers": {"a b": "c"}}}},
            "http.blueprint.headers.a b",
        ),
        (
            {
                "type": "http",
                "http": {
                    "blueprint": {"url": "https://x", "method": "GET"},
                    "arguments": {"n": {"type": "number", "default_value": "x"}},
                },
            },
            "http.arguments.n.default_value",
        ),
        ({**FUNCTION, "http": HTTP["http"]}, "http"),
        ({"type": "code", "code_tool": {"language": "rust", "code": "x"}}, "code_tool.language"),
        ({"type": "code", "code_tool": {"language": "python", "code": "é" * 60_000}}, "code_tool.code"),
        ({"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "nothing"}}}, "json_schema.schema"),
        ({"type": "mcp", "mcp": {"server_url": "stdio:x"}}, "mcp.server_url"),
        ({"type": "mcp", "mcp": {"server_url": "https://x", "require_approval": "sometimes"}}, "mcp.require_approval"),
        ({**FUNCTION, "key": "a/b"}, "key"),
        ({**FUNCTION, "unknown": 1}, "unknown"),
    ],
)
def test_what_cannot_be_is_refused_by_its_path(http: httpx2.Client, body: dict[str, Any], param: str) -> None:
    error = fault(http.post("/v2/tools", json={"key": unique("bad"), **body}), 400)
    assert error["param"] == param, error


def test_key_and_type_stay_what_they_are(http: httpx2.Client) -> None:
    tool = made(http, FUNCTION)
    assert fault(http.patch(f"/v2/tools/{tool['key']}", json={"key": "other"}), 400)["param"] == "key"
    assert fault(http.patch(f"/v2/tools/{tool['key']}", json={"type": "code"}), 400)["param"] == "type"

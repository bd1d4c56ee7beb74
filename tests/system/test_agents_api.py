"""The Agents API: what is read can be written, no change is lost, and every version stays what it was."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from tests.system.running import Api, System

FULL: dict[str, Any] = {
    "key": "full",
    "display_name": "Full",
    "role": "Clerk",
    "description": "Knows orders.",
    "instructions": "Be kind to {{customer}}.",
    "system_prompt": "You are a clerk.",
    "path": "Shop/clerks",
    "model": {
        "id": "demo/echo",
        "parameters": {"temperature": 0.5, "max_tokens": 300, "stop": ["END"], "reasoning_effort": "low"},
        "retry": {"count": 2, "on_codes": [429, 500]},
    },
    "fallback_models": ["demo/load", {"id": "demo/echo"}],
    "settings": {
        "max_iterations": 12,
        "max_execution_time": 90,
        "max_cost": 0.5,
        "max_depth": 2,
        "tool_timeout": 30,
        "tool_approval_required": "none",
        "tools": [
            {"type": "current_date"},
            {"type": "orq:web_fetch", "requires_approval": True},
            {"type": "advisor", "configuration": {"model": "demo/echo", "max_uses": 2}},
            {"type": "function", "name": "lookup", "parameters": {"type": "object", "properties": {}}},
            {
                "type": "mcp",
                "key": "crm",
                "server_url": "https://crm.example/mcp",
                "headers": {"X-Team": "a", "Authorization": {"value": "Bearer sesame-open", "encrypted": True}},
                "allowed_tools": {"read_only": True},
            },
        ],
    },
    "team_of_agents": [{"key": "full", "role": "itself"}],
    "variables": {"customer": "Jane", "token": {"value": "s3same-secret", "secret": True}, "city": {"required": True}},
    "engine": "text",
    "memory_stores": [],
    "knowledge_bases": [],
    "skills": [],
}


def unique(name: str) -> str:
    unique.count += 1  # type: ignore[attr-defined]
    return f"{name}-{unique.count}"  # type: ignore[attr-defined]


unique.count = 0  # type: ignore[attr-defined]


def made(http: httpx2.Client, **members: Any) -> Any:
    body = {"key": unique("agent"), "model": "demo/echo", **members}
    answer = http.post("/v2/agents", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def fault(answer: httpx2.Response, status: int) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json()["error"]


def test_an_agent_of_every_member_is_read_as_it_was_written(http: httpx2.Client) -> None:
    agent = made(http, **{**FULL, "key": unique("full"), "team_of_agents": []})
    for name in ("display_name", "role", "description", "instructions", "system_prompt", "path", "engine"):
        assert agent[name] == FULL[name]
    assert agent["model"] == FULL["model"]
    assert agent["fallback_models"] == FULL["fallback_models"]
    assert agent["version"] == "1.0.0"
    assert agent["settings"]["max_execution_time"] == 90
    assert [tool["type"] for tool in agent["settings"]["tools"]] == [
        *("orq:current_date", "orq:web_fetch", "orq:advisor", "function", "mcp"),
    ]


def test_only_a_key_and_a_model_are_needed(http: httpx2.Client) -> None:
    agent = made(http)
    assert agent["settings"]["max_iterations"] == 100
    assert agent["path"] == "Default"
    assert agent["object"] == "agent"
    assert agent["_id"] == agent["id"]


def test_what_is_read_can_be_written_back_and_changes_nothing(http: httpx2.Client) -> None:
    made(http, **{**FULL, "key": "full"})
    read = http.get("/v2/agents/full").json()
    answer = http.patch("/v2/agents/full", json=read)
    assert answer.status_code == 200, answer.text
    assert answer.json() == read


def test_what_is_read_without_its_secrets_makes_another_agent(http: httpx2.Client) -> None:
    agent = made(http, instructions="Hello.", settings={"tools": [{"type": "web_scraper"}]}, variables={"a": 1})
    again = made(http, **{**agent, "key": unique("copy")})
    assert {**agent, **{n: again[n] for n in ("_id", "id", "key", "created", "updated", "created_at", "updated_at")}} == {
        **again,
        "version_created_at": agent["version_created_at"],
    }


def test_both_paths_lead_to_the_same_agents(http: httpx2.Client) -> None:
    agent = made(http)
    assert http.get(f"/v1/agents/{agent['key']}").json() == http.get(f"/v2/agents/{agent['id']}").json() == agent


def test_a_key_is_taken_once(http: httpx2.Client) -> None:
    agent = made(http)
    error = fault(http.post("/v2/agents", json={"key": agent["key"], "model": "demo/echo"}), 409)
    assert error["code"] == "agent_already_exists"
    assert agent["key"] in error["message"]


def test_a_key_can_be_used_again_after_its_agent_was_deleted(http: httpx2.Client) -> None:
    agent = made(http)
    assert http.delete(f"/v2/agents/{agent['key']}").status_code == 204
    assert made(http, key=agent["key"])["id"] != agent["id"]


def test_no_answer_shows_a_secret(http: httpx2.Client, system: System) -> None:
    key = unique("secretive")
    members = {**FULL, "key": key, "team_of_agents": []}
    made(http, **members)
    http.patch(f"/v2/agents/{key}", json={"variables": {"token": {"value": "another-s3same", "secret": True}}})
    seen = [
        http.get(f"/v2/agents/{key}"),
        http.get("/v2/agents?limit=200"),
        http.get(f"/v2/agents/{key}/versions"),
        http.get(f"/v2/agents/{key}/versions/1.0.0"),
        http.get(f"/v2/agents/{key}/versions/1.0.0/diff"),
    ]
    assert all("s3same" not in answer.text and "sesame" not in answer.text and "sec_" not in answer.text for answer in seen)
    assert seen[0].json()["variables"]["token"] == {"secret": True}
    assert seen[3].json()["settings"]["tools"][4]["headers"] == {"X-Team": "a", "Authorization": {"encrypted": True}}
    stored = str(system.rows("SELECT * FROM agent_versions")) + str(system.rows("SELECT * FROM secrets"))
    assert "s3same" not in stored
    assert "sesame" not in stored


def test_a_secret_that_is_only_mentioned_stays_what_it_is(http: httpx2.Client, system: System) -> None:
    agent = made(http, variables={"token": {"value": "s3same-secret", "secret": True}})
    http.patch(f"/v2/agents/{agent['key']}", json={"variables": {"token": {"secret": True}, "name": "x"}})
    stored = system.rows("SELECT manifest FROM agent_versions WHERE agent_id = %s ORDER BY number", agent["id"])
    first, second = (row[0]["variables"]["token"] for row in stored)  # type: ignore[index]
    assert first == second
    assert len(system.rows("SELECT 1 FROM secrets WHERE agent_id = %s", agent["id"])) == 1


def test_a_secret_that_was_never_given_cannot_be_kept(http: httpx2.Client) -> None:
    body = {"key": unique("agent"), "model": "demo/echo", "variables": {"token": {"secret": True}}}
    assert fault(http.post("/v2/agents", json=body), 400)["param"] == "variables.token.value"


def test_every_change_makes_a_version_that_stays(http: httpx2.Client) -> None:
    agent = made(http, role="first")
    path = f"/v2/agents/{agent['key']}"
    assert http.patch(path, json={"role": "second"}).json()["version"] == "1.0.1"
    assert http.patch(path, json={"role": "third", "versionIncrement": "minor"}).json()["version"] == "1.1.0"
    described = {"role": "fourth", "version_increment": "major", "versionDescription": "All new."}
    assert http.patch(path, json=described).json()["version"] == "2.0.0"
    listed = http.get(f"{path}/versions").json()["data"]
    assert [each["version"] for each in listed] == ["2.0.0", "1.1.0", "1.0.1", "1.0.0"]
    assert listed[0]["description"] == "All new."
    assert [http.get(f"{path}/versions/{each['version']}").json()["role"] for each in listed] == [
        *("fourth", "third", "second", "first"),
    ]


def test_a_change_that_changes_nothing_makes_no_version(http: httpx2.Client) -> None:
    agent = made(http, role="same")
    assert http.patch(f"/v2/agents/{agent['key']}", json={"role": "same"}).json() == agent


def test_null_brings_a_default_back(http: httpx2.Client) -> None:
    agent = made(http, role="x", settings={"max_iterations": 3})
    changed = http.patch(f"/v2/agents/{agent['key']}", json={"role": None, "settings": None}).json()
    assert (changed["role"], changed["settings"]["max_iterations"]) == ("", 100)


def test_a_difference_names_what_changed(http: httpx2.Client) -> None:
    agent = made(http, role="one", variables={"a": 1, "token": {"value": "s3same-secret", "secret": True}})
    path = f"/v2/agents/{agent['key']}"
    changed = {"role": "two", "variables": {"b": 2, "token": {"value": "s3same-other", "secret": True}}}
    http.patch(path, json=changed)
    found = http.get(f"{path}/versions/1.0.0/diff?to=1.0.1").json()
    assert (found["from"], found["to"]) == ("1.0.0", "1.0.1")
    assert sorted(found["changes"], key=lambda change: change["path"]) == [
        {"path": "role", "op": "replace", "from": "one", "to": "two"},
        {"path": "variables.a", "op": "remove", "from": 1},
        {"path": "variables.b", "op": "add", "to": 2},
        {"path": "variables.token", "op": "replace", "from": {"secret": True}, "to": {"secret": True}},
    ]


def test_an_old_version_comes_back_as_a_new_one(http: httpx2.Client) -> None:
    agent = made(http, role="old", variables={"token": {"value": "s3same-secret", "secret": True}})
    path = f"/v2/agents/{agent['key']}"
    http.patch(path, json={"role": "new", "variables": {}})
    restored = http.post(f"{path}/versions/1.0.0/restore")
    assert restored.status_code == 201
    assert (restored.json()["version"], restored.json()["role"]) == ("1.0.2", "old")
    assert restored.json()["variables"] == {"token": {"secret": True}}


def test_an_environment_points_to_a_version_until_it_is_pointed_elsewhere(http: httpx2.Client) -> None:
    agent = made(http, role="old")
    path = f"/v2/agents/{agent['key']}"
    http.patch(path, json={"role": "new"})
    assert http.put(f"{path}/environments/production", json={"version": "1.0.0"}).json()["version"] == "1.0.0"
    assert http.get(f"{path}?version=production").json()["role"] == "old"
    assert http.get(path).json()["environments"] == {"production": "1.0.0"}
    http.put(f"{path}/environments/production", json={"version": "1.0.1"})
    assert http.get(f"{path}?version=production").json()["role"] == "new"
    assert [each["name"] for each in http.get(f"{path}/environments").json()["data"]] == ["production"]
    assert http.delete(f"{path}/environments/production").status_code == 204
    assert fault(http.delete(f"{path}/environments/production"), 404)["code"] == "environment_not_found"


@pytest.mark.parametrize("name", ["latest", "1.0.0", "Production", "a" * 65, "-x"])
def test_an_environment_is_not_named_like_something_else(http: httpx2.Client, name: str) -> None:
    agent = made(http)
    assert fault(http.put(f"/v2/agents/{agent['key']}/environments/{name}", json={"version": "1.0.0"}), 400)["param"] == "name"


def test_what_is_missing_is_told_with_what_there_is(http: httpx2.Client) -> None:
    agent = made(http)
    path = f"/v2/agents/{agent['key']}"
    http.put(f"{path}/environments/staging", json={"version": "1.0.0"})
    error = fault(http.get(f"{path}?version=2.0.0"), 404)
    assert error["code"] == "agent_not_found"
    assert "'1.0.0'" in error["message"]
    assert "'staging'" in error["message"]
    assert "There is no agent 'nobody'. The agents are: '" in fault(http.get("/v2/agents/nobody"), 404)["message"]


def test_of_two_changes_at_once_none_is_lost(api: Api, http: httpx2.Client) -> None:
    agent = made(http)
    path = f"/v2/agents/{agent['key']}"
    changes = [{"role": "r"}, {"description": "d"}, {"display_name": "n"}, {"instructions": "i"}, {"path": "p"}]
    with ThreadPoolExecutor(5) as threads:
        answers = list(threads.map(lambda change: http.patch(path, json=change), changes))
    assert {answer.status_code for answer in answers} == {200}
    after = http.get(path).json()
    assert [after[name] for name in ("role", "description", "display_name", "instructions", "path")] == [*"rdnip"]
    assert after["version"] == "1.0.5"


def test_a_change_of_a_version_that_is_not_the_newest_is_refused(http: httpx2.Client) -> None:
    agent = made(http)
    path = f"/v2/agents/{agent['key']}"
    assert http.patch(path, json={"role": "a"}, headers={"if-match": '"1.0.0"'}).status_code == 200
    error = fault(http.patch(path, json={"role": "b"}, headers={"if-match": '"1.0.0"'}), 412)
    assert error["code"] == "version_changed"


def test_pages_of_agents_hold_each_once_newest_first(http: httpx2.Client) -> None:
    folder = unique("folder")
    keys = [made(http, path=f"{folder}/x")["key"] for _ in range(5)]
    seen: list[str] = []
    cursor = ""
    while True:
        page = http.get(f"/v2/agents?path={folder}&limit=2{cursor}").json()
        seen += [agent["key"] for agent in page["data"]]
        if not page["has_more"]:
            break
        cursor = f"&starting_after={page['last_id']}"
    assert seen == keys[::-1]
    before = http.get(f"/v2/agents?path={folder}&limit=2&ending_before={page['first_id']}").json()
    assert [agent["key"] for agent in before["data"]] == seen[2:4]


def test_agents_are_found_by_words_and_model(http: httpx2.Client) -> None:
    word = unique("needle")
    agent = made(http, description=f"about {word.upper()}s", model={"id": "demo/load"})
    assert [each["key"] for each in http.get(f"/v2/agents?search={word}").json()["data"]] == [agent["key"]]
    assert agent["key"] in [each["key"] for each in http.get("/v2/agents?model=demo/load&limit=200").json()["data"]]
    assert http.get(f"/v2/agents?search={word}&model=demo/echo").json()["data"] == []


def test_a_foreign_agent_looks_like_none(api: Api, http: httpx2.Client, foreign_key: str) -> None:
    agent = made(http)
    with api.http(foreign_key) as stranger:
        path = f"/v2/agents/{agent['key']}"
        calls = [
            stranger.get(path),
            stranger.patch(path, json={"role": "x"}),
            stranger.delete(path),
            stranger.get(f"{path}/versions"),
            stranger.put(f"{path}/environments/x", json={"version": "1.0.0"}),
        ]
        assert {call.status_code for call in calls} == {404}
        assert all(
            agent["key"] not in call.json()["error"]["message"].replace(f"no agent '{agent['key']}'", "") for call in calls
        )
        assert agent["key"] not in stranger.get("/v2/agents?limit=200").text


@pytest.mark.parametrize(
    ("members", "param", "code"),
    [
        ({"model": None}, "model", "missing_required_parameter"),
        ({"key": None}, "key", "missing_required_parameter"),
        ({"key": "a b"}, "key", "invalid_value"),
        ({"model": "agent/other"}, "model", "invalid_value"),
        ({"model": "nobody/x"}, "model", "model_not_found"),
        ({"model": {"id": "demo/echo", "parameters": {"seed": 3}}}, "model.parameters.seed", "unsupported_parameter"),
        ({"model": {"id": "demo/echo", "parameters": {"temprature": 3}}}, "model.parameters.temprature", "unknown_parameter"),
        ({"fallback_models": ["demo/echo"] * 9}, "fallback_models", "array_above_max_length"),
        ({"settings": {"max_iterations": 1001}}, "settings.max_iterations", "integer_above_max_value"),
        ({"settings": {"evaluators": [{"id": "x"}]}}, "settings.evaluators", "unsupported_parameter"),
        ({"settings": {"tools": [{"type": "query_knowledge_base"}]}}, "settings.tools[0].type", "unsupported_parameter"),
        ({"settings": {"tools": [{"type": "http", "key": "nothing"}]}}, "settings.tools", "tool_not_found"),
        (
            {"settings": {"tools": [{"type": "mcp", "key": "m", "server_url": u} for u in ("https://a", "https://b")]}},
            "settings.tools[1]",
            "invalid_value",
        ),
        ({"settings": {"tools": [{"type": "advisor", "configuration": {"model": "no/x"}}]}}, None, "model_not_found"),
        ({"memory_stores": ["m"]}, "memory_stores", "unsupported_parameter"),
        ({"skills": ["m"]}, "skills", "unsupported_parameter"),
        ({"team_of_agents": [{"key": "nobody-here"}]}, "team_of_agents[0].key", "agent_not_found"),
        ({"instructions": "{% if %}", "engine": "jinja"}, "instructions", "invalid_template"),
        ({"instructions": "x" * 262_145}, "instructions", "string_above_max_length"),
        ({"variables": {"t": {"value": "abc", "secret": True}}}, "variables.t.value", "invalid_value"),
        ({"variables": {"t": {"secret": "sec_0123"}}}, None, "invalid_value"),
        ({"rolle": "x"}, "rolle", "unknown_parameter"),
        ({"versionIncrement": "huge"}, "versionIncrement", "invalid_value"),
    ],
)
def test_what_cannot_be_is_refused_by_its_path(
    http: httpx2.Client, members: dict[str, Any], param: str | None, code: str
) -> None:
    error = fault(http.post("/v2/agents", json={"key": unique("bad"), "model": "demo/echo", **members}), 400)
    assert error["code"] == code, error
    assert param is None or error["param"] == param


def test_a_team_needs_agents_that_exist_when_it_is_made(http: httpx2.Client) -> None:
    member = made(http)
    lead = made(http, team_of_agents=[{"key": member["key"], "role": "helps"}])
    http.delete(f"/v2/agents/{member['key']}")
    unchanged = http.patch(f"/v2/agents/{lead['key']}", json={**lead, "role": "x"})
    assert unchanged.json()["team_of_agents"] == [{"key": member["key"], "role": "helps"}]


def test_a_servers_secret_is_kept_wherever_the_server_stands_in_the_list(http: httpx2.Client, system: System) -> None:
    servers = [
        {
            "type": "mcp",
            "key": name,
            "server_url": "https://x",
            "headers": {"A": {"value": f"s3same-{name}", "encrypted": True}},
        }
        for name in ("one", "two")
    ]
    agent = made(http, settings={"tools": servers})
    turned = agent["settings"]["tools"][::-1]
    assert http.patch(f"/v2/agents/{agent['key']}", json={"settings": {"tools": turned}}).json()["version"] == "1.0.1"
    stored = system.rows("SELECT manifest FROM agent_versions WHERE agent_id = %s ORDER BY number", agent["id"])
    before, after = (
        {tool["key"]: tool["headers"] for tool in row[0]["settings"]["tools"]}  # type: ignore[index]
        for row in stored
    )
    assert before == after

"""Which tools a model is offered, and under which names."""

from typing import Any

import pytest

from agents import toolset
from agents.toolset import Toolset
from agents.turn import ServerCall
from shared.items import Json
from tests.agents.stepping import fixed_tools

F: Json = {"type": "function", "name": "f", "parameters": {}}
G: Json = {"type": "function", "name": "g", "parameters": {}}
PATCH: Json = {"type": "custom", "name": "patch"}
CLOCK: Json = {"type": "orq:current_date"}
SEARCH: Json = {"type": "web_search"}
FILES: Json = {"type": "namespace", "name": "files", "tools": [F, {"type": "custom", "name": "grep"}]}


def offer(*tools: Json, choice: Any = "auto", first: bool = True) -> Toolset:
    return toolset.offer({"tools": list(tools), "tool_choice": choice}, first=first)


def test_client_tools_and_hosted_tools_pass_as_they_are() -> None:
    assert offer(F, PATCH, SEARCH).tools == [F, PATCH, SEARCH]


def test_only_tools_with_a_name_can_be_called() -> None:
    assert offer(F, PATCH, SEARCH).names() == ["f", "patch"]


@pytest.mark.parametrize(("type_", "name"), [("orq:current_date", "orq_current_date"), ("orq:datetime", "orq_datetime")])
def test_a_server_tool_is_offered_as_a_function(type_: str, name: str) -> None:
    offered = offer({"type": type_})
    assert [(tool["type"], tool["name"]) for tool in offered.tools] == [("function", name)]
    assert offered.tools[0]["parameters"]["type"] == "object"
    tool = offered.named(name)
    assert tool is not None
    assert tool.server == {"type": type_}


def test_an_unknown_server_tool_is_not_offered() -> None:
    assert offer({"type": "orq:nothing"}, F).tools == [F]


def test_a_namespace_becomes_its_tools() -> None:
    offered = offer(FILES)
    assert offered.names() == ["f", "grep"]
    tool = offered.owned({"name": "f", "namespace": "files"})
    assert tool is not None
    assert (tool.offered, tool.name, tool.namespace) == ("f", "f", "files")


def test_a_name_in_use_is_offered_with_its_namespace() -> None:
    offered = offer(F, FILES)
    assert [tool["name"] for tool in offered.tools] == ["f", "files__f", "grep"]
    tool = offered.named("files__f")
    assert tool is not None
    assert (tool.name, tool.namespace) == ("f", "files")


def test_a_name_is_offered_once() -> None:
    assert offer(F, F | {"description": "again"}).tools == [F]


def test_a_response_without_tools_offers_none() -> None:
    assert toolset.offer({}, first=True) == Toolset()


@pytest.mark.parametrize(
    ("entry", "names"),
    [
        ({"type": "function", "name": "f"}, ["f"]),
        ({"type": "custom", "name": "patch"}, ["patch"]),
        ({"type": "function", "name": "patch"}, []),
        ({"type": "orq:current_date"}, ["orq_current_date"]),
        ({"type": "function", "name": "orq_current_date"}, ["orq_current_date"]),
        ({"type": "web_search"}, ["web_search"]),
        ({"type": "namespace", "name": "files"}, ["grep"]),
        ({"type": "custom", "name": "grep"}, ["grep"]),
    ],
)
def test_only_allowed_tools_are_offered(entry: Json, names: list[str]) -> None:
    files = {"type": "namespace", "name": "files", "tools": [{"type": "custom", "name": "grep"}]}
    choice = {"type": "allowed_tools", "mode": "auto", "tools": [entry]}
    offered = offer(F, G, PATCH, CLOCK, SEARCH, files, choice=choice)
    assert [tool.get("name") or tool["type"] for tool in offered.tools] == names


FORCED_F = {"type": "function", "name": "f"}


@pytest.mark.parametrize(
    ("choice", "first", "later"),
    [
        (None, "auto", "auto"),
        ("auto", "auto", "auto"),
        ("none", "none", "none"),
        ("required", "required", "auto"),
        (FORCED_F, FORCED_F, "auto"),
        ({"type": "custom", "name": "patch"}, {"type": "custom", "name": "patch"}, "auto"),
        ({"type": "orq:current_date"}, {"type": "function", "name": "orq_current_date"}, "auto"),
        ({"type": "web_search"}, {"type": "web_search"}, "auto"),
        ({"type": "function", "name": "missing"}, "auto", "auto"),
        ({"type": "allowed_tools", "mode": "auto", "tools": [FORCED_F]}, "auto", "auto"),
        ({"type": "allowed_tools", "mode": "required", "tools": [FORCED_F]}, "required", "auto"),
        ({"type": "allowed_tools", "mode": "required", "tools": []}, "auto", "auto"),
    ],
)
def test_a_choice_is_forced_on_the_first_model_call_only(choice: Any, first: Any, later: Any) -> None:
    tools = (F, PATCH, CLOCK, SEARCH)
    assert offer(*tools, choice=choice, first=True).choice == first
    assert offer(*tools, choice=choice, first=False).choice == later


def test_nothing_can_be_required_of_a_model_without_tools() -> None:
    assert offer(choice="required").choice == "auto"


def test_a_tool_in_a_namespace_is_forced_by_the_name_the_model_knows() -> None:
    other = {"type": "namespace", "name": "other", "tools": [{"type": "function", "name": "orq_current_date"}]}
    forced = offer(CLOCK, other, choice={"type": "function", "name": "other__orq_current_date"}).choice
    assert forced == {"type": "function", "name": "other__orq_current_date"}


def server(label: str = "files", **more: Any) -> Json:
    return {"type": "mcp", "server_label": label, "server_url": "https://mcp.example/", "require_approval": "never", **more}


def listed(*names: str, label: str = "files", **more: Any) -> Json:
    tools = [{"name": name, "input_schema": {"type": "object"}} for name in names]
    return {"type": "mcp_list_tools", "id": "mcpl_1", "server_label": label, "tools": tools, **more}


def offer_listed(*tools: Json, history: list[Json], choice: Any = "auto") -> Toolset:
    return toolset.offer({"tools": list(tools), "tool_choice": choice}, first=True, history=history)


def test_a_servers_newest_listing_says_what_it_offers() -> None:
    offered = offer_listed(server(), history=[listed("a"), listed("b", "c"), listed("d", label="other")])
    assert offered.names() == ["b", "c"]
    tool = offered.named("b")
    assert tool is not None
    assert (tool.name, tool.label, tool.server) == ("b", "files", server())


@pytest.mark.parametrize("history", [[], [listed("a"), listed(error="It is down.")]])
def test_a_server_that_did_not_tell_offers_nothing(history: list[Json]) -> None:
    assert offer_listed(server(), F, history=history).names() == ["f"]


def test_functions_of_servers_are_told_apart_by_their_labels() -> None:
    servers = [server("one"), server("two"), server("two", allowed_tools=["f"])]
    offered = offer_listed(F, *servers, history=[listed("f", label="one"), listed("f", label="two")])
    assert offered.names() == ["f", "one__f", "two__f"]
    called = offered.owned({"name": "f", "server_label": "two"})
    assert called is not None
    assert called.offered == "two__f"


@pytest.mark.parametrize(
    ("entry", "names"),
    [
        ({"type": "mcp", "server_label": "one"}, ["a", "b"]),
        ({"type": "mcp", "server_label": "one", "name": "b"}, ["b"]),
        ({"type": "mcp", "server_label": "two"}, []),
        ({"type": "function", "name": "a"}, ["a"]),
    ],
)
def test_servers_and_their_functions_can_be_allowed(entry: Json, names: list[str]) -> None:
    choice = {"type": "allowed_tools", "mode": "auto", "tools": [entry]}
    assert offer_listed(server("one"), F, history=[listed("a", "b", label="one")], choice=choice).names() == names


@pytest.mark.parametrize(
    ("choice", "forced"),
    [
        ({"type": "mcp", "server_label": "one"}, "required"),
        ({"type": "mcp", "server_label": "one", "name": "f"}, {"type": "function", "name": "one__f"}),
        ({"type": "mcp", "server_label": "one", "name": "missing"}, "auto"),
        ({"type": "mcp", "server_label": "missing"}, "auto"),
    ],
)
def test_a_server_or_its_function_can_be_forced(choice: Json, forced: Any) -> None:
    assert offer_listed(F, server("one"), history=[listed("f", label="one")], choice=choice).choice == forced


ADVISOR: Json = {"type": "orq:advisor", "model": "m"}


@pytest.mark.parametrize(
    ("call", "spec"),
    [
        (("orq:current_date", "orq_current_date", None), CLOCK),
        (("orq:advisor", "orq_advisor", None), ADVISOR),
        (("mcp", "whatever", "two"), server("two")),
        (("mcp", "whatever", "three"), None),
        (("orq:current_date", "something_else", None), None),
        (("orq:datetime", "orq_datetime", None), None),
    ],
)
def test_a_calls_spec_is_found_by_its_type_and_name_or_label(call: tuple[str, str, str | None], spec: Json | None) -> None:
    type_, name, label = call
    made = ServerCall(call_id="c", tool=type_, name=name, arguments="{}", label=label)
    assert toolset.spec_of([F, SEARCH, server("one"), server("two"), CLOCK, ADVISOR], made) == spec


def test_one_type_serves_many_saved_tools() -> None:
    with fixed_tools():
        specs = [{"type": "orq:fixed", "name": name} for name in ("a", "b")]
        assert offer(*specs).names() == ["a", "b"]
        call = ServerCall(call_id="c", tool="orq:fixed", name="b", arguments="{}")
        assert toolset.spec_of(specs, call) == specs[1]

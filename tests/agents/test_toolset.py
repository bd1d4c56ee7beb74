"""Which tools a model is offered, and under which names."""

from typing import Any

import pytest

from agents import toolset
from agents.toolset import Toolset
from shared.items import Json

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
        ({"type": "mcp", "server_label": "b"}, ["b"]),
        ({"type": "namespace", "name": "files"}, ["grep"]),
        ({"type": "custom", "name": "grep"}, ["grep"]),
    ],
)
def test_only_allowed_tools_are_offered(entry: Json, names: list[str]) -> None:
    servers = [{"type": "mcp", "server_label": "a"}, {"type": "mcp", "server_label": "b"}]
    files = {"type": "namespace", "name": "files", "tools": [{"type": "custom", "name": "grep"}]}
    choice = {"type": "allowed_tools", "mode": "auto", "tools": [entry]}
    offered = offer(F, G, PATCH, CLOCK, SEARCH, files, *servers, choice=choice)
    assert [tool.get("name") or tool.get("server_label") or tool["type"] for tool in offered.tools] == names


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

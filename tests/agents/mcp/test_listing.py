"""What a server offers, within bounds."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import orjson
import pytest
from mcp.server.lowlevel import Server
from mcp_types import ListToolsResult, Tool

from agents.mcp import listing, selection
from agents.tools.box import Toolbox
from shared.items import Item, Json
from shared.settings import Settings
from tests.agents.mcp.server import KINDS, App, Book, Recorder, app, serving

SETTINGS = Settings.from_env({"RONDO_ALLOW_NETWORKS": "127.0.0.1"})
PAGE = 50


def discover(spec: Json, **settings: Any) -> Item:
    async def main() -> Item:
        box = Toolbox(settings.get("settings", SETTINGS))
        try:
            return await listing.discover(
                {"type": "mcp", "server_label": "far", "require_approval": "always", **spec},
                engine="text",
                variables={},
                secrets={"sec_1": "hush"},
                box=box,
            )
        finally:
            await box.aclose()

    return asyncio.run(main())


def offering(tools: list[Tool], *, page: int = PAGE) -> Callable[[Book], App]:
    """Make servers that offer tools as they are, in pages."""

    async def listed(_: Any, params: Any) -> ListToolsResult:
        start = int((params and params.cursor) or 0)
        end = start + page
        return ListToolsResult(tools=tools[start:end], next_cursor=str(end) if end < len(tools) else None)

    return lambda book: Recorder(Server("tests", on_list_tools=listed).streamable_http_app(), book, old=False)


def tool(name: str, **members: Any) -> Tool:
    return Tool(**{"name": name, "input_schema": {"type": "object"}, **members})


@pytest.mark.parametrize("kind", KINDS)
def test_a_servers_tools_are_an_item(kind: Any) -> None:
    with serving(partial(app, kind)) as server:
        item = discover({"server_url": server.url})
    assert item["type"] == "mcp_list_tools"
    assert item["id"].startswith("mcpl_")
    assert item["server_label"] == "far"
    assert "error" not in item
    first = item["tools"][0]
    assert first["name"] == "add"
    assert first["description"] == "Add two numbers."
    assert first["annotations"] == {"readOnlyHint": True}
    assert first["input_schema"]["required"] == ["a", "b"]


def test_all_pages_are_read_up_to_a_bound() -> None:
    with serving(offering([tool(f"t{n}") for n in range(500)])) as server:
        item = discover({"server_url": server.url})
    assert [each["name"] for each in item["tools"]] == [f"t{n}" for n in range(128)]


def test_a_list_without_end_is_left() -> None:
    async def again(_: Any, __: Any) -> ListToolsResult:
        return ListToolsResult(tools=[tool("one")], next_cursor="more")

    def make(book: Book) -> App:
        return Recorder(Server("tests", on_list_tools=again).streamable_http_app(), book, old=False)

    with serving(make) as server:
        assert len(discover({"server_url": server.url})["tools"]) == 1
    assert server.book.methods["tools/list"] == listing.MAX_PAGES


def test_what_is_allowed_comes_before_what_does_not_fit() -> None:
    with serving(offering([tool(f"t{n}") for n in range(500)])) as server:
        item = discover({"server_url": server.url, "allowed_tools": ["t499"]})
    assert item["tools"][0]["name"] == "t499"


def test_descriptions_and_schemas_are_bounded() -> None:
    huge = tool("huge", description="a" * 100_000, input_schema={"type": "object", "description": "b" * 100_000})
    with serving(offering([huge, tool("long", description="c" * 5_000)])) as server:
        found, long = discover({"server_url": server.url})["tools"]
    assert found["input_schema"] == {"type": "object"}
    assert len(found["description"]) == 1_024
    assert found["description"].endswith("(The schema of the parameters is too large to be shown.)")
    assert long["description"] == "c" * 1_023 + "…"


def test_all_tools_together_are_bounded() -> None:
    schema = {"type": "object", "description": "b" * 16_000}
    with serving(offering([tool(f"t{n}", input_schema=schema) for n in range(60)], page=10)) as server:
        item = discover({"server_url": server.url})
    assert len(item["tools"]) == 16
    assert len(orjson.dumps(item)) < listing.MAX_TOTAL + 1_000


def test_names_that_models_do_not_take_are_left_out_and_a_name_counts_once() -> None:
    names = ["good", "a.b", "a b", "a" * 65, "", "ä", "good"]
    with serving(offering([tool(name) for name in names])) as server:
        assert [each["name"] for each in discover({"server_url": server.url})["tools"]] == ["good"]


def test_numbers_beyond_all_bounds_do_no_harm() -> None:
    with serving(offering([tool("one", input_schema={"type": "object", "maximum": 10**40})])) as server:
        assert discover({"server_url": server.url})["tools"][0]["input_schema"]["maximum"] == 1e40


def test_a_server_that_is_not_there_is_an_error_in_the_item() -> None:
    with serving(partial(app, "http")) as server:
        server.stop()
        item = discover({"server_url": server.url})
    assert item["tools"] == []
    assert item["error"] == "No connection could be made to the MCP server."


def test_a_server_that_may_not_be_reached_is_an_error_in_the_item() -> None:
    item = discover({"server_url": "http://127.0.0.1:9/mcp"}, settings=Settings.from_env({}))
    assert item["error"] == "The address of '127.0.0.1' is in a network that may not be reached."


def test_a_slow_list_is_an_error_in_the_item(monkeypatch: pytest.MonkeyPatch) -> None:
    async def slow(_: Any, __: Any) -> ListToolsResult:
        await asyncio.sleep(20)
        return ListToolsResult(tools=[])

    def make(book: Book) -> App:
        return Recorder(Server("tests", on_list_tools=slow).streamable_http_app(), book, old=False)

    monkeypatch.setattr(listing, "TIMEOUT", 1.0)
    with serving(make) as server:
        assert discover({"server_url": server.url})["error"] == "The MCP server did not list its tools within 1 seconds."


def test_a_servers_own_words_are_told_without_headers() -> None:
    with serving(partial(app, "http")) as server:
        spec = {"server_url": server.url.replace("/mcp", "/none"), "headers": {"x-key": {"secret": "sec_1"}}}
        item = discover(spec)
    assert item["error"] == "The MCP server answered with HTTP 404: Not Found."


ITEM: Item = {
    "type": "mcp_list_tools",
    "server_label": "far",
    "tools": [
        {"name": "read", "description": "Reads.", "input_schema": {}, "annotations": {"readOnlyHint": True}},
        {"name": "write", "description": None, "input_schema": {"type": "object"}, "annotations": None},
    ],
}


def names(spec: Json) -> list[str]:
    return [each["name"] for each in listing.functions(ITEM, {"server_label": "far", **spec})]


@pytest.mark.parametrize(
    ("allowed", "offered"),
    [
        (None, ["read", "write"]),
        ([], []),
        (["write", "none"], ["write"]),
        ({"tool_names": ["read"]}, ["read"]),
        ({"read_only": True}, ["read"]),
        ({"read_only": False}, ["write"]),
        ({"tool_names": ["write"], "read_only": True}, []),
        ({"tool_names": None, "read_only": None}, ["read", "write"]),
    ],
)
def test_a_model_is_offered_what_is_allowed(allowed: Any, offered: list[str]) -> None:
    assert names({"allowed_tools": allowed}) == offered


def test_a_function_says_whose_it_is() -> None:
    read, write = listing.functions(ITEM, {"server_label": "far", "server_description": "All that\nis far. " * 100})
    assert read["description"].startswith("[far: All that is far. All")
    assert read["description"].endswith("] Reads.")
    assert len(read["description"]) == listing.MAX_PREFIX + len("] Reads.")
    assert write["description"].endswith("]")
    assert read == {
        "type": "function",
        "name": "read",
        "description": read["description"],
        "parameters": {"type": "object", "properties": {}},
        "strict": False,
    }


@pytest.mark.parametrize(
    ("policy", "read", "write"),
    [
        ("always", True, True),
        ("never", False, False),
        ({"never": {"tool_names": ["read"]}}, False, True),
        ({"never": {"read_only": True}}, False, True),
        ({"always": {"tool_names": ["write"]}}, True, True),
        ({"always": {"tool_names": ["write"]}, "never": {"tool_names": ["read", "write"]}}, False, True),
        ({"always": {"read_only": False}, "never": {"read_only": True}}, False, True),
        ({"never": {}}, True, True),
        ({}, True, True),
    ],
)
def test_a_call_needs_approval_as_its_spec_says(policy: Any, read: bool, write: bool) -> None:
    spec = {"require_approval": policy}
    assert [selection.needs_approval(spec, name, ITEM) for name in ("read", "write")] == [read, write]
    assert selection.may_need_approval(spec) is (policy != "never")


def test_a_tool_that_was_never_listed_does_not_count_as_reading() -> None:
    assert selection.needs_approval({"require_approval": {"never": {"read_only": True}}}, "read", None)

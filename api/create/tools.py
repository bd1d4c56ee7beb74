"""The tools that a request brings, and the choice among them.

Hosted tools are kept and echoed although only their provider can run them: clients send them by default, and whether a provider
takes them is known when the model is.
"""

import re
from collections.abc import Collection, Mapping
from functools import partial
from typing import Any, Final

from agents import specs
from api.create import check, schemas, server_tools
from api.create.check import Check
from api.create.server_tools import BUILT_IN, SERVER
from shared.errors import InvalidRequest
from shared.items import Json

HOSTED: Final = (
    *("web_search", "web_search_2025_08_26", "web_search_preview", "web_search_preview_2025_03_11"),
    *("file_search", "computer", "computer_use", "computer_use_preview", "code_interpreter", "image_generation"),
    *("local_shell", "shell", "apply_patch", "tool_search", "programmatic_tool_calling"),
)
"""Tools that the model's provider runs, or that a client and the provider understand between them."""

TYPES: Final = ("function", "custom", "namespace", "mcp", *HOSTED, *SERVER)
MODES: Final = ("none", "auto", "required")

_NAME: Final = re.compile(r"[a-zA-Z0-9_-]+")
_name = partial(check.string, least=1, most=128, pattern=_NAME)
_label = partial(check.string, least=1, most=256)
_description = partial(check.string, most=65_536)


def parse(value: Any, path: str, *, types: Collection[str] = TYPES) -> list[Json]:
    """Check a list of tools whose names differ; members that are not known are kept."""
    tools = check.array(value, path, of=partial(_tool, types=types), expected="an array of objects")
    seen: set[str] = set()
    for index, tool in enumerate(tools):
        name = specs.called(tool)
        if name in seen:
            raise InvalidRequest(
                f"Invalid '{path}[{index}].name': there is already a tool named '{name}'. Names of tools must be unique.",
                param=f"{path}[{index}].name",
                code="invalid_value",
            )
        if name:
            seen.add(name)
    return tools


def _tool(value: Any, path: str, *, types: Collection[str]) -> Json:
    """Check one tool, by its type."""
    tool = check.mapping(value, path)
    kind = tool.get("type")
    if kind is None:
        raise check.missing(f"{path}.type")
    if isinstance(kind, str) and kind.startswith("orq:") and kind not in SERVER:
        raise InvalidRequest(
            f"Invalid value: '{check.shown(kind)}'. The server tools are: {check.listed(SERVER)}.",
            param=f"{path}.type",
            code="invalid_value",
        )
    match check.choice(kind, f"{path}.type", allowed=types):
        case "function" | "mcp" if specs.is_saved(tool):
            return server_tools.saved(tool, path)
        case "function":
            return _function(tool, path)
        case "custom":
            return check.record(tool, path, members=_CUSTOM, required=("name",), closed=False)
        case "namespace":
            return check.record(tool, path, members=_NAMESPACE, required=("name", "tools"), closed=False)
        case "mcp":
            return server_tools.server(tool, path)
        case kind if kind in BUILT_IN:
            return server_tools.built_in(tool, path)
        case kind if kind in SERVER:
            return server_tools.saved(tool, path)
        case _:
            return dict(tool)


def _function(tool: Json, path: str) -> Json:
    """A function with every key that clients read. `strict` stays null if it was left out: the provider then does its best."""
    checked = check.record(tool, path, members=_FUNCTION, required=("name",), closed=False)
    if checked.get("parameters") is not None:
        schemas.function_parameters(checked["parameters"], f"{path}.parameters", name=checked["name"])
    return {"description": None, "parameters": None, "strict": None, **checked}


_FUNCTION: Final[Mapping[str, Check]] = {"name": _name, "description": _description, "strict": check.boolean}
_CUSTOM: Final[Mapping[str, Check]] = {"name": _name, "description": _description, "format": check.mapping}
_NAMESPACE: Final[Mapping[str, Check]] = {
    "name": _name,
    "description": _description,
    "tools": partial(parse, types=("function", "custom")),
}


def choice(value: Any, path: str) -> str | Json:
    """Check the shape of a tool choice: a mode, one tool, or some tools that are allowed."""
    if type(value) is str:
        return check.choice(value, path, allowed=MODES)
    if type(value) is not dict:
        raise check.wrong_type(value, path, "one of a string or object")
    kind = value.get("type")
    if kind is None:
        raise check.missing(f"{path}.type")
    if kind == "allowed_tools":
        allowed = check.record(value, path, members=_ALLOWED, required=("tools",), closed=False)
        return {"mode": "auto", **allowed}
    return _one(value, path)


def _one(value: Any, path: str) -> Json:
    """Check a choice of one tool, by name, by label, or by type alone."""
    kind = check.mapping(value, path).get("type")
    if kind is None:
        raise check.missing(f"{path}.type")
    match check.choice(kind, f"{path}.type", allowed=("function", "custom", "mcp", *HOSTED, *BUILT_IN)):
        case "function" | "custom":
            return check.record(value, path, members={"name": _name}, required=("name",), closed=False)
        case "mcp":
            return check.record(value, path, members={"server_label": _label, "name": _label}, closed=False)
        case kind if kind in BUILT_IN:
            return {"type": "function", "name": specs.called(value)}
        case _:
            return dict(value)


_ALLOWED: Final[Mapping[str, Check]] = {
    "mode": partial(check.choice, allowed=("auto", "required")),
    "tools": partial(check.array, of=_one),
}


def require_given(chosen: str | Json, tools: Collection[Json]) -> None:
    """Refuse a choice of tools that the request does not bring."""
    match chosen:
        case "required" if not tools:
            raise _not_given("Tool choice 'required' must be specified with 'tools' parameter.", "tool_choice")
        case {"type": "allowed_tools", "tools": list(some)}:
            for index, one in enumerate(some):
                _require_one(one, tools, f"tool_choice.tools[{index}]")
        case {"type": _}:
            _require_one(chosen, tools, "tool_choice")
        case _:
            return


def _require_one(chosen: Any, tools: Collection[Json], path: str) -> None:
    """Look for one chosen tool among those given, where a namespace gives the tools in it."""
    every = [inner for tool in tools for inner in (tool["tools"] if tool["type"] == "namespace" else [tool])]
    if not any(_fits(chosen, tool) for tool in every):
        what = chosen.get("name") or chosen.get("server_label") or chosen["type"]
        raise _not_given(f"Tool choice '{check.shown(what)}' not found in 'tools' parameter.", path)


def _fits(chosen: Json, tool: Json) -> bool:
    """Whether a choice means this tool: by its name, its server's label, or its type alone."""
    match chosen["type"]:
        case "function" | "custom" as kind:
            same_kind = tool["type"] == kind or (kind == "function" and tool["type"].startswith("orq:"))
            return _open(tool) or (same_kind and specs.called(tool) == chosen["name"])
        case "mcp":
            label = tool.get("server_label") or tool.get("key")
            return _open(tool) or (tool["type"] == "mcp" and chosen.get("server_label") in {None, label})
        case kind:
            return bool(tool["type"] == kind)


def _open(tool: Json) -> bool:
    """Whether this is a saved tool that was not looked up yet, and might be any."""
    return specs.is_saved(tool) and not specs.called(tool)


def _not_given(sentence: str, path: str) -> InvalidRequest:
    return InvalidRequest(sentence, param=path, code="invalid_value")

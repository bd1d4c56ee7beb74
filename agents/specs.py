"""Tools as requests, agents and the catalogue write them become the complete specs that a loop works with."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol

from agents.secrets import Secrets
from agents.tools import registry
from shared.items import Json

SAVED: Final = frozenset({"orq:http", "orq:code", "orq:function", "orq:mcp", "http", "code", "json_schema"})

REDACTED: Final = "<redacted>"

_OVER: Final = ("requires_approval", "conditions", "timeout")
"""What the place where a tool is used may say about it, over what the saved tool says."""


class SavedTool(Protocol):
    """A tool of the catalogue, in the version that is used."""

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def key(self) -> str:
        """Its key, which is what a model calls it."""

    @property
    def type(self) -> str:
        """`http`, `code`, `function`, `json_schema` or `mcp`."""

    @property
    def version(self) -> str:
        """Its version."""

    @property
    def definition(self) -> Json:
        """What it does, as it was written."""


def is_saved(tool: Json) -> bool:
    """Whether a tool only names one of the catalogue."""
    match tool["type"]:
        case "function":
            return "name" not in tool and reference(tool) is not None
        case "mcp":
            return not tool.get("server_url") and reference(tool) is not None
        case kind:
            return kind in SAVED


def reference(tool: Json) -> str | None:
    """The id or key by which a tool of the catalogue is named."""
    return tool.get("tool_id") or tool.get("id") or tool.get("key")


def called(tool: Json) -> str | None:
    """Tell the name by which a model, or a choice, calls a tool.

    None for tools that go by their type or label, and for saved ones that were not looked up yet.
    """
    kind = tool["type"]
    if kind.startswith("orq:") and kind not in SAVED:
        return registry.model_name(kind)
    return tool.get("name") if kind in _NAMED else None


_NAMED: Final = frozenset({"function", "custom", "namespace", "orq:http", "orq:code"})


def references(tools: Iterable[Json]) -> set[str]:
    """Collect what has to be looked up in the catalogue."""
    return {str(reference(tool)) for tool in tools if is_saved(tool)}


def complete(tool: Json, saved: Mapping[str, SavedTool], secrets: Secrets) -> Json:
    """Return a tool's spec: a saved one is put in its place, and a server's credentials are taken in as secrets."""
    if is_saved(tool):
        return _of_saved(tool, saved[str(reference(tool))], secrets)
    return _server(tool, secrets) if tool["type"] == "mcp" else tool


def shown(tool: Json) -> Json:
    """Return a tool as clients may see it again."""
    if tool["type"] != "mcp":
        return tool
    hidden = {"headers": dict.fromkeys(tool.get("headers") or {}, REDACTED), "authorization": REDACTED}
    return {name: hidden.get(name, value) for name, value in tool.items()}


def _of_saved(tool: Json, found: SavedTool, secrets: Secrets) -> Json:
    """Put a saved tool into the place where it is used, which may ask for approval in ways of its own."""
    definition = secrets.adopt(found.definition)
    common = {name: where[name] for where in (definition, tool) for name in _OVER if where.get(name) is not None}
    names = {"tool_id": found.id, "key": found.key, "version": found.version}
    match found.type:
        case "http" | "code":
            part = "http" if found.type == "http" else "code_tool"
            about = {"name": found.key, "description": definition.get("description") or found.key}
            return {"type": f"orq:{found.type}", **names, **about, part: definition[part], **common}
        case "mcp":
            own = {name: tool[name] for name in ("allowed_tools", "require_approval") if tool.get(name) is not None}
            return {"type": "mcp", **names, **_connection({"server_label": found.key, **definition["mcp"], **own}), **common}
        case "json_schema":
            return {"type": "json_schema", **definition["json_schema"]}
        case _:
            return {"type": "function", "description": None, "parameters": None, "strict": None, **definition["function"]}


def _server(tool: Json, secrets: Secrets) -> Json:
    """Take in an MCP server that a request or an agent describes."""
    headers = {name: _kept(value, secrets) for name, value in (tool.get("headers") or {}).items()}
    authorization = tool.get("authorization")
    common = {name: tool[name] for name in _OVER if tool.get(name) is not None}
    return {
        "type": "mcp",
        **_connection(tool),
        "headers": headers,
        "authorization": None if authorization is None else _kept(authorization, secrets),
        **common,
    }


def _kept(value: Any, secrets: Secrets) -> Json:
    """Take in a header's value: it may be a credential, whether it says so or not."""
    match value:
        case {"secret": _}:
            adopted: Json = secrets.adopt(value)
            return adopted
        case {"value": str(text)}:
            return secrets.add(text)
        case _:
            return secrets.add(str(value))


def _connection(server: Json) -> Json:
    """Read where a server is and what may be used of it.

    Whoever names a server by `server_label`, as OpenAI's clients do, expects their default: every call needs approval.
    """
    by_label = bool(server.get("server_label")) and not server.get("key")
    kind = server.get("transport") or server.get("connection_type") or "auto"
    return {
        "server_label": server.get("server_label") or server["key"],
        "server_url": server["server_url"],
        "transport": kind,
        "server_description": server.get("server_description"),
        "headers": server.get("headers") or {},
        "authorization": server.get("authorization"),
        "allowed_tools": server.get("allowed_tools"),
        "require_approval": server.get("require_approval") or ("always" if by_label else "never"),
    }

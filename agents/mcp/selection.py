"""Which of an MCP server's tools a spec allows, and which need approval.

Whether a tool only reads is what its server says of it: who filters by it trusts the server.
"""

from typing import Any

from shared.items import Item, Json


def allowed(spec: Json, tool: Json) -> bool:
    """Say whether a spec's `allowed_tools` has a tool of an `mcp_list_tools` item."""
    match spec.get("allowed_tools"):
        case None:
            return True
        case list(names):
            return tool["name"] in names
        case wanted:
            return _matches(wanted, tool)


def may_need_approval(spec: Json) -> bool:
    """Say whether any call of the server may need approval, so that it is held back until that is decided."""
    return bool(spec["require_approval"] != "never")


def needs_approval(spec: Json, name: str, item: Item | None) -> bool:
    """Say whether a call needs approval by `require_approval`; `item` is the server's `mcp_list_tools`.

    What is named neither under `always` nor under `never` needs it, and so does what is named under both.
    """
    match spec["require_approval"]:
        case "always":
            return True
        case "never":
            return False
        case dict(filters):
            tool = _listed(item, name)
            asked, spared = filters.get("always") or {}, filters.get("never") or {}
            return bool(asked and _matches(asked, tool)) or not (spared and _matches(spared, tool))
        case other:
            raise ValueError(f"require_approval is {other!r}")


def _listed(item: Item | None, name: str) -> Json:
    tools = [] if item is None else item["tools"]
    return next((tool for tool in tools if tool["name"] == name), {"name": name})


def _matches(wanted: Json, tool: Json) -> bool:
    """Hold a tool against a filter's members; those that are null or absent do not matter."""
    names, read_only = wanted.get("tool_names"), wanted.get("read_only")
    reads: Any = (tool.get("annotations") or {}).get("readOnlyHint") is True
    return (names is None or tool["name"] in names) and (read_only is None or reads is read_only)

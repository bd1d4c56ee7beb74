"""The tools of a request that workers run: built-in ones, MCP servers, and saved ones by key or id."""

import re
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from agents import specs
from api.create import check
from api.create.check import Check
from shared.items import Json

BUILT_IN: Final = (
    *("orq:current_date", "orq:datetime", "orq:web_fetch", "orq:web_scraper", "orq:web_search", "orq:google_search"),
    *("orq:code_interpreter", "orq:advisor", "orq:subagent", "orq:sidekick"),
)
"""Tools that come with Rondo; a request names them by type alone."""

SERVER: Final = (*BUILT_IN, *sorted(specs.SAVED))
"""And those that were saved before; `function` and `mcp` are saved ones too if they bring nothing but a key."""

OPERATORS: Final = ("eq", "ne", "gt", "gte", "lt", "lte", "in", "not_in", "contains", "exists")

MAX_TIMEOUT: Final = 3600.0
"""Seconds that a tool call may be given."""

_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(r"[^\r\n\0]*")
_LABEL: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9_-]*")
_REF: Final = partial(check.string, least=1, most=256)
_words = partial(check.array, of=partial(check.string, least=1, most=256), most=256, expected="an array of strings")
_text = partial(check.string, most=65_536)


def built_in(tool: Json, path: str) -> Json:
    """Check a built-in tool. Raises InvalidRequest."""
    members = {**APPROVAL, "configuration": check.mapping, **_OWN.get(tool["type"], {})}
    return check.record(tool, path, members=members)


def saved(tool: Json, path: str) -> Json:
    """Check a reference to a saved tool."""
    checked = check.record(tool, path, members=_SAVED)
    if not specs.reference(checked):
        raise check.missing(f"{path}.{'tool_id' if tool['type'].startswith('orq:') else 'key'}")
    return checked


def server(tool: Json, path: str) -> Json:
    """Check an MCP server that the request describes: `server_label` or `key`, and `server_url`."""
    if tool.get("connector_id"):
        check.unsupported(tool["connector_id"], f"{path}.connector_id", why="Give the server's 'server_url' instead.")
    checked = check.record(tool, path, members=_MCP, required=("server_url",))
    if not (checked.get("server_label") or checked.get("key")):
        raise check.missing(f"{path}.server_label")
    return checked


def conditions(value: Any, path: str) -> list[Json]:
    """Check conditions on a call's arguments, all of which must hold for the call to need approval."""
    return check.array(value, path, of=partial(check.record, members=_CONDITION, required=("condition", "operator")), most=32)


def headers(value: Any, path: str) -> Json:
    """Check headers: plain values, or `{value, encrypted}`."""
    given = check.mapping(value, path)
    check.bounded(given, path, most=64)
    for name in given:
        check.string(name, f"{path}.{check.shown(name)}", least=1, most=256, pattern=_HEADER)
    return {name: _header(one, f"{path}.{name}") for name, one in given.items()}


def _header(value: Any, path: str) -> str | Json:
    if type(value) is dict:
        return check.record(value, path, members={"value": _header_text, "encrypted": check.boolean}, required=("value",))
    return _header_text(value, path)


def _allowed_tools(value: Any, path: str) -> Any:
    """Take names, or an object of `tool_names` and `read_only`."""
    return _words(value, path) if type(value) is list else check.record(value, path, members=_ALLOWED)


def _require_approval(value: Any, path: str) -> Any:
    """Take `always`, `never`, or an object that says which tools are which."""
    if type(value) is dict:
        return check.record(value, path, members=dict.fromkeys(("always", "never"), _allowed_record))
    return check.choice(value, path, allowed=("always", "never"))


def _network(value: Any, path: str) -> Json:
    """Take the one network that code has: none."""
    given = check.record(value, path, members={"mode": partial(check.choice, allowed=("disabled", "allowlist"))}, closed=False)
    check.unsupported(given.get("mode") == "allowlist", f"{path}.mode", why="Code has no network.")
    return given


_header_text = partial(check.string, most=16_384, pattern=_VALUE)
_ALLOWED: Final[Mapping[str, Check]] = {"tool_names": _words, "read_only": check.boolean}
_allowed_record = partial(check.record, members=_ALLOWED)
_CONDITION: Final[Mapping[str, Check]] = {
    "condition": partial(check.string, least=1, most=256),
    "operator": partial(check.choice, allowed=OPERATORS),
    "value": lambda value, _: value,
}
APPROVAL: Final[Mapping[str, Check]] = {
    "type": check.string,
    "requires_approval": check.boolean,
    "conditions": conditions,
    "timeout": partial(check.number, low=1, high=MAX_TIMEOUT),
}
"""What every tool that workers run may carry."""

_SAVED: Final[Mapping[str, Check]] = {
    **APPROVAL,
    **dict.fromkeys(("key", "id", "tool_id"), _REF),
    "allowed_tools": _allowed_tools,
    "require_approval": _require_approval,
}
_MCP: Final[Mapping[str, Check]] = {
    **APPROVAL,
    "server_label": partial(check.string, least=1, most=64, pattern=_LABEL),
    "key": partial(check.string, least=1, most=64, pattern=_LABEL),
    "server_url": partial(check.string, least=1, most=4096),
    "server_description": _text,
    "transport": partial(check.choice, allowed=("auto", "http", "sse")),
    "headers": headers,
    "authorization": partial(check.string, most=16_384, pattern=_VALUE),
    "allowed_tools": _allowed_tools,
    "require_approval": _require_approval,
}
_bound = partial(check.integer, low=0, high=128_000)
_MODEL: Final[Mapping[str, Check]] = {
    "model": partial(check.string, least=1, most=256),
    "max_uses": partial(check.integer, low=0, high=1000),
    "max_tokens": _bound,
    "temperature": partial(check.number, low=0, high=2),
    "reasoning_effort": partial(check.choice, allowed=("none", "minimal", "low", "medium", "high", "xhigh", "max")),
}
_SUBAGENT: Final[Mapping[str, Check]] = {**_MODEL, "system_prompt": _text, "output_format": _text}
_OWN: Final[Mapping[str, Mapping[str, Check]]] = {
    "orq:code_interpreter": {
        "files": partial(check.unsupported, why="Files cannot be given to code yet."),
        "network": _network,
    },
    "orq:advisor": {**_MODEL, "max_transcript_tokens": partial(check.integer, low=0, high=10_000_000)},
    "orq:subagent": _SUBAGENT,
    "orq:sidekick": _SUBAGENT,
}
"""Members that only some of the built-in tools have."""

"""An MCP server's address and headers, rendered at the moment of use and kept nowhere but in its session."""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from agents import templates
from agents.mcp.endpoint import Endpoint
from agents.plan import Engine
from agents.tools.base import ToolError
from shared.items import Json

MAX_URL: Final = 2_048
MAX_HEADER: Final = 16_384

_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_UNPRINTABLE: Final = re.compile(r"[\x00-\x20\x7f]")
_OURS: Final = frozenset({"host", "content-length", "transfer-encoding", "connection", "mcp-session-id"})
"""Headers by which HTTP and the protocol work."""


def endpoint(spec: Json, *, engine: Engine, variables: Mapping[str, Any], secrets: Mapping[str, str]) -> Endpoint:
    """Render a spec's address and headers; `secrets` are values by id. Raises `ToolError` if one of them cannot be used."""
    values = {
        name: _opened(value, secrets, f"The header {name!r} of the MCP server")
        for name, value in (spec.get("headers") or {}).items()
    }
    if spec.get("authorization") is not None:
        token = _opened(spec["authorization"], secrets, "The authorization of the MCP server")
        values = {name: value for name, value in values.items() if name.lower() != "authorization"}
        values["Authorization"] = token
    try:
        url = templates.render(spec["server_url"], variables, engine=engine, where="server_url")
        headers = {
            name: templates.render(value, variables, engine=engine, where=f"headers.{name}") for name, value in values.items()
        }
    except templates.TemplateError as error:
        raise ToolError(f"The MCP server could not be asked: {error}") from error
    if spec.get("authorization") is not None and headers["Authorization"][:7].lower() != "bearer ":
        headers["Authorization"] = f"Bearer {headers['Authorization']}"
    return Endpoint(_url(url), spec.get("transport") or "auto", tuple(sorted(map(_header, headers, headers.values()))))


def _opened(value: str | Json, secrets: Mapping[str, str], what: str) -> str:
    if isinstance(value, str):
        return value
    if value["secret"] not in secrets:
        raise ToolError(f"{what} is a secret that is no longer there.")
    return secrets[value["secret"]]


def _url(url: str) -> str:
    """Check that a rendered address is one; what network it may lead to is the transport's business."""
    if len(url) > MAX_URL or _UNPRINTABLE.search(url):
        raise ToolError("The MCP server's address is too long, or has blanks or control characters in it.")
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise ToolError("The MCP server's address is not a URL.") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ToolError("The MCP server's address must begin with http:// or https:// and name a host.")
    return url


def _header(name: str, value: str) -> tuple[str, str]:
    """Check that a header is one header. Messages name it, and never tell its value."""
    if not _NAME.fullmatch(name) or name.lower() in _OURS:
        raise ToolError(f"An MCP server cannot be given a header {name[:64]!r}.")
    value = value.strip(" \t")
    if len(value) > MAX_HEADER or not value.isascii() or not value.replace("\t", " ").isprintable():
        raise ToolError(f"The header {name!r} of the MCP server is too long, or has characters that headers cannot have.")
    return name.lower(), value

"""A saved HTTP tool's blueprint becomes a request. What a model gives fills places; it never makes new ones.

A value in a URL's path or query is percent-encoded, one in a JSON or form body is written as that format writes it, and
one in a header has no line of its own. Where the request goes is for the author and the variables alone to say.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, quote_plus, unquote

import orjson

from agents import templates
from agents.plan import Engine
from agents.secrets import opened
from agents.tools.base import ToolError
from shared.items import Json

_ORIGIN: Final = re.compile(r"(?:://|[^/?#{}]|\{\{\s*[\w.-]+\s*\}\})*")
"""The part of a URL's template that says where the request goes: plain text and plain placeholders."""

_PATH_END: Final = re.compile(r"[?#]")

_HEADER: Final = re.compile(r"[\t\x20-\x7e]*")

_OURS: Final = frozenset(
    {
        *("accept-encoding", "connection", "content-encoding", "content-length", "expect", "host", "keep-alive"),
        *("proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"),
    }
)
"""Headers that belong to the connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request, ready to be sent. It may hold secrets."""

    method: str
    url: str
    headers: dict[str, str]
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Values:
    own: Mapping[str, Any]
    """Of the variables and of the arguments that the author configured."""
    all: Mapping[str, Any]
    """Those, and what the model said."""
    engine: Engine


def render(http: Json, given: Json, *, variables: Mapping[str, Any], secrets: Mapping[str, str], engine: Engine) -> Request:
    """Make the request of a tool from a model's arguments; raises `ToolError` with a sentence that repeats no value."""
    blueprint = opened(http["blueprint"], secrets)
    values = _values(http.get("arguments") or {}, given, variables, engine)
    method = str(blueprint.get("method") or "GET").upper()
    with _failures():
        url = _url(str(blueprint["url"]), values)
        headers = {name: _header(name, text, values) for name, text in (blueprint.get("headers") or {}).items()}
        kind = next((text for name, text in headers.items() if name.lower() == "content-type"), "")
        content = b"" if method in {"GET", "HEAD"} else _body(blueprint.get("body"), kind.lower(), values)
    if content and not kind:
        headers["Content-Type"] = "application/json"
    return Request(method=method, url=url, headers=headers, content=content)


def schema(arguments: Json) -> Json:
    """Describe the arguments that a model gives; those with a default may be left out."""
    asked = {name: one for name, one in arguments.items() if one.get("send_to_model", True)}
    return {
        "type": "object",
        "properties": {name: _property(one) for name, one in asked.items()},
        "required": [name for name, one in asked.items() if one.get("default_value") is None],
        "additionalProperties": False,
    }


def _property(argument: Json) -> Json:
    described = {"type": argument["type"], "description": argument.get("description") or ""}
    default = argument.get("default_value")
    return described if default is None else {**described, "default": default}


def _values(arguments: Json, given: Json, variables: Mapping[str, Any], engine: Engine) -> _Values:
    """Put the values together: a model can set what is asked of it, and no variable."""
    asked = {name for name, one in arguments.items() if one.get("send_to_model", True)}
    defaults = {name: one["default_value"] for name, one in arguments.items() if one.get("default_value") is not None}
    own = {name: value for name, value in {**defaults, **variables}.items() if name not in asked}
    said = {name: given.get(name, defaults.get(name)) for name in asked if name in given or name in defaults}
    return _Values(own=own, all={**own, **said}, engine=engine)


def _url(template: str, values: _Values) -> str:
    """Render where the request goes from the author's own values, and the rest with every value encoded."""
    begin = _ORIGIN.match(template)
    end = begin.end() if begin else 0
    if template[end : end + 1] not in {"", "/", "?", "#"}:
        raise ToolError("The tool's URL must begin with a host, which may hold plain placeholders only.")
    named = {name.split(".")[0] for name in templates.names(template[:end], engine=values.engine)}
    if named & (values.all.keys() - values.own.keys()):
        raise ToolError("The tool's URL leaves it to the model where to go, which is not allowed.")
    origin = templates.render(template[:end], values.own, engine=values.engine, where="url")
    rest = templates.render(template[end:], values.all, engine=values.engine, where="url", finalize=_encoded)
    url = f"{origin}{rest}"
    if any(unquote(part) in {".", ".."} for part in _PATH_END.split(url, maxsplit=1)[0].split("/")):
        raise ToolError("A value must not lead to another path of the tool's URL.")
    return url


def _encoded(value: Any) -> str:
    return quote(_plain(value), safe="")


def _plain(value: Any) -> str:
    """Write a value as text."""
    match value:
        case str():
            return value
        case None:
            return ""
        case _:
            return orjson.dumps(value).decode()


def _header(name: str, template: Any, values: _Values) -> str:
    if name.lower() in _OURS:
        raise ToolError(f"The tool sets the header {name!r}, which belongs to the connection.")
    if not isinstance(template, str):
        raise ToolError(f"The tool's header {name!r} has no value any more.")
    text = templates.render(template, values.all, engine=values.engine, where=f"headers.{name}")
    if not _HEADER.fullmatch(text):
        raise ToolError(f"The header {name!r} would have a value with line breaks or characters outside of ASCII.")
    return text.strip()


def _body(body: Any, kind: str, values: _Values) -> bytes:
    """Render a JSON value with the values' types, or a text with values as its format writes them."""
    match body:
        case None:
            return b""
        case str():
            written = templates.render(body, values.all, engine=values.engine, where="body", finalize=_writer(kind))
            return written.encode()
        case _:
            return orjson.dumps(templates.render_tree(body, values.all, engine=values.engine, where="body"))


def _writer(kind: str) -> Callable[[Any], str]:
    """Choose how values are written into a text of this type; a placeholder in JSON stands between quotes if it is text."""
    if "x-www-form-urlencoded" in kind:
        return lambda value: quote_plus(_plain(value))
    if not kind or "json" in kind:
        return lambda value: orjson.dumps(value).decode()[1:-1] if isinstance(value, str) else orjson.dumps(value).decode()
    return _plain


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except templates.MissingVariable as error:
        raise ToolError(f"The tool needs the variable {error.name!r} in its {error.where!r}, and it was not given.") from error
    except templates.TemplateFault as error:
        raise ToolError(str(error)) from error
    except orjson.JSONEncodeError as error:
        raise ToolError("The tool's body would hold a value that JSON cannot.") from error

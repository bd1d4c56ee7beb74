"""What the tools of each type consist of, each checked under the member that is named for it."""

import re
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from api.agents.manifest import require_template
from api.create import check, schemas, server_tools
from api.create.check import Check
from api.definitions.sealing import Seals, is_secret
from shared.errors import InvalidRequest
from shared.items import Json

MAX_CODE: Final = 100 * 1024
MAX_ARGUMENTS: Final = 64

_ARGUMENT: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_NAME: Final = re.compile(r"[a-zA-Z0-9_-]+")
_name = partial(check.string, least=1, most=64, pattern=_NAME)
_text = partial(check.string, most=65_536)
_names = partial(check.array, of=partial(check.string, pattern=_ARGUMENT), most=256, expected="an array of strings")

METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")


def http(value: Any, path: str, *, seals: Seals) -> Json:
    """Check a request's blueprint and the arguments that fill it."""
    given = check.record(
        value, path, members={"blueprint": partial(_blueprint, seals=seals), "arguments": _arguments}, required=("blueprint",)
    )
    return {"arguments": {}, **given}


def _blueprint(value: Any, path: str, *, seals: Seals) -> Json:
    members: dict[str, Check] = {
        "url": _url,
        "method": partial(check.choice, allowed=METHODS),
        "headers": partial(_headers, place="http", seals=seals),
        "body": _anything,
        "timeout": partial(check.number, low=1, high=600),
    }
    given = check.record(value, path, members=members, required=("url", "method"))
    blueprint = {"headers": {}, "body": None, "timeout": 60.0, **given}
    _check_templates(blueprint["body"], f"{path}.body")
    return blueprint


def _url(value: Any, path: str) -> str:
    """Take an address of the web; its host may be a placeholder. Where it leads is checked when it is used."""
    url = check.string(value, path, least=1, most=8192)
    if not (url.lower().startswith(("http://", "https://")) or url.startswith("{{")):
        raise InvalidRequest(
            f"Invalid '{path}': expected a URL that begins with 'http://' or 'https://'.", param=path, code="invalid_value"
        )
    if not url.partition("://")[2].strip() and not url.startswith("{{"):
        raise InvalidRequest(f"Invalid '{path}': the URL names no host.", param=path, code="invalid_value")
    require_template(url, path)
    return url


def _headers(value: Any, path: str, *, place: str, seals: Seals) -> Json:
    headers = seals.headers(value, f"{place}.headers", path)
    for name, one in headers.items():
        text = one if not is_secret(one) else seals.texts.get(one["secret"], "")
        require_template(text, f"{path}.{name}")
    return headers


def _anything(value: Any, _: str) -> Any:
    return value


def _check_templates(value: Any, path: str) -> None:
    """Check every string of a JSON value."""
    match value:
        case str():
            require_template(value, path)
        case dict():
            for name, one in value.items():
                _check_templates(one, f"{path}.{check.shown(name)}")
        case list():
            for index, one in enumerate(value):
                _check_templates(one, f"{path}[{index}]")
        case _:
            return


def _arguments(value: Any, path: str) -> Json:
    given = check.mapping(value, path)
    check.bounded(given, path, most=MAX_ARGUMENTS)
    for name in given:
        check.string(name, f"{path}.{check.shown(name)}", pattern=_ARGUMENT)
    return {name: _argument(one, f"{path}.{name}") for name, one in given.items()}


def _argument(value: Any, path: str) -> Json:
    given = check.record(value, path, members=_ARGUMENT_MEMBERS, required=("type",))
    argument = {"description": "", "send_to_model": True, "default_value": None, **given}
    if argument["default_value"] is not None:
        _TYPES[argument["type"]](argument["default_value"], f"{path}.default_value")
    return argument


_TYPES: Final[Mapping[str, Check]] = {
    "string": partial(check.string, most=65_536),
    "number": partial(check.number, low=-1e308, high=1e308),
    "integer": partial(check.integer, low=-(2**63), high=2**63 - 1),
    "boolean": check.boolean,
}
_ARGUMENT_MEMBERS: Final[Mapping[str, Check]] = {
    "type": partial(check.choice, allowed=tuple(_TYPES)),
    "description": _text,
    "send_to_model": check.boolean,
    "default_value": _anything,
}


def code(value: Any, path: str) -> Json:
    """Check a program, the schema of its arguments, and the names of the variables and secrets that it is given."""
    given = check.record(value, path, members=_CODE, required=("language", "code"))
    return {"parameters": {"type": "object", "properties": {}}, "variables": [], "secrets": [], **given}


def _source(value: Any, path: str) -> str:
    source = check.string(value, path, least=1)
    if len(source.encode()) > MAX_CODE:
        raise InvalidRequest(f"Invalid '{path}': the code takes more than {MAX_CODE} bytes.", param=path, code="invalid_value")
    return source


def _parameters(value: Any, path: str) -> Json:
    return schemas.function_parameters(value, path, name="code_tool")


_CODE: Final[Mapping[str, Check]] = {
    "language": partial(check.choice, allowed=("python",)),
    "code": _source,
    "parameters": _parameters,
    "variables": _names,
    "secrets": _names,
}


def function(value: Any, path: str) -> Json:
    """Check a function that the client runs."""
    given = check.record(value, path, members=_FUNCTION, required=("name",))
    if given.get("parameters") is not None:
        schemas.function_parameters(given["parameters"], f"{path}.parameters", name=given["name"])
    return {"description": None, "parameters": None, "strict": None, **given}


def json_schema(value: Any, path: str) -> Json:
    """Check the schema of an answer."""
    given = check.record(value, path, members=_SCHEMA, required=("name", "schema"))
    schema = schemas.response_format(given["schema"], f"{path}.schema", name=given["name"])
    return {"description": None, "strict": False, **given, "schema": schema}


_FUNCTION: Final[Mapping[str, Check]] = {
    "name": partial(check.string, least=1, most=128, pattern=_NAME),
    "description": _text,
    "parameters": check.mapping,
    "strict": check.boolean,
}
_SCHEMA: Final[Mapping[str, Check]] = {"name": _name, "description": _text, "schema": check.mapping, "strict": check.boolean}


def mcp(value: Any, path: str, *, seals: Seals) -> Json:
    """Check where an MCP server is, and what may be used of it."""
    members: dict[str, Check] = {
        "server_url": _url,
        "connection_type": partial(check.choice, allowed=("auto", "http", "sse")),
        "headers": partial(_headers, place="mcp", seals=seals),
        "server_description": _text,
        **dict.fromkeys(_AS_IN_REQUESTS, _anything),
    }
    given = check.record(value, path, members=members, required=("server_url",))
    same = {name: one for name, one in given.items() if name in _AS_IN_REQUESTS}
    checked = server_tools.server({"type": "mcp", "server_label": "x", "server_url": given["server_url"], **same}, path)
    defaults: Json = {"connection_type": "auto", "headers": {}, "server_description": None, "allowed_tools": None}
    return {**defaults, "require_approval": "never", **given, **{name: checked[name] for name in same}}


_AS_IN_REQUESTS: Final = ("allowed_tools", "require_approval")

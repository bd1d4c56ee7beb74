"""The variables of a request: a scalar, `{value}` or `{value, secret}`, by name."""

import re
from functools import partial
from typing import Any, Final

import orjson

from agents.scrub import MIN_SECRET
from api.create import check
from shared.errors import InvalidRequest
from shared.items import Json

MOST: Final = 256
MAX_VALUE: Final = 262_144
"""Bytes of a value as JSON."""

NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,127}")


def parse(value: Any, path: str) -> dict[str, Json]:
    """Return `{value, secret}` by name."""
    given = check.mapping(value, path)
    check.bounded(given, path, most=MOST)
    for name in given:
        check.string(name, f"{path}.{check.shown(name)}", pattern=NAME)
    return {name: _variable(one, f"{path}.{name}") for name, one in given.items()}


def _variable(value: Any, path: str) -> Json:
    if type(value) is not dict:
        return {"value": _plain(value, path), "secret": False}
    members = {"value": _plain, "secret": check.boolean}
    if extra := value.keys() - members.keys():
        raise check.unknown(f"{path}.{min(extra)}", members)
    if "value" not in value:
        raise check.missing(f"{path}.value")
    secret = check.boolean(value.get("secret", False), f"{path}.secret")
    return {"value": (_secret if secret else _plain)(value["value"], f"{path}.value"), "secret": secret}


def _plain(value: Any, path: str) -> Any:
    """Take any JSON value that is not too large, nor looks like what stands for a secret."""
    if isinstance(value, dict) and value.keys() == {"secret"}:
        raise InvalidRequest(f"Invalid '{path}': an object of 'secret' alone has no value.", param=path, code="invalid_value")
    if len(orjson.dumps(value)) > MAX_VALUE:
        raise InvalidRequest(f"Invalid '{path}': it takes more than {MAX_VALUE} bytes.", param=path, code="invalid_value")
    return value


def _secret(value: Any, path: str) -> str:
    """Take a text that is long enough to be told apart from words that mean nothing."""
    text = str(value) if type(value) is int else _text(value, path)
    if len(text) < MIN_SECRET:
        raise InvalidRequest(
            f"Invalid '{path}': a secret must have at least {MIN_SECRET} characters, or it could not be kept out of texts.",
            param=path,
            code="invalid_value",
        )
    return text


_text = partial(check.string, most=65_536)


def shown(variables: dict[str, Json]) -> Json:
    """Echo variables: plain values as they are, secrets without their values."""
    return {name: {"secret": True} if one["secret"] else one["value"] for name, one in variables.items()}

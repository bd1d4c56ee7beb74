"""How the answer is to look and how the model is to think: the fields `text`, `reasoning` and `truncation`."""

import re
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from api.create import check, schemas
from api.create.check import Check
from shared.items import Json

VERBOSITIES: Final = ("low", "medium", "high")
EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")

_SUMMARIES: Final = ("auto", "concise", "detailed")
_NAME: Final = re.compile(r"[a-zA-Z0-9_-]+")

_REASONING: Final[Mapping[str, Check]] = {
    "effort": partial(check.choice, allowed=EFFORTS),
    "summary": partial(check.choice, allowed=_SUMMARIES),
    "generate_summary": partial(check.choice, allowed=_SUMMARIES),
    "context": partial(check.choice, allowed=("auto", "current_turn", "all_turns")),
    "mode": partial(check.string, most=64),
}

truncation = partial(check.choice, allowed=("auto", "disabled"))


def parse(value: Any, path: str) -> Json:
    """Check `text`: a format and a verbosity, either of which may be left out."""
    return check.record(value, path, members=_TEXT)


def reasoning(value: Any, path: str) -> Json:
    """Check `reasoning`; `generate_summary` is the older name of `summary`."""
    given = check.record(value, path, members=_REASONING)
    older = given.pop("generate_summary", None)
    return {"effort": None, "summary": older, **given}


def _format(value: Any, path: str) -> Json:
    """Check a format: plain text, any JSON object, or JSON of a schema, described flatly."""
    kind = check.mapping(value, path).get("type")
    if kind is None:
        raise check.missing(f"{path}.type")
    if check.choice(kind, f"{path}.type", allowed=("text", "json_object", "json_schema")) != "json_schema":
        return check.record(value, path, members={"type": check.string})
    given = check.record(value, path, members=_JSON_SCHEMA, required=("name", "schema"))
    schema = schemas.response_format(given["schema"], f"{path}.schema", name=given["name"])
    return {"type": kind, "name": given["name"], "description": None, "strict": False, **given, "schema": schema}


_JSON_SCHEMA: Final[Mapping[str, Check]] = {
    "type": check.string,
    "name": partial(check.string, least=1, most=64, pattern=_NAME),
    "schema": check.mapping,
    "strict": check.boolean,
    "description": partial(check.string, most=65_536),
}
_TEXT: Final[Mapping[str, Check]] = {"format": _format, "verbosity": partial(check.choice, allowed=VERBOSITIES)}

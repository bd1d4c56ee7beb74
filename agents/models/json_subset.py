"""JSON Schemas cut to the keywords that a provider accepts; what is cut is told to the model in words."""

from collections.abc import Set as AbstractSet
from typing import Any, Final

import orjson

from shared.items import Json

_MAPS: Final = frozenset({"properties", "$defs", "definitions"})
"""Keywords that hold schemas by name."""

_ONE: Final = frozenset({"items", "additionalProperties"})
"""Keywords that hold a schema, or a boolean."""

_MANY: Final = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})
"""Keywords that hold a list of schemas."""

_SILENT: Final = frozenset({"$schema", "$id", "$comment", "strict", "title", "default", "examples"})
"""Keywords whose loss nobody need be told of."""


def subset(schema: Json, keywords: AbstractSet[str], *, closed: bool = False) -> Json:
    """Keep the given keywords, at every depth; `closed` forbids further properties in every object.

    `oneOf` becomes `anyOf`, and `const` an `enum` of one, where only the latter is kept. A lost constraint is added to the
    description, so that the model may still respect it.
    """
    kept: Json = {}
    lost: Json = {}
    for keyword, value in _renamed(schema, keywords).items():
        if keyword in keywords:
            kept[keyword] = _within(keyword, value, keywords, closed=closed)
        elif keyword not in _SILENT:
            lost[keyword] = value
    if lost:
        told = orjson.dumps(lost).decode()
        kept["description"] = f"{kept['description']} {told}" if kept.get("description") else told
    if closed and (kept.get("type") == "object" or "properties" in kept):
        kept["additionalProperties"] = False
    return kept


def _renamed(schema: Json, keywords: AbstractSet[str]) -> Json:
    """Write a schema with the nearest keywords that are kept."""
    renamed = dict(schema)
    if "oneOf" in renamed and "oneOf" not in keywords and "anyOf" not in renamed:
        renamed["anyOf"] = renamed.pop("oneOf")
    if "const" in renamed and "const" not in keywords and "enum" not in renamed:
        renamed["enum"] = [renamed.pop("const")]
    return renamed


def _within(keyword: str, value: Any, keywords: AbstractSet[str], *, closed: bool) -> Any:
    """Cut the schemas that a keyword holds."""
    if keyword in _MAPS and isinstance(value, dict):
        return {name: _schema(inner, keywords, closed=closed) for name, inner in value.items()}
    if keyword in _MANY and isinstance(value, list):
        return [_schema(inner, keywords, closed=closed) for inner in value]
    if keyword in _ONE:
        return _schema(value, keywords, closed=closed)
    return value


def _schema(value: Any, keywords: AbstractSet[str], *, closed: bool) -> Any:
    """Cut one schema; a boolean one stays."""
    return subset(value, keywords, closed=closed) if isinstance(value, dict) else value

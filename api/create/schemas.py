"""JSON Schemas that clients send, checked for shape in microseconds.

The full meta-schema check of `jsonschema` takes 1.6 ms for a small tool and 200 ms for a 30 KB one, which an event loop that
holds other people's streams cannot give away. This one visits every keyword once.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final

from api.create import check
from shared.errors import InvalidRequest
from shared.items import Json

_TYPES: Final = ("string", "number", "integer", "boolean", "object", "array", "null")


def function_parameters(value: Any, path: str, *, name: str) -> Json:
    """Check a function's parameters: a schema of an object, or `{}` for a function that takes none."""
    schema = check.mapping(value, path)
    fault = next(_faults(schema, ""), None)
    if schema and not fault and schema.get("type") != "object":
        fault = f"schema must be a JSON Schema of 'type: \"object\"', but its type is {check.shown(repr(schema.get('type')))}"
    if fault:
        raise InvalidRequest(f"Invalid schema for function '{name}': {fault}.", param=path, code="invalid_function_parameters")
    return schema


def response_format(value: Any, path: str, *, name: str) -> Json:
    """Check the schema of a structured output."""
    schema = check.mapping(value, path)
    if fault := next(_faults(schema, ""), None):
        raise InvalidRequest(f"Invalid schema for response_format '{name}': {fault}.", param=path, code="invalid_json_schema")
    return schema


def _faults(schema: Any, at: str) -> Iterator[str]:
    """Find what is wrong with a schema and the schemas inside it, as half sentences."""
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict):
        yield f"{at or 'the schema'} must be an object or a boolean"
        return
    for keyword, value in schema.items():
        if rule := _KEYWORDS.get(keyword):
            yield from rule(value, f"{at}.{keyword}" if at else keyword)


def _each_named(value: Any, at: str) -> Iterator[str]:
    """A map of schemas, such as `properties`."""
    if not isinstance(value, dict):
        yield f"{at} must be an object"
        return
    for name, schema in value.items():
        yield from _faults(schema, f"{at}.{check.shown(name)}")


def _each_listed(value: Any, at: str) -> Iterator[str]:
    """A list of alternatives, such as `anyOf`."""
    if not isinstance(value, list) or not value:
        yield f"{at} must be an array of schemas that is not empty"
        return
    for index, schema in enumerate(value):
        yield from _faults(schema, f"{at}[{index}]")


def _items(value: Any, at: str) -> Iterator[str]:
    """One schema, or a list of them as older drafts had it."""
    return _each_listed(value, at) if isinstance(value, list) and value else _faults(value, at)


def _type(value: Any, at: str) -> Iterator[str]:
    """A type's name, or a list of different ones."""
    names = value if isinstance(value, list) else [value]
    if not names or len({str(name) for name in names}) < len(names):
        yield f"{at} must be a type or an array of different types"
    for name in names:
        if not isinstance(name, str) or name not in _TYPES:
            yield f"{at} {check.shown(repr(name))} is not one of {check.listed(_TYPES)}"


def _names(value: Any, at: str) -> Iterator[str]:
    """A list of different property names."""
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value) or len(set(value)) < len(value):
        yield f"{at} must be an array of different strings"


def _local_reference(value: Any, at: str) -> Iterator[str]:
    """A reference inside the schema: nothing here fetches another document on a client's word."""
    if not isinstance(value, str) or not value.startswith("#"):
        yield f"{at} must point inside the schema and start with '#'"


def _is(value: Any, at: str, *, what: str, test: Callable[[Any], bool]) -> Iterator[str]:
    """A plain value that passes a test."""
    if not test(value):
        yield f"{at} must be {what}"


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_A_STRING: Final = partial(_is, what="a string", test=lambda value: isinstance(value, str))
_A_BOOLEAN: Final = partial(_is, what="a boolean", test=lambda value: isinstance(value, bool))
_AN_ARRAY: Final = partial(_is, what="an array", test=lambda value: isinstance(value, list))
_A_NUMBER: Final = partial(_is, what="a number", test=_number)
_A_POSITIVE: Final = partial(_is, what="a number above 0", test=lambda value: _number(value) and value > 0)
_A_COUNT: Final = partial(
    _is, what="a whole number of 0 or more", test=lambda value: _number(value) and value >= 0 and value % 1 == 0
)

_KEYWORDS: Final[Mapping[str, Callable[[Any, str], Iterator[str]]]] = {
    "type": _type,
    "required": _names,
    "items": _items,
    "enum": _AN_ARRAY,
    "examples": _AN_ARRAY,
    "$ref": _local_reference,
    "$dynamicRef": _local_reference,
    "multipleOf": _A_POSITIVE,
    **dict.fromkeys(("properties", "patternProperties", "dependentSchemas", "$defs", "definitions"), _each_named),
    **dict.fromkeys(("allOf", "anyOf", "oneOf", "prefixItems"), _each_listed),
    **dict.fromkeys(("additionalProperties", "unevaluatedProperties", "propertyNames", "contains"), _faults),
    **dict.fromkeys(("additionalItems", "unevaluatedItems", "not", "if", "then", "else"), _faults),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _A_NUMBER),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems", "minContains", "maxContains"), _A_COUNT),
    **dict.fromkeys(("minProperties", "maxProperties"), _A_COUNT),
    **dict.fromkeys(("title", "description", "format", "pattern", "$schema", "$id", "$comment"), _A_STRING),
    **dict.fromkeys(("uniqueItems", "deprecated", "readOnly", "writeOnly"), _A_BOOLEAN),
}

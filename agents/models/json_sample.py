"""The smallest value that satisfies a JSON Schema: what the demo answers with when it is asked for structured output."""

import math
from typing import Any, Final

from shared.items import Json

DEEP: Final = 12
"""Nesting from which a union's simplest branch is taken, so that a schema may refer to itself."""

_FORMATS: Final[dict[str, str]] = {
    "date-time": "2026-01-01T12:00:00Z",
    "date": "2026-01-01",
    "time": "12:00:00Z",
    "duration": "PT1H",
    "email": "demo@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def sample(schema: Json, *, root: Json | None = None, depth: int = 0) -> Any:
    """Make a value for `schema`; `root` resolves its `$ref`s.

    Covers what structured output allows: types, const, enum, required, bounds, formats, unions and local references.
    Patterns, conditionals and `not` are beyond it.
    """
    root = schema if root is None else root
    schema = resolve(schema, root)
    if "const" in schema:
        return schema["const"]
    for given in ("enum", "examples"):
        if schema.get(given):
            return schema[given][0]
    if "default" in schema:
        return schema["default"]
    if branches := schema.get("anyOf") or schema.get("oneOf"):
        return sample(_merged(schema, _branch(branches, root, depth=depth)), root=root, depth=depth + 1)
    return _of_type(type_of(schema), schema, root=root, depth=depth)


def resolve(schema: Json | bool, root: Json) -> Json:
    """Follow `$ref` and fold `allOf` into one object; a boolean schema, and a reference to nowhere, allow everything."""
    if not isinstance(schema, dict):
        return {}
    for _ in range(DEEP):
        if "$ref" not in schema:
            break
        schema = {**_target(schema["$ref"], root), **{key: value for key, value in schema.items() if key != "$ref"}}
    for part in schema.get("allOf", ()):
        schema = _merged(schema, resolve(part, root))
    return schema


def type_of(schema: Json) -> str:
    """Name the first type that the schema allows, or the one that its other keywords imply."""
    named = schema.get("type")
    if isinstance(named, list):
        return str(named[0])
    if named:
        return str(named)
    if "properties" in schema or "required" in schema:
        return "object"
    return "array" if "items" in schema else "string"


def _target(reference: str, root: Json) -> Json:
    """Find what a local reference (`#/$defs/name`) points at."""
    found: Any = root
    for key in reference.removeprefix("#").strip("/").split("/"):
        if key:
            found = found.get(key.replace("~1", "/").replace("~0", "~"), {}) if isinstance(found, dict) else {}
    return found if isinstance(found, dict) else {}


def _merged(schema: Json, part: Json) -> Json:
    """Lay one branch of a schema over the keywords beside it."""
    rest = {key: value for key, value in schema.items() if key not in {"anyOf", "oneOf", "allOf"}}
    return {
        **rest,
        **part,
        "properties": {**rest.get("properties", {}), **part.get("properties", {})},
        "required": [*rest.get("required", ()), *part.get("required", ())],
    }


def _branch(branches: list[Json], root: Json, *, depth: int) -> Json:
    """Choose a union's first branch; deep down, one that ends the recursion."""
    resolved = [resolve(branch, root) for branch in branches]
    if depth < DEEP:
        return resolved[0]
    return min(resolved, key=lambda branch: type_of(branch) in {"object", "array"})


def _of_type(kind: str, schema: Json, *, root: Json, depth: int) -> Any:
    """Make a value of one JSON type within the schema's bounds."""
    match kind:
        case "object":
            return _object(schema, root=root, depth=depth)
        case "array":
            return _array(schema, root=root, depth=depth)
        case "number" | "integer":
            return _number(schema, whole=kind == "integer")
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return _string(schema)


def _object(schema: Json, *, root: Json, depth: int) -> Json:
    """Make an object with its required properties only."""
    properties = schema.get("properties", {})
    if depth > 2 * DEEP:
        return {}
    return {name: sample(properties.get(name, {}), root=root, depth=depth + 1) for name in schema.get("required", ())}


def _array(schema: Json, *, root: Json, depth: int) -> list[Any]:
    """Make an array of as many items as it must have; one, where none is demanded and one is easily made."""
    least: int = schema.get("minItems", 0)
    most: int = schema.get("maxItems", 1)
    count = max(least, min(1, most)) if depth < 3 else least
    prefix = schema.get("prefixItems", [])
    kinds = [*prefix, *[schema.get("items", {})] * count][:count]
    return [sample(kind, root=root, depth=depth + 1) for kind in kinds]


def _number(schema: Json, *, whole: bool) -> float:
    """Make the first plain number that lies within the bounds."""
    step = schema.get("multipleOf", 1 if whole else 0.5)
    low = float(schema["minimum"] if "minimum" in schema else schema.get("exclusiveMinimum", -math.inf))
    high = float(schema["maximum"] if "maximum" in schema else schema.get("exclusiveMaximum", math.inf))
    candidates = [1, 0, -1, step]
    if math.isfinite(low):
        candidates += [math.ceil(low / step) * step, math.floor(low / step) * step + step]
    if math.isfinite(high):
        candidates += [math.floor(high / step) * step, math.ceil(high / step) * step - step]
    if math.isfinite(low) and math.isfinite(high) and not whole:
        candidates.append((low + high) / 2)
    fitting = next((value for value in candidates if _fits(value, schema)), 1)
    return int(fitting) if whole else fitting


def _fits(value: float, schema: Json) -> bool:
    """Tell whether a number satisfies a schema's bounds."""
    return (
        schema.get("minimum", -math.inf) <= value <= schema.get("maximum", math.inf)
        and schema.get("exclusiveMinimum", -math.inf) < value < schema.get("exclusiveMaximum", math.inf)
        and ("multipleOf" not in schema or math.isclose(math.remainder(value, schema["multipleOf"]), 0, abs_tol=1e-9))
    )


def _string(schema: Json) -> str:
    """Make a string of the demanded format and length."""
    text = _FORMATS.get(schema.get("format", ""), "demo")
    return text.ljust(schema.get("minLength", 0), ".")[: schema.get("maxLength", 1 << 20)]

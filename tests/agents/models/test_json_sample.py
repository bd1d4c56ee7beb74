"""The smallest value of a schema must satisfy it, whatever the schema."""

from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.models import json_sample
from shared.items import Json


def _bounded(low: int, size: int) -> Json:
    return {"minimum": low, "maximum": low + size}


names = st.sampled_from(["a", "b", "c"])
leaves: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(["string", "integer", "number", "boolean", "null"]).map(lambda kind: {"type": kind}),
    st.builds(_bounded, st.integers(-50, 50), st.integers(1, 9)).map(lambda bounds: {"type": "integer", **bounds}),
    st.integers(1, 7).map(lambda step: {"type": "integer", "multipleOf": step, "minimum": step + 1}),
    st.integers(-5, 5).map(lambda low: {"type": "number", "exclusiveMinimum": low, "exclusiveMaximum": low + 1}),
    st.builds(
        lambda least, more: {"type": "string", "minLength": least, "maxLength": least + more},
        st.integers(0, 9),
        st.integers(0, 9),
    ),
    st.lists(st.integers(), min_size=1, max_size=3, unique=True).map(lambda values: {"enum": values}),
    st.text(max_size=3).map(lambda value: {"const": value}),
    st.just({"type": ["string", "null"]}),
    st.just({}),
)
schemas = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.dictionaries(names, inner).map(
            lambda properties: {
                "type": "object",
                "properties": properties,
                "required": sorted(properties)[:2],
                "additionalProperties": False,
            }
        ),
        st.builds(lambda item, least: {"type": "array", "items": item, "minItems": least}, inner, st.integers(0, 3)),
        st.lists(inner, min_size=1, max_size=3).map(lambda branches: {"anyOf": branches}),
    ),
    max_leaves=8,
)


@given(schemas)
def test_a_sample_satisfies_its_schema(schema: Json) -> None:
    jsonschema.validate(json_sample.sample(schema), schema)


@pytest.mark.parametrize(
    "schema",
    [
        {
            "$ref": "#/$defs/person",
            "$defs": {"person": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}},
        },
        {"allOf": [{"type": "object", "required": ["a"]}, {"properties": {"a": {"type": "integer"}}}]},
        {
            "$ref": "#/$defs/node",
            "$defs": {
                "node": {
                    "type": "object",
                    "required": ["next"],
                    "properties": {"next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}},
                }
            },
        },
        {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "minItems": 2},
        {"properties": {"when": {"type": "string", "format": "date"}}, "required": ["when"]},
    ],
    ids=["reference", "allOf", "self-reference", "tuple", "implied object"],
)
def test_references_unions_and_implied_types_are_resolved(schema: Json) -> None:
    jsonschema.validate(json_sample.sample(schema), schema, format_checker=jsonschema.FormatChecker())


def test_a_reference_to_nowhere_allows_anything() -> None:
    assert json_sample.sample({"$ref": "#/$defs/gone"}) == "demo"


def test_a_default_is_taken_before_a_made_up_value() -> None:
    assert json_sample.sample({"type": "integer", "default": 42}) == 42

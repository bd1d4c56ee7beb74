"""What is cut from a schema is said in words, at every depth."""

import pytest

from agents.models import json_subset
from shared.items import Json

KEYWORDS = frozenset(
    {"type", "properties", "required", "items", "anyOf", "enum", "description", "$ref", "$defs", "additionalProperties"}
)


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string", "$schema": "x", "default": "a"}, {"type": "string"}),
        ({"type": "integer", "minimum": 3}, {"type": "integer", "description": '{"minimum":3}'}),
        ({"type": "integer", "minimum": 3, "description": "Age."}, {"type": "integer", "description": 'Age. {"minimum":3}'}),
        ({"const": "a"}, {"enum": ["a"]}),
        ({"oneOf": [{"type": "string", "pattern": "a"}]}, {"anyOf": [{"type": "string", "description": '{"pattern":"a"}'}]}),
        ({"type": "array", "items": {"const": 1}}, {"type": "array", "items": {"enum": [1]}}),
        ({"$defs": {"a": {"const": 1}}, "$ref": "#/$defs/a"}, {"$defs": {"a": {"enum": [1]}}, "$ref": "#/$defs/a"}),
        ({"properties": {"const": {"type": "string"}}}, {"properties": {"const": {"type": "string"}}}),
    ],
)
def test_a_schema_keeps_the_known_keywords_and_tells_the_others(schema: Json, expected: Json) -> None:
    assert json_subset.subset(schema, KEYWORDS) == expected


def test_closed_objects_allow_no_further_properties() -> None:
    schema = {"type": "object", "properties": {"a": {"properties": {}}, "b": {"type": "string"}}, "additionalProperties": True}
    assert json_subset.subset(schema, KEYWORDS, closed=True) == {
        "type": "object",
        "properties": {"a": {"properties": {}, "additionalProperties": False}, "b": {"type": "string"}},
        "additionalProperties": False,
    }


def test_the_given_schema_is_left_as_it_was() -> None:
    schema: Json = {"type": "object", "properties": {"a": {"const": 1}}}
    json_subset.subset(schema, KEYWORDS, closed=True)
    assert schema == {"type": "object", "properties": {"a": {"const": 1}}}

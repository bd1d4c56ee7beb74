"""Whatever JSON arrives is either a request or an error with a path."""

import json
from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from api.create import schemas
from api.create.fields import FIELDS
from api.create.items import KINDS
from api.create.parts import GIVEN, WRITTEN
from api.create.request import CreateRequest, Limits, parse
from api.create.tools import TYPES
from shared.errors import InvalidRequest

LIMITS = Limits()
THOROUGH = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])

words = st.sampled_from(
    [
        *("type", "id", "name", "role", "content", "text", "user", "assistant", "call_id", "arguments", "output", "schema"),
        *("parameters", "function", "object", "properties", "required", "format", "json_schema", "tools", "auto", "mode"),
        *("policy", "input", "block", "metadata", "tags", "identity", "effort", "input_audio", "summary", "$ref", "items"),
        *KINDS,
        *TYPES,
        *GIVEN,
        *WRITTEN,
    ]
)
scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
texts = words | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
values = st.recursive(
    scalars | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=5),
    max_leaves=12,
)


def outcome(body: Any) -> CreateRequest | InvalidRequest:
    try:
        return parse(orjson.dumps(body), limits=LIMITS)
    except InvalidRequest as error:
        return error


@THOROUGH
@given(values)
def test_any_body_is_a_request_or_an_error(body: Any) -> None:
    assert isinstance(outcome(body), CreateRequest | InvalidRequest)


@THOROUGH
@given(st.sampled_from(sorted(FIELDS)), values)
def test_any_field_is_accepted_or_refused_by_its_path(name: str, value: Any) -> None:
    got = outcome({"model": "demo/echo", "input": "hi", name: value})
    if isinstance(got, InvalidRequest):
        empty = got.code_value == "missing_required_parameter" and name == "input"
        assert empty or (got.param or "").startswith(name)
    else:
        orjson.dumps(got.body)


items = st.fixed_dictionaries(
    {"type": st.sampled_from([*KINDS, "message"])},
    optional={
        "role": texts,
        "content": values,
        "id": texts | scalars,
        "call_id": texts,
        "name": texts,
        "arguments": texts,
        "output": values,
        "status": texts | scalars,
        "tools": values,
        "summary": values,
    },
)


@THOROUGH
@given(st.lists(items, min_size=1, max_size=3))
def test_any_item_is_refused_or_has_an_id_and_its_members(given_items: list[dict[str, Any]]) -> None:
    got = outcome({"model": "demo/echo", "input": given_items})
    if isinstance(got, CreateRequest):
        assert all(isinstance(item["id"], str) and item["id"] for item in got.items)
        kept = [item for item in got.items if item["type"] != "item_reference"]
        sent = [item for item in given_items if item["type"] != "item_reference"]
        assert all(item.keys() >= one.keys() for item, one in zip(kept, sent, strict=True))
    else:
        assert (got.param or "").startswith("input[")


tools = st.fixed_dictionaries(
    {"type": st.sampled_from(TYPES)},
    optional={"name": texts, "parameters": values, "strict": scalars, "tools": values, "description": texts | scalars},
)


@THOROUGH
@given(st.lists(tools, max_size=3), values)
def test_any_tools_and_choice_are_accepted_or_refused_by_their_path(given_tools: list[Any], choice: Any) -> None:
    got = outcome({"model": "demo/echo", "input": "hi", "tools": given_tools, "tool_choice": choice})
    if isinstance(got, InvalidRequest):
        assert (got.param or "").startswith(("tools", "tool_choice"))


keywords = st.sampled_from(
    [
        *("type", "properties", "required", "items", "enum", "anyOf", "additionalProperties", "not", "minimum", "maxLength"),
        *("uniqueItems", "title", "multipleOf", "$defs", "prefixItems", "if", "description", "examples", "minItems"),
    ]
)
schema_values = st.recursive(
    scalars | st.sampled_from(["string", "object", "number", "x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keywords, inner, max_size=3),
    max_leaves=8,
)


@THOROUGH
@given(st.dictionaries(keywords, schema_values, max_size=4))
def test_a_schema_passes_exactly_if_the_meta_schema_of_json_schema_says_so(schema: dict[str, Any]) -> None:
    schema = json.loads(json.dumps(schema))
    try:
        schemas.response_format(schema, "text.format.schema", name="x")
        ours = True
    except InvalidRequest:
        ours = False
    older = '"items": [' in json.dumps(schema)
    assert ours == Draft202012Validator(Draft202012Validator.META_SCHEMA).is_valid(schema) or (ours and older)

"""Structured output, as the SDK asks for it and takes it apart."""

import httpx2
import openai
import orjson
import pytest
from openai import OpenAI
from pydantic import BaseModel

from tests.system.reading import create, refused, text_of


class Step(BaseModel):
    explanation: str
    output: str


class Solution(BaseModel):
    steps: list[Step]
    answer: float
    certain: bool


def test_parse_returns_the_model_that_was_asked_for(client: OpenAI) -> None:
    made = client.responses.parse(model="demo/assistant", input="Solve it.", text_format=Solution)
    assert isinstance(made.output_parsed, Solution)
    assert made.text is not None
    assert made.text.format is not None
    assert made.text.format.type == "json_schema"


def test_a_streamed_structured_answer_parses_too(client: OpenAI) -> None:
    with client.responses.stream(model="demo/assistant", input="Solve it.", text_format=Solution) as stream:
        parsed = [event.parsed for event in stream if event.type == "response.output_text.done"]
        final = stream.get_final_response()
    assert isinstance(final.output_parsed, Solution)
    assert parsed == [final.output_parsed]


def test_a_json_object_can_be_asked_for(http: httpx2.Client) -> None:
    made = create(http, model="demo/assistant", input="Any JSON.", text={"format": {"type": "json_object"}})
    assert isinstance(orjson.loads(text_of(made)), dict)


def test_a_schema_dialect_is_tolerated(http: httpx2.Client) -> None:
    schema = {"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "properties": {}, "required": []}
    form = {"type": "json_schema", "name": "x", "schema": schema, "strict": True}
    assert text_of(create(http, model="demo/assistant", input="x", text={"format": form})) == "{}"


def test_a_broken_schema_is_refused(client: OpenAI) -> None:
    broken = {"type": "json_schema", "name": "x", "schema": {"type": "nonsense"}}
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(model="demo/assistant", input="x", text={"format": broken})  # type: ignore[call-overload]
    assert (caught.value.code, caught.value.param) == ("invalid_json_schema", "text.format.schema")


def test_the_chat_apis_way_to_ask_is_refused_with_a_hint(http: httpx2.Client) -> None:
    status, error = refused(http, model="demo/assistant", input="x", response_format={"type": "json_object"})
    assert (status, error["code"]) == (400, "unknown_parameter")
    assert "text.format" in error["message"]

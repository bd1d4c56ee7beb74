"""A `ModelRequest` as the body of Google's generateContent."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.models import google_request, opaque
from agents.models.base import ModelRequest, Sampling
from shared.items import Item, Json, Part
from tests.agents.models.examples import call, entries, output, user

WIRE = "google:test"
NEW, FLASH, OLD, PLAIN = "gemini-3.1-pro-preview", "gemini-3.8-flash", "gemini-2.5-flash", "gemma-4"
TOOL: Json = {
    "type": "function",
    "name": "f",
    "description": "Do.",
    "parameters": {"$schema": "x", "type": "object", "properties": {"a": {"const": 1}}, "required": ["a"]},
}
FORM: Json = {
    "format": {"type": "json_schema", "name": "out", "schema": {"type": "object", "properties": {"a": {"type": "string"}}}}
}


def body(model: str = NEW, items: list[Item] | None = None, **fields: Any) -> Json:
    return google_request.build(ModelRequest(model=model, items=items or [user("hi")], **fields), wire=WIRE)


def config(model: str = NEW, **fields: Any) -> Json:
    made: Json = body(model, **fields).get("generationConfig", {})
    return made


def signature(call_id: str) -> Item:
    return {
        "type": "reasoning",
        "summary": [],
        "encrypted_content": opaque.seal(WIRE, {"call_id": call_id, "signature": f"sig-{call_id}"}),
    }


def test_the_least_request_is_its_contents() -> None:
    assert body() == {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}


def test_instructions_and_system_messages_become_the_system_instruction() -> None:
    made = body(items=[{"role": "system", "content": "two"}, user("hi")], instructions="one")
    assert made["systemInstruction"] == {"parts": [{"text": "one"}, {"text": "two"}]}


@given(st.lists(entries, max_size=12))
def test_any_items_make_alternating_contents_in_which_every_call_is_answered_at_once(items: list[Item]) -> None:
    contents = google_request.build(ModelRequest(model=NEW, items=items), wire=WIRE)["contents"]
    assert [content["role"] for content in contents] == ["user", "model"] * (len(contents) // 2) + ["user"]
    for said, answer in pairwise(contents):
        called = [part["functionCall"]["id"] for part in said["parts"] if "functionCall" in part]
        assert [part["functionResponse"]["id"] for part in answer["parts"] if "functionResponse" in part] == called
    assert all(content["parts"] for content in contents)


def test_a_signature_goes_back_onto_the_call_that_it_was_sealed_for() -> None:
    items = [user("hi"), signature("a"), call("a"), call("b"), output("a"), output("b"), signature("c"), call("c"), output("c")]
    made = body(items=items)["contents"]
    signatures = [[part.get("thoughtSignature") for part in content["parts"]] for content in made if content["role"] == "model"]
    assert signatures == [["sig-a", None], ["sig-c"]]


def test_the_first_call_of_another_model_gets_the_signature_that_stands_for_none() -> None:
    made = body(items=[user("hi"), call("a"), call("b"), output("a"), output("b")])["contents"][1]["parts"]
    assert [part.get("thoughtSignature") for part in made] == ["skip_thought_signature_validator", None]


def test_older_models_need_no_signature() -> None:
    assert body(OLD, items=[user("hi"), call("a"), output("a")])["contents"][1]["parts"] == [
        {"functionCall": {"id": "a", "name": "f", "args": {}}}
    ]


@pytest.mark.parametrize(
    "content",
    [
        None,
        "a client's own",
        opaque.seal("google:another", {"call_id": "a", "signature": "s"}),
        opaque.seal(WIRE, {"call_id": 1}),
    ],
)
def test_a_signature_that_this_provider_did_not_seal_is_left_out(content: str | None) -> None:
    items = [user("hi"), {"type": "reasoning", "encrypted_content": content}, call("a"), output("a")]
    assert body(OLD, items=items)["contents"][1]["parts"] == [{"functionCall": {"id": "a", "name": "f", "args": {}}}]


def test_an_output_of_parts_keeps_its_image() -> None:
    shown: Item = output("a") | {
        "output": [{"type": "input_text", "text": "see"}, {"type": "input_image", "image_url": "data:image/png;base64,AAAA"}]
    }
    assert body(items=[user("hi"), call("a"), shown])["contents"][-1]["parts"] == [
        {
            "functionResponse": {
                "id": "a",
                "name": "f",
                "response": {"output": "see"},
                "parts": [{"inlineData": {"mimeType": "image/png", "data": "AAAA"}}],
            }
        }
    ]


def test_a_call_without_an_output_is_answered_by_an_error() -> None:
    assert "error" in body(items=[user("hi"), call("a")])["contents"][-1]["parts"][0]["functionResponse"]["response"]


@pytest.mark.parametrize(
    ("part", "made"),
    [
        ({"type": "input_text", "text": "hi"}, {"text": "hi"}),
        (
            {"type": "input_image", "image_url": "data:image/webp;base64,AAAA"},
            {"inlineData": {"mimeType": "image/webp", "data": "AAAA"}},
        ),
        (
            {"type": "input_image", "image_url": "https://x.test/a.jpg"},
            {"fileData": {"mimeType": "image/jpeg", "fileUri": "https://x.test/a.jpg"}},
        ),
        (
            {"type": "input_file", "file_data": "AAAA", "filename": "a.pdf"},
            {"inlineData": {"mimeType": "application/pdf", "data": "AAAA"}},
        ),
        (
            {"type": "input_file", "file_id": "files/abc", "filename": "a.pdf"},
            {
                "fileData": {
                    "mimeType": "application/pdf",
                    "fileUri": "https://generativelanguage.googleapis.com/v1beta/files/abc",
                }
            },
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
            {"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}},
        ),
    ],
)
def test_each_kind_of_part_is_translated(part: Part, made: Json) -> None:
    assert body(items=[{"role": "user", "content": [part]}])["contents"][0]["parts"] == [made]


def test_tools_are_declared_with_a_schema_that_the_wire_knows() -> None:
    assert body(tools=[TOOL, {"type": "web_search"}])["tools"] == [
        {
            "functionDeclarations": [
                {
                    "name": "f",
                    "description": "Do.",
                    "parametersJsonSchema": {"type": "object", "properties": {"a": {"enum": [1]}}, "required": ["a"]},
                }
            ]
        }
    ]


def test_a_tool_without_parameters_is_declared_without_a_schema() -> None:
    declared = body(tools=[{"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}}])["tools"]
    assert declared == [{"functionDeclarations": [{"name": "f", "description": "f"}]}]


def test_a_custom_tool_is_a_function_of_one_string() -> None:
    item = {"type": "custom_tool_call", "call_id": "c", "name": "sh", "input": "ls"}
    made = body(items=[user("hi"), item], tools=[{"type": "custom", "name": "sh"}])
    assert made["contents"][1]["parts"][0]["functionCall"]["args"] == {"input": "ls"}
    assert made["tools"][0]["functionDeclarations"][0]["parametersJsonSchema"]["required"] == ["input"]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", {"mode": "AUTO"}),
        ("none", {"mode": "NONE"}),
        ("required", {"mode": "ANY"}),
        ({"type": "function", "name": "f"}, {"mode": "ANY", "allowedFunctionNames": ["f"]}),
    ],
)
def test_the_tool_choice_is_translated(choice: str | Json, expected: Json) -> None:
    assert body(tools=[TOOL], tool_choice=choice)["toolConfig"] == {"functionCallingConfig": expected}


def test_structured_output_is_a_schema_of_the_answer() -> None:
    assert config(text=FORM) == {"responseMimeType": "application/json", "responseJsonSchema": FORM["format"]["schema"]}


def test_a_json_object_is_only_a_type() -> None:
    assert config(text={"format": {"type": "json_object"}}) == {"responseMimeType": "application/json"}


def test_older_models_with_tools_are_told_the_schema_in_words() -> None:
    made = body(OLD, text=FORM, tools=[TOOL])
    assert "generationConfig" not in made
    assert '{"type":"object","properties":{"a":{"type":"string"}}}' in made["systemInstruction"]["parts"][0]["text"]


@pytest.mark.parametrize(
    ("model", "reasoning", "expected"),
    [
        (NEW, {"effort": "high"}, {"thinkingLevel": "high"}),
        (NEW, {"effort": "max"}, {"thinkingLevel": "high"}),
        (NEW, {"effort": "none"}, {"thinkingLevel": "low"}),
        (FLASH, {"effort": "none"}, {"thinkingLevel": "minimal"}),
        (FLASH, {"effort": "low", "summary": "auto"}, {"thinkingLevel": "low", "includeThoughts": True}),
        (OLD, {"effort": "medium"}, {"thinkingBudget": 8192}),
        (OLD, {"effort": "none", "summary": "auto"}, {"thinkingBudget": 0}),
        (OLD, {"effort": "medium", "budget_tokens": 5000}, {"thinkingBudget": 5000}),
        ("gemini-2.5-pro", {"effort": "none"}, {"thinkingBudget": 128}),
        ("gemini-pro-latest", {"effort": "low"}, {"thinkingLevel": "low"}),
        ("gemini-2.0-flash", {"effort": "high"}, None),
        (PLAIN, {"effort": "high", "summary": "auto"}, None),
        (NEW, {}, None),
    ],
)
def test_reasoning_is_asked_for_in_the_words_of_the_generation(model: str, reasoning: Json, expected: Json | None) -> None:
    assert config(model, reasoning=reasoning).get("thinkingConfig") == expected


def test_sampling_keeps_what_the_client_gave_and_nothing_else() -> None:
    given = Sampling(
        temperature=0.0, top_p=0.5, top_k=3, presence_penalty=0.1, frequency_penalty=0.2, max_output_tokens=9, stop=("X",)
    )
    assert config(sampling=given) == {
        "temperature": 0.0,
        "topP": 0.5,
        "topK": 3,
        "presencePenalty": 0.1,
        "frequencyPenalty": 0.2,
        "maxOutputTokens": 9,
        "stopSequences": ["X"],
    }

"""A `ModelRequest` as the body of Anthropic's Messages API."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.models import anthropic_request, opaque
from agents.models.anthropic_model import Generation, generation
from agents.models.base import ModelError, ModelRequest, Sampling
from shared.items import Item, Json, Part
from tests.agents.models.examples import call, entries, output, user

WIRE = "anthropic:test"
NEW, OLD, OTHER = "claude-opus-5", "claude-3-5-haiku-20241022", "some-model"
TOOL: Json = {
    "type": "function",
    "name": "f",
    "description": "Do.",
    "parameters": {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}, "required": ["n"]},
    "strict": True,
}
FORM: Json = {
    "format": {"type": "json_schema", "name": "out", "schema": {"type": "object", "properties": {"a": {"type": "string"}}}}
}


def body(model: str = NEW, items: list[Item] | None = None, **fields: Any) -> Json:
    return anthropic_request.build(ModelRequest(model=model, items=items or [user("hi")], **fields), wire=WIRE)


def parts(*given: Part) -> list[Json]:
    """Send one user message of these parts; return the blocks that they became."""
    blocks: list[Json] = body(items=[{"role": "user", "content": list(given)}])["messages"][0]["content"]
    return blocks


def reasoning(**block: str) -> Item:
    return {"type": "reasoning", "summary": [], "encrypted_content": opaque.seal(WIRE, {"blocks": [block]})}


def test_the_least_request_holds_what_the_wire_demands() -> None:
    assert body() == {
        "model": NEW,
        "max_tokens": 32_000,
        "stream": True,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
    }


def test_instructions_and_system_messages_become_the_system_prompt() -> None:
    made = body(items=[{"role": "developer", "content": "two"}, user("hi")], instructions="one")
    assert made["system"] == [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    assert len(made["messages"]) == 1


@given(st.lists(entries, max_size=12))
def test_any_items_make_alternating_messages_in_which_every_tool_use_is_answered_at_once(items: list[Item]) -> None:
    messages = anthropic_request.build(ModelRequest(model=NEW, items=items), wire=WIRE)["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant"] * (len(messages) // 2) + ["user"]
    for said, answer in pairwise(messages):
        used = [block["id"] for block in said["content"] if block["type"] == "tool_use"]
        assert [block.get("tool_use_id") for block in answer["content"][: len(used)]] == used
    assert all(message["content"] for message in messages)


def test_a_tool_loop_keeps_thinking_call_and_result_in_their_places() -> None:
    items = [user("hi"), reasoning(type="thinking", thinking="hm", signature="s"), call("c:1"), output("c:1", "42")]
    assert body(items=items)["messages"][1:] == [
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "s"},
                {"type": "tool_use", "id": "c_1", "name": "f", "input": {}},
            ],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c_1", "content": "42"}]},
    ]


@pytest.mark.parametrize(
    "content",
    [
        None,
        "a client's own",
        opaque.seal("anthropic:another", {"blocks": [{"type": "thinking"}]}),
        opaque.seal(WIRE, {"blocks": [{"type": "tool_use"}, "x"]}),
        opaque.seal(WIRE, {"blocks": 1}),
    ],
    ids=["none", "foreign", "another provider's", "forged blocks", "no blocks"],
)
def test_reasoning_that_this_provider_did_not_seal_is_left_out(content: str | None) -> None:
    items = [
        user("hi"),
        {"type": "reasoning", "summary": [], "encrypted_content": content},
        {"role": "assistant", "content": "yes"},
    ]
    assert body(items=items)["messages"][1]["content"] == [{"type": "text", "text": "yes"}]


def test_a_call_without_an_output_is_answered_as_an_error() -> None:
    result = body(items=[user("hi"), call("c")])["messages"][-1]["content"][0]
    assert (result["tool_use_id"], result["is_error"]) == ("c", True)


def test_an_output_of_parts_keeps_its_image() -> None:
    answer = {
        "type": "function_call_output",
        "call_id": "c",
        "output": [{"type": "input_text", "text": "see"}, {"type": "input_image", "image_url": "https://x.test/a.png"}],
    }
    assert body(items=[user("hi"), call("c"), answer])["messages"][-1]["content"][0]["content"] == [
        {"type": "text", "text": "see"},
        {"type": "image", "source": {"type": "url", "url": "https://x.test/a.png"}},
    ]


def test_a_custom_tool_is_a_function_of_one_string() -> None:
    item = {"type": "custom_tool_call", "call_id": "c", "name": "sh", "input": "ls"}
    made = body(items=[user("hi"), item], tools=[{"type": "custom", "name": "sh", "description": "Run."}])
    assert made["messages"][1]["content"][0]["input"] == {"input": "ls"}
    assert made["tools"][0]["input_schema"]["properties"] == {"input": {"type": "string"}}


@pytest.mark.parametrize(
    ("part", "block"),
    [
        ({"type": "input_text", "text": "hi"}, {"type": "text", "text": "hi"}),
        ({"type": "refusal", "refusal": "no"}, {"type": "text", "text": "no"}),
        (
            {"type": "input_text", "text": "hi", "cache_control": {"type": "ephemeral"}},
            {"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}},
        ),
        (
            {"type": "input_image", "image_url": "data:image/png;base64,AAAA"},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
        ),
        ({"type": "input_image", "file_id": "f"}, {"type": "image", "source": {"type": "file", "file_id": "f"}}),
        (
            {"type": "input_file", "file_data": "data:application/pdf;base64,AAAA", "filename": "a.pdf"},
            {
                "type": "document",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "AAAA"},
                "title": "a.pdf",
            },
        ),
        (
            {"type": "input_file", "file_data": "aGk=", "mime_type": "text/csv"},
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "hi"}},
        ),
        (
            {"type": "input_file", "file_url": "https://x.test/a.pdf"},
            {"type": "document", "source": {"type": "url", "url": "https://x.test/a.pdf"}},
        ),
        ({"type": "input_file", "file_id": "f"}, {"type": "document", "source": {"type": "file", "file_id": "f"}}),
    ],
)
def test_each_kind_of_part_becomes_its_block(part: Part, block: Json) -> None:
    assert parts(part) == [block]


def test_empty_text_is_left_out_because_the_wire_refuses_it() -> None:
    assert parts({"type": "input_text", "text": " "}, {"type": "input_text", "text": "hi"}) == [{"type": "text", "text": "hi"}]


def test_audio_is_refused_with_a_sentence() -> None:
    with pytest.raises(ModelError, match="cannot read audio/wav"):
        parts({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}})


@pytest.mark.parametrize(
    ("choice", "parallel", "expected"),
    [
        ("auto", True, {"type": "auto"}),
        ("auto", False, {"type": "auto", "disable_parallel_tool_use": True}),
        ("none", False, {"type": "none"}),
        ("required", True, {"type": "any"}),
        ({"type": "function", "name": "f"}, False, {"type": "tool", "name": "f", "disable_parallel_tool_use": True}),
    ],
)
def test_the_tool_choice_is_translated(choice: str | Json, parallel: bool, expected: Json) -> None:
    assert body(tools=[TOOL], tool_choice=choice, parallel_tool_calls=parallel)["tool_choice"] == expected


def test_without_tools_there_is_no_tool_choice() -> None:
    assert "tool_choice" not in body(tool_choice="required", tools=[{"type": "web_search"}])


def test_a_strict_tool_is_held_to_a_schema_that_the_wire_knows() -> None:
    (tool,) = body(tools=[TOOL])["tools"]
    assert tool["strict"] is True
    assert tool["input_schema"]["additionalProperties"] is False
    assert tool["input_schema"]["properties"]["n"] == {"type": "integer", "description": '{"minimum":1}'}


@pytest.mark.parametrize(("model", "count"), [(OLD, 1), (OTHER, 1), (NEW, 21)])
def test_tools_are_not_held_to_their_schemas_where_the_wire_cannot(model: str, count: int) -> None:
    assert all("strict" not in tool for tool in body(model, tools=[TOOL | {"name": f"f{n}"} for n in range(count)])["tools"])


def test_structured_output_is_native_where_the_model_knows_it() -> None:
    made = body(text=FORM)
    schema = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}
    assert made["output_config"] == {"format": {"type": "json_schema", "schema": schema}}
    assert "tools" not in made


def test_structured_output_is_a_forced_tool_where_the_model_does_not_know_it() -> None:
    made = body(OLD, text=FORM)
    assert [tool["name"] for tool in made["tools"]] == ["out"]
    assert made["tool_choice"] == {"type": "tool", "name": "out"}


def test_beside_other_tools_the_model_may_choose_when_to_give_its_structured_answer() -> None:
    made = body(OLD, text=FORM, tools=[TOOL])
    assert [tool["name"] for tool in made["tools"]] == ["f", "out"]
    assert made["tool_choice"] == {"type": "any"}


def test_a_json_object_is_asked_for_in_words() -> None:
    assert "JSON object" in body(text={"format": {"type": "json_object"}})["system"][0]["text"]


@pytest.mark.parametrize(
    ("model", "reasoning", "fields"),
    [
        (NEW, {}, {}),
        (NEW, {"effort": "high"}, {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}),
        (NEW, {"effort": "minimal"}, {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}),
        (NEW, {"effort": "none"}, {"thinking": {"type": "disabled"}}),
        (NEW, {"summary": "auto"}, {"thinking": {"type": "adaptive", "display": "summarized"}}),
        ("claude-fable-5", {"effort": "none"}, {}),
        ("claude-opus-4-6", {"effort": "xhigh"}, {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}),
        ("claude-sonnet-4-5", {"effort": "medium"}, {"thinking": {"type": "enabled", "budget_tokens": 8192}}),
        ("claude-sonnet-4-5", {"summary": "auto"}, {}),
        ("claude-sonnet-4-5", {"effort": "none"}, {}),
        (OTHER, {"effort": "max"}, {"thinking": {"type": "enabled", "budget_tokens": 7168}}),
        (OLD, {"effort": "high"}, {}),
    ],
)
def test_reasoning_is_asked_for_in_the_words_of_the_generation(model: str, reasoning: Json, fields: Json) -> None:
    made = body(model, reasoning=reasoning)
    assert {name: made[name] for name in ("thinking", "output_config") if name in made} == fields


def test_a_budget_leaves_room_for_the_answer_or_is_not_given() -> None:
    def budget(most: int) -> Json | None:
        sampling = Sampling(max_output_tokens=most)
        thinking: Json | None = body("claude-sonnet-4-5", reasoning={"effort": "high"}, sampling=sampling).get("thinking")
        return thinking

    assert budget(3000) == {"type": "enabled", "budget_tokens": 1976}
    assert budget(2000) is None


@pytest.mark.parametrize(("asked", "given"), [(5000, 5000), (100, 1024)])
def test_a_budget_that_the_client_names_is_given_if_the_wire_allows_it(asked: int, given: int) -> None:
    made = body("claude-sonnet-4-5", reasoning={"effort": "medium", "budget_tokens": asked})
    assert made["thinking"] == {"type": "enabled", "budget_tokens": given}


def test_a_turn_that_began_without_a_thought_goes_on_without_thinking() -> None:
    loop = [user("hi"), call("c1"), output("c1")]
    assert "thinking" not in body("claude-sonnet-4-5", items=loop, reasoning={"effort": "low"})
    thought = reasoning(type="thinking", thinking="hm", signature="s")
    assert "thinking" in body("claude-sonnet-4-5", items=[loop[0], thought, *loop[1:]], reasoning={"effort": "low"})


def test_a_system_message_keeps_where_the_cache_may_cut() -> None:
    mark = {"type": "ephemeral"}
    told = [{"type": "input_text", "text": "long", "cache_control": mark}, {"type": "input_text", "text": "short"}]
    made = body(items=[{"role": "system", "content": told}, user("hi")])["system"]
    assert made == [{"type": "text", "text": "long", "cache_control": mark}, {"type": "text", "text": "short"}]


@pytest.mark.parametrize(
    ("mark", "cut"),
    [
        ({"mode": "explicit"}, {"type": "ephemeral"}),
        ({"mode": "explicit", "ttl": "30m"}, {"type": "ephemeral", "ttl": "1h"}),
        ("explicit", None),
    ],
)
def test_openais_word_for_a_cut_of_the_cache_is_understood(mark: Any, cut: Json | None) -> None:
    (block,) = parts({"type": "input_text", "text": "hi", "prompt_cache_breakpoint": mark})
    assert block.get("cache_control") == cut


def test_a_forced_call_is_not_thought_about() -> None:
    assert body(tools=[TOOL], tool_choice="required", reasoning={"effort": "high"})["thinking"] == {"type": "disabled"}


@pytest.mark.parametrize(
    ("model", "sampling", "fields"),
    [
        ("claude-opus-4-6", Sampling(temperature=1.7, top_k=5), {"temperature": 1.0, "top_k": 5}),
        ("claude-opus-4-6", Sampling(temperature=0.0, top_p=0.5), {"temperature": 0.0}),
        (OTHER, Sampling(top_p=0.5), {"top_p": 0.5}),
        (NEW, Sampling(temperature=0.5, top_p=0.5, top_k=5), {}),
        (NEW, Sampling(stop=("END",), max_output_tokens=50), {"stop_sequences": ["END"], "max_tokens": 50}),
    ],
)
def test_sampling_is_given_to_the_models_that_allow_it(model: str, sampling: Sampling, fields: Json) -> None:
    bare = body(model)
    assert {name: value for name, value in body(model, sampling=sampling).items() if bare.get(name) != value} == fields


def test_a_model_that_thinks_is_not_given_sampling() -> None:
    assert "temperature" not in body("claude-opus-4-6", sampling=Sampling(temperature=0.2), reasoning={"effort": "low"})


@pytest.mark.parametrize(
    ("passthrough", "fields"),
    [
        ({"safety_identifier": "u1", "user": "u2"}, {"metadata": {"user_id": "u1"}}),
        ({"user": "u2"}, {"metadata": {"user_id": "u2"}}),
        ({"service_tier": "default"}, {"service_tier": "standard_only"}),
        ({"service_tier": "flex"}, {}),
        ({"prompt_cache_key": "k"}, {"cache_control": {"type": "ephemeral"}}),
        ({"cache_control": {"type": "ephemeral", "ttl": "1h"}}, {"cache_control": {"type": "ephemeral", "ttl": "1h"}}),
        ({"include": ["x"], "metadata": {"a": "b"}}, {}),
    ],
)
def test_fields_that_pass_through_become_what_the_wire_calls_them(passthrough: Json, fields: Json) -> None:
    bare = body()
    assert {name: value for name, value in body(passthrough=passthrough).items() if bare.get(name) != value} == fields


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("claude-opus-4-8", Generation((4, 8))),
        ("claude-sonnet-4-20250514", Generation((4, 0))),
        ("claude-haiku-4-5-20251001", Generation((4, 5))),
        ("claude-3-7-sonnet-20250219", Generation((3, 7))),
        ("claude-3-opus-20240229", Generation((3, 0))),
        ("anthropic.claude-sonnet-5-5", Generation((5, 5))),
        ("claude-fable-5-2", Generation((5, 2), always_thinks=True)),
        ("claude-mythos-preview", Generation((99, 0), always_thinks=True)),
        ("deepseek-chat", Generation(None)),
    ],
)
def test_a_generation_is_read_from_a_name(model: str, expected: Generation) -> None:
    assert generation(model) == expected


@pytest.mark.parametrize(("model", "most"), [(NEW, 32_000), (OLD, 8192), ("claude-3-opus-20240229", 4096), (OTHER, 8192)])
def test_the_demanded_limit_of_output_fits_the_model(model: str, most: int) -> None:
    assert body(model)["max_tokens"] == most

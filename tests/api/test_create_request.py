"""What real clients send comes out in one shape, and the echo has every key that strict clients read."""

from typing import Any

import orjson
import pytest
from openai.types.responses import Response
from openresponses_types import ResponseResource

from agents.models.base import Sampling
from api.create.fields import FIELDS, Effect, as_markdown
from api.create.request import CreateRequest, Limits, RunLimits, parse

FUNCTION = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}}


def accepted(**fields: Any) -> CreateRequest:
    return parse(orjson.dumps({"model": "demo/echo", "input": "hi", **fields}), limits=Limits())


def item(given: dict[str, Any]) -> dict[str, Any]:
    return accepted(input=[given]).items[0]


def without_id(given: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if name != "id"}


def test_a_string_becomes_one_user_message() -> None:
    (message,) = accepted(input="hi").items
    assert message["id"].startswith("msg_")
    assert without_id(message) == {
        "type": "message",
        "status": "completed",
        "role": "user",
        "content": [{"type": "input_text", "text": "hi"}],
    }


@pytest.mark.parametrize(
    "given",
    [
        {"content": "hi", "role": "user", "type": "message"},
        {"content": "hi", "role": "user"},
        {"role": "user", "content": [{"type": "input_text", "text": "hi"}]},
        {"role": "user", "content": "hi", "id": None, "type": None, "status": None},
    ],
)
def test_every_way_to_write_a_message_means_the_same(given: dict[str, Any]) -> None:
    assert without_id(item(given)) == without_id(accepted(input="hi").items[0])


def test_an_assistants_string_becomes_output_text_with_the_lists_that_clients_iterate_over() -> None:
    assert item({"role": "assistant", "content": "Hello"})["content"] == [
        {"type": "output_text", "text": "Hello", "annotations": [], "logprobs": []}
    ]


def test_a_function_call_without_an_id_is_given_one() -> None:
    call = item({"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"})
    assert call["id"].startswith("fc_")
    assert without_id(call) == {
        "type": "function_call",
        "call_id": "call_1",
        "name": "f",
        "arguments": "{}",
        "status": "completed",
    }


@pytest.mark.parametrize("given", [{"id": "msg_1"}, {"id": "msg_1", "type": None}, {"id": "msg_1", "type": "item_reference"}])
def test_a_reference_is_kept_for_the_store(given: dict[str, Any]) -> None:
    assert item(given) == {"type": "item_reference", "id": "msg_1"}


def test_an_id_that_the_client_made_is_kept() -> None:
    assert item({"role": "user", "content": "x", "id": "msg_0f-1"})["id"] == "msg_0f-1"


def test_members_that_no_schema_lists_come_through() -> None:
    given = {
        "type": "message",
        "role": "assistant",
        "phase": "commentary",
        "x": {"y": [1]},
        "content": [{"type": "output_text", "text": "", "annotations": [{"type": "url_citation"}], "z": 1}],
    }
    message = item(given)
    assert (message["phase"], message["x"]) == ("commentary", {"y": [1]})
    assert message["content"][0]["annotations"] == [{"type": "url_citation"}]
    assert message["content"][0]["z"] == 1


def test_an_output_may_be_a_list_of_parts() -> None:
    parts = [{"type": "input_text", "text": "x"}, {"type": "input_image", "file_id": "file_1"}]
    assert item({"type": "function_call_output", "call_id": "c", "output": parts})["output"] == [
        {"type": "input_text", "text": "x"},
        {"type": "input_image", "file_id": "file_1", "image_url": None, "detail": "auto"},
    ]


def test_reasoning_comes_back_verbatim() -> None:
    given: dict[str, Any] = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "abc", "content": None}
    assert item(given) == given


OTHERS: list[dict[str, Any]] = [
    {"type": "custom_tool_call", "call_id": "c", "name": "n", "input": "x"},
    {"type": "custom_tool_call_output", "call_id": "c", "output": "x"},
    {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search"}},
    {"type": "mcp_list_tools", "server_label": "s", "tools": [{"name": "t"}]},
    {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": "…"},
    {"type": "local_shell_call_output", "id": "lsh_1", "output": "{}"},
    {"type": "compaction", "encrypted_content": "x"},
    {"type": "orq:current_date", "call_id": "c", "name": "orq_current_date", "arguments": "{}", "result": {"date": "…"}},
    {"role": "user", "content": [{"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AA=="}]},
    {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}]},
]


@pytest.mark.parametrize("given", OTHERS)
def test_other_items_come_through_with_an_id(given: dict[str, Any]) -> None:
    accepted_item = item(given)
    assert accepted_item.items() >= given.items()
    assert accepted_item["id"]


def test_nul_characters_are_replaced_since_no_database_text_can_hold_them() -> None:
    assert item({"role": "user", "content": "a\0b"})["content"][0]["text"] == "a\ufffdb"


def test_a_codex_request_is_accepted() -> None:
    request = accepted(
        stream=True,
        store=False,
        include=["reasoning.encrypted_content"],
        tool_choice="auto",
        parallel_tool_calls=True,
        reasoning={"summary": "auto"},
        prompt_cache_key="thread-1",
        client_metadata={"a": "b"},
        tools=[
            {"type": "function", "name": "shell", "description": "", "strict": False, "parameters": {"type": "object"}},
            {"type": "namespace", "name": "n", "description": None, "tools": [{**FUNCTION, "name": "shell"}]},
            {"type": "web_search", "external_web_access": True},
        ],
        input=[{"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "x"}]}],
    )
    assert (request.stream, request.store, request.include) == (True, False, ["reasoning.encrypted_content"])
    assert [tool["type"] for tool in request.body["tools"]] == ["function", "namespace", "web_search"]
    assert request.body["reasoning"] == {"effort": None, "summary": "auto"}
    assert request.passthrough == {"prompt_cache_key": "thread-1", "include": ["reasoning.encrypted_content"]}


FINISHED = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "completed_at": None,
    "status": "queued",
    "error": None,
    "incomplete_details": None,
    "output": [],
    "usage": None,
}

ECHOED: list[dict[str, Any]] = [
    {},
    {"tools": [FUNCTION], "tool_choice": {"type": "function", "name": "f"}},
    {"tools": [{**FUNCTION, "strict": True, "description": "x"}], "tool_choice": "required"},
    {"tools": [FUNCTION], "tool_choice": {"type": "allowed_tools", "tools": [{"type": "function", "name": "f"}]}},
    {"text": {"format": {"type": "json_object"}, "verbosity": "low"}, "reasoning": {"effort": "high", "summary": "detailed"}},
    {"temperature": 0, "top_p": 1, "presence_penalty": -2, "frequency_penalty": 2, "top_logprobs": 5, "truncation": "auto"},
    {"background": True, "metadata": {"a": "b"}, "service_tier": "flex", "safety_identifier": "s", "prompt_cache_key": "k"},
    {"instructions": "x", "max_output_tokens": 16, "max_tool_calls": 1, "previous_response_id": "resp_0", "user": "u"},
    {"identity": {"id": "i", "tags": ["t"], "metadata": [{"a": 1}]}, "thread": {"id": "t", "tags": None}},
]


@pytest.mark.parametrize("fields", ECHOED)
def test_the_echo_completes_a_response_of_the_open_specification(fields: dict[str, Any]) -> None:
    body = accepted(**fields).body
    ResponseResource.model_validate_json(orjson.dumps({**FINISHED, **body}))
    Response.model_validate({**FINISHED, **body}, strict=True)


def test_the_echo_has_every_key_with_its_default() -> None:
    assert accepted().body == {
        "background": False,
        "conversation": None,
        "frequency_penalty": 0.0,
        "identity": None,
        "instructions": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "metadata": {},
        "model": "demo/echo",
        "parallel_tool_calls": True,
        "presence_penalty": 0.0,
        "previous_response_id": None,
        "prompt": None,
        "prompt_cache_key": None,
        "prompt_cache_retention": None,
        "reasoning": {"effort": None, "summary": None},
        "safety_identifier": None,
        "service_tier": "default",
        "store": True,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "thread": None,
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
        "user": None,
    }


def test_null_is_as_good_as_absent_for_every_field() -> None:
    nulls: dict[str, Any] = {name: None for name in FIELDS if name not in {"model", "input"}}
    assert accepted(**nulls).body == accepted().body


def test_sampling_holds_only_what_the_client_gave() -> None:
    assert accepted().sampling == Sampling()
    assert accepted(temperature=0, top_k=3, stop_sequences=["END"]).sampling == Sampling(
        temperature=0.0, top_k=3, stop=("END",)
    )


def test_a_function_is_echoed_with_every_key_and_an_undecided_strict() -> None:
    assert accepted(tools=[FUNCTION]).body["tools"] == [{**FUNCTION, "description": None, "strict": None}]


def test_a_json_schema_format_is_echoed_with_every_key() -> None:
    schema = {"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "properties": {}}
    given = {"type": "json_schema", "name": "answer", "schema": schema}
    assert accepted(text={"format": given}).body["text"] == {
        "format": {**given, "description": None, "strict": False},
        "verbosity": "medium",
    }


def test_verbosity_may_stand_at_the_top() -> None:
    assert accepted(verbosity="low").body["text"]["verbosity"] == "low"


def test_choosing_a_server_tool_chooses_the_function_that_models_see() -> None:
    request = accepted(tools=[{"type": "orq:datetime"}], tool_choice={"type": "orq:datetime"})
    assert request.body["tool_choice"] == {"type": "function", "name": "orq_datetime"}


def test_a_choice_may_name_a_function_of_a_namespace() -> None:
    tools = [{"type": "namespace", "name": "n", "tools": [FUNCTION]}]
    assert accepted(tools=tools, tool_choice={"type": "function", "name": "f"}).body["tool_choice"]["name"] == "f"


def test_an_agents_tools_are_not_known_here() -> None:
    assert accepted(model="agent/a", tool_choice={"type": "function", "name": "f"}).body["tool_choice"]["name"] == "f"


@pytest.mark.parametrize(
    ("model", "provider", "name", "agent"),
    [
        ("openai/gpt-5", "openai", "gpt-5", None),
        ("hub/meta/llama", "hub", "meta/llama", None),
        ("agent/refund", "agent", "refund", ("refund", None)),
        ("agent/refund@1.2.0", "agent", "refund@1.2.0", ("refund", "1.2.0")),
    ],
)
def test_a_model_is_a_provider_and_a_name_or_an_agent(model: str, provider: str, name: str, agent: object) -> None:
    request = accepted(model=model)
    assert (request.provider, request.model_name, request.agent) == (provider, name, agent)


def test_identity_and_thread_may_stand_under_orq() -> None:
    nested = accepted(orq={"identity": {"id": "i"}, "thread": {"id": "t", "tags": ["a"]}})
    assert (nested.identity, nested.thread) == ({"id": "i"}, {"id": "t", "tags": ["a"]})
    assert nested.body["identity"] == {"id": "i"}


def test_limits_have_defaults() -> None:
    assert accepted().limits == RunLimits()
    given = {"max_iterations": 3, "max_execution_time": 60, "max_cost": 0, "max_depth": 2, "tool_timeout": 5}
    assert accepted(limits=given).limits == RunLimits(
        max_iterations=3, max_execution_time=60.0, max_cost=0.0, max_depth=2, tool_timeout=5.0
    )


def test_an_empty_input_continues_a_response() -> None:
    assert accepted(input=[], previous_response_id="resp_1").items == []


@pytest.mark.parametrize("name", ["fallbacks", "plugins", "guardrails", "context_management"])
def test_an_empty_list_of_what_is_not_supported_asks_for_nothing(name: str) -> None:
    assert accepted(**{name: []}).body == accepted().body


def test_requests_share_no_defaults() -> None:
    first, second = accepted(), accepted()
    first.body["metadata"]["a"] = "b"
    first.body["reasoning"]["effort"] = "low"
    assert (second.body["metadata"], second.body["reasoning"]["effort"]) == ({}, None)


def test_every_field_is_documented() -> None:
    table = as_markdown()
    assert all(f"| `{name}` | {field.effect} |" in table for name, field in FIELDS.items())
    assert {field.effect for field in FIELDS.values()} == set(Effect)


def test_items_share_no_defaults() -> None:
    first, second = accepted(input=[{"type": "reasoning"}, {"type": "reasoning"}]).items
    first["summary"].append({"type": "summary_text", "text": "x"})
    assert second["summary"] == []


def test_a_body_may_come_parsed_already() -> None:
    assert parse({"model": "demo/echo", "input": "hi"}, limits=Limits()).body == accepted().body


def test_what_is_passed_to_a_provider_is_echoed_too() -> None:
    given = {
        "service_tier": "flex",
        "safety_identifier": "s",
        "prompt_cache_key": "k",
        "prompt_cache_retention": "24h",
        "prompt_cache_options": {"mode": "explicit"},
        "cache_control": {"type": "ephemeral", "ttl": "1h"},
        "user": "u",
    }
    request = accepted(**given)
    assert request.passthrough == given
    assert request.body.items() >= given.items()
    assert given.keys() == {name for name, field in FIELDS.items() if field.effect is Effect.PASSED}

"""A chat completion's body as a turn: what each member becomes, and what is refused."""

from typing import Any, get_type_hints

import pytest
from openai.types.chat.completion_create_params import CompletionCreateParamsStreaming

from agents.chat import options, request
from agents.models.base import ModelRequest, Sampling, Timeouts
from shared.items import Json
from tests.agents.chat.chatting import refusal, say

F: Json = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
G: Json = {"type": "custom", "custom": {"name": "g"}}
OFFERED_F: Json = {"type": "function", "name": "f", "description": None, "parameters": {"type": "object"}, "strict": None}


def turn(**members: Any) -> ModelRequest:
    return request.read({"messages": say("Hi"), **members}, model="m", timeouts=Timeouts()).turn


def test_the_least_body_leaves_everything_to_the_provider() -> None:
    items = [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}]
    assert turn() == ModelRequest(model="m", items=items)


def test_every_member_of_the_api_is_read_passed_ignored_or_refused() -> None:
    known = {*options.READ, *options.PASSED, *options.IGNORED, *options.REFUSED, "model"}
    assert get_type_hints(CompletionCreateParamsStreaming).keys() <= known


def test_no_member_is_treated_in_two_ways() -> None:
    ways = [*options.READ, *options.PASSED, *options.IGNORED, *options.REFUSED]
    assert len(ways) == len(set(ways))


def test_members_that_are_null_are_not_there() -> None:
    names = {*options.READ, *options.PASSED, *options.IGNORED, *options.REFUSED, "unheard_of"} - {"messages"}
    assert turn(**dict.fromkeys(names)) == turn()


@pytest.mark.parametrize(
    ("members", "sampling"),
    [
        ({"temperature": 0.5, "top_p": 1, "top_k": 5}, Sampling(temperature=0.5, top_p=1, top_k=5)),
        ({"presence_penalty": -1, "frequency_penalty": 1}, Sampling(presence_penalty=-1, frequency_penalty=1)),
        ({"max_tokens": 5}, Sampling(max_output_tokens=5)),
        ({"max_tokens": 5, "max_completion_tokens": 6}, Sampling(max_output_tokens=6)),
        ({"stop": "a"}, Sampling(stop=("a",))),
        ({"stop": ["a", "b"]}, Sampling(stop=("a", "b"))),
    ],
)
def test_sampling_is_read(members: Json, sampling: Sampling) -> None:
    assert turn(**members).sampling == sampling


def test_log_probabilities_are_asked_for() -> None:
    asked = turn(logprobs=True, top_logprobs=2)
    assert asked.sampling.top_logprobs == 2
    assert asked.passthrough == {"include": ["message.output_text.logprobs"]}


def test_what_a_wire_may_forward_is_passed() -> None:
    passed = {"user": "u", "service_tier": "flex", "prompt_cache_key": "k", "cache_control": {"type": "ephemeral"}}
    assert turn(**passed).passthrough == passed


@pytest.mark.parametrize(
    ("members", "reasoning"),
    [
        ({"reasoning_effort": "low"}, {"effort": "low", "summary": "auto"}),
        ({"reasoning_effort": "none"}, {"effort": "none"}),
        ({"reasoning": {"effort": "high", "summary": "detailed"}}, {"effort": "high", "summary": "detailed"}),
        ({"reasoning": {"effort": "high", "exclude": True}}, {"effort": "high"}),
        ({"reasoning": {"enabled": True}}, {"effort": "medium", "summary": "auto"}),
        ({"reasoning": {"enabled": False}}, {"effort": "none"}),
        ({"reasoning": {"max_tokens": 1500}}, {"effort": "low", "summary": "auto", "budget_tokens": 1500}),
        ({"thinking": {"type": "disabled"}}, {"effort": "none"}),
        ({"thinking": {"type": "adaptive"}}, {"effort": "medium", "summary": "auto"}),
        ({"thinking": {"type": "enabled", "thinking_level": "high"}}, {"effort": "high", "summary": "auto"}),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 10_000}},
            {"effort": "high", "summary": "auto", "budget_tokens": 10_000},
        ),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 99_000}},
            {"effort": "max", "summary": "auto", "budget_tokens": 99_000},
        ),
        ({"reasoning": {}}, {}),
    ],
)
def test_how_hard_to_think_is_read_in_all_the_ways_that_clients_say_it(members: Json, reasoning: Json) -> None:
    assert turn(**members).reasoning == reasoning


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"verbosity": "low"}, {"verbosity": "low"}),
        ({"response_format": {"type": "text"}}, {"format": {"type": "text"}}),
        ({"response_format": {"type": "json_object"}}, {"format": {"type": "json_object"}}),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"a": 1}, "strict": True}}},
            {"format": {"type": "json_schema", "name": "n", "schema": {"a": 1}, "strict": True}},
        ),
    ],
)
def test_the_format_of_the_answer_is_read(members: Json, text: Json) -> None:
    assert turn(**members).text == text


def test_tools_are_laid_flat() -> None:
    assert turn(tools=[{**F, "cache_control": {"type": "ephemeral"}}]).tools == [
        {**OFFERED_F, "cache_control": {"type": "ephemeral"}}
    ]


def test_a_custom_tools_grammar_is_laid_flat() -> None:
    grammar = {"syntax": "lark", "definition": "start: WORD"}
    (tool,) = turn(tools=[{"type": "custom", "custom": {"name": "g", "format": {"type": "grammar", "grammar": grammar}}}]).tools
    assert tool["format"] == {"type": "grammar", **grammar}


def test_functions_are_tools_that_are_called_one_at_a_time() -> None:
    asked = request.read(
        {"messages": say("Hi"), "functions": [{"name": "f"}], "function_call": {"name": "f"}}, model="m", timeouts=Timeouts()
    )
    assert asked.functions
    assert asked.turn.tools == [{**OFFERED_F, "parameters": {"type": "object", "properties": {}}}]
    assert asked.turn.tool_choice == {"type": "function", "name": "f"}
    assert not asked.turn.parallel_tool_calls


@pytest.mark.parametrize(
    ("choice", "read"),
    [
        ("auto", "auto"),
        ("none", "none"),
        ("required", "required"),
        ({"type": "function", "function": {"name": "f"}}, {"type": "function", "name": "f"}),
        ({"type": "custom", "custom": {"name": "g"}}, {"type": "custom", "name": "g"}),
    ],
)
def test_the_choice_of_tools_is_read(choice: Any, read: Any) -> None:
    assert turn(tools=[F, G], tool_choice=choice).tool_choice == read


def test_only_allowed_tools_are_offered() -> None:
    allowed = {"mode": "required", "tools": [{"type": "function", "function": {"name": "f"}}]}
    asked = turn(tools=[F, G], tool_choice={"type": "allowed_tools", "allowed_tools": allowed})
    assert (asked.tools, asked.tool_choice) == ([OFFERED_F], "required")


def test_the_choice_of_allowed_tools_is_told_as_responses_have_it() -> None:
    allowed = {"mode": "auto", "tools": [{"type": "function", "function": {"name": "f"}}]}
    assert request.tool_choice({"tool_choice": {"type": "allowed_tools", "allowed_tools": allowed}}) == {
        "type": "allowed_tools",
        "mode": "auto",
        "tools": [{"type": "function", "name": "f"}],
    }


SCHEMA = "response_format.json_schema"


@pytest.mark.parametrize(
    ("members", "named"),
    [
        ({"unheard_of": 1}, "unheard_of"),
        ({"audio": {"voice": "alloy", "format": "mp3"}}, "audio"),
        ({"modalities": ["text", "audio"]}, "modalities[1]"),
        ({"modalities": ["smell"]}, "modalities[0]"),
        ({"web_search_options": {}}, "web_search_options"),
        ({"moderation": {"model": "m"}}, "moderation"),
        ({"temperature": "warm"}, "temperature"),
        ({"top_k": 1.5}, "top_k"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"stop": 5}, "stop"),
        ({"stop": ["a", 5]}, "stop[1]"),
        ({"stop": ["a"] * 17}, "stop"),
        ({"seed": "x"}, "seed"),
        ({"logit_bias": []}, "logit_bias"),
        ({"logprobs": 1}, "logprobs"),
        ({"top_logprobs": 2}, "logprobs"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
        ({"user": 5}, "user"),
        ({"service_tier": []}, "service_tier"),
        ({"cache_control": "x"}, "cache_control"),
        ({"verbosity": "loud"}, "verbosity"),
        ({"reasoning_effort": []}, "reasoning_effort"),
        ({"reasoning": {"effort": "hard"}}, "reasoning.effort"),
        ({"reasoning": {"summary": 5}}, "reasoning.summary"),
        ({"thinking": {"type": "maybe"}}, "thinking.type"),
        ({"thinking": {"budget_tokens": "x"}}, "thinking.budget_tokens"),
        ({"response_format": "json"}, "response_format"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, SCHEMA),
        ({"response_format": {"type": "json_schema", "json_schema": {}}}, f"{SCHEMA}.name"),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": []}}}, f"{SCHEMA}.schema"),
        ({"parallel_tool_calls": "no"}, "parallel_tool_calls"),
        ({"tools": {}}, "tools"),
        ({"tools": [F] * 1025}, "tools"),
        ({"tools": [{"type": "browser"}]}, "tools[0].type"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"tools": [{"type": "function", "function": {"name": "f", "description": 5}}]}, "tools[0].function.description"),
        ({"tools": [{"type": "custom", "custom": {"name": "g", "format": {"type": "x"}}}]}, "tools[0].custom.format.type"),
        ({"functions": [{}]}, "functions[0].name"),
        ({"tool_choice": "perhaps"}, "tool_choice"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": [F], "tool_choice": {"type": "function", "function": {"name": "h"}}}, "tool_choice"),
        ({"tools": [F], "tool_choice": {"type": "function"}}, "tool_choice.function"),
        ({"tool_choice": {"type": "allowed_tools"}}, "tool_choice.allowed_tools"),
        ({"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "x"}}}, "tool_choice.allowed_tools.mode"),
        ({"functions": [{"name": "f"}], "function_call": {}}, "function_call"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(members: Json, named: str) -> None:
    assert f"'{named}'" in refusal(**members)


def test_an_unknown_member_is_not_repeated_in_full() -> None:
    assert len(refusal(**{"x" * 10_000: 1})) < 200

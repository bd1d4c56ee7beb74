"""What a delegated response is asked, and what its end tells the one who waits."""

from typing import Any

import pytest

from agents import delegation
from agents.tools.base import ToolError
from agents.tools.delegates import DELEGATES
from shared.items import Item, Json, text_of

TEAM: Json = {
    "type": "orq:call_sub_agent",
    "agents": [{"key": "writer", "description": "Writes."}, {"key": "critic", "role": "reviewer"}],
}
ADVISOR: Json = {"type": "orq:advisor", "model": "openai/o9"}
SUBAGENT: Json = {"type": "orq:subagent", "model": "openai/mini"}
HISTORY: list[Item] = [
    {"type": "message", "role": "user", "content": "Where is the key?"},
    {"type": "function_call", "call_id": "c1", "name": "look", "arguments": '{"at":"door"}'},
    {"type": "function_call_output", "call_id": "c1", "output": "Nothing there."},
    {"type": "function_call", "call_id": "c2", "name": "orq_advisor", "arguments": "{}"},
]


def asked(spec: Json, arguments: str, history: list[Item] | None = None) -> str:
    [item] = delegation.child(spec, arguments, HISTORY if history is None else history).items
    assert item["role"] == "user"
    return text_of(item)


def test_an_agent_of_the_team_is_asked_with_nothing_but_the_input() -> None:
    child = delegation.child(TEAM, '{"agent_key":"critic","input":"Read this."}', HISTORY)
    assert (child.agent, child.model, child.max_iterations) == ("critic", None, None)
    assert [text_of(item) for item in child.items] == ["Read this."]


@pytest.mark.parametrize("arguments", ['{"agent_key":"stranger","input":"x"}', '{"agent_key":"critic"}', "{}", "["])
def test_a_call_that_does_not_fit_is_explained(arguments: str) -> None:
    with pytest.raises(ToolError, match=r"^The arguments "):
        delegation.child(TEAM, arguments, [])


def test_the_team_is_described_to_the_model() -> None:
    offered = DELEGATES["orq:call_sub_agent"].offer(TEAM)
    assert offered.description.endswith("\n- writer: Writes.\n- critic: reviewer")
    assert offered.parameters["properties"]["agent_key"]["enum"] == ["writer", "critic"]


def test_an_advisor_sees_the_conversation_without_the_call_that_asks_it() -> None:
    text = asked(ADVISOR, '{"question":"What now?"}')
    assert text == (
        '<conversation>\n\nuser: Where is the key?\n\nassistant called look: {"at":"door"}\n\n'
        "result: Nothing there.\n\n</conversation>\n\nThe assistant asks: What now?"
    )


def test_a_transcript_that_is_too_long_keeps_its_end_and_says_so() -> None:
    text = asked(ADVISOR | {"max_transcript_tokens": 20}, '{"question":"What now?"}')
    assert "[What was said before is left out.]" in text
    assert "result: Nothing there." in text
    assert "Where is the key" not in text


def test_a_last_word_that_is_too_long_is_cut_at_its_beginning() -> None:
    history: list[Item] = [{"type": "message", "role": "user", "content": "é" * 1000 + "end"}]
    text = asked(ADVISOR | {"max_transcript_tokens": 10}, '{"question":"?"}', history)
    assert "[…] " in text
    assert text.count("é") < 20
    assert "end\n\n</conversation>" in text


def test_a_transcript_without_a_bound_has_one_all_the_same() -> None:
    history: list[Item] = [{"type": "message", "role": "user", "content": "x" * 1000} for _ in range(1000)]
    text = asked(ADVISOR | {"max_transcript_tokens": 0}, '{"question":"?"}', history)
    assert 140_000 < len(text) < 160_000


def test_a_subagent_is_asked_with_nothing_but_the_task() -> None:
    spec = SUBAGENT | {"system_prompt": "Be a poet.", "output_format": "Three lines."}
    child = delegation.child(spec, '{"task":"Sing."}', HISTORY)
    assert (child.model, child.agent, child.max_iterations) == ("openai/mini", None, 1)
    assert child.instructions == "Be a poet.\n\nAnswer in this form:\nThree lines."
    assert asked(spec, '{"task":"Sing."}') == "Sing."


@pytest.mark.parametrize("spec", [ADVISOR, SUBAGENT])
def test_settings_that_were_not_given_are_the_models_own(spec: Json) -> None:
    arguments = '{"question":"?"}' if spec["type"] == "orq:advisor" else '{"task":"?"}'
    child = delegation.child(spec | {"max_tokens": 0}, arguments, [])
    assert (child.sampling, child.reasoning) == ({}, {})
    assert child.instructions


def test_settings_are_passed_on() -> None:
    spec = SUBAGENT | {"max_tokens": 100, "temperature": 0, "reasoning_effort": "low"}
    child = delegation.child(spec, '{"task":"?"}', [])
    assert child.sampling == {"temperature": 0, "max_output_tokens": 100}
    assert child.reasoning == {"effort": "low"}


MESSAGE: Item = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Here."}]}


def test_a_completed_child_gives_its_last_message() -> None:
    ended = delegation.result(
        "resp_2", "completed", output=[MESSAGE | {"content": "First."}, MESSAGE], error=None, incomplete_details=None
    )
    assert ended == ({"response_id": "resp_2", "status": "completed", "output": "Here."}, None)


@pytest.mark.parametrize(
    ("status", "about", "sentence"),
    [
        (
            "failed",
            {"error": {"message": "The model is gone."}},
            "The delegated response r ended as failed: The model is gone.",
        ),
        (
            "incomplete",
            {"incomplete_details": {"reason": "max_cost"}},
            "The delegated response r ended as incomplete: max_cost.",
        ),
        ("cancelled", {}, "The delegated response r ended as cancelled."),
    ],
)
def test_a_child_that_did_not_complete_is_an_error(status: str, about: dict[str, Any], sentence: str) -> None:
    details = {"error": None, "incomplete_details": None} | about
    assert delegation.result("r", status, output=[MESSAGE], **details) == (None, sentence)

"""A chat's messages as items."""

from typing import Any

import pytest

from agents.chat.messages import items
from agents.models.base import ModelError
from shared.items import Item, Json, Part

HI: Json = {"role": "user", "content": "Hi"}


def call(call_id: str = "c1", name: str = "f", **members: Any) -> Json:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": "{}"}, **members}


def called(*calls: Json, **members: Any) -> Json:
    return {"role": "assistant", "content": None, "tool_calls": list(calls), **members}


def answered(call_id: str = "c1", text: Any = "42") -> Json:
    return {"role": "tool", "tool_call_id": call_id, "content": text}


def part(given: Json) -> Part:
    """Translate one part of a user's message."""
    (made,) = items([{"role": "user", "content": [given]}])[0]["content"]
    return dict(made)


def reasoning(sealed: str) -> Item:
    return {"type": "reasoning", "summary": [], "encrypted_content": sealed}


@pytest.mark.parametrize("role", ["system", "developer", "user"])
def test_what_a_model_is_told_becomes_a_message_of_its_role(role: str) -> None:
    (item,) = items([{"role": role, "content": "Hi", "name": "someone"}])
    assert item == {"type": "message", "role": role, "content": [{"type": "input_text", "text": "Hi"}]}


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ({"type": "text", "text": "x"}, {"type": "input_text", "text": "x"}),
        (
            {"type": "image_url", "image_url": {"url": "https://a.test/b.png"}},
            {"type": "input_image", "image_url": "https://a.test/b.png", "detail": "auto"},
        ),
        (
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "high"}},
            {"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "high"},
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "AA==", "format": "mp3"}},
            {"type": "input_audio", "input_audio": {"data": "AA==", "format": "mp3"}},
        ),
        (
            {"type": "file", "file": {"file_data": "data:text/plain;base64,AA==", "filename": "a.txt"}},
            {"type": "input_file", "file_data": "data:text/plain;base64,AA==", "filename": "a.txt"},
        ),
        ({"type": "file", "file": {"file_id": "file_1"}}, {"type": "input_file", "file_id": "file_1"}),
    ],
)
def test_each_part_becomes_a_part(given: Json, made: Part) -> None:
    assert part(given) == made


@pytest.mark.parametrize("mark", ["cache_control", "prompt_cache_breakpoint"])
def test_a_part_keeps_where_the_cache_may_cut(mark: str) -> None:
    assert part({"type": "text", "text": "x", mark: {"type": "ephemeral"}})[mark] == {"type": "ephemeral"}


def test_an_assistants_words_and_refusal_become_one_message() -> None:
    said = {
        "role": "assistant",
        "content": [{"type": "text", "text": "a"}, {"type": "refusal", "refusal": "b"}],
        "refusal": "c",
    }
    (item,) = items([said])
    assert [part.get("text") or part["refusal"] for part in item["content"]] == ["a", "b", "c"]


@pytest.mark.parametrize("content", [None, ""])
def test_an_assistant_that_said_nothing_is_left_out(content: str | None) -> None:
    assert items([HI, {"role": "assistant", "content": content}])[1:] == []


def test_calls_of_both_kinds_are_followed_by_their_answers() -> None:
    custom = {"id": "c2", "type": "custom", "custom": {"name": "g", "input": "x"}}
    assert items([HI, called(call(), custom), answered("c2", "two"), answered("c1", "one")])[1:] == [
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
        {"type": "custom_tool_call", "call_id": "c2", "name": "g", "input": "x"},
        {"type": "custom_tool_call_output", "call_id": "c2", "output": "two"},
        {"type": "function_call_output", "call_id": "c1", "output": "one"},
    ]


def test_a_tool_may_answer_in_parts() -> None:
    output = items([HI, called(call()), answered(text=[{"type": "text", "text": "x"}])])[-1]["output"]
    assert output == [{"type": "input_text", "text": "x"}]


def test_functions_are_called_and_answered_by_name() -> None:
    legacy = {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}}
    made = items([HI, legacy, {"role": "function", "name": "f", "content": "42"}])[1:]
    assert [item["call_id"] for item in made] == ["call_f", "call_f"]


def test_an_id_that_is_used_again_is_another_call() -> None:
    made = items([HI, called(call()), answered(text="one"), called(call()), answered(text="two")])[1:]
    ids = [item["call_id"] for item in made]
    assert ids[0] == ids[1] != ids[2] == ids[3]
    assert [item["output"] for item in made[1::2]] == ["one", "two"]


def test_signatures_become_reasoning_that_stands_where_it_stood() -> None:
    said = called(call(thought_signature="d"), content="Hi", reasoning_signature="a b", redacted_reasoning="c")
    made = items([HI, said])[1:]
    assert made[:3] == [reasoning("a"), reasoning("b"), reasoning("c")]
    assert made[3]["role"] == "assistant"
    assert made[4] == reasoning("d")
    assert made[5]["type"] == "function_call"


def test_reasoning_in_plain_text_says_nothing() -> None:
    assert len(items([HI, {"role": "assistant", "content": "a", "reasoning_content": "b", "reasoning": {"c": 1}}])) == 2


def _user(*parts: Any) -> list[Json]:
    return [HI, {"role": "user", "content": list(parts)}]


@pytest.mark.parametrize(
    ("messages", "path"),
    [
        ("Hi", "messages"),
        ([], "messages"),
        (["Hi"], "messages[0]"),
        ([{"role": "wizard", "content": "x"}], "messages[0].role"),
        ([{"role": "user"}], "messages[0].content"),
        ([{"role": "user", "content": 5}], "messages[0].content"),
        (_user("x"), "messages[1].content[0]"),
        (_user({"type": "video"}), "messages[1].content[0].type"),
        (_user({"type": "text"}), "messages[1].content[0].text"),
        (_user({"type": "text", "text": "x", "cache_control": "y"}), "messages[1].content[0].cache_control"),
        (_user({"type": "image_url", "image_url": "x"}), "messages[1].content[0].image_url"),
        (_user({"type": "image_url", "image_url": {"url": 5}}), "messages[1].content[0].image_url.url"),
        (_user({"type": "image_url", "image_url": {"url": "x", "detail": "y"}}), "messages[1].content[0].image_url.detail"),
        (_user({"type": "input_audio", "input_audio": {"data": "x"}}), "messages[1].content[0].input_audio.format"),
        (_user({"type": "file", "file": {"file_id": []}}), "messages[1].content[0].file.file_id"),
        ([HI, {"role": "assistant", "content": [{"type": "image_url"}]}], "messages[1].content[0].type"),
        ([HI, {"role": "assistant", "refusal": 5}], "messages[1].refusal"),
        ([HI, {"role": "assistant", "audio": {"id": "x"}}], "messages[1].audio"),
        ([HI, {"role": "assistant", "reasoning_signature": {}}], "messages[1].reasoning_signature"),
        ([HI, {"role": "assistant", "tool_calls": {}}], "messages[1].tool_calls"),
        ([HI, called({"type": "function"})], "messages[1].tool_calls[0].id"),
        ([HI, called({"id": "x", "function": {}})], "messages[1].tool_calls[0].function.name"),
        ([HI, called({"id": "x", "function": {"name": "f"}})], "messages[1].tool_calls[0].function.arguments"),
        ([HI, {"role": "assistant", "function_call": {"name": 5}}], "messages[1].function_call.name"),
        ([HI, {"role": "tool", "content": "x"}], "messages[1].tool_call_id"),
        ([HI, answered()], "messages[1]"),
        ([HI, {"role": "function", "content": "x"}], "messages[1].name"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(messages: Any, path: str) -> None:
    with pytest.raises(ModelError) as caught:
        items(messages)
    assert caught.value.code == "invalid_prompt"
    assert f"'{path}'" in caught.value.message


def test_an_error_does_not_repeat_all_that_a_client_sent() -> None:
    with pytest.raises(ModelError) as caught:
        items([HI, answered("x" * 10_000)])
    assert len(caught.value.message) < 300

"""What is left out of a context that outgrows its model."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents import compaction, costs, prompt
from agents.models.base import ModelRequest, Sampling
from agents.models.scripted import Scripted, says
from shared.items import Item, text_of
from tests.agents.stepping import take, turn

SYSTEM: Item = {"type": "message", "role": "system", "content": "Be brief."}


def user(text: str) -> Item:
    return {"type": "message", "role": "user", "content": text}


def pair(call_id: str, output: Any) -> list[Item]:
    return [
        {"type": "function_call", "call_id": call_id, "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": call_id, "output": output},
    ]


def request(*items: Item, **more: Any) -> ModelRequest:
    return ModelRequest(model="m", items=list(items), **more)


def outputs(items: list[Item]) -> list[Any]:
    return [item["output"] for item in items if item["type"] == "function_call_output"]


def test_a_request_that_fits_stays_as_it_is() -> None:
    given_ = request(user("a"), *pair("c", "1"))
    assert compaction.fit(given_, 100_000) is given_


def test_old_tool_outputs_are_cut_first_and_say_so() -> None:
    pairs = [item for number in range(6) for item in pair(str(number), "x" * 6000)]
    items = compaction.fit(request(user("a"), *pairs), 16_000).items
    note = "\n[Shortened to make room: these are the first 1000 of 6000 characters.]"
    assert outputs(items) == ["x" * 1000 + note] * 2 + ["x" * 6000] * 4


def test_then_the_older_half_is_dropped() -> None:
    items = compaction.fit(request(SYSTEM, *[user(str(number) * 3000) for number in range(8)]), 8000).items
    assert [text_of(item)[0] for item in items] == ["B", "6", "7"]


def test_what_may_not_be_left_out_is_sent_however_long_it_is() -> None:
    assert compaction.fit(request(SYSTEM, user("a" * 9000)), 100).items == [SYSTEM, user("a" * 9000)]


@pytest.mark.parametrize(
    "more",
    [
        {"sampling": Sampling(max_output_tokens=3000)},
        {"instructions": "x" * 9000},
        {"tools": [{"type": "function", "name": "f", "description": "x" * 9000}]},
    ],
)
def test_the_answer_and_everything_else_need_room_too(more: Any) -> None:
    items = [user("a" * 3000), user("b" * 3000), user("c" * 3000)]
    assert len(compaction.fit(request(*items, sampling=Sampling(max_output_tokens=1)), 6000).items) == 3
    assert len(compaction.fit(request(*items, **{"sampling": Sampling(max_output_tokens=1)} | more), 6000).items) < 3


def test_an_image_counts_by_its_number_and_not_by_its_bytes() -> None:
    image = {"type": "input_image", "image_url": f"data:image/png;base64,{'A' * 3_000_000}"}
    content = {"type": "message", "role": "user", "content": [image, {"type": "input_text", "text": "Look."}]}
    assert compaction.MEDIA_TOKENS < compaction.tokens([content]) < compaction.MEDIA_TOKENS + 100


def test_the_parts_of_a_long_output_are_cut_as_text() -> None:
    parts = [{"type": "input_text", "text": "y" * 5000}]
    items = [item for number in range(5) for item in pair(str(number), parts)]
    cut = compaction.shorter(items)
    assert cut is not None
    assert outputs(cut)[0].startswith("y" * 1000 + "\n[Shortened")


def test_a_step_asks_with_what_fits_only_if_it_may() -> None:
    history = [user(str(number) * 3000) for number in range(8)]
    for truncation, asked in (("auto", 2), ("disabled", 8)):
        model = Scripted(says("Ok."))
        take(turn(history=history, body={"truncation": truncation}, window=8000), model)
        assert len(model.requests[0].items) == asked


def test_the_window_of_a_model_is_known_if_it_is_listed() -> None:
    assert costs.window("anthropic", "claude-3-haiku") == 200_000
    assert costs.window("demo", "echo") is None


blocks = st.sampled_from(["system", "user", "assistant", "pair", "long", "parallel", "thought"])


@given(st.lists(blocks, max_size=14), st.integers(0, 20_000))
def test_whatever_is_left_out_the_rest_makes_sense(kinds: list[str], window: int) -> None:
    context: list[Item] = []
    for number, kind in enumerate(kinds):
        a, b = pair(f"a{number}", "1"), pair(f"b{number}", "1")
        made: dict[str, list[Item]] = {
            "system": [SYSTEM],
            "user": [user(f"{number}" * 500)],
            "assistant": [{"type": "message", "role": "assistant", "content": "x" * 500}],
            "pair": a,
            "long": pair(f"a{number}", "z" * 5000),
            "parallel": [a[0], b[0], b[1], a[1]],
            "thought": [{"type": "reasoning", "summary": []}, {"type": "message", "role": "assistant", "content": "x"}],
        }
        context += made[kind]
    left = compaction.fit(request(*context), window).items
    assert sorted(_ids(left, "function_call")) == sorted(_ids(left, "function_call_output"))
    assert [item for item in left if item.get("role") == "system"] == [SYSTEM] * kinds.count("system")
    assert [item for item in left if item.get("role") == "user"][-1:] == [
        item for item in context if item.get("role") == "user"
    ][-1:]
    room = window - min(compaction.ANSWER_TOKENS, window // 2) - compaction.tokens([None, [], {}])
    assert compaction.tokens(left) <= room or prompt.drop_oldest(left) is None
    assert left == context or compaction.tokens(context) > room


def _ids(items: list[Item], type_: str) -> list[str]:
    return [item["call_id"] for item in items if item["type"] == type_]

"""Several choices of one call: turns that are taken at once."""

import asyncio
from typing import Any

import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from agents.chat.translated import Translated
from agents.models.base import ModelError, ModelEvent, TextDelta
from agents.models.scripted import Cue, Scripted, says
from tests import loops
from tests.agents.chat.chatting import END, ask, chunks, read, whole


def test_each_choice_is_a_turn_of_its_own() -> None:
    made = ChatCompletion.model_validate(whole(says("one"), says("two"), n=2), strict=True)
    assert [(choice.index, choice.message.content) for choice in made.choices] == [(0, "one"), (1, "two")]


def test_the_pieces_of_a_stream_name_their_choice() -> None:
    told = [ChatCompletionChunk.model_validate(chunk, strict=True) for chunk in chunks(says("a", "b"), says("c"), n=2)]
    texts = {0: "", 1: ""}
    for chunk in told[:-1]:
        texts[chunk.choices[0].index] += chunk.choices[0].delta.content or ""
    assert texts == {0: "ab", 1: "c"}
    assert sum(chunk.choices[0].finish_reason is not None for chunk in told[:-1]) == 2


def test_the_usage_of_all_choices_is_told_once_and_added_up() -> None:
    told = chunks([END], [END], [END], n=3)
    assert [chunk["usage"]["total_tokens"] for chunk in told if "usage" in chunk] == [3 * 19]


def test_turns_do_not_wait_for_each_other() -> None:
    met = asyncio.Barrier(2)
    turn: list[Cue] = [TextDelta("a"), met.wait, END]
    assert loops.run(read(Scripted(turn, turn), ask(n=2))).count(b'"finish_reason":"stop"') == 2


@pytest.mark.parametrize("stream", [True, False])
def test_a_choice_that_fails_at_once_fails_the_call_and_ends_the_others(stream: bool) -> None:
    never = asyncio.Event()
    model = Scripted([never.wait, END], [ModelError("provider_unavailable", "Down.")])
    with pytest.raises(ModelError, match="Down"):
        loops.run(read(model, ask(n=2, stream=stream)))
    assert model.closed == 2


def test_a_choice_that_breaks_breaks_the_stream_and_closing_it_ends_the_others() -> None:
    never = asyncio.Event()
    broken: list[Cue] = [TextDelta("b"), ModelError("provider_protocol", "Broken.")]
    model = Scripted([TextDelta("a"), never.wait], broken)

    async def stream() -> None:
        answer = await Translated(model).send(ask(n=2, stream=True))
        with pytest.raises(ModelError, match="Broken"):
            [chunk async for chunk in answer.chunks]
        assert model.closed == 1
        await answer.close()

    loops.run(stream())
    assert model.closed == 2


@pytest.mark.parametrize("n", [0, 9, 1.5, True, "2"])
def test_a_number_of_choices_out_of_bounds_is_refused(n: Any) -> None:
    turns: list[list[ModelEvent]] = []
    with pytest.raises(ModelError, match=r"Invalid 'n': expected a whole number"):
        whole(*turns, n=n)

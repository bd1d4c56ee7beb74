"""The model that plays what it is told to."""

import asyncio

import pytest

from agents.models.base import ModelError, ModelEvent, ModelRequest, TextDelta
from agents.models.scripted import STOP, Scripted, says

REQUEST = ModelRequest(model="m", items=[])


async def play(model: Scripted) -> list[ModelEvent]:
    return [event async for event in model.stream(REQUEST)]


def test_turns_are_played_in_order_and_their_requests_kept() -> None:
    model = Scripted(says("a"), says("b", "c"))
    assert asyncio.run(play(model)) == [TextDelta("a"), STOP]
    assert asyncio.run(play(model)) == [TextDelta("b"), TextDelta("c"), STOP]
    assert model.requests == [REQUEST, REQUEST]
    assert model.closed == 2


def test_an_exception_is_raised_where_it_stands() -> None:
    model = Scripted([ModelError("rate_limit_exceeded", "Later.")])
    with pytest.raises(ModelError):
        asyncio.run(play(model))
    assert model.closed == 1


def test_one_turn_too_many_is_an_error() -> None:
    with pytest.raises(IndexError):
        asyncio.run(play(Scripted()))


def test_a_gate_holds_the_turn_until_it_opens() -> None:
    async def wait() -> list[ModelEvent]:
        gate = asyncio.Event()
        task = asyncio.create_task(play(Scripted([gate.wait, *says("a")])))
        await asyncio.sleep(0)
        assert not task.done()
        gate.set()
        return await task

    assert asyncio.run(wait()) == [TextDelta("a"), STOP]

"""A turn that is asked for again is taken from memory, whole and for nothing; any other is not."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from agents.models.base import (
    Finished,
    ItemDone,
    ModelError,
    ModelEvent,
    ModelRequest,
    ReasoningDone,
    Sampling,
    TextDelta,
    Timeouts,
    Usage,
)
from agents.models.hurried import Hurried
from agents.models.remembering import Remembering
from agents.models.scripted import STOP, Scripted, call, says

ASKED = ModelRequest(model="one", items=[{"type": "message", "role": "user", "content": "hi", "id": "msg_1"}])


@dataclass
class Shelf:
    kept: dict[str, bytes] = field(default_factory=dict)
    seconds: list[int] = field(default_factory=list)

    async def get(self, key: str) -> bytes | None:
        return self.kept.get(key)

    async def put(self, key: str, value: bytes, ttl: int) -> None:
        self.kept[key] = value
        self.seconds.append(ttl)


def take(model: Scripted, shelf: Shelf, request: ModelRequest = ASKED, **about: Any) -> list[ModelEvent]:
    return asyncio.run(taking(model, shelf, request, **about))


async def taking(model: Scripted, shelf: Shelf, request: ModelRequest = ASKED, **about: Any) -> list[ModelEvent]:
    remembering = Remembering(model, shelf, **{"owner": "proj_1", "asked": "scripted/one", "ttl": 60, **about})
    return [event async for event in remembering.stream(request)]


def test_a_turn_that_is_remembered_is_told_again_in_full_and_took_nothing() -> None:
    search = ItemDone({"type": "web_search_call", "id": "ws_1", "status": "completed"})
    told: list[ModelEvent] = [ReasoningDone("sealed"), TextDelta("a", ({"token": "a"},)), search, *call("look"), STOP]
    model, shelf = Scripted(told), Shelf()
    assert take(model, shelf) == told
    assert take(model, shelf) == [*told[:-1], Finished(reason="stop", usage=Usage())]
    assert (len(model.requests), shelf.seconds) == (1, [60])


@pytest.mark.parametrize(
    "changed",
    [
        {"model": "two"},
        {"instructions": "Be brief."},
        {"items": [{"type": "message", "role": "user", "content": "ho"}]},
        {"tools": [{"type": "function", "name": "look"}]},
        {"sampling": Sampling(temperature=0.5)},
        {"text": {"verbosity": "low"}},
        {"passthrough": {"service_tier": "flex"}},
    ],
)
def test_a_turn_that_differs_is_asked_for(changed: dict[str, Any]) -> None:
    model, shelf = Scripted(says("a"), says("b")), Shelf()
    take(model, shelf)
    assert TextDelta("b") in take(model, shelf, replace(ASKED, **changed))


@pytest.mark.parametrize("about", [{"owner": "proj_2"}, {"asked": "other/one"}])
def test_nobody_is_answered_from_the_memory_of_another_project_or_provider(about: dict[str, Any]) -> None:
    model, shelf = Scripted(says("a"), says("b")), Shelf()
    take(model, shelf)
    assert TextDelta("b") in take(model, shelf, **about)


def test_who_asks_and_how_long_they_wait_makes_no_other_turn() -> None:
    model, shelf = Scripted(says("a")), Shelf()
    take(model, shelf)
    same = replace(ASKED, passthrough={"user": "joe"}, timeouts=Timeouts(connect=1), items=[{**ASKED.items[0], "id": "msg_2"}])
    assert TextDelta("a") in take(model, shelf, same)


@pytest.mark.parametrize("cut", [[TextDelta("a")], [TextDelta("a"), ModelError("provider_protocol", "Gone.")]])
def test_a_turn_that_broke_off_is_not_remembered(cut: list[Any]) -> None:
    shelf = Shelf()
    with suppress(ModelError):
        take(Scripted(cut), shelf)
    assert shelf.kept == {}


@pytest.mark.parametrize("kept", [b"", b"nonsense", b"{}", b'[["Gone", {}]]', b'[["TextDelta", {"words": 1}]]'])
def test_what_cannot_be_read_is_asked_for_again(kept: bytes) -> None:
    model, shelf = Scripted(says("a"), says("b")), Shelf()
    take(model, shelf)
    shelf.kept = dict.fromkeys(shelf.kept, kept)
    assert TextDelta("b") in take(model, shelf)


def test_a_turn_that_does_not_begin_in_time_is_given_up_and_closed() -> None:
    model = Scripted([asyncio.Event().wait, TextDelta("late")])

    async def hurry() -> list[ModelEvent]:
        return [event async for event in Hurried(model, 0.01).stream(ASKED)]

    with pytest.raises(ModelError) as told:
        asyncio.run(hurry())
    assert (told.value.code, model.closed) == ("provider_timeout", 1)


def test_a_turn_that_has_begun_may_take_its_time() -> None:
    async def pause() -> None:
        await asyncio.sleep(0.05)

    async def hurry() -> list[ModelEvent]:
        model = Scripted([TextDelta("a"), pause, TextDelta("b"), STOP])
        return [event async for event in Hurried(model, 0.02).stream(ASKED)]

    assert asyncio.run(hurry()) == [TextDelta("a"), TextDelta("b"), STOP]

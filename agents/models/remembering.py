"""A model whose turns are kept, and taken again from memory when they are asked for in exactly the same way."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import asdict, replace
from typing import Any, Final, Protocol, cast, get_args

import orjson

from agents import fingerprint
from agents.models.base import Finished, Model, ModelEvent, ModelRequest, Usage
from shared.items import Item, Json

_KINDS: Final = {kind.__name__: kind for kind in get_args(ModelEvent)}
_FLEETING: Final = frozenset({"id", "status", "phase"})
"""Members of items that differ each time, and that no model is shown."""


class Memory(Protocol):
    """Where turns are kept; it may forget at any time."""

    async def get(self, key: str) -> bytes | None:
        """Look one up."""

    async def put(self, key: str, value: bytes, ttl: int) -> None:
        """Keep one for `ttl` seconds."""


class Remembering:
    """Another model, asked only for turns that are not remembered. What is remembered costs nothing."""

    def __init__(self, model: Model, memory: Memory, *, owner: str, asked: str, ttl: int) -> None:
        """`owner` is whose turns these are, `asked` is the model as `provider/model`; `ttl` is in seconds."""
        self._model = model
        self._memory = memory
        self._owner = owner
        self._asked = asked
        self._ttl = ttl

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """Take one turn. Raises ModelError."""
        key = fingerprint.key(self._owner, "turn", {"asked": self._asked, **_told(request)})
        kept = _load(await self._memory.get(key))
        if kept:
            for event in kept:
                yield event
            return
        events: list[ModelEvent] = []
        async with aclosing(cast("AsyncGenerator[ModelEvent, None]", self._model.stream(request))) as fresh:
            async for event in fresh:
                events.append(event)
                if isinstance(event, Finished):
                    await self._memory.put(key, _dump(events), self._ttl)
                yield event


def _told(request: ModelRequest) -> Json:
    """Write down what makes a turn what it is."""
    told = asdict(replace(request, items=[]))
    del told["timeouts"]
    passthrough = {name: value for name, value in request.passthrough.items() if name not in fingerprint.ABOUT}
    return {**told, "passthrough": passthrough, "items": [_lasting(item) for item in request.items]}


def _lasting(item: Item) -> Item:
    return {name: value for name, value in item.items() if name not in _FLEETING}


def _dump(events: list[ModelEvent]) -> bytes:
    return orjson.dumps([[type(event).__name__, asdict(event)] for event in events])


def _load(kept: bytes | None) -> list[ModelEvent]:
    """Read a turn back; what another version wrote, and cannot be read, is not remembered."""
    try:
        return [_event(kind, members) for kind, members in orjson.loads(kept or b"[]")]
    except (ValueError, LookupError, TypeError):
        return []


def _event(kind: str, members: Json) -> ModelEvent:
    """Read one back; what a turn took was paid for when it was taken."""
    values: dict[str, Any] = {name: tuple(value) if name == "logprobs" else value for name, value in members.items()}
    if kind == "Finished":
        values["usage"] = Usage()
    made: ModelEvent = _KINDS[kind](**values)
    return made

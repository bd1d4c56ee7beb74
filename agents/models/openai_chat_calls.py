"""Tool calls put together from Chat Completions deltas, which servers number, name and repeat each in its own way."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from agents.models import custom
from agents.models.base import ModelEvent, ToolCallDelta, ToolCallDone, ToolCallStarted
from shared.items import Json


@dataclass(slots=True)
class _Call:
    """A call as far as it is known. It starts once it has a name."""

    key: str
    index: int | None
    given_id: str | None
    name: str = ""
    arguments: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether the arguments are complete JSON, so that more of them can only be another call's."""
        try:
            orjson.loads("".join(self.arguments))
        except orjson.JSONDecodeError:
            return False
        return True


class Calls:
    """The calls of one answer."""

    def __init__(self, *, customs: frozenset[str], new_id: Callable[[str], str]) -> None:
        """`customs` are the names of custom tools; `new_id` makes an id for a call that was given none."""
        self._customs = customs
        self._new_id = new_id
        self._calls: list[_Call] = []

    def add(self, delta: Json) -> Iterator[ModelEvent]:
        """Take an element of `delta.tool_calls`."""
        function = delta.get("function") or {}
        name, arguments = function.get("name") or "", _text(function.get("arguments"))
        call = self._find(delta.get("index"), delta.get("id") or None, name)
        if call is None:
            call = _Call(str(len(self._calls)), delta.get("index"), delta.get("id") or None)
            self._calls.append(call)
        if name and not call.name:
            call.name = name
            yield ToolCallStarted(call.key, call.given_id or self._new_id("call"), name, self._kind(call))
            arguments = "".join(call.arguments) + arguments
            call.arguments.clear()
        if arguments:
            call.arguments.append(arguments)
            if call.name and call.name not in self._customs:
                yield ToolCallDelta(call.key, arguments)

    def end(self) -> Iterator[ModelEvent]:
        """Complete all calls; a custom tool's input is told only now, because it had to be unwrapped."""
        for call in self._calls:
            if call.name in self._customs:
                yield ToolCallDelta(call.key, custom.unwrap("".join(call.arguments)))
            if call.name:
                yield ToolCallDone(call.key)
        self._calls.clear()

    def _kind(self, call: _Call) -> Any:
        return "custom" if call.name in self._customs else "function"

    def _find(self, index: int | None, given_id: str | None, name: str) -> _Call | None:
        """Find the call that a delta continues, or None if it begins one.

        An index may be missing or the same for all, an id may be missing, repeated or made up anew for every delta, and a
        name may be repeated. A delta begins a call if its index is new, if it brings another id or another name, or if the
        call it could continue is already whole.
        """
        same = [call for call in self._calls if index is None or call.index is None or call.index == index]
        if not same:
            return None
        known = next((call for call in same if given_id is not None and call.given_id == given_id), None)
        if known is not None:
            return known
        last = same[-1]
        if not name or not last.name:
            return last
        another_id = given_id is not None and last.given_id is not None
        return None if another_id or name != last.name or last.whole else last


def _text(arguments: Any) -> str:
    """Read arguments, which some servers send as an object."""
    if isinstance(arguments, str):
        return arguments
    return "" if arguments is None else orjson.dumps(arguments).decode()

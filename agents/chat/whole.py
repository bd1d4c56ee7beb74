"""A chat's answer as one `chat.completion`: the pieces of its stream added up."""

from typing import Any, assert_never

from agents.chat import deltas
from agents.chat.deltas import Piece, Told, Total
from shared.items import Json


class Whole:
    """Adds up an answer."""

    def __init__(self, head: Json, *, choices: int = 1) -> None:
        """`head` holds `id`, `created` and `model`."""
        self._head = head
        self._messages = [_Message() for _ in range(choices)]
        self._total = Total(None, None)

    def add(self, told: Told) -> None:
        """Add a piece, or the total."""
        match told:
            case Piece():
                self._messages[told.index].add(told)
            case Total():
                self._total = told
            case _:
                assert_never(told)

    def completion(self) -> Json:
        """Give the answer, once its stream is read to its end."""
        return {
            **self._head,
            "object": "chat.completion",
            "choices": [{"index": index, **message.choice()} for index, message in enumerate(self._messages)],
            "usage": deltas.usage(self._total.usage),
            "service_tier": self._total.service_tier,
            "system_fingerprint": None,
        }


class _Message:
    """The message of one choice. Texts are kept in pieces, because joining them one by one takes time in their square."""

    def __init__(self) -> None:
        self._made: Json = {}
        self._logprobs: list[Json] = []
        self._reason: str | None = None

    def add(self, piece: Piece) -> None:
        """Add a piece."""
        _merge(self._made, piece.delta)
        self._logprobs += piece.logprobs
        self._reason = piece.reason or self._reason

    def choice(self) -> Json:
        """Give the choice but for its number."""
        logprobs = {"content": self._logprobs, "refusal": None} if self._logprobs else None
        message = {"role": "assistant", "content": None, "refusal": None, **_joined(self._made)}
        return {"message": message, "logprobs": logprobs, "finish_reason": self._reason}


class _Texts(list[str]):
    """The pieces of a text."""


def _merge(made: Json, delta: Json) -> None:
    """Add a delta as clients do: texts are appended, entries of lists are found by their index, the rest is set once."""
    for name, value in delta.items():
        if isinstance(value, str) and name not in {"id", "type"}:
            made.setdefault(name, _Texts()).append(value)
        elif isinstance(value, dict):
            _merge(made.setdefault(name, {}), value)
        elif isinstance(value, list):
            _merge_entries(made.setdefault(name, []), value)
        else:
            made[name] = value


def _merge_entries(made: list[Json], entries: list[Json]) -> None:
    for entry in entries:
        if entry["index"] == len(made):
            made.append({})
        _merge(made[entry["index"]], {name: value for name, value in entry.items() if name != "index"})


def _joined(made: Any) -> Any:
    match made:
        case _Texts():
            return "".join(made)
        case dict():
            return {name: _joined(value) for name, value in made.items()}
        case list():
            return [_joined(value) for value in made]
        case _:
            return made

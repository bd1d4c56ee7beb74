"""What the demo's endpoints answer with, and how they read what they were asked."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson

from agents.models.base import ModelError
from agents.models.upstream import EVENTS, JSON, Ask
from shared.items import Json

MOST_WORDS: Final = 100_000
"""In all texts of one call: nothing here yields to others."""

_PIECE: Final = 16_384
"""Bytes."""


@dataclass(frozen=True, slots=True)
class Written:
    """An answer as it will be played."""

    media_type: str
    pieces: Iterable[bytes]
    whole: Json | None = None


def whole(value: Json) -> Written:
    """Answer with an object."""
    return Written(JSON, pieces(orjson.dumps(value)), value)


def plain(text: str, media_type: str) -> Written:
    """Answer with a text."""
    return Written(f"{media_type}; charset=utf-8", pieces(text.encode()))


def events(values: Iterable[Json], *, named: bool = False, mark: bool = False) -> Written:
    """Answer with a stream: its events are `named` by their type, and end with `[DONE]`, where OpenAI's do."""
    return Written(EVENTS, _events(values, named=named, mark=mark))


def pieces(body: bytes) -> Iterator[bytes]:
    """Cut a body into pieces."""
    return (body[at : at + _PIECE] for at in range(0, len(body), _PIECE))


def _events(values: Iterable[Json], *, named: bool, mark: bool) -> Iterator[bytes]:
    for value in values:
        name = b"event: %s\n" % value["type"].encode() if named else b""
        yield name + b"data: " + orjson.dumps(value) + b"\n\n"
    if mark:
        yield b"data: [DONE]\n\n"


def refused(message: str) -> ModelError:
    """Refuse what was asked, as a provider would."""
    return ModelError("invalid_prompt", message, provider_status=400)


def text(ask: Ask, name: str) -> str:
    """Read a text that must be there. Raises ModelError."""
    value = ask.body.get(name)
    if value is None or value == "":
        raise refused(f"Missing required parameter: '{name}'.")
    if not isinstance(value, str):
        raise refused(f"Invalid '{name}': expected a string.")
    return value


def texts(value: Any, name: str, *, most: int) -> list[str]:
    """Read a text, or several; tokens are read as words. Raises ModelError."""
    match value:
        case str():
            found = [value]
        case [int(), *_]:
            found = [_spelt(value)]
        case [_, *_] if len(value) <= most and all(isinstance(one, str | list) for one in value):
            found = [one if isinstance(one, str) else _spelt(one) for one in value]
        case _:
            raise refused(f"Invalid '{name}': expected a string, or an array of 1 to {most} strings or arrays of tokens.")
    bounded(found, name)
    return found


def bounded(given: list[str], name: str) -> None:
    """Refuse what would take too long. Raises ModelError."""
    if words(given) > MOST_WORDS:
        raise refused(f"Invalid '{name}': the demo reads up to {MOST_WORDS} words a call.")


def number(ask: Ask, name: str, default: int, *, low: int, high: int) -> int:
    """Read a whole number. Raises ModelError."""
    value = ask.body.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise refused(f"Invalid '{name}': the demo takes a whole number from {low} to {high}.")
    return value


def choice(ask: Ask, name: str, default: str, allowed: Iterable[str]) -> str:
    """Read one of several texts. Raises ModelError."""
    value = ask.body.get(name)
    if value is None:
        return default
    if value not in (known := tuple(allowed)):
        raise refused(f"Invalid '{name}': the demo knows only {', '.join(known)}.")
    return str(value)


def words(given: Iterable[str]) -> int:
    """Count words, which stand for tokens."""
    return sum(len(one.split()) for one in given)


def vocabulary(given: str) -> list[str]:
    """List a text's words as they are compared: without case or punctuation."""
    return re.findall(r"\w+", given.casefold())


def _spelt(tokens: list[Any]) -> str:
    return " ".join(map(str, tokens))

"""Taking values out of a chat completion's body: of the right type, or a sentence that names the place."""

from collections.abc import Callable, Collection
from typing import Any, Final, TypeVar

from agents.models.base import ModelError
from shared.items import Json

T = TypeVar("T")

_SHOWN: Final = 64
"""Letters of a client's text that an error repeats."""


def wrong(path: str, expected: str) -> ModelError:
    """Make the error of a value that is no such thing."""
    return ModelError("invalid_prompt", f"Invalid '{path}': expected {expected}.")


def shown(text: str) -> str:
    """Cut a client's text to what an error repeats of it."""
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def optional(body: Json, name: str, take: Callable[[Any, str], T], *, within: str = "") -> T | None:
    """Take a member that may be missing, or null. `within` is the path of the object that holds it."""
    value = body.get(name)
    return None if value is None else take(value, f"{within}.{name}" if within else name)


def text(value: Any, path: str) -> str:
    """Take a string."""
    if not isinstance(value, str):
        raise wrong(path, "a string")
    return value


def one_of(value: Any, path: str, words: Collection[str]) -> str:
    """Take one of some words."""
    if not isinstance(value, str) or value not in words:
        raise wrong(path, f"one of {', '.join(words)}")
    return value


def record(value: Any, path: str) -> Json:
    """Take an object."""
    if not isinstance(value, dict):
        raise wrong(path, "an object")
    return value


def array(value: Any, path: str, *, most: int | None = None) -> list[Any]:
    """Take an array of `most` elements at most."""
    if not isinstance(value, list):
        raise wrong(path, "an array")
    if most is not None and len(value) > most:
        raise wrong(path, f"at most {most} elements, not {len(value)}")
    return value


def number(value: Any, path: str) -> float:
    """Take a number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong(path, "a number")
    return value


def integer(value: Any, path: str, *, least: int | None = None, most: int | None = None) -> int:
    """Take a whole number within bounds."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong(path, "a whole number")
    if least is not None and value < least:
        raise wrong(path, f"a whole number of at least {least}")
    if most is not None and value > most:
        raise wrong(path, f"a whole number of at most {most}")
    return value


def flag(value: Any, path: str) -> bool:
    """Take true or false."""
    if not isinstance(value, bool):
        raise wrong(path, "true or false")
    return value

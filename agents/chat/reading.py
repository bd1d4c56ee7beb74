"""Taking values out of a chat completion's body: of the right type, or a sentence that names the place."""

from typing import Any

from agents.models.base import ModelError
from shared.items import Json


def wrong(path: str, expected: str) -> ModelError:
    """Make the error of a value that is no such thing."""
    return ModelError("invalid_prompt", f"Invalid '{path}': expected {expected}.")


def text(value: Any, path: str) -> str:
    """Take a string."""
    if not isinstance(value, str):
        raise wrong(path, "a string")
    return value


def record(value: Any, path: str) -> Json:
    """Take an object."""
    if not isinstance(value, dict):
        raise wrong(path, "an object")
    return value


def array(value: Any, path: str) -> list[Any]:
    """Take an array."""
    if not isinstance(value, list):
        raise wrong(path, "an array")
    return value


def number(value: Any, path: str) -> float:
    """Take a number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong(path, "a number")
    return value


def integer(value: Any, path: str, *, least: int = 0) -> int:
    """Take a whole number."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise wrong(path, f"a whole number of at least {least}")
    return value


def flag(value: Any, path: str) -> bool:
    """Take true or false."""
    if not isinstance(value, bool):
        raise wrong(path, "true or false")
    return value

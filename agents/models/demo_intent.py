"""What a text asks for, guessed from its words: which of the given tools, and with which arguments. No model, no network."""

import re
from collections.abc import Iterable
from typing import Any, Final

import orjson

from agents.models import json_sample
from shared.items import Json

_ALIKE: Final[tuple[frozenset[str], ...]] = (
    frozenset({"date", "time", "today", "datetime", "clock", "day", "hour", "timezone", "oclock"}),
    frozenset({"weather", "temperature", "forecast", "rain", "raining", "sunny", "degree"}),
    frozenset({"search", "find", "lookup", "query", "google"}),
    frozenset({"calculate", "calculator", "compute", "sum", "add", "plus", "math", "multiply"}),
    frozenset({"mail", "email"}),
)
"""Words that mean the same job."""

_COMMON_WORDS: Final = (
    "a an and are as at be by call can current do fetch for from function get give given has have how i if in is it its let "
    "list make me my now of on or please return run set show some tell that the their this to tool use user value what when "
    "where which who will with you your"
)
_COMMON: Final = frozenset(_COMMON_WORDS.split())
"""Words that say nothing about a tool's job."""

_PLACE: Final = re.compile(r"\b(?:in|at|near|for|from|to|of)\s+((?:[A-Z][\w'-]*)(?:[ ,]+(?:[A-Z][\w'-]*))*)")
_ZONE: Final = re.compile(r"\b(?:[A-Z][A-Za-z]+/[A-Z][A-Za-z_+\-0-9]+(?:/[A-Z][A-Za-z_]+)?|UTC|GMT)\b")
_NUMBER: Final = re.compile(r"-?\b\d+(?:\.\d+)?\b")
_QUOTED: Final = re.compile(r"([\"`])(.+?)\1")
_EMAIL: Final = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]*\w")
_LINK: Final = re.compile(r"https?://[^\s)>\"']+")


def words(text: str) -> list[str]:
    """Split prose, snake_case and camelCase into lower-case words, plurals cut to their stem."""
    parted = re.sub(r"([a-z])([A-Z])", r"\1 \2", text)
    found = re.findall(r"[a-z]+|\d+", parted.lower().replace("o'clock", "oclock"))
    return [word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word for word in found]


def wanted(tools: Iterable[Json], text: str) -> list[Json]:
    """Choose the tools whose job the text asks for: by a word of the name, or by two of the description."""
    asked = _widened(word for word in words(text) if word not in _COMMON)
    return [tool for tool in tools if _asks(asked, tool)]


def arguments(tool: Json, text: str) -> str:
    """Write a call's arguments: JSON for a function, the plain text for a custom tool.

    Required properties are found in the text by their name and type, else made up to satisfy the schema;
    optional ones are given only where the text clearly holds them.
    """
    if tool.get("type") == "custom":
        return text
    root: Json = tool.get("parameters") or {}
    schema = json_sample.resolve(root, root)
    required = schema.get("required", ())
    numbers = iter(_NUMBER.findall(text))
    filled: Json = {}
    for name, declared in schema.get("properties", {}).items():
        part = json_sample.resolve(declared, root)
        value = _found(name, part, text, numbers=numbers, needed=name in required)
        if value is not None:
            filled[name] = value
        elif name in required:
            filled[name] = json_sample.sample(part, root=root, depth=1)
    return orjson.dumps(filled).decode()


def _widened(found: Iterable[str]) -> set[str]:
    """Add to the words the ones that mean the same job."""
    widened = set(found)
    for alike in _ALIKE:
        if widened & alike:
            widened |= alike
    return widened


def _asks(asked: set[str], tool: Json) -> bool:
    """Tell whether words that were asked for name the tool's job."""
    name = set(words(tool.get("name", ""))) - _COMMON
    description = set(words(tool.get("description") or "")) - _COMMON
    return bool(asked & name) or len(asked & description) >= 2


def _found(name: str, schema: Json, text: str, *, numbers: Iterable[str], needed: bool) -> Any:
    """Find a property's value in the text; None if the text does not hold it."""
    if choices := schema.get("enum"):
        return next((choice for choice in choices if str(choice).lower() in text.lower()), None)
    if "const" in schema or "default" in schema:
        return None
    match json_sample.type_of(schema):
        case "integer" if needed:
            return next((int(float(number)) for number in numbers), None)
        case "number" if needed:
            return next((float(number) for number in numbers), None)
        case "string" if "format" not in schema:
            return _phrase(name, text, needed=needed, longest=schema.get("maxLength", 500))
        case _:
            return None


def _phrase(name: str, text: str, *, needed: bool, longest: int) -> str | None:
    """Find the words of the text that a string property of this name stands for."""
    about = set(words(name))
    for kinds, pattern in _PATTERNS:
        if about & kinds and (hit := pattern.search(text)):
            return hit.group(pattern.groups)[:longest]
    if not needed or about & _ZONE_WORDS:
        return "UTC" if needed else None
    quoted = _QUOTED.search(text)
    return (quoted.group(2) if quoted else text)[:longest] or None


_ZONE_WORDS: Final = frozenset({"zone", "timezone", "tz"})
_PLACE_WORDS: Final = frozenset({"city", "location", "place", "country", "town", "region", "address", "where"})
_PATTERNS: Final[tuple[tuple[frozenset[str], re.Pattern[str]], ...]] = (
    (_ZONE_WORDS, _ZONE),
    (_PLACE_WORDS, _PLACE),
    (frozenset({"email", "mail", "recipient"}), _EMAIL),
    (frozenset({"url", "link", "uri", "website"}), _LINK),
)

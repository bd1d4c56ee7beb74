"""The secrets of a response that is about to be: each gets an id of the response's own, which stands wherever its value would.

A response owns copies of the secrets of its agent, its tools and the response it continues: none of those can take them away.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from agents.output import NewId
from shared import ids
from shared.items import Json


class Secrets:
    """Collects the secrets of one response. `texts` holds the value of each by its new id."""

    def __init__(self, known: Mapping[str, str] | None = None, *, new_id: NewId = ids.new) -> None:
        """`known` are values of secrets that stand in definitions, by the ids that they have there."""
        self.texts: dict[str, str] = {}
        self._known = known or {}
        self._new_id = new_id
        self._adopted: dict[str, str] = {}

    def add(self, text: str) -> Json:
        """Take in a value, and return what stands in its place."""
        id_ = self._new_id("sec")
        self.texts[id_] = text
        return {"secret": id_}

    def adopt(self, value: Any) -> Any:
        """Return the JSON value with the response's own ids in place of those of a definition, whose values must be known."""
        match value:
            case {"secret": str(old)} if len(value) == 1 and old in self._known:
                if old not in self._adopted:
                    self._adopted[old] = self.add(self._known[old])["secret"]
                return {"secret": self._adopted[old]}
            case dict():
                return {name: self.adopt(each) for name, each in value.items()}
            case list():
                return [self.adopt(each) for each in value]
            case _:
                return value

    def opened(self, value: Any) -> Any:
        """Return the JSON value with the values of this response's secrets in their places: for checks, never for keeping."""
        return opened(value, self.texts)


def opened(value: Any, texts: Mapping[str, str]) -> Any:
    """Return the JSON value with secrets in their places."""
    match value:
        case {"secret": str(id_)} if len(value) == 1 and id_ in texts:
            return texts[id_]
        case dict():
            return {name: opened(each, texts) for name, each in value.items()}
        case list():
            return [opened(each, texts) for each in value]
        case _:
            return value


def within(value: Any) -> Iterator[str]:
    """Yield the ids of all secrets that a JSON value stands for."""
    match value:
        case {"secret": str(id_)} if len(value) == 1 and id_.startswith("sec_"):
            yield id_
        case dict():
            for each in value.values():
                yield from within(each)
        case list():
            for each in value:
                yield from within(each)
        case _:
            return

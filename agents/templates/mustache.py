"""The `mustache` engine: sections, inverted sections, dotted names, comments and delimiters. Nothing is escaped.

Values are JSON, so there are no lambdas; there are no partials, because there is nowhere to take them from.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from agents.templates.budget import MAX_OUTPUT, MAX_TEMPLATE, Budget
from agents.templates.mustache_parser import Node, Section, Tag, parse
from agents.templates.values import MISSING, Refused, Secret, lookup

_parsed = lru_cache(maxsize=128)(parse)


def render(template: str, variables: dict[str, Any], budget: Budget) -> str:
    """Render a template. A missing tag is an error; inside a section, a section without a value is a false one."""
    if "{{" not in template:
        return template
    nodes = _read(template, budget)
    rendering = _Rendering(variables, budget)
    rendering.nodes(nodes)
    return "".join(rendering.output)


def names(template: str, budget: Budget) -> set[str]:
    """Return the names outside of sections, and those of sections: inside, a name may belong to the section's value."""
    return set(_names(_read(template, budget)))


def _names(nodes: Iterable[Node]) -> Iterable[str]:
    for node in nodes:
        if isinstance(node, Tag | Section) and node.path:
            yield ".".join(node.path)
        if isinstance(node, Section) and node.inverted:
            yield from _names(node.nodes)


def _read(template: str, budget: Budget) -> tuple[Node, ...]:
    if len(template) > MAX_TEMPLATE:
        raise Refused(f"It is longer than {MAX_TEMPLATE} characters.")
    parsed = _parsed(template)
    budget.parse(parsed.size)
    return parsed.nodes


class _Rendering:
    """One pass over a template: the values whose members have names here, innermost last, and the text so far."""

    def __init__(self, variables: dict[str, Any], budget: Budget) -> None:
        self.stack: list[Any] = [variables]
        self.budget = budget
        self.output: list[str] = []
        self.length = 0

    def nodes(self, nodes: Iterable[Node]) -> None:
        """Render nodes in the present scope."""
        for node in nodes:
            self.budget.tick()
            match node:
                case str():
                    self.budget.make(len(node))
                    self._put(node)
                case Tag():
                    self._put(self._written(node))
                case Section():
                    self._section(node)

    def _put(self, text: str) -> None:
        self.length += len(text)
        if self.length > MAX_OUTPUT:
            raise Refused(f"Its text is longer than {MAX_OUTPUT} characters.")
        self.output.append(text)

    def _written(self, tag: Tag) -> str:
        value = self._find(tag.path)
        if value is MISSING:
            raise self.budget.missing(".".join(tag.path))
        if not isinstance(value, Secret):
            return self.budget.write(value)
        if tag.path[1:]:
            value.refuse()
        return str(value)

    def _section(self, section: Section) -> None:
        value = self._find(section.path)
        if value is MISSING and len(self.stack) == 1:
            raise self.budget.missing(".".join(section.path))
        if isinstance(value, Secret) and section.path[1:]:
            value.refuse()
        present = value is not MISSING and bool(value)
        if section.inverted and not present:
            self.nodes(section.nodes)
        if section.inverted or not present:
            return
        for item in value if isinstance(value, list) else [value]:
            self.budget.tick(2)
            self.stack.append(item)
            self.nodes(section.nodes)
            self.stack.pop()

    def _find(self, path: tuple[str, ...]) -> Any:
        """Look the first name up from the innermost value outwards, and the others inside what it finds; () is `.`."""
        self.budget.tick(len(self.stack) + len(path))
        if not path:
            return self.stack[-1]
        holders = (each for each in reversed(self.stack) if isinstance(each, dict) and path[0] in each)
        return lookup(next(holders, MISSING), path)

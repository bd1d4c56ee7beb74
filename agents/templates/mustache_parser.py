"""Mustache's syntax (mustache.github.io/mustache.5.html): from a template to a tree, in linear time."""

import re
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from agents.templates.values import PATH, Refused

MAX_SECTIONS: Final = 32
"""How deep sections may stand in each other."""

_NAME: Final = re.compile(PATH)
_REST_OF_LINE: Final = re.compile(r"[ \t]*(?:\r?\n|\Z)")
_DELIMITERS: Final = re.compile(r"([^\s=]{1,8})[ \t]+([^\s=]{1,8})")
_SHOWN: Final = 60
"""Characters of a bad tag that its error shows."""


@dataclass(frozen=True, slots=True)
class Tag:
    """A value's place. The path is empty for `.`, the section's own value."""

    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """What is rendered for a value that is there, once for each item of a list; inverted: for one that is not."""

    path: tuple[str, ...]
    inverted: bool
    nodes: "list[Node]" = field(default_factory=list)


Node: TypeAlias = str | Tag | Section


@dataclass(frozen=True, slots=True)
class Parsed:
    """A template's tree, and how many nodes it has."""

    nodes: tuple[Node, ...]
    size: int


def parse(template: str) -> Parsed:
    """Read a template. Raises `Refused` if it is not valid."""
    parser = _Parser(template)
    while parser.step():
        pass
    if parser.open:
        raise Refused(f"The section {'.'.join(parser.open[-1].path)!r} is not closed.")
    return Parsed(tuple(parser.root), parser.size)


class _Parser:
    """A position in a template, the delimiters that hold from here, and the sections that are open."""

    def __init__(self, template: str) -> None:
        self.template = template
        self.at = 0
        self.left, self.right = "{{", "}}"
        self.root: list[Node] = []
        self.open: list[Section] = []
        self.size = 0

    def step(self) -> bool:
        """Read up to the next tag, and the tag. False: there is none."""
        start = self.template.find(self.left, self.at)
        if start < 0:
            self._text(self.template[self.at :])
            return False
        kind, content, end = self._tag(start)
        before = self.template[self.at : start]
        if kind in "#^/!=" and (line := self._alone(before, end)):
            before, end = line
        self._text(before)
        self.at = end
        self._read(kind, content)
        return True

    def _tag(self, start: int) -> tuple[str, str, int]:
        """Return a tag's sigil (a space if it has none), content, and end."""
        inner = start + len(self.left)
        kind = self.template[inner : inner + 1]
        kind = kind if kind and kind in "#^/!=&{>" else " "
        right = {"{": "}" + self.right, "=": "=" + self.right}.get(kind, self.right)
        inner += kind != " "
        end = self.template.find(right, inner)
        if end < 0:
            raise Refused(f"The tag {self.template[start : start + _SHOWN]!r} is not closed.")
        return kind, self.template[inner:end].strip(), end + len(right)

    def _alone(self, before: str, end: int) -> tuple[str, int] | None:
        """If a tag that prints nothing is alone on its line, the line goes: return what is before it, and its end."""
        begins = "\n" in before or self.at == 0 or self.template[self.at - 1] == "\n"
        kept = before.rstrip(" \t")
        rest = _REST_OF_LINE.match(self.template, end)
        return (kept, rest.end()) if begins and kept[-1:] in {"", "\n"} and rest else None

    def _text(self, text: str) -> None:
        if text:
            self._add(text)

    def _add(self, node: Node) -> None:
        self.size += 1
        (self.open[-1].nodes if self.open else self.root).append(node)

    def _read(self, kind: str, content: str) -> None:
        match kind:
            case "!":
                return
            case "=":
                self._delimit(content)
            case ">":
                raise Refused("Partials are not available.")
            case "/":
                self._close(_path(content))
            case "#" | "^":
                self._open(Section(_path(content), kind == "^"))
            case _:
                self._add(Tag(_path(content)))

    def _delimit(self, content: str) -> None:
        found = _DELIMITERS.fullmatch(content)
        if found is None:
            raise Refused(f"The delimiters {content[:_SHOWN]!r} are not valid.")
        self.left, self.right = found.groups()

    def _open(self, section: Section) -> None:
        self._add(section)
        self.open.append(section)
        if len(self.open) > MAX_SECTIONS:
            raise Refused(f"Sections are nested deeper than {MAX_SECTIONS} levels.")

    def _close(self, path: tuple[str, ...]) -> None:
        if not self.open or self.open.pop().path != path:
            raise Refused(f"There is no open section {'.'.join(path)!r} to close here.")


def _path(content: str) -> tuple[str, ...]:
    """Split a name at its dots; `.` has no parts."""
    if content == ".":
        return ()
    if _NAME.fullmatch(content) is None:
        raise Refused(f"{content[:_SHOWN]!r} is not the name of a variable.")
    return tuple(content.split("."))

"""Secret values are taken out of what models say and tools return, in the forms that programs usually give them.

Found are the value itself and its JSON, HTML, percent, hexadecimal and base64 forms, the last also inside a longer encoding.
A value that was transformed otherwise (reversed, split, compressed, encoded twice) is not found.
"""

import base64
import html
import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import Any, Final
from urllib.parse import quote

from shared.items import Item

MASK: Final = "[secret]"
MIN_SECRET: Final = 4
"""Shortest value that can be a secret, in characters: shorter ones occur everywhere by chance."""
_MIN_MIDDLE: Final = 8
"""Shortest piece of a longer base64 text that is taken for a secret's."""
_SAFE: Final = ("", "/", "*", "!'()*", ";/?:@&=+$,#!'()*")
"""What percent-encoders leave alone: strict ones, paths, forms, encodeURIComponent, encodeURI."""
_HTML_IN_JSON: Final = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})
_STRUCTURE: Final = frozenset({"type", "id", "call_id", "status", "role"})
"""Members of an item that we or the provider's adapter wrote, and that others rely on."""


class Scrubber:
    """Replaces secret values by `[secret]`: at every place the longest form that stands there. False if it has none.

    Every form is at least MIN_SECRET long, so one pattern of all forms' first characters finds where to look closer. It stays
    small however long the values are.
    """

    def __init__(self, values: Iterable[str]) -> None:
        """Look for `values` of at least MIN_SECRET characters; shorter ones cannot be secrets."""
        forms = {form for value in values for form in _forms(value)}
        self._forms = sorted(forms)
        self._longest = max(map(len, forms), default=0)
        self._by_head: dict[str, list[str]] = {}
        for form in sorted(forms, key=len, reverse=True):
            self._by_head.setdefault(form[:MIN_SECRET], []).append(form)
        self._heads = _any_of(self._by_head)

    def __bool__(self) -> bool:
        return bool(self._forms)

    def text(self, text: str) -> str:
        """Return `text` without secrets."""
        done: list[str] = []
        place = 0
        while hit := self._hit(text, place):
            done += (text[place : hit[0]], MASK)
            place = hit[1]
        return "".join((*done, text[place:]))

    def split(self, text: str) -> tuple[str, str]:
        """Return the part of `text` that is decided, without secrets, and the end that may be the beginning of one, as it is.

        More text may be appended to that end; `split` of the whole continues as if it had never been split.
        """
        done: list[str] = []
        place = 0
        while True:
            hit = self._hit(text, place)
            held = self._undecided(text, place, hit[0] if hit else len(text) - 1)
            if held is not None:
                return "".join((*done, text[place:held])), text[held:]
            if hit is None:
                return "".join((*done, text[place:])), ""
            done += (text[place : hit[0]], MASK)
            place = hit[1]

    def value(self, value: Any) -> Any:
        """Return a JSON value without secrets in its strings, its numbers and its keys."""
        match value:
            case str():
                return self.text(value)
            case dict():
                return {self.value(key): self.value(each) for key, each in value.items()}
            case list() | tuple():
                return [self.value(each) for each in value]
            case int() | float() if not isinstance(value, bool):
                shown = str(value)
                return value if (clean := self.text(shown)) == shown else clean
            case _:
                return value

    def item(self, item: Item) -> Item:
        """Return an item without secrets. What makes it an item stays, even if a secret is a word as common as `message`."""
        return {name: each if name in _STRUCTURE else self.value(each) for name, each in item.items()}

    def _hit(self, text: str, start: int) -> tuple[int, int] | None:
        """Find the first place from `start` on where a form stands, and the end of the longest that stands there."""
        while head := self._heads.search(text, start):
            begin = head.start()
            for form in self._by_head[head[0]]:
                if text.startswith(form, begin):
                    return begin, begin + len(form)
            start = begin + 1
        return None

    def _undecided(self, text: str, start: int, stop: int) -> int | None:
        """Find the first place from `start` to `stop` from which the rest of `text` is the beginning of a longer form."""
        for place in range(max(start, len(text) - self._longest + 1), stop + 1):
            rest = text[place:]
            following = bisect_right(self._forms, rest)
            if following < len(self._forms) and self._forms[following].startswith(rest):
                return place
        return None


def _any_of(heads: Iterable[str]) -> re.Pattern[str]:
    """Match any of `heads`; grouped by the first character, so that few alternatives are tried at a place."""
    rests: dict[str, list[str]] = {}
    for head in heads:
        rests.setdefault(head[0], []).append(re.escape(head[1:]))
    groups = (f"{re.escape(first)}(?:{'|'.join(those)})" for first, those in rests.items())
    return re.compile("|".join(groups) or "(?!)")


def _forms(value: str) -> Iterator[str]:
    """Yield the value, also without the space around it, and its usual encodings."""
    for text in {value, value.strip()}:
        if len(text) < MIN_SECRET:
            continue
        yield text
        yield from _escaped(text)
        data = text.encode("utf-8", "surrogatepass")
        yield from _percent(data)
        yield from (data.hex(), data.hex().upper())
        yield from _base64(data)


def _escaped(text: str) -> Iterator[str]:
    """Yield the text as it stands in HTML, and in JSON of several tastes, also in JSON inside of JSON."""
    yield from (html.escape(text), html.escape(text, quote=False))
    spelled = json.dumps(text)[1:-1]
    upper = re.sub(r"\\u[0-9a-f]{4}", lambda found: f"\\u{found[0][2:].upper()}", spelled)
    for form in (json.dumps(text, ensure_ascii=False)[1:-1], spelled, upper):
        for taste in (form, form.replace("/", "\\/"), form.translate(_HTML_IN_JSON)):
            yield from (taste, json.dumps(taste, ensure_ascii=False)[1:-1])


def _percent(data: bytes) -> Iterator[str]:
    every = "".join(f"%{byte:02X}" for byte in data)
    for form in (every, *(quote(data, safe=safe) for safe in _SAFE)):
        for taste in (form, form.replace("%20", "+"), form.replace("~", "%7E")):
            yield from (taste, re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), taste))


def _base64(data: bytes) -> Iterator[str]:
    """Yield the encoding, and for each place that data may have in a longer one the characters that it alone decides."""
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        whole = encode(data).decode()
        yield from (whole, whole.rstrip("="))
        for before in range(3):
            first, end = -(-8 * before // 6), 8 * (before + len(data)) // 6
            if end - first >= _MIN_MIDDLE:
                yield encode(bytes(before) + data).decode()[first:end]

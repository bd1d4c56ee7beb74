"""How programs spell a text inside of others: in JSON, HTML, URLs, forms, hexadecimal and base64.

A text that was transformed otherwise (reversed, cut up, compressed, encoded twice over) is beyond this.
"""

import base64
import html
import json
import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote

_MIN_MIDDLE: Final = 8
"""Shortest piece of a longer base64 text that is taken for a text's."""
_SAFE: Final = ("", "/", "*", "!'()*", ";/?:@&=+$,#!'()*")
"""What percent-encoders leave alone: strict ones, paths, forms, encodeURIComponent, encodeURI."""
_HTML_IN_JSON: Final = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def of(text: str) -> Iterator[str]:
    """Yield the text itself and its encodings, some of them more than once; none is shorter than the text or 8 characters."""
    yield text
    yield from _escaped(text)
    data = text.encode("utf-8", "surrogatepass")
    yield from _percent(data)
    yield from (data.hex(), data.hex().upper())
    yield from _base64(data)


def _escaped(text: str) -> Iterator[str]:
    """Yield the text as it stands in HTML, and in JSON of several tastes; both also in JSON, as APIs wrap what others said."""
    for form in (html.escape(text), html.escape(text, quote=False)):
        once = json.dumps(form, ensure_ascii=False)[1:-1]
        yield from (form, once, json.dumps(once, ensure_ascii=False)[1:-1])
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

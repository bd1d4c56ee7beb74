"""What is secret in a secret text by itself: what a scheme stands before, and what stands beside placeholders."""

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Final

_SCHEME: Final = re.compile(
    r"(?:basic|bearer|token|key|api-?key|apikey-v1|bot|dpop|geniekey|jwt|oauth|pat|ssws|splunk)[ \t]+(\S.*)",
    re.IGNORECASE | re.DOTALL,
)
"""A word of RFC 9110's `auth-scheme`, or one that some services have in its place."""
_PLACEHOLDER: Final = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_MIN_PIECE: Final = 8
"""Shortest text beside placeholders that is no mere word."""
_NO_PASSWORD: Final = frozenset({"", "x", "X", "x-oauth-basic"})
"""What stands for the password where the name is the secret."""


def within(value: str) -> Iterator[str]:
    """Yield a secret text, and what of it is a secret by itself."""
    yield value
    text = value.strip()
    yield text
    if found := _SCHEME.fullmatch(text):
        yield (text := found[1])
        if found[0][:5].lower() == "basic":
            yield from _basic(text)
    pieces = [piece.strip() for piece in _PLACEHOLDER.split(text)]
    if len(pieces) > 1:
        yield from (piece for piece in pieces if len(piece) >= _MIN_PIECE)


def _basic(encoded: str) -> Iterator[str]:
    """Yield the name and password of RFC 7617 as they were joined, and the one that is secret."""
    try:
        decoded = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, ValueError):
        return
    name, _, password = decoded.partition(":")
    yield decoded
    yield name if password in _NO_PASSWORD else password

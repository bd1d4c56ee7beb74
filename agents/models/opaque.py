"""Reasoning state that a provider wants back: sealed into one string, opened only by the wire that made it."""

import base64
import binascii
from collections.abc import Callable
from typing import Any, Final

import orjson

from shared.items import Item, Json


def seal(wire: str, payload: Json) -> str:
    """Pack a wire's reasoning state for an item's `encrypted_content`."""
    return base64.b64encode(orjson.dumps({"wire": wire, **payload})).decode()


def scrubbed(sealed: str, clean: Callable[[Any], Any]) -> str | None:
    """Return the state as `clean` leaves it. None if that changes what its provider has signed, and takes only as it was."""
    payload = _payload(sealed)
    if payload is None:
        return sealed if clean(sealed) == sealed else None
    cleaned = {name: value if name == "wire" else clean(value) for name, value in payload.items()}
    if cleaned == payload:
        return sealed
    return base64.b64encode(orjson.dumps(cleaned)).decode() if cleaned.keys() == _UNSIGNED else None


_UNSIGNED: Final = {"wire", "member", "text"}
"""The state of a server that wants back nothing but what its model thought."""


def unseal(wire: str, item: Item) -> Json | None:
    """Return what `seal` packed, or None if the item holds nothing, or another wire's state, or a client's own string."""
    payload = _payload(item.get("encrypted_content") or "")
    if payload is None or payload.pop("wire", None) != wire:
        return None
    return payload


def call_of(sealed: str) -> str | None:
    """Return the id of the call that a wire sealed its state for; None if it is for a whole turn, or cannot be read."""
    found = (_payload(sealed) or {}).get("call_id")
    return found if isinstance(found, str) else None


def _payload(sealed: Any) -> Json | None:
    try:
        payload = orjson.loads(base64.b64decode(sealed, validate=True))
    except (binascii.Error, ValueError, TypeError):
        return None
    return payload if isinstance(payload, dict) else None

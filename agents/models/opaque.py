"""Reasoning state that a provider wants back: sealed into one string, opened only by the wire that made it."""

import base64
import binascii

import orjson

from shared.items import Item, Json


def seal(wire: str, payload: Json) -> str:
    """Pack a wire's reasoning state for an item's `encrypted_content`."""
    return base64.b64encode(orjson.dumps({"wire": wire, **payload})).decode()


def unseal(wire: str, item: Item) -> Json | None:
    """Return what `seal` packed, or None if the item holds nothing, or another wire's state, or a client's own string."""
    try:
        payload = orjson.loads(base64.b64decode(item.get("encrypted_content") or "", validate=True))
    except (binascii.Error, ValueError, TypeError):
        return None
    if not isinstance(payload, dict) or payload.pop("wire", None) != wire:
        return None
    return payload

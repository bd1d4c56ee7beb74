"""What makes two calls the same, so that one may be answered with what the other was."""

import hashlib
from typing import Final

import orjson

from shared.items import Json

ABOUT: Final = frozenset({"user", "safety_identifier", "metadata", "store", "prompt_cache_key", "prompt_cache_retention"})
"""Members that say who asks, and do not change what is answered."""


def key(project_id: str, endpoint: str, body: Json) -> str:
    """Return a call's fingerprint. `body` is what a provider would see, with the model that was asked for.

    The order of members does not matter. No two projects have a fingerprint in common.
    """
    told = {name: value for name, value in body.items() if name not in ABOUT}
    packed = orjson.dumps([project_id, endpoint, told], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(packed).hexdigest()

"""Prefixed, time-ordered identifiers. LangChain needs `resp_` and `msg_`; the rest is convention."""

import secrets
import time


def new(prefix: str, *, now: float | None = None) -> str:
    """Make `<prefix>_<48 bits of milliseconds><80 random bits>`, in hexadecimal, so that ids sort by age."""
    milliseconds = int((time.time() if now is None else now) * 1000)
    return f"{prefix}_{milliseconds:012x}{secrets.token_hex(10)}"

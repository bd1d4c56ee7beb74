"""Answers that were given before to exactly the same call: looked up before a provider is asked, kept once one is complete."""

from dataclasses import dataclass

import orjson

from agents import fingerprint
from agents.models.upstream import Endpoint, Upload
from api.desk import Desk
from api.router.envelope import Envelope


@dataclass(frozen=True, slots=True)
class Remembered:
    """An answer as the client received it."""

    media_type: str
    model: str
    """`provider/model` that had answered."""
    body: bytes


def key_of(project_id: str, endpoint: Endpoint, wanted: Envelope, files: tuple[Upload, ...]) -> str | None:
    """Make the key of a call that may be answered from memory; None for one that asks for no cache, or holds files."""
    if wanted.policy.cache_ttl is None or files:
        return None
    return fingerprint.key(project_id, endpoint, {**wanted.body, "model": wanted.model})


async def find(desk: Desk, key: str) -> Remembered | None:
    """Look an answer up."""
    kept = await desk.answers.get(key)
    if kept is None:
        return None
    head, _, body = kept.partition(b"\n")
    media_type, model = orjson.loads(head)
    return Remembered(media_type, model, body)


async def keep(desk: Desk, key: str, answer: Remembered, *, ttl: int) -> None:
    """Keep a complete answer for `ttl` seconds."""
    await desk.answers.put(key, orjson.dumps((answer.media_type, answer.model)) + b"\n" + answer.body, ttl)

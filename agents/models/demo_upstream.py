"""The demo's endpoints besides chats: offline, the same for the same call, and plainly no model.

`demo/load` takes directives from the text of a call, as in chats: `fail=429 after=3 delay_ms=500 rate=50`.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from typing import Final, TypeAlias

from agents.models import demo_pictures, demo_script, demo_sounds, demo_texts
from agents.models.base import ModelError
from agents.models.demo_answer import Written
from agents.models.upstream import ENDPOINTS, Answer, Ask, Endpoint

MODELS: Final = ("embedding", "image", "speech", "audio", "moderation", "rerank", "completion")
"""Their names; any of them, and those of the demo's chats, answers at every endpoint."""

_TEXTS: Final = ("input", "prompt", "query")
"""Where a call's text is."""

_Writer: TypeAlias = Callable[[Ask, int], Written]
_WRITERS: Final[Mapping[Endpoint, _Writer]] = {
    "completions": demo_texts.completions,
    "embeddings": demo_texts.embeddings,
    "moderations": demo_texts.moderations,
    "rerank": demo_texts.rerank,
    "images/generations": demo_pictures.images,
    "images/edits": demo_pictures.images,
    "images/variations": demo_pictures.images,
    "audio/speech": demo_sounds.speech,
    "audio/transcriptions": demo_sounds.transcription,
    "audio/translations": demo_sounds.transcription,
}


class DemoUpstream:
    """Every endpoint but chats."""

    endpoints: frozenset[Endpoint] = frozenset(ENDPOINTS) - {"chat/completions"}

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`clock` tells Unix seconds."""
        self._clock = clock
        self._sleep = sleep

    async def send(self, ask: Ask) -> Answer:
        """Answer as soon as the directives let it. Raises ModelError for what it cannot do, and where they say so."""
        asked = demo_script.directives(_text(ask)) if ask.model == "load" else {}
        if delay := asked.get("delay_ms"):
            await self._sleep(delay / 1000)
        failure = demo_script.failure(asked.get("fail", 0))
        after = asked.get("after", 0)
        if failure is not None and not after:
            raise failure
        written = _WRITERS[ask.endpoint](ask, int(self._clock()))
        if failure is not None and written.whole is not None:
            raise failure
        played = self._played(written.pieces, rate=asked.get("rate", 0), failure=failure, after=after)
        return Answer(media_type=written.media_type, chunks=played, whole=written.whole, close=played.aclose)

    async def _played(
        self, pieces: Iterable[bytes], *, rate: int, failure: ModelError | None, after: int
    ) -> AsyncGenerator[bytes, None]:
        """Yield the pieces, `rate` of them a second; raise `failure` once `after` of them are out, or all."""
        for number, piece in enumerate(pieces):
            if failure is not None and number == after:
                raise failure
            await self._sleep(1 / rate if rate else 0)
            yield piece
        if failure is not None:
            raise failure


def _text(ask: Ask) -> str:
    """Find the text that a call is about; of several, the first."""
    given = next((ask.body[name] for name in _TEXTS if name in ask.body), "")
    first = given[0] if isinstance(given, list) and given else given
    return first if isinstance(first, str) else ""

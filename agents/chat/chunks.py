"""A chat's answer as a stream of `chat.completion.chunk` events. What all chunks have in common is encoded once."""

from typing import Final, assert_never

import orjson

from agents.chat import deltas
from agents.chat.deltas import Piece, Told, Total
from shared.items import Json

DONE: Final = b"data: [DONE]\n\n"

_OPEN: Final = b',"logprobs":null,"finish_reason":null}]}\n\n'


class Encoder:
    """Writes the chunks of one answer."""

    def __init__(self, head: Json, *, choices: int = 1) -> None:
        """`head` holds `id`, `created` and `model`."""
        common = orjson.dumps({**head, "object": "chat.completion.chunk", "system_fingerprint": None})
        self._common = b"data: " + common[:-1]
        self._starts = [self._common + b',"choices":[{"index":%d,"delta":' % index for index in range(choices)]

    def encode(self, told: Told) -> bytes:
        """Write the events of one piece: whose role it is before the first, and the mark after the total."""
        match told:
            case Piece():
                start = self._starts[told.index]
                end = _OPEN if not told.logprobs and told.reason is None else _end(told)
                chunk = start + orjson.dumps(told.delta) + end
                return start + _role(told) + _OPEN + chunk if told.first else chunk
            case Total(counts, tier):
                ending: Json = {"service_tier": tier, "choices": [], "usage": deltas.usage(counts)}
                return self._common + b"," + orjson.dumps(ending)[1:] + b"\n\n" + DONE
            case _:
                assert_never(told)


def _role(first: Piece) -> bytes:
    """Write the delta that begins a message, whose content is null unless there is some."""
    return orjson.dumps({"role": "assistant", "content": "" if "content" in first.delta else None, "refusal": None})


def _end(piece: Piece) -> bytes:
    logprobs = {"content": piece.logprobs, "refusal": None} if piece.logprobs else None
    return b',"logprobs":' + orjson.dumps(logprobs) + b',"finish_reason":' + orjson.dumps(piece.reason) + b"}]}\n\n"

"""Pictures that are real and show nothing: coloured squares, the same for the same prompt."""

import base64
import hashlib
import struct
import zlib
from collections.abc import Iterator
from typing import Any, Final

from agents.models import demo_answer
from agents.models.demo_answer import Written
from agents.models.upstream import Ask, Upload
from shared.items import Json

SIDE: Final = 64
"""Pixels."""
_SQUARE: Final = 16
_LOOKED_AT: Final = 1024 * 1024
"""Bytes of a given file."""
_LINK: Final = "data:image/png;base64,"
_SIZE: Final = f"{SIDE}x{SIDE}"


def png(seed: bytes, *, done: float = 1.0) -> bytes:
    """Draw squares in the colours of `seed`'s hash; of an unfinished picture only the upper part."""
    digest = hashlib.sha256(seed).digest()
    colours = [digest[at : at + 3] for at in range(16)]
    blank = b"\xff\xff\xff" * SIDE
    rows = [
        b"".join(colours[x // _SQUARE + y // _SQUARE * 4] for x in range(SIDE)) if y < done * SIDE else blank
        for y in range(SIDE)
    ]
    head = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    chunks = (b"IHDR", head), (b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows))), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def images(ask: Ask, created: int) -> Written:
    """Draw from the prompt and the files that were given."""
    prompt = "" if ask.endpoint == "images/variations" else demo_answer.text(ask, "prompt")
    count = demo_answer.number(ask, "n", 1, low=1, high=10)
    demo_answer.choice(ask, "output_format", "png", ("png",))
    linked = demo_answer.choice(ask, "response_format", "b64_json", ("b64_json", "url")) == "url"
    seed = prompt.encode() + b"".join(_look(file) for file in ask.files)
    usage = _usage(demo_answer.words([prompt]), pictures=count, given=len(ask.files))
    if ask.stream:
        parts = demo_answer.number(ask, "partial_images", 0, low=0, high=3)
        return demo_answer.events(_events(ask, seed, parts, {"created_at": created}, usage), named=True)
    drawn = [_encoded(png(seed + bytes([at]))) for at in range(count)]
    data = [{"url": _LINK + one} if linked else {"b64_json": one} for one in drawn]
    return demo_answer.whole({"created": created, "data": data, "output_format": "png", "size": _SIZE, "usage": usage})


def _look(file: Upload) -> bytes:
    file.content.seek(0)
    return hashlib.sha256(file.content.read(_LOOKED_AT)).digest()


def _usage(words: int, *, pictures: int, given: int) -> Json:
    return {
        "input_tokens": words + given,
        "input_tokens_details": {"text_tokens": words, "image_tokens": given},
        "output_tokens": pictures,
        "total_tokens": words + given + pictures,
    }


def _events(ask: Ask, seed: bytes, parts: int, head: Json, usage: Json) -> Iterator[Json]:
    """Show the picture as it comes to be, then whole. A stream is of one picture."""
    kind = "image_generation" if ask.endpoint == "images/generations" else "image_edit"
    looks: dict[str, Any] = {"background": "opaque", "output_format": "png", "quality": "low", "size": _SIZE}
    for at in range(parts):
        drawn = _encoded(png(seed + b"\0", done=(at + 1) / (parts + 1)))
        yield {"type": f"{kind}.partial_image", "b64_json": drawn, "partial_image_index": at, **head, **looks}
    yield {"type": f"{kind}.completed", "b64_json": _encoded(png(seed + b"\0")), **head, **looks, "usage": usage}


def _encoded(picture: bytes) -> str:
    return base64.b64encode(picture).decode()

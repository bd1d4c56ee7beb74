"""Pictures and sounds that are real files and mean nothing: the demo's, made of the text alone."""

import hashlib
import io
import math
import struct
import wave
import zlib
from typing import BinaryIO, Final

SIDE: Final = 64
"""Pixels."""
RATE: Final = 16_000
"""Samples a second."""
_SECONDS: Final = 0.06
"""Of sound for each character."""


def picture(text: str) -> bytes:
    """Draw a PNG of coloured squares, the same for the same text."""
    digest = hashlib.sha256(text.encode()).digest()
    rows = b"".join(b"\0" + b"".join(digest[(x // 16 + y // 16 * 4) % 30 :][:3] for x in range(SIDE)) for y in range(SIDE))
    head = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    chunks = (b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def samples(text: str) -> bytes:
    """Play a tone as long as the text, as 16-bit samples, mono, little-endian."""
    count = int(RATE * _SECONDS * min(len(text), 4096))
    pitch = 220 + hashlib.sha256(text.encode()).digest()[0]
    cycle = [int(8000 * math.sin(2 * math.pi * pitch * at / RATE)) for at in range(RATE)]
    second = struct.pack(f"<{RATE}h", *cycle)
    return (second * (count // RATE + 1))[: 2 * count]


def wav(pcm: bytes) -> bytes:
    """Put samples into a WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(2)
        written.setframerate(RATE)
        written.writeframes(pcm)
    return file.getvalue()


def seconds(content: BinaryIO) -> float | None:
    """Tell how long a WAV file plays; None if it is none."""
    content.seek(0)
    try:
        with wave.open(content, "rb") as read:
            return read.getnframes() / (read.getframerate() or 1)
    except (wave.Error, EOFError):
        return None

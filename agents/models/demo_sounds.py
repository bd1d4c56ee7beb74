"""Sounds that are real and say nothing, and what can be said of a recording without hearing it."""

import base64
import hashlib
import math
import struct
import wave
from collections.abc import Iterator
from typing import BinaryIO, Final

from agents.models import demo_answer, demo_script
from agents.models.demo_answer import Written
from agents.models.upstream import Ask, Upload
from shared.items import Json

RATE: Final = 16_000
"""Samples a second, 16 bits each, of one channel."""
SECONDS: Final = 0.06
"""Of sound for each character."""
_MOST: Final = 4096
"""Characters that are read aloud."""
_FORMATS: Final = ("json", "text", "srt", "verbose_json", "vtt")


def speech(ask: Ask, _created: int) -> Written:
    """Play a tone as long as the text."""
    text = demo_answer.text(ask, "input")
    if len(text) > _MOST:
        raise demo_answer.refused(f"Invalid 'input': expected at most {_MOST} characters.")
    kind = demo_answer.choice(ask, "response_format", "wav", ("wav", "pcm"))
    samples = int(RATE * SECONDS * len(text))
    sound = _tone(text, samples)
    head = [_wav_head(samples)] if kind == "wav" else []
    if demo_answer.choice(ask, "stream_format", "audio", ("audio", "sse")) == "audio":
        return Written(f"audio/{kind}", _joined(head, sound))
    words = demo_answer.words([text])
    usage = {"input_tokens": words, "output_tokens": words, "total_tokens": 2 * words}
    return demo_answer.events(_spoken(_joined(head, sound), usage))


def _joined(head: list[bytes], sound: Iterator[bytes]) -> Iterator[bytes]:
    yield from head
    yield from sound


def _spoken(pieces: Iterator[bytes], usage: Json) -> Iterator[Json]:
    for piece in pieces:
        yield {"type": "speech.audio.delta", "audio": base64.b64encode(piece).decode()}
    yield {"type": "speech.audio.done", "usage": usage}


def _tone(text: str, samples: int) -> Iterator[bytes]:
    """Play a tone whose pitch, in whole Hertz, comes of the text: each second of it is the same."""
    pitch = 220 + hashlib.sha256(text.encode()).digest()[0]
    second = struct.pack(f"<{RATE}h", *(int(8000 * math.sin(2 * math.pi * pitch * at / RATE)) for at in range(RATE)))
    for _ in range(samples // RATE):
        yield second
    if rest := samples % RATE:
        yield second[: 2 * rest]


def _wav_head(samples: int) -> bytes:
    """Write a WAV file's header (RIFF, PCM)."""
    size = 2 * samples
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + size, b"WAVE", b"fmt ", 16, 1, 1, RATE, 2 * RATE, 2, 16, b"data", size
    )


def transcription(ask: Ask, _created: int) -> Written:
    """Say what the file is, which is all that can be said of it without a model."""
    file = next((one for one in ask.files if one.field == "file"), None)
    if file is None:
        raise demo_answer.refused("Missing required parameter: 'file'.")
    length = seconds(file.content)
    text = _said(file, length)
    translated = ask.endpoint == "audio/translations"
    match demo_answer.choice(ask, "response_format", "json", _FORMATS):
        case "text":
            return demo_answer.plain(f"{text}\n", "text/plain")
        case "srt":
            return demo_answer.plain(f"1\n{_span(length, ',')}\n{text}\n\n", "text/plain")
        case "vtt":
            return demo_answer.plain(f"WEBVTT\n\n{_span(length, '.')}\n{text}\n\n", "text/vtt")
        case "verbose_json":
            return demo_answer.whole(_verbose(ask, text, length or 0.0, task="translate" if translated else "transcribe"))
        case _ if translated:
            return demo_answer.whole({"text": text})
        case _ if ask.stream:
            return demo_answer.events(_told(text), mark=True)
        case _:
            return demo_answer.whole({"text": text, "usage": _usage(text) if length is None else _heard(length)})


def seconds(content: BinaryIO) -> float | None:
    """Tell how long a WAV file plays; None if it is none."""
    content.seek(0)
    try:
        with wave.open(content, "rb") as read:
            return read.getnframes() / (read.getframerate() or 1)
    except (wave.Error, EOFError):
        return None


def _said(file: Upload, length: float | None) -> str:
    sound = "" if length is None else f", {length:.1f} seconds of sound"
    return f"This is Rondo's demo, which is no model and hears nothing. It was sent {file.filename}, {file.size} bytes{sound}."


def _span(length: float | None, point: str) -> str:
    """Write from when to when, as subtitles do."""
    return f"{_clock(0.0, point)} --> {_clock(length or 1.0, point)}"


def _clock(at: float, point: str) -> str:
    whole, milliseconds = divmod(round(at * 1000), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}{point}{milliseconds:03}"


def _verbose(ask: Ask, text: str, length: float, *, task: str) -> Json:
    where = {"id": 0, "seek": 0, "start": 0.0, "end": length, "text": text, "tokens": []}
    scores = {"temperature": 0.0, "avg_logprob": 0.0, "compression_ratio": 1.0, "no_speech_prob": 0.0}
    told: Json = {"task": task, "language": "english", "duration": length, "text": text, "segments": [where | scores]}
    if task == "translate":
        return told
    if "word" in (ask.body.get("timestamp_granularities[]") or ()):
        told["words"] = _words(text, length)
    return {**told, "usage": _heard(length)}


def _words(text: str, length: float) -> list[Json]:
    """Spread words over the recording."""
    words = text.split()
    each = length / len(words)
    return [{"word": word, "start": at * each, "end": (at + 1) * each} for at, word in enumerate(words)]


def _heard(length: float) -> Json:
    return {"type": "duration", "seconds": length}


def _usage(text: str) -> Json:
    words = demo_answer.words([text])
    return {"type": "tokens", "input_tokens": 1, "output_tokens": words, "total_tokens": 1 + words}


def _told(text: str) -> Iterator[Json]:
    for piece in demo_script.pieces(text):
        yield {"type": "transcript.text.delta", "delta": piece}
    yield {"type": "transcript.text.done", "text": text, "usage": _usage(text)}

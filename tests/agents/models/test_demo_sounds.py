"""The demo's sounds, played, and what it says of recordings."""

import base64
import io
import wave

import pytest
from openai.types.audio import TranscriptionTextDeltaEvent, TranscriptionTextDoneEvent

from agents.models import demo_sounds
from agents.models.base import Usage
from agents.models.metering import usage_of
from tests.agents.models.asking import events, pieces, recording, strictly, upload, whole

SOUND = (upload(recording(1.5)),)


@pytest.mark.parametrize("text", ["Hi", "Hello, this takes longer than a second to say.", "x" * 4096])
def test_speech_is_a_sound_as_long_as_its_text(text: str) -> None:
    media_type, heard, _ = pieces("audio/speech", {"input": text, "voice": "alloy"})
    assert media_type == "audio/wav"
    with wave.open(io.BytesIO(b"".join(heard))) as read:
        assert (read.getnchannels(), read.getsampwidth(), read.getframerate()) == (1, 2, demo_sounds.RATE)
        assert read.getnframes() == int(demo_sounds.SECONDS * demo_sounds.RATE * len(text))
        assert len(read.readframes(read.getnframes())) == 2 * read.getnframes()


def test_long_speech_comes_in_pieces() -> None:
    _, heard, _ = pieces("audio/speech", {"input": "x" * 1000, "response_format": "pcm"})
    assert len(heard) == 60
    assert max(map(len, heard)) == 2 * demo_sounds.RATE


def test_speech_may_be_a_stream_of_events() -> None:
    told, _ = events("audio/speech", {"input": "Hello you", "response_format": "pcm", "stream_format": "sse"})
    *deltas, done = told
    _, heard, _ = pieces("audio/speech", {"input": "Hello you", "response_format": "pcm"})
    assert b"".join(base64.b64decode(delta["audio"]) for delta in deltas) == b"".join(heard)
    assert usage_of("audio/speech", done) == Usage(input=2, output=2)


def test_a_transcription_says_what_was_sent_and_that_nothing_was_heard() -> None:
    told = whole("audio/transcriptions", {}, files=SOUND)
    assert told["text"] == (
        "This is Rondo's demo, which is no model and hears nothing. "
        f"It was sent hello.wav, {SOUND[0].size} bytes, 1.5 seconds of sound."
    )
    assert told["usage"] == {"type": "duration", "seconds": 1.5}


def test_a_file_that_is_no_sound_is_told_by_its_size() -> None:
    assert whole("audio/transcriptions", {}, files=(upload(b"12345"),))["text"].endswith("sent hello.wav, 5 bytes.")


@pytest.mark.parametrize(
    ("given", "start"),
    [
        ("text", "This is Rondo's demo"),
        ("srt", "1\n00:00:00,000 --> 00:01:15,500\nThis is"),
        ("vtt", "WEBVTT\n\n00:00:00.000 --> 00:01:15.500\nThis is"),
    ],
)
def test_subtitles_span_the_recording(given: str, start: str) -> None:
    media_type, heard, _ = pieces("audio/transcriptions", {"response_format": given}, files=(upload(recording(75.5)),))
    assert media_type.startswith("text/")
    assert b"".join(heard).decode().startswith(start)


def test_words_are_spread_over_the_recording() -> None:
    body = {"response_format": "verbose_json", "timestamp_granularities[]": ["word"]}
    told = whole("audio/transcriptions", body, files=SOUND)
    assert " ".join(word["word"] for word in told["words"]) == told["text"]
    assert (told["words"][0]["start"], told["words"][-1]["end"]) == (0.0, pytest.approx(1.5))


def test_a_transcription_is_streamed() -> None:
    (*deltas, done), marked = events("audio/transcriptions", {}, files=SOUND)
    text = "".join(strictly(TranscriptionTextDeltaEvent, delta).model_dump()["delta"] for delta in deltas)
    assert strictly(TranscriptionTextDoneEvent, done).model_dump()["text"] == text
    assert marked

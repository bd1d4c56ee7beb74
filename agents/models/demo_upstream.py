"""The demo's endpoints besides chats: offline, the same for the same call, and plainly no model."""

import base64
import hashlib
import math
import struct
import time
from collections.abc import AsyncIterator
from typing import Any, Final

import orjson

from agents.models import demo_media
from agents.models.base import ModelError
from agents.models.upstream import ENDPOINTS, EVENTS, JSON, Answer, Ask, Endpoint
from shared.items import Json

MODELS: Final = ("embedding", "image", "speech", "audio", "moderation", "rerank", "completion")
"""Their names; any of them answers at every endpoint."""

DIMENSIONS: Final = 256
_DATA_URL: Final = "data:image/png;base64,"
_PIECE: Final = 16_384


class DemoUpstream:
    """Every endpoint but chats."""

    endpoints: frozenset[Endpoint] = frozenset(ENDPOINTS) - {"chat/completions"}

    async def send(self, ask: Ask) -> Answer:
        """Answer at once. Raises ModelError for what it cannot do."""
        match ask.endpoint:
            case "embeddings":
                return _json(_embeddings(ask))
            case "images/generations" | "images/edits" | "images/variations":
                return _json(_images(ask))
            case "audio/speech":
                return _speech(ask)
            case "audio/transcriptions" | "audio/translations":
                return _transcription(ask)
            case "moderations":
                return _json(_moderations(ask))
            case "rerank":
                return _json(_rerank(ask))
            case "completions":
                return _completion(ask)
            case "chat/completions":
                raise ModelError("invalid_prompt", "The demo answers chats elsewhere.")


def _json(value: Json) -> Answer:
    return Answer(media_type=JSON, chunks=_pieces(orjson.dumps(value)), whole=value)


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(body), _PIECE):
        yield body[at : at + _PIECE]


def _text(ask: Ask, name: str) -> str:
    value = ask.body.get(name)
    if not isinstance(value, str):
        raise ModelError("invalid_prompt", f"Invalid '{name}': expected a string.")
    return value


def _texts(value: Any, name: str) -> list[str]:
    """Take a text, several, or tokens, which are read as words."""
    match value:
        case str():
            return [value]
        case [int(), *_]:
            return [" ".join(map(str, value))]
        case [str() | list(), *_]:
            return [one if isinstance(one, str) else " ".join(map(str, one)) for one in value]
        case _:
            raise ModelError("invalid_prompt", f"Invalid '{name}': expected a string or an array.")


def _words(texts: list[str]) -> int:
    return sum(len(text.split()) for text in texts)


def _embeddings(ask: Ask) -> Json:
    """Turn each text into a vector of length 1, in which texts with words in common are near each other."""
    texts = _texts(ask.body.get("input"), "input")
    size = ask.body.get("dimensions") or DIMENSIONS
    if not isinstance(size, int) or not 1 <= size <= 4096:
        raise ModelError("invalid_prompt", "Invalid 'dimensions': expected a whole number from 1 to 4096.")
    vectors = [_vector(text, size) for text in texts]
    packed = ask.body.get("encoding_format") == "base64"
    shown: list[Any] = [base64.b64encode(struct.pack(f"<{size}f", *one)).decode() if packed else one for one in vectors]
    data = [{"object": "embedding", "index": index, "embedding": one} for index, one in enumerate(shown)]
    words = _words(texts)
    return {"object": "list", "data": data, "model": ask.model, "usage": {"prompt_tokens": words, "total_tokens": words}}


def _vector(text: str, size: int) -> list[float]:
    vector = [0.0] * size
    for word in text.casefold().split() or [""]:
        digest = hashlib.sha256(word.encode()).digest()
        for at in range(0, 16, 4):
            vector[int.from_bytes(digest[at : at + 3], "big") % size] += 1.0 if digest[at + 3] % 2 else -1.0
    length = math.sqrt(sum(one * one for one in vector)) or 1.0
    return [one / length for one in vector]


def _images(ask: Ask) -> Json:
    prompt = str(ask.body.get("prompt") or "")
    if ask.endpoint == "images/generations" and not prompt:
        raise ModelError("invalid_prompt", "Missing required parameter: 'prompt'.")
    count = int(ask.body.get("n") or 1)
    if not 1 <= count <= 10:
        raise ModelError("invalid_prompt", "Invalid 'n': expected a whole number from 1 to 10.")
    made = [base64.b64encode(demo_media.picture(f"{prompt} {number}")).decode() for number in range(count)]
    linked = ask.body.get("response_format") == "url"
    data = [{"url": _DATA_URL + one} if linked else {"b64_json": one} for one in made]
    words = _words([prompt])
    usage = {"input_tokens": words, "output_tokens": count, "total_tokens": words + count}
    return {"created": int(time.time()), "data": data, "usage": usage}


def _speech(ask: Ask) -> Answer:
    pcm = demo_media.samples(_text(ask, "input"))
    match ask.body.get("response_format") or "wav":
        case "wav":
            return Answer(media_type="audio/wav", chunks=_pieces(demo_media.wav(pcm)))
        case "pcm":
            return Answer(media_type="audio/pcm", chunks=_pieces(pcm))
        case _:
            raise ModelError("invalid_prompt", "Unsupported value: the demo's 'response_format' is 'wav' or 'pcm'.")


def _transcription(ask: Ask) -> Answer:
    """Say what the file is, which is all that can be said of it without a model."""
    file = next((one for one in ask.files if one.field == "file"), None)
    if file is None:
        raise ModelError("invalid_prompt", "Missing required parameter: 'file'.")
    length = demo_media.seconds(file.content)
    sound = "" if length is None else f", {length:.1f} seconds of sound"
    said = f"This is a demo and no model; it was sent {file.filename}, {file.size} bytes{sound}."
    end = length or 1.0
    clock = f"00:00:{end:06.3f}"
    segment = {"id": 0, "seek": 0, "start": 0.0, "end": end, "text": said, "tokens": [], "temperature": 0.0}
    scores = {"avg_logprob": 0.0, "compression_ratio": 1.0, "no_speech_prob": 0.0}
    usage = {"type": "tokens", "input_tokens": 1, "output_tokens": _words([said]), "total_tokens": 1 + _words([said])}
    match ask.body.get("response_format") or "json":
        case "json" if ask.stream:
            return Answer(media_type=EVENTS, chunks=_once(_told(said, usage)))
        case "json":
            return _json({"text": said, "usage": usage})
        case "verbose_json":
            task = "translate" if ask.endpoint == "audio/translations" else "transcribe"
            whole = {"task": task, "language": "english", "duration": end, "text": said, "segments": [segment | scores]}
            return _json(whole)
        case "text":
            return _plain(said + "\n", "text/plain")
        case "srt":
            return _plain(f"1\n00:00:00,000 --> {clock.replace('.', ',')}\n{said}\n\n", "text/plain")
        case "vtt":
            return _plain(f"WEBVTT\n\n00:00:00.000 --> {clock}\n{said}\n\n", "text/vtt")
        case _:
            raise ModelError("invalid_prompt", "Invalid 'response_format': expected json, text, srt, verbose_json or vtt.")


def _told(said: str, usage: Json) -> bytes:
    events: list[Json] = [{"type": "transcript.text.delta", "delta": f"{word} "} for word in said.split()]
    events.append({"type": "transcript.text.done", "text": said, "usage": usage})
    return b"".join(b"data: " + orjson.dumps(event) + b"\n\n" for event in events) + b"data: [DONE]\n\n"


def _plain(text: str, media_type: str) -> Answer:
    return Answer(media_type=media_type, chunks=_pieces(text.encode()))


_CATEGORIES: Final = (
    *("harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent", "self-harm"),
    *("self-harm/instructions", "self-harm/intent", "sexual", "sexual/minors", "violence", "violence/graphic"),
)


def _moderations(ask: Ask) -> Json:
    """Flag what the text asks to have flagged, as in `flag=violence`, and nothing else."""
    given = ask.body.get("input")
    if isinstance(given, list) and given and isinstance(given[0], dict):
        given = [str(part.get("text") or "") for part in given if isinstance(part, dict)]
    results = [_judged(text) for text in _texts(given, "input")]
    return {"id": f"modr-{hashlib.sha256(orjson.dumps(given)).hexdigest()[:24]}", "model": ask.model, "results": results}


def _judged(text: str) -> Json:
    flagged = {word.removeprefix("flag=") for word in text.split() if word.startswith("flag=")}
    categories = {name: name in flagged for name in _CATEGORIES}
    return {
        "flagged": any(categories.values()),
        "categories": categories,
        "category_scores": {name: float(found) for name, found in categories.items()},
        "category_applied_input_types": {name: ["text"] for name in _CATEGORIES},
    }


def _rerank(ask: Ask) -> Json:
    """Sort documents by the share of the query's words that they hold."""
    wanted = set(_text(ask, "query").casefold().split())
    documents = ask.body.get("documents")
    if not isinstance(documents, list) or not documents:
        raise ModelError("invalid_prompt", "Invalid 'documents': expected an array that is not empty.")
    texts = [str(one.get("text") or "") if isinstance(one, dict) else str(one) for one in documents]
    scores = [len(wanted & set(text.casefold().split())) / (len(wanted) or 1) for text in texts]
    ranked = sorted(enumerate(scores), key=lambda one: -one[1])[: ask.body.get("top_n") or len(texts)]
    shown = bool(ask.body.get("return_documents"))
    results = [
        {"index": at, "relevance_score": found, **({"document": {"text": texts[at]}} if shown else {})} for at, found in ranked
    ]
    words = _words([*texts, *wanted])
    return {"results": results, "usage": {"prompt_tokens": words, "total_tokens": words}}


def _completion(ask: Ask) -> Answer:
    """Repeat the prompt, as the demo's chats do."""
    prompts = _texts(ask.body.get("prompt"), "prompt")
    words = _words(prompts)
    usage = {"prompt_tokens": words, "completion_tokens": words, "total_tokens": 2 * words}
    head = {"id": "cmpl-demo", "object": "text_completion", "created": int(time.time()), "model": ask.model}
    choices = [{"index": at, "text": text, "logprobs": None, "finish_reason": "stop"} for at, text in enumerate(prompts)]
    if not ask.stream:
        return _json({**head, "choices": choices, "usage": usage})
    events: list[Json] = [{**head, "choices": [one]} for one in choices]
    events.append({**head, "choices": [], "usage": usage})
    told = b"".join(b"data: " + orjson.dumps(event) + b"\n\n" for event in events)
    return Answer(media_type=EVENTS, chunks=_once(told + b"data: [DONE]\n\n"))

"""What the demo makes of texts without understanding them: words are counted, hashed and compared."""

import base64
import hashlib
import math
import struct
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

import orjson

from agents.models import demo_answer, demo_script
from agents.models.demo_answer import Written
from agents.models.upstream import Ask
from shared.items import Json

DIMENSIONS: Final = 256
_MOST_TEXTS: Final = 2048
_MOST_NUMBERS: Final = 1_048_576
"""In all vectors of one call."""
_MOST_PROMPTS: Final = 16
_MOST_TOKENS: Final = 100_000
"""That are written for one prompt."""
_SPREAD: Final = 4
"""Dimensions that one word has a part in."""
_CATEGORIES: Final = (
    *("harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent", "self-harm"),
    *("self-harm/instructions", "self-harm/intent", "sexual", "sexual/minors", "violence", "violence/graphic"),
)


def embeddings(ask: Ask, _created: int) -> Written:
    """Turn each text into a vector of length 1. The more words two texts have in common, the nearer their vectors are."""
    texts = demo_answer.texts(ask.body.get("input"), "input", most=_MOST_TEXTS)
    size = demo_answer.number(ask, "dimensions", DIMENSIONS, low=1, high=4096)
    if len(texts) * size > _MOST_NUMBERS:
        raise demo_answer.refused(f"Too many texts: the demo makes up to {_MOST_NUMBERS // size} vectors of {size} dimensions.")
    show = _packed if demo_answer.choice(ask, "encoding_format", "float", ("float", "base64")) == "base64" else list
    data = [{"object": "embedding", "index": at, "embedding": show(_vector(text, size))} for at, text in enumerate(texts)]
    return demo_answer.whole({"object": "list", "data": data, "model": ask.model, "usage": _read(texts)})


def _read(texts: list[str]) -> Json:
    """Count what was read by a model that writes nothing."""
    words = demo_answer.words(texts)
    return {"prompt_tokens": words, "total_tokens": words}


def _packed(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def _vector(text: str, size: int) -> list[float]:
    """Add up the places of a text's words."""
    vector = [0.0] * size
    for word in demo_answer.vocabulary(text):
        for place, sign in _places(word):
            vector[place % size] += sign
    length = math.sqrt(sum(number * number for number in vector))
    if not length:  # a text without words, or one whose words cancel each other out
        return [1.0, *vector[1:]]
    return [number / length for number in vector]


@lru_cache(maxsize=16_384)
def _places(word: str) -> tuple[tuple[int, float], ...]:
    """Choose the dimensions that a word has a part in, and in which direction."""
    digest = hashlib.sha256(word.encode()).digest()
    numbers = struct.unpack_from(f"<{_SPREAD}I", digest)
    return tuple((number >> 1, 1.0 if number & 1 else -1.0) for number in numbers)


def rerank(ask: Ask, _created: int) -> Written:
    """Sort documents by the share of the query's words that they hold."""
    query = demo_answer.text(ask, "query")
    documents = _documents(ask.body.get("documents"))
    wanted = set(demo_answer.vocabulary(query))
    scores = [len(wanted.intersection(demo_answer.vocabulary(text))) / (len(wanted) or 1) for text in documents]
    most = demo_answer.number(ask, "top_n", len(documents), low=1, high=_MOST_TEXTS)
    ranked = sorted(range(len(documents)), key=lambda at: -scores[at])[:most]
    results: list[Json] = [{"index": at, "relevance_score": scores[at]} for at in ranked]
    if ask.body.get("return_documents"):
        results = [{**result, "document": {"text": documents[result["index"]]}} for result in results]
    return demo_answer.whole({"model": ask.model, "results": results, "usage": _read([query, *documents])})


def _documents(given: Any) -> list[str]:
    """Read documents, which are texts or objects that hold one. Raises ModelError."""
    if not isinstance(given, list) or not 1 <= len(given) <= _MOST_TEXTS:
        raise demo_answer.refused(f"Invalid 'documents': expected an array of 1 to {_MOST_TEXTS} documents.")
    texts = [one.get("text") if isinstance(one, dict) else one for one in given]
    found = [text for text in texts if isinstance(text, str)]
    if len(found) < len(texts):
        raise demo_answer.refused("Invalid 'documents': expected strings, or objects that have a string 'text'.")
    demo_answer.bounded(found, "documents")
    return found


def moderations(ask: Ask, _created: int) -> Written:
    """Flag what the text asks to have flagged, as `flag=violence` does, and nothing else."""
    given = ask.body.get("input")
    match given:
        case [{"type": _}, *_]:
            parts = [part.get("text") for part in given if isinstance(part, dict)]
            texts = [" ".join(text for text in parts if isinstance(text, str))]
        case _:
            texts = demo_answer.texts(given, "input", most=_MOST_TEXTS)
    name = hashlib.sha256(orjson.dumps(texts)).hexdigest()[:24]
    return demo_answer.whole({"id": f"modr-{name}", "model": ask.model, "results": [_judged(text) for text in texts]})


def _judged(text: str) -> Json:
    flagged = {word.removeprefix("flag=") for word in text.split() if word.startswith("flag=")}
    categories = {name: name in flagged for name in _CATEGORIES}
    return {
        "flagged": any(categories.values()),
        "categories": categories,
        "category_scores": {name: float(found) for name, found in categories.items()},
        "category_applied_input_types": {name: ["text"] for name in _CATEGORIES},
    }


def completions(ask: Ask, created: int) -> Written:
    """Repeat each prompt; `load` says numbered words instead, as many as its `tokens` directive asks for."""
    prompts = demo_answer.texts(ask.body.get("prompt"), "prompt", most=_MOST_PROMPTS)
    times = demo_answer.number(ask, "n", 1, low=1, high=8)
    most = demo_answer.number(ask, "max_tokens", _MOST_TOKENS, low=1, high=_MOST_TOKENS)
    said = [pieces for prompt in prompts for pieces in [_said(ask.model, prompt)] * times]
    reasons = ["stop" if len(pieces) <= most else "length" for pieces in said]
    said = [pieces[:most] for pieces in said]
    read, written = demo_answer.words(prompts), sum(map(len, said))
    usage = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
    head = {"id": f"cmpl-{created}", "object": "text_completion", "created": created, "model": ask.model}
    if ask.stream:
        return demo_answer.events(_chunks(head, said, reasons, usage), mark=True)
    choices = [_choice(at, "".join(pieces), reasons[at]) for at, pieces in enumerate(said)]
    return demo_answer.whole({**head, "choices": choices, "usage": usage})


def _said(model: str, prompt: str) -> list[str]:
    if model != "load":
        return demo_script.pieces(prompt)
    tokens = min(demo_script.directives(prompt).get("tokens", 0), _MOST_TOKENS)
    return [f"{number} " for number in range(1, tokens + 1)]


def _choice(at: int, text: str, reason: str | None) -> Json:
    return {"index": at, "text": text, "logprobs": None, "finish_reason": reason}


def _chunks(head: Json, said: list[list[str]], reasons: list[str], usage: Json) -> Iterator[Json]:
    for at, pieces in enumerate(said):
        for piece in pieces:
            yield {**head, "choices": [_choice(at, piece, None)]}
        yield {**head, "choices": [_choice(at, "", reasons[at])]}
    yield {**head, "choices": [], "usage": usage}

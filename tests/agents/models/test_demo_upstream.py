"""The demo's endpoints besides chats: real shapes, the same for the same call, and plainly no model."""

import asyncio
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types import (
    Completion,
    CreateEmbeddingResponse,
    ImagesResponse,
    ModerationCreateResponse,
)
from openai.types.audio import (
    Transcription,
    TranscriptionVerbose,
    Translation,
    TranslationVerbose,
)
from pydantic import BaseModel

from agents.models import demo_answer
from agents.models.base import ModelError
from agents.models.demo_upstream import DemoUpstream
from agents.models.upstream import Ask, Endpoint
from shared.items import Json
from tests.agents.models.asking import pieces, recording, strictly, upload, whole

ENDPOINTS = sorted(set(get_args(Endpoint)) - {"chat/completions"})


IMAGE = {"prompt": "a red square"}
PICTURE = (upload(b"\x89PNG", field="image", filename="a.png"),)
SOUND = (upload(recording(1.5)),)


@pytest.mark.parametrize(
    ("model", "endpoint", "body", "files"),
    [
        (Completion, "completions", {"prompt": ["Say this", "and that"]}, ()),
        (CreateEmbeddingResponse, "embeddings", {"input": ["a", "b"]}, ()),
        (ImagesResponse, "images/generations", IMAGE, ()),
        (ImagesResponse, "images/generations", {**IMAGE, "response_format": "url", "n": 2}, ()),
        (ImagesResponse, "images/edits", IMAGE, PICTURE),
        (ImagesResponse, "images/variations", {}, PICTURE),
        (ModerationCreateResponse, "moderations", {"input": "hello"}, ()),
        (Transcription, "audio/transcriptions", {}, SOUND),
        (Transcription, "audio/transcriptions", {}, (upload(b"no sound"),)),
        (Translation, "audio/translations", {}, SOUND),
    ],
)
def test_an_answer_is_what_the_sdk_reads(
    model: type[BaseModel], endpoint: Endpoint, body: Json, files: tuple[Any, ...]
) -> None:
    strictly(model, whole(endpoint, body, files=files))


@pytest.mark.parametrize(
    ("model", "endpoint"), [(TranscriptionVerbose, "audio/transcriptions"), (TranslationVerbose, "audio/translations")]
)
def test_a_verbose_transcription_is_what_the_sdk_reads_and_its_task(model: type[BaseModel], endpoint: Endpoint) -> None:
    told = whole(endpoint, {"response_format": "verbose_json"}, files=SOUND)
    assert told.pop("task") in {"transcribe", "translate"}
    assert strictly(model, told).model_dump()["duration"] == 1.5


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_the_same_call_has_the_same_answer(endpoint: Endpoint) -> None:
    body: Json = {"input": "a b", "prompt": "a b", "query": "a", "documents": ["a", "b"]}
    assert pieces(endpoint, body, files=SOUND) == pieces(endpoint, body, files=SOUND)


@pytest.mark.parametrize(
    ("endpoint", "body", "why"),
    [
        ("embeddings", {}, "'input'"),
        ("embeddings", {"input": []}, "'input'"),
        ("embeddings", {"input": ["x", None]}, "'input'"),
        ("embeddings", {"input": "x", "dimensions": 0}, "from 1 to 4096"),
        ("embeddings", {"input": "x", "dimensions": True}, "from 1 to 4096"),
        ("embeddings", {"input": ["x"] * 2048, "dimensions": 4096}, "up to 256 vectors"),
        ("embeddings", {"input": "x " * (demo_answer.MOST_WORDS + 1)}, "up to 100000 words"),
        ("embeddings", {"input": "x", "encoding_format": "int8"}, "float, base64"),
        ("images/generations", {}, "Missing required parameter: 'prompt'"),
        ("images/generations", {"prompt": "x", "n": 11}, "from 1 to 10"),
        ("images/generations", {"prompt": "x", "output_format": "webp"}, "only png"),
        ("audio/speech", {"input": "x", "response_format": "mp3"}, "only wav, pcm"),
        ("audio/speech", {"input": "x" * 4097}, "at most 4096"),
        ("audio/speech", {"input": 5}, "expected a string"),
        ("audio/transcriptions", {}, "Missing required parameter: 'file'"),
        ("rerank", {"query": "x"}, "'documents'"),
        ("rerank", {"query": "x", "documents": [{"title": "y"}]}, "'documents'"),
        ("rerank", {"query": "x", "documents": ["y"], "top_n": 0}, "'top_n'"),
        ("moderations", {"input": 5}, "'input'"),
        ("completions", {"prompt": "x", "n": 9}, "'n'"),
    ],
)
def test_what_it_cannot_do_is_refused_by_name(endpoint: Endpoint, body: Json, why: str) -> None:
    with pytest.raises(ModelError, match=why) as error:
        pieces(endpoint, body)
    assert (error.value.code, error.value.provider_status) == ("invalid_prompt", 400)


@pytest.mark.parametrize("name", ["input", "prompt", "query"])
def test_load_fails_as_it_is_told(name: str) -> None:
    endpoint: Endpoint = {"input": "embeddings", "prompt": "images/generations", "query": "rerank"}[name]  # type: ignore[assignment]
    with pytest.raises(ModelError) as error:
        pieces(endpoint, {name: "fail=429", "documents": ["a"]}, model="load")
    assert (error.value.code, error.value.provider_status, error.value.retry_after) == ("rate_limit_exceeded", 429, 1.0)


def test_load_fails_within_a_stream_as_it_is_told() -> None:
    body = {"prompt": "tokens=9 fail=503 after=3", "stream": True}
    _, heard, error = pieces("completions", body, model="load")
    assert len(heard) == 3
    assert error is not None
    assert error.code == "provider_unavailable"


def test_an_object_fails_at_once_whatever_the_directives_say() -> None:
    with pytest.raises(ModelError):
        pieces("embeddings", {"input": ["fail=500 after=3"]}, model="load")


def test_only_load_takes_directives() -> None:
    assert pieces("embeddings", {"input": "fail=500"}, model="embedding")[2] is None


def test_load_answers_late_and_slowly_as_it_is_told() -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    body = {"prompt": "tokens=2 delay_ms=1500 rate=4", "stream": True}
    pieces("completions", body, model="load", upstream=DemoUpstream(sleep=sleep))
    assert slept == [1.5, *[0.25] * 5]


ANYTHING = st.none() | st.booleans() | st.integers(-5, 5) | st.floats() | st.text(max_size=5)
VALUES = st.recursive(
    ANYTHING, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["text", "type"]), inner)
)
NAMES = st.sampled_from(
    [
        *("input", "prompt", "query", "documents", "n", "top_n", "dimensions", "encoding_format", "response_format"),
        *("stream", "max_tokens", "partial_images"),
    ]
)


@given(st.sampled_from(ENDPOINTS), st.dictionaries(NAMES, VALUES, max_size=5), st.binary(max_size=80))
def test_any_call_is_answered_or_refused(endpoint: Endpoint, body: Json, content: bytes) -> None:
    files = (upload(content), upload(recording(0.001)[:-5] + content))

    async def go() -> None:
        for file in files:
            try:
                answer = await DemoUpstream().send(Ask(endpoint=endpoint, model="any", body=body, files=(file,)))
            except ModelError as error:
                assert error.code == "invalid_prompt"  # noqa: PT017
            else:
                assert [chunk async for chunk in answer.chunks]

    asyncio.run(go())

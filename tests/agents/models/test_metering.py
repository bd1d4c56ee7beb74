"""What an answer says that it took."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.models.base import Media, Usage
from agents.models.metering import usage_of, usage_of_speech
from agents.models.upstream import Endpoint
from shared.items import Json

CHAT: Json = {
    "prompt_tokens": 10,
    "completion_tokens": 7,
    "total_tokens": 17,
    "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 3},
    "completion_tokens_details": {"reasoning_tokens": 2, "audio_tokens": 1},
}


def test_a_chat_tells_its_tokens_with_what_they_were_spent_on() -> None:
    media = Media(audio_input=3, audio_output=1)
    expected = Usage(input=10, cached=4, output=7, reasoning=2, media=media)
    assert usage_of("chat/completions", {"usage": CHAT}) == expected


@pytest.mark.parametrize(
    "body",
    [{"x_groq": {"id": "req", "usage": CHAT}}, {"choices": [{"delta": {}, "usage": CHAT}]}, {"choices": [], "usage": CHAT}],
    ids=["groq", "choice", "last chunk"],
)
def test_usage_is_found_wherever_a_stream_puts_it(body: Json) -> None:
    assert usage_of("chat/completions", body) == usage_of("chat/completions", {"usage": CHAT})


def test_thoughts_that_only_the_total_counts_are_output() -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 108}
    assert usage_of("chat/completions", {"usage": usage}) == Usage(input=5, output=103, reasoning=100)


def test_written_cache_is_counted() -> None:
    usage = {"prompt_tokens": 9, "prompt_tokens_details": {"cache_creation_tokens": 6}, "completion_tokens": 1}
    assert usage_of("chat/completions", {"usage": usage}) == Usage(input=9, cache_write=6, output=1)


def test_an_embedding_reads_and_writes_nothing() -> None:
    assert usage_of("embeddings", {"usage": {"prompt_tokens": 8, "total_tokens": 8}}) == Usage(input=8)


def test_a_total_alone_is_input() -> None:
    assert usage_of("embeddings", {"usage": {"total_tokens": 8}}) == Usage(input=8)


def test_pictures_are_what_an_image_writes() -> None:
    usage = {
        "input_tokens": 50,
        "output_tokens": 4000,
        "total_tokens": 4050,
        "input_tokens_details": {"image_tokens": 40, "text_tokens": 10},
    }
    expected = Usage(input=50, output=4000, media=Media(image_input=40, image_output=4000))
    assert usage_of("images/edits", {"data": [], "usage": usage}) == expected


def test_text_that_an_image_model_writes_is_told_from_its_pictures() -> None:
    usage = {
        "input_tokens": 5,
        "output_tokens": 30,
        "total_tokens": 35,
        "output_tokens_details": {"image_tokens": 20, "text_tokens": 10},
    }
    assert usage_of("images/generations", {"usage": usage}) == Usage(input=5, output=30, media=Media(image_output=20))


def test_a_transcription_tells_tokens_of_sound() -> None:
    usage = {
        "type": "tokens",
        "input_tokens": 14,
        "output_tokens": 45,
        "total_tokens": 59,
        "input_token_details": {"text_tokens": 0, "audio_tokens": 14},
    }
    event = {"type": "transcript.text.done", "text": "…", "usage": usage}
    assert usage_of("audio/transcriptions", event) == Usage(input=14, output=45, media=Media(audio_input=14))


@pytest.mark.parametrize(
    "body",
    [
        {"text": "…", "usage": {"type": "duration", "seconds": 3.5}},
        {"text": "…", "duration": 3.5, "segments": []},
        {"text": "…", "usage": {"prompt_audio_seconds": 3.5}},
    ],
    ids=["usage", "verbose", "mistral"],
)
def test_a_transcription_may_tell_seconds(body: Json) -> None:
    assert usage_of("audio/transcriptions", body) == Usage(media=Media(seconds=3.5))


@pytest.mark.parametrize(
    "body", [{"results": [], "meta": {"billed_units": {"search_units": 2}}}, {"results": [], "usage": {"search_units": 2}}]
)
def test_ranking_may_tell_searches(body: Json) -> None:
    assert usage_of("rerank", body) == Usage(media=Media(searches=2))


def test_ranking_may_tell_tokens() -> None:
    assert usage_of("rerank", {"results": [], "usage": {"total_tokens": 26}}) == Usage(input=26)


def test_a_moderation_tells_nothing_and_takes_nothing() -> None:
    assert usage_of("moderations", {"results": [{"flagged": False}]}) == Usage()


def test_reading_aloud_takes_the_characters_of_the_request() -> None:
    assert usage_of_speech({"input": "Hello", "voice": "alloy"}) == Usage(media=Media(characters=5))


@pytest.mark.parametrize("body", [{}, {"usage": None}, {"choices": [{"delta": {}}]}, {"text": "…"}, {"usage": {}}])
def test_an_answer_that_tells_nothing_has_no_usage(body: Json) -> None:
    assert usage_of("chat/completions", body) is None


def test_usage_adds_up() -> None:
    one = usage_of("chat/completions", {"usage": CHAT}) or Usage()
    media = Media(audio_input=6, audio_output=2)
    assert one + one == Usage(input=20, cached=8, output=14, reasoning=4, media=media)


NAMES = st.sampled_from(["usage", "meta", "choices", "x_groq", "tokens", "billed_units", "total_tokens", "duration", *CHAT])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=12,
)


@given(st.sampled_from(get_args(Endpoint)), st.dictionaries(NAMES, ANYTHING, max_size=5))
def test_odd_shapes_are_no_counts_and_no_errors(endpoint: Endpoint, body: Json) -> None:
    usage = usage_of(endpoint, body)
    assert usage is None or min(usage.input, usage.cached, usage.cache_write, usage.output, usage.reasoning) >= 0

"""The demo's embeddings, rankings, moderations and completions."""

import base64
import math
import struct
from typing import Any

import pytest

from agents.models.base import Usage
from agents.models.metering import usage_of
from tests.agents.models.asking import events, whole


def vectors(*texts: str, **options: Any) -> list[list[float]]:
    return [one["embedding"] for one in whole("embeddings", {"input": list(texts), **options})["data"]]


def near(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def test_vectors_have_length_one_and_the_size_that_is_asked_for() -> None:
    for size in (1, 8, 256, 1536):
        (vector,) = vectors("some words", dimensions=size)
        assert len(vector) == size
        assert math.isclose(near(vector, vector), 1.0)
    assert len(vectors("x")[0]) == 256


def test_texts_with_words_in_common_are_near_each_other() -> None:
    question, right, wrong = vectors(
        "When does the shop open?", "The shop opens late, and does so when it likes.", "Bread is made of flour and water."
    )
    assert near(question, right) > 0.5 > abs(near(question, wrong))


def test_case_and_punctuation_do_not_matter_to_vectors() -> None:
    one, other = vectors("Hello, world!", "hello world")
    assert one == other


def test_a_text_without_words_has_a_vector_of_length_one_too() -> None:
    (vector,) = vectors(" … ")
    assert near(vector, vector) == 1.0


def test_packed_vectors_are_the_same_numbers() -> None:
    (packed,) = vectors("some words", encoding_format="base64")
    (plain,) = vectors("some words")
    assert isinstance(packed, str)
    assert struct.unpack("<256f", base64.b64decode(packed)) == pytest.approx(plain)


@pytest.mark.parametrize("given", [[1, 2, 3], [[1, 2, 3]]])
def test_tokens_are_taken_for_words(given: Any) -> None:
    answer = whole("embeddings", {"input": given})
    assert answer["usage"] == {"prompt_tokens": 3, "total_tokens": 3}
    assert answer["data"][0]["embedding"] == vectors("1 2 3")[0]


def test_nothing_is_flagged_but_what_asks_for_it() -> None:
    mild, rude = whole("moderations", {"input": ["I hate mondays", "please flag=violence now"]})["results"]
    assert not mild["flagged"]
    assert rude["flagged"]
    assert [name for name, found in rude["categories"].items() if found] == ["violence"]


def test_parts_of_one_message_are_judged_as_one() -> None:
    parts = [{"type": "text", "text": "flag=hate"}, {"type": "image_url", "image_url": {"url": "https://a.test/b.png"}}]
    (result,) = whole("moderations", {"input": parts})["results"]
    assert result["categories"]["hate"]


def test_documents_are_ranked_by_the_words_of_the_query() -> None:
    documents = ["Bread and butter.", {"text": "The shop opens at nine."}, "The shop."]
    body = {"query": "shop opens", "documents": documents, "top_n": 2, "return_documents": True}
    assert whole("rerank", body)["results"] == [
        {"index": 1, "relevance_score": 1.0, "document": {"text": "The shop opens at nine."}},
        {"index": 2, "relevance_score": 0.5, "document": {"text": "The shop."}},
    ]


def test_a_completion_repeats_its_prompt() -> None:
    answer = whole("completions", {"prompt": "Say this twice", "n": 2})
    assert [choice["text"] for choice in answer["choices"]] == ["Say this twice"] * 2
    assert usage_of("completions", answer) == Usage(input=3, output=6)


def test_a_completion_may_be_cut_short() -> None:
    (choice,) = whole("completions", {"prompt": "Say this twice", "max_tokens": 2})["choices"]
    assert (choice["text"], choice["finish_reason"]) == ("Say this ", "length")


def test_a_completion_is_streamed_with_its_usage_last() -> None:
    told, marked = events("completions", {"prompt": ["Say this", "that"]})
    said = ["", ""]
    for chunk in told[:-1]:
        (choice,) = chunk["choices"]
        said[choice["index"]] += choice["text"]
    assert said == ["Say this", "that"]
    assert (told[-1]["choices"], told[-1]["usage"]["total_tokens"], marked) == ([], 6, True)

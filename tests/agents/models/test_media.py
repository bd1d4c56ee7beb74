"""Images and files in every form that clients send."""

import pytest

from agents.models import media
from agents.models.base import ModelError
from agents.models.media import Inline, Linked, Stored
from shared.items import Part


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"type": "input_image", "image_url": "data:image/webp;base64,AAAA"}, Inline("image/webp", "AAAA")),
        (
            {"type": "input_image", "image_url": "https://x.test/a.jpg?size=2"},
            Linked("image/jpeg", "https://x.test/a.jpg?size=2"),
        ),
        ({"type": "input_image", "image_url": "https://x.test/a"}, Linked("image/png", "https://x.test/a")),
        ({"type": "input_image", "file_id": "file_1"}, Stored("image/png", "file_1")),
        (
            {"type": "input_file", "file_data": "data:application/pdf;base64,AAAA", "filename": "a.pdf"},
            Inline("application/pdf", "AAAA", "a.pdf"),
        ),
        ({"type": "input_file", "file_data": "AAAA", "filename": "a.pdf"}, Inline("application/pdf", "AAAA", "a.pdf")),
        ({"type": "input_file", "file_data": "AAAA", "mime_type": "text/csv"}, Inline("text/csv", "AAAA")),
        ({"type": "input_file", "file_data": "AAAA"}, Inline("application/octet-stream", "AAAA")),
        ({"type": "input_file", "file_data": "data:text/plain,hi%20you"}, Inline("text/plain", "aGkgeW91")),
        (
            {"type": "input_file", "file_data": "data:application/octet-stream;base64,AAAA", "filename": "a.md"},
            Inline("text/markdown", "AAAA", "a.md"),
        ),
        ({"type": "input_file", "file_url": "https://x.test/a.pdf"}, Linked("application/pdf", "https://x.test/a.pdf")),
        ({"type": "input_file", "file_id": "file_1"}, Stored("application/octet-stream", "file_1")),
        ({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}}, Inline("audio/mpeg", "AAAA")),
        ({"type": "input_text", "text": "hi"}, None),
    ],
)
def test_a_part_is_read_as_content_an_address_or_an_id(part: Part, expected: media.Media | None) -> None:
    assert media.of(part) == expected


@pytest.mark.parametrize(
    ("part", "sentence"),
    [
        ({"type": "input_image"}, "neither content, nor an address, nor a file id"),
        ({"type": "input_file", "file_data": "no base64!", "filename": "a.pdf"}, "'a.pdf' is not base64"),
    ],
)
def test_a_part_that_cannot_be_read_says_why(part: Part, sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence) as caught:
        media.of(part)
    assert caught.value.code == "invalid_prompt"


def test_a_text_file_is_decoded() -> None:
    assert Inline("text/plain", "aMOpaG8=").text == "hého"


def test_a_file_that_is_not_text_says_so() -> None:
    with pytest.raises(ModelError, match=r"'a\.bin' is not text"):
        _ = Inline("application/octet-stream", "//8=", "a.bin").text

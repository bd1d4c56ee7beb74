"""The demo's pictures, decoded."""

import base64
import struct
import zlib

import pytest
from openai.types import (
    ImageEditCompletedEvent,
    ImageEditPartialImageEvent,
    ImageGenCompletedEvent,
    ImageGenPartialImageEvent,
)
from pydantic import BaseModel

from agents.models.upstream import Endpoint
from tests.agents.models.asking import events, pieces, strictly, upload, whole

IMAGE = {"prompt": "a red square"}
PICTURE = (upload(b"\x89PNG", field="image", filename="a.png"),)


def pixels(png: bytes) -> list[bytes]:
    """Decode an RGB picture without filters, holding every chunk against its checksum."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    chunks: dict[bytes, bytes] = {}
    at = 8
    while at < len(png):
        size, kind = struct.unpack_from(">I4s", png, at)
        data = png[at + 8 : at + 8 + size]
        assert struct.unpack_from(">I", png, at + 8 + size) == (zlib.crc32(kind + data),)
        chunks[kind] = data
        at += 12 + size
    width, height, depth, colour = struct.unpack_from(">IIBB", chunks[b"IHDR"])
    assert (depth, colour, list(chunks)) == (8, 2, [b"IHDR", b"IDAT", b"IEND"])
    rows = zlib.decompress(chunks[b"IDAT"])
    stride = 1 + 3 * width
    assert len(rows) == height * stride
    assert set(rows[::stride]) == {0}
    return [rows[row * stride + 1 : (row + 1) * stride] for row in range(height)]


def test_pictures_are_of_the_prompt() -> None:
    first, second = whole("images/generations", {**IMAGE, "n": 2})["data"]
    other = whole("images/generations", {"prompt": "a blue square"})["data"][0]
    drawn = [pixels(base64.b64decode(one["b64_json"])) for one in (first, second, other)]
    assert len({b"".join(rows) for rows in drawn}) == 3
    assert {len(rows) for rows in drawn} == {64}


def test_a_linked_picture_is_a_link_that_holds_it() -> None:
    (one,) = whole("images/generations", {**IMAGE, "response_format": "url"})["data"]
    head, _, data = one["url"].partition(",")
    assert head == "data:image/png;base64"
    assert pixels(base64.b64decode(data))


def test_an_edit_is_of_the_file_too() -> None:
    files = [(upload(content, field="image"),) for content in (b"one", b"other")]
    one, other = (whole("images/edits", IMAGE, files=given)["data"] for given in files)
    assert one != other


@pytest.mark.parametrize(
    ("endpoint", "partial", "completed"),
    [
        ("images/generations", ImageGenPartialImageEvent, ImageGenCompletedEvent),
        ("images/edits", ImageEditPartialImageEvent, ImageEditCompletedEvent),
    ],
)
def test_a_picture_comes_in_parts(endpoint: Endpoint, partial: type[BaseModel], completed: type[BaseModel]) -> None:
    told, marked = events(endpoint, {**IMAGE, "partial_images": 2}, files=PICTURE)
    *parts, last = told
    assert [strictly(partial, part).model_dump()["partial_image_index"] for part in parts] == [0, 1]
    strictly(completed, last)
    blank = [pixels(base64.b64decode(part["b64_json"])).count(b"\xff" * 192) for part in told]
    assert blank == sorted(blank, reverse=True)
    assert blank[-1] == 0 < blank[0]
    assert not marked


def test_events_of_pictures_are_named() -> None:
    _, (event,), _ = pieces("images/generations", {**IMAGE, "stream": True})
    assert event.startswith(b"event: image_generation.completed\ndata: {")

"""Reading what the SDK hides: the frames of a stream as they arrive, and a response when it has finished."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2

from shared.items import Item, Json
from tests.system.contract import event_of
from tests.system.running import eventually

FINAL = frozenset({"completed", "incomplete", "failed", "cancelled"})


@contextmanager
def streaming(http: httpx2.Client, method: str, path: str, **options: Any) -> Iterator[Iterator[bytes]]:
    """Open a stream and give its frames, as they come; leaving the block drops the connection."""
    with http.stream(method, path, **options) as answer:
        if not answer.is_success:
            answer.read()
        assert answer.is_success, answer.text
        yield _frames(answer)


def _frames(answer: httpx2.Response) -> Iterator[bytes]:
    left = b""
    for chunk in answer.iter_bytes():
        *whole, left = (left + chunk).split(b"\n\n")
        yield from (frame + b"\n\n" for frame in whole if frame.startswith(b"event: "))


@contextmanager
def created(http: httpx2.Client, **body: Any) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Create a streamed response; give its id and the frames after `response.created`."""
    with streaming(http, "POST", "/v1/responses", json={"stream": True, **body}) as frames:
        yield event_of(next(frames))["response"]["id"], frames


def read_until(frames: Iterator[bytes], text: str) -> list[bytes]:
    """Read frames up to the one that holds the text, which must come."""
    read = []
    for frame in frames:
        read.append(frame)
        if text.encode() in frame:
            return read
    raise AssertionError(f"the stream ended without {text!r}: {read[-3:]}")


def delta(text: str) -> str:
    """The part of a frame that says a text."""
    return f'"delta":"{text}"'


def finished(http: httpx2.Client, response_id: str, *, within: float = 15.0) -> Json:
    """Wait until a response is over, and return it."""

    def over() -> Json | None:
        found: Json = http.get(f"/v1/responses/{response_id}", params={"wait": 2}).raise_for_status().json()
        return found if found["status"] in FINAL else None

    response = eventually(over, within=within, what=lambda: f"{response_id} is not over")
    assert response is not None
    return response


def create(http: httpx2.Client, **body: Any) -> Json:
    """Create a response that must be accepted, and return the answer."""
    answer = http.post("/v1/responses", json=body)
    assert answer.status_code == 200, answer.text
    made: Json = answer.json()
    return made


def refused(http: httpx2.Client, **body: Any) -> tuple[int, Json]:
    """Create a response that must be refused; return the status and the error."""
    answer = http.post("/v1/responses", json=body)
    assert answer.status_code >= 400, answer.text
    error: Json = answer.json()["error"]
    return answer.status_code, error


def text_of(response: Json) -> str:
    """Join the text of a response's output messages."""
    return "".join(
        part["text"]
        for item in response["output"]
        if item["type"] == "message"
        for part in item["content"]
        if part["type"] == "output_text"
    )


def only(items: list[Item], type_: str) -> Item:
    """Return the one item of a type."""
    (found,) = (item for item in items if item["type"] == type_)
    return found

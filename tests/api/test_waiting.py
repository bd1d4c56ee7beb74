"""Waiting for a response's end: the last frame decides what the client is told."""

import asyncio
from collections.abc import AsyncIterator
from typing import cast

import pytest

from api import waiting
from api.replies import ResponseNotFound
from api.waiting import GenerationFailed, Reader
from shared import frames
from shared.frames import Page


class Log:
    """A reader whose log is given."""

    response_id = "resp_1"

    def __init__(self, *pages: bytes) -> None:
        self._pages = pages

    async def __aiter__(self) -> AsyncIterator[Page]:
        for page in self._pages:
            yield Page(0, 0, page)

    async def snapshot(self) -> bytes:
        return b'{"status":"cancelled"}'


async def answer(*pages: bytes) -> bytes:
    log = cast("Reader", Log(*pages))
    return await waiting._finished(log, await waiting._last_frame(log))


def told(type_: str, **response: object) -> bytes:
    return frames.encode(0, "response.created", {"response": {}}) + frames.encode(1, type_, {"response": response})


@pytest.mark.parametrize("type_", ["response.completed", "response.incomplete"])
def test_the_answer_is_cut_out_of_the_terminal_event(type_: str) -> None:
    assert asyncio.run(answer(told(type_, id="resp_1"), b"")) == b'{"id":"resp_1"}'


def test_a_cancelled_response_is_read_from_its_row() -> None:
    assert asyncio.run(answer(told("response.in_progress"))) == b'{"status":"cancelled"}'


@pytest.mark.parametrize(
    ("code", "status", "type_"),
    [
        ("rate_limit_exceeded", 429, "requests"),
        ("context_length_exceeded", 400, "invalid_request_error"),
        ("provider_timeout", 504, "server_error"),
        ("worker_lost", 500, "server_error"),
    ],
)
def test_a_failure_is_told_by_the_status_of_its_code(code: str, status: int, type_: str) -> None:
    with pytest.raises(GenerationFailed) as failed:
        asyncio.run(answer(told("response.failed", error={"code": code, "message": "No."})))
    assert (failed.value.status_code, failed.value.type, failed.value.message) == (status, type_, "No.")
    assert failed.value.headers["x-should-retry"] == "false"


def test_a_response_that_is_gone_is_not_found() -> None:
    with pytest.raises(ResponseNotFound):
        asyncio.run(answer())

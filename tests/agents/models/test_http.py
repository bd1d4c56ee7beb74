"""A turn over HTTP: its end, its timeouts, and the errors that foreign failures become."""

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable

import httpx2
import pytest

from agents.models import http
from agents.models.base import Finished, ModelError, ModelEvent, TextDelta, Timeouts
from agents.models.keys import Keys
from agents.models.provider import Provider
from tests.agents.models.taking import Canned, collect, failure

DONE = Finished(reason="stop", usage=None)
NOW = 1_800_000_000.0


class Words:
    """Reads each event as text, `.` as the end, and `!` as something it cannot understand."""

    def read(self, _name: str, data: bytes) -> Iterable[ModelEvent]:
        if data == b"!":
            raise KeyError("choices")
        return [DONE] if data == b"." else [TextDelta(data.decode())]

    def end(self) -> Iterable[ModelEvent]:
        raise http.cut_short()


def turn(client: httpx2.AsyncClient, *, timeouts: Timeouts | None = None) -> AsyncIterator[ModelEvent]:
    return http.turn(
        client,
        "http://provider.test/v1",
        headers={},
        body=b"{}",
        timeouts=timeouts or Timeouts(),
        explain=lambda status, body: ModelError(http.code_of(status), body.decode()),
        reader=Words(),
        keys=Keys(Provider(name="p", wire="openai-chat", base_url="http://provider.test")),
    )


def heard(*chunks: bytes) -> list[ModelEvent]:
    return asyncio.run(collect(turn(Canned(list(chunks)).client())))


class Silent(httpx2.AsyncByteStream):
    """A body that says one thing and then nothing, until it is closed."""

    def __init__(self, said: bytes, *, error: Exception | None = None) -> None:
        self.closed = False
        self._said = said
        self._error = error

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._said:
            yield self._said
        if self._error is not None:
            raise self._error
        await asyncio.sleep(3600)

    async def aclose(self) -> None:
        self.closed = True

    def client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(transport=httpx2.MockTransport(lambda _: httpx2.Response(200, stream=self)))


def test_a_turn_is_what_the_reader_makes_of_each_event() -> None:
    assert heard(b"data: a\n\nda", b"ta: b\n\n", b"data: .\n\n") == [TextDelta("a"), TextDelta("b"), DONE]


def test_nothing_is_read_after_the_turn_has_finished() -> None:
    assert heard(b"data: .\n\ndata: a\n\n", b"data: !\n\n") == [DONE]


def test_a_last_event_without_its_empty_line_counts() -> None:
    assert heard(b"data: a\n\ndata: .") == [TextDelta("a"), DONE]


def test_a_stream_that_ends_before_its_turn_is_an_error() -> None:
    assert failure(lambda: heard(b"data: a\n\n")).code == "provider_protocol"


def test_an_event_that_the_reader_cannot_understand_is_the_providers_error() -> None:
    error = failure(lambda: heard(b"data: !\n\n"))
    assert (error.code, error.message) == (
        "provider_protocol",
        "The provider sent an event that lacks a member (KeyError: 'choices').",
    )


def test_no_first_token_in_time_is_a_timeout() -> None:
    silent = Silent(b": one moment\n\n")
    error = failure(lambda: asyncio.run(collect(turn(silent.client(), timeouts=Timeouts(first_token=0.05)))))
    assert (error.code, error.message) == ("provider_timeout", "The provider sent no token within 0.05 seconds.")
    assert silent.closed


def test_silence_after_the_first_token_is_a_timeout_of_its_own() -> None:
    silent = Silent(b"data: a\n\n")
    error = failure(lambda: asyncio.run(collect(turn(silent.client(), timeouts=Timeouts(between_tokens=0.05)))))
    assert (error.code, error.message) == ("provider_timeout", "The provider fell silent for 0.05 seconds in its answer.")
    assert silent.closed


def test_a_slow_listener_does_not_make_a_provider_late() -> None:
    async def listen() -> list[ModelEvent]:
        events = []
        async for event in turn(Canned([b"data: a\n\n", b"data: b\n\n", b"data: .\n\n"]).client(), timeouts=patient):
            events.append(event)
            await asyncio.sleep(0.1)
        return events

    patient = Timeouts(first_token=1, between_tokens=0.04)
    assert asyncio.run(listen()) == [TextDelta("a"), TextDelta("b"), DONE]


def test_a_provider_that_keeps_the_connection_open_delays_the_end_only_a_moment() -> None:
    started = time.monotonic()
    silent = Silent(b"data: .\n\n")
    assert asyncio.run(collect(turn(silent.client()))) == [DONE]
    assert silent.closed
    assert time.monotonic() - started < 5


def test_what_fails_after_the_turn_has_finished_does_not_matter() -> None:
    silent = Silent(b"data: .\n\n", error=httpx2.ReadError("reset"))
    assert asyncio.run(collect(turn(silent.client()))) == [DONE]


def test_closing_the_iterator_closes_the_connection() -> None:
    async def leave() -> None:
        async for _ in (events := turn(silent.client())):
            break
        await events.aclose()  # type: ignore[attr-defined]

    silent = Silent(b"data: a\n\n")
    asyncio.run(leave())
    assert silent.closed


def test_a_cancelled_turn_stays_cancelled() -> None:
    async def cancel() -> None:
        task = asyncio.create_task(collect(turn(silent.client())))
        await asyncio.sleep(0.02)
        task.cancel()
        await task

    silent = Silent(b"data: a\n\n")
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancel())
    assert silent.closed


def test_a_refusal_carries_its_status_and_the_wait_that_the_provider_asks_for() -> None:
    canned = Canned(b"Slow down.", status=429, headers={"Retry-After": "7"})
    error = failure(lambda: asyncio.run(collect(turn(canned.client()))))
    assert (error.code, error.message, error.provider_status, error.retry_after) == (
        "rate_limit_exceeded",
        "Slow down.",
        429,
        7,
    )


def test_only_the_beginning_of_an_errors_body_is_read() -> None:
    canned = Canned([b"x" * 40_000] * 100, status=500)
    assert len(failure(lambda: asyncio.run(collect(turn(canned.client())))).message) == 80_000


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "2.5"}, 2.5),
        ({"retry-after": "-3"}, 0),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after-ms": "inf", "retry-after": "9"}, 9),
        ({"retry-after": "Fri, 15 Jan 2027 08:00:30 GMT"}, 30),
        ({"retry-after": "Fri, 15 Jan 2027 07:00:00 GMT"}, 0),
    ],
)
def test_a_wait_is_given_in_seconds_or_milliseconds_or_as_a_date(headers: dict[str, str], seconds: float | None) -> None:
    assert http.retry_after(headers, now=NOW) == seconds


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "invalid_prompt"),
        (401, "provider_authentication"),
        (403, "provider_authentication"),
        (404, "model_not_found"),
        (408, "provider_timeout"),
        (409, "provider_unavailable"),
        (422, "invalid_prompt"),
        (429, "rate_limit_exceeded"),
        (500, "provider_unavailable"),
        (529, "provider_unavailable"),
        (302, "provider_protocol"),
    ],
)
def test_a_status_that_nothing_explains_has_a_code(status: int, code: str) -> None:
    assert http.code_of(status) == code


def _foreign() -> list[type[Exception]]:
    exported = (getattr(httpx2, name) for name in httpx2.__all__)
    return [
        kind for kind in exported if inspect.isclass(kind) and issubclass(kind, Exception) and not issubclass(kind, Warning)
    ]


def _raised(kind: type[Exception]) -> Exception:
    error = kind.__new__(kind)
    Exception.__init__(error, "out of reach")
    return error


def _failing(error: Exception) -> Callable[[httpx2.Request], Coroutine[None, None, httpx2.Response]]:
    async def answer(_: httpx2.Request) -> httpx2.Response:
        raise error

    return answer


@pytest.mark.parametrize("kind", _foreign())
def test_every_failure_of_the_client_becomes_a_model_error(kind: type[Exception]) -> None:
    client = httpx2.AsyncClient(transport=httpx2.MockTransport(_failing(_raised(kind))))
    assert failure(lambda: asyncio.run(collect(turn(client)))).retryable


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (httpx2.ConnectTimeout, "provider_timeout"),
        (httpx2.PoolTimeout, "provider_timeout"),
        (httpx2.ReadTimeout, "provider_timeout"),
        (httpx2.ConnectError, "provider_unavailable"),
        (httpx2.ReadError, "provider_unavailable"),
        (httpx2.RemoteProtocolError, "provider_protocol"),
    ],
)
def test_a_failures_code_says_what_went_wrong(kind: type[Exception], code: str) -> None:
    client = httpx2.AsyncClient(transport=httpx2.MockTransport(_failing(_raised(kind))))
    assert failure(lambda: asyncio.run(collect(turn(client)))).code == code

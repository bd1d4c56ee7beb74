"""Cancelling: in every state, twice, and what readers of the stream see."""

import time

import httpx2
import openai
import pytest
from openai import OpenAI

from tests.system.contract import TERMINAL, event_of, events
from tests.system.reading import create, created, delta, finished, read_until, text_of
from tests.system.running import System, eventually

LONG = {"model": "demo/load", "input": "tokens=2000 rate=50"}


def test_cancelling_a_running_response_stops_it_and_keeps_what_it_had_said(http: httpx2.Client, system: System) -> None:
    with created(http, **LONG, background=True) as (response_id, frames):
        read_until(frames, delta("10 "))
        answer = http.post(f"/v1/responses/{response_id}/cancel")
        rest = [event_of(frame)["type"] for frame in frames]
    cancelled = answer.json()
    assert (answer.status_code, cancelled["status"], cancelled["completed_at"]) == (200, "cancelled", None)
    assert text_of(cancelled).startswith("1 2 3 4 5 6 7 8 9 10 ")
    assert cancelled["output"][0]["status"] == "incomplete"
    assert not TERMINAL & set(rest)
    assert http.get(f"/v1/responses/{response_id}").json() == cancelled
    eventually(lambda: system.rows("SELECT 1 FROM workers WHERE running = 0"))


def test_an_open_stream_of_a_cancelled_response_ends_cleanly_and_soon(http: httpx2.Client) -> None:
    with http.stream("POST", "/v1/responses", json={**LONG, "background": True, "stream": True}) as answer:
        chunks = answer.iter_bytes()
        head = next(chunks)
        response_id = events(head)[0]["response"]["id"]
        http.post(f"/v1/responses/{response_id}/cancel")
        began = time.monotonic()
        raw = head + b"".join(chunks)
    assert time.monotonic() - began < 1
    assert raw.endswith(b"data: [DONE]\n\n")


def test_the_stream_of_a_cancelled_response_replays_and_ends(http: httpx2.Client) -> None:
    with created(http, **LONG, background=True) as (response_id, frames):
        seen = read_until(frames, delta("3 "))
        http.post(f"/v1/responses/{response_id}/cancel")
        seen += list(frames)
    replay = http.get(f"/v1/responses/{response_id}", params={"stream": "true"}).content
    assert replay.endswith(b"".join(seen) + b"data: [DONE]\n\n")


def test_cancelling_twice_changes_nothing(client: OpenAI) -> None:
    made = client.responses.create(**LONG, background=True)  # type: ignore[call-overload]
    first = client.responses.cancel(made.id)
    assert first.status == "cancelled"
    assert client.responses.cancel(made.id) == first


def test_cancelling_a_finished_response_returns_it_unchanged(client: OpenAI, http: httpx2.Client) -> None:
    made = client.responses.create(model="demo/echo", input="x", background=True)
    done = finished(http, made.id)
    assert client.responses.cancel(made.id).model_dump() == client.responses.retrieve(made.id).model_dump()
    assert done["status"] == "completed"


def test_a_synchronous_response_cannot_be_cancelled(client: OpenAI) -> None:
    made = client.responses.create(model="demo/echo", input="x")
    with pytest.raises(openai.BadRequestError, match="Cannot cancel a synchronous response"):
        client.responses.cancel(made.id)


def test_cancelling_an_unknown_response_is_404(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="Response with id 'resp_unknown' not found"):
        client.responses.cancel("resp_unknown")


def test_a_queued_response_can_be_cancelled_before_any_worker_sees_it(workerless: System, idle_http: httpx2.Client) -> None:
    made = create(idle_http, model="demo/echo", input="x", background=True)
    cancelled = idle_http.post(f"/v1/responses/{made['id']}/cancel").json()
    assert (cancelled["status"], cancelled["output"]) == ("cancelled", [])
    workerless.worker()
    assert finished(idle_http, create(idle_http, model="demo/echo", input="y", background=True)["id"])["status"] == "completed"
    assert idle_http.get(f"/v1/responses/{made['id']}").json() == cancelled
    assert workerless.rows("SELECT 1 FROM steps WHERE response_id = %s", made["id"]) == []


def test_a_sleeping_response_can_be_cancelled(http: httpx2.Client) -> None:
    made = create(http, model="demo/load", input="tokens=1 fail=429", background=True)
    path = f"/v1/responses/{made['id']}"
    eventually(lambda: http.get(f"{path}/steps").json()["now"]["phase"] == "sleeping")
    assert http.post(f"{path}/cancel").json()["status"] == "cancelled"


def test_a_cancelled_response_can_be_continued(http: httpx2.Client) -> None:
    with created(http, **LONG, background=True) as (response_id, frames):
        read_until(frames, delta("3 "))
        http.post(f"/v1/responses/{response_id}/cancel")
    assert text_of(create(http, model="demo/echo", input="And now?", previous_response_id=response_id)) == "And now?"

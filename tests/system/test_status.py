"""Looking at a response and at the server: long polls, the journal, models, health."""

import time
from concurrent.futures import ThreadPoolExecutor

import httpx2
import openai
import pytest
from openai import OpenAI

from shared.items import Json
from tests.system.reading import create, created, delta, finished, read_until
from tests.system.running import System, eventually


def test_a_long_poll_answers_as_soon_as_the_response_is_over(http: httpx2.Client) -> None:
    made = create(http, model="demo/load", input="tokens=30 rate=30", background=True)
    path = f"/v1/responses/{made['id']}"
    eventually(lambda: http.get(path).json()["status"] == "in_progress")
    polled = http.get(path, params={"wait": 30})
    answered_at = time.time()
    ((finished_at,),) = [(row["finished_at"],) for row in http.get(f"{path}/steps").json()["data"]]
    assert polled.json()["status"] == "completed"
    assert answered_at - finished_at < 0.3


def test_a_long_poll_answers_when_a_queued_response_is_taken_up(workerless: System, idle_http: httpx2.Client) -> None:
    made = create(idle_http, model="demo/load", input="tokens=500 rate=10", background=True)
    with ThreadPoolExecutor(1) as pool:
        polled = pool.submit(lambda: idle_http.get(f"/v1/responses/{made['id']}", params={"wait": 30}).json())
        workerless.worker()
        assert polled.result(timeout=10)["status"] == "in_progress"


def test_a_long_poll_gives_up_after_the_time_it_was_given(http: httpx2.Client) -> None:
    made = create(http, model="demo/load", input="tokens=500 rate=10", background=True)
    path = f"/v1/responses/{made['id']}"
    eventually(lambda: http.get(path).json()["status"] == "in_progress")
    began = time.monotonic()
    assert http.get(path, params={"wait": 0.3}).json()["status"] == "in_progress"
    assert 0.25 < time.monotonic() - began < 1
    http.post(f"{path}/cancel")


def test_a_long_poll_of_a_finished_response_answers_at_once(http: httpx2.Client) -> None:
    made = create(http, model="demo/echo", input="x")
    began = time.monotonic()
    assert http.get(f"/v1/responses/{made['id']}", params={"wait": 30}).json() == made
    assert time.monotonic() - began < 1


@pytest.mark.parametrize("wait", ["61", "-1", "soon"])
def test_a_wait_out_of_bounds_is_refused(http: httpx2.Client, wait: str) -> None:
    answer = http.get("/v1/responses/resp_x", params={"wait": wait})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "wait")


def test_the_journal_tells_every_step_and_call(http: httpx2.Client) -> None:
    made = create(http, model="demo/load", input="tokens=3 tools=2", tools=[{"type": "orq:current_date"}])
    journal = http.get(f"/v1/responses/{made['id']}/steps").json()
    assert [(step["number"], step["attempt"], step["outcome"]) for step in journal["data"]] == [
        (0, 1, "tools"),
        (1, 1, "completed"),
    ]
    assert sum(step["usage"]["total_tokens"] for step in journal["data"]) == made["usage"]["total_tokens"]
    assert [(call["tool"], call["status"], call["attempts"]) for call in journal["tool_calls"]] == [
        ("orq:current_date", "succeeded", 1)
    ] * 2
    assert all(step["started_at"] <= step["finished_at"] for step in journal["data"])
    assert (journal["status"], journal["now"]["phase"], journal["now"]["explanation"]) == ("completed", "done", "It is over.")


def test_the_journal_of_a_running_response_says_who_is_on_it(http: httpx2.Client) -> None:
    with created(http, model="demo/load", input="tokens=500 rate=50") as (response_id, frames):
        read_until(frames, delta("2 "))
        now = http.get(f"/v1/responses/{response_id}/steps").json()["now"]
    assert now["phase"] == "running"
    assert 0 < now["lease_left"] <= 1.5
    assert now["explanation"].startswith(f"Worker {now['worker_id']} has been on it for ")


def test_the_journal_of_a_waiting_response_says_for_what_and_until_when(http: httpx2.Client) -> None:
    made = create(http, model="demo/load", input="tokens=1 fail=429", background=True)
    path = f"/v1/responses/{made['id']}/steps"

    def sleeping() -> Json | None:
        now: Json = http.get(path).json()["now"]
        return now if now["phase"] == "sleeping" else None

    now = eventually(sleeping)
    assert now is not None
    assert "asked to fail with 429" in now["explanation"]
    assert now["waits_until"] > time.time() - 0.5
    http.post(f"/v1/responses/{made['id']}/cancel")


def test_a_rate_limited_response_fails_with_the_providers_advice(http: httpx2.Client) -> None:
    made = create(http, model="demo/load", input="tokens=1 fail=429", background=True)
    error = finished(http, made["id"])["error"]
    assert error["code"] == "rate_limit_exceeded"
    assert "Please try again in 1s." in error["message"]


def test_the_sdk_lists_the_models(client: OpenAI) -> None:
    listed = {model.id: model for model in client.models.list()}
    assert {"demo/echo", "demo/assistant", "demo/load"} <= listed.keys()
    assert client.models.retrieve("demo/echo") == listed["demo/echo"]
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("demo/none")


def test_health_needs_no_key_and_readiness_is_told(http: httpx2.Client) -> None:
    bare = httpx2.Client(base_url=http.base_url)
    with bare:
        assert bare.get("/healthz").json() == {"status": "ok"}
        assert bare.get("/readyz").json() == {"status": "ready", "missing": []}


def test_without_a_worker_the_system_is_unready_and_says_so(workerless: System, idle_http: httpx2.Client) -> None:
    answer = idle_http.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (503, "unready")
    assert answer.json()["missing"] == ["worker: none has a heartbeat of the last 15 seconds"]
    worker = workerless.worker()
    assert idle_http.get("/readyz").status_code == 200
    worker.terminate()
    assert idle_http.get("/readyz").status_code == 503

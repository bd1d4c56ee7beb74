"""Workers that die, stop, or are given up on: the response goes on, and no number is used twice."""

import signal
from functools import partial

import httpx2
import pytest

from shared.items import Json
from tests.system.contract import check_order, event_of, frames
from tests.system.reading import create, created, delta, finished, read_until, streaming, text_of
from tests.system.running import Api, System, eventually

CLOCK = {"type": "orq:current_date"}


@pytest.fixture
def http(idle_http: httpx2.Client) -> httpx2.Client:
    return idle_http


def numbers(seen: list[bytes]) -> list[int]:
    return [event_of(frame)["sequence_number"] for frame in seen]


def test_a_response_survives_kill_9_of_its_worker_in_the_middle_of_a_stream(workerless: System, http: httpx2.Client) -> None:
    first = workerless.worker()
    body = {"model": "demo/load", "input": "tokens=60 rate=30 tools=1", "tools": [CLOCK], "background": True}
    with created(http, **body) as (response_id, reading):
        seen = read_until(reading, delta("10 "))
        first.kill()
        workerless.worker()
        seen += list(reading)
    made = finished(http, response_id, within=15)
    assert (made["status"], text_of(made)) == ("completed", "".join(f"{number} " for number in range(1, 61)))
    assert [item["type"] for item in made["output"]] == ["function_call", "orq:current_date", "message"]
    steps = http.get(f"/v1/responses/{response_id}/steps").json()["data"]
    assert [step["outcome"] for step in steps] == ["tools", "lost", "completed"]
    replay = frames(http.get(f"/v1/responses/{response_id}", params={"stream": "true"}).content)
    assert replay[1:] == seen
    check_order([event_of(frame) for frame in replay])


def test_a_client_that_resumes_after_a_takeover_sees_no_number_twice(workerless: System, http: httpx2.Client) -> None:
    first = workerless.worker()
    with created(http, model="demo/load", input="tokens=40 rate=30", background=True) as (response_id, reading):
        seen = read_until(reading, delta("10 "))
    first.kill()
    workerless.worker()
    params: Json = {"stream": "true", "starting_after": numbers(seen)[-1]}
    with streaming(http, "GET", f"/v1/responses/{response_id}", params=params) as resumed:
        rest = list(resumed)
    both = numbers(seen + rest)
    assert both == sorted(set(both))
    assert event_of(rest[-1])["type"] == "response.completed"
    steps = http.get(f"/v1/responses/{response_id}/steps").json()["data"]
    assert [step["outcome"] for step in steps] == ["lost", "completed"]
    assert final_text(workerless, response_id) == "".join(f"{number} " for number in range(1, 41))


def final_text(system: System, response_id: str) -> str:
    """What the SDK makes of a replay."""
    (door,) = (each for each in system.processes if isinstance(each, Api))
    with door.sdk() as client, client.responses.stream(response_id=response_id) as stream:
        return stream.get_final_response().output_text


def test_a_stopping_worker_hands_over_what_outlives_its_grace_without_waiting_for_the_lease(
    workerless: System, http: httpx2.Client
) -> None:
    first = workerless.worker(RONDO_DRAIN="0.3", RONDO_LEASE="60")
    with created(http, model="demo/load", input="tokens=60 rate=30", background=True) as (response_id, reading):
        read_until(reading, delta("5 "))
        assert first.terminate() == 0
        second = workerless.worker()
        done = finished(http, response_id, within=10)
    assert (done["status"], text_of(done)[-4:]) == ("completed", " 60 ")
    steps = http.get(f"/v1/responses/{response_id}/steps").json()["data"]
    assert [step["outcome"] for step in steps] == ["completed"]
    assert f"-{second.pid}-" in steps[0]["worker_id"]


def test_a_stopping_worker_finishes_steps_within_its_grace(workerless: System, http: httpx2.Client) -> None:
    first = workerless.worker()
    with created(http, model="demo/load", input="tokens=30 rate=30", background=True) as (response_id, reading):
        read_until(reading, delta("5 "))
        first.child.send_signal(signal.SIGTERM)
        seen = list(reading)
    assert event_of(seen[-1])["type"] == "response.completed"
    assert first.child.wait(10) == 0
    assert workerless.rows("SELECT count(*) FROM steps WHERE response_id = %s", response_id) == [(1,)]
    assert workerless.rows("SELECT 1 FROM workers WHERE pid = %s", first.pid) == []


def claimed(system: System, response_id: str, times: int) -> bool:
    running = "SELECT 1 FROM responses WHERE id = %s AND phase = 'running' AND claims = %s"
    return bool(system.rows(running, response_id, times))


def test_a_response_that_kills_its_workers_is_given_up_reported_and_can_be_queued_again(
    workerless: System, http: httpx2.Client
) -> None:
    made = create(http, model="demo/load", input="tokens=2000 rate=40", background=True)
    for claim in (1, 2):
        poisoned = workerless.worker(RONDO_MAX_CLAIMS="2")
        eventually(partial(claimed, workerless, made["id"], claim), within=15)
        poisoned.kill()
    workerless.worker(RONDO_MAX_CLAIMS="2")
    failed = finished(http, made["id"], within=15)
    assert (failed["status"], failed["error"]["code"]) == ("failed", "worker_lost")
    assert made["id"] in workerless.admin("dead-letters")
    assert workerless.admin("requeue", made["id"]) == "Queued again."
    eventually(lambda: http.get(f"/v1/responses/{made['id']}").json()["status"] == "in_progress")
    assert http.post(f"/v1/responses/{made['id']}/cancel").json()["status"] == "cancelled"
    assert made["id"] not in workerless.admin("dead-letters")


def test_accepted_work_waits_for_the_first_worker(workerless: System, http: httpx2.Client) -> None:
    made = [create(http, model="demo/echo", input=str(number), background=True)["id"] for number in range(20)]
    waiting = http.get(f"/v1/responses/{made[-1]}/steps").json()
    assert waiting["now"]["explanation"] == "It waits for a worker; none is running."
    assert waiting["now"]["queue_position"] == 19
    workerless.worker()
    assert [text_of(finished(http, key)) for key in made] == [str(number) for number in range(20)]


def test_a_tool_whose_worker_dies_is_run_by_another(workerless: System, http: httpx2.Client) -> None:
    workerless.worker("--queues", "model")
    made = create(http, model="demo/load", input="tokens=2 tools=2", tools=[CLOCK], background=True)
    eventually(lambda: http.get(f"/v1/responses/{made['id']}/steps").json()["now"]["phase"] == "tools")
    workerless.worker("--queues", "tools")
    assert [item["type"] for item in finished(http, made["id"])["output"]][2:] == ["orq:current_date"] * 2 + ["message"]


def test_a_response_cancelled_between_a_call_and_its_result_does_not_poison_the_chain(
    workerless: System, http: httpx2.Client
) -> None:
    workerless.worker("--queues", "model")
    made = create(http, model="demo/load", input="tokens=2 tools=2", tools=[CLOCK], background=True)
    eventually(lambda: http.get(f"/v1/responses/{made['id']}/steps").json()["now"]["phase"] == "tools")
    assert http.post(f"/v1/responses/{made['id']}/cancel").json()["status"] == "cancelled"
    assert text_of(create(http, model="demo/echo", input="Go on.", previous_response_id=made["id"])) == "Go on."


def test_no_heartbeat_stops_a_step_that_has_just_ended(workerless: System, http: httpx2.Client) -> None:
    worker = workerless.worker(RONDO_HEARTBEAT="0.01")

    for _ in range(25):
        assert create(http, model="demo/load", input="tokens=2 tools=6", tools=[CLOCK])["status"] == "completed"
    assert "lease_lost" not in worker.log.read_text(encoding="utf-8")

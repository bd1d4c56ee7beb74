"""Workers that die, stop, or are given up on: the response goes on, and no number is used twice."""

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from shared.items import Json
from tests.system.contract import check_order, event_of, frames
from tests.system.reading import create, created, delta, finished, read_until, streaming, text_of
from tests.system.running import Api, System, eventually

CLOCK = {"type": "orq:current_date"}


@pytest.fixture
def door(own_system: System) -> Api:
    """The API process of a system whose workers the test kills."""
    return own_system.api()


@pytest.fixture
def http(door: Api) -> Iterator[httpx2.Client]:
    with door.http() as plain:
        yield plain


def numbers(seen: list[bytes]) -> list[int]:
    return [event_of(frame)["sequence_number"] for frame in seen]


def text_told(seen: list[Json]) -> str:
    """The text of the items that were told as complete."""
    done = [event["item"] for event in seen if event["type"] == "response.output_item.done"]
    return text_of({"output": [item for item in done if item["status"] == "completed"]})


def test_a_response_survives_kill_9_of_its_worker_in_the_middle_of_a_stream(own_system: System, http: httpx2.Client) -> None:
    first = own_system.worker()
    body = {"model": "demo/load", "input": "tokens=60 rate=30 tools=1", "tools": [CLOCK], "background": True}
    with created(http, **body) as (response_id, reading):
        seen = read_until(reading, delta("10 "))
        own_system.worker()
        first.kill()
        rest = list(reading)
    made = finished(http, response_id, within=15)
    wanted = "".join(f"{number} " for number in range(1, 61))
    assert (made["status"], text_of({"output": made["output"][2:][-1:]})) == ("completed", wanted)
    assert [item["type"] for item in made["output"] if item["status"] == "completed"] == [
        "function_call",
        "orq:current_date",
        "message",
    ]
    replay = frames(http.get(f"/v1/responses/{response_id}", params={"stream": "true"}).content)
    assert replay[1:] == seen + rest
    check_order([event_of(frame) for frame in replay])
    assert text_told([event_of(frame) for frame in replay]) == wanted


def test_a_client_that_resumes_after_a_takeover_sees_no_number_twice(own_system: System, http: httpx2.Client) -> None:
    first = own_system.worker()
    with created(http, model="demo/load", input="tokens=40 rate=30", background=True) as (response_id, reading):
        seen = read_until(reading, delta("10 "))
    first.kill()
    own_system.worker()
    params: Json = {"stream": "true", "starting_after": numbers(seen)[-1]}
    with streaming(http, "GET", f"/v1/responses/{response_id}", params=params) as resumed:
        rest = list(resumed)
    both = numbers(seen + rest)
    assert both == sorted(set(both))
    assert event_of(rest[-1])["type"] == "response.completed"
    steps = http.get(f"/v1/responses/{response_id}/steps").json()["data"]
    assert [step["outcome"] for step in steps] == ["lost", "completed"]


def test_a_stopping_worker_hands_over_what_outlives_its_grace_without_waiting_for_the_lease(own_system: System) -> None:
    own_system.env["RONDO_LEASE"] = "60"
    api = own_system.api()
    first = own_system.worker(RONDO_DRAIN="0.3")
    with api.http() as http, created(http, model="demo/load", input="tokens=60 rate=30", background=True) as (key, reading):
        read_until(reading, delta("5 "))
        own_system.worker()
        assert first.terminate() == 0
        done = finished(http, key, within=10)
    assert (done["status"], text_of({"output": done["output"][-1:]})[-4:]) == ("completed", " 60 ")


def test_a_stopping_worker_finishes_steps_within_its_grace(own_system: System, http: httpx2.Client) -> None:
    first = own_system.worker()
    with created(http, model="demo/load", input="tokens=30 rate=30", background=True) as (response_id, reading):
        read_until(reading, delta("5 "))
        first.child.send_signal(signal.SIGTERM)
        seen = list(reading)
    assert event_of(seen[-1])["type"] == "response.completed"
    assert first.child.wait(10) == 0
    assert own_system.rows("SELECT count(*) FROM steps WHERE response_id = %s", response_id) == [(1,)]
    assert own_system.rows("SELECT 1 FROM workers") == []


def wait_until_claimed(system: System, times: int) -> None:
    running = "SELECT 1 FROM responses WHERE phase = 'running' AND claims = %s"
    eventually(lambda: bool(system.rows(running, times)), within=15)


def test_a_response_that_kills_its_workers_is_given_up_reported_and_can_be_queued_again(
    own_system: System, http: httpx2.Client
) -> None:
    made = create(http, model="demo/load", input="tokens=2000 rate=40", background=True)
    for claim in range(1, 4):
        poisoned = own_system.worker()
        wait_until_claimed(own_system, claim)
        poisoned.kill()
    own_system.worker()
    failed = finished(http, made["id"], within=15)
    assert (failed["status"], failed["error"]["code"]) == ("failed", "worker_lost")
    assert made["id"] in own_system.admin("dead-letters")
    assert own_system.admin("requeue", made["id"]) == "Queued again."
    eventually(lambda: http.get(f"/v1/responses/{made['id']}").json()["status"] == "in_progress")
    assert http.post(f"/v1/responses/{made['id']}/cancel").json()["status"] == "cancelled"
    assert made["id"] not in own_system.admin("dead-letters")


def test_accepted_work_waits_for_the_first_worker(own_system: System, http: httpx2.Client) -> None:
    made = [create(http, model="demo/echo", input=str(number), background=True)["id"] for number in range(20)]
    waiting = http.get(f"/v1/responses/{made[-1]}/steps").json()
    assert waiting["now"]["explanation"] == "It waits for a worker; none is running."
    assert waiting["now"]["queue_position"] == 19
    own_system.worker()
    assert [text_of(finished(http, key)) for key in made] == [str(number) for number in range(20)]


def test_a_tool_whose_worker_dies_is_run_by_another(own_system: System, http: httpx2.Client) -> None:
    own_system.worker("--queues", "model")
    made = create(http, model="demo/load", input="tokens=2 tools=2", tools=[CLOCK], background=True)
    eventually(lambda: http.get(f"/v1/responses/{made['id']}/steps").json()["now"]["phase"] == "tools")
    own_system.worker("--queues", "tools")
    assert [item["type"] for item in finished(http, made["id"])["output"]][2:] == ["orq:current_date"] * 2 + ["message"]


def test_a_response_cancelled_between_a_call_and_its_result_does_not_poison_the_chain(
    own_system: System, http: httpx2.Client
) -> None:
    own_system.worker("--queues", "model")
    made = create(http, model="demo/load", input="tokens=2 tools=2", tools=[CLOCK], background=True)
    eventually(lambda: http.get(f"/v1/responses/{made['id']}/steps").json()["now"]["phase"] == "tools")
    assert http.post(f"/v1/responses/{made['id']}/cancel").json()["status"] == "cancelled"
    assert text_of(create(http, model="demo/echo", input="Go on.", previous_response_id=made["id"])) == "Go on."


def test_no_heartbeat_stops_a_step_that_has_just_ended(own_system: System, http: httpx2.Client, door: Api) -> None:
    worker = own_system.worker(RONDO_HEARTBEAT="0.01")

    def run(_: int) -> str:
        with door.http() as client:
            return str(create(client, model="demo/load", input="tokens=2 tools=6", tools=[CLOCK])["status"])

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(run, range(60))) == {"completed"}
    assert "lease_lost" not in worker.log.read_text(encoding="utf-8")

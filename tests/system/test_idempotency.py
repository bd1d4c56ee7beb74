"""`Idempotency-Key`: one key makes one response, however often the request is sent."""

from concurrent.futures import ThreadPoolExecutor

import httpx2
from openai import OpenAI

from shared import ids
from tests.system.contract import event_of
from tests.system.reading import FINAL, created, delta, finished, read_until, streaming, text_of
from tests.system.running import Api, System

BODY = {"model": "demo/load", "input": "tokens=40 rate=40"}


def keyed() -> dict[str, str]:
    return {"idempotency-key": ids.new("key")}


def test_the_same_key_and_body_give_the_same_response(http: httpx2.Client, system: System) -> None:
    headers, body = keyed(), {"model": "demo/echo", "input": "once"}
    first, second = (http.post("/v1/responses", json=body, headers=headers).json() for _ in range(2))
    assert second == first
    assert system.rows("SELECT count(*) FROM idempotency_keys WHERE key = %s", headers["idempotency-key"]) == [(1,)]


def test_the_sdk_can_send_a_key(client: OpenAI) -> None:
    made = [client.responses.create(model="demo/echo", input="x", extra_headers=headers) for headers in [keyed()] * 2]
    assert made[0].id == made[1].id


def test_requests_that_race_with_one_key_make_one_response(api: Api, system: System) -> None:
    headers = keyed()

    def post(_: int) -> str:
        with api.http() as http:
            return str(http.post("/v1/responses", json=BODY, headers=headers).raise_for_status().json()["id"])

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(post, range(6)))) == 1


def test_a_repeated_stream_joins_the_running_one_from_its_beginning(http: httpx2.Client) -> None:
    headers = keyed()
    with streaming(http, "POST", "/v1/responses", json={**BODY, "stream": True}, headers=headers) as first:
        seen = read_until(first, delta("5 "))
        again = list_stream(http, headers)
        seen += list(first)
    assert again == seen


def list_stream(http: httpx2.Client, headers: dict[str, str]) -> list[bytes]:
    with streaming(http, "POST", "/v1/responses", json={**BODY, "stream": True}, headers=headers) as frames:
        return list(frames)


def test_a_keyed_response_outlives_its_dropped_connection_and_is_there_for_the_retry(http: httpx2.Client) -> None:
    headers = keyed()
    with streaming(http, "POST", "/v1/responses", json={**BODY, "stream": True}, headers=headers) as frames:
        response_id = event_of(next(frames))["response"]["id"]
    events = [event_of(frame) for frame in list_stream(http, headers)]
    assert events[-1]["response"]["id"] == response_id
    assert events[-1]["type"] == "response.completed"


def test_a_repeated_background_create_shows_how_far_the_response_is(http: httpx2.Client) -> None:
    headers, body = keyed(), {**BODY, "background": True}
    made = http.post("/v1/responses", json=body, headers=headers).json()
    done = finished(http, made["id"])
    assert http.post("/v1/responses", json=body, headers=headers).json() == done
    assert (done["status"], text_of(done)[:4]) == ("completed", "1 2 ")


def test_the_same_key_with_another_body_is_refused_and_need_not_be_retried(http: httpx2.Client) -> None:
    headers = keyed()
    assert http.post("/v1/responses", json={"model": "demo/echo", "input": "a"}, headers=headers).is_success
    answer = http.post("/v1/responses", json={"model": "demo/echo", "input": "b"}, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "idempotency_key_reused")


def test_keys_of_another_project_are_other_keys(http: httpx2.Client, api: Api, foreign_key: str) -> None:
    headers = keyed()
    mine = http.post("/v1/responses", json={"model": "demo/echo", "input": "a"}, headers=headers).json()
    with api.http(foreign_key) as other:
        theirs = other.post("/v1/responses", json={"model": "demo/echo", "input": "b"}, headers=headers).json()
    assert theirs["id"] != mine["id"]
    assert {mine["status"], theirs["status"]} <= FINAL


def test_a_refused_request_does_not_use_its_key_up(http: httpx2.Client) -> None:
    headers = keyed()
    body = {"model": "demo/echo", "input": "a", "previous_response_id": "resp_unknown"}
    assert http.post("/v1/responses", json=body, headers=headers).status_code == 400
    assert http.post("/v1/responses", json={"model": "demo/echo", "input": "a"}, headers=headers).status_code == 200


def test_a_keyed_failed_response_is_told_again(http: httpx2.Client) -> None:
    headers, body = keyed(), {"model": "demo/load", "input": "tokens=1 fail=400"}
    first, second = (http.post("/v1/responses", json=body, headers=headers) for _ in range(2))
    assert (first.status_code, second.status_code) == (400, 400)
    assert first.headers["x-rondo-response-id"] == second.headers["x-rondo-response-id"]


def test_a_stream_without_a_key_makes_a_response_each_time(http: httpx2.Client) -> None:
    with created(http, **BODY) as (first, _), created(http, **BODY) as (second, _):
        assert first != second

"""Resuming a stream: the same frames from any number on, anywhere, while it runs and long after."""

from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest
from openai import OpenAI

from shared.items import Json
from tests.system.contract import event_of, events, frames
from tests.system.reading import create, created, delta, finished, read_until, streaming
from tests.system.running import Api, System

CLOCK = {"type": "orq:current_date"}


@pytest.fixture(scope="module")
def told(shared_system: System, api: Api, worker: object) -> tuple[str, bytes]:
    """A finished response of several steps, and its stream as it was first sent."""
    body = {"model": "demo/load", "input": "tokens=12 rate=100 tools=2", "tools": [CLOCK], "stream": True, "background": True}
    with api.http() as http:
        raw = http.post("/v1/responses", json=body).content
    return event_of(frames(raw)[0])["response"]["id"], raw


def resumed(http: httpx2.Client, response_id: str, after: int | None = None) -> bytes:
    params: Json = {"stream": "true"} | ({} if after is None else {"starting_after": after})
    answer = http.get(f"/v1/responses/{response_id}", params=params)
    assert answer.headers["content-type"].startswith("text/event-stream")
    return answer.content


def test_a_replay_is_the_first_pass_byte_by_byte(http: httpx2.Client, told: tuple[str, bytes]) -> None:
    response_id, raw = told
    assert resumed(http, response_id) == raw


def test_resuming_after_any_number_gives_exactly_what_followed_it(http: httpx2.Client, told: tuple[str, bytes]) -> None:
    response_id, raw = told
    original = frames(raw)
    assert len(original) > 30
    for index, frame in enumerate(original):
        number = event_of(frame)["sequence_number"]
        assert resumed(http, response_id, number) == b"".join(original[index + 1 :]) + b"data: [DONE]\n\n", f"after {number}"


def test_resuming_beyond_the_end_gives_an_empty_stream_at_once(http: httpx2.Client, told: tuple[str, bytes]) -> None:
    assert resumed(http, told[0], 10_000) == b"data: [DONE]\n\n"


def test_the_sdk_resumes_after_a_number(client: OpenAI, told: tuple[str, bytes]) -> None:
    response_id, raw = told
    with client.responses.retrieve(response_id, stream=True, starting_after=5) as stream:
        assert [event.sequence_number for event in stream] == [event["sequence_number"] for event in events(raw)[6:]]


def test_the_sdks_stream_helper_replays_a_finished_response(client: OpenAI) -> None:
    made = client.responses.create(model="demo/load", input="tokens=12 rate=100", background=True)
    with client.responses.stream(response_id=made.id, starting_after=4) as stream:
        final = stream.get_final_response()
    assert (final.id, final.output_text) == (made.id, "1 2 3 4 5 6 7 8 9 10 11 12 ")


def test_another_api_process_replays_the_same_bytes(second_api: Api, told: tuple[str, bytes]) -> None:
    with second_api.http() as elsewhere:
        assert resumed(elsewhere, told[0]) == told[1]


def test_a_foreground_stream_can_be_replayed_too(http: httpx2.Client) -> None:
    raw = http.post("/v1/responses", json={"model": "demo/echo", "input": "a b c", "stream": True}).content
    assert resumed(http, event_of(frames(raw)[0])["response"]["id"]) == raw


def test_a_response_that_nobody_streamed_has_a_stream_to_replay(http: httpx2.Client) -> None:
    made = create(http, model="demo/echo", input="a b c")
    last = events(resumed(http, made["id"]))[-1]
    assert (last["type"], last["response"]) == ("response.completed", made)


def test_resuming_a_running_response_elsewhere_continues_behind_the_number_to_the_end(
    http: httpx2.Client, second_api: Api
) -> None:
    with created(http, model="demo/load", input="tokens=60 rate=60", background=True) as (response_id, first):
        seen = read_until(first, delta("20 "))
    last = event_of(seen[-1])["sequence_number"]
    with second_api.http() as elsewhere:
        rest = frames(resumed(elsewhere, response_id, last))
    assert frames(resumed(http, response_id))[1:] == seen + rest


def test_many_readers_of_one_running_response_all_see_everything(http: httpx2.Client, api: Api, second_api: Api) -> None:
    made = create(http, model="demo/load", input="tokens=50 rate=50", background=True)

    def read(number: int) -> bytes:
        with (api, second_api)[number % 2].http() as reader:
            return resumed(reader, made["id"])

    with ThreadPoolExecutor(12) as pool:
        seen = set(pool.map(read, range(12)))
    assert seen == {resumed(http, made["id"])}


def test_a_slow_reader_gets_every_frame_of_a_fast_response(http: httpx2.Client) -> None:
    made = create(http, model="demo/load", input="tokens=20000", background=True)
    with streaming(http, "GET", f"/v1/responses/{made['id']}", params={"stream": "true"}) as reading:
        next(reading)
        finished(http, made["id"])
        rest = list(reading)
    assert frames(resumed(http, made["id"]))[1:] == rest


def test_starting_after_without_a_stream_is_a_clear_error(http: httpx2.Client, told: tuple[str, bytes]) -> None:
    answer = http.get(f"/v1/responses/{told[0]}", params={"starting_after": 3})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "starting_after")

"""Making a response: waiting for it, streaming it, leaving it in the background, and both at once."""

import httpx2
import pytest
from openai import OpenAI

from tests.system.contract import events
from tests.system.reading import create, created, delta, finished, read_until, text_of


def test_a_waiting_create_returns_the_finished_response(client: OpenAI) -> None:
    response = client.responses.create(model="demo/echo", input="Repeat me.")
    assert response.status == "completed"
    assert response.output_text == "Repeat me."
    assert response.usage is not None
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens == 4
    assert response.completed_at is not None


def test_what_a_waiting_create_returned_is_what_retrieve_returns(client: OpenAI) -> None:
    created = client.responses.create(model="demo/echo", input="Keep me.", metadata={"a": "b"})
    assert client.responses.retrieve(created.id).model_dump() == created.model_dump()


def test_a_streamed_create_tells_the_whole_story_in_order(http: httpx2.Client) -> None:
    answer = http.post("/v1/responses", json={"model": "demo/echo", "input": "one two", "stream": True})
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.content.endswith(b"data: [DONE]\n\n")
    assert [event["type"] for event in events(answer.content)] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]


def test_the_terminal_event_carries_what_retrieve_returns(http: httpx2.Client) -> None:
    answer = http.post("/v1/responses", json={"model": "demo/echo", "input": "Same?", "stream": True})
    told = events(answer.content)[-1]["response"]
    assert http.get(f"/v1/responses/{told['id']}").json() == told


def test_the_sdks_stream_helper_returns_the_final_response(client: OpenAI) -> None:
    with client.responses.stream(model="demo/load", input="tokens=30 rate=300") as stream:
        deltas = [event.delta for event in stream if event.type == "response.output_text.delta"]
        final = stream.get_final_response()
    assert "".join(deltas) == final.output_text == "".join(f"{number} " for number in range(1, 31))


def test_a_background_create_returns_at_once_and_finishes_by_itself(client: OpenAI, http: httpx2.Client) -> None:
    queued = client.responses.create(model="demo/load", input="tokens=3 rate=20", background=True)
    assert (queued.status, queued.background, queued.output, queued.usage) == ("queued", True, [], None)
    assert (finished(http, queued.id)["status"], client.responses.retrieve(queued.id).output_text) == ("completed", "1 2 3 ")


def test_a_background_stream_says_that_it_was_queued_first(client: OpenAI) -> None:
    with client.responses.create(model="demo/echo", input="x", background=True, stream=True) as stream:
        seen = list(stream)
    assert [event.type for event in seen[:3]] == ["response.created", "response.queued", "response.in_progress"]
    assert seen[0].type == "response.created"
    assert seen[0].response.status == "queued"
    assert seen[-1].type == "response.completed"


def test_a_running_response_shows_what_it_has_said_so_far(http: httpx2.Client) -> None:
    with created(http, model="demo/load", input="tokens=400 rate=100", background=True) as (response_id, frames):
        read_until(frames, delta("20 "))
        running = http.get(f"/v1/responses/{response_id}").json()
        http.post(f"/v1/responses/{response_id}/cancel")
    assert running["status"] == "in_progress"
    assert text_of(running).startswith("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 ")
    assert running["output"][0]["status"] == "in_progress"


@pytest.mark.parametrize("path", ["/v1/responses", "/v3/router/responses"])
def test_both_paths_take_the_same_request(http: httpx2.Client, path: str) -> None:
    answer = http.post(path, json={"model": "demo/echo", "input": "Hello"})
    assert (answer.status_code, answer.json()["output"][0]["content"][0]["text"]) == (200, "Hello")


def test_what_a_client_asked_for_is_echoed(http: httpx2.Client) -> None:
    asked = {
        "instructions": "Be brief.",
        "temperature": 0.5,
        "top_p": 0.9,
        "max_output_tokens": 100,
        "metadata": {"team": "blue"},
        "identity": {"id": "user-1", "display_name": "Ada"},
        "thread": {"id": "thread-1", "tags": ["a"]},
        "parallel_tool_calls": False,
        "truncation": "auto",
        "user": "u",
    }
    made = create(http, model="demo/echo", input="x", **asked)
    assert {name: made[name] for name in asked} == asked


def test_a_response_cut_by_its_token_limit_is_incomplete_and_says_why(http: httpx2.Client) -> None:
    made = create(http, model="demo/load", input="tokens=100", max_output_tokens=16)
    assert (made["status"], made["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    assert made["output"][0]["status"] == "incomplete"
    assert made["usage"]["output_tokens"] == 16
    assert made["completed_at"] is None


def test_a_failed_response_is_an_http_error_for_who_waited_and_can_be_read_afterwards(http: httpx2.Client) -> None:
    answer = http.post("/v1/responses", json={"model": "demo/load", "input": "tokens=5 fail=400 after=2"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_prompt")
    assert answer.headers["x-should-retry"] == "false"
    failed = http.get(f"/v1/responses/{answer.headers['x-rondo-response-id']}").json()
    assert (failed["status"], failed["error"]["code"]) == ("failed", "invalid_prompt")


def test_a_failed_stream_ends_with_response_failed(http: httpx2.Client) -> None:
    answer = http.post("/v1/responses", json={"model": "demo/load", "input": "tokens=5 fail=401 after=2", "stream": True})
    last = events(answer.content)[-1]
    assert (last["type"], last["response"]["error"]["code"]) == ("response.failed", "provider_authentication")
    assert answer.content.endswith(b"data: [DONE]\n\n")


def test_a_failure_that_may_pass_is_tried_again_before_it_counts(http: httpx2.Client) -> None:
    made = create(http, model="demo/load", input="tokens=1 fail=503", background=True)
    assert finished(http, made["id"])["error"]["code"] == "provider_unavailable"
    outcomes = [step["outcome"] for step in http.get(f"/v1/responses/{made['id']}/steps").json()["data"]]
    assert outcomes == ["retry", "retry", "failed"]


def test_a_deadline_ends_a_response_with_what_it_had_said(http: httpx2.Client) -> None:
    made = create(http, model="demo/load", input="tokens=1000 rate=50", limits={"max_execution_time": 1})
    assert (made["status"], made["incomplete_details"]) == ("incomplete", {"reason": "max_execution_time"})
    assert text_of(made).startswith("1 2 3 4 5 ")

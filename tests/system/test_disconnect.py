"""What becomes of a response whose client goes away, and of one that was not to be stored."""

import httpx2
import pytest

from shared.items import Json
from tests.system.contract import event_of, frames
from tests.system.reading import create, created, delta, finished, read_until
from tests.system.running import Api, System, eventually

LONG = {"model": "demo/load", "input": "tokens=2000 rate=50"}
SHORT = {"model": "demo/load", "input": "tokens=30 rate=30"}


def drop_stream(api: Api, **body: object) -> str:
    """Begin to read a streamed response, then vanish; return its id."""
    with api.http() as http, created(http, **body) as (response_id, reading):
        read_until(reading, delta("2 "))
    return response_id


def drop_waiting(api: Api, system: System, **body: object) -> str:
    """Wait for a response, but not long; return its id."""
    with api.http(timeout=0.4) as http, pytest.raises(httpx2.ReadTimeout):
        http.post("/v1/responses", json=body)
    ((response_id,),) = system.rows("SELECT id FROM responses ORDER BY created_at DESC, id DESC LIMIT 1")
    return str(response_id)


def test_a_foreground_stream_that_is_dropped_is_cancelled(api: Api, http: httpx2.Client) -> None:
    assert finished(http, drop_stream(api, **LONG), within=3)["status"] == "cancelled"


def test_a_waiting_create_that_is_dropped_is_cancelled(api: Api, http: httpx2.Client, system: System) -> None:
    assert finished(http, drop_waiting(api, system, **LONG), within=3)["status"] == "cancelled"


def test_a_background_stream_that_is_dropped_goes_on(api: Api, http: httpx2.Client) -> None:
    assert finished(http, drop_stream(api, **SHORT, background=True))["status"] == "completed"


@pytest.mark.parametrize(
    ("background", "policy", "body", "status"),
    [(False, "continue", SHORT, "completed"), (True, "cancel", LONG, "cancelled")],
    ids=["foreground-continue", "background-cancel"],
)
def test_on_disconnect_decides_otherwise(
    api: Api, http: httpx2.Client, background: bool, policy: str, body: Json, status: str
) -> None:
    response_id = drop_stream(api, **body, background=background, on_disconnect=policy)
    assert finished(http, response_id)["status"] == status


def test_a_waiting_create_that_is_dropped_goes_on_if_it_asked_to(api: Api, http: httpx2.Client, system: System) -> None:
    response_id = drop_waiting(api, system, **SHORT, on_disconnect="continue")
    assert finished(http, response_id)["status"] == "completed"


def test_a_reader_that_goes_away_harms_nobody(api: Api, http: httpx2.Client) -> None:
    made = create(http, **SHORT, background=True)
    with api.http() as reader, reader.stream("GET", f"/v1/responses/{made['id']}", params={"stream": "true"}) as answer:
        next(answer.iter_bytes())
    assert finished(http, made["id"])["status"] == "completed"


@pytest.mark.parametrize("stream", [False, True])
def test_nothing_is_left_of_a_response_that_was_not_to_be_stored(http: httpx2.Client, system: System, stream: bool) -> None:
    body = {"model": "demo/load", "input": "tokens=2 tools=1", "tools": [{"type": "orq:current_date"}], "store": False}
    answer = http.post("/v1/responses", json={**body, "stream": stream})
    made = event_of(frames(answer.content)[-1])["response"] if stream else answer.json()
    assert (made["status"], made["store"]) == ("completed", False)
    for path in ("", "/input_items", "/steps"):
        assert http.get(f"/v1/responses/{made['id']}{path}").status_code == 404
    eventually(lambda: traces(system, made["id"]) == [0, 0, 0, 0, 0], within=3, what=lambda: str(traces(system, made["id"])))


def traces(system: System, response_id: str) -> list[object]:
    """Count the rows that tell of a response."""
    tables = {"responses": "id", "items": "response_id", "event_pages": "response_id", "steps": "response_id"}
    tables["tool_calls"] = "response_id"
    counts = (f"SELECT count(*) FROM {table} WHERE {column} = %s" for table, column in tables.items())
    return [system.rows(count, response_id)[0][0] for count in counts]


def test_an_unstored_response_can_be_neither_read_nor_continued_while_it_runs(http: httpx2.Client) -> None:
    with created(http, **LONG, store=False) as (response_id, reading):
        read_until(reading, delta("2 "))
        assert http.get(f"/v1/responses/{response_id}").status_code == 404
        answer = http.post("/v1/responses", json={"model": "demo/echo", "input": "x", "previous_response_id": response_id})
        assert answer.json()["error"]["code"] == "previous_response_not_found"


def test_an_unstored_response_whose_client_goes_away_leaves_nothing_either(api: Api, system: System) -> None:
    response_id = drop_stream(api, **LONG, store=False)
    eventually(lambda: traces(system, response_id) == [0, 0, 0, 0, 0], within=5, what=lambda: str(traces(system, response_id)))

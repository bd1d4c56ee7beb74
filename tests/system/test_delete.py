"""Deleting: gone at once for everybody, except for what others built on it."""

import httpx2
import openai
import pytest
from openai import OpenAI

from tests.system.reading import create, created, delta, finished, read_until, refused, text_of
from tests.system.running import System, eventually


def test_a_deleted_response_is_gone_in_every_way(client: OpenAI, http: httpx2.Client) -> None:
    made = create(http, model="demo/echo", input="x", thread={"id": "deleted"})
    client.responses.delete(made["id"])
    for path in ("", "/input_items", "/steps", "?stream=true"):
        assert http.get(f"/v1/responses/{made['id']}{path}").status_code == 404
    assert http.post(f"/v1/responses/{made['id']}/cancel").status_code == 404
    assert http.get("/v1/responses", params={"thread": "deleted"}).json()["data"] == []
    assert refused(http, model="demo/echo", input="y", previous_response_id=made["id"])[0] == 400
    assert refused(http, model="demo/echo", input=[{"type": "item_reference", "id": made["output"][0]["id"]}])[0] == 404


def test_deleting_says_what_was_deleted_and_does_so_once(http: httpx2.Client) -> None:
    made = create(http, model="demo/echo", input="x")
    answer = http.delete(f"/v1/responses/{made['id']}")
    assert answer.json() == {"id": made["id"], "object": "response", "deleted": True}
    assert http.delete(f"/v1/responses/{made['id']}").status_code == 404


def test_the_sdk_finds_no_deleted_response(client: OpenAI) -> None:
    made = client.responses.create(model="demo/echo", input="x")
    client.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.delete(made.id)


def test_children_of_a_deleted_response_keep_what_they_inherited(http: httpx2.Client) -> None:
    parent = create(http, model="demo/echo", input="one")
    child = create(http, model="demo/echo", input="two", previous_response_id=parent["id"])
    http.delete(f"/v1/responses/{parent['id']}")
    assert len(http.get(f"/v1/responses/{child['id']}/input_items").json()["data"]) == 3
    grandchild = create(http, model="demo/echo", input="three", previous_response_id=child["id"])
    assert (text_of(grandchild), grandchild["usage"]["input_tokens"]) == ("three", 5)


def test_a_deleted_chain_leaves_no_rows(http: httpx2.Client, system: System) -> None:
    parent = create(http, model="demo/echo", input="one")
    child = create(http, model="demo/echo", input="two", previous_response_id=parent["id"])
    ids = [parent["id"], child["id"]]
    for response_id in ids:
        http.delete(f"/v1/responses/{response_id}")
    for table, column in {"responses": "id", "items": "response_id", "event_pages": "response_id"}.items():
        assert system.rows(f"SELECT 1 FROM {table} WHERE {column} = ANY(%s)", ids) == []


def test_deleting_a_running_response_stops_it(http: httpx2.Client, system: System) -> None:
    with created(http, model="demo/load", input="tokens=2000 rate=50", background=True) as (response_id, frames):
        read_until(frames, delta("2 "))
        assert http.delete(f"/v1/responses/{response_id}").status_code == 200
        list(frames)
    assert http.get(f"/v1/responses/{response_id}").status_code == 404
    eventually(lambda: system.rows("SELECT 1 FROM workers WHERE running = 0"), within=3)


def test_a_response_that_continues_a_deleted_one_finishes(http: httpx2.Client) -> None:
    parent = create(http, model="demo/echo", input="one")
    child = create(http, model="demo/load", input="tokens=10 rate=20", previous_response_id=parent["id"], background=True)
    http.delete(f"/v1/responses/{parent['id']}")
    assert finished(http, child["id"])["status"] == "completed"

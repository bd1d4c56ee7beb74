"""Continuing responses: chains, forks, references, and at which moment that is possible."""

from typing import Any

import httpx2
import openai
import pytest
from openai import OpenAI

from shared.items import Json
from tests.system.reading import create, created, delta, read_until, refused, text_of
from tests.system.running import Api


def context(http: httpx2.Client, response_id: str) -> list[str]:
    """The texts of what was put in front of the model, oldest first."""
    answer = http.get(f"/v1/responses/{response_id}/input_items", params={"order": "asc", "limit": 100})
    return ["".join(part["text"] for part in item["content"]) for item in answer.json()["data"]]


def test_a_chain_carries_inputs_and_outputs_but_no_instructions(http: httpx2.Client) -> None:
    first = create(http, model="demo/echo", input="one", instructions="Secret.", metadata={"a": "b"}, temperature=0.3)
    second = create(http, model="demo/echo", input="two", previous_response_id=first["id"])
    third = create(http, model="demo/echo", input="three", previous_response_id=second["id"])
    assert context(http, third["id"]) == ["one", "one", "two", "two", "three"]
    assert (third["instructions"], third["metadata"], third["temperature"]) == (None, {}, 1.0)
    assert third["previous_response_id"] == second["id"]


def test_forks_of_one_parent_never_see_each_other(http: httpx2.Client) -> None:
    root = create(http, model="demo/echo", input="root")
    left = create(http, model="demo/echo", input="left", previous_response_id=root["id"])
    right = create(http, model="demo/echo", input="right", previous_response_id=root["id"])
    assert context(http, left["id"]) == ["root", "root", "left"]
    assert context(http, right["id"]) == ["root", "root", "right"]


def test_a_chain_can_be_long(http: httpx2.Client) -> None:
    parent: Json = {}
    for number in range(45):
        parent = create(http, model="demo/echo", input=str(number), previous_response_id=parent.get("id"))
    assert context(http, parent["id"])[-3:] == ["43", "43", "44"]
    assert parent["usage"]["input_tokens"] == 2 * 44 + 1


def test_a_response_can_be_continued_the_very_moment_it_is_seen_to_be_complete(
    client: OpenAI, api: Api, second_api: Api
) -> None:
    parent: str | None = None
    with second_api.sdk() as elsewhere:
        for number in range(100):
            asked = (client, elsewhere)[number % 2]
            with asked.responses.create(
                model="demo/echo", input=str(number), previous_response_id=parent, stream=True
            ) as stream:
                parent = next(event.response.id for event in stream if event.type == "response.completed")


def test_the_moment_a_response_is_complete_its_items_can_be_listed_and_referred_to(
    http: httpx2.Client, second_api: Api
) -> None:
    with second_api.http() as elsewhere:
        for number in range(20):
            with created(http, model="demo/echo", input=str(number)) as (response_id, frames):
                read_until(frames, "event: response.completed")
                made = elsewhere.get(f"/v1/responses/{response_id}").json()
                assert made["status"] == "completed"
                reference = {"type": "item_reference", "id": made["output"][0]["id"]}
                create(elsewhere, model="demo/echo", input=[reference, {"role": "user", "content": "and?"}])
                assert elsewhere.delete(f"/v1/responses/{response_id}").json()["deleted"] is True


def test_an_unfinished_response_cannot_be_continued(http: httpx2.Client) -> None:
    with created(http, model="demo/load", input="tokens=500 rate=50") as (response_id, frames):
        read_until(frames, delta("1 "))
        status, error = refused(http, model="demo/echo", input="x", previous_response_id=response_id)
    assert (status, error["code"], error["param"]) == (400, "previous_response_not_finished", "previous_response_id")


def test_an_unknown_response_cannot_be_continued(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="Previous response with id 'resp_x' not found") as caught:
        client.responses.create(model="demo/echo", input="x", previous_response_id="resp_x")
    assert (caught.value.code, caught.value.param) == ("previous_response_not_found", "previous_response_id")


def test_an_incomplete_response_can_be_continued(http: httpx2.Client) -> None:
    cut = create(http, model="demo/load", input="tokens=50", max_output_tokens=16)
    assert text_of(create(http, model="demo/echo", input="go on", previous_response_id=cut["id"])) == "go on"


def test_a_chain_without_new_input_is_possible(http: httpx2.Client) -> None:
    first = create(http, model="demo/echo", input="again")
    assert text_of(create(http, model="demo/echo", previous_response_id=first["id"])) == "again"


def test_items_of_any_response_can_be_referred_to(client: OpenAI, http: httpx2.Client) -> None:
    one = client.responses.create(model="demo/echo", input="first")
    two = client.responses.create(model="demo/echo", input="second")
    wanted: list[Any] = [{"type": "item_reference", "id": one.output[0].id}, {"id": two.output[0].id}]
    made = client.responses.create(model="demo/echo", input=[*wanted, {"role": "user", "content": "third"}])
    assert context(http, made.id) == ["first", "second", "third"]


def test_a_referred_item_outlives_the_response_it_came_from(http: httpx2.Client) -> None:
    source = create(http, model="demo/echo", input="first")
    reference = {"type": "item_reference", "id": source["output"][0]["id"]}
    made = create(http, model="demo/echo", input=[reference, {"role": "user", "content": "next"}])
    http.delete(f"/v1/responses/{source['id']}")
    assert context(http, made["id"]) == ["first", "next"]


def test_an_unknown_item_cannot_be_referred_to(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="Item with id 'msg_unknown' not found"):
        client.responses.create(model="demo/echo", input=[{"type": "item_reference", "id": "msg_unknown"}])


def test_an_item_that_a_client_sends_again_is_put_in_front_of_the_model_once(http: httpx2.Client) -> None:
    first = create(http, model="demo/echo", input="hello")
    again = [*first["output"], {"role": "user", "content": "next"}]
    made = create(http, model="demo/echo", input=again, previous_response_id=first["id"])
    assert context(http, made["id"]) == ["hello", "hello", "next"]

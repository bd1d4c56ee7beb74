"""Projects see nothing of each other: a foreign id is an unknown one, on every route and in every body."""

from collections.abc import Iterator

import httpx2
import pytest

from shared.items import Json
from tests.system.reading import create
from tests.system.running import Api


@pytest.fixture(scope="module")
def theirs(api: Api, worker: object) -> Json:
    """A response of the default project."""
    with api.http() as http:
        return create(http, model="demo/echo", input="private", identity={"id": "them"}, background=False)


@pytest.fixture
def stranger(system: object, api: Api, foreign_key: str) -> Iterator[httpx2.Client]:
    with api.http(foreign_key) as http:
        yield http


def answer_to(http: httpx2.Client, method: str, path: str, known: str, body: Json | None = None) -> tuple[int, str]:
    """What a request is answered, with the id blanked out."""
    answer = http.request(method, path, json=body)
    return answer.status_code, answer.text.replace(known, "ID")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/responses/ID"),
        ("GET", "/v1/responses/ID?stream=true"),
        ("GET", "/v1/responses/ID?wait=5"),
        ("GET", "/v3/router/responses/ID"),
        ("GET", "/v1/responses/ID/input_items"),
        ("GET", "/v1/responses/ID/steps"),
        ("POST", "/v1/responses/ID/cancel"),
        ("DELETE", "/v1/responses/ID"),
        ("GET", "/v1/responses?after=ID"),
        ("GET", "/v1/responses?before=ID"),
    ],
)
def test_a_foreign_id_looks_unknown(stranger: httpx2.Client, theirs: Json, method: str, path: str) -> None:
    foreign = answer_to(stranger, method, path.replace("ID", theirs["id"]), theirs["id"])
    assert foreign == answer_to(stranger, method, path.replace("ID", "resp_unknown"), "resp_unknown")
    assert foreign[0] in {400, 404}


@pytest.mark.parametrize("kind", ["previous_response_id", "item_reference"])
def test_a_foreign_id_in_a_body_looks_unknown(stranger: httpx2.Client, theirs: Json, kind: str) -> None:
    def answer(known: str) -> tuple[int, str]:
        reference = [{"type": "item_reference", "id": known}, {"role": "user", "content": "x"}]
        body = {"input": reference} if kind == "item_reference" else {"input": "x", kind: known}
        return answer_to(stranger, "POST", "/v1/responses", known, {"model": "demo/echo", **body})

    assert answer(theirs["output"][0]["id"] if kind == "item_reference" else theirs["id"]) == answer("resp_unknown")


def test_lists_hold_only_the_projects_own(stranger: httpx2.Client, theirs: Json) -> None:
    for params in ({}, {"identity": "them"}, {"status": "completed"}):
        listed = stranger.get("/v1/responses", params={"limit": 100, **params}).json()["data"]
        assert theirs["id"] not in {response["id"] for response in listed}


def test_the_owner_still_has_it_all(api: Api, stranger: httpx2.Client, theirs: Json) -> None:
    stranger.delete(f"/v1/responses/{theirs['id']}")
    with api.http() as http:
        assert http.get(f"/v1/responses/{theirs['id']}").json() == theirs


def test_an_identity_of_the_same_name_is_another_projects_own(api: Api, stranger: httpx2.Client, theirs: Json) -> None:
    mine = create(stranger, model="demo/echo", input="x", identity={"id": "them", "display_name": "Another"})
    listed = stranger.get("/v1/responses", params={"identity": "them"}).json()["data"]
    assert [response["id"] for response in listed] == [mine["id"]]
    assert theirs["identity"] == {"id": "them"}

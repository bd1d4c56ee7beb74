"""Lists with cursors: what was put in front of the model, and the project's responses."""

from typing import Any

import httpx2
import pytest
from openai import OpenAI

from shared.items import Json, text_of
from tests.system.reading import create
from tests.system.running import Api, System


@pytest.fixture(scope="module")
def turns(shared_system: System, api: Api, worker: object) -> list[Json]:
    """A chain of four responses."""
    made: list[Json] = []
    with api.http() as http:
        for number in range(4):
            parent = made[-1]["id"] if made else None
            made.append(create(http, model="demo/echo", input=f"turn {number}", previous_response_id=parent))
    return made


def test_the_sdk_pages_through_all_input_items(client: OpenAI, turns: list[Json]) -> None:
    listed = [item.to_dict() for item in client.responses.input_items.list(turns[-1]["id"], limit=2)]
    texts = [text_of(item) for item in listed]
    assert texts == ["turn 3", "turn 2", "turn 2", "turn 1", "turn 1", "turn 0", "turn 0"]
    assert len({item["id"] for item in listed}) == 7


def test_input_items_come_in_the_order_that_is_asked_for(http: httpx2.Client, turns: list[Json]) -> None:
    path = f"/v1/responses/{turns[-1]['id']}/input_items"
    newest = http.get(path).json()
    oldest = http.get(path, params={"order": "asc"}).json()
    assert oldest["data"] == newest["data"][::-1]
    assert (newest["first_id"], newest["last_id"]) == (newest["data"][0]["id"], newest["data"][-1]["id"])
    assert newest["has_more"] is False


def test_a_string_input_is_listed_as_a_users_message(http: httpx2.Client, turns: list[Json]) -> None:
    (item,) = http.get(f"/v1/responses/{turns[0]['id']}/input_items").json()["data"]
    assert item["id"].startswith("msg_")
    assert {**item, "id": ""} == {
        "id": "",
        "type": "message",
        "role": "user",
        "status": "completed",
        "content": [{"type": "input_text", "text": "turn 0"}],
    }


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/responses/{id}/input_items"])
@pytest.mark.parametrize(
    ("params", "param", "code"),
    [
        ({"limit": "0"}, "limit", "integer_below_min_value"),
        ({"limit": "101"}, "limit", "integer_above_max_value"),
        ({"limit": "many"}, "limit", "invalid_type"),
        ({"order": "up"}, "order", "invalid_value"),
        ({"after": "msg_unknown"}, "after", "invalid_value"),
    ],
)
def test_a_wrong_page_is_refused(
    http: httpx2.Client, turns: list[Json], path: str, params: dict[str, str], param: str, code: str
) -> None:
    answer = http.get(path.format(id=turns[0]["id"]), params=params)
    error = answer.json()["error"]
    assert (answer.status_code, error["param"], error["code"]) == (400, param, code)


@pytest.mark.parametrize("spelling", ["include[]", "include", "include[0]"])
def test_includes_are_understood_in_every_spelling(http: httpx2.Client, turns: list[Json], spelling: str) -> None:
    path = f"/v1/responses/{turns[0]['id']}"
    assert http.get(path, params={spelling: "message.output_text.logprobs"}).status_code == 200
    assert http.get(path, params={spelling: "nonsense"}).status_code == 400


def ids_of(answer: httpx2.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [response["id"] for response in answer.json()["data"]]


def test_the_projects_responses_are_listed_newest_first_and_whole(http: httpx2.Client) -> None:
    made = [create(http, model="demo/echo", input=text) for text in ("a", "b", "c")]
    listed = http.get("/v1/responses", params={"limit": 3}).json()
    assert listed["data"] == made[::-1]
    assert listed["has_more"] is True


def test_responses_can_be_paged_through_in_both_directions(http: httpx2.Client) -> None:
    made = [create(http, model="demo/echo", input="x", thread={"id": "paged"})["id"] for _ in range(5)]
    first = http.get("/v1/responses", params={"thread": "paged", "limit": 2}).json()
    second = http.get("/v1/responses", params={"thread": "paged", "limit": 2, "after": first["last_id"]})
    assert ids_of(second) == [made[2], made[1]]
    back = http.get("/v1/responses", params={"thread": "paged", "limit": 2, "before": made[0]})
    assert ids_of(back) == [made[2], made[1]]
    upwards = http.get("/v1/responses", params={"thread": "paged", "order": "asc", "after": made[1]})
    assert ids_of(upwards) == made[2:]


def test_a_list_misses_no_response_of_the_same_second(http: httpx2.Client) -> None:
    made = {create(http, model="demo/echo", input="x", thread={"id": "burst"})["id"] for _ in range(7)}
    seen: list[str] = []
    after: dict[str, str] = {}
    while page := ids_of(http.get("/v1/responses", params={"thread": "burst", "limit": 2, **after})):
        seen += page
        after = {"after": page[-1]}
    assert (len(seen), set(seen)) == (7, made)


@pytest.fixture(scope="module")
def marked(shared_system: System, api: Api, worker: object) -> dict[str, str]:
    """Responses that differ in what a list can be filtered by."""
    kinds: dict[str, dict[str, Any]] = {
        "plain": {"model": "demo/echo"},
        "labelled": {"model": "demo/echo", "metadata": {"team": "blue", "env": "test"}},
        "of-ada": {"model": "demo/echo", "identity": {"id": "filter-ada"}},
        "threaded": {"model": "demo/echo", "orq": {"thread": {"id": "filter-thread"}}},
        "cut": {"model": "demo/load", "input": "tokens=50", "max_output_tokens": 16},
    }
    with api.http() as http:
        return {name: create(http, **{"input": "x", **kind})["id"] for name, kind in kinds.items()}


@pytest.mark.parametrize(
    ("params", "names"),
    [
        ({"metadata[team]": "blue"}, ["labelled"]),
        ({"metadata[team]": "blue", "metadata[env]": "live"}, []),
        ({"identity": "filter-ada"}, ["of-ada"]),
        ({"thread": "filter-thread"}, ["threaded"]),
        ({"status": "incomplete"}, ["cut"]),
        ({"model": "demo/load"}, ["cut"]),
        ({"identity": "filter-ada", "status": "failed"}, []),
        ({"agent": "nobody"}, []),
    ],
    ids=str,
)
def test_responses_are_filtered(http: httpx2.Client, marked: dict[str, str], params: dict[str, str], names: list[str]) -> None:
    found = set(ids_of(http.get("/v1/responses", params={"limit": 100, **params})))
    assert found & set(marked.values()) == {marked[name] for name in names}


def test_several_statuses_can_be_asked_for(http: httpx2.Client, marked: dict[str, str]) -> None:
    found = ids_of(http.get("/v1/responses", params=[("status[]", "incomplete"), ("status[]", "completed"), ("limit", "100")]))
    assert set(marked.values()) <= set(found)


def test_an_unknown_status_is_refused(http: httpx2.Client) -> None:
    answer = http.get("/v1/responses", params={"status": "done"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "status")


def test_identities_and_threads_are_kept_up_to_date(http: httpx2.Client, system: System) -> None:
    create(http, model="demo/echo", input="x", identity={"id": "kept", "display_name": "A", "email": "a@example.com"})
    create(http, model="demo/echo", input="x", identity={"id": "kept", "display_name": "B"}, thread={"id": "t", "tags": ["x"]})
    kept = system.rows("SELECT display_name, email FROM identities WHERE id = 'kept'")
    assert kept == [("B", "a@example.com")]
    assert system.rows("SELECT tags FROM threads WHERE id = 't'") == [(["x"],)]


def test_an_unstored_response_is_not_listed(http: httpx2.Client) -> None:
    made = create(http, model="demo/echo", input="x", store=False, thread={"id": "unstored"})
    assert made["store"] is False
    assert ids_of(http.get("/v1/responses", params={"thread": "unstored"})) == []

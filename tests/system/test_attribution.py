"""Whom responses are attributed to, the threads they stand in, and what reports say of both."""

from typing import Any
from uuid import uuid4

import httpx2
import pytest

from shared.items import Json, text_of
from tests.system.reading import create

pytestmark = pytest.mark.usefixtures("system")


def name(prefix: str) -> str:
    return f"{prefix}-{uuid4().hex[:10]}"


def report(http: httpx2.Client, **asked: Any) -> list[Json]:
    answer = http.post("/v2/reporting", json=asked)
    assert answer.status_code == 200, answer.text
    data: list[Json] = answer.json()["data"]
    return data


def test_an_identity_is_made_read_changed_and_deleted(http: httpx2.Client) -> None:
    who = name("user")
    made = http.post("/v2/identities", json={"external_id": who, "display_name": "Jane", "tags": ["vip"]})
    assert (made.status_code, made.json()["display_name"], made.json()["tags"]) == (201, "Jane", ["vip"])
    changed = http.patch(f"/v2/identities/{who}", json={"email": "jane@example.com"}).json()
    assert (changed["display_name"], changed["email"]) == ("Jane", "jane@example.com")
    assert http.delete(f"/v2/identities/{who}").status_code == 204
    gone = http.get(f"/v2/identities/{who}")
    assert (gone.status_code, gone.json()["error"]["param"]) == (404, "identity_id")


def test_what_is_read_of_an_identity_can_be_written_back(http: httpx2.Client) -> None:
    who = name("user")
    http.post("/v2/identities", json={"external_id": who, "metadata": {"plan": "pro"}, "avatar_url": "https://a.example/x.png"})
    read = http.get(f"/v2/identities/{who}").json()
    back = http.patch(f"/v2/identities/{who}", json=read)
    assert back.status_code == 200, back.text
    assert {**back.json(), "updated": ""} == {**read, "updated": ""}


def test_a_taken_id_is_a_conflict(http: httpx2.Client) -> None:
    who = name("user")
    assert http.post("/v2/identities", json={"external_id": who}).status_code == 201
    assert http.post("/v2/identities", json={"external_id": who}).status_code == 409


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "external_id"),
        ({"external_id": 3}, "external_id"),
        ({"external_id": "x", "tags": "vip"}, "tags"),
        ({"external_id": "x", "nme": "x"}, "nme"),
    ],
)
def test_a_faulty_identity_is_refused(http: httpx2.Client, body: Json, param: str) -> None:
    answer = http.post("/v2/identities", json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_identities_are_found_by_words_and_tags(http: httpx2.Client) -> None:
    word, tag = name("word"), name("tag")
    first, second = name("a"), name("b")
    http.post("/v2/identities", json={"external_id": first, "display_name": f"Jane {word}", "tags": [tag, "x"]})
    http.post("/v2/identities", json={"external_id": second, "email": f"{word}@example.com"})
    found = http.get("/v2/identities", params={"search": word.upper()}).json()["data"]
    assert [one["id"] for one in found] == [second, first]
    assert [one["id"] for one in http.get("/v2/identities", params={"tags": tag}).json()["data"]] == [first]
    assert http.get("/v2/identities", params={"search": f"{word}%"}).json()["data"] == []


def test_an_identity_knows_what_it_used(http: httpx2.Client) -> None:
    who = name("user")
    create(http, model="demo/echo", input="one two three", identity={"id": who})
    http.post("/v1/responses", json={"model": "demo/load", "input": "fail=400", "identity": {"id": who}})
    metrics = http.get(f"/v2/identities/{who}").json()["metrics"]
    assert (metrics["total_requests"], metrics["error_rate"]) == (2, 0.5)
    assert metrics["total_tokens"] > 0


def test_the_body_names_the_identity_before_the_header_does(http: httpx2.Client) -> None:
    who, other = name("body"), name("header")
    headers = {"X-ORQ-IDENTITY-ID": other}
    body = {"model": "demo/echo", "input": "hi"}
    named = http.post("/v1/responses", json={**body, "identity": {"id": who}}, headers=headers).json()
    unnamed = http.post("/v1/responses", json=body, headers=headers).json()
    assert (named["identity"]["id"], unnamed["identity"]["id"]) == (who, other)
    assert [one["id"] for one in http.get("/v1/responses", params={"identity": other}).json()["data"]] == [unnamed["id"]]


def test_a_thread_reads_as_a_conversation_with_its_totals(http: httpx2.Client) -> None:
    label, who = name("thread"), name("user")
    for text in ("first words", "second words"):
        create(http, model="demo/echo", input=text, thread={"id": label, "tags": ["support"]}, identity={"id": who})
    thread = http.get(f"/v2/threads/{label}").json()
    turns = thread["responses"]["data"]
    assert [text_of(turn["input"][0]) for turn in turns] == ["first words", "second words"]
    assert "second words" in text_of(turns[1]["output"][-1])
    assert (thread["responses_count"], thread["tags"], thread["identities"]) == (2, ["support"], [who])
    assert thread["total_tokens"] == sum(turn["usage"]["total_tokens"] for turn in turns)
    assert thread["duration"] > 0


def test_threads_are_listed_with_their_totals_and_filters(http: httpx2.Client) -> None:
    label, who = name("thread"), name("user")
    create(http, model="demo/echo", input="hi", thread={"id": label}, identity={"id": who})
    (listed,) = http.get("/v2/threads", params={"identity": who}).json()["data"]
    assert (listed["id"], listed["responses_count"]) == (label, 1)
    assert http.get("/v2/threads/none-such").status_code == 404


def test_a_report_groups_by_identity_and_counts_failures(http: httpx2.Client) -> None:
    who = name("user")
    create(http, model="demo/echo", input="one two three", identity={"id": who})
    http.post("/v1/responses", json={"model": "demo/load", "input": "fail=400", "identity": {"id": who}})
    only = [{"field": "identity", "values": [who]}]
    (row,) = report(http, group_by=["identity", "day"], filters=only)
    assert row["dimensions"]["identity"] == who
    assert (row["metrics"]["requests"], row["metrics"]["errors"], row["metrics"]["error_rate"]) == (2, 1, 0.5)
    assert row["metrics"]["tokens"] > 0
    assert 0 < row["metrics"]["latency.p50"] <= row["metrics"]["latency.p99"]


def test_a_report_by_model_tells_the_models_apart(http: httpx2.Client) -> None:
    who = name("user")
    create(http, model="demo/echo", input="one", identity={"id": who})
    create(http, model="demo/load", input="tokens=3", identity={"id": who})
    rows = report(http, group_by=["model"], filters=[{"field": "identity", "values": [who]}], metrics=["requests", "tokens"])
    assert {row["dimensions"]["model"]: row["metrics"]["requests"] for row in rows} == {"demo/echo": 1, "demo/load": 1}


def test_a_report_by_tool_counts_calls(http: httpx2.Client) -> None:
    who = name("user")
    tools = [{"type": "orq:current_date"}]
    create(http, model="demo/assistant", input="What is the date?", tools=tools, identity={"id": who})
    (row,) = report(http, group_by=["tool"], filters=[{"field": "identity", "values": [who]}])
    assert row["dimensions"] == {"tool": "orq_current_date"}
    assert (row["metrics"]["requests"], row["metrics"]["errors"]) == (1, 0)


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"group_by": ["colour"]}, "group_by[0]"),
        ({"group_by": ["model", "tool"]}, "group_by"),
        ({"metrics": ["cost"], "group_by": ["tool"]}, "metrics"),
        ({"from": "yesterday"}, "from"),
        ({"filters": [{"field": "identity"}]}, "filters[0].values"),
        ({"limit": 0}, "limit"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_faulty_report_is_refused(http: httpx2.Client, asked: Json, param: str) -> None:
    answer = http.post("/v2/reporting", json=asked)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)

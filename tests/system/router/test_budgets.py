"""Budgets over HTTP, and what callers see of them."""

from collections.abc import Iterator

import httpx2
import openai
import pytest
from openai import OpenAI

from shared.items import Json
from tests.system.router.upstream import Upstream
from tests.system.running import Api, System, eventually

MESSAGES: list[Json] = [{"role": "user", "content": "one two"}]


@pytest.fixture
def key(router_system: System, request: pytest.FixtureRequest) -> str:
    """A key of a project that no other test uses."""
    return router_system.new_key(request.node.name)


@pytest.fixture
def owner(router_api: Api, key: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=router_api.url, headers={"authorization": f"Bearer {key}"}, timeout=30) as client:
        yield client


def chat(api: Api, key: str, **more: object) -> str:
    with OpenAI(api_key=key, base_url=f"{api.url}/v3/router", max_retries=0) as client:
        answer = client.chat.completions.with_raw_response.create(
            model="third/says",
            messages=MESSAGES,  # type: ignore[arg-type]
            extra_body=more or None,
        )
        return answer.headers.get("x-ratelimit-remaining-requests", "")


def test_requests_over_a_budget_are_refused_as_openai_refuses_them(router_api: Api, owner: httpx2.Client, key: str) -> None:
    made = owner.post("/v2/budgets", json={"scope": {"type": "project"}, "rate_limit": {"requests_per_minute": 2}})
    assert made.status_code == 201
    assert [chat(router_api, key), chat(router_api, key)] == ["1", "0"]
    with pytest.raises(openai.RateLimitError) as caught:
        chat(router_api, key)
    assert caught.value.code == "rate_limit_exceeded"
    assert int(caught.value.response.headers["retry-after"]) <= 60
    refused = owner.post("/v1/responses", json={"model": "demo/echo", "input": "Hi"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limit_exceeded")
    owner.patch(f"/v2/budgets/{made.json()['id']}", json={"rate_limit": {"requests_per_minute": None}}).raise_for_status()
    assert chat(router_api, key) == ""


def test_two_api_processes_count_together(router_system: System, router_api: Api, owner: httpx2.Client, key: str) -> None:
    owner.post("/v2/budgets", json={"scope": {"type": "project"}, "rate_limit": {"requests_per_minute": 2}}).raise_for_status()
    second = router_system.api()
    try:
        assert [chat(router_api, key), chat(second, key)] == ["1", "0"]
        with pytest.raises(openai.RateLimitError):
            chat(second, key)
    finally:
        second.terminate()
        router_system.processes.remove(second)


def test_tokens_are_counted_once_they_are_used(router_api: Api, owner: httpx2.Client, key: str) -> None:
    budget = {"scope": {"type": "identity"}, "rate_limit": {"tokens_per_minute": 12}}
    owner.post("/v2/budgets", json=budget).raise_for_status()
    chat(router_api, key, identity={"id": "ada"})
    with pytest.raises(openai.RateLimitError) as caught:
        eventually(lambda: chat(router_api, key, identity={"id": "ada"}) is None)
    assert caught.value.type == "tokens"
    chat(router_api, key, identity={"id": "bob"})


def test_calls_at_the_same_time_are_bounded_and_their_slots_come_back(
    router_api: Api, owner: httpx2.Client, key: str, upstream: Upstream
) -> None:
    owner.post("/v2/budgets", json={"scope": {"type": "api_key"}, "rate_limit": {"concurrency": 1}}).raise_for_status()
    body = {"model": "third/endless", "messages": MESSAGES, "stream": True}
    with owner.stream("POST", "/v3/router/chat/completions", json=body) as stream:
        pieces = stream.iter_bytes()  # dropped, it would close the stream
        next(pieces)
        with pytest.raises(openai.RateLimitError, match="calls at the same time"):
            chat(router_api, key)
    assert eventually(lambda: owner.post("/v3/router/chat/completions", json={**body, "model": "third/says"}).is_success)


def test_a_budget_of_dollars_ends_with_what_was_spent(
    router_system: System, router_api: Api, owner: httpx2.Client, key: str
) -> None:
    made = owner.post("/v2/budgets", json={"scope": {"type": "project"}, "limits": {"amount": 1.5, "period": "day"}}).json()
    ((project_id,),) = router_system.rows("SELECT project_id FROM budgets WHERE id = %s", made["id"])
    router_system.rows(
        """INSERT INTO router_calls (id, project_id, endpoint, model, status, http_status, stream, attempts, cost, started_at,
                                     finished_at)
           VALUES (%s, %s, 'embeddings', 'm', 'completed', 200, false, '[]', 2, now(), now()) RETURNING id""",
        f"rc_{made['id']}",
        project_id,
    )
    with pytest.raises(openai.RateLimitError) as caught:
        chat(router_api, key)
    assert caught.value.code == "insufficient_quota"
    assert owner.get(f"/v2/budgets/{made['id']}").json()["usage"]["amount"] == 2


def test_what_is_read_can_be_written_and_a_scope_has_one_budget(owner: httpx2.Client) -> None:
    body = {"scope": {"type": "identity", "id": "ada"}, "limits": {"amount": 5, "period": "month"}}
    made = owner.post("/v2/budgets", json=body).json()
    again = owner.patch(f"/v2/budgets/{made['id']}", json=owner.get(f"/v2/budgets/{made['id']}").json()).json()
    assert {**again, "updated_at": 0} == {**made, "updated_at": 0}
    assert owner.post("/v2/budgets", json=body).status_code == 409
    assert [one["id"] for one in owner.get("/v2/budgets").json()["data"]] == [made["id"]]
    assert owner.delete(f"/v2/budgets/{made['id']}").json()["deleted"] is True
    assert owner.get(f"/v2/budgets/{made['id']}").status_code == 404


def test_an_identity_cannot_lift_its_own_budget(router_system: System, owner: httpx2.Client, key: str) -> None:
    ((key_id,),) = router_system.rows("SELECT k.id FROM api_keys k ORDER BY created_at DESC LIMIT 1")
    router_system.rows("UPDATE api_keys SET identity_id = 'ada' WHERE id = %s RETURNING id", key_id)
    refused = owner.post("/v2/budgets", json={"scope": {"type": "project"}})
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "forbidden")

"""The same policy on durable responses: who was asked, how often, and what was remembered."""

import httpx2
import pytest

from shared.items import Json
from tests.system.router.upstream import Upstream
from tests.system.running import KEY, Api, System, eventually


def made(api: Api, model: str, **more: object) -> Json:
    with httpx2.Client(base_url=api.url, headers={"authorization": f"Bearer {KEY}"}, timeout=30) as client:
        body: Json = client.post("/v1/responses", json={"model": model, "input": "one two", **more}).json()
    return body


def models(system: System, response_id: str) -> list[tuple[object, ...]]:
    return system.rows("SELECT model, outcome FROM steps WHERE response_id = %s ORDER BY epoch", response_id)


def test_a_response_falls_back_as_its_request_says(router_api: Api, router_system: System) -> None:
    fallbacks = [{"model": "third/says"}]
    response = made(router_api, "retried/status-503", retry={"count": 1}, fallbacks=fallbacks)
    assert response["status"] == "completed"
    asked = models(router_system, response["id"])
    assert asked == [("retried/status-503", "retry"), ("retried/status-503", "fallback"), ("third/says", "completed")]


def test_a_status_that_is_not_listed_ends_a_response(router_api: Api, upstream: Upstream) -> None:
    before = upstream.asked["status-502"]
    response = made(router_api, "unlisted/status-502", retry={"count": 4, "on_codes": [429]})
    assert response["error"]["code"] == "provider_unavailable"
    assert upstream.asked["status-502"] - before == 1


def test_a_model_call_that_does_not_begin_in_time_is_given_up(router_api: Api, router_system: System) -> None:
    more = {"timeout": {"call_timeout": 200}, "retry": {"count": 1}, "fallbacks": [{"model": "third/says"}]}
    response = made(router_api, "tardy/slow-20", **more)
    assert [outcome for _, outcome in models(router_system, response["id"])] == ["retry", "fallback", "completed"]


def test_the_balancer_chooses_a_responses_model(router_api: Api, router_system: System) -> None:
    balanced = {"type": "weight_based", "models": [{"model": "third/drawn", "weight": 1}]}
    response = made(router_api, "third/says", load_balancer=balanced)
    assert models(router_system, response["id"]) == [("third/drawn", "completed")]


def test_a_turn_that_was_taken_before_is_taken_from_memory(router_api: Api, upstream: Upstream) -> None:
    cache = {"type": "exact_match", "ttl": 60}
    first, second = (made(router_api, "third/remembered", cache=cache) for _ in range(2))
    assert first["output"][0]["content"] == second["output"][0]["content"]
    assert upstream.asked["remembered"] == 1
    assert (first["usage"]["total_tokens"], second["usage"]["total_tokens"]) == (12, 0)


@pytest.mark.parametrize(
    ("named", "param"),
    [
        ({"fallbacks": [{"model": "third/says"}, {"model": "nobody/nothing"}]}, "fallbacks[1].model"),
        (
            {
                "load_balancer": {
                    "type": "weight_based",
                    "models": [{"model": "third/says", "weight": 1_000_000}, {"model": "nobody/nothing", "weight": 0.001}],
                }
            },
            "load_balancer.models[1].model",
        ),
    ],
)
@pytest.mark.parametrize("path", ["/v1/responses", "/v3/router/chat/completions"])
def test_a_model_that_is_not_there_is_refused_wherever_it_is_named(router_api: Api, path: str, named: Json, param: str) -> None:
    with router_api.http() as client:
        asked = {"input": "a"} if path == "/v1/responses" else {"messages": [{"role": "user", "content": "a"}]}
        error = client.post(path, json={"model": "third/says", **asked, **named}).json()["error"]
    assert (error["code"], error["type"], error["param"]) == ("model_not_found", "invalid_request_error", param)


def test_what_a_request_says_of_its_models_replaces_what_its_agent_says(router_api: Api, router_system: System) -> None:
    model = {"id": "retried/status-503", "retry": {"count": 5}}
    with router_api.http() as client:
        agent = {"key": "routed", "model": model, "fallback_models": ["third/own"], "instructions": "Answer."}
        client.post("/v2/agents", json=agent).raise_for_status()
    own = made(router_api, "agent/routed", retry={"count": 1, "on_codes": [429]})
    other = made(router_api, "agent/routed", retry={"count": 1, "on_codes": [429]}, fallbacks=[{"model": "third/says"}])
    assert models(router_system, own["id"]) == [("retried/status-503", "fallback"), ("third/own", "completed")]
    assert models(router_system, other["id"]) == [("retried/status-503", "fallback"), ("third/says", "completed")]


def test_a_policy_is_not_part_of_the_response(router_api: Api) -> None:
    plain = made(router_api, "third/says")
    said = made(
        router_api, "third/says", retry={"count": 1}, fallbacks=[{"model": "third/other"}], cache={"type": "exact_match"}
    )
    assert plain.keys() == said.keys()
    assert said["model"] == "third/says"


def test_an_agents_run_is_told_in_the_shape_of_a_chat(router_api: Api, router_system: System) -> None:
    with httpx2.Client(base_url=router_api.url, headers={"authorization": f"Bearer {KEY}"}, timeout=30) as client:
        tools = [{"type": "current_date"}]
        agent = {"key": "clock", "model": "demo/assistant", "instructions": "Tell the date.", "settings": {"tools": tools}}
        client.post("/v2/agents", json=agent).raise_for_status()
        body = {
            "model": "agent/clock",
            "messages": [{"role": "user", "content": "What is the date?"}],
            "thread": {"id": "t-chat"},
        }
        whole = client.post("/v3/router/chat/completions", json=body)
        streamed = client.post("/v3/router/chat/completions", json={**body, "stream": True})
    message = whole.json()["choices"][0]["message"]
    assert message["content"]
    assert "tool_calls" not in message
    assert whole.headers["x-rondo-response-id"].startswith("resp_")
    assert streamed.content.endswith(b"data: [DONE]\n\n")
    assert b'"finish_reason":"stop"' in streamed.content
    count = "SELECT count(*) FROM responses WHERE thread_id = 't-chat' AND agent = 'clock'"
    assert eventually(lambda: router_system.rows(count) == [(2,)])


def test_a_key_of_one_chat_with_an_agent_is_not_taken_for_another(router_api: Api) -> None:
    headers = {"authorization": f"Bearer {KEY}", "idempotency-key": "chat-1"}
    with httpx2.Client(base_url=router_api.url, headers=headers, timeout=30) as client:
        client.post("/v2/agents", json={"key": "parrot", "model": "demo/echo", "instructions": "Repeat."}).raise_for_status()
        body = {"model": "agent/parrot", "messages": [{"role": "user", "content": "one"}]}
        first, again = (client.post("/v3/router/chat/completions", json=body).json() for _ in range(2))
        other = client.post("/v3/router/chat/completions", json={**body, "messages": [{"role": "user", "content": "two"}]})
    assert first["id"] == again["id"]
    assert (other.status_code, other.json()["error"]["code"]) == (400, "idempotency_key_reused")

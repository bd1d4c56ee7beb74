"""Who is asked, how often, and what the client sees of it: told by what the providers saw."""

from typing import Any

import httpx2
import openai
import pytest
from openai import OpenAI

from tests.system.router.upstream import Upstream, pieces
from tests.system.running import System, eventually

TEXT = "one two three"
STREAM = b"".join(pieces(TEXT))
LAST = b'"finish_reason":"stop"}]}'
ENDS = [*(STREAM.index(b"\n\n") + at for at in (-30, -1, 1, 2)), len(STREAM) // 2, len(STREAM) - 20, len(STREAM) - 3]
"""Where a stream is cut off: around the end of its first event, in the middle, and in its last mark."""


def chat(client: OpenAI, model: str, *, stream: bool = False, **more: Any) -> Any:
    return client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": TEXT}], stream=stream, extra_body=more or None
    )


def record(system: System, call_id: str) -> dict[str, Any]:
    """Read a call's record once it is written."""
    columns = ("status", "answered_by", "attempts", "usage", "http_status", "error", "cost")
    statement = f"SELECT {', '.join(columns)} FROM router_calls WHERE id = %s"
    (row,) = eventually(lambda: system.rows(statement, call_id))
    return dict(zip(columns, row, strict=True))


def test_a_client_sees_one_clean_answer_though_the_first_is_down_and_the_second_limited(
    sdk: OpenAI, router_system: System
) -> None:
    fallbacks = [{"model": "second/status-429"}, {"model": "third/says"}]
    raw = sdk.chat.completions.with_raw_response.create(
        model="first/down", messages=[{"role": "user", "content": TEXT}], extra_body={"fallbacks": fallbacks}
    )
    assert raw.parse().choices[0].message.content == f"heard {TEXT}"
    assert raw.headers["x-rondo-model"] == "third/says"
    assert raw.headers["x-rondo-attempts"] == "3"
    kept = record(router_system, raw.headers["x-rondo-call-id"])
    told = [(one["model"], one["status"], one["code"]) for one in kept["attempts"]]
    assert told[0][:2] == ("first/down", None)
    assert told[0][2] in {"provider_unavailable", "provider_protocol"}, "a reset, or an end before the answer: what came first"
    assert told[1:] == [("second/status-429", 429, "rate_limit_exceeded"), ("third/says", 200, None)]
    assert (kept["status"], kept["answered_by"], kept["usage"]["total_tokens"]) == ("completed", "third/says", 12)


def test_a_stream_falls_back_as_long_as_nothing_was_sent(sdk: OpenAI) -> None:
    fallbacks = [{"model": "cut/cut-10"}, {"model": "nonsense/malformed-first"}, {"model": "third/says"}]
    chunks = list(chat(sdk, "first/down", stream=True, fallbacks=fallbacks))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == f"{TEXT} "


def test_a_model_is_asked_once_and_again_as_often_as_is_said(sdk: OpenAI, upstream: Upstream) -> None:
    before = upstream.asked["status-503"]
    with pytest.raises(openai.InternalServerError):
        chat(sdk, "retried/status-503", retry={"count": 2})
    assert upstream.asked["status-503"] - before == 3


def test_a_status_that_is_not_listed_is_not_worth_another_attempt(sdk: OpenAI, upstream: Upstream) -> None:
    before = upstream.asked["status-500"]
    with pytest.raises(openai.InternalServerError):
        chat(sdk, "unlisted/status-500", retry={"count": 3, "on_codes": [429]})
    assert upstream.asked["status-500"] - before == 1


def test_a_request_that_no_model_could_answer_is_sent_to_one_only(sdk: OpenAI, upstream: Upstream) -> None:
    before = upstream.asked["says"]
    with pytest.raises(openai.BadRequestError, match="Told 400"):
        chat(sdk, "picky/status-400", fallbacks=[{"model": "third/says"}])
    assert upstream.asked["says"] == before


def test_a_provider_that_is_too_slow_is_left_for_another(sdk: OpenAI) -> None:
    answer = chat(sdk, "tardy/slow-20", timeout={"call_timeout": 200}, fallbacks=[{"model": "third/says"}])
    assert answer.choices[0].message.content == f"heard {TEXT}"


def test_the_wait_that_a_provider_asks_for_is_passed_on(sdk: OpenAI) -> None:
    with pytest.raises(openai.RateLimitError) as caught:
        chat(sdk, "limited/status-429")
    assert caught.value.response.headers["retry-after"] == "1"


@pytest.mark.parametrize("place", ENDS)
def test_a_stream_that_is_cut_off_is_never_taken_for_a_whole_one(plain: httpx2.Client, place: int) -> None:
    body = {"model": f"cut{ENDS.index(place)}/cut-{place}", "messages": [{"role": "user", "content": TEXT}], "stream": True}
    answer = plain.post("/chat/completions", json=body)
    if b"[DONE]" in answer.content:
        assert place >= STREAM.index(LAST) + len(LAST)
    elif answer.status_code == 200:
        assert place >= STREAM.index(b"\n\n")
        assert answer.content.endswith(b"\n\n")
        assert b'data: {"error":' in answer.content
    else:
        assert answer.json()["error"]["code"] == "provider_protocol"


def test_a_stream_that_becomes_nonsense_ends_with_an_error(sdk: OpenAI, router_system: System) -> None:
    with pytest.raises(openai.APIError, match="not JSON"):
        list(chat(sdk, "nonsense/malformed-later", stream=True))


def test_keys_of_a_provider_are_used_in_turn(sdk: OpenAI, upstream: Upstream) -> None:
    before = len(upstream.keys)
    for _ in range(4):
        chat(sdk, "keyed/says")
    assert set(upstream.keys[before:]) == {"bearer key-a", "bearer key-b"}


def test_the_balancer_spreads_calls_by_weight(sdk: OpenAI, upstream: Upstream) -> None:
    models = [{"model": "third/light", "weight": 1}, {"model": "third/heavy", "weight": 3}]
    for _ in range(40):
        chat(sdk, "third/light", load_balancer={"type": "weight_based", "models": models})
    assert upstream.asked["heavy"] > upstream.asked["light"] > 0

"""What OpenAI and the servers that resemble it say when they fail, in our codes."""

import orjson
import pytest

from agents.models.openai_errors import error, explain
from shared.items import Json


@pytest.mark.parametrize(
    ("status", "told", "code"),
    [
        (429, {"code": "insufficient_quota", "type": "insufficient_quota"}, "insufficient_quota"),
        (429, {"code": None, "type": "insufficient_quota"}, "insufficient_quota"),
        (402, {"message": "Insufficient Balance", "code": "invalid_request_error"}, "insufficient_quota"),
        (429, {"code": "rate_limit_exceeded", "type": "tokens"}, "rate_limit_exceeded"),
        (429, {}, "rate_limit_exceeded"),
        (401, {"code": "invalid_api_key"}, "provider_authentication"),
        (400, {"code": "invalid_api_key", "type": "invalid_request_error"}, "provider_authentication"),
        (403, {"code": "unsupported_country_region_territory"}, "provider_authentication"),
        (404, {"code": "model_not_found", "type": "invalid_request_error"}, "model_not_found"),
        (400, {"code": "model_not_found"}, "model_not_found"),
        (400, {"code": "context_length_exceeded"}, "context_length_exceeded"),
        (400, {"message": "This model's maximum context length is 8192 tokens."}, "context_length_exceeded"),
        (400, {"message": "the request exceeds the available context size"}, "context_length_exceeded"),
        (413, {"message": "Prompt is too long"}, "context_length_exceeded"),
        (400, {"code": "invalid_value", "type": "invalid_request_error"}, "invalid_prompt"),
        (422, {"message": "Extra inputs are not permitted"}, "invalid_prompt"),
        (500, {"type": "server_error"}, "provider_unavailable"),
        (503, {"code": "slow_down"}, "provider_unavailable"),
        (529, {}, "provider_unavailable"),
        (500, {"message": "context size"}, "provider_unavailable"),
    ],
)
def test_an_answers_error_has_a_code(status: int, told: Json, code: str) -> None:
    found = explain(status, orjson.dumps({"error": told}))
    assert (found.code, found.provider_status) == (code, status)


@pytest.mark.parametrize(
    ("told", "code"),
    [
        ({"code": "server_error", "message": "Oops."}, "provider_unavailable"),
        ({"code": "rate_limit_exceeded"}, "rate_limit_exceeded"),
        ({"code": "invalid_prompt"}, "invalid_prompt"),
        ({"code": 502, "message": "Upstream error"}, "provider_unavailable"),
        ({"code": 429}, "rate_limit_exceeded"),
        ({"code": "something_new"}, "provider_unavailable"),
        (None, "provider_unavailable"),
    ],
)
def test_an_error_within_a_stream_has_a_code(told: Json | None, code: str) -> None:
    assert error({"error": told}).code == code


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"error": {"message": "No."}}', "No."),
        (b'{"error": "model not loaded"}', "model not loaded"),
        (b'{"object": "error", "message": "No.", "type": "BadRequestError"}', "No."),
        (b'{"detail": "No."}', "No."),
        (b"<html>Bad gateway</html>", "The provider gave no reason."),
    ],
)
def test_the_providers_sentence_is_found_wherever_it_stands(body: bytes, message: str) -> None:
    assert explain(400, body).message == message


def test_a_refused_key_is_not_repeated() -> None:
    found = explain(401, b'{"error": {"message": "Incorrect API key provided: sk-123", "code": "invalid_api_key"}}')
    assert found.message == "The provider does not accept the key that it is configured with."


@pytest.mark.parametrize(("wait", "seconds"), [("6.57s", 6.57), ("120ms", 0.12), ("20 s", 20), ("a while", None)])
def test_the_wait_is_read_out_of_the_sentence(wait: str, seconds: float | None) -> None:
    assert error({"error": {"message": f"Please try again in {wait}."}}).retry_after == seconds

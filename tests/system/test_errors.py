"""Errors as clients see them: the status, the envelope, and a request id on every answer."""

from typing import Any

import httpx2
import openai
import pytest
from openai import OpenAI

from shared.items import Json
from tests.system.reading import refused
from tests.system.running import Api

ECHO = {"model": "demo/echo", "input": "x"}
FUNCTION = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}}

ROWS: list[tuple[Json, str | None, str | None, str]] = [
    ({"input": "x"}, "missing_required_parameter", "model", "Missing required parameter: 'model'."),
    ({**ECHO, "model": "nobody/x"}, "model_not_found", "model", "The requested model 'nobody/x' does not exist"),
    ({**ECHO, "model": "gpt"}, "model_not_found", "model", "The requested model 'gpt' does not exist"),
    ({**ECHO, "foo": 1}, "unknown_parameter", "foo", "Unknown parameter: 'foo'."),
    ({**ECHO, "tempratur": 1}, "unknown_parameter", "tempratur", "Did you mean 'temperature'?"),
    ({**ECHO, "stream": "yes"}, "invalid_type", "stream", "expected a boolean, but got a string instead."),
    ({**ECHO, "truncation": "some"}, "invalid_value", "truncation", "Invalid value: 'some'. Supported values are:"),
    (
        {**ECHO, "max_output_tokens": 0},
        "integer_below_min_value",
        "max_output_tokens",
        "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16, but got 0 instead.",
    ),
    ({"model": "demo/echo", "messages": []}, "unsupported_parameter", None, "In the Responses API, this parameter has moved"),
    ({"model": "demo/echo"}, "missing_required_parameter", None, 'One of "input" or "previous_response_id"'),
    ({"model": "demo/echo", "input": []}, "missing_required_parameter", None, 'One of "input" or "previous_response_id"'),
    ({**ECHO, "tools": [{"name": "f"}]}, "missing_required_parameter", "tools[0].type", "'tools[0].type'"),
    ({**ECHO, "tools": [{"type": "function"}]}, "missing_required_parameter", "tools[0].name", "'tools[0].name'"),
    (
        {**ECHO, "tools": [{**FUNCTION, "parameters": {"type": "nonsense"}}]},
        "invalid_function_parameters",
        "tools[0].parameters",
        "Invalid schema for function 'f'",
    ),
    (
        {**ECHO, "tools": [FUNCTION], "tool_choice": {"type": "function", "function": {"name": "f"}}},
        "missing_required_parameter",
        "tool_choice.name",
        "'tool_choice.name'",
    ),
    (
        {**ECHO, "previous_response_id": "resp_a", "conversation": "conv_b"},
        "mutually_exclusive_parameters",
        None,
        "Mutually exclusive parameters",
    ),
    ({**ECHO, "background": True, "store": False}, "mutually_exclusive_parameters", "store", "must be stored"),
    ({**ECHO, "metadata": {str(n): "" for n in range(17)}}, "object_above_max_properties", "metadata", "at most 16"),
    ({**ECHO, "input": [{"role": "user", "content": "x"}] * 10_001}, "array_above_max_length", "input", "10000"),
]


@pytest.mark.parametrize(("body", "code", "param", "words"), ROWS, ids=[str(row[3])[:40] for row in ROWS])
def test_a_faulty_request_is_refused_in_the_words_that_clients_know(
    http: httpx2.Client, body: Json, code: str | None, param: str | None, words: str
) -> None:
    status, error = refused(http, **body)
    assert (status, error["type"], error["code"], error["param"]) == (400, "invalid_request_error", code, param)
    assert words in error["message"]


def test_a_stream_is_refused_by_a_plain_error_before_it_begins(http: httpx2.Client) -> None:
    answer = http.post("/v1/responses", json={**ECHO, "model": "nobody/x", "stream": True})
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/json")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/v1/responses/resp_x", 404),
        ("GET", "/v1/responses/resp_x?stream=true", 404),
        ("GET", "/v1/responses/resp_x/input_items", 404),
        ("GET", "/v1/responses/resp_x/steps", 404),
        ("POST", "/v1/responses/resp_x/cancel", 404),
        ("DELETE", "/v1/responses/resp_x", 404),
        ("PUT", "/v1/responses", 405),
        ("PATCH", "/v1/responses/resp_x", 405),
        ("GET", "/v1/responses/resp_x/cancel", 405),
        ("POST", "/healthz", 405),
    ],
)
def test_what_is_not_there_is_told_in_the_envelope(http: httpx2.Client, method: str, path: str, status: int) -> None:
    answer = http.request(method, path)
    assert answer.status_code == status
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert answer.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'"text"', b"\xff\xfe", b'{"model": NaN}', b"[" * 100_000])
def test_a_body_that_is_no_json_object_is_refused(http: httpx2.Client, raw: bytes) -> None:
    answer = http.post("/v1/responses", content=raw, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_that_is_too_large_is_refused_without_being_read_to_its_end(api: Api, announced: bool) -> None:
    def chunks() -> Any:
        yield from (b" " * 1_000_000 for _ in range(34))

    headers = {"content-length": "34000000"} if announced else {}
    with api.http() as http:
        answer = http.post("/v1/responses", content=chunks(), headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request_too_large")
    assert answer.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/responses/resp_x", "/v1/models"])
def test_without_a_key_there_is_no_way_in(api: Api, path: str) -> None:
    with api.http(None) as http:
        answer = http.get(path)
    error = answer.json()["error"]
    assert (answer.status_code, error["type"], error["code"], error["param"]) == (401, "invalid_request_error", None, None)
    assert error["message"].startswith("You didn't provide an API key")


def test_a_wrong_key_is_named_but_not_shown(api: Api) -> None:
    wrong = "rk_wrong_0123456789_secret"
    with api.sdk(wrong) as client, pytest.raises(openai.AuthenticationError) as caught:
        client.responses.create(model="demo/echo", input="x")
    assert caught.value.code == "invalid_api_key"
    assert "secret" not in str(caught.value)


def test_the_sdk_knows_the_request_by_its_id(client: OpenAI) -> None:
    made = client.responses.create(model="demo/echo", input="x")
    assert str(made._request_id).startswith("req_")
    with pytest.raises(openai.NotFoundError) as caught:
        client.responses.retrieve("resp_x")
    assert str(caught.value.request_id).startswith("req_")


@pytest.mark.parametrize(
    ("directive", "status", "code"),
    [
        ("fail=400", 400, "invalid_prompt"),
        ("fail=401", 502, "provider_authentication"),
        ("fail=404", 400, "model_not_found"),
    ],
)
def test_a_providers_failure_has_a_status_of_its_own_for_who_waits(
    http: httpx2.Client, directive: str, status: int, code: str
) -> None:
    answer = http.post("/v1/responses", json={"model": "demo/load", "input": f"tokens=1 {directive}"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_ids_and_cursors_with_odd_characters_do_no_harm(http: httpx2.Client) -> None:
    for odd in ("resp_%00", "resp_'; DROP TABLE responses; --", "resp_\N{SNOWMAN}", "r" * 5000):
        assert http.get(f"/v1/responses/{odd}").status_code in {400, 404}
    assert http.get("/v1/responses", params={"after": "\0"}).status_code in {200, 400}
    assert http.get("/v1/responses", params={"metadata[\0]": "\0"}).status_code in {200, 400}

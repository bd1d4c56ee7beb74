"""Saved HTTP tools: the author's request, with the model's values in their places and nowhere else."""

import asyncio
from typing import Any
from urllib.parse import unquote

import orjson
import pytest

from agents.plan import Engine
from agents.tools import blueprint
from agents.tools.base import ToolError, ToolUnavailable
from agents.tools.http import Http
from shared.items import Json
from tests.agents.net import hostile
from tests.agents.tools.running import run

ID = {"type": "string", "description": "An id"}


def spec(url: str = "{server}/things/{{id}}", method: str = "GET", **members: Any) -> Json:
    arguments = members.pop("arguments", {"id": ID})
    return {
        "type": "orq:http",
        "tool_id": "tool_1",
        "key": "things",
        "version": "1.0.0",
        "name": "things",
        "description": "Get a thing",
        "http": {"blueprint": {"url": url, "method": method, "headers": {}, "body": None, **members}, "arguments": arguments},
    }


class Recorder:
    """A server that keeps what it was sent."""

    def __init__(self, answer: bytes = hostile.page(b"{}")) -> None:  # bytes do not change
        self.head = b""
        self.body = b""
        self._answer = answer

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.head = await hostile.head(reader)
        sizes = [line for line in self.head.lower().splitlines() if line.startswith(b"content-length:")]
        self.body = await reader.readexactly(int(sizes[0].split(b":")[1])) if sizes else b""
        writer.write(self._answer)
        await writer.drain()

    @property
    def target(self) -> str:
        return self.head.split(b" ")[1].decode()

    def header(self, name: str) -> str | None:
        rows = [line.decode().partition(": ") for line in self.head.splitlines()[1:]]
        return next((value for key, _, value in rows if key.lower() == name), None)


def sent(tool: Json, arguments: Json, **options: Any) -> Recorder:
    recorder = Recorder()
    run(tool, arguments, recorder.serve, **options)
    return recorder


def made(tool: Json, given: Json, *, engine: Engine = "text", **variables: Any) -> blueprint.Request:
    http = orjson.loads(orjson.dumps(tool["http"]).replace(b"{server}", b"http://a.test"))
    return blueprint.render(http, given, variables=variables, secrets={}, engine=engine)


def answered(raw: bytes, tool: Json | None = None) -> Any:
    return run(tool or spec(), {"id": "1"}, hostile.answering(raw))


# What a model is offered


def test_a_model_is_asked_for_the_arguments_that_are_sent_to_it() -> None:
    arguments = {
        "id": ID,
        "many": {"type": "number", "description": "How many", "send_to_model": True, "default_value": 3},
        "token": {"type": "string", "description": "", "send_to_model": False, "default_value": None},
    }
    offer = Http().offer(spec(arguments=arguments))
    assert (offer.name, offer.description) == ("things", "Get a thing")
    assert offer.parameters == {
        "type": "object",
        "properties": {
            "id": {"type": "string", "description": "An id"},
            "many": {"type": "number", "description": "How many", "default": 3},
        },
        "required": ["id"],
        "additionalProperties": False,
    }


def test_a_model_cannot_give_what_it_is_not_asked_for() -> None:
    arguments = {"token": {"type": "string", "description": "", "send_to_model": False, "default_value": "own"}}
    with pytest.raises(ToolError, match="do not fit"):
        run(spec("{server}/{{token}}", arguments=arguments), {"token": "mine"}, hostile.silence)


@pytest.mark.parametrize(
    ("method", "effect"),
    [
        ("GET", "pure"),
        ("HEAD", "pure"),
        ("PUT", "idempotent"),
        ("DELETE", "idempotent"),
        ("POST", "at_most_once"),
        ("PATCH", "at_most_once"),
    ],
)
def test_the_method_says_what_a_repetition_does(method: str, effect: str) -> None:
    assert Http().effect(spec(method=method)) == effect


@pytest.mark.parametrize(("given", "seconds"), [({}, 60.0), ({"timeout": 5}, 5.0), ({"timeout": 9999}, 600.0)])
def test_the_author_bounds_the_time(given: Json, seconds: float) -> None:
    assert Http().timeout(spec(**given)) == seconds


# Where the values come from


def test_a_value_of_the_model_stands_in_its_place() -> None:
    assert sent(spec(), {"id": "a"}).target == "/things/a"


def test_an_argument_that_is_left_out_has_its_default() -> None:
    arguments = {"id": {**ID, "default_value": "usual"}}
    assert sent(spec(arguments=arguments), {}).target == "/things/usual"


@pytest.mark.parametrize(("variables", "target"), [({}, "/own"), ({"token": "given"}, "/given")])
def test_a_configured_argument_is_a_variable_or_its_default(variables: Json, target: str) -> None:
    arguments = {"token": {"type": "string", "send_to_model": False, "default_value": "own"}}
    assert sent(spec("{server}/{{token}}", arguments=arguments), {}, variables=variables).target == target


def test_a_variable_needs_no_declaration() -> None:
    assert sent(spec("{server}/{{user.id}}/{{id}}"), {"id": "1"}, variables={"user": {"id": 7}}).target == "/7/1"


def test_an_argument_of_the_model_stands_before_a_variable_of_its_name() -> None:
    assert sent(spec(), {"id": "said"}, variables={"id": "variable"}).target == "/things/said"


def test_a_variable_that_is_missing_is_named() -> None:
    with pytest.raises(ToolError, match="needs the variable 'tenant' in its 'url'"):
        made(spec("http://a.test/{{tenant}}"), {"id": "1"})


# The URL

NASTY = [
    "../admin",
    "a/b",
    "a?b=c",
    "a#b",
    "@evil.test",
    "a\\b",
    "a%2fb",
    "a b",
    "a\r\nX: y",
    "é",
    "//evil.test",
    ":80",
    "{{x}}",
    ";a",
]


@pytest.mark.parametrize("value", NASTY)
def test_a_value_fills_one_segment_of_the_path_and_no_more(value: str) -> None:
    target = sent(spec("{server}/things/{{id}}/end?q=1"), {"id": value}).target
    assert (target.count("/"), target.count("?"), target.count("#"), target.count("\\")) == (3, 1, 0, 0)
    assert target.startswith("/things/")
    assert target.endswith("/end?q=1")


@pytest.mark.parametrize("value", [*NASTY, "a&admin=true", "a=b", "+"])
def test_a_value_fills_one_member_of_the_query_and_no_more(value: str) -> None:
    target = sent(spec("{server}/find?q={{id}}&limit=1"), {"id": value}).target
    assert (target.count("&"), target.count("="), target.count("?")) == (1, 2, 1)
    assert unquote(target.split("q=")[1].split("&")[0]) == value


@pytest.mark.parametrize(
    "url", ["http://a.test/{{id}}", "http://a.test/{{id}}/x", "http://a.test/x/{{id}}?q=1", "http://a.test/.{{id}}"]
)
@pytest.mark.parametrize("value", [".", ".."])
def test_a_value_does_not_climb_out_of_its_segment(url: str, value: str) -> None:
    tool = spec(url)
    if url.endswith(".{{id}}"):
        value = "."
    with pytest.raises(ToolError, match="must not lead to another path"):
        made(tool, {"id": value})


@pytest.mark.parametrize(
    "url",
    ["{{id}}", "{{id}}/x", "http://{{id}}/x", "http://{{id}}.a.test/", "http://a.test:{{id}}/", "{{ id }}", "http://a{{id}}"],
)
def test_a_model_cannot_say_where_a_request_goes(url: str) -> None:
    with pytest.raises(ToolError, match="leaves it to the model where to go"):
        made(spec(url), {"id": "evil.test"})


@pytest.mark.parametrize("engine", ["jinja", "mustache"])
@pytest.mark.parametrize(
    "url", ["http://{{id|upper}}/", "http://{% if id %}{{id}}{% endif %}/", "{% if id %}http://a.test/{% endif %}"]
)
def test_no_engine_lets_it(url: str, engine: Engine) -> None:
    with pytest.raises(ToolError, match="must begin with a host, which may hold plain placeholders only"):
        made(spec(url), {"id": "evil.test"}, engine=engine)


@pytest.mark.parametrize("engine", ["text", "jinja", "mustache"])
def test_every_engine_encodes_what_it_puts_into_a_url(engine: Engine) -> None:
    assert made(spec("http://a.test/x/{{id}}"), {"id": "a/b?c&d"}, engine=engine).url == "http://a.test/x/a%2Fb%3Fc%26d"


@pytest.mark.parametrize(
    ("url", "variables", "expected"),
    [
        ("{{base}}/x/{{id}}", {"base": "https://a.test:8080/v1"}, "https://a.test:8080/v1/x/1"),
        ("{{base}}", {"base": "https://a.test/v1?x=y"}, "https://a.test/v1?x=y"),
        ("https://{{tenant}}.a.test/{{id}}", {"tenant": "t"}, "https://t.a.test/1"),
    ],
)
def test_a_variable_may_say_where_a_request_goes(url: str, variables: Json, expected: str) -> None:
    assert made(spec(url), {"id": "1"}, **variables).url == expected


def test_a_tool_reaches_nothing_inside() -> None:
    vault = hostile.Vault()
    with pytest.raises(ToolError, match=r"'127\.0\.0\.1' is in a network that may not be reached"):
        run(spec("{{base}}/"), {"id": "1"}, vault.serve, variables={"base": "http://127.0.0.1:1"})


# Headers


def test_headers_are_rendered_and_hold_secrets() -> None:
    headers = {"Authorization": {"secret": "sec_1"}, "X-User": "user {{id}}", "X-Token": "Bearer {{token}}"}
    recorder = sent(spec(headers=headers), {"id": "7"}, secrets={"sec_1": "Bearer geheim"}, variables={"token": "t"})
    assert [recorder.header(name) for name in ("authorization", "x-user", "x-token")] == ["Bearer geheim", "user 7", "Bearer t"]


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\rb", "a\0b", "é", "\u2028"])
def test_a_value_makes_no_header_of_its_own(value: str) -> None:
    with pytest.raises(ToolError, match="line breaks or characters outside of ASCII") as error:
        made(spec(headers={"X-User": "{{id}}"}), {"id": value})
    assert value not in error.value.message


@pytest.mark.parametrize("name", ["Host", "content-length", "Transfer-Encoding", "Connection", "TE", "Accept-Encoding"])
def test_headers_of_the_connection_are_not_the_authors(name: str) -> None:
    with pytest.raises(ToolError, match="belongs to the connection"):
        made(spec(headers={name: "x"}), {"id": "1"})


def test_a_secret_that_is_gone_is_an_error() -> None:
    with pytest.raises(ToolError, match="header 'X-Key' has no value any more"):
        made(spec(headers={"X-Key": {"secret": "sec_gone"}}), {"id": "1"})


@pytest.mark.parametrize(("method", "key"), [("GET", None), ("POST", "the-key"), ("PUT", "the-key"), ("DELETE", "the-key")])
def test_a_request_that_changes_something_carries_the_calls_key(method: str, key: str | None) -> None:
    assert sent(spec(method=method), {"id": "1"}).header("idempotency-key") == key


def test_the_author_may_give_a_key_of_his_own() -> None:
    headers = {"idempotency-key": "{{id}}"}
    assert sent(spec(method="POST", headers=headers), {"id": "1"}).header("idempotency-key") == "1"


# The body


def test_values_in_a_json_body_keep_their_types() -> None:
    arguments = {"text": {"type": "string"}, "many": {"type": "number"}, "sure": {"type": "boolean"}}
    body = {"a": "{{text}}", "b": ["{{many}}"], "c": {"d": "{{sure}}"}, "e": "{{text}} {{many}}", "f": 1}
    given = {"text": 'say "hi"', "many": 2.5, "sure": True}
    recorder = sent(spec("{server}/", "POST", body=body, arguments=arguments), given)
    expected = {"a": 'say "hi"', "b": [2.5], "c": {"d": True}, "e": 'say "hi" 2.5', "f": 1}
    assert (orjson.loads(recorder.body), recorder.header("content-type")) == (expected, "application/json")


def test_a_value_adds_no_member_to_a_body_that_was_written_as_text() -> None:
    recorder = sent(spec("{server}/", "POST", body='{"id": "{{id}}"}'), {"id": '1", "admin": "true'})
    assert orjson.loads(recorder.body) == {"id": '1", "admin": "true'}


def test_a_value_adds_no_field_to_a_form() -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    recorder = sent(spec("{server}/", "POST", headers=headers, body="id={{id}}&x=1"), {"id": "1&admin=true"})
    assert recorder.body == b"id=1%26admin%3Dtrue&x=1"


def test_a_body_of_another_type_is_plain_text() -> None:
    recorder = sent(spec("{server}/", "POST", headers={"Content-Type": "text/plain"}, body="Dear {{id}}"), {"id": "é & ü"})
    assert recorder.body.decode() == "Dear é & ü"


def test_a_get_has_no_body() -> None:
    recorder = sent(spec(body={"a": 1}), {"id": "1"})
    assert (recorder.body, recorder.header("content-type")) == (b"", None)


# The answer


def test_json_comes_as_json() -> None:
    found = answered(hostile.page(b'{"a": 1}', "Content-Type: application/json; charset=utf-8", "X-Internal: 1", status=201))
    assert found == {
        "status": 201,
        "headers": {"content-type": "application/json; charset=utf-8"},
        "body": {"a": 1},
        "truncated": False,
    }


@pytest.mark.parametrize(
    ("raw", "body"),
    [
        (hostile.page(b"hello", "Content-Type: text/plain"), "hello"),
        (hostile.page(b"{broken", "Content-Type: application/json"), "{broken"),
        (hostile.page(b"[1]"), [1]),
        (hostile.page(b"", status=204), ""),
    ],
)
def test_what_is_no_json_comes_as_text(raw: bytes, body: Any) -> None:
    assert answered(raw)["body"] == body


def test_a_huge_answer_is_cut() -> None:
    found = answered(hostile.page(b'"' + b"a" * 1_000_000 + b'"', "Content-Type: application/json"))
    assert "Truncated" in found


@pytest.mark.parametrize("status", [400, 401, 404, 422, 500])
def test_a_refusal_is_told_to_the_model(status: int) -> None:
    with pytest.raises(ToolError) as error:
        answered(hostile.page(b'{"error": "no such thing"}', status=status))
    assert error.value.message == f'HTTP {status}: {{"error": "no such thing"}}'
    assert not isinstance(error.value, ToolUnavailable)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_who_is_busy_may_be_asked_again_later(status: int) -> None:
    with pytest.raises(ToolUnavailable, match=f"HTTP {status}") as error:
        answered(hostile.page(b"later", "Retry-After: 7", status=status))
    assert error.value.retry_after == 7


def test_credentials_do_not_follow_a_redirect_to_another_host() -> None:
    recorder = Recorder(hostile.redirect("http://127.0.0.3:1/"))
    with pytest.raises(ToolError, match=r"'127\.0\.0\.3' is in a network"):
        run(spec(headers={"X-Key": "k"}), {"id": "1"}, recorder.serve)

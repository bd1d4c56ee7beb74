"""Whatever a request says of tools, variables, limits and engines: it becomes a plan, or an error about a place."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.models.providers import Providers
from agents.plan import Plan
from api.create.request import Limits, parse
from api.create.server_tools import BUILT_IN, OPERATORS
from api.desk import Desk
from api.prepare import prepare
from shared.entry import NewResponse, created
from shared.errors import InvalidRequest, RondoError
from shared.items import Json
from shared.settings import Settings
from tests.api.test_create_anything import texts, values

TOKEN = {"value": "sesame-open-5f1e", "secret": True}
DESK = cast("Desk", SimpleNamespace(settings=Settings.from_env({}), providers=Providers([])))
THOROUGH = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])

templates = st.sampled_from(
    [
        "{{name}}",
        "{{a.b}}",
        "{{ name | upper }}",
        "{% for x in list %}{{x}}{% endfor %}",
        "{{",
        "{%",
        "{{{a}}}",
        "{{#a}}",
        "}}",
        "{{9}}",
    ]
)
near = texts | templates | values
variables = st.dictionaries(
    st.sampled_from(["name", "a", "list", "token", "not a name", ""]),
    near | st.fixed_dictionaries({"value": near}, optional={"secret": st.booleans() | near}),
    max_size=4,
)
limits = st.dictionaries(
    st.sampled_from(["max_iterations", "max_execution_time", "max_cost", "max_depth", "tool_timeout", "max_other"]),
    st.integers(-1, 10**6) | st.floats(allow_nan=False) | values,
    max_size=3,
)
conditions = st.lists(
    st.fixed_dictionaries({"condition": near, "operator": st.sampled_from(OPERATORS) | near}, optional={"value": values}),
    max_size=2,
)
approval = {"requires_approval": st.booleans() | near, "conditions": conditions | near, "timeout": st.integers(-1, 4000) | near}
built_in = st.fixed_dictionaries(
    {"type": st.sampled_from(BUILT_IN)},
    optional={
        **approval,
        "configuration": values,
        "model": st.sampled_from(["demo/echo", "agent/x", "none/x", ""]),
        "max_uses": st.integers(-1, 2000) | near,
        "files": values,
        "network": values,
    },
)
servers = st.fixed_dictionaries(
    {"type": st.just("mcp"), "server_url": near | st.just("https://crm.example/{{a.b}}")},
    optional={
        **approval,
        "server_label": st.sampled_from(["crm", "1", ""]) | near,
        "headers": st.dictionaries(
            texts, near | st.fixed_dictionaries({"value": near}, optional={"encrypted": near}), max_size=2
        ),
        "authorization": near,
        "allowed_tools": values,
        "require_approval": st.sampled_from(["always", "never"]) | values,
        "transport": near,
    },
)
tools = st.lists(built_in | servers, max_size=3)
named = st.sampled_from(["demo/echo", "demo/load", "agent/x", "none/x", ""]) | near
routing = {
    "retry": st.fixed_dictionaries(
        {}, optional={"count": st.integers(0, 6) | near, "on_codes": st.lists(st.integers(99, 600))}
    ),
    "fallbacks": st.lists(st.fixed_dictionaries({"model": named}), max_size=3) | near,
    "timeout": st.fixed_dictionaries({"call_timeout": st.integers(0, 10**7) | near}),
    "load_balancer": st.fixed_dictionaries(
        {
            "type": st.just("weight_based") | near,
            "models": st.lists(
                st.fixed_dictionaries({"model": named, "weight": st.floats(allow_nan=False) | near}), max_size=3
            ),
        }
    ),
    "cache": st.fixed_dictionaries({"type": st.just("exact_match") | near}, optional={"ttl": st.integers(0, 10**6) | near}),
}


def outcome(body: Json) -> NewResponse | RondoError:
    """Prepare a body that refers to nothing stored."""
    raw = orjson.dumps(body)
    try:
        return asyncio.run(prepare(DESK, "proj_1", parse(raw, limits=Limits()), key=None, raw=raw))
    except RondoError as error:
        return error


@THOROUGH
@given(
    st.fixed_dictionaries(
        {"model": st.sampled_from(["demo/echo", "none/x"]), "input": templates | texts},
        optional={
            "instructions": templates | texts,
            "variables": variables,
            "template_engine": st.sampled_from(["text", "jinja", "mustache"]) | near,
            "limits": limits,
            "tools": tools,
            "tool_choice": st.sampled_from(["auto", "required", "none"]) | values,
            **routing,
        },
    )
)
def test_any_request_becomes_a_plan_that_can_be_stored_or_an_error_about_a_place(body: Json) -> None:
    got = outcome(body)
    if isinstance(got, InvalidRequest):
        assert got.status_code == 400
        assert got.param is not None or got.code_value == "missing_required_parameter"
    else:
        assert isinstance(got, NewResponse)
        assert Plan.load(orjson.loads(orjson.dumps(got.request))).dump() == got.request
        orjson.dumps(created(got))


def test_what_a_request_says_of_its_models_is_in_its_plan() -> None:
    said: Json = {
        "retry": {"count": 2, "on_codes": [503]},
        "fallbacks": [{"model": "demo/load"}, {"model": "demo/echo"}],
        "timeout": {"call_timeout": 2500},
        "load_balancer": {"type": "weight_based", "models": [{"model": "demo/assistant", "weight": 1}]},
        "cache": {"type": "exact_match"},
    }
    got = outcome({"model": "demo/echo", "input": "hi", **said})
    assert isinstance(got, NewResponse)
    assert got.request["models"] == ["demo/assistant", "demo/load", "demo/echo"]
    assert {name: got.request[name] for name in ("retry", "call_timeout", "cache_ttl")} == {
        "retry": said["retry"],
        "call_timeout": 2.5,
        "cache_ttl": 1800,
    }


@THOROUGH
@given(
    st.lists(templates | st.text(alphabet="{}%#/. ab|'0", max_size=12), max_size=4).map("".join),
    st.fixed_dictionaries({"name": near, "a": st.fixed_dictionaries({"value": values}), "token": st.just(TOKEN)}),
    st.sampled_from(["text", "jinja", "mustache"]),
)
def test_any_template_is_rendered_or_an_error_about_its_place(template: str, variables: Json, engine: str) -> None:
    body = {"model": "demo/echo", "input": "hi", "instructions": template, "variables": variables, "template_engine": engine}
    got = outcome(body)
    if isinstance(got, NewResponse):
        assert "sesame" not in orjson.dumps(got.request).decode()
    else:
        assert (got.status_code, (got.param or "").partition(".")[0] in {"instructions", "variables"}) == (400, True)
        assert "sesame" not in got.message


@pytest.mark.parametrize("text", ["sesame-open-5f1e", "{{other}}-5f1e", 123456789])
def test_a_secret_is_in_no_part_of_what_is_stored_but_its_own(text: Any) -> None:
    server = {"type": "mcp", "server_label": "crm", "server_url": "https://x.example", "headers": {"X-Key": "header-key-5f1e"}}
    body: Json = {"model": "demo/echo", "input": "{{token}}", "variables": {"token": {"value": text, "secret": True}}}
    got = outcome({**body, "tools": [server], "instructions": "{{token}}"})
    assert isinstance(got, NewResponse)
    stored = orjson.dumps([got.body, got.request, got.items, created(got)]).decode()
    assert str(text) not in stored
    assert "header-key-5f1e" not in stored
    assert sorted(got.secrets.values()) == sorted([str(text), "header-key-5f1e"])

"""An agent, a request, saved tools and variables become one plan."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from agents import resolve, secrets
from agents.plan import Plan
from agents.resolve import Asked, Resolved
from agents.secrets import Secrets
from agents.words import Unresolvable
from shared.items import Item, Json


@dataclass(frozen=True)
class Defined:
    manifest: Json
    id: str = "agent_1"
    key: str = "helper"
    version: str = "1.0.0"


@dataclass(frozen=True)
class Saved:
    definition: Json
    type: str
    id: str = "tool_1"
    key: str = "crm"
    version: str = "2.0.0"


@dataclass
class Numbered:
    count: int = 0
    made: list[str] = field(default_factory=list)

    def __call__(self, prefix: str, /) -> str:
        self.count += 1
        return f"{prefix}_new{self.count}"


def manifest(**fields: Any) -> Json:
    return {"key": "helper", "model": "demo/echo", **fields}


def plan(
    asked: Asked | None = None,
    agent: Json | None = None,
    saved: dict[str, Saved] | None = None,
    team: list[Defined] | None = None,
    kept: Secrets | None = None,
) -> Resolved:
    return resolve.plan(
        asked or Asked(model="demo/echo"),
        agent=None if agent is None else Defined(agent),
        saved=saved or {},
        team=team or [],
        secrets=kept or Secrets(new_id=Numbered()),
    )


def user(text: str) -> Item:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def test_a_plain_request_needs_hardly_any_plan() -> None:
    made = plan(Asked(model="demo/echo", items=[user("hi")], sampling={"temperature": 1.0}))
    assert made.plan.dump() == {"sampling": {"temperature": 1.0}}


def test_a_plan_comes_back_as_it_was_stored() -> None:
    made = plan(agent=manifest(instructions="Be brief.", settings={"max_cost": 2.5}))
    assert Plan.load(made.plan.dump()) == made.plan


def test_the_texts_of_a_request_without_variables_are_no_templates() -> None:
    made = plan(Asked(model="demo/echo", instructions="print {{x}}", items=[user("a {{b}} c")]))
    assert (made.items, made.plan.body) == ([user("a {{b}} c")], {})


def test_instructions_and_input_are_rendered_with_the_variables() -> None:
    asked = Asked(
        model="demo/echo", instructions="Speak {{language}}.", items=[user("I am {{who.name}}")], templated=True,
        variables={"language": "Dutch", "who": {"name": "Jo"}},
    )  # fmt: skip
    made = plan(asked)
    assert made.plan.body["instructions"] == "Speak Dutch."
    assert made.items == [user("I am Jo")]


def test_only_what_people_say_is_rendered() -> None:
    said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "{{x}}"}]}
    output = {"type": "function_call_output", "call_id": "c", "output": "{{x}}"}
    assert plan(Asked(model="m/m", items=[said, output], templated=True)).items == [said, output]


def test_a_missing_variable_is_named_with_its_place() -> None:
    with pytest.raises(Unresolvable, match=r"'city' is used in 'input\[1\]\.content\[0\]\.text'") as caught:
        plan(Asked(model="m/m", items=[user("hi"), user("in {{city}}")], templated=True))
    assert (caught.value.param, caught.value.code) == ("input[1].content[0].text", "missing_variable")


def test_an_agents_instructions_are_always_a_template_and_the_requests_come_after_them() -> None:
    agent = manifest(role="Clerk", instructions="Serve {{name}}.", variables={"name": {"value": "Ann"}})
    made = plan(Asked(model="agent/helper", instructions="Be {{quick}}."), agent)
    assert made.plan.body["instructions"] == "Your role: Clerk\n\nServe Ann.\n\nBe {{quick}}."


def test_a_system_prompt_replaces_the_one_made_of_the_role() -> None:
    agent = manifest(role="Clerk", system_prompt="You run a desk.", instructions="Serve.")
    assert plan(agent=agent).plan.body["instructions"] == "You run a desk.\n\nServe."


def test_variables_of_the_call_win_over_those_of_the_agent() -> None:
    agent = manifest(instructions="{{a}} {{b}}", variables={"a": {"value": 1}, "b": {"value": 2}})
    assert plan(Asked(model="agent/helper", variables={"b": 3}), agent).plan.body["instructions"] == "1 3"


def test_a_secret_stays_a_placeholder_where_a_model_reads() -> None:
    kept = Secrets(new_id=Numbered())
    asked = Asked(model="m/m", instructions="Key {{key}}", templated=True, variables={"key": kept.add("hunter22")})
    made = plan(asked, kept=kept)
    assert made.plan.body["instructions"] == "Key {{key}}"
    assert "hunter22" not in str(made)


def test_an_agents_secrets_become_the_responses_own() -> None:
    kept = Secrets({"sec_agent": "hunter22"}, new_id=Numbered())
    made = plan(agent=manifest(variables={"key": {"secret": "sec_agent"}}), kept=kept)
    assert made.plan.variables == {"key": {"secret": "sec_new1"}}
    assert (made.plan.secrets, kept.texts) == (["sec_new1"], {"sec_new1": "hunter22"})


def test_the_requests_tools_are_added_to_the_agents() -> None:
    own, given = {"type": "orq:current_date"}, {"type": "function", "name": "look_up"}
    made = plan(Asked(model="agent/helper", tools=[given]), manifest(settings={"tools": [own]}))
    assert made.plan.body["tools"] == [own, given]


def test_two_tools_of_one_name_are_refused() -> None:
    tool = {"type": "function", "name": "look_up"}
    with pytest.raises(Unresolvable, match="two tools named 'look_up'"):
        plan(Asked(model="agent/helper", tools=[tool]), manifest(settings={"tools": [tool]}))


HTTP = {
    "description": "Ask the CRM",
    "http": {
        "blueprint": {"url": "https://crm.example/{{id}}", "method": "GET", "headers": {"X-Key": {"secret": "sec_tool"}}},
        "arguments": {"id": {"type": "string"}},
    },
}


def test_a_saved_tool_is_put_in_its_place_with_secrets_of_the_response() -> None:
    kept = Secrets({"sec_tool": "hunter22"}, new_id=Numbered())
    made = plan(
        Asked(model="m/m", tools=[{"type": "http", "key": "crm", "requires_approval": True}]),
        saved={"crm": Saved(HTTP, "http")}, kept=kept,
    )  # fmt: skip
    (spec,) = made.plan.body["tools"]
    assert {name: spec[name] for name in ("type", "tool_id", "version", "name", "requires_approval")} == {
        "type": "orq:http", "tool_id": "tool_1", "version": "2.0.0", "name": "crm", "requires_approval": True,
    }  # fmt: skip
    assert spec["http"]["blueprint"]["headers"] == {"X-Key": {"secret": "sec_new1"}}


def test_a_variable_that_a_tool_will_need_is_asked_for_before_anything_runs() -> None:
    definition = {"description": "d", "http": {"blueprint": {"url": "https://x.example/{{tenant}}/{{id}}", "method": "GET"},
                                               "arguments": {"id": {"type": "string"}}}}  # fmt: skip
    asked = Asked(model="m/m", tools=[{"type": "orq:http", "tool_id": "tool_1"}])
    with pytest.raises(Unresolvable, match=r"'tenant' is used in 'tools\[0\]\.http\.blueprint\.url'"):
        plan(asked, saved={"tool_1": Saved(definition, "http")})


def test_a_servers_credentials_are_taken_in_as_secrets_whether_marked_or_not() -> None:
    kept = Secrets(new_id=Numbered())
    server = {"type": "mcp", "server_label": "docs", "server_url": "https://mcp.example",
              "headers": {"X-Key": "hunter22"}, "authorization": "token-1"}  # fmt: skip
    (spec,) = plan(Asked(model="m/m", tools=[server]), kept=kept).plan.body["tools"]
    assert spec["headers"] == {"X-Key": {"secret": "sec_new1"}}
    assert spec["authorization"] == {"secret": "sec_new2"}
    assert set(kept.texts.values()) == {"hunter22", "token-1"}


@pytest.mark.parametrize(
    ("named", "expected"), [({"server_label": "docs"}, "always"), ({"key": "docs"}, "never"),
                            ({"server_label": "docs", "require_approval": "never"}, "never")],
)  # fmt: skip
def test_a_servers_calls_need_approval_by_the_custom_of_who_names_it(named: Json, expected: str) -> None:
    (spec,) = plan(Asked(model="m/m", tools=[{"type": "mcp", "server_url": "https://m.example", **named}])).plan.body["tools"]
    assert (spec["server_label"], spec["require_approval"]) == ("docs", expected)


def test_a_saved_schema_shapes_the_answer_and_is_no_tool() -> None:
    schema = {"json_schema": {"name": "order", "schema": {"type": "object"}}}
    made = plan(Asked(model="m/m", tools=[{"type": "json_schema", "key": "crm"}]), saved={"crm": Saved(schema, "json_schema")})
    assert made.plan.body["tools"] == []
    assert made.plan.body["text"]["format"]["name"] == "order"


@pytest.mark.parametrize("name", ["max_iterations", "max_execution_time", "max_cost", "max_depth", "tool_timeout"])
def test_a_request_narrows_an_agents_bounds_and_never_widens_them(name: str) -> None:
    agent = manifest(settings={name: 5})
    assert resolve._limits(agent, {name: 4}) == {name: 4}
    with pytest.raises(Unresolvable, match="the agent's own bound is 5") as caught:
        resolve._limits(agent, {name: 6})
    assert caught.value.param == f"limits.{name}"


def test_an_agents_team_is_offered_without_naming_the_tools_for_it() -> None:
    agent = manifest(team_of_agents=[{"key": "maths", "role": "Adds"}])
    member = Defined({"key": "maths", "model": "m/m", "description": "Good with sums"}, key="maths")
    tools = plan(agent=agent, team=[member]).plan.body["tools"]
    assert [tool["type"] for tool in tools] == ["orq:retrieve_agents", "orq:call_sub_agent"]
    assert tools[0]["agents"] == [{"key": "maths", "display_name": None, "role": "Adds", "description": "Good with sums"}]


def test_an_agents_parameters_hold_where_the_request_says_nothing() -> None:
    parameters = {"temperature": 0.2, "max_tokens": 99, "stop": "END", "tool_choice": "required"}
    model = {"id": "openai/gpt-5", "parameters": {**parameters, "reasoning_effort": "low", "verbosity": "low"}}
    asked = Asked(model="agent/helper", sampling={"temperature": 0.9}, body={"tool_choice": "auto"})
    made = plan(asked, manifest(model=model, fallback_models=["anthropic/claude"]))
    assert made.plan.sampling == {"temperature": 0.9, "max_output_tokens": 99, "stop": ["END"]}
    assert made.plan.models == ["openai/gpt-5", "anthropic/claude"]
    assert {name: made.plan.body[name] for name in ("tool_choice", "truncation")} == {
        "tool_choice": "auto",
        "truncation": "auto",
    }
    assert made.plan.body["reasoning"]["effort"] == made.plan.body["text"]["verbosity"] == "low"


def test_a_delegated_response_knows_its_parents_variables_and_has_no_tools_of_a_client() -> None:
    kept = Secrets({"sec_parent": "hunter22"}, new_id=Numbered())
    parent = Plan(variables={"key": {"secret": "sec_parent"}, "city": "Rome"}, max_depth=2)
    agent = manifest(instructions="In {{city}}.", settings={"tools": [{"type": "function", "name": "ask"}]})
    made = resolve.child(
        Asked(model="agent/helper", items=[user("{{raw}}")]),
        parent=parent,
        agent=Defined(agent),
        saved={},
        team=[],
        secrets=kept,
    )
    assert made.plan.body["instructions"] == "In Rome."
    assert made.plan.body["tools"] == []
    assert (made.plan.variables["key"], made.plan.max_depth) == ({"secret": "sec_new1"}, 2)
    assert made.items == [user("{{raw}}")]


def test_what_only_looks_like_a_secret_is_left_as_it_is() -> None:
    body = {"secret": "{{word}}", "deep": [{"secret": "sec_unknown"}]}
    kept = Secrets({"sec_known": "x"})
    assert kept.adopt(body) == body
    assert set(secrets.within(body)) == {"sec_unknown"}


@pytest.mark.parametrize(("given", "model"), [({}, "demo/echo"), ({"model": "openai/gpt-5"}, "openai/gpt-5")])
def test_an_advisor_is_the_responses_own_model_if_no_other_is_named(given: Json, model: str) -> None:
    asked = [{"type": "orq:advisor", **given}]
    (tool,) = plan(Asked(model="demo/echo", tools=asked)).plan.body.get("tools", asked)
    assert tool["model"] == model


def test_what_an_agent_says_of_delegating_holds() -> None:
    said = {"type": "orq:call_sub_agent", "requires_approval": True}
    agent = manifest(team_of_agents=[{"key": "maths"}], settings={"tools": [said]})
    tools = plan(agent=agent, team=[Defined({"key": "maths", "model": "m/m"}, key="maths")]).plan.body["tools"]
    assert [tool.get("requires_approval") for tool in tools] == [None, True]


def test_what_is_wrong_with_a_secret_template_is_not_told() -> None:
    server = {"type": "mcp", "server_label": "crm", "server_url": "https://crm.example", "authorization": "{{#s3same open}}"}
    with pytest.raises(Unresolvable) as refused:
        plan(Asked(model="demo/echo", tools=[server], engine="mustache"))
    assert (refused.value.param, refused.value.code) == ("tools[0].authorization", "invalid_template")
    assert "s3same" not in refused.value.message

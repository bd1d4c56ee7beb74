"""Programs as tools: what they are given, and what a model is told of them."""

import asyncio
from dataclasses import dataclass, replace
from typing import Any

import pytest

from agents.sandbox.base import Ran, SandboxUnavailable
from agents.tools import registry
from agents.tools.base import Call, ToolError, ToolUnavailable
from agents.tools.box import Toolbox
from agents.tools.code import CodeInterpreter, SavedCode
from shared.items import Json
from shared.settings import Settings
from tests.agents.tooling import a_call

INTERPRETER: Json = {"type": "orq:code_interpreter"}


def saved(code: str, **more: Any) -> Json:
    parameters = {"type": "object", "properties": {"a": {"type": "integer"}, "b-c": {}}, "additionalProperties": False}
    tool = {"language": "python", "code": code, "parameters": parameters, **more}
    return {"type": "orq:code", "name": "add", "description": "Adds.", "code_tool": tool}


def run(spec: Json, arguments: str, **variables: Any) -> Any:
    """Run a call as a worker does, in the real sandbox."""

    async def main() -> Any:
        box = Toolbox(Settings())
        try:
            return await registry.run(spec, arguments, replace(a_call(timeout=10), box=box, variables=variables))
        finally:
            await box.aclose()

    return asyncio.run(main())


def test_a_models_program_gives_what_it_prints_and_its_value() -> None:
    assert run(INTERPRETER, '{"code": "print(1)\\n[2]"}') == {"output": "1\n", "result": [2]}


def test_a_models_program_is_told_its_fault_and_what_it_printed() -> None:
    with pytest.raises(ToolError) as told:
        run(INTERPRETER, '{"code": "print(1)\\n1 / 0"}')
    assert told.value.message == "  line 2, in <module>: 1 / 0\nZeroDivisionError: division by zero\n\nPrinted until then:\n1\n"


def test_a_models_program_has_no_variables() -> None:
    with pytest.raises(ToolError, match="'token' is not defined"):
        run(INTERPRETER, '{"code": "token"}', token="t")


def test_a_program_that_is_too_long_is_refused() -> None:
    with pytest.raises(ToolError, match="is too long"):
        run(INTERPRETER, '{"code": "' + "#" * 100_001 + '"}')


def test_a_saved_program_has_its_arguments_as_variables() -> None:
    assert run(saved("a + 1"), '{"a": 1}') == 2


def test_a_saved_program_has_all_arguments_together() -> None:
    assert run(saved("arguments['b-c']"), '{"b-c": 3}') == 3


def test_a_saved_program_may_put_its_result_in_a_variable() -> None:
    assert run(saved("result = {'sum': a}"), '{"a": 1}') == {"sum": 1}


def test_a_saved_program_without_a_value_gives_what_it_prints() -> None:
    assert run(saved("print(a)"), '{"a": 1}') == "1\n"


def test_a_saved_program_has_what_it_is_granted() -> None:
    spec = saved("[token, secrets, region, variables]", secrets=["token"], variables=["region"])
    assert run(spec, "{}", token="t", region="eu", other=1) == ["t", {"token": "t"}, "eu", {"region": "eu"}]


@pytest.mark.parametrize("code", ["token", "secrets['token']", "variables['token']"])
def test_a_saved_program_has_nothing_that_it_is_not_granted(code: str) -> None:
    with pytest.raises(ToolError, match="token"):
        run(saved(code), "{}", token="t")


def test_a_grant_of_what_is_not_there_is_an_error() -> None:
    with pytest.raises(ToolError, match=r"^The tool needs variables that are not there: token\.$"):
        run(saved("1", secrets=["token"]), "{}")


def test_an_argument_goes_before_a_grant_of_the_same_name() -> None:
    assert run(saved("[a, secrets['a']]", secrets=["a"]), '{"a": 1}', a="hidden") == [1, "hidden"]


@pytest.mark.parametrize("name", ["class", "None", "a b"])
def test_a_name_that_no_variable_can_have_stands_among_all(name: str) -> None:
    spec = saved(f"variables[{name!r}]", variables=[name])
    assert run(spec, "{}", **{name: 5}) == 5


def test_a_saved_program_is_offered_as_it_was_defined() -> None:
    offered = SavedCode().offer(saved("1"))
    assert (offered.name, offered.description, set(offered.parameters["properties"])) == ("add", "Adds.", {"a", "b-c"})


@pytest.mark.parametrize(("given", "seconds"), [(None, 30), (0.1, 1), (60, 60), (600, 120)])
def test_a_program_may_take_from_one_second_to_two_minutes(given: float | None, seconds: float) -> None:
    assert CodeInterpreter().timeout({**INTERPRETER, "timeout": given}) == seconds


@dataclass
class Broken:
    """A sandbox that breaks down, and remembers how long it was given."""

    seconds: float = 0.0

    async def run(self, code: str, *, inputs: Json, seconds: float) -> Ran:
        self.seconds = seconds
        raise SandboxUnavailable("The sandbox broke down.")

    async def aclose(self) -> None:
        """There is nothing to stop."""


def broken(sandbox: Broken) -> Call:
    box = Toolbox(Settings())
    box.__dict__["sandbox"] = sandbox  # where a cached property keeps its value
    return replace(a_call(timeout=30), box=box)


def test_a_sandbox_that_breaks_down_may_do_better_later() -> None:
    with pytest.raises(ToolUnavailable, match="broke down"):
        asyncio.run(registry.run(INTERPRETER, '{"code": "1"}', broken(Broken())))


def test_a_program_is_stopped_before_its_call_is() -> None:
    sandbox = Broken()
    with pytest.raises(ToolUnavailable):
        asyncio.run(registry.run(INTERPRETER, '{"code": "1"}', broken(sandbox)))
    assert sandbox.seconds == 29

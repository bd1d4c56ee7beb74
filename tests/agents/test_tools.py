"""Tools that workers run."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from agents.scrub import Scrubber
from agents.tools import registry
from agents.tools.base import Tool, ToolError
from agents.tools.delegates import DELEGATES
from shared.items import Json
from tests.agents.tooling import Fixed, a_call


def run(arguments: str, tool: str = "orq:current_date", *, timeout: float = 5.0, **spec: Any) -> Any:
    return asyncio.run(registry.run({"type": tool, **spec}, arguments, a_call(timeout=timeout)))


@pytest.fixture
def tools() -> Iterator[dict[str, Tool]]:
    """The registry, to add to."""
    before = dict(registry.TOOLS)
    yield registry.TOOLS
    registry.TOOLS.clear()
    registry.TOOLS.update(before)


@pytest.mark.parametrize("arguments", ["{}", "", '{"timezone": null}', '{"timezone": "UTC"}'])
@pytest.mark.parametrize("tool", ["orq:current_date", "orq:datetime"])
def test_the_clock_tells_the_time_in_utc(tool: str, arguments: str) -> None:
    assert run(arguments, tool) == {
        "datetime": "2026-01-02T23:30:05+00:00",
        "date": "2026-01-02",
        "time": "23:30:05",
        "weekday": "Friday",
        "timezone": "UTC",
        "unix": 1767396605,
    }


def test_the_clock_tells_the_time_elsewhere() -> None:
    assert run('{"timezone": "Asia/Tokyo"}') == {
        "datetime": "2026-01-03T08:30:05+09:00",
        "date": "2026-01-03",
        "time": "08:30:05",
        "weekday": "Saturday",
        "timezone": "Asia/Tokyo",
        "unix": 1767396605,
    }


@pytest.mark.parametrize("zone", ["Mars/Olympus", "Europe", "../etc/passwd", "/etc/localtime", "\\u0000"])
def test_a_zone_that_does_not_exist_is_explained(zone: str) -> None:
    with pytest.raises(ToolError, match=r"There is no time zone .* Use an IANA name"):
        run(f'{{"timezone": "{zone}"}}')


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("{", r"^The arguments are not valid JSON: .*\.$"),
        ("[]", r"^The arguments must be a JSON object\.$"),
        ('{"timezone": 5}', r"^The arguments do not fit the tool's parameters: \$\.timezone: 5 is not of type"),
        ('{"zone": "UTC"}', r"\$: Additional properties are not allowed"),
    ],
)
def test_arguments_that_do_not_fit_are_explained(arguments: str, sentence: str) -> None:
    with pytest.raises(ToolError, match=sentence):
        run(arguments)


def test_an_unknown_tool_is_an_error() -> None:
    with pytest.raises(ToolError, match=r"^There is no tool 'orq:nothing'\.$"):
        run("{}", "orq:nothing")


def test_a_tool_is_stopped_when_its_time_is_up(tools: dict[str, Tool]) -> None:
    stopped = []

    async def sleep(_: Json) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            stopped.append(True)

    tools["orq:sleep"] = Fixed(sleep)
    with pytest.raises(ToolError, match=r"took longer than 0\.01 seconds"):
        run("{}", "orq:sleep", timeout=0.01)
    assert stopped == [True]


def test_what_is_configured_is_put_over_what_the_model_says() -> None:
    assert run('{"timezone": "UTC"}', configuration={"timezone": "Asia/Tokyo"})["timezone"] == "Asia/Tokyo"


def test_what_is_configured_has_to_fit_too() -> None:
    with pytest.raises(ToolError, match=r"\$\.timezone: 5 is not of type"):
        run("{}", configuration={"timezone": 5})


def test_an_mcp_server_checks_its_arguments_itself(tools: dict[str, Tool]) -> None:
    tools["mcp"] = Fixed()
    assert run('{"whatever": 1}', "mcp", configuration={"tenant": "t"}) == {"whatever": 1, "tenant": "t"}


@pytest.mark.parametrize("arguments", ["[]", "{"])
def test_an_mcp_server_is_sent_objects_only(tools: dict[str, Tool], arguments: str) -> None:
    tools["mcp"] = Fixed()
    with pytest.raises(ToolError, match=r"^The arguments "):
        run(arguments, "mcp")


@pytest.mark.parametrize("delegate", DELEGATES)
def test_what_delegates_is_not_run_as_a_tool(delegate: str) -> None:
    with pytest.raises(ToolError, match="There is no tool"):
        run("{}", delegate)


def test_the_team_is_listed() -> None:
    team = [{"key": "writer", "display_name": "Writer", "role": "author", "description": "Writes."}]
    assert run("{}", "orq:retrieve_agents", agents=team) == team


def test_a_long_text_is_cut_and_says_so() -> None:
    assert registry.bounded("abcdef", limit=3) == "abc\n[Truncated: these are the first 3 of 6 characters.]"


def test_a_long_value_is_cut_as_json() -> None:
    assert registry.bounded({"a": [1, 2]}, limit=5) == '{"a":\n[Truncated: these are the first 5 of 11 characters.]'


@pytest.mark.parametrize("value", ["abc", [1], {}, None, 5])
def test_a_short_value_is_given_as_it_is(value: Any) -> None:
    assert registry.bounded(value, limit=4) == value


def test_what_a_tool_returns_is_bounded(tools: dict[str, Tool]) -> None:
    async def shout(_: Json) -> str:
        return "a" * (registry.MAX_RESULT + 5)

    tools["orq:shout"] = Fixed(shout)
    assert run("{}", "orq:shout").endswith("[Truncated: these are the first 100000 of 100005 characters.]")


def test_a_secret_that_lies_across_the_cut_leaves_nothing_behind(tools: dict[str, Tool]) -> None:
    async def repeat(_: Json, /) -> str:
        return "a" * (registry.MAX_RESULT - 8) + "hunter22hunter22"

    tools["test:repeat"] = Fixed(repeat)
    call = replace(a_call(), scrubber=Scrubber(["hunter22hunter22"]))
    said = asyncio.run(registry.run({"type": "test:repeat"}, "{}", call))
    assert "hunter2" not in said
    assert said.startswith("aaa")

"""Tools that workers run."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from agents.tools import registry
from agents.tools.base import Tool, ToolError
from shared.items import Json

NOW = datetime(2026, 1, 2, 23, 30, 5, 999, tzinfo=UTC)


def run(arguments: str, tool: str = "orq:current_date") -> Any:
    return asyncio.run(registry.run(tool, arguments, now=NOW))


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

    async def sleep(_: Json, /, *, now: datetime) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            stopped.append(now)

    tools["orq:sleep"] = Tool(description="", schema={}, effect="pure", timeout=0.01, run=sleep)
    with pytest.raises(ToolError, match=r"took longer than 0\.01 seconds"):
        run("{}", "orq:sleep")
    assert stopped == [NOW]


def test_a_long_text_is_cut_and_says_so() -> None:
    assert registry.bounded("abcdef", limit=3) == "abc\n[Truncated: these are the first 3 of 6 characters.]"


def test_a_long_value_is_cut_as_json() -> None:
    assert registry.bounded({"a": [1, 2]}, limit=5) == '{"a":\n[Truncated: these are the first 5 of 11 characters.]'


@pytest.mark.parametrize("value", ["abc", [1], {}, None, 5])
def test_a_short_value_is_given_as_it_is(value: Any) -> None:
    assert registry.bounded(value, limit=4) == value


def test_what_a_tool_returns_is_bounded(tools: dict[str, Tool]) -> None:
    async def shout(_: Json, /, *, now: datetime) -> str:
        return "a" * (registry.MAX_RESULT + now.second)

    tools["orq:shout"] = Tool(description="", schema={}, effect="pure", timeout=1, run=shout)
    assert run("{}", "orq:shout").endswith("[Truncated: these are the first 100000 of 100005 characters.]")


def test_every_tools_name_is_one_that_models_allow() -> None:
    assert [registry.model_name(tool) for tool in registry.TOOLS] == ["orq_current_date", "orq_datetime"]

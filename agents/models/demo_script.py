"""What the demo models do with a request: a script of calls, words and pauses, written before a word of it is played."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import orjson

from agents.models import demo_intent, json_sample
from agents.models.base import ErrorCode, ModelError, ModelRequest
from shared.items import CALL_OUTPUTS, CALLS, Item, Json, output_text, text_of

DISCLAIMER: Final = "This is Rondo's demo assistant: a script, not a language model."

MOST: Final[dict[str, int]] = {
    "tokens": 1_000_000,
    "rate": 100_000,
    "tools": 128,
    "after": 1_000_000,
    "fail": 599,
    "delay_ms": 600_000,
}
"""The directives of `load`, and the most each may ask for."""

_STATUSES: Final[dict[int, ErrorCode]] = {
    400: "invalid_prompt",
    401: "provider_authentication",
    403: "provider_authentication",
    404: "model_not_found",
    408: "provider_timeout",
    429: "rate_limit_exceeded",
    504: "provider_timeout",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One tool call of a script."""

    name: str
    arguments: str
    kind: Literal["function", "custom"] = "function"


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """One turn: the calls, then the pieces of text at `rate` per second (0: as fast as possible).

    They begin after `delay` seconds. `failure` is raised when `after` pieces have been said.
    """

    calls: tuple[Call, ...] = ()
    pieces: Sequence[str] = ()
    rate: float = 0.0
    delay: float = 0.0
    failure: ModelError | None = None
    after: int = 0


@dataclass(frozen=True, slots=True)
class Exchange:
    """The newest part of a conversation: what the user said last, and the calls and outputs that followed it."""

    text: str
    calls: list[Item]
    outputs: list[Item]


def write(request: ModelRequest) -> Script:
    """Write the turn's script; raise ModelError `model_not_found` for a model that the demo does not have."""
    writer = WRITERS.get(request.model)
    if writer is None:
        known = ", ".join(f"demo/{name}" for name in WRITERS)
        raise ModelError("model_not_found", f"There is no model demo/{request.model}. The demo has {known}.")
    return writer(request, exchange(request.items))


def exchange(items: list[Item]) -> Exchange:
    """Find the last user message and the calls and outputs after it."""
    start = max((at for at, item in enumerate(items) if item.get("role") == "user"), default=-1)
    after = items[start + 1 :]
    return Exchange(
        text_of(items[start]) if start >= 0 else "",
        [item for item in after if item.get("type") in CALLS],
        [item for item in after if item.get("type") in CALL_OUTPUTS],
    )


def pieces(text: str) -> list[str]:
    """Cut a text into words, each with the white space after it; joined, they are the text."""
    return re.findall(r"\s*\S+\s*|\s+", text)


def directives(text: str) -> dict[str, int]:
    """Read `tokens=200 rate=50 tools=3 fail=429 after=3` from anywhere in a text, each within its bound."""
    found = re.findall(r"\b([a-z_]+)=(\d{1,9})\b", text)
    return {name: min(int(number), MOST[name]) for name, number in found if name in MOST}


def _echo(_request: ModelRequest, last: Exchange) -> Script:
    """Say what the user said."""
    return Script(pieces=pieces(last.text))


def _load(request: ModelRequest, last: Exchange) -> Script:
    """Do what the directives say: calls of the first tool until they are answered, then numbered tokens."""
    asked = directives(last.text)
    tools = _usable(request)
    missing = asked.get("tools", 0) - len(last.calls)
    if tools and missing > 0:
        arguments = demo_intent.arguments(tools[0], last.text)
        return Script(calls=(_call(tools[0], arguments),) * (missing if request.parallel_tool_calls else 1))
    return Script(
        pieces=[f"{number} " for number in range(1, asked.get("tokens", 0) + 1)],
        rate=float(asked.get("rate", 0)),
        delay=asked.get("delay_ms", 0) / 1000,
        failure=failure(asked.get("fail", 0)),
        after=asked.get("after", 0),
    )


def failure(status: int) -> ModelError | None:
    """Make the error that a provider's HTTP status stands for."""
    if not status:
        return None
    code = _STATUSES.get(status, "provider_unavailable")
    retry_after = 1.0 if status == 429 else None
    return ModelError(code, f"The demo was asked to fail with {status}.", provider_status=status, retry_after=retry_after)


def _assistant(request: ModelRequest, last: Exchange) -> Script:
    """Call the tools that the text asks for, then tell what they gave; without one, say what this is."""
    called = {call.get("name") for call in last.calls}
    missing = [tool for tool in _chosen(request, last.text) if tool.get("name") not in called]
    if missing:
        calls = tuple(_call(tool, demo_intent.arguments(tool, last.text)) for tool in missing)
        return Script(calls=calls if request.parallel_tool_calls else calls[:1])
    return Script(pieces=pieces(_structured(request) or _results(last) or _introduction(_usable(request))))


def _usable(request: ModelRequest) -> list[Json]:
    """List the tools that may be called this turn."""
    if request.tool_choice == "none":
        return []
    return [tool for tool in request.tools if tool.get("type") in {"function", "custom"}]


def _chosen(request: ModelRequest, text: str) -> list[Json]:
    """Choose the tools to call for a text, as `tool_choice` demands; a demanded call is made once for each user message."""
    tools = _usable(request)
    match request.tool_choice:
        case dict(choice):
            return [tool for tool in tools if tool.get("name") == choice.get("name")]
        case "required":
            return demo_intent.wanted(tools, text) or tools[:1]
        case _:
            return demo_intent.wanted(tools, text)


def _call(tool: Json, arguments: str) -> Call:
    """Call a tool."""
    return Call(name=tool["name"], arguments=arguments, kind="custom" if tool.get("type") == "custom" else "function")


def _structured(request: ModelRequest) -> str | None:
    """Answer in the JSON that the client demands; None where it demands none."""
    form: Json = request.text.get("format") or {}
    match form.get("type"):
        case "json_schema":
            value: Any = json_sample.sample(form.get("schema") or {})
        case "json_object":
            value = {"answer": DISCLAIMER}
        case _:
            return None
    return orjson.dumps(value).decode()


def _results(last: Exchange) -> str | None:
    """Tell what the tools gave; None if none was called."""
    if not last.outputs:
        return None
    names = {call.get("call_id"): call.get("name") for call in last.calls}
    told = (
        f"{names.get(each.get('call_id')) or 'a tool'} gave {output_text(each.get('output') or '')}" for each in last.outputs
    )
    return f"{DISCLAIMER} Here is what your tools said: {'; '.join(told)}."


def _introduction(tools: list[Json]) -> str:
    """Say what this is and what it can do."""
    if not tools:
        return (
            f"{DISCLAIMER} Give it tools, and ask for what they do: it calls them and tells you their results. "
            "With `orq:current_date` among the tools, ask what time it is in Europe/Amsterdam."
        )
    names = ", ".join(tool["name"] for tool in tools)
    return f"{DISCLAIMER} It can call {names}: ask for what they do, by name or in plain words, and it tells you the results."


WRITERS: Final[dict[str, Callable[[ModelRequest, Exchange], Script]]] = {
    "echo": _echo,
    "assistant": _assistant,
    "load": _load,
}
"""The demo's models."""

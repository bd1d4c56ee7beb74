"""A chat completion's body as one turn of a model."""

from collections.abc import Mapping
from typing import Any, Final

from agents.chat import reading
from agents.chat.messages import items
from agents.models.base import ModelError, ModelRequest, Sampling, Timeouts
from shared.items import Json

IGNORED: Final = frozenset(
    {
        *("stream", "stream_options", "store", "metadata", "seed", "logit_bias", "prediction", "modalities", "n", "logprobs"),
        *("functions", "function_call", "max_tokens", "messages", "prompt_cache_options", "reasoning_split"),
    }
)
"""Members that are read elsewhere, or that no other wire knows: those do not change what an answer may be."""

_NUMBERS: Final = ("temperature", "top_p", "presence_penalty", "frequency_penalty")
_PASSED: Final = (
    *("prompt_cache_key", "prompt_cache_retention", "safety_identifier", "service_tier", "user", "cache_control"),
)
_KNOWN: Final = frozenset(
    {
        *(*_NUMBERS, *_PASSED, *IGNORED),
        *("top_k", "top_logprobs", "max_completion_tokens", "stop", "reasoning_effort", "reasoning", "thinking", "verbosity"),
        *("response_format", "tools", "tool_choice", "parallel_tool_calls"),
    }
)
_BUDGETS: Final[Mapping[str, int]] = {"minimal": 1024, "low": 2048, "medium": 8192, "high": 16_384, "xhigh": 24_576}
"""Tokens to think with, and the effort that they mean."""
_LOGPROBS: Final = "message.output_text.logprobs"


def read(body: Json, *, model: str, timeouts: Timeouts) -> ModelRequest:
    """Translate a body. Raises ModelError that names the member which is wrong, or means nothing to this provider."""
    _refuse(body)
    return ModelRequest(
        model=model,
        items=items(body.get("messages")),
        tools=tools(body),
        tool_choice=tool_choice(body),
        parallel_tool_calls=_flag(body, "parallel_tool_calls", default=True),
        sampling=_sampling(body),
        text=text_format(body),
        reasoning=_reasoning(body),
        passthrough=_passthrough(body),
        timeouts=timeouts,
    )


def _refuse(body: Json) -> None:
    """Refuse what would silently mean nothing."""
    for name, value in body.items():
        if name not in _KNOWN and value is not None:
            raise ModelError("invalid_prompt", f"Unsupported parameter: '{name}' means nothing to this model's provider.")
    if body.get("n") not in (None, 1):
        raise ModelError(
            "invalid_prompt", "Unsupported value: 'n' must be 1 with this model's provider. Send the call again instead."
        )
    if body.get("modalities") not in (None, ["text"]):
        raise ModelError("invalid_prompt", "Unsupported value: 'modalities' can only be [\"text\"] with this model's provider.")


def _flag(body: Json, name: str, *, default: bool) -> bool:
    return default if body.get(name) is None else reading.flag(body[name], name)


def _sampling(body: Json) -> Sampling:
    numbers: dict[str, Any] = {name: reading.number(body[name], name) for name in _NUMBERS if body.get(name) is not None}
    counts: dict[str, Any] = {
        name: reading.integer(body[name], name) for name in ("top_k", "top_logprobs") if body.get(name) is not None
    }
    limit = next((name for name in ("max_completion_tokens", "max_tokens") if body.get(name) is not None), None)
    stop = body.get("stop") or []
    listed = [stop] if isinstance(stop, str) else [reading.text(one, "stop") for one in reading.array(stop, "stop")]
    return Sampling(
        **numbers,
        **counts,
        max_output_tokens=None if limit is None else reading.integer(body[limit], limit, least=1),
        stop=tuple(listed),
    )


def text_format(body: Json) -> Json:
    """Read `response_format` and `verbosity` as a response's `text`."""
    made: Json = {}
    if body.get("verbosity") is not None:
        made["verbosity"] = reading.text(body["verbosity"], "verbosity")
    if (given := body.get("response_format")) is None:
        return made
    form = reading.record(given, "response_format")
    match form.get("type"):
        case "text" | "json_object" as plain:
            return {**made, "format": {"type": plain}}
        case "json_schema":
            schema = reading.record(form.get("json_schema"), "response_format.json_schema")
            reading.text(schema.get("name"), "response_format.json_schema.name")
            reading.record(schema.get("schema") or {}, "response_format.json_schema.schema")
            return {**made, "format": {"type": "json_schema", **schema}}
        case _:
            raise reading.wrong("response_format.type", "one of text, json_object and json_schema")


def tools(body: Json) -> list[Json]:
    """Read `tools`, and `functions` as they were called before, as a response's tools."""
    given = reading.array(body.get("tools") or [], "tools")
    legacy = reading.array(body.get("functions") or [], "functions")
    made = [_tool(reading.record(tool, f"tools[{index}]"), f"tools[{index}]") for index, tool in enumerate(given)]
    return made + [_function(function, f"functions[{index}]") for index, function in enumerate(legacy)]


def _tool(tool: Json, path: str) -> Json:
    match tool.get("type"):
        case "function":
            return _function(tool.get("function"), f"{path}.function") | (
                {"cache_control": tool["cache_control"]} if tool.get("cache_control") else {}
            )
        case "custom":
            custom = reading.record(tool.get("custom"), f"{path}.custom")
            reading.text(custom.get("name"), f"{path}.custom.name")
            return {"type": "custom", **custom}
        case _:
            raise reading.wrong(f"{path}.type", "function or custom")


def _function(given: Any, path: str) -> Json:
    function = reading.record(given, path)
    name = reading.text(function.get("name"), f"{path}.name")
    parameters = reading.record(function.get("parameters") or {"type": "object", "properties": {}}, f"{path}.parameters")
    return {
        "type": "function",
        "name": name,
        "description": function.get("description"),
        "parameters": parameters,
        "strict": function.get("strict"),
    }


def tool_choice(body: Json) -> str | Json:
    """Read `tool_choice`, or `function_call` as it was called before."""
    given = body.get("tool_choice") if body.get("tool_choice") is not None else body.get("function_call")
    match given:
        case None:
            return "auto"
        case "auto" | "none" | "required" as choice:
            return str(choice)
        case {"type": "function", "function": {"name": str(name)}}:
            return {"type": "function", "name": name}
        case {"type": "custom", "custom": {"name": str(name)}}:
            return {"type": "custom", "name": name}
        case {"name": str(name)}:
            return {"type": "function", "name": name}
        case _:
            raise reading.wrong("tool_choice", "auto, none, required, or a function or custom tool by its name")


def _reasoning(body: Json) -> Json:
    """Read how hard to think, which clients say in three ways."""
    if body.get("reasoning_effort") is not None:
        return {"effort": reading.text(body["reasoning_effort"], "reasoning_effort")}
    if body.get("reasoning") is not None:
        return reading.record(body["reasoning"], "reasoning")
    if body.get("thinking") is None:
        return {}
    thinking = reading.record(body["thinking"], "thinking")
    if thinking.get("type") == "disabled":
        return {"effort": "none"}
    budget = reading.integer(thinking.get("budget_tokens", _BUDGETS["medium"]), "thinking.budget_tokens")
    return {"effort": next((effort for effort, tokens in _BUDGETS.items() if budget <= tokens), "max")}


def _passthrough(body: Json) -> Json:
    passed = {name: body[name] for name in _PASSED if body.get(name) is not None}
    return {**passed, "include": [_LOGPROBS]} if _flag(body, "logprobs", default=False) else passed

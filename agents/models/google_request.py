"""The request body of Google's generateContent, made from a `ModelRequest`."""

import re
from typing import Final

import orjson

from agents.models import custom, google_content, hosted, json_subset, turns
from agents.models.base import ModelRequest
from shared.items import Json

BUDGETS: Final = {"minimal": 512, "low": 2048, "medium": 8192, "high": 24_576, "xhigh": 24_576, "max": 24_576}
"""Tokens to think with, for the models that take a budget."""

LEAST_PRO: Final = 128
"""The smallest budget of the `pro` models, which cannot stop thinking."""

_LEVELS: Final = {"low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"}

_SCHEMA: Final = frozenset(
    {
        "$anchor",
        "$defs",
        "$id",
        "$ref",
        "additionalProperties",
        "anyOf",
        "description",
        "enum",
        "format",
        "items",
        "maxItems",
        "maximum",
        "minItems",
        "minimum",
        "oneOf",
        "prefixItems",
        "properties",
        "required",
        "title",
        "type",
    }
)
"""The keywords of JSON Schema that the wire documents."""

_VERSION: Final = re.compile(r"gemini-(\d+)(?:\.(\d+))?")


def build(request: ModelRequest, *, wire: str) -> Json:
    """Make the body of `:streamGenerateContent`. Raises ModelError for content that cannot be sent.

    `wire` names whose signatures may be given back.
    """
    version = _version(request.model)
    tools = _tools(request)
    system = turns.system(request.instructions, request.items)
    answer = _answer_format(request)
    if answer and tools and version < (3, 0):
        # Before version 3 a model cannot both be held to a schema and call tools.
        system.append(_told(answer))
        answer = {}
    body: Json = {
        "contents": google_content.contents(request.items, wire=wire, signed=version >= (3, 0)),
        "systemInstruction": {"parts": [{"text": text} for text in system]} if system else None,
        "tools": [{"functionDeclarations": tools}] if tools else None,
        "toolConfig": _tool_config(request) if tools else None,
        "generationConfig": {**_sampling(request), **answer, **_thinking(request, version)} or None,
    }
    return {name: value for name, value in body.items() if value is not None}


def _version(model: str) -> tuple[int, int]:
    """Read a model's version from its name; (0, 0) for one that is no Gemini, and the newest for an alias without number."""
    found = _VERSION.search(model)
    if found:
        return int(found[1]), int(found[2] or 0)
    return (99, 0) if "gemini-" in model else (0, 0)


def _tools(request: ModelRequest) -> list[Json]:
    """Declare the tools that are called by name; a custom tool takes its input as one string."""
    return [_declaration(tool) for tool in hosted.without(request.tools, wire="google")]


def _declaration(tool: Json) -> Json:
    freeform = tool["type"] == "custom"
    described = custom.describe(tool) if freeform else tool.get("description")
    declared: Json = {"name": tool["name"], "description": described or tool["name"]}
    schema = custom.PARAMETERS if freeform else tool.get("parameters") or {}
    if schema.get("properties"):
        declared["parametersJsonSchema"] = json_subset.subset(schema, _SCHEMA)
    return declared


def _tool_config(request: ModelRequest) -> Json:
    """Translate the tool choice."""
    match request.tool_choice:
        case dict(choice):
            config: Json = {"mode": "ANY", "allowedFunctionNames": [choice.get("name")]}
        case "none":
            config = {"mode": "NONE"}
        case "required":
            config = {"mode": "ANY"}
        case _:
            config = {"mode": "AUTO"}
    return {"functionCallingConfig": config}


def _answer_format(request: ModelRequest) -> Json:
    """Translate the format of the answer; empty for plain text."""
    form = request.text.get("format") or {}
    match form.get("type"):
        case "json_schema":
            schema = json_subset.subset(form.get("schema") or {}, _SCHEMA)
            return {"responseMimeType": "application/json", "responseJsonSchema": schema}
        case "json_object":
            return {"responseMimeType": "application/json"}
        case _:
            return {}


def _told(answer: Json) -> str:
    """Ask in words for what the wire cannot be asked for."""
    sentence = "Give your final answer as JSON and as nothing else: no prose, no code fence."
    schema = answer.get("responseJsonSchema")
    return f"{sentence} It must satisfy this JSON Schema: {orjson.dumps(schema).decode()}" if schema else sentence


def _sampling(request: ModelRequest) -> Json:
    given = request.sampling
    config: Json = {
        "temperature": given.temperature,
        "topP": given.top_p,
        "topK": given.top_k,
        "presencePenalty": given.presence_penalty,
        "frequencyPenalty": given.frequency_penalty,
        "maxOutputTokens": given.max_output_tokens,
        "stopSequences": list(given.stop) or None,
    }
    return {name: value for name, value in config.items() if value is not None}


def _thinking(request: ModelRequest, version: tuple[int, int]) -> Json:
    """Translate effort and summary for the models that think: a level from version 3 on, a budget in 2.5."""
    effort: str = request.reasoning.get("effort") or ""
    config: Json = {}
    if version >= (3, 0) and effort:
        flash = "flash" in request.model
        config["thinkingLevel"] = _LEVELS.get(effort, "minimal" if flash else "low")
    elif version >= (2, 5) and effort:
        asked = request.reasoning.get("budget_tokens")
        config["thinkingBudget"] = asked or BUDGETS.get(effort, LEAST_PRO if "pro" in request.model else 0)
    if version >= (2, 5) and request.reasoning.get("summary") and effort != "none":
        config["includeThoughts"] = True
    return {"thinkingConfig": config} if config else {}

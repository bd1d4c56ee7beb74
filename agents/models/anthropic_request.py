"""The request body of Anthropic's Messages API, made from a `ModelRequest`."""

from typing import Any, Final

from agents.models import anthropic_content, custom, hosted, json_subset
from agents.models.anthropic_model import Generation, generation
from agents.models.base import ModelRequest
from shared.items import Json

BUDGETS: Final = {"minimal": 1024, "low": 2048, "medium": 8192, "high": 16_384, "xhigh": 24_576, "max": 28_672}
"""Tokens to think with, for models that take a budget; at least 1024, by the wire's rule."""

LEAST_BUDGET: Final = 1024

_SCHEMA: Final = frozenset(
    {
        "type",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "anyOf",
        "allOf",
        "enum",
        "const",
        "format",
        "description",
        "$ref",
        "$defs",
        "definitions",
    }
)
"""The keywords that constrained decoding knows."""

_STRICT: Final = 20
"""Tools that one request may hold to their schemas."""

_JSON_ONLY: Final = "Answer with one JSON object and with nothing else: no prose, no code fence."
_TIERS: Final = {"auto": "auto", "priority": "auto", "default": "standard_only"}


def build(request: ModelRequest, *, wire: str) -> Json:
    """Make the body of `POST /v1/messages`, streaming. Raises ModelError for content that cannot be sent.

    `wire` names whose reasoning may be given back.
    """
    version = generation(request.model)
    form = request.text.get("format") or {}
    system = anthropic_content.system(request.instructions, request.items)
    if form.get("type") == "json_object":
        system.append({"type": "text", "text": _JSON_ONLY})
    messages = anthropic_content.messages(request.items, wire=wire)
    most = request.sampling.max_output_tokens or version.max_tokens
    tools = _tools(request, version)
    thinking = _thinking(request, version, most=most, thoughtless=anthropic_content.thoughtless(messages))
    body: Json = {
        "model": request.model,
        "max_tokens": most,
        "stream": True,
        "messages": messages,
        "system": system,
        "tools": tools,
        "tool_choice": _tool_choice(request) if tools else None,
        "thinking": thinking,
        "output_config": _output_config(request, version),
        "stop_sequences": list(request.sampling.stop),
        **_sampling(request, version, thinking=thinking),
        **_passthrough(request),
    }
    return {name: value for name, value in body.items() if value not in (None, [], {})}


def answer_tool(request: ModelRequest) -> str | None:
    """Name the tool whose arguments are the answer, for models that know structured output in no other way; else None."""
    form = request.text.get("format") or {}
    if form.get("type") != "json_schema" or generation(request.model).structured:
        return None
    return form.get("name") or "answer"


def _forced(request: ModelRequest) -> bool:
    """Tell whether the model must call a tool."""
    return request.tool_choice == "required" or isinstance(request.tool_choice, dict) or answer_tool(request) is not None


def _tools(request: ModelRequest, version: Generation) -> list[Json]:
    """Declare the tools that are called by name; a custom tool takes its input as one string."""
    tools = hosted.without(request.tools, wire="anthropic")
    holds = version.structured and sum(tool.get("strict") is True for tool in tools) <= _STRICT
    declared = [_tool(tool, strict=holds and tool.get("strict") is True) for tool in tools]
    if name := answer_tool(request):
        schema = request.text["format"].get("schema") or {}
        declared.append({"name": name, "description": "Give the final answer.", "input_schema": {"type": "object", **schema}})
    return declared


def _tool(tool: Json, *, strict: bool) -> Json:
    """Declare one tool; `strict` holds its calls to its schema."""
    schema = {"type": "object", "properties": {}, **(tool.get("parameters") or {})}
    declared: Json = {"name": tool["name"], "input_schema": schema, "description": tool.get("description")}
    if tool["type"] == "custom":
        declared |= {"input_schema": custom.PARAMETERS, "description": custom.describe(tool)}
    elif strict:
        declared |= {"strict": True, "input_schema": json_subset.subset(schema, _SCHEMA, closed=True)}
    declared["cache_control"] = tool.get("cache_control")
    return {name: value for name, value in declared.items() if value}


def _tool_choice(request: ModelRequest) -> Json:
    """Translate the tool choice, and whether several calls may be made at once."""
    single = {} if request.parallel_tool_calls else {"disable_parallel_tool_use": True}
    answer = answer_tool(request)
    others = any(tool.get("type") in {"function", "custom"} for tool in request.tools)
    match request.tool_choice:
        case dict(choice):
            return {"type": "tool", "name": choice.get("name"), **single}
        case "none" if answer is None:
            return {"type": "none"}
        case _ if answer is not None and (request.tool_choice == "none" or not others):
            return {"type": "tool", "name": answer, **single}
        case _:
            return {"type": "any" if _forced(request) else "auto", **single}


def _thinking(request: ModelRequest, version: Generation, *, most: int, thoughtless: bool) -> Json | None:
    """Translate the reasoning effort; None leaves the model's default. A forced call leaves no room to think.

    Nor does a turn that is to go on and began without a thought, for models that take a budget.
    """
    effort: str = request.reasoning.get("effort") or ""
    summary = request.reasoning.get("summary")
    if not effort and not (summary and version.adaptive):
        return None
    if effort == "none" or _forced(request):
        return {"type": "disabled"} if version.adaptive and not version.always_thinks else None
    if version.adaptive:
        return {"type": "adaptive", "display": "summarized"} if summary else {"type": "adaptive"}
    if thoughtless or (version.version is not None and version.version < (3, 7)):
        return None
    asked = max(LEAST_BUDGET, request.reasoning.get("budget_tokens") or BUDGETS.get(effort, LEAST_BUDGET))
    budget = min(asked, most - LEAST_BUDGET)
    return {"type": "enabled", "budget_tokens": budget} if budget >= LEAST_BUDGET else None


def _output_config(request: ModelRequest, version: Generation) -> Json:
    """Translate effort and answer format, for the models that know them."""
    config: Json = {}
    effort = request.reasoning.get("effort")
    if effort and effort != "none" and version.adaptive:
        config["effort"] = _effort(effort, version)
    form = request.text.get("format") or {}
    if form.get("type") == "json_schema" and version.structured:
        schema = json_subset.subset(form.get("schema") or {}, _SCHEMA, closed=True)
        config["format"] = {"type": "json_schema", "schema": schema}
    return config


def _effort(effort: str, version: Generation) -> str:
    """Name the wire's nearest effort."""
    if effort == "minimal":
        return "low"
    return "high" if effort == "xhigh" and version.version == (4, 6) else effort


def _sampling(request: ModelRequest, version: Generation, *, thinking: Json | None) -> Json:
    """Translate sampling for the models that allow it: of temperature and top_p only one, and none while they think."""
    if not version.samples or (thinking or {}).get("type") in {"enabled", "adaptive"}:
        return {}
    given = request.sampling
    temperature = None if given.temperature is None else min(given.temperature, 1.0)
    return {"temperature": temperature, "top_p": given.top_p if temperature is None else None, "top_k": given.top_k}


def _passthrough(request: ModelRequest) -> Json:
    """Translate what identifies the user, asks for a tier, or for a prompt cache."""
    given: dict[str, Any] = request.passthrough
    user = given.get("safety_identifier") or given.get("user")
    return {
        "metadata": {"user_id": user} if user else None,
        "service_tier": _TIERS.get(given.get("service_tier") or ""),
        "cache_control": given.get("cache_control") or ({"type": "ephemeral"} if given.get("prompt_cache_key") else None),
    }

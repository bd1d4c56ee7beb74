"""What spans of models, agents and tools say, in the words of OpenTelemetry's conventions for generative AI.

Those are still in development, and the SDK's constants for them deprecated, so the names stand here. Where the conventions have
none, names begin with `rondo.`. Costs and tokens stand on model calls alone, so that a trace's sum counts nothing twice.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

import orjson

from agents.models.base import FinishReason, Usage
from shared.items import CALL_OUTPUTS, CALLS, Item, Json
from shared.telemetry import Value

_PROVIDERS: Final = {
    "gemini": "gcp.gemini",
    "google": "gcp.gemini",
    "google-ai": "gcp.gemini",
    "mistral": "mistral_ai",
    "moonshot": "moonshot_ai",
    "xai": "x_ai",
}
"""Providers that the conventions know by another name."""
_OPERATIONS: Final = {"chat/completions": "chat", "completions": "text_completion"}
_REASONS: Final[Mapping[FinishReason, str]] = {
    "stop": "stop",
    "max_output_tokens": "length",
    "content_filter": "content_filter",
}
MOST: Final = 65_536
"""Characters of what was said that a span may hold."""


def operation(endpoint: str) -> str:
    """Name what an endpoint of the router does."""
    return _OPERATIONS.get(endpoint) or endpoint.replace("/", "_")


def model_call(asked: str, operation: str) -> dict[str, Value | None]:
    """Say whom a call is for; `asked` is `provider/model`."""
    provider, _, model = asked.partition("/")
    return {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": _PROVIDERS.get(provider, provider),
        "gen_ai.request.model": model,
    }


def finished(reason: FinishReason) -> dict[str, Value | None]:
    """Say why a model stopped."""
    return {"gen_ai.response.finish_reasons": (_REASONS[reason],)}


def took(usage: Usage | None, cost: Decimal | None) -> dict[str, Value | None]:
    """Say what a model call took; the cost is in US dollars."""
    known = {} if cost is None else {"rondo.cost": float(cost)}
    if usage is None:
        return dict(known)
    return {
        "gen_ai.usage.input_tokens": usage.input,
        "gen_ai.usage.output_tokens": usage.output,
        "gen_ai.usage.cache_read.input_tokens": usage.cached or None,
        "gen_ai.usage.cache_creation.input_tokens": usage.cache_write or None,
        "gen_ai.usage.reasoning.output_tokens": usage.reasoning or None,
        **known,
    }


def about(identity: str | None, thread: str | None) -> dict[str, Value | None]:
    """Say on whose behalf something is done."""
    return {"rondo.identity.id": identity, "gen_ai.conversation.id": thread}


def agent(planned: Json) -> dict[str, Value | None]:
    """Say which agent acts; `planned` is the plan's member of that name, empty without one."""
    return {
        "gen_ai.agent.id": planned.get("id"),
        "gen_ai.agent.name": planned.get("key"),
        "gen_ai.agent.version": planned.get("version"),
    }


def messages(items: Iterable[Item]) -> str:
    """Write items, or the messages of a chat, as the conventions have them: a role and its parts; cut off where it is long."""
    return bounded([_message(item) for item in items])


def bounded(value: Any) -> str:
    """Write what was said as text of bounded length."""
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return text if len(text) <= MOST else f"{text[:MOST]}…"


def _message(item: Item) -> Json:
    type_ = item.get("type", "message")
    if type_ in CALLS:
        call = {"id": item.get("call_id"), "name": item.get("name"), "arguments": item.get("arguments", item.get("input"))}
        return {"role": "assistant", "parts": [{"type": "tool_call", **call}]}
    if type_ in CALL_OUTPUTS:
        told = {"id": item.get("call_id"), "response": item.get("output")}
        return {"role": "tool", "parts": [{"type": "tool_call_response", **told}]}
    if type_ != "message":
        return {"role": "assistant", "parts": [{"type": type_}]}
    return {"role": item.get("role", "user"), "parts": _parts(item.get("content"))}


def _parts(content: Any) -> list[Json]:
    if isinstance(content, str):
        return [{"type": "text", "content": content}]
    return [_part(part) for part in content or () if isinstance(part, dict)]


def _part(part: Json) -> Json:
    text = part.get("text")
    return {"type": "text", "content": text} if isinstance(text, str) else {"type": part.get("type", "unknown")}

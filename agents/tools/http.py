"""Saved HTTP tools: a request that its author wrote, with places that the model and the variables fill."""

from typing import Any, Final

import orjson

from agents import net
from agents.models.http import retry_after
from agents.tools import blueprint
from agents.tools.base import Call, Effect, Function, Queue, ToolError, ToolUnavailable
from shared.items import Json

MAX_BYTES: Final = 256 * 1024

_TOLD: Final = ("content-type", "location", "link", "etag", "last-modified", "retry-after", "x-request-id")
"""Headers that can help a model."""

_EFFECTS: Final[dict[str, Effect]] = {"GET": "pure", "HEAD": "pure", "PUT": "idempotent", "DELETE": "idempotent"}


class Http:
    """`orq:http`."""

    queue: Queue = "tools"

    def offer(self, spec: Json, /) -> Function:
        """Offer the arguments that the tool's author sends to models."""
        parameters = blueprint.schema(spec["http"].get("arguments") or {})
        return Function(name=spec["name"], description=spec.get("description") or "", parameters=parameters)

    def effect(self, spec: Json, /) -> Effect:
        """Say what the method promises: RFC 9110 9.2."""
        return _EFFECTS.get(_method(spec), "at_most_once")

    def timeout(self, spec: Json, /) -> float:
        """The author's bound, which is at most ten minutes."""
        return min(max(float(spec["http"]["blueprint"].get("timeout") or 60.0), 1.0), 600.0)

    async def run(self, spec: Json, arguments: Json, call: Call, /) -> Any:
        """Return `{status, headers, body, truncated}`; raises `ToolError` with the answer for statuses from 400 on."""
        request = blueprint.render(spec["http"], arguments, variables=call.variables, secrets=call.secrets, engine=call.engine)
        named = {name.lower() for name in request.headers}
        key = (
            {} if request.method in {"GET", "HEAD"} or "idempotency-key" in named else {"Idempotency-Key": call.idempotency_key}
        )
        answer = await net.fetch(
            call.box.http,
            request.method,
            request.url,
            headers=key | request.headers,
            content=request.content,
            timeout=call.timeout,
            max_bytes=MAX_BYTES,
        )
        _check(answer, now=call.now.timestamp())
        return {
            "status": answer.status,
            "headers": {name: answer.headers[name] for name in _TOLD if name in answer.headers},
            "body": call.scrubber.split(answer.text)[0] if answer.truncated and call.scrubber else _body(answer),
            "truncated": answer.truncated,
        }


def _method(spec: Json) -> str:
    return str(spec["http"]["blueprint"].get("method") or "GET").upper()


def _check(answer: net.Fetched, *, now: float) -> None:
    if answer.status < 400:
        return
    message = f"HTTP {answer.status}: {answer.text}"
    if answer.status in {429, 502, 503, 504}:
        raise ToolUnavailable(message, retry_after=retry_after(answer.headers, now=now))
    raise ToolError(message)


def _body(answer: net.Fetched) -> Any:
    """Read JSON that is whole; the rest is text."""
    kind = answer.media_type
    if not (answer.truncated or not answer.body) and (kind.endswith(("/json", "+json")) or not kind):
        try:
            return orjson.loads(answer.body)
        except orjson.JSONDecodeError:
            return answer.text
    return answer.text

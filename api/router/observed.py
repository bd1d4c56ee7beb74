"""What traces and numbers are told of a router call: a span of its own, and one below it for every attempt."""

from typing import Final

from agents import spans
from agents.attempts import Attempt
from agents.models.base import Usage
from agents.models.upstream import Endpoint
from api.router.envelope import Envelope
from api.router.recorder import Record
from shared import metrics, telemetry
from shared.telemetry import Span

_SPOKEN: Final = ("messages", "input", "prompt", "query")
"""Members of a body that hold what is asked."""


class Watch:
    """One call, as it is seen from outside."""

    def __init__(self, call_id: str, endpoint: Endpoint, envelope: Envelope) -> None:
        """Begin the call's span, below the request's."""
        self._endpoint = endpoint
        self._envelope = envelope
        self._answering: Span = telemetry.OFF
        self._attempts = 0
        self._span = telemetry.begin(f"router {endpoint}")
        if telemetry.on():
            self._describe(call_id)

    def attempt(self, attempt: Attempt) -> None:
        """Tell of an attempt that is over, or whose answer has begun: its span then ends with the call."""
        self._attempts += 1
        metrics.attempt(provider=_provider(attempt.model), outcome=attempt.code or "answered", seconds=attempt.seconds)
        if not telemetry.on():
            return
        span = self._begin(attempt)
        if attempt.code is None:
            self._answering = span
            return
        span.fail(attempt.code)
        span.end()

    def end(self, record: Record, usage: Usage | None) -> None:
        """Tell how the call ended."""
        self._count(record)
        if not telemetry.on():
            return
        self._answering.set(spans.took(usage, record.cost))
        self._span.set({"rondo.status": record.status, "rondo.cache": record.cache, "rondo.attempts": self._attempts})
        if record.status != "completed":
            code = (record.error or {}).get("code") or record.status
            self._answering.fail(code)
            self._span.fail(code)
        self._answering.end()
        self._span.end()

    def _describe(self, call_id: str) -> None:
        """Say what is known of the call from the beginning."""
        said = self._envelope
        self._span.set(
            {
                "rondo.call.id": call_id,
                "rondo.endpoint": self._endpoint,
                "rondo.model": said.model,
                "rondo.name": said.name,
                "rondo.tags": said.tags or None,
                **spans.about((said.identity or {}).get("id"), (said.thread or {}).get("id")),
            }
        )
        if telemetry.content():
            asked = next((said.body[name] for name in _SPOKEN if name in said.body), None)
            items = asked if isinstance(asked, list) else [{"role": "user", "content": asked}]
            self._span.set({"gen_ai.input.messages": spans.messages(item for item in items if isinstance(item, dict))})

    def _begin(self, attempt: Attempt) -> Span:
        """Begin an attempt's span, which is told of late."""
        operation = spans.operation(self._endpoint)
        model = attempt.model.partition("/")[2]
        attributes = {
            **spans.model_call(attempt.model, operation),
            "gen_ai.request.stream": self._envelope.body.get("stream") is True,
            "gen_ai.response.model": None if attempt.code else model,
            "rondo.attempt": self._attempts,
            "rondo.fallback": attempt.model != self._envelope.policy.models[0],
            "http.response.status_code": attempt.status,
        }
        return telemetry.begin(
            f"{operation} {model}", kind="client", attributes=attributes, under=self._span, ago=attempt.seconds
        )

    def _count(self, record: Record) -> None:
        provider = _provider(record.answered_by or self._envelope.policy.models[0])
        metrics.router_call(
            endpoint=record.endpoint,
            provider=provider,
            status=record.status,
            cache=record.cache,
            seconds=(record.finished_at - record.started_at).total_seconds(),
        )
        if record.answered_by is None or record.cache == "hit":
            return
        first, used = record.first_token_ms, record.usage
        metrics.router_answer(
            endpoint=record.endpoint,
            provider=provider,
            first_token=None if first is None else first / 1000,
            tokens=(used["input_tokens"], used["output_tokens"]) if used else None,
            cost=None if record.cost is None else float(record.cost),
        )


def _provider(model: str) -> str:
    return model.partition("/")[0]

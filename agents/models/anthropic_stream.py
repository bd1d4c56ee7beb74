"""The event stream of Anthropic's Messages API, read into our events."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

import orjson

from agents.models import custom, http, opaque
from agents.models.base import (
    AnnotationAdded,
    ErrorCode,
    Finished,
    FinishReason,
    ModelError,
    ModelEvent,
    ReasoningDone,
    ReasoningSummaryDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallDone,
    ToolCallStarted,
    Usage,
)
from shared.items import Json

_REASONS: Final[dict[str, FinishReason]] = {
    "max_tokens": "max_output_tokens",
    "model_context_window_exceeded": "max_output_tokens",
    "refusal": "content_filter",
}
"""Why a turn ended, where it is more than that the model was done."""

_TIERS: Final = {"standard": "default", "priority": "priority", "batch": "flex"}

_ERRORS: Final[dict[str, ErrorCode]] = {
    "authentication_error": "provider_authentication",
    "permission_error": "provider_authentication",
    "billing_error": "insufficient_quota",
    "not_found_error": "model_not_found",
    "rate_limit_error": "rate_limit_exceeded",
    "request_too_large": "context_length_exceeded",
    "invalid_request_error": "invalid_prompt",
    "timeout_error": "provider_timeout",
    "overloaded_error": "provider_unavailable",
    "api_error": "provider_unavailable",
}
_TOO_LONG: Final = ("prompt is too long", "context window", "context limit", "maximum context length")
_OUT_OF_CREDIT: Final = "credit balance"


def explain(status: int, body: bytes) -> ModelError:
    """Make the error of an answer that is no success."""
    error = http.members(body).get("error")
    fallback = http.code_of(status)
    return failure(error if isinstance(error, dict) else {}, fallback, f"The provider answered with status {status}.")


def failure(error: Json, fallback: ErrorCode, sentence: str) -> ModelError:
    """Translate an error object; `fallback` and `sentence` are for what it does not say."""
    message = str(error.get("message") or sentence)
    code = _ERRORS.get(error.get("type") or "", fallback)
    if code == "invalid_prompt" and any(hint in message.lower() for hint in _TOO_LONG):
        code = "context_length_exceeded"
    elif code == "invalid_prompt" and _OUT_OF_CREDIT in message.lower():
        code = "insufficient_quota"
    return ModelError(code, message)


@dataclass(slots=True)
class _Block:
    """The content block that is being received; the wire sends one after the other."""

    start: Json
    key: str
    text: list[str] = field(default_factory=list)
    signature: str = ""
    citations: list[Json] = field(default_factory=list)


class Reader:
    """Reads one turn."""

    def __init__(self, wire: str, *, custom_tools: Iterable[str] = (), answer: str | None = None) -> None:
        """Reasoning is sealed for `wire`; custom tools take their input as one argument; the arguments of `answer` are text."""
        self._wire = wire
        self._custom = frozenset(custom_tools)
        self._answer = answer
        self._block: _Block | None = None
        self._usage: Json = {}
        self._stop: Json = {}
        self._written = 0

    def read(self, name: str, data: bytes) -> Iterable[ModelEvent]:
        """Translate one event; raise ModelError for an `error` event. Unknown events and blocks are passed over."""
        event = orjson.loads(data)
        match event.get("type") or name:
            case "content_block_delta":
                return self._delta(event)
            case "content_block_start":
                return self._begin(event)
            case "content_block_stop":
                return self._end()
            case "message_start":
                self._usage.update(event["message"].get("usage") or {})
            case "message_delta":
                return self._stopping(event)
            case "message_stop":
                return self._finish()
            case "error":
                error = event.get("error") or {}
                raise failure(error, "provider_unavailable", "The provider failed in the middle of its answer.")
        return ()

    def end(self) -> Iterable[ModelEvent]:
        """Finish a turn that told why it stopped and then lacked only its last event."""
        if not self._stop:
            raise http.cut_short()
        return self._finish()

    def _begin(self, event: Json) -> Iterator[ModelEvent]:
        start = event["content_block"]
        block = self._block = _Block(start, str(event.get("index", 0)))
        match start["type"]:
            case "text" if start.get("text"):
                yield from self._text(start["text"])
            case "tool_use" if start["name"] != self._answer:
                yield ToolCallStarted(block.key, start["id"], start["name"], self._kind(start["name"]))

    def _delta(self, event: Json) -> Iterator[ModelEvent]:
        delta, block = event["delta"], self._current()
        match delta["type"]:
            case "text_delta":
                yield from self._text(delta["text"])
            case "thinking_delta":
                block.text.append(delta["thinking"])
                yield ReasoningSummaryDelta(delta["thinking"])
            case "signature_delta":
                block.signature += delta["signature"]
            case "input_json_delta":
                yield from self._arguments(block, delta["partial_json"])
            case "citations_delta":
                block.citations.append(delta["citation"])

    def _end(self) -> Iterator[ModelEvent]:
        block, self._block = self._current(), None
        match block.start["type"]:
            case "thinking":
                thought = {"type": "thinking", "thinking": "".join(block.text), "signature": block.signature}
                yield ReasoningDone(opaque.seal(self._wire, {"blocks": [thought]}) if block.signature else None)
            case "redacted_thinking":
                yield ReasoningDone(opaque.seal(self._wire, {"blocks": [block.start]}))
            case "tool_use":
                yield from self._call_end(block)
            case "text":
                yield from self._citations(block)

    def _arguments(self, block: _Block, piece: str) -> Iterator[ModelEvent]:
        """Pass a call's arguments on, except those of a custom tool, which must be whole to be unwrapped."""
        block.text.append(piece)
        name = block.start.get("name")
        if name == self._answer:
            yield from self._text(piece)
        elif name not in self._custom and piece:
            yield ToolCallDelta(block.key, piece)

    def _call_end(self, block: _Block) -> Iterator[ModelEvent]:
        """End a call; arguments that came whole, with the block's start, are told now."""
        arguments, name = "".join(block.text), block.start["name"]
        late = "" if arguments else orjson.dumps(block.start.get("input") or {}).decode()
        if name in self._custom:
            late = custom.unwrap(arguments or late)
        if name == self._answer:
            yield from self._text(late) if late else ()
            return
        if late:
            yield ToolCallDelta(block.key, late)
        yield ToolCallDone(block.key)

    def _text(self, text: str) -> Iterator[ModelEvent]:
        if self._block is not None and self._block.start["type"] == "text":
            self._block.text.append(text)
        self._written += len(text)
        yield TextDelta(text)

    def _citations(self, block: _Block) -> Iterator[ModelEvent]:
        """Tell which pages the block's text cites; citations of the client's own documents have no address."""
        for citation in block.citations:
            if url := citation.get("url"):
                yield AnnotationAdded(
                    {
                        "type": "url_citation",
                        "url": url,
                        "title": citation.get("title") or "",
                        "start_index": self._written - sum(map(len, block.text)),
                        "end_index": self._written,
                    }
                )

    def _stopping(self, event: Json) -> Iterator[ModelEvent]:
        """Note why the turn stops; the counts here are totals, and those that are null say nothing."""
        self._usage.update({name: count for name, count in (event.get("usage") or {}).items() if count is not None})
        self._stop.update(event.get("delta") or {})
        explanation = (self._stop.get("stop_details") or {}).get("explanation")
        if explanation:
            yield RefusalDelta(explanation)

    def _finish(self) -> Iterator[ModelEvent]:
        yield Finished(
            reason=_REASONS.get(self._stop.get("stop_reason") or "", "stop"),
            usage=_usage(self._usage) if self._usage else None,
            service_tier=_TIERS.get(self._usage.get("service_tier") or ""),
        )

    def _current(self) -> _Block:
        if self._block is None:
            raise ModelError("provider_protocol", "The provider sent content that belongs to no block.")
        return self._block

    def _kind(self, name: str) -> Literal["function", "custom"]:
        return "custom" if name in self._custom else "function"


def _usage(counts: Json) -> Usage:
    """Count tokens as Responses do: input and output include what was cached and what was thought."""
    cached, written = counts.get("cache_read_input_tokens") or 0, counts.get("cache_creation_input_tokens") or 0
    return Usage(
        input=(counts.get("input_tokens") or 0) + cached + written,
        cached=cached,
        cache_write=written,
        output=counts.get("output_tokens") or 0,
        reasoning=(counts.get("output_tokens_details") or {}).get("thinking_tokens") or 0,
    )

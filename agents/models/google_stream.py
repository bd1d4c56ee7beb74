"""The event stream of Google's generateContent, read into our events."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import orjson

from agents.models import custom, http, opaque
from agents.models.base import (
    AnnotationAdded,
    ErrorCode,
    Finished,
    FinishReason,
    ItemDone,
    ModelError,
    ModelEvent,
    ReasoningDone,
    ReasoningSummaryDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallDone,
    ToolCallStarted,
    Usage,
)
from shared.items import Json

_REASONS: Final[dict[str, FinishReason]] = {
    "MAX_TOKENS": "max_output_tokens",
    "CONTINUATION": "max_output_tokens",
    **dict.fromkeys(
        (
            "SAFETY",
            "RECITATION",
            "LANGUAGE",
            "BLOCKLIST",
            "PROHIBITED_CONTENT",
            "SPII",
            "ESCALATION",
            "MODEL_ARMOR",
            "PUP_LIMITED_DISABLED",
            "IMAGE_SAFETY",
            "IMAGE_PROHIBITED_CONTENT",
            "IMAGE_RECITATION",
            "PROMPT_BLOCKED",
        ),
        "content_filter",
    ),
}
"""Why a turn ended, where it is more than that the model was done; `PROMPT_BLOCKED` is our name for a refused prompt."""

_BROKEN: Final = frozenset(
    {"MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "OTHER", "IMAGE_OTHER"}
)
"""Ends that are the model's accident: the same turn may well succeed."""

_ERRORS: Final[dict[str, ErrorCode]] = {
    "INVALID_ARGUMENT": "invalid_prompt",
    "FAILED_PRECONDITION": "invalid_prompt",
    "OUT_OF_RANGE": "invalid_prompt",
    "UNAUTHENTICATED": "provider_authentication",
    "PERMISSION_DENIED": "provider_authentication",
    "NOT_FOUND": "model_not_found",
    "RESOURCE_EXHAUSTED": "rate_limit_exceeded",
    "DEADLINE_EXCEEDED": "provider_timeout",
    "INTERNAL": "provider_unavailable",
    "UNAVAILABLE": "provider_unavailable",
    "CANCELLED": "provider_unavailable",
}
_TOO_LONG: Final = re.compile(r"token count .*exceeds|maximum number of tokens|context (?:length|window)", re.IGNORECASE)


def explain(status: int, body: bytes) -> ModelError:
    """Make the error of an answer that is no success; the wire gives an object, or a list that holds it."""
    error = http.members(body.strip().removeprefix(b"[").removesuffix(b"]")).get("error")
    fallback = http.code_of(status)
    return failure(error if isinstance(error, dict) else {}, fallback, f"The provider answered with status {status}.")


def failure(error: Json, fallback: ErrorCode, sentence: str) -> ModelError:
    """Translate an error object; `fallback` and `sentence` are for what it does not say."""
    message = str(error.get("message") or sentence)
    details = [each for each in error.get("details") or () if isinstance(each, dict)]
    code = _ERRORS.get(error.get("status") or "", fallback)
    if code == "invalid_prompt" and any(each.get("reason") == "API_KEY_INVALID" for each in details):
        code = "provider_authentication"
    elif code == "invalid_prompt" and _TOO_LONG.search(message):
        code = "context_length_exceeded"
    return ModelError(code, message, retry_after=_retry_after(details))


class Reader:
    """Reads one turn."""

    def __init__(
        self, wire: str, *, new_id: Callable[[str], str], custom_tools: Iterable[str] = (), parallel: bool = True
    ) -> None:
        """Signatures are sealed for `wire`. Without `parallel` only the first call counts: the wire cannot ask for just one."""
        self._wire = wire
        self._new_id = new_id
        self._custom = frozenset(custom_tools)
        self._parallel = parallel
        self._calls = 0
        self._text = ""
        self._reason = ""
        self._usage: Json = {}
        self._grounding: Json = {}

    def read(self, name: str, data: bytes) -> Iterator[ModelEvent]:
        """Translate one chunk; raise ModelError for one that holds an error."""
        chunk = orjson.loads(data)
        if "error" in chunk:
            raise failure(chunk["error"], "provider_unavailable", "The provider failed in the middle of its answer.")
        self._usage.update(chunk.get("usageMetadata") or {})
        if (chunk.get("promptFeedback") or {}).get("blockReason"):
            self._reason = "PROMPT_BLOCKED"
        for candidate in (chunk.get("candidates") or ())[:1]:
            for part in (candidate.get("content") or {}).get("parts") or ():
                yield from self._part(part)
            self._reason = candidate.get("finishReason") or self._reason
            self._grounding.update(candidate.get("groundingMetadata") or {})

    def end(self) -> Iterator[ModelEvent]:
        """Finish the turn: the wire has no last event, only a chunk that tells why the model stopped."""
        if not self._reason:
            raise http.cut_short()
        if self._reason in _BROKEN:
            raise ModelError("provider_protocol", f"The model broke off its answer ({self._reason}).")
        if self._reason == "MISSING_THOUGHT_SIGNATURE":
            raise ModelError("invalid_prompt", "The provider misses the thought signature of an earlier call.")
        yield from self._citations()
        yield Finished(reason=_REASONS.get(self._reason, "stop"), usage=_usage(self._usage) if self._usage else None)

    def _part(self, part: Json) -> Iterator[ModelEvent]:
        match part:
            case {"functionCall": dict(call)}:
                if self._parallel or not self._calls:
                    yield from self._call(call, part.get("thoughtSignature"))
            case {"text": str(text), "thought": True}:
                yield ReasoningSummaryDelta(text)
            case {"text": str(text)} if text:
                self._text += text
                yield TextDelta(text)
            case {"inlineData": {"data": str(image)}}:
                yield ItemDone(
                    {"type": "image_generation_call", "id": self._new_id("ig"), "status": "completed", "result": image}
                )

    def _call(self, call: Json, signature: str | None) -> Iterator[ModelEvent]:
        """Tell a call, which comes whole; its signature travels in a reasoning item before it."""
        key, name = str(self._calls), call["name"]
        self._calls += 1
        call_id = call.get("id") or self._new_id("call")
        if signature:
            yield ReasoningDone(opaque.seal(self._wire, {"call_id": call_id, "signature": signature}))
        arguments = orjson.dumps(call.get("args") or {}).decode()
        freeform = name in self._custom
        yield ToolCallStarted(key, call_id, name, "custom" if freeform else "function")
        yield ToolCallDelta(key, custom.unwrap(arguments) if freeform else arguments)
        yield ToolCallDone(key)

    def _citations(self) -> Iterator[ModelEvent]:
        """Tell which pages the text cites; the wire counts in bytes of UTF-8."""
        chunks = self._grounding.get("groundingChunks") or []
        written = self._text.encode()
        for support in self._grounding.get("groundingSupports") or ():
            segment = support.get("segment") or {}
            start, end = (len(written[: segment.get(each, 0)].decode(errors="ignore")) for each in ("startIndex", "endIndex"))
            for number in support.get("groundingChunkIndices") or ():
                page = chunks[number].get("web") or {}
                if page.get("uri"):
                    yield AnnotationAdded(
                        {
                            "type": "url_citation",
                            "url": page["uri"],
                            "title": page.get("title") or "",
                            "start_index": start,
                            "end_index": end,
                        }
                    )


def _retry_after(details: list[Json]) -> float | None:
    """Read the delay that the wire asks for, such as `34.5s`, in seconds."""
    delays = (str(each.get("retryDelay")) for each in details if str(each.get("@type")).endswith("RetryInfo"))
    found = next((re.fullmatch(r"(\d+(?:\.\d+)?)s", delay) for delay in delays), None)
    return float(found[1]) if found else None


def _usage(counts: Json) -> Usage:
    """Count tokens as Responses do: output includes what was thought."""
    thought = counts.get("thoughtsTokenCount") or 0
    return Usage(
        input=(counts.get("promptTokenCount") or 0) + (counts.get("toolUsePromptTokenCount") or 0),
        cached=counts.get("cachedContentTokenCount") or 0,
        output=(counts.get("candidatesTokenCount") or 0) + thought,
        reasoning=thought,
    )

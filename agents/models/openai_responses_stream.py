"""A Responses stream read into our events. Unknown events mean nothing to us, and new ones appear often."""

from collections.abc import Callable, Sequence
from typing import Any, Final, Literal, TypeAlias

import orjson

from agents.models import http, opaque, openai_errors
from agents.models.base import (
    AnnotationAdded,
    Finished,
    FinishReason,
    ItemDone,
    ModelError,
    ModelEvent,
    ReasoningDelta,
    ReasoningDone,
    ReasoningSummaryDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallDone,
    ToolCallStarted,
    Usage,
)
from shared.items import Item, Json, text_of

_Handler: TypeAlias = Callable[[Json], Sequence[ModelEvent]]

_KINDS: Final[dict[str, Literal["function", "custom"]]] = {"function_call": "function", "custom_tool_call": "custom"}


class Reader:
    """Reads one answer. Items are told apart by their output index, the one mark that every server sets alike."""

    def __init__(self, wire: str) -> None:
        """`wire` names this provider in the seal of its reasoning."""
        self._wire = wire
        self._calls: set[int] = set()
        self._heard: set[int] = set()
        """Items of which something was streamed; the others are told whole when they are done."""
        self._handlers: dict[str, _Handler] = {
            "response.output_text.delta": self._text,
            "response.refusal.delta": self._refusal,
            "response.output_text.annotation.added": lambda event: (AnnotationAdded(event["annotation"]),),
            "response.reasoning_text.delta": self._reasoning,
            "response.reasoning_summary_text.delta": self._summary,
            "response.function_call_arguments.delta": self._arguments,
            "response.custom_tool_call_input.delta": self._arguments,
            "response.output_item.added": lambda event: self._started(event["output_index"], event["item"]),
            "response.output_item.done": lambda event: self._done(event["output_index"], event["item"]),
            "response.completed": lambda event: (_finished(event["response"], "completed"),),
            "response.incomplete": lambda event: (_finished(event["response"], "incomplete"),),
            "response.failed": lambda event: (_finished(event["response"], "failed"),),
            "error": _failed,
        }

    def read(self, name: str, data: bytes) -> Sequence[ModelEvent]:
        """Translate one event."""
        if data == b"[DONE]":
            return ()
        event = orjson.loads(data)
        handler = self._handlers.get(event.get("type") or name)
        return handler(event) if handler is not None else ()

    def end(self) -> Sequence[ModelEvent]:
        """Refuse an end without the event that announces it."""
        raise http.cut_short()

    def _text(self, event: Json) -> Sequence[ModelEvent]:
        self._heard.add(event["output_index"])
        return (TextDelta(event["delta"], tuple(event.get("logprobs") or ())),)

    def _refusal(self, event: Json) -> Sequence[ModelEvent]:
        self._heard.add(event["output_index"])
        return (RefusalDelta(event["delta"]),)

    def _reasoning(self, event: Json) -> Sequence[ModelEvent]:
        self._heard.add(event["output_index"])
        return (ReasoningDelta(event["delta"]),)

    def _summary(self, event: Json) -> Sequence[ModelEvent]:
        self._heard.add(event["output_index"])
        return (ReasoningSummaryDelta(event["delta"], event.get("summary_index", 0)),)

    def _arguments(self, event: Json) -> Sequence[ModelEvent]:
        self._heard.add(event["output_index"])
        return (ToolCallDelta(str(event["output_index"]), event["delta"]),)

    def _started(self, index: int, item: Item) -> Sequence[ModelEvent]:
        kind = _KINDS.get(item["type"])
        if kind is None or index in self._calls:
            return ()
        self._calls.add(index)
        return (ToolCallStarted(str(index), item["call_id"], item["name"], kind, item.get("namespace")),)

    def _done(self, index: int, item: Item) -> Sequence[ModelEvent]:
        """End an item, and tell what was not streamed of it."""
        whole = index not in self._heard
        match item["type"]:
            case "message":
                return _message(item) if whole else ()
            case "function_call" | "custom_tool_call":
                rest = item.get("arguments") or item.get("input") or ""
                said = (ToolCallDelta(str(index), rest),) if whole and rest else ()
                return (*self._started(index, item), *said, ToolCallDone(str(index)))
            case "reasoning":
                return (*(_thoughts(item) if whole else ()), ReasoningDone(self._sealed(item)))
            case _:
                return (ItemDone(item),)

    def _sealed(self, item: Item) -> str | None:
        """Seal a reasoning item as the provider wants it back; without its content there is nothing to give back."""
        if not item.get("encrypted_content") and not item.get("content"):
            return None
        return opaque.seal(self._wire, {"item": {name: value for name, value in item.items() if name != "status"}})


def _message(item: Item) -> Sequence[ModelEvent]:
    parts = item.get("content") or ()
    refusals = tuple(RefusalDelta(part["refusal"]) for part in parts if part.get("type") == "refusal")
    text = text_of({"content": [part for part in parts if part.get("type") == "output_text"]})
    return (TextDelta(text), *refusals) if text else refusals


def _thoughts(item: Item) -> Sequence[ModelEvent]:
    summary = enumerate(item.get("summary") or ())
    return (
        *(ReasoningSummaryDelta(part["text"], index) for index, part in summary),
        *(ReasoningDelta(part["text"]) for part in item.get("content") or ()),
    )


def _finished(response: Json, told: str) -> Finished:
    """End the turn by what the response says of itself, or else by what the event's name says."""
    status = response.get("status") or told
    if status not in {"completed", "incomplete"}:
        raise openai_errors.error({"error": response.get("error")})
    return Finished(
        reason="stop" if status == "completed" else _reason(response),
        usage=_usage(response.get("usage")),
        service_tier=response.get("service_tier"),
    )


def _reason(response: Json) -> FinishReason:
    match (response.get("incomplete_details") or {}).get("reason"):
        case "content_filter":
            return "content_filter"
        case _:
            return "max_output_tokens"


def _usage(given: Any) -> Usage | None:
    if not given:
        return None
    read = given.get("input_tokens_details") or {}
    written = given.get("output_tokens_details") or {}
    return Usage(
        input=given.get("input_tokens") or 0,
        cached=read.get("cached_tokens") or 0,
        cache_write=read.get("cache_write_tokens") or 0,
        output=given.get("output_tokens") or 0,
        reasoning=written.get("reasoning_tokens") or 0,
    )


def _failed(event: Json) -> Sequence[ModelEvent]:
    """Raise what an `error` event says; its error is nested or flat."""
    error: ModelError = openai_errors.error(event if event.get("error") else {"error": event})
    raise error

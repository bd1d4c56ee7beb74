"""A model's events as the deltas of a chat message: streamed one by one, or added up to the whole."""

from typing import Any, Final, assert_never

from agents.models.base import (
    AnnotationAdded,
    Finished,
    ItemDone,
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
from shared.items import Json

_REASONS: Final = {"max_output_tokens": "length", "content_filter": "content_filter"}


class Deltas:
    """Turns events into deltas. It remembers which calls were made, because their pieces are told by number."""

    def __init__(self) -> None:
        """Begin a message."""
        self._calls: dict[str, tuple[int, str]] = {}

    def of(self, event: ModelEvent) -> Json | None:
        """Return what an event adds to the message; None if it adds nothing."""
        match event:
            case TextDelta(text):
                return {"content": text}
            case RefusalDelta(text):
                return {"refusal": text}
            case ReasoningDelta(text) | ReasoningSummaryDelta(text):
                return {"reasoning_content": text}
            case ReasoningDone(opaque):
                return {"reasoning_signature": f"{opaque} "} if opaque else None
            case AnnotationAdded(annotation):
                kind = annotation.get("type", "url_citation")
                flat = {name: value for name, value in annotation.items() if name != "type"}
                return {"annotations": [{"type": kind, kind: flat}]}
            case ToolCallStarted():
                return {"tool_calls": [self._started(event)]}
            case ToolCallDelta(key, arguments):
                index, kind = self._calls[key]
                member = "arguments" if kind == "function" else "input"
                return {"tool_calls": [{"index": index, kind: {member: arguments}}]}
            case ToolCallDone() | ItemDone() | Finished():
                return None
            case _:
                assert_never(event)

    def reason(self, finished: Finished) -> str:
        """Say why the message ended, in the words of chats."""
        return _REASONS.get(finished.reason) or ("tool_calls" if self._calls else "stop")

    def _started(self, call: ToolCallStarted) -> Json:
        index = len(self._calls)
        self._calls[call.key] = (index, call.kind)
        member = "arguments" if call.kind == "function" else "input"
        return {"index": index, "id": call.call_id, "type": call.kind, call.kind: {"name": call.name, member: ""}}


def added(deltas: list[Json]) -> Json:
    """Add deltas up to an assistant's message."""
    message: Json = {"role": "assistant", "content": None, "refusal": None}
    for delta in deltas:
        for name, value in delta.items():
            match name:
                case "tool_calls":
                    _add_call(message.setdefault("tool_calls", []), value[0])
                case "annotations":
                    message.setdefault("annotations", []).extend(value)
                case _:
                    message.setdefault(name, None)
                    message[name] = (message[name] or "") + value
    if "reasoning_signature" in message:
        message["reasoning_signature"] = message["reasoning_signature"].strip()
    return message


def _add_call(calls: list[Json], piece: Json) -> None:
    index, kind = piece["index"], "custom" if "custom" in piece else "function"
    if index == len(calls):
        calls.append({name: value for name, value in piece.items() if name != "index"})
        return
    for name, value in piece[kind].items():
        calls[index][kind][name] += value


def usage(given: Usage | None) -> Json:
    """Write token counts as chats have them; zeros if the provider told none."""
    counts = given or Usage()
    return {
        "prompt_tokens": counts.input,
        "completion_tokens": counts.output,
        "total_tokens": counts.input + counts.output,
        "prompt_tokens_details": {
            "cached_tokens": counts.cached,
            "cache_creation_tokens": counts.cache_write,
            "audio_tokens": 0,
        },
        "completion_tokens_details": {"reasoning_tokens": counts.reasoning, "audio_tokens": 0},
    }


def logprobs(event: ModelEvent) -> Any:
    """Return a text's log probabilities, which are of the same shape in both APIs."""
    found = event.logprobs if isinstance(event, TextDelta) else ()
    return {"content": list(found), "refusal": None} if found else None

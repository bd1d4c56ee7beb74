"""Responses items as the messages and content blocks of Anthropic's Messages API."""

import re
from collections.abc import Iterable
from typing import Any, Final, assert_never

from agents.models import custom, media, opaque, turns
from agents.models.base import ModelError
from agents.models.media import Inline, Linked, Stored
from shared.items import Item, Json, Part, text_of

CONTINUE: Final[Json] = {"role": "user", "content": [{"type": "text", "text": "Continue."}]}
"""Said for a user who has not said anything, because the wire wants the user to begin and to speak last."""

_THOUGHTS: Final = frozenset({"thinking", "redacted_thinking"})

UNANSWERED: Final = "There is no output of this call."


def messages(items: Iterable[Item], *, wire: str) -> list[Json]:
    """Make messages of alternating roles, the user's first and last, in which every tool use is answered at once.

    Reasoning is given back only if `wire` sealed it.
    """
    made: list[Json] = []
    for turn in turns.alternate(items):
        message = _message(turn, wire)
        if not message["content"]:
            continue
        if made and made[-1]["role"] == message["role"]:
            made[-1]["content"].extend(message["content"])
        else:
            made.append(message)
    if not made or made[0]["role"] != "user":
        made.insert(0, CONTINUE)
    return made if made[-1]["role"] == "user" else [*made, CONTINUE]


def thoughtless(messages: list[Json]) -> bool:
    """Tell whether the last turn waits for answers to its calls and begins with no thought.

    The wire refuses that of a model which is told to think. Most clients of chats do not give thoughts back.
    """
    *_, before, last = [CONTINUE, *messages]
    answering = last["content"][0]["type"] == "tool_result"
    return answering and before["content"][0]["type"] not in _THOUGHTS


def system(instructions: str | None, items: Iterable[Item]) -> list[Json]:
    """Make blocks of the instructions and of the system messages; one of parts that mark the cache stays in parts."""
    blocks = _blocks([{"type": "input_text", "text": instructions or ""}])
    for item in items:
        if item.get("role") in turns.SYSTEM:
            parts = item.get("content") or []
            marked = not isinstance(parts, str) and any(_mark(part) for part in parts)
            blocks += _blocks(parts if marked else [{"type": "input_text", "text": text_of(item)}])
    return blocks


def _message(turn: turns.Turn, wire: str) -> Json:
    """Translate one turn; its content may be empty."""
    match turn:
        case turns.UserTurn():
            answers = [_tool_result(answer) for answer in turn.answers]
            return {"role": "user", "content": [*answers, *(block for item in turn.items for block in _said(item))]}
        case turns.ModelTurn():
            return {"role": "assistant", "content": [block for item in turn.items for block in _put_out(item, wire)]}
        case _:
            assert_never(turn)


def _put_out(item: Item, wire: str) -> list[Json]:
    """Translate an item of the model."""
    match item.get("type"):
        case "reasoning":
            return _thoughts(item, wire)
        case "function_call":
            return [_tool_use(item, item.get("arguments") or "{}")]
        case "custom_tool_call":
            return [_tool_use(item, custom.wrap(item.get("input") or ""))]
        case _:
            return _said(item)


def _thoughts(item: Item, wire: str) -> list[Json]:
    """Read the thinking blocks of a reasoning item. Clients send these items, so they may hold anything."""
    match opaque.unseal(wire, item):
        case {"blocks": list(blocks)}:
            return [block for block in blocks if isinstance(block, dict) and block.get("type") in _THOUGHTS]
        case _:
            return []


def _tool_use(item: Item, arguments: str) -> Json:
    return {"type": "tool_use", "id": _id(item), "name": item["name"], "input": turns.arguments(arguments)}


def _id(item: Item) -> str:
    """Spell a call's id in the letters that the wire allows."""
    return re.sub(r"[^a-zA-Z0-9_-]", "_", item["call_id"])


def _tool_result(answer: turns.Answer) -> Json:
    """Answer a call; its output may hold images and files."""
    result: Json = {"type": "tool_result", "tool_use_id": _id(answer.call)}
    if answer.output is None:
        return result | {"content": UNANSWERED, "is_error": True}
    output = answer.output.get("output") or ""
    return result | {"content": output if isinstance(output, str) else _blocks(output)}


def _said(item: Item) -> list[Json]:
    """Translate a message's content."""
    content = item.get("content") or []
    return _blocks([{"type": "input_text", "text": content}] if isinstance(content, str) else content)


def _blocks(parts: Iterable[Part]) -> list[Json]:
    """Translate parts; empty text is left out, because the wire refuses it."""
    blocks = []
    for part in parts:
        block = _block(part)
        if block is not None:
            blocks.append({**block, "cache_control": mark} if (mark := _mark(part)) else block)
    return blocks


def _mark(part: Part) -> Json | None:
    """Read where the prompt's cache is to end: in the wire's own words, or in OpenAI's."""
    explicit = part.get("prompt_cache_breakpoint")
    if part.get("cache_control") or not isinstance(explicit, dict):
        return part.get("cache_control")
    return {"type": "ephemeral", **({"ttl": "1h"} if explicit.get("ttl") else {})}


def _block(part: Part) -> Json | None:
    """Translate one part; None for one without text or content."""
    given = media.of(part)
    if given is not None:
        return _image(given) if given.mime.startswith("image/") else _document(given)
    text = part.get("text") or part.get("refusal") or ""
    return {"type": "text", "text": text} if text.strip() else None


def _image(given: media.Media) -> Json:
    match given:
        case Inline():
            return {"type": "image", "source": {"type": "base64", "media_type": given.mime, "data": given.data}}
        case Linked() | Stored():
            return {"type": "image", "source": _reference(given)}
        case _:
            assert_never(given)


def _document(given: media.Media) -> Json:
    """Translate a file: a PDF, or text; raise ModelError for another type."""
    title: dict[str, Any] = {"title": given.name} if given.name else {}
    match given:
        case Inline(mime=media.PDF):
            return {"type": "document", "source": {"type": "base64", "media_type": media.PDF, "data": given.data}, **title}
        case Inline() if given.mime.startswith(("audio/", "video/")):
            raise ModelError("invalid_prompt", f"This provider's models cannot read {given.mime}.")
        case Inline():
            return {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": given.text}, **title}
        case Linked() | Stored():
            return {"type": "document", "source": _reference(given), **title}
        case _:
            assert_never(given)


def _reference(given: Linked | Stored) -> Json:
    """Point at content that the provider fetches, or has."""
    return {"type": "url", "url": given.url} if isinstance(given, Linked) else {"type": "file", "file_id": given.file_id}

"""Responses items as the contents and parts of Google's generateContent."""

from collections.abc import Iterable
from typing import Final, assert_never

from agents.models import custom, media, opaque, turns
from agents.models.media import Inline, Linked, Stored
from shared.items import Item, Json, Part, output_text

CONTINUE: Final[Json] = {"role": "user", "parts": [{"text": "Continue."}]}
"""Said for a user who has not said anything: the wire wants the user to begin and to speak last."""

UNSIGNED: Final = "skip_thought_signature_validator"
"""The signature that the wire documents for calls which another model made."""

_FILES: Final = "https://generativelanguage.googleapis.com/v1beta/"


def contents(items: Iterable[Item], *, wire: str, signed: bool) -> list[Json]:
    """Make contents of alternating roles, the user's first and last, in which every call is answered at once.

    Signatures are given back only if `wire` sealed them. `signed`: the model refuses a turn whose first call has none.
    """
    made: list[Json] = []
    for turn in turns.alternate(items):
        content = _content(turn, wire, signed=signed)
        if not content["parts"]:
            continue
        if made and made[-1]["role"] == content["role"]:
            made[-1]["parts"].extend(content["parts"])
        else:
            made.append(content)
    if not made or made[0]["role"] != "user":
        made.insert(0, CONTINUE)
    return made if made[-1]["role"] == "user" else [*made, CONTINUE]


def _content(turn: turns.Turn, wire: str, *, signed: bool) -> Json:
    """Translate one turn; its parts may be empty."""
    match turn:
        case turns.UserTurn():
            answers = [_function_response(answer) for answer in turn.answers]
            return {"role": "user", "parts": [*answers, *(part for item in turn.items for part in _said(item))]}
        case turns.ModelTurn():
            return {"role": "model", "parts": _put_out(turn.items, wire, signed=signed)}
        case _:
            assert_never(turn)


def _put_out(items: list[Item], wire: str, *, signed: bool) -> list[Json]:
    """Translate the model's items; a signature goes back onto the call that it was sealed for."""
    signatures = dict(found for item in items if (found := _signature(item, wire)))
    parts: list[Json] = []
    for item in items:
        match item.get("type"):
            case "reasoning":
                pass
            case "function_call" | "custom_tool_call":
                parts.append(_function_call(item, signatures.get(item["call_id"])))
            case _:
                parts.extend(_said(item))
    first = next((part for part in parts if "functionCall" in part), None)
    if signed and first is not None:
        first.setdefault("thoughtSignature", UNSIGNED)
    return parts


def _signature(item: Item, wire: str) -> tuple[str, str] | None:
    """Read a call's id and its signature from a reasoning item. Clients send these items, so they may hold anything."""
    match opaque.unseal(wire, item):
        case {"call_id": str(call_id), "signature": str(signature)}:
            return call_id, signature
        case _:
            return None


def _function_call(item: Item, signature: str | None) -> Json:
    written = custom.wrap(item.get("input") or "") if item["type"] == "custom_tool_call" else item.get("arguments") or "{}"
    part: Json = {"functionCall": {"id": item["call_id"], "name": item["name"], "args": turns.arguments(written)}}
    return part if signature is None else {**part, "thoughtSignature": signature}


def _function_response(answer: turns.Answer) -> Json:
    """Answer a call: its text as the response, its images and files beside it."""
    response: Json = {"id": answer.call["call_id"], "name": answer.call["name"]}
    if answer.output is None:
        return {"functionResponse": response | {"response": {"error": "There is no output of this call."}}}
    output = answer.output.get("output") or ""
    response["response"] = {"output": output_text(output)}
    shown = [] if isinstance(output, str) else [_media(given) for part in output if (given := media.of(part))]
    return {"functionResponse": response | {"parts": shown} if shown else response}


def _said(item: Item) -> list[Json]:
    """Translate a message's content; empty text is left out."""
    content = item.get("content") or []
    if isinstance(content, str):
        return [{"text": content}] if content else []
    return [translated for part in content if (translated := _part(part))]


def _part(part: Part) -> Json | None:
    given = media.of(part)
    if given is not None:
        return _media(given)
    text = part.get("text") or part.get("refusal")
    return {"text": text} if text else None


def _media(given: media.Media) -> Json:
    match given:
        case Inline():
            return {"inlineData": {"mimeType": given.mime, "data": given.data}}
        case Linked():
            return {"fileData": {"mimeType": given.mime, "fileUri": given.url}}
        case Stored():
            uri = given.file_id if "://" in given.file_id else f"{_FILES}{given.file_id}"
            return {"fileData": {"mimeType": given.mime, "fileUri": uri}}
        case _:
            assert_never(given)

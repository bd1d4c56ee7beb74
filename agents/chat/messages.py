"""The messages of a chat as items: what was said, thought, called and answered."""

from typing import Any, Final

from agents.chat import reading
from agents.models.base import ModelError
from shared.items import Item, Json, Part

_IMAGE_DETAILS: Final = frozenset({"low", "high", "auto"})


def items(messages: Any) -> list[Item]:
    """Translate a chat's messages. Raises ModelError that names what is wrong.

    An assistant's `reasoning_signature` becomes the reasoning that its provider wants back.
    """
    made: list[Item] = []
    calls: dict[str, str] = {}
    for index, given in enumerate(reading.array(messages, "messages")):
        path = f"messages[{index}]"
        message = reading.record(given, path)
        match message.get("role"):
            case "system" | "developer" | "user" as role:
                made.append({"type": "message", "role": role, "content": _content(message.get("content"), f"{path}.content")})
            case "assistant":
                made.extend(_assistant(message, path, calls))
            case "tool":
                made.append(_output(message, path, calls, reading.text(message.get("tool_call_id"), f"{path}.tool_call_id")))
            case "function":
                made.append(_output(message, path, calls, _legacy_id(message, path)))
            case _:
                raise reading.wrong(f"{path}.role", "one of system, developer, user, assistant, tool and function")
    return made


def _content(value: Any, path: str) -> list[Part]:
    """Translate what a user or a system says: a text, or parts."""
    if isinstance(value, str):
        return [{"type": "input_text", "text": value}]
    return [
        _part(reading.record(part, f"{path}[{index}]"), f"{path}[{index}]") for index, part in enumerate(_parts(value, path))
    ]


def _parts(value: Any, path: str) -> list[Any]:
    if not isinstance(value, list):
        raise reading.wrong(path, "a string or an array of parts")
    return value


def _part(part: Json, path: str) -> Part:
    kept = {"cache_control": part["cache_control"]} if part.get("cache_control") else {}
    match part.get("type"):
        case "text":
            return {"type": "input_text", "text": reading.text(part.get("text"), f"{path}.text"), **kept}
        case "image_url":
            image = reading.record(part.get("image_url"), f"{path}.image_url")
            detail = image.get("detail") if image.get("detail") in _IMAGE_DETAILS else "auto"
            url = reading.text(image.get("url"), f"{path}.image_url.url")
            return {"type": "input_image", "image_url": url, "detail": detail, **kept}
        case "input_audio":
            audio = reading.record(part.get("input_audio"), f"{path}.input_audio")
            for name in ("data", "format"):
                reading.text(audio.get(name), f"{path}.input_audio.{name}")
            return {"type": "input_audio", "input_audio": audio}
        case "file":
            file = reading.record(part.get("file"), f"{path}.file")
            given = {name: reading.text(file[name], f"{path}.file.{name}") for name in _FILE if file.get(name) is not None}
            return {"type": "input_file", **given, **kept}
        case _:
            raise reading.wrong(f"{path}.type", "one of text, image_url, input_audio and file")


_FILE: Final = ("file_data", "filename", "file_id")


def _assistant(message: Json, path: str, calls: dict[str, str]) -> list[Item]:
    """Translate a model's turn, noting the types of its `calls` by their ids."""
    made: list[Item] = []
    if signature := message.get("reasoning_signature"):
        sealed = reading.text(signature, f"{path}.reasoning_signature")
        made.extend({"type": "reasoning", "summary": [], "encrypted_content": one} for one in sealed.split())
    if content := _said(message, path):
        made.append({"type": "message", "role": "assistant", "content": content})
    for index, call in enumerate(reading.array(message.get("tool_calls") or [], f"{path}.tool_calls")):
        made.append(_call(reading.record(call, f"{path}.tool_calls[{index}]"), f"{path}.tool_calls[{index}]"))
    if legacy := message.get("function_call"):
        called = {"id": _legacy_id(legacy, f"{path}.function_call"), "type": "function", "function": legacy}
        made.append(_call(called, f"{path}.function_call"))
    calls.update({item["call_id"]: item["type"] for item in made if "call_id" in item})
    return made


def _said(message: Json, path: str) -> list[Part]:
    content = message.get("content")
    refusal = (
        [{"type": "refusal", "refusal": reading.text(message["refusal"], f"{path}.refusal")}] if message.get("refusal") else []
    )
    if content is None or content == "":
        return refusal
    if isinstance(content, str):
        return [{"type": "output_text", "text": content, "annotations": []}, *refusal]
    return [
        *(_said_part(part, f"{path}.content[{index}]") for index, part in enumerate(_parts(content, f"{path}.content"))),
        *refusal,
    ]


def _said_part(part: Any, path: str) -> Part:
    given = reading.record(part, path)
    match given.get("type"):
        case "text":
            return {"type": "output_text", "text": reading.text(given.get("text"), f"{path}.text"), "annotations": []}
        case "refusal":
            return {"type": "refusal", "refusal": reading.text(given.get("refusal"), f"{path}.refusal")}
        case _:
            raise reading.wrong(f"{path}.type", "text or refusal")


def _call(call: Json, path: str) -> Item:
    call_id = reading.text(call.get("id"), f"{path}.id")
    if call.get("type") == "custom":
        custom = reading.record(call.get("custom"), f"{path}.custom")
        name, given = (reading.text(custom.get(member), f"{path}.custom.{member}") for member in ("name", "input"))
        return {"type": "custom_tool_call", "call_id": call_id, "name": name, "input": given}
    function = reading.record(call.get("function"), f"{path}.function")
    name, given = (reading.text(function.get(member), f"{path}.function.{member}") for member in ("name", "arguments"))
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": given}


def _legacy_id(named: Any, path: str) -> str:
    """Make an id for a call of the days when a turn had one at most, and no id."""
    return f"call_{reading.text(reading.record(named, path).get('name'), f'{path}.name')}"


def _output(message: Json, path: str, calls: dict[str, str], call_id: str) -> Item:
    """Translate a tool's answer."""
    if call_id not in calls:
        raise ModelError(
            "invalid_prompt",
            f"Invalid '{path}': a message of a tool must follow the assistant's message that calls it ('{call_id}').",
        )
    content = message.get("content")
    output = content if isinstance(content, str) else _content(content or [], f"{path}.content")
    return {"type": f"{calls[call_id]}_output", "call_id": call_id, "output": output}

"""The contents of a chat's messages as the parts of an item."""

from typing import Any, Final

from agents.chat import reading
from shared.items import Json, Part

_DETAILS: Final = ("auto", "low", "high", "original")
_SOUNDS: Final = ("wav", "mp3")
_FILE: Final = ("file_data", "filename", "file_id")
_MARKS: Final = ("cache_control", "prompt_cache_breakpoint")
"""Where a provider's cache may cut."""


def told(value: Any, path: str) -> list[Part]:
    """Translate what a model is told: a text, or parts. Raises ModelError."""
    if isinstance(value, str):
        return [{"type": "input_text", "text": value}]
    return [_told(part, f"{path}[{index}]") for index, part in enumerate(_listed(value, path))]


def said(value: Any, path: str) -> list[Part]:
    """Translate what a model said: nothing, a text, or parts. Raises ModelError."""
    if value is None or value == "":
        return []
    if isinstance(value, str):
        return [{"type": "output_text", "text": value, "annotations": []}]
    return [_said(part, f"{path}[{index}]") for index, part in enumerate(_listed(value, path))]


def _listed(value: Any, path: str) -> list[Any]:
    if not isinstance(value, list):
        raise reading.wrong(path, "a string or an array of parts")
    return value


def _told(value: Any, path: str) -> Part:
    part = reading.record(value, path)
    match part.get("type"):
        case "text":
            return {"type": "input_text", "text": reading.text(part.get("text"), f"{path}.text"), **_marks(part, path)}
        case "image_url":
            return {**_image(reading.record(part.get("image_url"), f"{path}.image_url"), path), **_marks(part, path)}
        case "input_audio":
            return {**_audio(reading.record(part.get("input_audio"), f"{path}.input_audio"), path), **_marks(part, path)}
        case "file":
            return {**_file(reading.record(part.get("file"), f"{path}.file"), path), **_marks(part, path)}
        case _:
            raise reading.wrong(f"{path}.type", "one of text, image_url, input_audio and file")


def _image(given: Json, path: str) -> Part:
    detail = given.get("detail")
    return {
        "type": "input_image",
        "image_url": reading.text(given.get("url"), f"{path}.image_url.url"),
        "detail": "auto" if detail is None else reading.one_of(detail, f"{path}.image_url.detail", _DETAILS),
    }


def _audio(given: Json, path: str) -> Part:
    data = reading.text(given.get("data"), f"{path}.input_audio.data")
    form = reading.one_of(given.get("format"), f"{path}.input_audio.format", _SOUNDS)
    return {"type": "input_audio", "input_audio": {"data": data, "format": form}}


def _file(given: Json, path: str) -> Part:
    told = {name: reading.optional(given, name, reading.text, within=f"{path}.file") for name in _FILE}
    return {"type": "input_file", **{name: value for name, value in told.items() if value is not None}}


def _marks(part: Json, path: str) -> Json:
    marks = {name: reading.optional(part, name, reading.record, within=path) for name in _MARKS}
    return {name: value for name, value in marks.items() if value is not None}


def _said(value: Any, path: str) -> Part:
    part = reading.record(value, path)
    match part.get("type"):
        case "text":
            text = reading.text(part.get("text"), f"{path}.text")
            return {"type": "output_text", "text": text, "annotations": [], **_marks(part, path)}
        case "refusal":
            return {"type": "refusal", "refusal": reading.text(part.get("refusal"), f"{path}.refusal")}
        case _:
            raise reading.wrong(f"{path}.type", "text or refusal")

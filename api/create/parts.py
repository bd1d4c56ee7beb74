"""Content parts of messages and tool outputs: what may stand where, and what each part must hold."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from api.create import check
from api.create.check import Check
from shared.items import Json, Part

_MAX_DATA: Final = 64 * 1024 * 1024

_text = partial(check.record, members={"text": check.string}, required=("text",), closed=False)
_data = partial(check.string, most=_MAX_DATA)


def content(value: Any, path: str, *, role: str) -> list[Part]:
    """Check a message's content; a string becomes one text part of the kind that the role writes."""
    if type(value) is str:
        check.string(value, path)
        return [_output_text({"type": "output_text", "text": value}, path)] if role == "assistant" else [_input_text(value)]
    allowed = WRITTEN if role == "assistant" else GIVEN
    return check.array(value, path, of=partial(part, allowed=allowed), expected="one of a string or array of objects")


def output(value: Any, path: str) -> str | list[Part]:
    """Check a tool call's output: a string, or a list of the parts that a user's message may hold."""
    if type(value) is str:
        return check.string(value, path)
    return check.array(value, path, of=partial(part, allowed=GIVEN), expected="one of a string or array of objects")


def user_text(text: str, path: str) -> list[Part]:
    """Make the content of a user's message that is only text."""
    return [_input_text(check.string(text, path))]


def part(value: Any, path: str, *, allowed: Mapping[str, Check]) -> Part:
    """Check one part of the allowed types; members that are not known are kept."""
    kind = check.mapping(value, path).get("type")
    if kind is None:
        raise check.missing(f"{path}.type")
    checked: Part = allowed[check.choice(kind, f"{path}.type", allowed=allowed)](value, path)
    return checked


def _input_text(text: str) -> Part:
    return {"type": "input_text", "text": text}


def _output_text(value: Json, path: str) -> Part:
    """The text of an assistant. Clients iterate over annotations and logprobs, so both are always lists."""
    given = _text(value, path)
    for name in ("annotations", "logprobs"):
        given[name] = check.array(given.get(name) or [], f"{path}.{name}", of=check.mapping)
    return given


def _input_image(value: Json, path: str) -> Part:
    """An image by URL (or data URL) or by file; `detail` says how closely it is looked at."""
    given = check.record(value, path, members=_IMAGE, closed=False)
    if given.get("image_url") is None and given.get("file_id") is None:
        raise check.missing(f"{path}.image_url")
    return {**given, "image_url": given.get("image_url"), "detail": given.get("detail") or "auto"}


def _input_file(value: Json, path: str) -> Part:
    """A file by content, URL or id."""
    given = check.record(value, path, members=_FILE, closed=False)
    if all(given.get(name) is None for name in ("file_data", "file_url", "file_id")):
        raise check.missing(f"{path}.file_data")
    return given


_IMAGE: Final[Mapping[str, Check]] = {
    "image_url": _data,
    "file_id": partial(check.string, least=1, most=256),
    "detail": partial(check.choice, allowed=("low", "high", "auto", "original")),
}
_FILE: Final[Mapping[str, Check]] = {
    "file_data": _data,
    "file_url": _data,
    "file_id": partial(check.string, least=1, most=256),
    "filename": partial(check.string, most=1024),
}
_AUDIO: Final[Mapping[str, Check]] = {"data": _data, "format": partial(check.choice, allowed=("mp3", "wav"))}

GIVEN: Final[Mapping[str, Check]] = {
    "input_text": _text,
    "input_image": _input_image,
    "input_file": _input_file,
    "input_audio": partial(
        check.record,
        members={"input_audio": partial(check.record, members=_AUDIO, required=("data", "format"), closed=False)},
        required=("input_audio",),
        closed=False,
    ),
    "input_video": partial(check.record, members={"video_url": _data}, required=("video_url",), closed=False),
}
"""What users, systems, developers and tools say."""

WRITTEN: Final[Mapping[str, Check]] = {
    "output_text": _output_text,
    "refusal": partial(check.record, members={"refusal": check.string}, required=("refusal",), closed=False),
}
"""What an assistant says."""

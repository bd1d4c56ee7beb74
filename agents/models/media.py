"""Images and files as the wires take them: bytes in base64 with a type, an address, or a provider's file id."""

import base64
import binascii
import mimetypes
from dataclasses import dataclass
from typing import Final, TypeAlias
from urllib.parse import unquote_to_bytes, urlsplit

from agents.models.base import ModelError
from shared.items import Part

PDF: Final = "application/pdf"

_UNKNOWN: Final = "application/octet-stream"
_AUDIO: Final = {"mp3": "audio/mpeg", "wav": "audio/wav"}


@dataclass(frozen=True, slots=True)
class Inline:
    """The content itself, in base64."""

    mime: str
    data: str
    name: str | None = None

    @property
    def text(self) -> str:
        """Decode the content of a text file; raise ModelError if it is none."""
        try:
            return base64.b64decode(self.data).decode()
        except UnicodeDecodeError:
            raise ModelError("invalid_prompt", f"The file {self.name or self.mime!r} is not text in UTF-8.") from None


@dataclass(frozen=True, slots=True)
class Linked:
    """An address from which the provider fetches the content; `mime` is what its name suggests."""

    mime: str
    url: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """A file that was uploaded to the provider. `mime` is known only for an image."""

    mime: str
    file_id: str
    name: str | None = None


Media: TypeAlias = Inline | Linked | Stored


def of(part: Part) -> Media | None:
    """Read an `input_image`, `input_file` or `input_audio` part; None for a part of another type.

    Raises ModelError `invalid_prompt` for one that holds nothing, or what is neither a data URI nor base64.
    """
    match part.get("type"):
        case "input_image":
            return _read(part.get("image_url"), part, mime="image/png")
        case "input_file":
            named = part.get("mime_type") or mimetypes.guess_type(part.get("filename") or "")[0]
            return _read(part.get("file_data") or part.get("file_url"), part, mime=named)
        case "input_audio":
            audio = part.get("input_audio") or {}
            return _inline(audio.get("data") or "", None, mime=_AUDIO.get(audio.get("format") or "", "audio/wav"))
        case _:
            return None


def _read(given: str | None, part: Part, *, mime: str | None) -> Media:
    """Read content, an address or a file id; `mime` is what the content is, as far as the part tells."""
    name = part.get("filename")
    if not given:
        if not part.get("file_id"):
            raise ModelError("invalid_prompt", f"The {part['type']} part holds neither content, nor an address, nor a file id.")
        return Stored(mime or _UNKNOWN, part["file_id"], name)
    if given.startswith("data:"):
        return _data_uri(given, name, mime=mime)
    if "://" in given[:16]:
        return Linked(mimetypes.guess_type(urlsplit(given).path)[0] or mime or _UNKNOWN, given, name)
    return _inline(given, name, mime=mime or _UNKNOWN)


def _data_uri(uri: str, name: str | None, *, mime: str | None) -> Inline:
    """Read `data:<type>[;…][;base64],<content>`."""
    head, _, content = uri.removeprefix("data:").partition(",")
    declared, *settings = head.split(";")
    kind = declared if declared and declared != _UNKNOWN else mime or _UNKNOWN
    if "base64" not in settings:
        content = base64.b64encode(unquote_to_bytes(content)).decode()
    return _inline(content, name, mime=kind)


def _inline(data: str, name: str | None, *, mime: str) -> Inline:
    """Check that content is base64, so that the sentence about it is ours."""
    try:
        base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise ModelError("invalid_prompt", f"The content of {name or 'an image or file'!r} is not base64.") from None
    return Inline(mime, data, name)

"""Forms with files: spooled to disk as they arrive, so that they are never held whole, and can be sent more than once."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, TypeAlias

import orjson
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from agents.models.upstream import Endpoint, Upload
from api.create import check
from api.desk import Desk
from api.router.envelope import OWN
from shared.errors import InvalidRequest, TooLarge
from shared.items import Json

MAX_FILES: Final = 20
MAX_FIELDS: Final = 200
MAX_FIELD: Final = 256 * 1024
"""Bytes."""

Form: TypeAlias = tuple[Json, tuple[Upload, ...]]

_FILES: Final[Mapping[Endpoint, tuple[str, ...]]] = {
    "audio/transcriptions": ("file",),
    "audio/translations": ("file",),
    "images/edits": ("image", "image[]"),
    "images/variations": ("image",),
}
"""The file that each endpoint cannot do without."""
_TEXTS: Final = frozenset({"name", "template_engine"})
"""Rondo's members that are texts; the others are given as JSON."""


@asynccontextmanager
async def read(request: Request, endpoint: Endpoint) -> AsyncIterator[Form]:
    """Read a form's fields and files; the files are deleted with the block. Raises InvalidRequest and TooLarge."""
    desk: Desk = request.state.desk
    form = await _parsed(request, desk.settings.max_upload)
    try:
        fields = _fields(form)
        files = tuple(_upload(name, value) for name, value in form.multi_items() if isinstance(value, UploadFile))
        wanted = _FILES[endpoint]
        if not any(file.field in wanted for file in files):
            raise check.missing(wanted[0])
        yield fields, files
    finally:
        await form.close()


async def _parsed(request: Request, most: int) -> FormData:
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise InvalidRequest("This endpoint takes a form: send it as 'multipart/form-data'.", code="invalid_content_type")
    if int(request.headers.get("content-length") or 0) > most:
        raise _too_large(most)
    parser = MultiPartParser(
        request.headers, _bounded(request, most), max_files=MAX_FILES, max_fields=MAX_FIELDS, max_part_size=MAX_FIELD
    )
    try:
        return await parser.parse()
    except MultiPartException as error:
        raise InvalidRequest(f"The form cannot be read: {error.message}") from None


async def _bounded(request: Request, most: int) -> AsyncGenerator[bytes, None]:
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > most:
            raise _too_large(most)
        yield chunk


def _too_large(most: int) -> TooLarge:
    return TooLarge(f"The form is larger than {most} bytes.")


def _upload(name: str, file: UploadFile) -> Upload:
    return Upload(
        field=name,
        filename=file.filename or "file",
        media_type=file.content_type or "application/octet-stream",
        content=file.file,
        size=file.size or 0,
    )


def _fields(form: FormData) -> Json:
    """Read the fields that are no files: those given more than once, or called so, as lists."""
    fields: Json = {}
    for name in dict.fromkeys(name for name, value in form.multi_items() if isinstance(value, str)):
        values = [_value(name, value) for value in form.getlist(name) if isinstance(value, str)]
        fields[name] = values if len(values) > 1 or name.endswith("[]") else values[0]
    return fields


def _value(name: str, text: str) -> Any:
    """Read a field by its type."""
    if name in _TYPES:
        return _typed(name, text, _TYPES[name])
    if (name in OWN and name not in _TEXTS) or name == "orq":
        return _typed(name, text, orjson.loads)
    return text


def _flag(text: str) -> bool:
    return {"true": True, "false": False, "1": True, "0": False}[text.strip().lower()]


_TYPES: Final[Mapping[str, Callable[[str], Any]]] = {
    "n": int,
    "temperature": float,
    "output_compression": int,
    "partial_images": int,
    "stream": _flag,
    "diarize": _flag,
    "tag_audio_events": _flag,
    "enable_logging": _flag,
    "num_speakers": int,
}


def _typed(name: str, text: str, convert: Callable[[str], Any]) -> Any:
    try:
        return convert(text)
    except (ValueError, KeyError):
        raise InvalidRequest(
            f"Invalid '{name}': {check.shown(text)!r} cannot be read.", param=name, code="invalid_value"
        ) from None

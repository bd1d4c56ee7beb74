"""Forms with files: spooled to disk as they arrive, so that they are never held whole, and can be sent more than once."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Final, TypeAlias

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from agents.models.upstream import Endpoint, Upload
from api.create import check
from api.desk import Desk
from api.router import form
from shared.errors import InvalidRequest, TooLarge
from shared.items import Json

MAX_FILES: Final = 20
MAX_FIELDS: Final = 100
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


@asynccontextmanager
async def read(request: Request, endpoint: Endpoint) -> AsyncIterator[Form]:
    """Read a form's fields and files; the files are deleted with the block. Raises InvalidRequest and TooLarge."""
    desk: Desk = request.state.desk
    parsed = await _parsed(request, desk.settings.max_upload)
    spooled = [(name, value) for name, value in parsed.multi_items() if isinstance(value, UploadFile)]
    try:
        fields = form.members((name, value) for name, value in parsed.multi_items() if isinstance(value, str))
        wanted = _FILES[endpoint]
        if not any(name in wanted for name, _ in spooled):
            raise check.missing(wanted[0])
        yield fields, tuple(_upload(name, file) for name, file in spooled)
    finally:
        for _, file in spooled:
            file.file.close()  # at once, where the file's own `close` would wait, and could be cancelled


async def _parsed(request: Request, most: int) -> FormData:
    """Read the form. If that fails, no file is left."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise InvalidRequest("This endpoint takes a form: send it as 'multipart/form-data'.", code="invalid_content_type")
    if int(request.headers.get("content-length") or 0) > most:
        raise _too_large(most)
    with _faults():
        return await _Parser(request, most).parse()


class _Parser(MultiPartParser):
    """Starlette's parser, bounded; it alone would take a form that was cut off for a complete one."""

    def __init__(self, request: Request, most: int) -> None:
        super().__init__(
            request.headers,
            self._chunks(request, most),
            max_files=MAX_FILES,
            max_fields=MAX_FIELDS,
            max_part_size=MAX_FIELD,
        )
        self._complete = False

    async def _chunks(self, request: Request, most: int) -> AsyncGenerator[bytes, None]:
        """Yield the body. What is raised here makes the parser delete its files."""
        size = 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > most:
                raise _too_large(most)
            yield chunk
        if not self._complete:
            raise MultiPartException("It ends before its last boundary.")

    def on_end(self) -> None:
        """Note the last boundary."""
        self._complete = True


@contextmanager
def _faults() -> Iterator[None]:
    """Raise InvalidRequest for whatever a form can be wrong in."""
    try:
        yield
    except MultiPartException as error:
        raise InvalidRequest(f"The form cannot be read: {error.message}") from None
    except UnicodeError:
        raise InvalidRequest("The form cannot be read: its fields are not in the charset that it names.") from None
    except ClientDisconnect:
        raise InvalidRequest("The form cannot be read: it was cut off.") from None


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

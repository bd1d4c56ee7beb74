"""Forms with files: bounded, never held whole, and nothing is left of them."""

import asyncio
import tracemalloc
from collections.abc import Iterable, Iterator
from types import SimpleNamespace
from typing import Any, cast

import psutil
import pytest
from starlette.requests import Request

from agents.models.upstream import Endpoint, Upload
from api.router import uploads
from shared.errors import InvalidRequest, RondoError, TooLarge
from shared.items import Json
from shared.settings import Settings

MIB = 1024 * 1024
HEAD = b'--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
FILE = b'--b\r\nContent-Disposition: form-data; name="%s"; filename="%s"\r\nContent-Type: audio/wav\r\n\r\n'
END = b"\r\n--b--\r\n"
MODEL = HEAD % (b"model", b"demo/audio")
SMALL = MODEL + FILE % (b"file", b"hello.wav") + b"sound" + END
CUT_OFF = None
"""A client that goes away."""


def sent(chunks: Iterable[bytes | None], *, headers: dict[str, str] | None = None, most: int = MIB) -> Request:
    """A request whose body arrives in these chunks."""
    given = {"content-type": "multipart/form-data; boundary=b", **(headers or {})}
    arriving = iter(chunks)

    async def receive() -> dict[str, Any]:
        chunk = next(arriving, b"")
        if chunk is CUT_OFF:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": chunk, "more_body": chunk != b""}

    scope = {
        "type": "http",
        "method": "POST",
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
        "state": {"desk": SimpleNamespace(settings=Settings(max_upload=most))},
    }
    return Request(scope, cast("Any", receive))


def read(request: Request, endpoint: Endpoint = "audio/transcriptions") -> tuple[Json, list[tuple[Upload, bytes]]]:
    async def go() -> tuple[Json, list[tuple[Upload, bytes]]]:
        async with uploads.read(request, endpoint) as (fields, files):
            return fields, [(file, file.content.read()) for file in files]

    return asyncio.run(go())


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    """No test leaves an open file, and files that are spooled have no name."""
    before = psutil.Process().num_fds()
    yield
    assert psutil.Process().num_fds() == before


def test_fields_and_files_are_told_apart() -> None:
    fields, ((file, content),) = read(sent([SMALL]))
    assert fields == {"model": "demo/audio"}
    assert (file.field, file.filename, file.media_type, file.size) == ("file", "hello.wav", "audio/wav", 5)
    assert content == b"sound"


def test_a_form_may_arrive_in_any_pieces() -> None:
    fields, ((_, content),) = read(sent([bytes([byte]) for byte in SMALL]))
    assert (fields, content) == ({"model": "demo/audio"}, b"sound")


def test_several_pictures_are_several_files() -> None:
    body = MODEL + FILE % (b"image[]", b"a.png") + b"1\r\n" + FILE % (b"image[]", b"b.png") + b"2" + END
    _, files = read(sent([body]), "images/edits")
    assert [(file.filename, content) for file, content in files] == [("a.png", b"1"), ("b.png", b"2")]


def test_a_file_can_be_read_again_for_another_attempt() -> None:
    async def go() -> tuple[bytes, bytes]:
        chunks = [MODEL + FILE % (b"file", b"a.wav"), *[b"x" * MIB] * 3, END]
        async with uploads.read(sent(chunks, most=8 * MIB), "audio/transcriptions") as (_, (file,)):
            first = file.content.read()
            file.content.seek(0)
            return first, file.content.read()

    first, second = asyncio.run(go())
    assert first == second == b"x" * 3 * MIB


@pytest.mark.parametrize("failure", [RuntimeError, asyncio.CancelledError])
def test_files_are_deleted_whatever_happens_to_the_call(failure: type[BaseException]) -> None:
    async def go() -> None:
        chunks = [MODEL + FILE % (b"file", b"a.wav"), *[b"x" * MIB] * 2, END]
        async with uploads.read(sent(chunks, most=8 * MIB), "audio/transcriptions"):
            raise failure

    with pytest.raises(failure):
        asyncio.run(go())


@pytest.mark.parametrize("end", [CUT_OFF, b"", b"\r\n--b", b"\r\n--b\r\n"], ids=["gone", "early end", "no mark", "no part"])
def test_a_form_that_is_cut_off_is_refused(end: bytes | None) -> None:
    with pytest.raises(InvalidRequest, match="cannot be read"):
        read(sent([MODEL + FILE % (b"file", b"a.wav"), b"x" * MIB, b"x" * MIB, end], most=8 * MIB))


def test_a_form_may_be_cut_off_anywhere() -> None:
    for cut in range(len(SMALL) - len(b"\r\n")):
        with pytest.raises(InvalidRequest):
            read(sent([SMALL[:cut]] if cut else []))


def test_a_form_of_a_known_size_is_refused_before_it_is_read() -> None:
    def never() -> Iterator[bytes]:
        raise AssertionError("it was read")
        yield b""

    with pytest.raises(TooLarge, match="larger than 1048576 bytes"):
        read(sent(never(), headers={"content-length": str(MIB + 1)}))


def test_an_endless_form_is_refused_once_it_is_too_large() -> None:
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        yield MODEL + FILE % (b"file", b"a.wav")
        while True:
            taken += MIB
            yield b"x" * MIB

    with pytest.raises(TooLarge):
        read(sent(endless(), most=8 * MIB))
    assert taken == 8 * MIB


def test_a_large_file_is_not_held_in_memory() -> None:
    piece = b"x" * 65_536
    chunks = (
        chunk for chunk in (MODEL + FILE % (b"file", b"a.wav"), *[piece] * 2048, END)
    )  # 128 MiB that are one string in memory

    async def go() -> int:
        async with uploads.read(sent(chunks, most=256 * MIB), "audio/transcriptions") as (_, (file,)):
            return file.size

    tracemalloc.start()
    try:
        assert asyncio.run(go()) == 128 * MIB
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 4 * MIB


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (HEAD % (b"prompt", b"x" * (uploads.MAX_FIELD + 1)), "exceeded maximum size"),
        (b"".join(HEAD % (b"x%d" % at, b"") for at in range(uploads.MAX_FIELDS + 1)), "Too many fields"),
        (b"".join(FILE % (b"file", b"a") + b"\r\n" for _ in range(uploads.MAX_FILES + 1)), "Too many files"),
        (b"--b\r\nContent-Disposition: form-data\r\n\r\n", '"name" must be provided'),
        (b"--b\r\n" + b"X: " + b"x" * 100_000, "Invalid multipart data"),
        (b"not a form", "Invalid multipart data"),
    ],
)
def test_a_form_beyond_its_bounds_is_refused(body: bytes, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        read(sent([body + END], most=8 * MIB))


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "multipart/form-data",
        f"multipart/form-data; boundary={'b' * 300}",
        "multipart/form-data; boundary=b; charset=undefined",
        "",
    ],
)
def test_what_is_no_form_is_refused(content_type: str) -> None:
    with pytest.raises(InvalidRequest):
        read(sent([SMALL], headers={"content-type": content_type}))


def test_a_charset_cannot_smuggle_in_what_is_no_text() -> None:
    body = HEAD % (b"prompt", b"\\ud800") + SMALL
    with pytest.raises(InvalidRequest, match="Unicode"):
        read(sent([body], headers={"content-type": "multipart/form-data; boundary=b; charset=unicode_escape"}))


@pytest.mark.parametrize(
    ("endpoint", "param"),
    [
        ("audio/transcriptions", "file"),
        ("audio/translations", "file"),
        ("images/edits", "image"),
        ("images/variations", "image"),
    ],
)
def test_a_form_without_its_file_is_told_which(endpoint: Endpoint, param: str) -> None:
    with pytest.raises(InvalidRequest) as error:
        read(sent([MODEL + FILE % (b"other", b"a") + b"x" + END]), endpoint)
    assert (error.value.param, error.value.code_value) == (param, "missing_required_parameter")


def test_errors_tell_nothing_of_the_file() -> None:
    with pytest.raises(RondoError) as error:
        read(sent([HEAD % (b"n", b"many") + FILE % (b"file", b"a") + b"secret" + END]))
    assert "secret" not in str(error.value.body())

"""Asking an upstream, and reading its whole answer."""

import asyncio
import io
import wave
from typing import Any

import orjson
from pydantic import BaseModel

from agents.models.base import ModelError
from agents.models.demo_upstream import DemoUpstream
from agents.models.upstream import Ask, Endpoint, Upload, Upstream
from shared.items import Json


def upload(content: bytes, *, field: str = "file", filename: str = "hello.wav") -> Upload:
    """A file of a form."""
    return Upload(field=field, filename=filename, media_type="audio/wav", content=io.BytesIO(content), size=len(content))


def pieces(
    endpoint: Endpoint, body: Json, *, model: str = "any", files: tuple[Upload, ...] = (), upstream: Upstream | None = None
) -> tuple[str, list[bytes], ModelError | None]:
    """Ask, and return the media type, the pieces of the answer, and how it broke off."""

    async def go() -> tuple[str, list[bytes], ModelError | None]:
        ask = Ask(endpoint=endpoint, model=model, body=body, files=files)
        answer = await (upstream or DemoUpstream(clock=lambda: 1_700_000_000.0)).send(ask)
        heard: list[bytes] = []
        try:
            async for piece in answer.chunks:
                heard.append(piece)  # noqa: PERF401  # what was heard before it broke off counts
        except ModelError as error:
            return answer.media_type, heard, error
        finally:
            await answer.close()
        return answer.media_type, heard, None

    return asyncio.run(go())


def whole(endpoint: Endpoint, body: Json, *, files: tuple[Upload, ...] = ()) -> Any:
    """Ask, and return the object that is answered."""
    media_type, heard, _ = pieces(endpoint, body, files=files)
    assert media_type == "application/json"
    return orjson.loads(b"".join(heard))


def events(endpoint: Endpoint, body: Json, *, files: tuple[Upload, ...] = ()) -> tuple[list[Json], bool]:
    """Ask for a stream, and return its events, and whether it ended with the mark."""
    media_type, heard, _ = pieces(endpoint, {**body, "stream": True}, files=files)
    assert media_type == "text/event-stream"
    assert all(piece.endswith(b"\n\n") for piece in heard)
    data = [line[6:] for line in b"".join(heard).split(b"\n") if line.startswith(b"data: ")]
    return [orjson.loads(one) for one in data if one != b"[DONE]"], data[-1] == b"[DONE]"


def recording(seconds: float) -> bytes:
    """A WAV file of silence."""
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(2)
        written.setframerate(8000)
        written.writeframes(b"\0\0" * int(8000 * seconds))
    return file.getvalue()


def strictly(model: type[BaseModel], value: Json) -> BaseModel:
    """Read what an SDK reads, without its leniency: nothing of another type, nothing that it does not know."""
    read = model.model_validate_json(orjson.dumps(value), strict=True)
    assert not read.model_extra
    return read

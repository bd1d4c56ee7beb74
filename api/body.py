"""Reading a request's body, bounded."""

from fastapi import Request

from shared.errors import TooLarge


async def read_body(request: Request, most: int) -> bytes:
    """Read the whole body; raise TooLarge as soon as it is known to exceed `most` bytes."""
    if int(request.headers.get("content-length") or 0) > most:
        raise _too_large(most)
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > most:
            raise _too_large(most)
        chunks.append(chunk)
    return b"".join(chunks)


def _too_large(most: int) -> TooLarge:
    return TooLarge(f"The request's body is larger than {most} bytes.")

"""Server-sent events, split from bytes as they arrive: every streamed token passes here, so it works by whole lines."""

from typing import Final, TypeAlias

from agents.models.base import ModelError

Event: TypeAlias = tuple[str, bytes]
"""The event's name (empty if it has none) and its data."""

LIMIT: Final = 32 * 1024 * 1024
"""Bytes that one event may hold; generated images travel in events of several megabytes."""


class Splitter:
    """Turns chunks of a stream, cut anywhere, into its events."""

    def __init__(self, *, limit: int = LIMIT) -> None:
        """`limit` bounds the bytes held for an event that is not complete yet."""
        self._limit = limit
        self._held = 0
        self._partial: list[bytes] = []
        self._name = ""
        self._data: list[bytes] = []
        self._after_return = False

    def feed(self, chunk: bytes) -> list[Event]:
        """Return the events that `chunk` completes; raise ModelError if an event outgrows the limit.

        Feeding an empty line at the end of a stream gives the event that the stream left unfinished.
        """
        if b"\r" in chunk or self._after_return:
            chunk = self._unify(chunk)
        self._held += len(chunk)
        events: list[Event] = []
        for line in self._lines(chunk):
            if line.startswith(b"data: "):
                self._data.append(line[6:])
            elif not line:
                self._dispatch(events)
            else:
                self._field(line)
        if self._held > self._limit:
            raise ModelError("provider_protocol", f"The provider sent an event of more than {self._limit} bytes.")
        return events

    def _lines(self, chunk: bytes) -> list[bytes]:
        """Return the lines that `chunk` completes, and keep its last, partial line."""
        if b"\n" not in chunk:
            self._partial.append(chunk)
            return []
        lines = chunk.split(b"\n")
        if self._partial:
            self._partial.append(lines[0])
            lines[0] = b"".join(self._partial)
        last = lines.pop()
        self._partial = [last] if last else []
        return lines

    def _dispatch(self, events: list[Event]) -> None:
        """Take the event that an empty line ends; without data it is none, and only its name is forgotten."""
        if self._data:
            events.append((self._name, self._data[0] if len(self._data) == 1 else b"\n".join(self._data)))
            self._data = []
        self._name = ""
        self._held = sum(map(len, self._partial))

    def _field(self, line: bytes) -> None:
        """Take a line other than the usual `data: …`; comments, ids and unknown fields mean nothing here."""
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"event":
            self._name = value.decode("utf-8", "replace")
        elif field == b"data":
            self._data.append(value)

    def _unify(self, chunk: bytes) -> bytes:
        r"""Replace `\r\n` and `\r` by `\n`, also where a chunk ends between the two."""
        if not chunk:
            return chunk
        rest = chunk.removeprefix(b"\n") if self._after_return else chunk
        self._after_return = chunk.endswith(b"\r")
        return rest.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

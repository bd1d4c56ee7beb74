"""Looking for secrets in everything that a system leaves behind, whatever it was wrapped into."""

import base64
import html
import json
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import httpx2
import orjson
import psycopg
import redis
from psycopg import sql

from shared.items import Json
from tests.system.running import System

_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{24,}")
_DATA = re.compile(rb"data: (\{.*\})")
_ESCAPED = re.compile(rb"\\(x[0-9a-f]{2}|.)")


def spellings(text: str) -> Iterator[bytes]:
    """Yield the forms in which a text can stand somewhere."""
    data = text.encode()
    yield data
    every = "".join(f"%{byte:02X}" for byte in data)
    for form in (quote(text, safe=""), quote(text), every):
        yield from (form.encode(), form.lower().encode())
    for spelled in (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], html.escape(text)):
        yield spelled.encode()
    yield from (data.hex().encode(), data.hex().upper().encode())
    for shift in range(3):
        first, end = -(-8 * shift // 6), 8 * (shift + len(data)) // 6
        middle = base64.b64encode(bytes(shift) + data)[first:end]
        yield from (middle, middle.translate(bytes.maketrans(b"+/", b"-_")))


def found(blobs: Iterable[bytes], secrets: Mapping[str, list[str]]) -> set[str]:
    """Name the secrets of which a part stands in any of the blobs, or in what those say piece by piece."""
    given = list(blobs)
    whole = b"\n".join(_unwrapped(b"\n".join([*given, *_spoken(given)])))
    needles = {name: {form for part in parts for form in spellings(part)} for name, parts in secrets.items()}
    return {name for name, forms in needles.items() if any(form in whole for form in forms)}


def _unwrapped(blob: bytes, *, deep: int = 2) -> Iterator[bytes]:
    """Yield a blob, and what is base64 in it."""
    yield blob
    if deep == 0:
        return
    for token in set(_BASE64.findall(blob)):
        usual = token.translate(bytes.maketrans(b"-_", b"+/"))
        yield from _unwrapped(base64.b64decode(usual[: len(usual) // 4 * 4]), deep=deep - 1)


def _spoken(blobs: list[bytes]) -> list[bytes]:
    """Join the deltas of each item, whichever pages they stand in, and however often."""
    pieces: dict[tuple[str, str], dict[int, str]] = {}
    for blob in blobs:
        for line in _DATA.findall(blob):
            event = orjson.loads(line)
            if "delta" in event:
                pieces.setdefault((event["type"], event["item_id"]), {})[event["sequence_number"]] = str(event["delta"])
    return ["".join(text for _, text in sorted(those.items())).encode() for those in pieces.values()]


def database(system: System) -> list[bytes]:
    """Dump every column of every table, binary ones as they are."""
    with psycopg.connect(system.env["DATABASE_URL"]) as session:
        tables = session.execute("SELECT schemaname, tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        dumped: list[bytes] = []
        for names in tables:
            cursor = session.execute(sql.SQL("SELECT t.*, to_jsonb(t)::text FROM {} t").format(sql.Identifier(*names)))
            dumped += (_raw(value) for row in cursor for value in row)
    assert len(tables) > 15
    assert dumped
    return dumped


def _raw(value: Any) -> bytes:
    return bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()


class Witness:
    """A client that keeps every byte of every answer."""

    def __init__(self, http: httpx2.Client) -> None:
        self.seen: list[bytes] = []
        self._http = http

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        """Read a whole answer, streamed or not; return its status and body."""
        content = None if body is None else body if isinstance(body, bytes) else orjson.dumps(body)
        with self._http.stream(method, path, content=content, headers={"content-type": "application/json"}) as answer:
            read = b"".join(answer.iter_bytes())
        self.seen += (repr(answer.headers.raw).encode(), read)
        return answer.status_code, read

    def get(self, path: str) -> Json:
        """Read an object that is there."""
        status, read = self.ask("GET", path)
        assert status == 200, read
        value: Json = orjson.loads(read)
        return value

    def make(self, path: str, body: Json, *, method: str = "POST") -> Json:
        """Have an object made or changed."""
        status, read = self.ask(method, path, body)
        assert status in {200, 201}, read
        value: Json = orjson.loads(read)
        return value


@contextmanager
def tapped(url: str) -> Iterator[list[bytes]]:
    """Listen to all commands that a Redis server is sent, and to all that is published, while the block runs."""
    heard: list[bytes] = []
    with redis.Redis.from_url(url, socket_timeout=None) as client, client.monitor() as monitor, client.pubsub() as pubsub:
        pubsub.psubscribe(**{"*": lambda message: heard.append(message["data"])})
        published = pubsub.run_in_thread(sleep_time=0.05, daemon=True)
        commands = threading.Thread(target=_listen, args=(monitor.connection, heard), daemon=True)
        commands.start()
        try:
            yield heard
        finally:
            client.echo(_LAST)
            commands.join(10)
            published.stop()
            published.join(10)
    assert not commands.is_alive()


_LAST = "that is all"


def _listen(connection: Any, heard: list[bytes]) -> None:
    """Keep the commands, as they were before the server wrote them down, up to the last one."""
    while _LAST.encode() not in (line := connection.read_response()):
        heard.append(_ESCAPED.sub(_unescaped, line))


def _unescaped(match: re.Match[bytes]) -> bytes:
    code = match[1]
    return bytes.fromhex(code[1:].decode()) if len(code) == 3 else {b"n": b"\n", b"r": b"\r", b"t": b"\t"}.get(code, code)

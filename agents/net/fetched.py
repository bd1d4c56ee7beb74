"""One exchange with a stranger: redirects checked each, time, size and number bounded, and every failure a `ToolError`."""

import asyncio
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

import httpx2

from agents.net.transport import Refused
from agents.tools.base import ToolError, ToolUnavailable

FAILURES: Final[dict[type[BaseException], tuple[type[ToolError], str]]] = {
    httpx2.ConnectTimeout: (ToolUnavailable, "could not be reached in time"),
    httpx2.ConnectError: (ToolUnavailable, "could not be reached"),
    httpx2.PoolTimeout: (ToolUnavailable, "has too many connections"),
    httpx2.TimeoutException: (ToolUnavailable, "took too long to answer"),
    TimeoutError: (ToolUnavailable, "took too long to answer"),
    httpx2.NetworkError: (ToolUnavailable, "broke the connection"),
    httpx2.RemoteProtocolError: (ToolUnavailable, "broke off its answer, or answered what is no HTTP"),
    httpx2.UnsupportedProtocol: (ToolError, "is not a host that can be asked"),
    httpx2.InvalidURL: (ToolError, "is not a valid URL"),
    httpx2.HTTPError: (ToolError, "gave an answer that cannot be read"),
    httpx2.StreamError: (ToolError, "gave an answer that cannot be read"),
    httpx2.CookieConflict: (ToolError, "gave an answer that cannot be read"),
}
"""What a client can raise, and what is said of the host; the first class in an exception's own order of bases decides.

What aiohttp says is not repeated: it names addresses.
"""

_TRAVELLING: Final = frozenset({"accept", "accept-language", "content-type", "user-agent"})
"""Headers that go along to another origin: any other may hold a credential."""

_OF_BODIES: Final = frozenset({"content-type", "content-encoding", "content-language", "content-location"})

_CHARSET: Final = re.compile(rb"charset\s*=\s*[\"']?([a-z0-9_-]{1,32})", re.IGNORECASE)

_ENCODINGS: Final = re.compile(
    r"(?:utf-?8|utf-?(?:16|32)(?:[-_]?[bl]e)?|(?:us-)?ascii|latin-?1|iso-8859-(?:[1-9]|1[0-6])|windows-125[0-8]|cp125[0-8]"
    r"|koi8-[ru]|shift[-_]jis|euc-(?:jp|kr)|gb2312|gbk|gb18030|big5)$"
)
"""Encodings of texts: Python knows others, which take very long or are none."""

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """An answer: what `body` holds is decoded, and its beginning if `truncated`."""

    status: int
    headers: httpx2.Headers
    body: bytes
    url: str
    """Where it came from in the end."""
    truncated: bool

    @property
    def media_type(self) -> str:
        """The body's type in lower case, without parameters; empty if the answer does not say."""
        return self.headers.get("content-type", "").split(";")[0].strip().lower()

    @property
    def text(self) -> str:
        """The body as text, in the encoding that the answer or the page itself gives, without what is none."""
        declared = _CHARSET.search(self.headers.get("content-type", "").encode()) or _CHARSET.search(self.body[:1024])
        encoding = declared[1].decode().lower() if declared else "utf-8"
        return self.body.decode(encoding if _ENCODINGS.match(encoding) else "utf-8", "replace").replace("\0", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ask:
    method: str
    url: httpx2.URL
    headers: Mapping[str, str]
    content: bytes


async def fetch(
    client: httpx2.AsyncClient,
    method: str,
    url: str,
    *,
    timeout: float,  # noqa: ASYNC109  # the callers do not wait: it is part of what they ask for
    max_bytes: int,
    headers: Mapping[str, str] | None = None,
    content: bytes = b"",
    max_redirects: int = 5,
) -> Fetched:
    """Send a request, follow its redirects, and return the answer whatever its status is, cut at `max_bytes`.

    `timeout` is seconds for all of it. Credentials stay with the origin that they were meant for: another one gets no
    header that may hold one, and no body. Raises ToolUnavailable if a later attempt may do better, and ToolError if not.
    """
    with _failures(url):
        ask = _Ask(method=method, url=httpx2.URL(url), headers=dict(headers or {}), content=content)
        async with asyncio.timeout(timeout):
            for _ in range(max_redirects + 1):
                answer = await _send(client, ask, max_bytes)
                if (place := _redirect(answer)) is None:
                    return answer
                ask = _follow(ask, place, answer.status)
    raise ToolError(f"{_host(url)!r} redirects more than {max_redirects} times.")


async def _send(client: httpx2.AsyncClient, ask: _Ask, max_bytes: int) -> Fetched:
    """Exchange one request for one answer; the body of a redirect is not read."""
    request = client.build_request(ask.method, ask.url, headers=ask.headers, content=ask.content or None)
    response = await client.send(request, stream=True, follow_redirects=False)
    try:
        bare = Fetched(status=response.status_code, headers=response.headers, body=b"", url=str(ask.url), truncated=False)
        return bare if _redirect(bare) is not None else await _read(response, bare, max_bytes)
    finally:
        await response.aclose()


async def _read(response: httpx2.Response, bare: Fetched, max_bytes: int) -> Fetched:
    """Read until the end or `max_bytes`; the transport has decompressed already, in pieces of bounded size."""
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > max_bytes:
            return replace(bare, body=bytes(body[:max_bytes]), truncated=True)
    return replace(bare, body=bytes(body))


def _redirect(answer: Fetched) -> str | None:
    return answer.headers.get("location") if answer.status in _REDIRECTS else None


def _follow(ask: _Ask, place: str, status: int) -> _Ask:
    """Make the request that a redirect asks for, after RFC 9110 15.4, with what may be shown to that origin."""
    url = ask.url.join(place)
    if status == 303 or (status in {301, 302} and ask.method == "POST"):
        method = "HEAD" if ask.method == "HEAD" else "GET"
        kept = {name: value for name, value in ask.headers.items() if name.lower() not in _OF_BODIES}
        ask = replace(ask, method=method, headers=kept, content=b"")
    if _same_party(ask.url, url):
        return replace(ask, url=url)
    if ask.content:
        raise ToolError(f"{ask.url.host!r} redirects to {url.host!r}, which is not sent what was meant for the first.")
    return replace(ask, url=url, headers={k: v for k, v in ask.headers.items() if k.lower() in _TRAVELLING})


def _same_party(one: httpx2.URL, other: httpx2.URL) -> bool:
    """Whether both are one origin, or the second is the first made safe."""
    if one.host != other.host:
        return False
    safer = (one.scheme, other.scheme) == ("http", "https") and one.port is None and other.port is None
    return safer or (one.scheme, one.port) == (other.scheme, other.port)


def _host(url: str) -> str:
    """Name a URL by its host: the rest of it may hold a secret."""
    try:
        return httpx2.URL(url).host or "The URL"
    except httpx2.InvalidURL:
        return "The URL"


@contextmanager
def _failures(url: str) -> Iterator[None]:
    try:
        yield
    except Refused as error:
        raise ToolError(str(error)) from error
    except tuple(FAILURES) as error:
        kind, what = next(FAILURES[base] for base in type(error).__mro__ if base in FAILURES)
        raise kind(f"{_host(url)!r} {what}.") from error

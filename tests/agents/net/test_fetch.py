"""Answers of strangers, over real sockets: bounded in size, time and number, and no credential leaves its origin."""

import asyncio
import gzip
import inspect
import tracemalloc
from contextlib import AsyncExitStack
from typing import Any

import httpx2
import pytest
from httpx2 import _exceptions

from agents import net
from agents.net import fetched
from agents.tools.base import ToolError, ToolUnavailable
from tests.agents.net import hostile

OK = b"HTTP/1.1 200 OK\r\n"


def ask(serve: hostile.Serve, method: str = "GET", path: str = "/", **options: Any) -> net.Fetched:
    """Fetch from one stranger."""

    async def go() -> net.Fetched:
        async with net.client(hostile.OPENED) as client, hostile.serving(serve) as port:
            bounds = {"timeout": 5.0, "max_bytes": 1000} | options
            return await net.fetch(client, method, f"http://{hostile.OUTSIDE}:{port}{path}", **bounds)

    return asyncio.run(go())


def heads(*answers: str, method: str = "POST", headers: dict[str, str] | None = None, content: bytes = b"") -> list[bytes]:
    """Let `one.test` answer first, and whatever is named follow; return the heads of all requests.

    `{one}` and `{two}` stand for the origins of two strangers.
    """

    async def go() -> list[bytes]:
        seen: list[bytes] = []
        async with AsyncExitStack() as stack:
            names = hostile.naming(one=[[hostile.OUTSIDE]], two=[[hostile.OUTSIDE]])
            client = await stack.enter_async_context(net.client(hostile.OPENED, look_up=names))
            raw: list[bytes] = []

            async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                await hostile.answering(raw.pop(0), heads=seen)(reader, writer)

            port = await stack.enter_async_context(hostile.serving(serve))
            one, two = f"http://one.test:{port}", f"http://two.test:{port}"
            for answer in answers:
                status, _, place = answer.partition(" ")
                raw.append(hostile.redirect(place.format(one=one, two=two), status=int(status)))
            raw.append(hostile.page(b""))
            await net.fetch(client, method, one, headers=headers, content=content, timeout=5, max_bytes=1000)
        return seen

    return asyncio.run(go())


def line(head: bytes) -> str:
    return head.split(b" HTTP")[0].decode()


def test_an_answer_is_given_whole() -> None:
    answer = ask(hostile.answering(hostile.page(b"hello", "X-Kind: word", status=404)))
    assert (answer.status, answer.body, answer.headers["x-kind"], answer.truncated) == (404, b"hello", "word", False)


def test_an_answer_of_the_very_size_is_not_cut() -> None:
    answer = ask(hostile.answering(hostile.page(bytes(1000))))
    assert (len(answer.body), answer.truncated) == (1000, False)


def test_a_huge_body_is_cut() -> None:
    answer = ask(hostile.answering(hostile.page(bytes(10_000_000))))
    assert (len(answer.body), answer.truncated) == (1000, True)


def test_an_endless_body_is_cut() -> None:
    answer = ask(hostile.repeating(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"4\r\nmore\r\n"))
    assert (answer.body, answer.truncated) == (b"more" * 250, True)


@pytest.mark.parametrize(
    "serve",
    [
        hostile.repeating(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n.\r\n", every=0.01),
        hostile.repeating(OK + b"X-", b"y", every=0.01),
        hostile.silence,
    ],
    ids=["a body in drops", "a head in drops", "half a head"],
)
def test_all_of_it_together_has_so_much_time(serve: hostile.Serve) -> None:
    with pytest.raises(ToolUnavailable, match="took too long to answer"):
        ask(serve, timeout=0.2)


def test_a_chain_of_slow_redirects_has_so_much_time() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.1)
        await hostile.answering(hostile.redirect("/next"))(reader, writer)

    with pytest.raises(ToolUnavailable, match="took too long"):
        ask(serve, timeout=0.25)


def test_a_small_body_that_unpacks_to_a_huge_one_is_cut_before_it_fills_the_memory() -> None:
    packed = hostile.bomb(200_000_000)
    tracemalloc.start()
    try:
        answer = ask(hostile.answering(hostile.page(packed, "Content-Encoding: gzip")), max_bytes=100_000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (len(answer.body), answer.truncated) == (100_000, True)
    assert peak < 5_000_000


def test_a_compressed_body_is_unpacked() -> None:
    answer = ask(hostile.answering(hostile.page(gzip.compress(b"hello"), "Content-Encoding: gzip")))
    assert answer.body == b"hello"


@pytest.mark.parametrize(
    "head",
    [b"X-Flood: 1\r\n" * 1000, b"X-Long: " + b"a" * 100_000 + b"\r\n"],
    ids=["many", "long"],
)
def test_a_flood_of_headers_is_no_answer(head: bytes) -> None:
    with pytest.raises(ToolUnavailable, match="answered what is no HTTP"):
        ask(hostile.answering(OK + head + b"Content-Length: 0\r\n\r\n"))


def test_a_flood_of_headers_without_end_is_no_answer() -> None:
    with pytest.raises(ToolUnavailable, match="answered what is no HTTP"):
        ask(hostile.repeating(OK, b"X-Flood: 1\r\n" * 100))


@pytest.mark.parametrize("raw", [b"", b"SSH-2.0-server\r\n", OK + b"Content-Length: 9\r\n\r\nabc"])
def test_what_breaks_the_protocol_is_no_answer(raw: bytes) -> None:
    with pytest.raises(ToolUnavailable, match="broke"):
        ask(hostile.answering(raw))


def test_redirects_are_followed_so_many_times() -> None:
    with pytest.raises(ToolError, match="redirects more than 5 times"):
        ask(hostile.answering(hostile.redirect("/again")))


@pytest.mark.parametrize("place", ["file:///etc/passwd", "ftp://127.0.0.2/", "gopher://127.0.0.2:6379/_x", "unix:/run/x"])
def test_a_redirect_to_another_scheme_is_refused(place: str) -> None:
    with pytest.raises(ToolError, match=r"must begin with http:// or https:// and name a host"):
        ask(hostile.answering(hostile.redirect(place)))


@pytest.mark.parametrize(
    "place",
    ["http://user:password@127.0.0.2/", "http://user@127.0.0.2/"],
)
def test_a_redirect_with_credentials_is_refused(place: str) -> None:
    with pytest.raises(ToolError, match="must not contain a user name or password"):
        ask(hostile.answering(hostile.redirect(place)))


@pytest.mark.parametrize("place", ["http://[", "http://\x7f/", "http://127.0.0.2:99999/", "http://127.0.0.2:0/", "http://a b/"])
def test_a_redirect_to_nowhere_is_an_error_of_ours(place: str) -> None:
    with pytest.raises(ToolError):
        ask(hostile.answering(hostile.redirect(place)))


def test_an_answer_without_a_place_is_no_redirect() -> None:
    assert ask(hostile.answering(hostile.page(b"choose", status=302))).body == b"choose"


def test_an_answer_says_where_it_came_from() -> None:
    answer = ask(hostile.answering(hostile.redirect("/there?a=b"), hostile.page(b"")), path="/here")
    assert answer.url.endswith("/there?a=b")


@pytest.mark.parametrize(
    ("status", "method", "then"),
    [
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (303, "POST", "GET"),
        (303, "PUT", "GET"),
        (303, "HEAD", "HEAD"),
        (302, "PUT", "PUT"),
        (307, "POST", "POST"),
        (308, "DELETE", "DELETE"),
    ],
)
def test_a_redirect_changes_the_method_as_the_protocol_says(status: int, method: str, then: str) -> None:
    assert [line(head) for head in heads(f"{status} /b", method=method)] == [f"{method} /", f"{then} /b"]


def test_a_method_that_becomes_get_leaves_its_body_behind() -> None:
    sent = heads("303 {two}/b", headers={"Content-Type": "application/json", "X-Key": "k"}, content=b"{}")[1].lower()
    assert (b"content-type" in sent, b"content-length" in sent) == (False, False)


def test_a_body_follows_within_its_origin() -> None:
    sent = heads("307 {one}/b", headers={"X-Key": "k"}, content=b"{}")[1].lower()
    assert (b"x-key: k" in sent, b"content-length: 2" in sent) == (True, True)


def test_headers_that_may_be_credentials_stay_with_their_origin() -> None:
    given = {"Authorization": "Bearer k", "X-Key": "k", "Cookie": "k", "Accept": "text/plain"}
    first, second = heads("302 {two}/b", method="GET", headers=given)
    names = [{row.split(b":")[0].lower() for row in head.splitlines()[1:-1]} for head in (first, second)]
    assert names[0] - names[1] == {b"authorization", b"x-key", b"cookie"}


def test_headers_that_were_dropped_do_not_come_back() -> None:
    third = heads("302 {two}/b", "302 {one}/c", method="GET", headers={"X-Key": "k"})[2]
    assert b"x-key" not in third.lower()


def test_a_body_is_not_sent_to_another_origin() -> None:
    with pytest.raises(ToolError, match=r"'one.test' redirects to 'two.test', which is not sent what was meant for the first"):
        heads("307 {two}/b", content=b"{}")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("http://a.test/x", "http://a.test/y", True),
        ("http://a.test/", "http://a.test:80/", True),
        ("http://a.test/", "https://a.test/", True),
        ("https://a.test/", "http://a.test/", False),
        ("http://a.test/", "http://a.test:81/", False),
        ("http://a.test:81/", "https://a.test/", False),
        ("http://a.test/", "http://b.test/", False),
        ("http://a.test/", "http://a.test.b.test/", False),
    ],
)
def test_an_origin_is_scheme_host_and_port_and_may_become_safer(one: str, other: str, same: bool) -> None:
    assert fetched._same_party(httpx2.URL(one), httpx2.URL(other)) is same


@pytest.mark.parametrize("url", ["", "no url", "http://", "http://[::1", "javascript:alert(1)", "http://x:port/"])
def test_what_is_no_url_is_refused(url: str) -> None:
    async def go() -> None:
        async with net.client(hostile.OPENED) as client:
            await net.fetch(client, "GET", url, timeout=1, max_bytes=1)

    with pytest.raises(ToolError):
        asyncio.run(go())


def test_who_is_not_there_is_unavailable_and_his_address_is_not_told() -> None:
    async def go() -> None:
        names = hostile.naming(gone=[[hostile.OUTSIDE]])
        async with net.client(hostile.OPENED, look_up=names) as client:
            await net.fetch(client, "GET", "http://gone.test:1/?key=secret", timeout=1, max_bytes=1)

    with pytest.raises(ToolUnavailable) as error:
        asyncio.run(go())
    assert error.value.message == "'gone.test' could not be reached."


def _foreign() -> list[type[BaseException]]:
    """Every exception that httpx2 defines for what a client does."""
    family = (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, httpx2.CookieConflict)
    found = {kind for kind in vars(_exceptions).values() if inspect.isclass(kind) and issubclass(kind, family)}
    return sorted(found | {TimeoutError}, key=lambda kind: kind.__name__)


@pytest.mark.parametrize("kind", _foreign())
def test_every_failure_of_a_client_becomes_one_of_a_tool(kind: type[BaseException]) -> None:
    error: BaseException = type("Lost", (kind,), {"__init__": lambda _: None})()
    with pytest.raises(ToolError, match=r"^'host.test' "), fetched._failures("https://host.test/?key=secret"):
        raise error

"""Reading web pages: what there is to read in them, bounded, and nothing that is not a text."""

import gzip
from typing import Any

import pytest

from agents.tools import page
from agents.tools.base import ToolError, ToolUnavailable
from tests.agents.net import hostile
from tests.agents.tools.running import run

ARTICLE = (
    "<html><head><title>The title - a site</title><meta name='description' content='What it is about'></head><body>"
    "<nav><a href='/'>Home</a></nav><script>alert('no')</script><article><h1>The title</h1>"
    + "".join(f"<p>Paragraph {n} of the article says that <a href='/more'>there is more</a>, at length.</p>" for n in range(9))
    + "<ul><li>one</li><li>two</li></ul></article><footer>Imprint</footer></body></html>"
)


def fetch(body: bytes, kind: str = "text/html; charset=utf-8", *, status: int = 200, **arguments: Any) -> Any:
    serve = hostile.answering(hostile.page(body, f"Content-Type: {kind}", status=status))
    return run({"type": "orq:web_fetch"}, {"url": "{server}/page", **arguments}, serve)


def test_a_page_gives_its_title_its_description_and_its_article() -> None:
    found = fetch(ARTICLE.encode())
    assert (found["title"], found["description"], found["truncated"]) == ("The title", "What it is about", False)
    assert "Paragraph 8 of the article says" in found["text"]


@pytest.mark.parametrize("noise", ["alert", "Imprint", "<p>", "sitename"])
def test_what_is_not_the_article_is_left_out(noise: str) -> None:
    assert noise not in fetch(ARTICLE.encode())["text"]


def test_links_are_kept_whole() -> None:
    assert "/more)" in fetch(ARTICLE.encode())["text"]


def test_the_other_name_is_the_same_tool() -> None:
    serve = hostile.answering(hostile.page(b"hello", "Content-Type: text/plain"))
    assert run({"type": "orq:web_scraper"}, {"url": "{server}/"}, serve)["text"] == "hello"


def test_a_page_that_moved_says_where_it_is() -> None:
    serve = hostile.answering(hostile.redirect("/new"), hostile.page(b"hello", "Content-Type: text/plain"))
    assert run({"type": "orq:web_fetch"}, {"url": "{server}/old"}, serve)["url"].endswith("/new")


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("text/plain", "just <b>text</b>"),
        ("text/markdown", "# Heading"),
        ("application/json", '{"a": [1]}'),
        ("application/problem+json; charset=utf-8", '{"a": 1}'),
        ("application/atom+xml", "<feed/>"),
        ("text/csv", "a,b"),
        ("", "no type at all"),
    ],
)
def test_other_texts_are_given_as_they_are(kind: str, text: str) -> None:
    assert fetch(text.encode(), kind)["text"] == text


def test_a_page_without_a_type_is_known_by_how_it_begins() -> None:
    assert fetch(b"  <html><body><p>Hello there</p></body></html>", "")["text"] == "Hello there"


@pytest.mark.parametrize("kind", ["image/png", "application/pdf", "application/octet-stream", "video/mp4", "application/zip"])
def test_what_is_no_text_is_refused(kind: str) -> None:
    with pytest.raises(ToolError, match=f"The address holds '{kind}', which is no text"):
        fetch(b"\x00", kind)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("héé".encode("latin-1"), "text/plain; charset=ISO-8859-1"),
        ("héé".encode("utf-16"), "text/plain; charset=utf-16"),
        ("héé".encode(), "text/plain"),
        (b"h\xc3\xa9\x00\xc3\xa9", 'text/plain; charset="utf-8"'),
        ("héé".encode(), "text/plain; charset=punycode"),
        ("héé".encode(), "text/plain; charset=no-such"),
    ],
)
def test_a_text_is_read_in_its_encoding(body: bytes, kind: str) -> None:
    assert fetch(body, kind)["text"] == "héé"


def test_a_page_may_name_its_encoding_itself() -> None:
    html = "<html><head><meta charset='windows-1252'></head><body><p>héé</p></body></html>".encode("windows-1252")
    assert fetch(html, "text/html")["text"] == "héé"


def test_a_text_is_cut_at_the_length_that_was_asked_for() -> None:
    found = fetch(b"0123456789", "text/plain", max_length=4)
    assert (found["text"], found["truncated"]) == ("0123", True)


def test_a_huge_page_is_cut_and_says_so() -> None:
    found = fetch(b"<p>word</p>" * 500_000)
    assert (len(found["text"]), found["truncated"]) == (50_000, True)


@pytest.mark.parametrize(
    "html",
    [
        b"<html><body>" + b"<div>" * 100_000,
        b"<html><body>" + b"<table><tr><td>x" * 50_000,
        b"<html><body>" + b"<ul><li>y z</li></ul>" * 9_000,
        b"<html><body>" + b"<a href=/x>y</a>" * 100_000,
        b"<!DOCTYPE x [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;&a;'>]><html><body>&b;</body></html>",
        b'<?xml version="1.0" encoding="utf-16"?><html><body>x</body></html>',
        b"<html><head><script type='application/ld+json'>" + b'{"a":' * 100_000,
        b"",
        b"<",
        b"\x00\x01\x02" * 1000,
        gzip.compress(b"<p>zipped twice</p>" * 1000),
    ],
    ids=["deep", "tables", "lists", "links", "entities", "declared", "json", "empty", "angle", "binary", "zipped"],
)
def test_a_page_made_to_harm_is_read_or_refused_in_time(html: bytes) -> None:
    found = fetch(html)
    assert len(found["text"]) <= 50_000


def test_what_the_reader_chokes_on_is_told_as_such() -> None:
    for kind in page.FAILURES:
        with pytest.raises(ToolError, match="not built in a way that can be read"), page._failures():
            raise kind


def test_a_page_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ToolError, match="HTTP 404"):
        fetch(b"gone", status=404)


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_is_busy_may_be_asked_again(status: int) -> None:
    with pytest.raises(ToolUnavailable):
        fetch(b"", status=status)


def test_a_page_inside_is_not_read() -> None:
    with pytest.raises(ToolError, match=r"'169\.254\.169\.254' is in a network that may not be reached"):
        run({"type": "orq:web_fetch"}, {"url": "http://169.254.169.254/latest/meta-data/"}, hostile.silence)

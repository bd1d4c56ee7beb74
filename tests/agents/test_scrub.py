"""Secrets are found in every usual form, and nothing else is touched."""

import base64
import html
import json
import time
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agents.scrub import MIN_SECRET, Scrubber

SECRET = 'p4ß/w+rd?~"<\\>& {x}'
LOWER = "p4%c3%9f%2fw%2brd%3f~%22%3c%5c%3e%26%20%7bx%7d"
VALUE = st.text(min_size=MIN_SECRET, max_size=24)
BYTES = st.binary(max_size=9)


@pytest.mark.parametrize(
    ("form", "clean"),
    [
        (SECRET, "[secret]"),
        (json.dumps(SECRET), '"[secret]"'),
        (json.dumps(SECRET).replace("00df", "00DF"), '"[secret]"'),
        (json.dumps(SECRET).replace("/", "\\/"), '"[secret]"'),
        (json.dumps(SECRET).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"), '"[secret]"'),
        (orjson.dumps({"a": SECRET}).decode(), '{"a":"[secret]"}'),
        (json.dumps([json.dumps(SECRET)]), r'["\"[secret]\""]'),
        (orjson.dumps([orjson.dumps(SECRET).decode()]).decode(), r'["\"[secret]\""]'),
        (html.escape(SECRET), "[secret]"),
        (json.dumps(html.escape(SECRET), ensure_ascii=False), '"[secret]"'),
        (orjson.dumps([orjson.dumps(html.escape(SECRET)).decode()]).decode(), r'["\"[secret]\""]'),
        (quote(SECRET), "[secret]"),
        (quote_plus(SECRET), "[secret]"),
        (urlencode({"a": SECRET}), "a=[secret]"),
        (LOWER, "[secret]"),
        (quote(SECRET, safe="!'()*"), "[secret]"),
        ("".join(f"%{byte:02x}" for byte in SECRET.encode()), "[secret]"),
        (SECRET.encode().hex(), "[secret]"),
        (SECRET.encode().hex().upper(), "[secret]"),
        (base64.b64encode(SECRET.encode()).decode(), "[secret]"),
        (base64.urlsafe_b64encode(SECRET.encode()).decode(), "[secret]"),
        (base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("="), "[secret]"),
    ],
)
def test_a_secret_is_found_in_every_usual_form(form: str, clean: str) -> None:
    assert Scrubber([SECRET]).text(f"before {form} after") == f"before {clean} after"


@given(VALUE, BYTES, BYTES)
def test_a_longer_encoding_keeps_no_more_of_a_secret_than_its_edges(value: str, before: bytes, after: bytes) -> None:
    data = value.encode()
    shift = len(before) % 3
    decided = 8 * (shift + len(data)) // 6 - -(-8 * shift // 6)
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        encoded = encode(before + data + after).decode()
        clean = Scrubber([value]).text(encoded)
        if decided >= 8:
            assert len(clean.replace("[secret]", "")) <= len(encoded) - decided


def test_a_password_in_a_basic_authorization_is_found() -> None:
    for user in ("u", "me", "you", "somebody"):
        header = base64.b64encode(f"{user}:correct horse".encode()).decode()
        assert "[secret]" in Scrubber(["correct horse"]).text(f"Basic {header}")


BASIC = base64.b64encode(b"ada:c0rrect-horse").decode()
BY_NAME = base64.b64encode(b"sk_live_4711:").decode()


@pytest.mark.parametrize(
    ("value", "echo", "clean"),
    [
        ("Bearer c0rrect-horse", "got c0rrect-horse", "got [secret]"),
        ("bearer  c0rrect-horse", "got Bearer c0rrect-horse", "got Bearer [secret]"),
        ("Token c0rrect-horse", f"got {base64.b64encode(b'c0rrect-horse').decode()}", "got [secret]"),
        (f"Basic {BASIC}", BASIC, "[secret]"),
        (f"Basic {BASIC}", "hello ada, c0rrect-horse", "hello ada, [secret]"),
        (f"Basic {BASIC}", "ada:c0rrect-horse", "[secret]"),
        (f"Basic {BY_NAME}", "no such key: sk_live_4711", "no such key: [secret]"),
        ("Basic c0rrect-horse", "c0rrect-horse", "[secret]"),
        ("Bearer {{user}}:c0rrect-horse", "Bearer ada:c0rrect-horse", "Bearer ada[secret]"),
        ("Bearer {{token}}", "Bearer of news, token", "Bearer of news, token"),
        ("correct horse battery", "horse battery", "horse battery"),
    ],
)
def test_a_credential_is_found_without_what_was_written_around_it(value: str, echo: str, clean: str) -> None:
    assert Scrubber([value]).text(echo) == clean


@given(st.text(), st.lists(VALUE, max_size=4))
def test_no_value_is_left_in_any_text(text: str, values: list[str]) -> None:
    scrubber = Scrubber(values)
    whole = text.join(["", *values, ""])
    for piece in scrubber.text(whole).split("[secret]"):
        assert [value for value in values if value in piece] == []


@given(st.text(alphabet="abc ", max_size=40), st.lists(st.text(alphabet="abc", min_size=4, max_size=8), max_size=4))
def test_what_is_no_secret_stays_as_it_is(text: str, values: list[str]) -> None:
    if not any(value in text for value in values):
        assert Scrubber(values).text(text) == text


def test_the_longest_of_several_is_replaced() -> None:
    assert Scrubber(["abcd", "abcdefgh", "abcdef"]).text("abcdefghi abcdefg abcde") == "[secret]i [secret]g [secret]e"


def test_space_around_a_value_is_no_part_of_it() -> None:
    scrubber = Scrubber(["  token-1\n"])
    assert scrubber.text("<token-1>") == "<[secret]>"
    assert scrubber.text("<  token-1\n>") == "<[secret]>"


def test_values_too_short_to_be_secrets_are_left_alone() -> None:
    scrubber = Scrubber(["", "abc", "a  "])
    assert not scrubber
    assert scrubber.text("abc a  ") == "abc a  "


def test_without_values_nothing_changes() -> None:
    assert not Scrubber([])
    assert Scrubber([]).split("anything") == ("anything", "")


@pytest.mark.parametrize(
    ("value", "clean"),
    [
        ({"a": ["x abcd", {"abcd": None}], "b": True}, {"a": ["x [secret]", {"[secret]": None}], "b": True}),
        ("abcd", "[secret]"),
        (12345, "[secret]5"),
        ([1.25, -1234, 123], [1.25, "-[secret]", 123]),
        (None, None),
    ],
)
def test_a_json_value_is_scrubbed_to_its_leaves(value: Any, clean: Any) -> None:
    assert Scrubber(["abcd", "1234"]).value(value) == clean


def test_an_item_stays_an_item() -> None:
    item = {"type": "message", "id": "msg_1", "status": "completed", "content": [{"text": "a message"}]}
    clean = Scrubber(["message", "completed"]).item(item)
    assert clean == {**item, "content": [{"text": "a [secret]"}]}


WORDS = st.text(alphabet="ab1", max_size=12)


@given(st.lists(st.text(alphabet="ab1", min_size=4, max_size=7), max_size=4), st.lists(WORDS, max_size=8))
@example(["aaaa", "aaaab"], ["aaa", "a", "aaab"])
def test_text_in_pieces_is_scrubbed_like_text_as_a_whole(values: list[str], pieces: list[str]) -> None:
    scrubber = Scrubber(values)
    done, held = "", ""
    for piece in pieces:
        more, held = scrubber.split(held + piece)
        done += more
    assert done + scrubber.text(held) == scrubber.text("".join(pieces))


@given(st.lists(st.text(alphabet="ab1", min_size=4, max_size=7), max_size=4), WORDS)
def test_nothing_is_held_but_the_beginning_of_a_form(values: list[str], text: str) -> None:
    scrubber = Scrubber(values)
    _, held = scrubber.split(text)
    forms = scrubber._forms
    assert not held or any(form.startswith(held) and form != held for form in forms)


def test_many_secrets_do_not_make_a_long_text_slow() -> None:
    scrubber = Scrubber(f"sk-proj-{number:05d}-{'x' * 400}" for number in range(100))
    text = "sk-proj-00001 and so on, " * 8_000
    began = time.process_time()
    assert scrubber.text(text) == text
    assert time.process_time() - began < 1.0

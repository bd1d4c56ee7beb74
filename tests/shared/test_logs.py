"""The log: one line of JSON per event, from every library, and nothing secret in it."""

import logging
from collections.abc import Iterator
from io import StringIO
from typing import Any

import orjson
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from shared import logs
from shared.settings import SettingError, Settings

KEY = "rk_Zx81kQ0mVq9s7LrT2wYb"


@pytest.fixture
def out() -> Iterator[StringIO]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield StringIO()
    root.handlers[:], root.level = before
    structlog.reset_defaults()


def lines(out: StringIO) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in out.getvalue().splitlines()]


def test_an_event_is_one_line_with_its_context(out: StringIO) -> None:
    logs.configure(Settings(log_format="json"), stream=out)
    with structlog.contextvars.bound_contextvars(response_id="resp_1"):
        structlog.get_logger("api.follow").info("followed", after=3)
    [line] = lines(out)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "followed", "level": "info", "logger": "api.follow", "response_id": "resp_1", "after": 3}


def test_a_librarys_line_has_the_same_shape(out: StringIO) -> None:
    logs.configure(Settings(log_format="json"), stream=out)
    with structlog.contextvars.bound_contextvars(request_id="req_1"):
        logging.getLogger("celery.worker").warning("lost %s", "broker")
    [line] = lines(out)
    assert (line["event"], line["level"], line["logger"], line["request_id"]) == (
        "lost broker",
        "warning",
        "celery.worker",
        "req_1",
    )


def test_what_is_below_the_level_is_not_written(out: StringIO) -> None:
    logs.configure(Settings(log_format="json", log_level="warning"), stream=out)
    structlog.get_logger("ours").info("quiet")
    logging.getLogger("theirs").info("quiet")
    assert out.getvalue() == ""


def test_a_terminal_gets_words_instead_of_json(out: StringIO) -> None:
    logs.configure(Settings(log_format="console"), stream=out)
    structlog.get_logger("ours").info("claimed", attempt=2)
    assert "claimed" in out.getvalue()
    assert "attempt=2" in out.getvalue()


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_traceback_is_written_without_the_secrets_in_it(out: StringIO, log_format: str) -> None:
    logs.configure(Settings(log_format=log_format), stream=out)
    try:
        int(KEY)
    except ValueError:
        structlog.get_logger("ours").exception("failed", header=f"Bearer {KEY}")
        logging.getLogger("theirs").exception("failed")
    assert out.getvalue().count("Traceback") == 2
    assert "Zx81" not in out.getvalue()


@pytest.mark.parametrize(
    "key", ["authorization", "Authorization", "api_key", "openai_api_key", "x-api-key", "token", "password"]
)
def test_a_value_is_hidden_if_its_key_says_so(key: str) -> None:
    assert logs.mask(None, "info", {key: "plain", "headers": {key: ["plain"]}}) == {key: "***", "headers": {key: ["***"]}}


def test_counts_of_tokens_stay() -> None:
    event = {"event": "done", "output_tokens": 12, "usage": {"total_tokens": 20}, "token": 4}
    assert logs.mask(None, "info", event) == event


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"key {KEY} is unknown", "key rk_*** is unknown"),
        ("sk-proj-abcdefgh12345678", "sk-***"),
        ("Authorization: Bearer abc.def.ghi-jkl", "Authorization: Bearer ***"),
        ("postgresql://rondo:geheim@db:5432/rondo failed", "postgresql://rondo:***@db:5432/rondo failed"),
        ("redis://:geheim@127.0.0.1:6379/0", "redis://:***@127.0.0.1:6379/0"),
        ("https://example.com:8443/a@b", "https://example.com:8443/a@b"),
    ],
)
def test_a_secret_is_hidden_wherever_it_stands(text: str, shown: str) -> None:
    assert logs.mask(None, "info", {"event": text}) == {"event": shown}


def test_no_value_is_too_odd_to_be_written(out: StringIO) -> None:
    logs.configure(Settings(log_format="json"), stream=out)
    structlog.get_logger("ours").info("seen", half="\ud800", large=2**70)
    assert lines(out)[0]["large"] == 2**70


class Odd:
    def __str__(self) -> str:
        return f"odd {KEY}"


def test_an_object_is_shown_as_its_masked_text() -> None:
    assert logs.mask(None, "info", {"event": "seen", "what": Odd()}) == {"event": "seen", "what": "odd rk_***"}


@given(
    st.text(alphabet="abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", min_size=20, max_size=60),
    st.text(),
    st.text(),
)
def test_no_key_of_ours_survives_any_surroundings(random: str, before: str, after: str) -> None:
    masked = logs.mask(None, "info", {"event": f"{before} rk_{random} {after}"})["event"]
    assert f"rk_{random}" not in masked


@pytest.mark.parametrize("settings", [Settings(log_level="loud"), Settings(log_format="xml")])
def test_an_unknown_level_or_format_is_refused(settings: Settings) -> None:
    with pytest.raises(SettingError, match="must be"):
        logs.configure(settings)

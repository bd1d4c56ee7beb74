"""Searching the web: each engine is asked as it wants to be, and its key is told to nobody."""

from typing import Any

import httpx2
import orjson
import pytest

from agents.tools import search
from agents.tools.base import ToolError, ToolUnavailable
from agents.tools.box import Toolbox
from shared.settings import SettingError, Settings
from tests.agents.net import hostile
from tests.agents.tools.running import run

KEY = "tvly-geheim"
HIT = {"title": "A", "url": "https://a.test/", "snippet": "About a"}

ANSWERS: dict[str, Any] = {
    "tavily": {"query": "q", "results": [{"title": "A", "url": "https://a.test/", "content": "About a", "score": 0.9}]},
    "brave": {"type": "search", "web": {"results": [{"title": "A", "url": "https://a.test/", "description": "About a"}]}},
    "searxng": {"query": "q", "results": [{"title": "A", "url": "https://a.test/", "content": "About a", "engine": "x"}]},
}


def settings(engine: str) -> Settings:
    """Everything inside is closed to tools, but the operator may have his engine there."""
    return Settings(search_backend=engine, search_api_key=KEY, search_url="{server}")


def ask(engine: str, answer: Any, heads: list[bytes] | None = None, *, status: int = 200, **arguments: Any) -> Any:
    raw = answer if isinstance(answer, bytes) else orjson.dumps(answer)
    serve = hostile.answering(hostile.page(raw, "Content-Type: application/json", status=status), heads=heads)
    return run({"type": "orq:web_search"}, {"query": "rock & roll", **arguments}, serve, settings=settings(engine))


@pytest.mark.parametrize("engine", search.ENGINES)
def test_every_engine_gives_the_same_results(engine: str) -> None:
    assert ask(engine, ANSWERS[engine]) == {"query": "rock & roll", "results": [HIT]}


@pytest.mark.parametrize(
    ("engine", "line", "header"),
    [
        ("tavily", b"POST /search", b"authorization: bearer tvly-geheim"),
        ("brave", b"GET /res/v1/web/search?q=rock", b"x-subscription-token: tvly-geheim"),
        ("searxng", b"GET /search?q=rock", b"authorization: bearer tvly-geheim"),
    ],
)
def test_every_engine_is_asked_in_its_own_way(engine: str, line: bytes, header: bytes) -> None:
    heads: list[bytes] = []
    ask(engine, ANSWERS[engine], heads)
    assert heads[0].startswith(line)
    assert header in heads[0].lower()


@pytest.mark.parametrize("engine", ["brave", "searxng"])
def test_a_query_cannot_become_another_question(engine: str) -> None:
    heads: list[bytes] = []
    ask(engine, ANSWERS[engine], heads, query="a&format=csv#x y")
    target = httpx2.URL(heads[0].split(b" ")[1].decode())
    assert target.params["q"] == "a&format=csv#x y"


def test_the_google_search_is_the_same_tool() -> None:
    serve = hostile.answering(hostile.page(orjson.dumps(ANSWERS["brave"])))
    found = run({"type": "orq:google_search"}, {"query": "q"}, serve, settings=settings("brave"))
    assert found["results"] == [HIT]


def test_no_more_results_are_given_than_were_asked_for() -> None:
    many = {"results": [{"title": str(n), "url": f"https://{n}.test/", "content": "x"} for n in range(30)]}
    assert [hit["title"] for hit in ask("searxng", many, max_results=3)["results"]] == ["0", "1", "2"]


def test_a_result_is_of_bounded_size() -> None:
    long = {"results": [{"title": "t" * 9999, "url": "https://a.test/", "content": "x" * 99_999}]}
    hit = ask("searxng", long)["results"][0]
    assert (len(hit["title"]), len(hit["snippet"])) == (500, 2000)


def test_a_search_without_hits_has_no_results() -> None:
    assert ask("brave", {"type": "search"})["results"] == []


@pytest.mark.parametrize("answer", [b"<html>", b"[]", b"7", b"{}", b'{"results": 7}', b'{"results": null}'])
def test_an_answer_of_another_shape_is_an_error(answer: bytes) -> None:
    with pytest.raises(ToolError, match="cannot be read"):
        ask("tavily", answer)


@pytest.mark.parametrize("answer", [b'{"results": [7, null, {"title": "no url"}]}', b'{"results": []}'])
def test_results_of_another_shape_are_left_out(answer: bytes) -> None:
    assert ask("tavily", answer)["results"] == []


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
def test_an_error_names_the_status_and_not_the_key(status: int) -> None:
    with pytest.raises(ToolError) as error:
        ask("tavily", f"the key {KEY} is not valid".encode(), status=status)
    assert str(status) in error.value.message
    assert KEY not in error.value.message


def test_an_engine_that_is_busy_may_be_asked_again() -> None:
    with pytest.raises(ToolUnavailable):
        ask("brave", b"", status=429)


def test_an_engine_that_redirects_elsewhere_is_not_followed() -> None:
    serve = hostile.answering(hostile.redirect("http://127.0.0.1:1/"))
    with pytest.raises(ToolError, match="may not be reached"):
        run({"type": "orq:web_search"}, {"query": "q"}, serve, settings=settings("searxng"))


def test_without_an_engine_the_model_is_told_so() -> None:
    with pytest.raises(ToolError, match="Nobody has configured a search engine"):
        run({"type": "orq:web_search"}, {"query": "q"}, hostile.silence)


@pytest.mark.parametrize(("given", "is_configured"), [(Settings(), False), (settings("brave"), True)])
def test_whether_there_is_an_engine_is_known_beforehand(given: Settings, is_configured: bool) -> None:
    assert search.configured(given) is is_configured


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (Settings(search_backend="bing"), "RONDO_SEARCH_BACKEND must be one of brave, searxng, tavily, but is 'bing'."),
        (Settings(search_backend="brave"), "RONDO_SEARCH_BACKEND=brave needs RONDO_SEARCH_API_KEY."),
        (
            Settings(search_backend="searxng"),
            "RONDO_SEARCH_URL must begin with http:// or https://, and is needed for searxng.",
        ),
    ],
)
def test_an_engine_that_cannot_be_asked_stops_the_process_at_its_start(given: Settings, sentence: str) -> None:
    with pytest.raises(SettingError) as refused:
        Toolbox(given)
    assert str(refused.value) == sentence


def test_the_key_does_not_show_in_the_settings() -> None:
    assert KEY not in repr(settings("tavily"))

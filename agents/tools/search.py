"""Search engines: three that an operator can choose from, each asked in its own way."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import httpx2
import orjson

from agents import net
from agents.tools.base import ToolError, ToolUnavailable
from shared.items import Json
from shared.settings import SettingError, Settings

MAX_RESULTS: Final = 20
"""What the engines give at most."""

_MAX_BYTES: Final = 4_000_000
_MAX_SNIPPET: Final = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    method: str
    path: str
    headers: Mapping[str, str]
    content: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Engine:
    ask: Callable[[str, int, str], _Question]
    """Makes the question from the query, the number of results and the key."""
    results: Callable[[Any], Any]
    """Finds the list of results in an answer; may raise whatever a value of another shape makes it raise."""
    snippet: str
    """The member of a result that holds its text."""
    url: str
    """Where the engine is; empty for one that everybody runs himself."""
    needs_key: bool


def _tavily(query: str, count: int, key: str) -> _Question:
    body = orjson.dumps({"query": query, "max_results": count})
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    return _Question(method="POST", path="/search", headers=headers, content=body)


def _brave(query: str, count: int, key: str) -> _Question:
    asked = httpx2.QueryParams({"q": query, "count": count, "text_decorations": "false"})
    headers = {"X-Subscription-Token": key, "Accept": "application/json"}
    return _Question(method="GET", path=f"/res/v1/web/search?{asked}", headers=headers)


def _searxng(query: str, _: int, key: str) -> _Question:
    asked = httpx2.QueryParams({"q": query, "format": "json"})
    return _Question(method="GET", path=f"/search?{asked}", headers={"Authorization": f"Bearer {key}"} if key else {})


ENGINES: Final = {
    "tavily": _Engine(
        ask=_tavily, results=lambda found: found["results"], snippet="content", url="https://api.tavily.com", needs_key=True
    ),
    "brave": _Engine(
        ask=_brave,
        results=lambda found: found.get("web", {}).get("results", []),  # without hits there is no `web`
        snippet="description",
        url="https://api.search.brave.com",
        needs_key=True,
    ),
    "searxng": _Engine(ask=_searxng, results=lambda found: found["results"], snippet="content", url="", needs_key=False),
}


def configured(settings: Settings) -> bool:
    """Say whether the operator has chosen an engine."""
    return bool(settings.search_backend)


def check(settings: Settings) -> None:
    """Raise SettingError for an engine that cannot be asked."""
    if not configured(settings):
        return
    engine = ENGINES.get(settings.search_backend)
    if engine is None:
        known = ", ".join(sorted(ENGINES))
        raise SettingError(f"RONDO_SEARCH_BACKEND must be one of {known}, but is {settings.search_backend!r}.")
    if engine.needs_key and not settings.search_api_key:
        raise SettingError(f"RONDO_SEARCH_BACKEND={settings.search_backend} needs RONDO_SEARCH_API_KEY.")
    if not (settings.search_url or engine.url).startswith(("http://", "https://")):
        raise SettingError("RONDO_SEARCH_URL must begin with http:// or https://, and is needed for searxng.")


class Search:
    """A search engine, wherever the operator says it is."""

    def __init__(self, engine: _Engine, *, url: str, key: str) -> None:
        """`url` is where the engine's paths begin; nothing else is reached."""
        self._engine = engine
        self._url = url.rstrip("/")
        self._key = key
        self._client = net.client_of(url)

    @classmethod
    def from_settings(cls, settings: Settings) -> Self | None:
        """Take the engine that the settings name, if they do; raises SettingError."""
        check(settings)
        if not configured(settings):
            return None
        engine = ENGINES[settings.search_backend]
        return cls(engine, url=settings.search_url or engine.url, key=settings.search_api_key)

    async def find(self, query: str, *, count: int, timeout: float) -> list[Json]:  # noqa: ASYNC109  # as in `net.fetch`
        """Return up to `count` results `{title, url, snippet}`; raises `ToolError`, which does not repeat the key."""
        ask = self._engine.ask(query, count, self._key)
        answer = await net.fetch(
            self._client,
            ask.method,
            self._url + ask.path,
            headers=ask.headers,
            content=ask.content,
            timeout=timeout,
            max_bytes=_MAX_BYTES,
        )
        return [_result(hit, self._engine.snippet) for hit in self._hits(answer)[:count]]

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def _hits(self, answer: net.Fetched) -> list[Json]:
        match answer.status:
            case 200:
                pass
            case 429 | 500 | 502 | 503 | 504:
                raise ToolUnavailable(f"The search engine is not available: HTTP {answer.status}.")
            case status:
                raise ToolError(f"The search engine refused the search: HTTP {status}.")
        try:
            hits = list(self._engine.results(orjson.loads(answer.body)))
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise ToolError("The search engine gave an answer that cannot be read.") from error
        return [hit for hit in hits if isinstance(hit, dict) and hit.get("url")]


def _result(hit: Json, snippet: str) -> Json:
    return {
        "title": str(hit.get("title") or "")[:500],
        "url": str(hit["url"])[:2_000],
        "snippet": str(hit.get(snippet) or "")[:_MAX_SNIPPET],
    }

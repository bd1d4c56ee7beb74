"""Reading a public web page."""

import asyncio
from typing import Any, Final

from agents import net
from agents.tools import page
from agents.tools.base import Call, Effect, Function, Queue, ToolError, ToolUnavailable
from shared.items import Json

MAX_BYTES: Final = 2_000_000
MAX_LENGTH: Final = 50_000
"""Characters of a page that a model is given, at most."""

_PAGES: Final = frozenset({"text/html", "application/xhtml+xml"})
_TEXTS: Final = frozenset(
    {
        *("application/json", "application/xml", "application/javascript", "application/yaml", "application/x-yaml"),
        *("application/x-ndjson", "application/toml"),
    }
)
_ACCEPT: Final = "text/html, application/xhtml+xml, text/markdown, text/plain, application/json, */*;q=0.1"

_PARAMETERS: Final[Json] = {
    "type": "object",
    "properties": {
        "url": {"type": "string", "description": "The address of the page, beginning with http:// or https://."},
        "max_length": {
            "type": ["integer", "null"],
            "minimum": 1,
            "maximum": MAX_LENGTH,
            "description": f"How many characters of the page's text to return. {MAX_LENGTH} if it is left out.",
        },
    },
    "required": ["url"],
    "additionalProperties": False,
}


class WebFetch:
    """`orq:web_fetch` and `orq:web_scraper`."""

    queue: Queue = "tools"

    def offer(self, spec: Json, /) -> Function:
        """Offer the address, and how much of it to read."""
        return Function(
            name=str(spec["type"]).replace(":", "_"),
            description="Fetch a public web page and return its title and readable text.",
            parameters=_PARAMETERS,
        )

    def effect(self, _: Json, /) -> Effect:
        """Reading changes nothing."""
        return "pure"

    def timeout(self, _: Json, /) -> float:
        """A page that takes longer is given up."""
        return 30.0

    async def run(self, _: Json, arguments: Json, call: Call, /) -> Any:
        """Return `{url, title, description, text, truncated}`, or raise `ToolError` for what cannot be read."""
        answer = await net.fetch(
            call.box.http, "GET", arguments["url"], headers={"Accept": _ACCEPT}, timeout=call.timeout, max_bytes=MAX_BYTES
        )
        _check(answer)
        found = await _read(answer, call)
        length = arguments.get("max_length") or MAX_LENGTH
        return {
            "url": answer.url,
            "title": found.title,
            "description": found.description,
            "text": found.text[:length],
            "truncated": answer.truncated or len(found.text) > length,
        }


def _check(answer: net.Fetched) -> None:
    match answer.status:
        case 429 | 502 | 503 | 504:
            raise ToolUnavailable(f"The page could not be fetched: HTTP {answer.status}.")
        case status if not 200 <= status < 300:
            raise ToolError(f"The page could not be fetched: HTTP {status}.")
        case _:
            pass


async def _read(answer: net.Fetched, call: Call) -> page.Page:
    kind = answer.media_type or ("text/html" if answer.body.lstrip()[:1] == b"<" else "text/plain")
    if kind in _PAGES:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(call.box.reading, page.read, answer.text, answer.url)
    if kind.startswith("text/") or kind in _TEXTS or kind.endswith(("+json", "+xml")):
        return page.Page(None, None, answer.text)
    raise ToolError(f"The address holds {kind[:100]!r}, which is no text that can be read.")

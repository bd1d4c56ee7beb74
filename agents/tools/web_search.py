"""Searching the web with the engine that the operator has chosen."""

from typing import Any, Final

from agents.tools.base import Call, Effect, Function, Queue, ToolError
from agents.tools.search import MAX_RESULTS
from shared.items import Json

_USUAL: Final = 5

_PARAMETERS: Final[Json] = {
    "type": "object",
    "properties": {
        "query": {"type": "string", "minLength": 1, "maxLength": 400, "description": "What to search for."},
        "max_results": {
            "type": ["integer", "null"],
            "minimum": 1,
            "maximum": MAX_RESULTS,
            "description": f"How many results to return. {_USUAL} if it is left out.",
        },
    },
    "required": ["query"],
    "additionalProperties": False,
}


class WebSearch:
    """`orq:web_search` and `orq:google_search`."""

    queue: Queue = "tools"

    def offer(self, spec: Json, /) -> Function:
        """Offer the query, and how many results to give."""
        return Function(
            name=str(spec["type"]).replace(":", "_"),
            description="Search the web and return the titles, addresses and snippets of the best results.",
            parameters=_PARAMETERS,
        )

    def effect(self, _: Json, /) -> Effect:
        """Searching changes nothing."""
        return "pure"

    def timeout(self, _: Json, /) -> float:
        """A search that takes longer is given up."""
        return 30.0

    async def run(self, _: Json, arguments: Json, call: Call, /) -> Any:
        """Return `{query, results: [{title, url, snippet}]}`; raises `ToolError`."""
        if call.box.search is None:
            raise ToolError("Nobody has configured a search engine for this server.")
        count = arguments.get("max_results") or _USUAL
        found = await call.box.search.find(arguments["query"], count=count, timeout=call.timeout)
        return {"query": arguments["query"], "results": found}

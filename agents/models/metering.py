"""What an answer says that it took, in whatever shape its endpoint says it."""

from typing import Any, Final

from agents.models.base import Usage
from agents.models.upstream import Endpoint
from shared.items import Json

_INPUT: Final = ("prompt_tokens", "input_tokens", "search_units")
_OUTPUT: Final = ("completion_tokens", "output_tokens")


def usage_of(_endpoint: Endpoint, body: Json) -> Usage | None:
    """Read the usage out of a whole answer, or out of the event of a stream that holds it; None if it says none."""
    given = _object(body, "usage") or _object(_object(body, "x_groq"), "usage") or _billed(body)
    if not given:
        return None
    read = _object(given, "prompt_tokens_details") or _object(given, "input_tokens_details")
    written = _object(given, "completion_tokens_details") or _object(given, "output_tokens_details")
    prompt, completion = _first(given, _INPUT), _first(given, _OUTPUT)
    reasoning = _count(written, "reasoning_tokens")
    # xAI counts reasoning beside the output, which its total gives away.
    beside = reasoning > 0 and given.get("total_tokens") == prompt + completion + reasoning
    cached = _count(read, "cached_tokens") or _count(given, "prompt_cache_hit_tokens")
    return Usage(
        input=prompt,
        cached=min(cached, prompt),
        cache_write=_count(read, "cache_creation_tokens") or _count(read, "cache_write_tokens"),
        output=completion + reasoning if beside else completion,
        reasoning=reasoning,
    )


def _billed(body: Json) -> Json:
    """Read what Cohere and those like it bill for."""
    return _object(_object(body, "meta"), "billed_units") or _object(_object(body, "meta"), "tokens")


def _object(holder: Json, name: str) -> Json:
    value = holder.get(name)
    return value if isinstance(value, dict) else {}


def _first(given: Json, names: tuple[str, ...]) -> int:
    return next((count for name in names if (count := _count(given, name))), 0)


def _count(given: Json, name: str) -> int:
    value: Any = given.get(name)
    return int(value) if type(value) in {int, float} and 0 <= value < 2**53 else 0

"""Usage and cost as a response reports them, summed over its steps."""

from decimal import Decimal

from agents.models.base import Usage
from shared.items import Json


def wire(usage: Usage, *, cost: Decimal | None = None) -> Json:
    """Render one count in the shape of the Responses API; `total_cost`, in USD, is there only if it is known."""
    rendered: Json = {
        "input_tokens": usage.input,
        "input_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": usage.cache_write},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.input + usage.output,
    }
    return rendered if cost is None else {**rendered, "total_cost": float(cost)}


def unwire(usage: Json | None) -> Usage:
    """Read back what `wire` rendered; None counts as nothing."""
    if usage is None:
        return Usage()
    return Usage(
        input=usage["input_tokens"],
        cached=usage["input_tokens_details"]["cached_tokens"],
        cache_write=usage["input_tokens_details"]["cache_write_tokens"],
        output=usage["output_tokens"],
        reasoning=usage["output_tokens_details"]["reasoning_tokens"],
    )


def add_cost(total: Decimal | None, cost: Decimal | None, *, first: bool) -> Decimal | None:
    """Sum costs; one step of unknown cost makes the whole unknown, because a sum that leaves it out would be a guess."""
    if first:
        return cost
    return None if total is None or cost is None else total + cost

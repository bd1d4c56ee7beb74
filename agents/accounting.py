"""Usage and cost as a response reports them, summed over its steps and over the responses it delegated."""

from decimal import Decimal
from typing import Final

from agents.costs import Cost
from agents.models.base import Usage
from shared.items import Json

_COSTS: Final = ("input_cost", "output_cost", "total_cost")
"""In USD; they are there only if they are known."""
_BESIDES: Final = ("seconds", "characters", "searches")
"""What is no token; they are there only if there were any, which no turn of a response has."""


def wire(usage: Usage, *, cost: Cost | None = None) -> Json:
    """Render one count in the shape of the Responses API, with its cost if that is known."""
    rendered: Json = {
        "input_tokens": usage.input,
        "input_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": usage.cache_write},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.input + usage.output,
        **{name: count for name in _BESIDES if (count := getattr(usage.media, name))},
    }
    if cost is None:
        return rendered
    return rendered | dict(zip(_COSTS, map(float, (cost.input, cost.output, cost.total)), strict=True))


def add(total: Json | None, part: Json | None, *, uncounted: bool = False) -> Json | None:
    """Add up two counts as `wire` renders them; None counts as nothing.

    One part of unknown cost makes the whole unknown, because a sum that leaves it out would be a guess. So does a call that was
    `uncounted`.
    """
    if total is None or part is None:
        known = total or part
        return wire(_unwire(known)) if known and uncounted else known
    summed = wire(_unwire(total) + _unwire(part))
    if uncounted:
        return summed
    return summed | {name: float(_exact(total[name]) + _exact(part[name])) for name in _COSTS if name in total and name in part}


def cost_of(usage: Json | None) -> Decimal | None:
    """Read the total cost out of a count; None if it is not known."""
    return None if usage is None or "total_cost" not in usage else _exact(usage["total_cost"])


def _exact(dollars: float) -> Decimal:
    """Take the shortest decimal that the float stands for, so that sums of cents are cents."""
    return Decimal(str(dollars))


def _unwire(usage: Json) -> Usage:
    """Read back the tokens that `wire` rendered."""
    return Usage(
        input=usage["input_tokens"],
        cached=usage["input_tokens_details"]["cached_tokens"],
        cache_write=usage["input_tokens_details"]["cache_write_tokens"],
        output=usage["output_tokens"],
        reasoning=usage["output_tokens_details"]["reasoning_tokens"],
    )

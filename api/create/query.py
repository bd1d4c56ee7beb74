"""Query parameters of the reading routes, from pairs of texts, with the same errors as a body.

Clients write a list as `include[]=a`, as `include=a` repeated, or as `include[0]=a`. Parameters that a route does not know are
left alone, as proxies and SDKs add their own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias, cast

from api.create import check
from api.create.fields import INCLUDES
from shared.errors import InvalidRequest

Pairs: TypeAlias = Sequence[tuple[str, str]]
"""Names and values in the order of the URL, such as Starlette's `request.query_params.multi_items()`."""

_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Where a page of a list begins and ends, seen in its order; `after` and `before` are ids."""

    limit: int = 20
    order: Literal["asc", "desc"] = "desc"
    after: str | None = None
    before: str | None = None


def page(pairs: Pairs) -> Page:
    """Read `limit` (1 to 100), `order`, `after` and `before`."""
    after, before = text(pairs, "after"), text(pairs, "before")
    if after and before:
        raise InvalidRequest(
            "Mutually exclusive parameters: ''. Ensure you are only providing one of: 'after' or 'before'.",
            code="mutually_exclusive_parameters",
        )
    order = choice(pairs, "order", allowed=("asc", "desc")) or "desc"
    limit = integer(pairs, "limit", low=1, high=100)
    return Page(limit=20 if limit is None else limit, order=cast("Literal['asc', 'desc']", order), after=after, before=before)


def include(pairs: Pairs) -> list[str]:
    """Read the further output to put into the answer."""
    return [check.choice(value, f"include[{index}]", allowed=INCLUDES) for index, value in enumerate(texts(pairs, "include"))]


def texts(pairs: Pairs, name: str) -> list[str]:
    """Read a list in any of the three ways to write one; empty values are left out, and U+0000, which no stored text has."""
    wanted = [value for key, value in pairs if key == name or _index(key, name).isdecimal() or key == f"{name}[]"]
    return [plain for value in wanted if (plain := value.replace("\0", ""))]


def text(pairs: Pairs, name: str, *, most: int = 256) -> str | None:
    """Read one text; the last of several counts, and an empty one is none."""
    value = _last(pairs, name)
    return check.string(value, name, most=most) if value else None


def choice(pairs: Pairs, name: str, *, allowed: tuple[str, ...]) -> str | None:
    """Read one of a few words."""
    value = _last(pairs, name)
    return check.choice(value, name, allowed=allowed) if value else None


def boolean(pairs: Pairs, name: str) -> bool | None:
    """Read `true` or `false`."""
    value = _last(pairs, name)
    if not value:
        return None
    if value.lower() not in _BOOLEANS:
        raise check.wrong_type(value, name, "a boolean")
    return _BOOLEANS[value.lower()]


def integer(pairs: Pairs, name: str, *, low: int, high: int) -> int | None:
    """Read a whole number between two bounds."""
    value = _last(pairs, name)
    if not value:
        return None
    digits = value.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 19):
        raise check.wrong_type(value, name, "an integer")
    return check.integer(int(value), name, low=low, high=high)


def seconds(pairs: Pairs, name: str, *, high: float) -> float | None:
    """Read a duration from 0 to a bound."""
    value = _last(pairs, name)
    if not value:
        return None
    try:
        number = float(value)
    except ValueError:
        raise check.wrong_type(value, name, "a decimal") from None
    return check.number(number, name, low=0, high=high)


def instant(pairs: Pairs, name: str) -> datetime | None:
    """Read a time: Unix seconds, or ISO 8601."""
    value = _last(pairs, name)
    if not value:
        return None
    return check.instant(float(value) if value.replace(".", "", 1).isdecimal() else value, name)


def metadata(pairs: Pairs) -> dict[str, str]:
    """Read `metadata[key]=value` as pairs that must all be there; at most 16."""
    wanted = {key: value for name, value in pairs if (key := _index(name, "metadata"))}
    check.bounded(wanted, "metadata", most=16)
    for key, value in wanted.items():
        check.string(key, f"metadata.{check.shown(key)}", most=64)
        check.string(value, f"metadata.{key}", most=512)
    return wanted


def _index(key: str, name: str) -> str:
    """Take what stands between the brackets of `name[…]`, or nothing."""
    inside = key.removeprefix(f"{name}[")
    return inside.removesuffix("]") if inside != key and key.endswith("]") else ""


def _last(pairs: Iterable[tuple[str, str]], name: str) -> str | None:
    """Take the last value of a name; U+0000 is taken out, as no stored text has it."""
    return next((value.replace("\0", "") for key, value in reversed(list(pairs)) if key == name), None)

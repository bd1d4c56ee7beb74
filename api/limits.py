"""What a caller may use: calls are counted in before they run, and what they took is counted once they are over."""

import asyncio
import time
from decimal import Decimal
from typing import Final

import structlog
from redis.exceptions import RedisError

from api.keys import Holder
from shared import ids
from shared.errors import RateLimited, Unavailable
from shared.meters import Meter, Meters, Refusal, Room
from shared.settings import Settings

log = structlog.get_logger(__name__)

AWAY: Final = 1.0
"""Seconds for which Redis is not asked again after it could not be reached."""


class Admission:
    """A call that was let in. `settle` counts what it took, once."""

    def __init__(self, limits: "Limits", call_id: str, rooms: list[Room]) -> None:
        """`rooms` are what is left of each budget that applies."""
        self.headers = _headers(rooms)
        self._limits = limits
        self._call_id = call_id
        self._meters = [room.meter for room in rooms]

    def settle(self, tokens: int = 0, cost: Decimal | None = None) -> None:
        """Give back the call's slots and count what it took; later calls of this do nothing."""
        meters, self._meters = self._meters, []
        if meters:
            self._limits.settle_later(meters, self._call_id, tokens=tokens, cost=cost)


class Limits:
    """The door that every call passes."""

    def __init__(self, settings: Settings, meters: Meters) -> None:
        """Without Redis, calls are let in or refused as the settings say."""
        self.meters = meters
        self._refuses = settings.limits_need_redis
        self._away_until = 0.0
        self._settling: set[asyncio.Task[None]] = set()

    async def admit(self, holder: Holder, identity_id: str | None, *, concurrent: bool = True) -> Admission:
        """Let a call in. Raises RateLimited, and Unavailable where nothing can be counted and that is not accepted."""
        meters = await self.meters.applying(holder.project_id, key_id=holder.key_id, identity_id=identity_id)
        if not meters:
            return Admission(self, "", [])
        if time.monotonic() < self._away_until:
            return self._uncounted()
        call_id = ids.new("adm")
        try:
            outcome = await self.meters.admit(meters, call_id, concurrent=concurrent)
        except (RedisError, OSError) as error:
            self._away_until = time.monotonic() + AWAY
            log.warning("limits_uncounted", error=type(error).__name__, refused=self._refuses)
            return self._uncounted()
        if isinstance(outcome, Refusal):
            raise _refused(outcome)
        return Admission(self, call_id, outcome)

    def _uncounted(self) -> Admission:
        if self._refuses:
            raise Unavailable("Limits cannot be counted right now. Please try again.")
        return Admission(self, "", [])

    def settle_later(self, meters: list[Meter], call_id: str, *, tokens: int, cost: Decimal | None) -> None:
        """Settle without keeping anybody waiting."""
        task = asyncio.create_task(self._settle(meters, call_id, tokens, cost))
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)

    async def _settle(self, meters: list[Meter], call_id: str, tokens: int, cost: Decimal | None) -> None:
        try:
            await self.meters.settle(meters, call_id, tokens=tokens, cost=cost)
        except (RedisError, OSError) as error:
            log.warning("limits_uncounted", error=type(error).__name__)

    async def drain(self) -> None:
        """Wait until what is under way is counted."""
        if self._settling:
            await asyncio.wait(self._settling, timeout=2)


_WHAT: Final = {
    "requests": "requests per minute",
    "tokens": "tokens per minute",
    "concurrency": "calls at the same time",
}


def _refused(refusal: Refusal) -> RateLimited:
    """Say which bound was reached, and whose."""
    budget = refusal.meter.budget
    whose = {"project": "this project", "api_key": "this API key", "identity": f"the identity '{refusal.meter.subject}'"}
    owner = whose[budget.scope]
    if refusal.kind == "budget":
        message = f"The budget of {owner} is used up: {budget.amount:f} USD per {budget.period}."
        error = RateLimited(message, code="insufficient_quota", headers={"x-should-retry": "false"})
        error.type = "insufficient_quota"
        return error
    bounds = {
        "requests": budget.requests_per_minute,
        "tokens": budget.tokens_per_minute,
        "concurrency": budget.concurrency,
    }
    message = (
        f"Rate limit reached for {owner}: {bounds[refusal.kind]} {_WHAT[refusal.kind]}. Please try again in {refusal.seconds}s."
    )
    rooms = [Room(refusal.meter, 0, 0, refusal.seconds)]
    error = RateLimited(message, headers={"retry-after": str(refusal.seconds), **_headers(rooms)})
    error.type = "tokens" if refusal.kind == "tokens" else "requests"
    return error


def _headers(rooms: list[Room]) -> dict[str, str]:
    """Tell what is left, in OpenAI's headers: of the tightest budget of each kind."""
    headers: dict[str, str] = {}
    requests = [room for room in rooms if room.meter.budget.requests_per_minute is not None]
    if requests:
        tightest = min(requests, key=lambda room: room.requests)
        limit = tightest.meter.budget.requests_per_minute
        headers |= _told("requests", limit, tightest.requests, tightest.seconds)
    tokens = [room for room in rooms if room.meter.budget.tokens_per_minute is not None]
    if tokens:
        tightest = min(tokens, key=lambda room: room.tokens)
        headers |= _told("tokens", tightest.meter.budget.tokens_per_minute, tightest.tokens, tightest.seconds)
    return headers


def _told(what: str, limit: int | None, left: int, seconds: int) -> dict[str, str]:
    return {
        f"x-ratelimit-limit-{what}": str(limit),
        f"x-ratelimit-remaining-{what}": str(max(0, left)),
        f"x-ratelimit-reset-{what}": f"{seconds}s",
    }

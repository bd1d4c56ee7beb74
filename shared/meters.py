"""What budgets allow, counted in Redis: one script admits a call, another settles it; each is atomic over all its budgets."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, Literal, TypeAlias

from psycopg.rows import class_row
from redis.asyncio import Redis

from shared import db
from shared.db import Session

Kind: TypeAlias = Literal["requests", "tokens", "concurrency", "budget"]

REMEMBERED: Final = 10.0
"""Seconds for which a process trusts the budgets it has read."""
LEASE: Final = 3700
"""Seconds after which a call's slot is free again although nobody gave it back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """One row of `budgets`."""

    id: str
    scope: str
    subject: str | None
    requests_per_minute: int | None
    tokens_per_minute: int | None
    concurrency: int | None
    amount: Decimal | None
    period: str


@dataclass(frozen=True, slots=True)
class Meter:
    """A budget as it applies to one call: `subject` is whose use is counted."""

    budget: Budget
    project_id: str
    subject: str

    @property
    def key(self) -> str:
        """Where it is counted; all of a project's keys are in one slot of a cluster."""
        return f"rondo:meter:{{{self.project_id}}}:{self.budget.id}:{self.subject}"


@dataclass(frozen=True, slots=True)
class Room:
    """What is left of a budget, once the call is let in: of requests, of tokens, and the seconds until the minute is over."""

    meter: Meter
    requests: int
    tokens: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a call is not let in, and the seconds after which it may be."""

    meter: Meter
    kind: Kind
    seconds: int


class Meters:
    """The budgets of projects, and what was used of them."""

    def __init__(self, pool: db.Pool, redis: Redis) -> None:
        """Begin with nothing known."""
        self._pool = pool
        self._redis = redis
        self._known: dict[str, tuple[list[Budget], float]] = {}

    async def applying(self, project_id: str, *, key_id: str | None, identity_id: str | None) -> list[Meter]:
        """List what a call must keep to; nothing for a project without budgets, at no cost worth mentioning."""
        budgets, until = self._known.get(project_id, ([], 0.0))
        if until < time.monotonic():
            budgets = await self._read(project_id)
        if not budgets:
            return []
        subjects = {"project": "-", "api_key": key_id, "identity": identity_id}
        return [
            Meter(budget, project_id, subject)
            for scope, subject in subjects.items()
            if subject is not None
            for budget in _of(budgets, scope, subject)
        ]

    def forget(self, project_id: str) -> None:
        """Read a project's budgets anew next time."""
        self._known.pop(project_id, None)

    async def _read(self, project_id: str) -> list[Budget]:
        async with db.connection(self._pool) as session, session.cursor(row_factory=class_row(Budget)) as cursor:
            await cursor.execute(
                """SELECT id, scope, subject, requests_per_minute, tokens_per_minute, concurrency, amount, period
                     FROM budgets WHERE project_id = %s""",
                (project_id,),
            )
            budgets = await cursor.fetchall()
        if len(self._known) > 10_000:
            self._known.clear()
        self._known[project_id] = (budgets, time.monotonic() + REMEMBERED)
        return budgets

    async def admit(self, meters: list[Meter], call_id: str, *, concurrent: bool) -> list[Room] | Refusal:
        """Count a call in, or say which budget refuses it; then nothing is counted. Raises RedisError and OSError."""
        while True:
            keys = [meter.key for meter in meters]
            answer = await self._redis.eval(_ADMIT, len(keys), *keys, *_wants(meters, call_id, concurrent))
            outcome, number, seconds, *left = answer
            match outcome:
                case b"unknown":
                    await self._recount(meters[number - 1])
                case b"ok":
                    return [Room(meter, left[2 * at], left[2 * at + 1], seconds) for at, meter in enumerate(meters)]
                case _:
                    return Refusal(meters[number - 1], outcome.decode(), seconds)

    async def settle(self, meters: list[Meter], call_id: str, *, tokens: int, cost: Decimal | None) -> None:
        """Give a call's slots back, and count what it took. Raises RedisError and OSError."""
        periods = [_period(meter.budget.period)[0] for meter in meters]
        keys = [meter.key for meter in meters]
        await self._redis.eval(_SETTLE, len(keys), *keys, call_id, tokens, str(cost or 0), *periods)

    async def used(self, meter: Meter) -> dict[str, Any]:
        """Read what was used of a budget: of this minute and of its period. Raises RedisError and OSError."""
        minute, (period, _) = int(time.time() // 60), _period(meter.budget.period)
        keys = (f"{meter.key}:r:{minute}", f"{meter.key}:t:{minute}", f"{meter.key}:a:{period}")
        requests, tokens, amount = await self._redis.mget(*keys)
        if amount is None:
            await self._recount(meter)
            amount = await self._redis.get(keys[2])
        return {"requests": int(requests or 0), "tokens": int(tokens or 0), "amount": float(amount or 0)}

    async def _recount(self, meter: Meter) -> None:
        """Put what the period has cost so far where it is counted, unless somebody has done so meanwhile."""
        period, began = _period(meter.budget.period)
        async with db.connection(self._pool) as session:
            spent = await _spent(session, meter, began)
        await self._redis.set(f"{meter.key}:a:{period}", str(spent), nx=True, ex=_KEPT)


_KEPT: Final = 40 * 86_400


def _of(budgets: list[Budget], scope: str, subject: str) -> list[Budget]:
    """Choose the budget of this subject, else the one for each that has none of its own."""
    scoped = [budget for budget in budgets if budget.scope == scope]
    own = [budget for budget in scoped if budget.subject == subject]
    return own or [budget for budget in scoped if budget.subject is None]


def _period(kind: str) -> tuple[str, datetime]:
    """Name the period that it is now, and say when it began."""
    now = datetime.now(UTC)
    began = now.replace(hour=0, minute=0, second=0, microsecond=0, day=1 if kind == "month" else now.day)
    return began.strftime("%Y-%m-%d"), began


def _wants(meters: list[Meter], call_id: str, concurrent: bool) -> list[str | int]:
    values: list[str | int] = [call_id, LEASE]
    for meter in meters:
        budget = meter.budget
        slots = budget.concurrency if concurrent else None
        amount = "-1" if budget.amount is None else str(budget.amount)
        limits = (budget.requests_per_minute, budget.tokens_per_minute, slots)
        values += [*(-1 if limit is None else limit for limit in limits), amount, _period(budget.period)[0]]
    return values


async def _spent(session: Session, meter: Meter, began: datetime) -> Decimal:
    """Add up what a subject's calls and responses have cost since then."""
    calls = {"project": "true", "api_key": "api_key_id = %(subject)s", "identity": "identity_id = %(subject)s"}
    responses = {"project": "true", "api_key": "r.request->>'key_id' = %(subject)s", "identity": "r.identity_id = %(subject)s"}
    scope = meter.budget.scope
    statement = f"""
        SELECT coalesce((SELECT sum(cost) FROM router_calls
                          WHERE project_id = %(project_id)s AND started_at >= %(began)s AND {calls[scope]}), 0)
             + coalesce((SELECT sum(s.cost) FROM steps s JOIN responses r ON r.id = s.response_id
                          WHERE r.project_id = %(project_id)s AND s.started_at >= %(began)s AND {responses[scope]}), 0)"""
    values = {"project_id": meter.project_id, "subject": meter.subject, "began": began}
    row = await (await session.execute(statement.encode(), values)).fetchone()
    return Decimal(0) if row is None else Decimal(row[0])


_ADMIT: Final = """
local clock = redis.call('TIME')
local now = tonumber(clock[1])
local minute, passed = math.floor(now / 60), (now % 60) / 60
local left = 60 - now % 60
local call, lease = ARGV[1], tonumber(ARGV[2])
local function sliding(key)
  return tonumber(redis.call('GET', key .. minute) or 0) + tonumber(redis.call('GET', key .. (minute - 1)) or 0) * (1 - passed)
end
local answer = {'ok', 0, left}
for i, key in ipairs(KEYS) do
  local at = 2 + (i - 1) * 5
  local rpm, tpm, slots = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  local amount, period = tonumber(ARGV[at + 4]), ARGV[at + 5]
  local requests, tokens = sliding(key .. ':r:'), sliding(key .. ':t:')
  if rpm >= 0 and requests + 1 > rpm then return {'requests', i, left} end
  if tpm >= 0 and tokens >= tpm then return {'tokens', i, left} end
  if slots >= 0 then
    redis.call('ZREMRANGEBYSCORE', key .. ':c', '-inf', now)
    if redis.call('ZCARD', key .. ':c') >= slots then return {'concurrency', i, 1} end
  end
  if amount >= 0 then
    local spent = redis.call('GET', key .. ':a:' .. period)
    if not spent then return {'unknown', i, 0} end
    if tonumber(spent) >= amount then return {'budget', i, left} end
  end
  table.insert(answer, rpm >= 0 and math.max(0, math.floor(rpm - requests - 1)) or -1)
  table.insert(answer, tpm >= 0 and math.max(0, math.floor(tpm - tokens)) or -1)
end
for i, key in ipairs(KEYS) do
  local at = 2 + (i - 1) * 5
  redis.call('INCR', key .. ':r:' .. minute)
  redis.call('EXPIRE', key .. ':r:' .. minute, 130)
  if tonumber(ARGV[at + 3]) >= 0 then
    redis.call('ZADD', key .. ':c', now + lease, call)
    redis.call('EXPIRE', key .. ':c', lease)
  end
end
return answer
"""

_SETTLE: Final = """
local minute = math.floor(tonumber(redis.call('TIME')[1]) / 60)
for i, key in ipairs(KEYS) do
  redis.call('ZREM', key .. ':c', ARGV[1])
  if tonumber(ARGV[2]) > 0 then
    redis.call('INCRBY', key .. ':t:' .. minute, ARGV[2])
    redis.call('EXPIRE', key .. ':t:' .. minute, 130)
  end
  local spent = key .. ':a:' .. ARGV[3 + i]
  if ARGV[3] ~= '0' and redis.call('EXISTS', spent) == 1 then redis.call('INCRBYFLOAT', spent, ARGV[3]) end
end
return 1
"""

"""One call through the router: what was tried, what it took, and, exactly once, what came of it."""

import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final, Literal, TypeAlias

from agents import accounting, costs
from agents.attempts import Attempt
from agents.costs import Cost
from agents.models.base import ModelError, Usage
from agents.models.upstream import Endpoint
from api.desk import Desk
from api.keys import Holder
from api.limits import Admission
from api.router.envelope import Envelope
from api.router.observed import Watch
from api.router.recorder import Record
from shared import ids
from shared.errors import RondoError
from shared.items import Json

Outcome: TypeAlias = Literal["completed", "failed", "cancelled"]
Cached: TypeAlias = Literal["hit", "miss"]

CLIENT_GONE: Final = 499
"""The status of a call whose client went away before it was answered, as proxies log it."""


class Call:
    """A call on its way. `end` settles its budgets and writes its record; what comes after that is not counted."""

    def __init__(self, desk: Desk, holder: Holder, endpoint: Endpoint, envelope: Envelope, admission: Admission) -> None:
        """Begin."""
        self.id = ids.new("rc")
        self.envelope = envelope
        self.cache: Cached | None = None
        self._desk = desk
        self._holder = holder
        self._endpoint = endpoint
        self._admission = admission
        self._attempts: list[Attempt] = []
        self._watch = Watch(self.id, endpoint, envelope)
        self._answered_by: str | None = None
        self._usage: Usage | None = None
        self._cost: Cost | None = None
        self._started_at = datetime.now(UTC)
        self._begun = time.monotonic()
        self._first_token: float | None = None
        self._ended = False

    def note(self, attempt: Attempt) -> None:
        """Note an attempt that is over, or whose answer has begun."""
        self._attempts.append(attempt)
        self._watch.attempt(attempt)

    @property
    def model(self) -> str:
        """Whose answer has begun."""
        return self._answered_by or ""

    def answered(self, model: str) -> None:
        """Note whose answer has begun."""
        self._answered_by = model
        self._first_token = time.monotonic() - self._begun

    def count(self, usage: Usage | None) -> None:
        """Note what the answer took, priced as the model that answered."""
        if usage is None or self._answered_by is None:
            return
        provider, _, model = self._answered_by.partition("/")
        self._usage = usage
        self._cost = costs.cost(provider, model, usage)

    @property
    def headers(self) -> dict[str, str]:
        """What the answer's head says of the call; the cost is there once it is known, which it is not before a stream."""
        headers = {"x-rondo-call-id": self.id, "x-rondo-attempts": str(len(self._attempts)), **self._admission.headers}
        if self._answered_by is not None:
            headers["x-rondo-model"] = self._answered_by
        if self.cache is not None:
            headers["x-rondo-cache"] = self.cache
        if self._cost is not None:
            headers["x-rondo-cost"] = format(self._cost.total, "f")
        return headers

    def end(self, outcome: Outcome, http_status: int, error: Json | None = None) -> None:
        """Settle and record; only the first end counts."""
        if self._ended:
            return
        self._ended = True
        usage = None if self._usage is None else accounting.wire(self._usage, cost=self._cost)
        cost = Decimal(0) if self.cache == "hit" else None if self._cost is None else self._cost.total
        self._admission.settle(self._usage.input + self._usage.output if self._usage else 0, cost)
        record = Record(
            id=self.id,
            project_id=self._holder.project_id,
            api_key_id=self._holder.key_id,
            endpoint=self._endpoint,
            model=self.envelope.model,
            answered_by=self._answered_by,
            status=outcome,
            http_status=http_status,
            error=error,
            stream=bool(self.envelope.body.get("stream")),
            cache=self.cache,
            attempts=[_shown(attempt) for attempt in self._attempts],
            usage=usage,
            cost=cost,
            first_token_ms=None if self._first_token is None else round(self._first_token * 1000),
            identity=self.envelope.identity,
            thread=self.envelope.thread,
            name=self.envelope.name,
            tags=self.envelope.tags,
            metadata=self.envelope.metadata,
            started_at=self._started_at,
            finished_at=datetime.now(UTC),
        )
        self._desk.recorder.note(record)
        self._watch.end(record, self._usage)

    def fail(self, error: RondoError | ModelError) -> None:
        """End as failed."""
        match error:
            case RondoError():
                self.end("failed", error.status_code, {"code": error.code_value, "message": error.message})
            case ModelError():
                self.end("failed", 200, {"code": error.code, "message": error.message})


def _shown(attempt: Attempt) -> Json:
    return {
        "model": attempt.model,
        "status": attempt.status,
        "code": attempt.code,
        "ms": round(attempt.seconds * 1000),
    }

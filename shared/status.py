"""What state a response can be in, and the only ways from one to the next."""

from enum import StrEnum
from typing import Final


class Status(StrEnum):
    """What a client sees."""

    QUEUED = "queued"
    """Accepted and stored; no worker has begun."""
    IN_PROGRESS = "in_progress"
    """At least one step has begun."""
    COMPLETED = "completed"
    """The model answered, or asked the client to run tools."""
    INCOMPLETE = "incomplete"
    """A bound was reached; `incomplete_details.reason` says which."""
    FAILED = "failed"
    """It could not be finished; `error` says why."""
    CANCELLED = "cancelled"
    """A client, or a dropped connection, stopped it."""


NEXT: Final[dict[Status, frozenset[Status]]] = {
    Status.QUEUED: frozenset({Status.IN_PROGRESS, Status.FAILED, Status.CANCELLED}),
    Status.IN_PROGRESS: frozenset({Status.COMPLETED, Status.INCOMPLETE, Status.FAILED, Status.CANCELLED}),
    Status.COMPLETED: frozenset(),
    Status.INCOMPLETE: frozenset(),
    Status.FAILED: frozenset(),
    Status.CANCELLED: frozenset(),
}

TERMINAL: Final = frozenset(status for status, following in NEXT.items() if not following)


def before(to: Status) -> list[str]:
    """List the states that may move to `to`, for `WHERE status = ANY(…)`."""
    return [status.value for status, following in NEXT.items() if to in following]


class Phase(StrEnum):
    """What the runtime has to do about a response; a client sees it only in the journal."""

    READY = "ready"
    """Wants a worker; its hint may be on the way, late or lost."""
    RUNNING = "running"
    """A worker holds its lease."""
    TOOLS = "tools"
    """Its tool calls run; the last one makes it ready."""
    SLEEPING = "sleeping"
    """Waits for `wake_at`; costs no slot."""
    DONE = "done"
    """Terminal."""


class CallStatus(StrEnum):
    """The state of a server tool call."""

    PENDING = "pending"
    """Wants a worker."""
    RUNNING = "running"
    """A worker holds its lease."""
    WAITING = "waiting"
    """A response that was delegated works on it; it costs no slot."""
    SUCCEEDED = "succeeded"
    """Its result is stored."""
    FAILED = "failed"
    """Its error is stored, and the model is told."""
    UNKNOWN = "unknown"
    """It began, its worker died, and repeating it might do it twice."""


CALL_NEXT: Final[dict[CallStatus, frozenset[CallStatus]]] = {
    CallStatus.PENDING: frozenset({CallStatus.RUNNING, CallStatus.FAILED}),
    CallStatus.RUNNING: frozenset(
        {CallStatus.PENDING, CallStatus.WAITING, CallStatus.SUCCEEDED, CallStatus.FAILED, CallStatus.UNKNOWN}
    ),
    CallStatus.WAITING: frozenset({CallStatus.SUCCEEDED, CallStatus.FAILED}),
    CallStatus.SUCCEEDED: frozenset(),
    CallStatus.FAILED: frozenset(),
    CallStatus.UNKNOWN: frozenset(),
}


class ApprovalStatus(StrEnum):
    """What was said about a tool call that needs somebody's word."""

    PENDING = "pending"
    """Nothing yet."""
    APPROVED = "approved"
    """The response that continues runs the call."""
    DENIED = "denied"
    """The model is told that the call was not run, and why."""

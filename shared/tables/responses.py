"""Durable runs: responses, what they hold and do, and the workers that move them."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Column, Index, LargeBinary, Numeric, text
from sqlmodel import Field, SQLModel

from shared.status import ApprovalStatus, CallStatus, Phase, Status
from shared.tables.columns import json, number, one_of, time


class Response(SQLModel, table=True):
    """One durable run. A row with phase `ready` is the outbox of its own hint."""

    __tablename__ = "responses"
    __table_args__ = (
        one_of("status", Status),
        one_of("phase", Phase),
        Index("responses_listed", "project_id", "created_at", "id"),
        # Every change of phase makes a row version that all indexes must learn of, so they leave out what they can.
        Index(
            "responses_of_identity",
            *("project_id", "identity_id", "created_at"),
            postgresql_where=text("identity_id IS NOT NULL"),
        ),
        Index(
            "responses_of_thread", *("project_id", "thread_id", "created_at"), postgresql_where=text("thread_id IS NOT NULL")
        ),
        Index("responses_of_agent", *("project_id", "agent", "created_at"), postgresql_where=text("agent IS NOT NULL")),
        Index("responses_children", "previous_response_id", postgresql_where=text("previous_response_id IS NOT NULL")),
        Index("responses_delegated", "parent_id", postgresql_where=text("parent_id IS NOT NULL")),
        Index("responses_for_call", "parent_call_id", postgresql_where=text("parent_call_id IS NOT NULL")),
        # lease_until is in no index, so that a heartbeat stays a heap-only update.
        Index("responses_ready", "hint_at", "project_id", postgresql_where=text("phase = 'ready'")),
        Index("responses_running", "project_id", postgresql_where=text("phase = 'running'")),
        Index("responses_sleeping", "wake_at", postgresql_where=text("phase = 'sleeping'")),
        Index("responses_unstored", "finished_at", postgresql_where=text("NOT store AND phase = 'done'")),
        Index("responses_deleted", "deleted_at", postgresql_where=text("deleted_at IS NOT NULL")),
        Index("responses_dead", "dead_lettered_at", postgresql_where=text("dead_lettered_at IS NOT NULL")),
        {"postgresql_with": {"fillfactor": "70"}},
    )
    id: str = Field(primary_key=True)
    project_id: str
    """No foreign key: its check would have all requests of a project lock one row, and projects are revoked, not removed."""
    status: str
    phase: str
    model: str
    body: Any = json(nullable=False)
    """The response object's members that are decided at creation."""
    request: Any = json(nullable=False)
    """What the loop needs and nobody is shown, in the shape of `agents.plan.Plan`."""
    previous_response_id: str | None = None
    background: bool
    store: bool
    identity_id: str | None = None
    thread_id: str | None = None
    agent: str | None = None
    """The agent's key."""
    parent_id: str | None = None
    """The response whose agent delegated this one."""
    parent_call_id: str | None = None
    """The tool call that this response answers: `tool_calls.id` of the parent."""
    depth: int = number()
    """0 for what a client asked for, one more for each delegation."""
    model_index: int = number()
    """Which of the plan's models has its turn: fallbacks move it up."""
    usage: Any = json()
    cost: Decimal | None = Field(default=None, sa_column=Column(Numeric))
    error: Any = json()
    incomplete_details: Any = json()
    iterations: int = number()
    """Model calls of committed steps."""
    steps: int = number()
    next_output_index: int = number()
    committed_seq: int = number(-1)
    """The last event that a commit covered; pages beyond it belong to an attempt that is running or died."""
    epoch: int = number()
    """The fencing token: raised by every claim and by cancellation."""
    worker_id: str | None = None
    lease_until: datetime | None = time()
    claims: int = number()
    """Claims since the last committed step."""
    failures: int = number()
    """Retryable model errors since the last committed step."""
    wake_at: datetime | None = time()
    waiting_for: str | None = None
    hint_at: datetime = time(nullable=False, now=True)
    """When rescue sends the next hint, if the response is still ready then."""
    hints: int = number()
    deadline_at: datetime = time(nullable=False)
    created_at: datetime = time(nullable=False, now=True)
    started_at: datetime | None = time()
    claimed_at: datetime | None = time()
    finished_at: datetime | None = time()
    deleted_at: datetime | None = time()
    dead_lettered_at: datetime | None = time()


class StoredItem(SQLModel, table=True):
    """Every input and output item of every response. Ids repeat where clients resend items; positions do not."""

    __tablename__ = "items"
    __table_args__ = (Index("items_by_id", "project_id", "id"),)
    response_id: str = Field(primary_key=True, foreign_key="responses.id", ondelete="CASCADE")
    direction: str = Field(primary_key=True)
    position: int = Field(primary_key=True)
    project_id: str
    id: str
    item: Any = json(nullable=False)


class EventPage(SQLModel, table=True):
    """Consecutive frames of a response's event log, as every reader receives them.

    It has no foreign key: it is the busiest table, and the check would lock the response's row at every write.
    """

    __tablename__ = "event_pages"
    response_id: str = Field(primary_key=True)
    first_seq: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    last_seq: int = Field(sa_column=Column(BigInteger, nullable=False))
    epoch: int = Field(sa_column=Column(BigInteger, nullable=False))
    frames: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class Step(SQLModel, table=True):
    """The journal: one row per attempt, keyed by the epoch that made it."""

    __tablename__ = "steps"
    response_id: str = Field(primary_key=True, foreign_key="responses.id", ondelete="CASCADE")
    epoch: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    number: int
    attempt: int
    outcome: str
    model: str | None = None
    worker_id: str | None = None
    started_at: datetime = time(nullable=False)
    finished_at: datetime = time(nullable=False, now=True)
    first_token_ms: int | None = None
    usage: Any = json()
    cost: Decimal | None = Field(default=None, sa_column=Column(Numeric))
    error: Any = json()


class ToolCall(SQLModel, table=True):
    """A call that a worker runs, with its own lease."""

    __tablename__ = "tool_calls"
    __table_args__ = (
        one_of("status", CallStatus),
        Index("tool_calls_of", "response_id", "step", "position"),
        Index("tool_calls_pending", "hint_at", postgresql_where=text("status = 'pending'")),
        Index("tool_calls_running", "worker_id", postgresql_where=text("status = 'running'")),
        Index("tool_calls_waiting", "id", postgresql_where=text("status = 'waiting'")),
    )
    id: str = Field(primary_key=True)
    project_id: str
    response_id: str = Field(foreign_key="responses.id", ondelete="CASCADE")
    step: int
    position: int
    call_id: str
    tool: str
    """The tool's type, such as `orq:http` or `mcp`."""
    label: str | None = None
    """The MCP server's label."""
    name: str
    arguments: str
    status: str
    effect: str
    queue: str = Field(default="tools", sa_column_kwargs={"server_default": "tools"})
    timeout: float = Field(default=300.0, sa_column_kwargs={"server_default": text("300")})
    """Seconds that one attempt may take."""
    output_index: int | None = None
    """Where the item stands that this call's result completes; None if the result is an item of its own."""
    idempotency_key: str
    attempts: int = number()
    epoch: int = number()
    worker_id: str | None = None
    lease_until: datetime | None = time()
    hint_at: datetime = time(nullable=False, now=True)
    result: Any = json()
    error: str | None = None
    told: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    """Whether a committed step has put the result into the response's output."""
    created_at: datetime = time(nullable=False, now=True)
    started_at: datetime | None = time()
    finished_at: datetime | None = time()


class Approval(SQLModel, table=True):
    """A tool call that waits for somebody's word. The response that asked has ended its turn, so waiting costs nothing."""

    __tablename__ = "approvals"
    __table_args__ = (
        one_of("status", ApprovalStatus),
        Index("approvals_listed", "project_id", "created_at", "id"),
        Index("approvals_of", "response_id"),
    )
    id: str = Field(primary_key=True)
    """The id of its `mcp_approval_request` item."""
    project_id: str
    response_id: str = Field(foreign_key="responses.id", ondelete="CASCADE")
    server_label: str
    name: str
    arguments: str
    status: str
    reason: str | None = None
    created_at: datetime = time(nullable=False, now=True)
    decided_at: datetime | None = time()
    continued_by: str | None = None
    """The response that carries the decision out."""


class IdempotencyKey(SQLModel, table=True):
    """Which response a client's `Idempotency-Key` made, and from which body."""

    __tablename__ = "idempotency_keys"
    project_id: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    request_hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    response_id: str
    created_at: datetime = time(nullable=False, now=True)


class Worker(SQLModel, table=True):
    """A worker process, as its last heartbeat left it."""

    __tablename__ = "workers"
    id: str = Field(primary_key=True)
    host: str
    pid: int
    running: int = number()
    draining: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    started_at: datetime = time(nullable=False, now=True)
    heartbeat_at: datetime = time(nullable=False, now=True)

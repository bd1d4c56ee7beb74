"""What went through the router."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Column, Index, Numeric, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from shared.tables.columns import json, time


class RouterCall(SQLModel, table=True):
    """One call through the router, whatever came of it. Rows are written in batches, after their answers were sent."""

    __tablename__ = "router_calls"
    __table_args__ = (
        Index("router_calls_listed", "project_id", "started_at", "id"),
        Index(
            "router_calls_of_identity",
            *("project_id", "identity_id", "started_at"),
            postgresql_where=text("identity_id IS NOT NULL"),
        ),
        Index(
            "router_calls_of_thread",
            *("project_id", "thread_id", "started_at"),
            postgresql_where=text("thread_id IS NOT NULL"),
        ),
    )
    id: str = Field(primary_key=True)
    project_id: str
    api_key_id: str | None = None
    endpoint: str
    """As in the path: `chat/completions`, `embeddings`, …"""
    model: str
    """What was asked for."""
    answered_by: str | None = None
    """`provider/model` that answered; None if none did."""
    status: str
    """`completed`, `failed`, or `cancelled` by the client's disconnect."""
    http_status: int
    """What the client was answered."""
    error: Any = json()
    """`code` and `message`."""
    stream: bool
    cache: str | None = None
    """`hit` or `miss`; None if no cache was asked for."""
    attempts: Any = json(nullable=False)
    """Every attempt in order: `model`, `status`, `code`, `ms`."""
    usage: Any = json()
    """In the shape of a response's usage."""
    cost: Decimal | None = Field(default=None, sa_column=Column(Numeric))
    first_token_ms: int | None = None
    identity_id: str | None = None
    thread_id: str | None = None
    name: str | None = None
    tags: Any = json()
    metadata_: Any = Field(default=None, sa_column=Column("metadata", JSONB(none_as_null=True)))
    started_at: datetime = time(nullable=False)
    finished_at: datetime = time(nullable=False)

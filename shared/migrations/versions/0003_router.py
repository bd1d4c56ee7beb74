"""Router calls and budgets; identities and threads are listed by an index, as many more of them will be."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def _json(name: str, *, nullable: bool = True) -> sa.Column[object]:
    return sa.Column(name, postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=nullable)


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "router_calls",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("project_id", sa.String(), nullable=False),
        sa.Column("api_key_id", sa.String(), nullable=True),
        sa.Column("endpoint", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("answered_by", sa.String(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("http_status", sa.Integer(), nullable=False),
        _json("error"),
        sa.Column("stream", sa.Boolean(), nullable=False),
        sa.Column("cache", sa.String(), nullable=True),
        _json("attempts", nullable=False),
        _json("usage"),
        sa.Column("cost", sa.Numeric(), nullable=True),
        sa.Column("first_token_ms", sa.Integer(), nullable=True),
        sa.Column("identity_id", sa.String(), nullable=True),
        sa.Column("thread_id", sa.String(), nullable=True),
        sa.Column("name", sa.String(), nullable=True),
        _json("tags"),
        _json("metadata"),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("router_calls_listed", "router_calls", ["project_id", "started_at", "id"], unique=False)
    for name, column in (("router_calls_of_identity", "identity_id"), ("router_calls_of_thread", "thread_id")):
        op.create_index(
            name,
            "router_calls",
            ["project_id", column, "started_at"],
            unique=False,
            postgresql_where=sa.text(f"{column} IS NOT NULL"),
        )
    op.create_table(
        "budgets",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("project_id", sa.String(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=True),
        sa.Column("requests_per_minute", sa.Integer(), nullable=True),
        sa.Column("tokens_per_minute", sa.BigInteger(), nullable=True),
        sa.Column("concurrency", sa.Integer(), nullable=True),
        sa.Column("amount", sa.Numeric(), nullable=True),
        sa.Column("period", sa.String(), server_default="month", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("scope IN ('project', 'api_key', 'identity')", name="scope_known"),
        sa.CheckConstraint("period IN ('day', 'month')", name="period_known"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("budgets_listed", "budgets", ["project_id", "created_at", "id"], unique=False)
    op.create_index("budgets_of", "budgets", ["project_id", "scope", sa.text("coalesce(subject, '')")], unique=True)
    for table in ("identities", "threads"):
        op.create_index(f"{table}_listed", table, ["project_id", "created_at", "id"], unique=False)


def downgrade() -> None:
    """Take back."""
    for table in ("identities", "threads"):
        op.drop_index(f"{table}_listed", table_name=table)
    op.drop_table("budgets")
    op.drop_table("router_calls")

"""Agents, saved tools, secrets and approvals."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "agents",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("project_id", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("project_id", "key"),
    )
    op.create_index("agents_listed", "agents", ["project_id", "created_at", "id"], unique=False)
    op.create_table(
        "tools",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("project_id", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("project_id", "key"),
    )
    op.create_index("tools_listed", "tools", ["project_id", "created_at", "id"], unique=False)
    op.create_table(
        "agent_environments",
        sa.Column("agent_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("agent_id", "name"),
    )
    op.create_table(
        "agent_versions",
        sa.Column("agent_id", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("manifest", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("agent_id", "number"),
        sa.UniqueConstraint("agent_id", "version"),
    )
    op.create_table(
        "approvals",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("project_id", sa.String(), nullable=False),
        sa.Column("response_id", sa.String(), nullable=False),
        sa.Column("server_label", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("arguments", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("continued_by", sa.String(), nullable=True),
        sa.CheckConstraint("status IN ('pending', 'approved', 'denied')", name="status_known"),
        sa.ForeignKeyConstraint(["response_id"], ["responses.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("approvals_listed", "approvals", ["project_id", "created_at", "id"], unique=False)
    op.create_index("approvals_of", "approvals", ["response_id"], unique=False)
    op.create_table(
        "secrets",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("project_id", sa.String(), nullable=False),
        sa.Column("response_id", sa.String(), nullable=True),
        sa.Column("agent_id", sa.String(), nullable=True),
        sa.Column("tool_id", sa.String(), nullable=True),
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("num_nonnulls(response_id, agent_id, tool_id) = 1", name="one_owner"),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["response_id"], ["responses.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["tool_id"], ["tools.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("secrets_by_key", "secrets", ["key_id"], unique=False)
    op.create_index("secrets_of_agent", "secrets", ["agent_id"], unique=False, postgresql_where=sa.text("agent_id IS NOT NULL"))
    op.create_index(
        "secrets_of_response", "secrets", ["response_id"], unique=False, postgresql_where=sa.text("response_id IS NOT NULL")
    )
    op.create_index("secrets_of_tool", "secrets", ["tool_id"], unique=False, postgresql_where=sa.text("tool_id IS NOT NULL"))
    op.create_table(
        "tool_versions",
        sa.Column("tool_id", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("definition", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["tool_id"], ["tools.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tool_id", "number"),
        sa.UniqueConstraint("tool_id", "version"),
    )
    op.add_column("api_keys", sa.Column("identity_id", sa.String(), nullable=True))
    op.add_column("responses", sa.Column("parent_id", sa.String(), nullable=True))
    op.add_column("responses", sa.Column("parent_call_id", sa.String(), nullable=True))
    op.add_column("responses", sa.Column("depth", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("responses", sa.Column("model_index", sa.BigInteger(), server_default="0", nullable=False))
    op.create_index(
        "responses_delegated", "responses", ["parent_id"], unique=False, postgresql_where=sa.text("parent_id IS NOT NULL")
    )
    op.create_index(
        "responses_for_call",
        "responses",
        ["parent_call_id"],
        unique=False,
        postgresql_where=sa.text("parent_call_id IS NOT NULL"),
    )
    op.create_index(
        "responses_of_agent",
        "responses",
        ["project_id", "agent", "created_at"],
        unique=False,
        postgresql_where=sa.text("agent IS NOT NULL"),
    )
    op.add_column("tool_calls", sa.Column("label", sa.String(), nullable=True))
    op.add_column("tool_calls", sa.Column("queue", sa.String(), server_default="tools", nullable=False))
    op.add_column("tool_calls", sa.Column("timeout", sa.Float(), server_default=sa.text("300"), nullable=False))
    op.add_column("tool_calls", sa.Column("output_index", sa.Integer(), nullable=True))
    op.create_index("tool_calls_waiting", "tool_calls", ["id"], unique=False, postgresql_where=sa.text("status = 'waiting'"))
    op.drop_constraint("status_known", "tool_calls")
    op.create_check_constraint(
        "status_known", "tool_calls", "status IN ('pending', 'running', 'waiting', 'succeeded', 'failed', 'unknown')"
    )


def downgrade() -> None:
    """Undo."""
    op.drop_index("tool_calls_waiting", table_name="tool_calls", postgresql_where=sa.text("status = 'waiting'"))
    op.drop_column("tool_calls", "output_index")
    op.drop_column("tool_calls", "timeout")
    op.drop_column("tool_calls", "queue")
    op.drop_column("tool_calls", "label")
    op.drop_index("responses_of_agent", table_name="responses", postgresql_where=sa.text("agent IS NOT NULL"))
    op.drop_index("responses_for_call", table_name="responses", postgresql_where=sa.text("parent_call_id IS NOT NULL"))
    op.drop_index("responses_delegated", table_name="responses", postgresql_where=sa.text("parent_id IS NOT NULL"))
    op.drop_column("responses", "model_index")
    op.drop_column("responses", "depth")
    op.drop_column("responses", "parent_call_id")
    op.drop_column("responses", "parent_id")
    op.drop_column("api_keys", "identity_id")
    op.drop_table("tool_versions")
    op.drop_index("secrets_of_tool", table_name="secrets", postgresql_where=sa.text("tool_id IS NOT NULL"))
    op.drop_index("secrets_of_response", table_name="secrets", postgresql_where=sa.text("response_id IS NOT NULL"))
    op.drop_index("secrets_of_agent", table_name="secrets", postgresql_where=sa.text("agent_id IS NOT NULL"))
    op.drop_index("secrets_by_key", table_name="secrets")
    op.drop_table("secrets")
    op.drop_index("approvals_of", table_name="approvals")
    op.drop_index("approvals_listed", table_name="approvals")
    op.drop_table("approvals")
    op.drop_table("agent_versions")
    op.drop_table("agent_environments")
    op.drop_index("tools_listed", table_name="tools")
    op.drop_table("tools")
    op.drop_index("agents_listed", table_name="agents")
    op.drop_table("agents")
    op.execute("UPDATE tool_calls SET status = 'unknown' WHERE status = 'waiting'")
    op.drop_constraint("status_known", "tool_calls")
    op.create_check_constraint(
        "status_known", "tool_calls", "status IN ('pending', 'running', 'succeeded', 'failed', 'unknown')"
    )

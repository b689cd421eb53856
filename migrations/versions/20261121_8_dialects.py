"""Connections speak several dialects and may be paid by the hour; aliases; more figures of a run."""

import sqlalchemy as sa
from alembic import op


revision = "8"
down_revision = "7"
branch_labels = None
depends_on = None



def run_columns() -> list[sa.Column]:
    """New with each call: a column belongs to one table only."""
    return [
        sa.Column("reasoning", sa.Text(), server_default="", nullable=False),
        sa.Column("tool_calls", sa.JSON(), nullable=True),
        sa.Column("queued_s", sa.Double(), nullable=True),
        sa.Column("load_s", sa.Double(), nullable=True),
        sa.Column("tokens_cached", sa.Integer(), nullable=True),
        sa.Column("tokens_written", sa.Integer(), nullable=True),
        sa.Column("tokens_reasoning", sa.Integer(), nullable=True),
        sa.Column("cost_from", sa.String(length=80), nullable=True),
        sa.Column("device", sa.String(length=20), nullable=True),
    ]


def upgrade() -> None:
    kind = sa.Column("kind", sa.String(length=20), server_default="openai", nullable=False)
    op.add_column("connections", kind)
    op.add_column("connections", sa.Column("hour_price", sa.Double(), nullable=True))
    for column in run_columns():
        op.add_column("runs", column)
    op.create_table(
        "machines",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("hour_price", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"]),
        sa.PrimaryKeyConstraint("workspace_id"),
    )
    op.create_table(
        "aliases",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("rule", sa.String(length=10), nullable=False),
        sa.Column("targets", sa.JSON(), nullable=False),
        sa.Column("created_by", sa.String(length=120), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("workspace_id", "name"),
    )


def downgrade() -> None:
    op.drop_table("aliases")
    op.drop_table("machines")
    for column in reversed(run_columns()):
        op.drop_column("runs", column.name)
    op.drop_column("connections", "hour_price")
    op.drop_column("connections", "kind")

"""Prompts run for programs: whether they may, what each key used, and the calls."""

import sqlalchemy as sa
from alembic import op

revision = "15"
down_revision = "14"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "relays",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("tokens_a_day", sa.BigInteger(), nullable=True),
        sa.Column("usd_a_day", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_relays_workspace_id")
        ),
        sa.PrimaryKeyConstraint("workspace_id", name=op.f("pk_relays")),
    )
    op.create_table(
        "relay_days",
        sa.Column("key_id", sa.String(length=12), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.Column("usd", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_relay_days_workspace_id")
        ),
        sa.PrimaryKeyConstraint("key_id", "day", name=op.f("pk_relay_days")),
    )
    op.create_table(
        "relay_calls",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("key_id", sa.String(length=12), nullable=False),
        sa.Column("prompt_id", sa.String(length=40), nullable=False),
        sa.Column("prompt_name", sa.String(length=200), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("model", sa.String(length=200), nullable=False),
        sa.Column("connection", sa.String(length=80), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("finish_reason", sa.String(length=40), nullable=True),
        sa.Column("tokens_in", sa.Integer(), nullable=True),
        sa.Column("tokens_out", sa.Integer(), nullable=True),
        sa.Column("estimated", sa.Boolean(), nullable=False),
        sa.Column("cost_usd", sa.Double(), nullable=True),
        sa.Column("first_token_s", sa.Double(), nullable=True),
        sa.Column("total_s", sa.Double(), nullable=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_relay_calls_workspace_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_relay_calls")),
    )
    op.create_index("ix_relay_calls_workspace", "relay_calls", ["workspace_id", "id"])


def downgrade() -> None:
    op.drop_index("ix_relay_calls_workspace", table_name="relay_calls")
    op.drop_table("relay_calls")
    op.drop_table("relay_days")
    op.drop_table("relays")

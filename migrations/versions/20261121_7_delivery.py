"""What apps are told of, what they were given, and what they say they use."""

import sqlalchemy as sa
from alembic import op


revision = "7"
down_revision = "6"
branch_labels = None
depends_on = None

WHEN = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "feeds",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.String(length=32), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("floor", sa.BigInteger(), nullable=False),
        *_of_workspace("feeds", "workspace_id"),
    )
    op.create_table(
        "feed_changes",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("label", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        *_of_workspace("feed_changes", "workspace_id", "revision", "label", "name"),
    )
    op.create_table(
        "published",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("prompt_id", sa.String(length=40), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("object", sa.String(length=64), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        *_of_workspace("published", "workspace_id", "prompt_id", "version"),
    )
    op.create_index("ix_published_object", "published", ["workspace_id", "object"])
    op.create_table(
        "callers",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("instance", sa.String(length=64), nullable=False),
        sa.Column("app", sa.String(length=80), nullable=False),
        sa.Column("environment", sa.String(length=80), nullable=False),
        sa.Column("sdk", sa.String(length=80), nullable=False),
        sa.Column("key_id", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("epoch", sa.String(length=32), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("age", sa.Double(), nullable=False),
        sa.Column("since", WHEN, nullable=False),
        sa.Column("seen_at", WHEN, nullable=False),
        *_of_workspace("callers", "workspace_id", "instance"),
    )
    op.create_index("ix_callers_seen", "callers", ["workspace_id", "seen_at"])
    op.create_table(
        "caller_uses",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("instance", sa.String(length=64), nullable=False),
        sa.Column("prompt_id", sa.String(length=40), nullable=False),
        sa.Column("label", sa.String(length=36), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.Column("errors", sa.BigInteger(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("variables", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("seen_at", WHEN, nullable=False),
        *_of_workspace(
            "caller_uses", "workspace_id", "instance", "prompt_id", "label", "version"
        ),
    )
    op.create_index(
        "ix_caller_uses_prompt", "caller_uses", ["workspace_id", "prompt_id", "seen_at"]
    )


def downgrade() -> None:
    for table in ("caller_uses", "callers", "published", "feed_changes", "feeds"):
        op.drop_table(table)


def _of_workspace(table: str, *keys: str) -> tuple[sa.Constraint, ...]:
    return (
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=f"fk_{table}_workspace_id"
        ),
        sa.PrimaryKeyConstraint(*keys, name=f"pk_{table}"),
    )

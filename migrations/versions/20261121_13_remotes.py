"""Repositories elsewhere that workspaces are kept in step with."""

import sqlalchemy as sa
from alembic import op

revision = "13"
down_revision = "12"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "remotes",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("url", sa.String(length=500), nullable=False),
        sa.Column("user", sa.String(length=100), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("host_keys", sa.Text(), nullable=False),
        sa.Column("offered_keys", sa.Text(), nullable=False),
        sa.Column("main", sa.String(length=200), nullable=False),
        sa.Column("deploy", sa.String(length=200), nullable=False),
        sa.Column("mirror", sa.Boolean(), nullable=False),
        sa.Column("agreed", sa.JSON(), nullable=False),
        sa.Column("waiting", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("stopped", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("chosen", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("trouble", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("ahead", sa.Integer(), nullable=False),
        sa.Column("behind", sa.Integer(), nullable=False),
        sa.Column("seen", sa.Text(), nullable=False),
        sa.Column("synced_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tried_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(length=120), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"]),
        sa.PrimaryKeyConstraint("workspace_id"),
    )


def downgrade() -> None:
    op.drop_table("remotes")

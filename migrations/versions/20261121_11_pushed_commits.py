"""Who pushed a commit: its author is a claim of whoever made it."""

import sqlalchemy as sa
from alembic import op


revision = "11"
down_revision = "10"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pushed_commits",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("commit", sa.String(40), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"],
            name=op.f("fk_pushed_commits_workspace_id_workspaces"),
        ),
        sa.PrimaryKeyConstraint("workspace_id", "commit", name=op.f("pk_pushed_commits")),
    )


def downgrade() -> None:
    op.drop_table("pushed_commits")

"""Under which names a push opened a proposal, so that the next one to the same name updates it."""

import sqlalchemy as sa
from alembic import op

revision = "27"
down_revision = "26"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pushed_proposals",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("who", sa.String(40), nullable=False),
        sa.Column("name", sa.String(220), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"],
            name=op.f("fk_pushed_proposals_workspace_id_workspaces"),
        ),
        sa.PrimaryKeyConstraint("workspace_id", "who", "name", name=op.f("pk_pushed_proposals")),
    )


def downgrade() -> None:
    op.drop_table("pushed_proposals")

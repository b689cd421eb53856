"""When the hub took a pushed commit: what the commit says of its time is a claim."""

import sqlalchemy as sa
from alembic import op


revision = "18"
down_revision = "17"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("pushed_commits") as batch_op:
        batch_op.add_column(
            sa.Column(
                "at", sa.DateTime(timezone=True), nullable=False,
                server_default="1970-01-01 00:00:00",
            )
        )
    with op.batch_alter_table("pushed_commits") as batch_op:
        batch_op.alter_column("at", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("pushed_commits") as batch_op:
        batch_op.drop_column("at")

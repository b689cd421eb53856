"""Gradual releases: the version of the smaller share."""

import sqlalchemy as sa
from alembic import op

revision = "10"
down_revision = "9"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("labels", "label_moves"):
        op.add_column(table, sa.Column("beside", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    for table in ("label_moves", "labels"):
        op.drop_column(table, "beside")

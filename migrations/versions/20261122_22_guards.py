"""Of a run: what its guards added, in seconds and dollars."""

import sqlalchemy as sa
from alembic import op

revision = "22"
down_revision = "21"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("runs", sa.Column("guards_s", sa.Double(), nullable=True))
    op.add_column("runs", sa.Column("guards_usd", sa.Double(), nullable=True))


def downgrade() -> None:
    op.drop_column("runs", "guards_usd")
    op.drop_column("runs", "guards_s")

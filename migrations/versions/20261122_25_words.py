"""A word that came back from git may be of somebody who has no account here."""

import sqlalchemy as sa
from alembic import op

revision = "25"
down_revision = "24"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("reviews") as table:
        table.alter_column("account_id", existing_type=sa.Integer(), nullable=True)


def downgrade() -> None:
    op.execute("DELETE FROM reviews WHERE account_id IS NULL")
    with op.batch_alter_table("reviews") as table:
        table.alter_column("account_id", existing_type=sa.Integer(), nullable=False)

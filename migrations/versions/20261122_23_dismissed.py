"""Of a request for a change: whether it stands whoever its author is by now, and who dismissed it.

Those from before count for as long as the rules count whoever asked, as they always did.
"""

import sqlalchemy as sa
from alembic import op

revision = "23"
down_revision = "22"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "reviews", sa.Column("stands", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.add_column("reviews", sa.Column("dismissed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("reviews", sa.Column("dismissed_by", sa.String(120), nullable=True))
    op.add_column("reviews", sa.Column("dismissed_why", sa.Text(), nullable=True))


def downgrade() -> None:
    for name in ("dismissed_why", "dismissed_by", "dismissed_at", "stands"):
        op.drop_column("reviews", name)

"""Who else wrote a revision: what they wrote they may not approve, in any later revision either."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "4"
down_revision = "3"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "proposal_revisions",
        sa.Column("co_authors", sa.JSON(), nullable=False, server_default="[]"),
    )


def downgrade() -> None:
    with op.batch_alter_table("proposal_revisions") as table:
        table.drop_column("co_authors")

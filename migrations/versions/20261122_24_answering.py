"""Who answers for what arrives by sync: the people who linked, beside whom the commits name."""

import sqlalchemy as sa
from alembic import op

revision = "24"
down_revision = "23"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("remotes", sa.Column("answers", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column(
        "pushed_commits", sa.Column("others", sa.JSON(), nullable=False, server_default="[]")
    )


def downgrade() -> None:
    op.drop_column("pushed_commits", "others")
    op.drop_column("remotes", "answers")

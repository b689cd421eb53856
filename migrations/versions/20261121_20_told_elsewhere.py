"""Of a linked repository: whether administrators were told that it needs them, and whether another
hub is there. Of a proposal: where it was merged before it was here."""

import sqlalchemy as sa
from alembic import op

revision = "20"
down_revision = "19"
branch_labels = None
depends_on = None


def upgrade() -> None:
    told = sa.Column("told", sa.String(length=40), server_default="", nullable=False)
    op.add_column("remotes", told)
    one_way = sa.Column("one_way", sa.Boolean(), server_default=sa.false(), nullable=False)
    op.add_column("remotes", one_way)
    op.add_column("proposals", sa.Column("elsewhere", sa.String(length=300), nullable=True))


def downgrade() -> None:
    op.drop_column("proposals", "elsewhere")
    op.drop_column("remotes", "one_way")
    op.drop_column("remotes", "told")

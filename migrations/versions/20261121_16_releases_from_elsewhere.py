"""Whether releases that are made in the linked repository are taken in."""

import sqlalchemy as sa
from alembic import op

revision = "16"
down_revision = "15"
branch_labels = None
depends_on = None


def upgrade() -> None:
    column = sa.Column("takes_releases", sa.Boolean(), server_default=sa.false(), nullable=False)
    op.add_column("remotes", column)


def downgrade() -> None:
    op.drop_column("remotes", "takes_releases")

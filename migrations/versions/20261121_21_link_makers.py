"""Who made a link to sign in, with which key, and where: it is good for as long as they could."""

import sqlalchemy as sa
from alembic import op

revision = "21"
down_revision = "20"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sign_in_links", sa.Column("made_by", sa.Integer(), nullable=True))
    op.add_column("sign_in_links", sa.Column("key_id", sa.String(length=20), nullable=True))
    op.add_column("sign_in_links", sa.Column("workspace_id", sa.Integer(), nullable=True))


def downgrade() -> None:
    for name in ("workspace_id", "key_id", "made_by"):
        op.drop_column("sign_in_links", name)

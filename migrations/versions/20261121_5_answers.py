"""Grids that were run for a proposal: which one, and the digest of what was tried."""

import sqlalchemy as sa
from alembic import op


revision = "5"
down_revision = "4"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("grids", sa.Column("proposal", sa.Integer(), nullable=True))
    op.add_column("grids", sa.Column("digest", sa.String(length=64), nullable=True))
    op.create_index("ix_grids_proposal", "grids", ["workspace_id", "proposal"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_grids_proposal", table_name="grids")
    op.drop_column("grids", "digest")
    op.drop_column("grids", "proposal")

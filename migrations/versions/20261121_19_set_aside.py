"""What is set aside of a key's day for calls that run, so that they cannot pass its limit."""

import sqlalchemy as sa
from alembic import op

revision = "19"
down_revision = "18"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("relay_days") as batch_op:
        batch_op.add_column(
            sa.Column("held_tokens", sa.BigInteger(), nullable=False, server_default="0")
        )
        batch_op.add_column(sa.Column("held_usd", sa.Double(), nullable=False, server_default="0"))
    with op.batch_alter_table("relay_days") as batch_op:
        batch_op.alter_column("held_tokens", server_default=None)
        batch_op.alter_column("held_usd", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("relay_days") as batch_op:
        batch_op.drop_column("held_usd")
        batch_op.drop_column("held_tokens")

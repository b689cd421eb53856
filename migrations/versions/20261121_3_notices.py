"""Notices: one per event and person; when to mail them; how far the outbox was read."""

import sqlalchemy as sa
from alembic import op


revision = "3"
down_revision = "2"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "outbox_positions",
        sa.Column("reader", sa.String(length=40), nullable=False),
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("reader", name=op.f("pk_outbox_positions")),
    )
    with op.batch_alter_table("notices", schema=None) as batch_op:
        batch_op.add_column(sa.Column("mail_after", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(
            sa.Column("mail_tries", sa.Integer(), server_default="0", nullable=False)
        )
        batch_op.create_unique_constraint(
            batch_op.f("uq_notices_event_id_account_id"), ["event_id", "account_id"]
        )
        batch_op.create_index("ix_notices_mail", ["mail_after"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("notices", schema=None) as batch_op:
        batch_op.drop_index("ix_notices_mail")
        batch_op.drop_constraint(batch_op.f("uq_notices_event_id_account_id"), type_="unique")
        batch_op.drop_column("mail_tries")
        batch_op.drop_column("mail_after")
    op.drop_table("outbox_positions")

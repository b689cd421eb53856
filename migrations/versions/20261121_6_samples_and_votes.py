"""Several samples in a cell, what people think of an answer, blind votes, and answers kept."""

import sqlalchemy as sa
from alembic import op

revision = "6"
down_revision = "5"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("grids", sa.Column("options", sa.JSON(), nullable=False, server_default="{}"))
    with op.batch_alter_table("runs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("sample", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("fingerprint", sa.String(length=64), nullable=True))
        batch_op.add_column(
            sa.Column("cached", sa.Boolean(), nullable=False, server_default=sa.false())
        )
        batch_op.add_column(sa.Column("rating", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("remark", sa.Text(), nullable=False, server_default=""))
        batch_op.add_column(
            sa.Column("rated_by", sa.String(length=120), nullable=False, server_default="")
        )
        batch_op.drop_constraint(batch_op.f("uq_runs_grid_id_row_column"), type_="unique")
        batch_op.create_unique_constraint(
            batch_op.f("uq_runs_grid_id_row_column_sample"), ["grid_id", "row", "column", "sample"]
        )
        batch_op.create_index("ix_runs_fingerprint", ["workspace_id", "fingerprint"], unique=False)
    op.create_table(
        "votes",
        sa.Column("grid_id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("choice", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_votes_account_id"),
        sa.ForeignKeyConstraint(["grid_id"], ["grids.id"], name="fk_votes_grid_id"),
        sa.PrimaryKeyConstraint("grid_id", "account_id", "row", name="pk_votes"),
    )


def downgrade() -> None:
    op.drop_table("votes")
    op.execute("DELETE FROM runs WHERE sample > 0")
    with op.batch_alter_table("runs", schema=None) as batch_op:
        batch_op.drop_index("ix_runs_fingerprint")
        batch_op.drop_constraint(batch_op.f("uq_runs_grid_id_row_column_sample"), type_="unique")
        batch_op.create_unique_constraint(
            batch_op.f("uq_runs_grid_id_row_column"), ["grid_id", "row", "column"]
        )
        for name in ("rated_by", "remark", "rating", "cached", "fingerprint", "sample"):
            batch_op.drop_column(name)
    op.drop_column("grids", "options")

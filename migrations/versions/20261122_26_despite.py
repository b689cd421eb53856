"""Why something was done although running programs stood against it: shown beside what happened.

What was done before this was kept in git alone; a rebuild of the index brings it here.
"""

import sqlalchemy as sa
from alembic import op

revision = "26"
down_revision = "25"
branch_labels = None
depends_on = None

TABLES = ("label_moves", "prompt_events")


def upgrade() -> None:
    for table in TABLES:
        op.add_column(table, sa.Column("despite", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    for table in TABLES:
        op.drop_column(table, "despite")

"""What is searched first (names, titles, descriptions, tags) in a small full-text table of its own."""

from alembic import op


revision = "9"
down_revision = "8"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name != "sqlite":
        return  # one index has all of it there, each word with its weight
    op.execute(
        "CREATE VIRTUAL TABLE prompt_search_heads USING fts5(name, title, description, tags, "
        "tokenize='unicode61 remove_diacritics 2', prefix='1 2 3')"
    )
    op.execute(
        "INSERT INTO prompt_search_heads (rowid, name, title, description, tags) "
        "SELECT rowid, name, title, description, tags FROM prompt_search"
    )


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TABLE prompt_search_heads")

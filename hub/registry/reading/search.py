"""Full-text search: what is in the tables, and how what people type becomes a question.

On SQLite what is not text stands in a small table of its own as well, which is asked first: to
look only at names in the large one means to read where a word stands in every text.

Nothing that is typed can be wrong: quotes, brackets and operators are letters that separate words.
The last word counts as begun, so that results come while somebody types.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import Connection, text

from hub.executemany import executemany

LONGEST = 200
MOST_WORDS = 12

_PUT_SQLITE = text(
    "INSERT OR REPLACE INTO prompt_search (rowid, name, title, description, tags, text) "
    "VALUES (:row, :name, :title, :description, :tags, :text)"
)
_PUT_SQLITE_HEADS = text(
    "INSERT OR REPLACE INTO prompt_search_heads (rowid, name, title, description, tags) "
    "VALUES (:row, :name, :title, :description, :tags)"
)
_PUT_POSTGRES = text(
    "INSERT INTO prompt_search (row, workspace_id, words) VALUES (:row, :workspace_id, "
    "setweight(to_tsvector('simple', :name), 'A') || setweight(to_tsvector('simple', :title), 'B')"
    " || setweight(to_tsvector('simple', :about), 'C')"
    " || setweight(to_tsvector('simple', :text), 'D')) "
    "ON CONFLICT (row) DO UPDATE SET words = excluded.words"
)
# Postgres keeps at most 1 MB of words for a row; nobody searches for what comes after these.
_MOST_INDEXED = 60_000
_WORD = re.compile(r"[^\W_]+")

TIERS = ("name", "title", "about", "text")
"""Where a hit can be, the best first; a hit in `text` may have its words anywhere."""
_COLUMNS = {
    "name": "{name} : ", "title": "{title} : ", "about": "{description tags} : ", "text": ""
}  # fmt: skip
_WEIGHTS = {"name": "A", "title": "B", "about": "C", "text": ""}


class SearchRow(msgspec.Struct, frozen=True):
    """What can be found of one prompt; `row` is `prompts.row`."""

    row: int
    workspace_id: int
    name: str
    title: str
    description: str
    tags: str
    text: str
    same_heads: bool = False
    """Nothing but the text is new: the small table has the rest already."""


class Snippet(msgspec.Struct, frozen=True):
    """A hit as it stands in the text; `before` and `after` are cut at words."""

    before: str
    hit: str
    after: str


def put(db: Connection, rows: list[SearchRow]) -> None:
    """Make the prompts findable as they are now."""
    if not rows:
        return
    if _sqlite(db):
        values = [msgspec.structs.asdict(row) for row in rows]
        executemany(db, _PUT_SQLITE, values)
        executemany(db, _PUT_SQLITE_HEADS, [one for one in values if not one["same_heads"]])
    else:
        executemany(db, _PUT_POSTGRES, [_for_postgres(row) for row in rows])


def remove(db: Connection, rows: list[int]) -> None:
    """Make the prompts unfindable."""
    for table, which in _tables(db) if rows else ():
        delete = text(f"DELETE FROM {table} WHERE {which} = :row")  # noqa: S608
        db.execute(delete, [{"row": row} for row in rows])


def clear(db: Connection, workspace_id: int) -> None:
    """Forget the workspace; to be called while its prompts still have their rows."""
    for table, which in _tables(db):
        db.execute(
            text(
                f"DELETE FROM {table} WHERE {which} IN "  # noqa: S608
                "(SELECT row FROM prompts WHERE workspace_id = :workspace_id)"
            ),
            {"workspace_id": workspace_id},
        )


def _tables(db: Connection) -> list[tuple[str, str]]:
    """What is searched, and its column with `prompts.row`."""
    if _sqlite(db):
        return [("prompt_search", "rowid"), ("prompt_search_heads", "rowid")]
    return [("prompt_search", "row")]


def ask(typed: str, *, sqlite: bool) -> dict[str, str] | None:
    """The question for each tier, in the database's own language; None: there is no word in it."""
    asked = [found for part in cleaned(typed).split() if (found := words(part, fold=not sqlite))]
    asked = asked[:MOST_WORDS]
    if not asked:
        return None
    if sqlite:
        quoted = " AND ".join(f'"{" ".join(phrase)}"' for phrase in asked)
        return {tier: f"{_COLUMNS[tier]}({quoted} *)" for tier in TIERS}
    return {tier: _for_tsquery(asked, _WEIGHTS[tier]) for tier in TIERS}


def words(typed: str, *, fold: bool = True) -> list[str]:
    """Runs of letters and digits. `fold`: in small letters and without accents."""
    if fold and not typed.isascii():
        marks = unicodedata.normalize("NFKD", typed)
        typed = "".join(c for c in marks if not unicodedata.combining(c))
    return _WORD.findall(typed.lower() if fold else typed)


def cleaned(typed: str) -> str:
    """What was typed, short and storable."""
    return typed[:LONGEST].encode("utf-8", "ignore").decode().replace("\0", " ").strip()


def snippet(typed: str, texts: list[str], *, around: int = 60) -> Snippet | None:
    """The first place in the texts where a typed word begins a word."""
    asked = _small(typed)
    for one in texts if asked else ():
        # Only the beginning of a giant is looked at twice, for letters with accents.
        start = _first(one, asked)
        if start is None and not one.isascii():
            start = _first(_unaccented(one[:20_000]), asked)
        if start is not None:
            end = _WORD.match(one, start)
            return _cut(one, start, end.end() if end else start + 1, around)
    return None


@lru_cache(8)  # a page asks with the same words for every text
def _small(typed: str) -> list[str]:
    return [word.lower() for word in words(cleaned(typed), fold=False)]


def _first(text: str, asked: list[str]) -> int | None:
    """Where one of the words first begins a word."""
    lowered = text.lower()
    if len(lowered) != len(text):  # some letters have two small ones, and places must stay
        lowered = "".join(small if len(small := c.lower()) == 1 else c for c in text)
    found = [at for word in asked if (at := _begun(lowered, word)) is not None]
    return min(found, default=None)


def _begun(text: str, word: str) -> int | None:
    at = text.find(word)
    while at > 0 and text[at - 1].isalnum():
        at = text.find(word, at + 1)
    return at if at >= 0 else None


def _cut(text: str, start: int, end: int, around: int) -> Snippet:
    before, after = text[max(0, start - around) : start], text[end : end + around]
    if start > around:
        before = "…" + before[before.find(" ") + 1 :]
    if end + around < len(text):
        after = (after[: after.rfind(" ")] if " " in after else after) + "…"
    return Snippet(_one_line(before), text[start:end], _one_line(after))


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def _unaccented(text: str) -> str:
    """The same text, letter for letter, without accents."""
    if text.isascii():
        return text
    return "".join(unicodedata.normalize("NFKD", c)[0] if c > "\x7f" else c for c in text)


def _for_tsquery(asked: list[list[str]], weight: str) -> str:
    """Only letters, digits and what we put between them: nothing typed can be an operator."""
    mark = f":{weight}" if weight else ""
    parts = ["(" + " <-> ".join(word + mark for word in phrase) + ")" for phrase in asked]
    *whole, last = asked[-1]
    begun = [*(word + mark for word in whole), f"{last}:*{weight}"]
    parts[-1] = "(" + " <-> ".join(begun) + ")"
    return " & ".join(parts)


def _for_postgres(row: SearchRow) -> dict[str, Any]:
    """Words cut by us, as SQLite cuts them: Postgres would take support/triage for a file."""
    return {
        "row": row.row,
        "workspace_id": row.workspace_id,
        "name": _spaced(row.name),
        "title": _spaced(row.title),
        "about": _spaced(f"{row.description} {row.tags}"),
        "text": _spaced(row.text),
    }


def _spaced(text: str) -> str:
    return " ".join(word[:64] for word in words(text)[:_MOST_INDEXED])


def _sqlite(db: Connection) -> bool:
    return db.dialect.name == "sqlite"

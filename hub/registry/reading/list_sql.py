"""The statements of the list, as text: building them from parts would cost more than asking them.
Whatever was given is a parameter, never text.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import JSON, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.selectable import TextualSelect

from hub.db import Instant
from hub.registry.reading.search import TIERS

LIVE = "production"
FEW = 1000
"""Up to so many prompts are looked up from their labels and sorted; more are met soon by name."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the list is narrowed to."""

    q: str = ""
    folder: str = ""
    """Prompts in this folder and below."""
    tag: str = ""
    label: str = ""
    has_draft_of: int | None = None
    """Account whose drafts count."""
    differs: bool = False
    """The latest version is not what `production` (or `label`) serves."""

    @property
    def points(self) -> str:
        """The label that every prompt found has."""
        named = self.label if self.label != "latest" else ""
        return named or (LIVE if self.differs else "")


class Narrowed(msgspec.Struct, frozen=True):
    """What narrows `prompts p`: SQL made of our own words, and the values that were given."""

    where: str
    values: dict[str, Any]
    by_label: bool
    by_draft: bool

    def source(self, *, few: bool) -> str:
        """The tables in the order to walk them: CROSS JOIN keeps SQLite from choosing another.

        `few`: from the labels to their prompts, rather than by name asking each for its label.
        """
        labels_first = self.by_label and few and not self.by_draft
        tables = ["labels x"] if labels_first else []
        tables += ["drafts d"] if self.by_draft else []
        tables += ["prompts p"]
        tables += ["labels x"] if self.by_label and not labels_first else []
        return " CROSS JOIN ".join(tables)


_COLUMNS = (
    "id", "name", "title", "description", "tags", "head", "hash", "changed_at", "changed_by",
    "change", "problem",
)  # fmt: skip
TAGS, CHANGED_AT = _COLUMNS.index("tags"), _COLUMNS.index("changed_at")
LABELS, TOTAL, DOCUMENT = range(len(_COLUMNS), len(_COLUMNS) + 3)
"""Where a row has its labels, and a search the number of hits and the text."""
# The text, where the name and title do not show why it was found.
_DOCUMENT = (
    "CASE WHEN tier >= 2 THEN (SELECT c.document FROM contents c "
    "WHERE c.workspace_id = p.workspace_id AND c.hash = p.hash) END"
)
_TYPES: dict[str, Any] = {"tags": JSON(), "changed_at": Instant()}
_LIVING = "p.workspace_id = :workspace AND p.deleted_at IS NULL"


def count_sql(narrowed: Narrowed) -> str:
    """The number of all that fit."""
    return f"SELECT count(*) FROM {narrowed.source(few=True)} WHERE {_LIVING}{narrowed.where}"


def list_sql(narrowed: Narrowed, *, paged: bool, few: bool, sqlite: bool) -> str:
    """A page by name, with the labels as `production 3,staging 4`."""
    exact = _exact(sqlite=sqlite)
    after = f" AND p.name{exact} > :after" if paged else ""
    return (
        f"SELECT {_SHOWN[sqlite]} FROM {narrowed.source(few=few)} "
        f"WHERE {_LIVING}{narrowed.where}{after} ORDER BY p.name{exact} LIMIT :limit"
    )


def search_sql(narrowed: Narrowed, *, sqlite: bool) -> str:
    """The tiers one after the other until there are enough; each prompt counts in its best one.

    CROSS JOIN keeps SQLite from asking the full-text table once per prompt. Only what stands on
    the page is fetched whole.
    """
    labels = " CROSS JOIN labels x" if narrowed.by_label else ""
    labels += " CROSS JOIN drafts d" if narrowed.by_draft else ""
    outer = "CROSS JOIN" if sqlite else "JOIN"
    tiers = " UNION ALL ".join(
        f"SELECT p.row AS row, {number} AS tier FROM {_match(tier, labels, sqlite=sqlite)} "
        f"AND {_LIVING}{narrowed.where}"
        for number, tier in enumerate(TIERS)
    )
    exact = _exact(sqlite=sqlite)
    rank = f"tier, CASE WHEN tier = 0 THEN length(p.name) ELSE 0 END, p.name{exact}"
    return (
        "WITH hits AS MATERIALIZED (SELECT row, min(tier) AS tier "
        f"FROM ({tiers} LIMIT :best) found GROUP BY row), "
        f"page AS MATERIALIZED (SELECT p.row AS row, tier FROM hits {outer} prompts p "
        f"ON p.row = hits.row ORDER BY {rank} LIMIT :limit OFFSET :offset) "
        f"SELECT {_SHOWN[sqlite]}, (SELECT count(*) FROM hits), {_DOCUMENT} "
        f"FROM page {outer} prompts p ON p.row = page.row ORDER BY {rank}"
    )


def _match(tier: str, labels: str, *, sqlite: bool) -> str:
    """Where a tier is asked, and its question."""
    if not sqlite:
        return (
            f"prompt_search s JOIN prompts p ON p.row = s.row{labels} "
            f"WHERE s.workspace_id = :workspace AND s.words @@ CAST(:ask_{tier} AS tsquery)"
        )
    table = "prompt_search" if tier == "text" else "prompt_search_heads"
    return (
        f"{table} s CROSS JOIN prompts p ON p.row = s.rowid{labels} WHERE {table} MATCH :ask_{tier}"
    )


def _exact(*, sqlite: bool) -> str:
    """Names are in the order of their bytes."""
    return "" if sqlite else ' COLLATE "C"'


def _shown(joined: str) -> str:
    names = ", ".join(f"p.{name}" for name in _COLUMNS)
    return (
        f"{names}, (SELECT {joined}(l.label || ' ' || l.version, ',') FROM labels l "
        "WHERE l.workspace_id = p.workspace_id AND l.prompt_id = p.id)"
    )


_SHOWN = {True: _shown("group_concat"), False: _shown("string_agg")}
_HAS_TAG = {
    True: " AND instr(p.tags, :tag)",  # as JSON: a quote inside a tag is never bare
    False: " AND EXISTS (SELECT 1 FROM json_array_elements_text(p.tags) t WHERE t = :tag)",
}
_HAS_LABEL = " AND x.workspace_id = :workspace AND x.label = :label AND x.prompt_id = p.id"
_HAS_DRAFT = " AND d.workspace_id = :workspace AND d.account_id = :account AND d.prompt_id = p.id"


def narrow(asked: Asked, *, sqlite: bool) -> Narrowed:
    """The filters as SQL."""
    exact = _exact(sqlite=sqlite)
    sql, values = "", dict[str, Any]()
    if asked.folder:
        # A folder with all below it is a range of names: "/" is followed by "0".
        sql += f" AND p.name{exact} > :from_name AND p.name{exact} < :to_name"
        values |= {"from_name": asked.folder + "/", "to_name": asked.folder + "0"}
    if asked.tag:
        sql += _HAS_TAG[sqlite]
        values["tag"] = json.dumps(asked.tag) if sqlite else asked.tag
    if asked.points:
        sql += _HAS_LABEL + (" AND x.hash <> p.hash" if asked.differs else "")
        values["label"] = asked.points
    if asked.has_draft_of is not None:
        sql += _HAS_DRAFT
        values["account"] = asked.has_draft_of
    return Narrowed(sql, values, bool(asked.points), asked.has_draft_of is not None)


# ── asking ──────────────────────────────────────────────────────────────────────────────────────


async def rows(db: AsyncSession, sql: str, values: dict[str, Any]) -> Sequence[Sequence[Any]]:
    """What the statement finds; of SQLite in one hop to its thread in place of four."""
    if not is_sqlite(db):
        return (await db.execute(_clause(sql), values)).all()
    driver, _ = await _sqlite(db)
    found = [list(row) for row in await driver.execute_fetchall(sql, values)]
    for row in found:
        row[TAGS] = _TAGS.decode(row[TAGS])
        row[CHANGED_AT] = datetime.fromisoformat(row[CHANGED_AT] + "+00:00")
    return found


async def total(db: AsyncSession, sql: str, values: dict[str, Any]) -> int:
    """What `count_sql` counts; SQLite counts anew only when something was committed since."""
    if not is_sqlite(db):
        return (await db.execute(text(sql), values)).scalar_one()
    driver, info = await _sqlite(db)
    [(seen, own)] = await driver.execute_fetchall(_SEEN)
    kept = info.get("totals")
    if kept is None or kept[0] != seen or len(kept[1]) >= _MOST_TOTALS:
        kept = info["totals"] = (seen, {})
    key = (sql, *values.items())
    if (number := kept[1].get(key)) is None:
        [(number,)] = await driver.execute_fetchall(sql, values)
        if not own:  # what it wrote itself it might take back, and would not see that
            kept[1][key] = number
    return number


_SEEN = "SELECT data_version, total_changes() FROM pragma_data_version"
_MOST_TOTALS = 200
_TAGS = msgspec.json.Decoder(list[str])


@lru_cache(64)
def _clause(sql: str) -> TextualSelect:
    return text(sql).columns(**_TYPES)


async def _sqlite(db: AsyncSession) -> tuple[Any, dict[Any, Any]]:
    """aiosqlite's connection, and what is kept with it for as long as it is open."""
    connection = await (await db.connection()).get_raw_connection()
    return connection.driver_connection, connection.info


def is_sqlite(db: AsyncSession) -> bool:
    return db.get_bind().dialect.name == "sqlite"

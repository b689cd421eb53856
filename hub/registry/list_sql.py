"""The two statements of the list, as text: building them from parts would cost more than asking
them. Whatever was given is a parameter, never text.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import JSON, text
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Instant
from hub.registry.search import TIERS

LIVE = "production"


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


_COLUMNS = (
    "id", "name", "title", "description", "tags", "head", "hash", "changed_at", "changed_by",
    "change", "problem",
)  # fmt: skip
# The text, where the name and title do not show why it was found.
_DOCUMENT = (
    "CASE WHEN tier >= 2 THEN (SELECT c.document FROM contents c "
    "WHERE c.workspace_id = p.workspace_id AND c.hash = p.hash) END"
)
_TYPES: dict[str, Any] = {"tags": JSON(), "changed_at": Instant()}


def list_sql(where: str, *, paged: bool, sqlite: bool) -> str:
    """A page by name, with its labels (a row for each) and the number of all that fit."""
    exact = "" if sqlite else ' COLLATE "C"'
    all_of_them = (
        f"FROM prompts p WHERE p.workspace_id = :workspace AND p.deleted_at IS NULL{where}"
    )
    after = f" AND p.name{exact} > :after" if paged else " AND :after = ''"
    return (
        f"SELECT {_names('page')}, l.label, l.version, (SELECT count(*) {all_of_them}) "
        f"FROM (SELECT {_names('p')} {all_of_them}{after} "
        f"ORDER BY p.name{exact} LIMIT :limit) page "
        "LEFT JOIN labels l ON l.workspace_id = :workspace AND l.prompt_id = page.id "
        f"ORDER BY page.name{exact}"
    )


def search_sql(where: str, *, sqlite: bool) -> str:
    """The tiers one after the other until there are enough; each prompt counts in its best one.

    CROSS JOIN keeps SQLite from asking the full-text table once per prompt.
    """
    if sqlite:
        match = (
            "prompt_search s CROSS JOIN prompts p ON p.row = s.rowid "
            "WHERE prompt_search MATCH :ask_"
        )
        outer = "CROSS JOIN"
    else:
        match = (
            "prompt_search s JOIN prompts p ON p.row = s.row WHERE s.workspace_id = :workspace "
            "AND s.words @@ CAST(:ask_"
        )
        outer = "JOIN"
    close = "" if sqlite else " AS tsquery)"
    tiers = " UNION ALL ".join(
        f"SELECT p.row AS row, {number} AS tier FROM {match}{tier}{close} "
        f"AND p.workspace_id = :workspace AND p.deleted_at IS NULL{where}"
        for number, tier in enumerate(TIERS)
    )
    exact = "" if sqlite else ' COLLATE "C"'
    rank = f"tier, CASE WHEN tier = 0 THEN length(p.name) ELSE 0 END, p.name{exact}"
    return (
        "WITH hits AS MATERIALIZED (SELECT row, min(tier) AS tier "
        f"FROM ({tiers} LIMIT :best) found GROUP BY row) "
        f"SELECT {_names('page')}, l.label, l.version, (SELECT count(*) FROM hits), "
        f"page.document FROM (SELECT {_names('p')}, tier, {_DOCUMENT} AS document "
        f"FROM hits {outer} prompts p ON p.row = hits.row "
        f"ORDER BY {rank} LIMIT :limit OFFSET :offset) page "
        "LEFT JOIN labels l ON l.workspace_id = :workspace AND l.prompt_id = page.id "
        f"ORDER BY {rank.replace('p.', 'page.')}"
    )


def _names(table: str) -> str:
    return ", ".join(f"{table}.{name}" for name in _COLUMNS)


def conditions(asked: Asked, *, sqlite: bool) -> tuple[str, dict[str, Any]]:
    """What narrows `prompts p`, as SQL made of our own words, and the values that were given."""
    exact = "" if sqlite else ' COLLATE "C"'
    sql, values = "", dict[str, Any]()
    if asked.folder:
        # A folder with all below it is a range of names: "/" is followed by "0".
        sql += f" AND p.name{exact} > :from_name AND p.name{exact} < :to_name"
        values |= {"from_name": asked.folder + "/", "to_name": asked.folder + "0"}
    if asked.tag:
        sql += _HAS_TAG[sqlite]
        values["tag"] = json.dumps(asked.tag) if sqlite else asked.tag
    if asked.label and asked.label != "latest":
        sql += _HAS_LABEL
        values["label"] = asked.label
    if asked.differs:
        sql += _DIFFERS
        values["live"] = asked.label if asked.label not in ("", "latest") else LIVE
    if asked.has_draft_of is not None:
        sql += _HAS_DRAFT
        values["account"] = asked.has_draft_of
    return sql, values


TAGS, CHANGED_AT = _COLUMNS.index("tags"), _COLUMNS.index("changed_at")
LABEL, VERSION, TOTAL, DOCUMENT = range(len(_COLUMNS), len(_COLUMNS) + 4)
"""Where a row has what comes after the prompt's own columns."""

_HAS_TAG = {
    True: " AND instr(p.tags, :tag)",  # as JSON: a quote inside a tag is never bare
    False: " AND EXISTS (SELECT 1 FROM json_array_elements_text(p.tags) t WHERE t = :tag)",
}
_HAS_LABEL = (
    " AND p.id IN (SELECT x.prompt_id FROM labels x WHERE x.workspace_id = :workspace "
    "AND x.label = :label)"
)
_DIFFERS = (
    " AND EXISTS (SELECT 1 FROM labels x WHERE x.workspace_id = :workspace "
    "AND x.prompt_id = p.id AND x.label = :live AND x.hash <> p.hash)"
)
_HAS_DRAFT = (
    " AND EXISTS (SELECT 1 FROM drafts d WHERE d.workspace_id = :workspace "
    "AND d.account_id = :account AND d.prompt_id = p.id)"
)


async def rows(db: AsyncSession, sql: str, values: dict[str, Any]) -> Sequence[Sequence[Any]]:
    """What the statement finds; of SQLite in one hop to its thread in place of four."""
    if not is_sqlite(db):
        return (await db.execute(text(sql).columns(**_TYPES), values)).all()
    connection = await (await db.connection()).get_raw_connection()
    driver: Any = connection.driver_connection
    found = [list(row) for row in await driver.execute_fetchall(sql, values)]
    for row in found:
        row[TAGS] = json.loads(row[TAGS])
        row[CHANGED_AT] = datetime.fromisoformat(row[CHANGED_AT]).replace(tzinfo=UTC)
    return found


def is_sqlite(db: AsyncSession) -> bool:
    return db.get_bind().dialect.name == "sqlite"

"""The two statements of the list, as text: SQLAlchemy keeps a text once compiled, and each costs
a tenth of what building it from parts would. Whatever was given is a parameter, never text.
"""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import JSON, text

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
        f"FROM (SELECT {_names('p')} {all_of_them}{after} ORDER BY p.name{exact} LIMIT :limit) page "
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
        f"SELECT {_names('page')}, l.label, l.version, page.tier, "
        "(SELECT count(*) FROM hits) FROM ("
        f"SELECT {_names('p')}, tier FROM hits {outer} prompts p ON p.row = hits.row "
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
        values["tag"] = asked.tag
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


_HAS_TAG = {
    True: " AND EXISTS (SELECT 1 FROM json_each(p.tags) t WHERE t.value = :tag)",
    False: " AND EXISTS (SELECT 1 FROM json_array_elements_text(p.tags) t WHERE t = :tag)",
}
_ITS_LABEL = (
    " AND EXISTS (SELECT 1 FROM labels x WHERE x.workspace_id = :workspace "
    "AND x.prompt_id = p.id"
)
_HAS_LABEL = _ITS_LABEL + " AND x.label = :label)"
_DIFFERS = _ITS_LABEL + " AND x.label = :live AND x.hash <> p.hash)"
_HAS_DRAFT = (
    " AND EXISTS (SELECT 1 FROM drafts d WHERE d.workspace_id = :workspace "
    "AND d.account_id = :account AND d.prompt_id = p.id)"
)


def typed(sql: str) -> Any:
    """The statement; there are few texts, so all of them stay compiled."""
    return text(sql).columns(**_TYPES)

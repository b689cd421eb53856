"""A ledger written down: few statements, however many prompts it holds."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec
from sqlalchemy import Connection, Insert, Update, bindparam, delete, insert, update
from sqlalchemy.dialects import postgresql, sqlite

from hub.db import Base, now
from hub.executemany import executemany, insert_many, table_of
from hub.outbox import Event
from hub.registry.indexing.ledger import Aside, Happened, Held, Known, Ledger, Moved
from hub.registry.indexing.reading import read
from hub.registry.models import (
    Content,
    Label,
    LabelMove,
    OldName,
    Prompt,
    PromptEvent,
    PushedCommit,
    Version,
)
from hub.registry.reading import search
from hub.registry.review.follow_proposals import BROKE_GLASS, DESPITE, proposal_of

_PROMPTS, _OLD_NAMES, _LABELS = table_of(Prompt), table_of(OldName), table_of(Label)
LONGEST_WHY = 500
"""Characters of a reason that an event repeats; the whole of it is in the history."""
_CHANGING = (
    "title", "description", "tags", "head", "hash", "blob", "changed_at", "changed_by", "change",
    "problem",
)  # fmt: skip
_PLACE = ("name", "folder", "deleted_at")
"""What the indexes of the table are made of; few saves change it."""


def _update_of(*columns: str) -> Update:
    changed = {name: bindparam(name) for name in columns}
    return update(_PROMPTS).where(_PROMPTS.c.row == bindparam("its_row")).values(changed)


_STAY, _MOVE = _update_of(*_CHANGING), _update_of(*_CHANGING, *_PLACE)


def write(db: Connection, ledger: Ledger, *, announce: bool) -> None:
    """Everything the ledger gained, into the tables; with `announce`, events for the outbox too."""
    _write_prompts(db, ledger)
    _write_versions(db, ledger)
    _write_names(db, ledger)
    _write_labels(db, ledger)
    _write_search(db, ledger)
    pushed = [msgspec.structs.asdict(one) for one in ledger.brought]
    upsert(db, PushedCommit, [{"workspace_id": ledger.workspace_id} | one for one in pushed])
    if announce:
        saved, moved = map(_saved, ledger.new_versions), map(_moved, ledger.moves)
        events = [*saved, *_happenings(ledger), *moved]
        rows = [{"workspace_id": ledger.workspace_id, "at": now(), **event} for event in events]
        insert_many(db, Event, rows)


def upsert(db: Connection, model: type[Base], rows: list[dict[str, Any]]) -> None:
    """Insert; a row with the same key takes the new values."""
    executemany(db, _upsert(model, db.dialect.name), rows)


@cache
def _upsert(model: type[Base], dialect: str) -> Insert:
    table = table_of(model)
    statement = (sqlite if dialect == "sqlite" else postgresql).insert(table)
    keys = [column.name for column in table.primary_key]
    rest = {c.name: statement.excluded[c.name] for c in table.columns if c.name not in keys}
    if model is Content:  # named by what it holds: the same key is the same content
        return statement.on_conflict_do_nothing()
    return statement.on_conflict_do_update(index_elements=keys, set_=rest)


def _write_prompts(db: Connection, ledger: Ledger) -> None:
    changed = [held for held in ledger.prompts.values() if held.dirty]
    fresh = {held.id: held for held in changed if held.row is None}
    if fresh:
        rows = [
            {"workspace_id": ledger.workspace_id, "id": held.id, "created_at": held.created_at}
            | _values(held)
            | _place(held)
            for held in fresh.values()
        ]
        given = db.execute(insert(_PROMPTS).returning(_PROMPTS.c.id, _PROMPTS.c.row), rows)
        for id, row in given:
            fresh[id].row = row
    known = [held for held in changed if held.id not in fresh]
    stay = [held for held in known if _stays(held)]
    move = [held for held in known if not _stays(held)]
    executemany(db, _STAY, [{"its_row": held.row} | _values(held) for held in stay])
    executemany(db, _MOVE, [{"its_row": held.row} | _values(held) | _place(held) for held in move])


def _stays(held: Held) -> bool:
    return held.stood[:2] == held.stands()[:2]


def _values(held: Held) -> dict[str, Any]:
    return {name: getattr(held, name) for name in _CHANGING}


def _place(held: Held) -> dict[str, Any]:
    folder = held.name.rpartition("/")[0]
    return {"name": held.name, "folder": folder, "deleted_at": held.deleted_at}


def _write_versions(db: Connection, ledger: Ledger) -> None:
    contents = {
        one.reading.hash: {
            "workspace_id": ledger.workspace_id, "hash": one.reading.hash,
            "data": one.reading.data, "document": one.reading.json,
        }
        for one in ledger.new_versions if one.reading
    }  # fmt: skip
    upsert(db, Content, list(contents.values()))
    insert_many(db, Version, [_version(ledger, one) for one in ledger.new_versions])
    insert_many(db, PromptEvent, [_event(ledger, one) for one in ledger.events])


def _version(ledger: Ledger, known: Known) -> dict[str, Any]:
    commit = known.commit
    assert not isinstance(commit, str)
    return {
        "workspace_id": ledger.workspace_id, "prompt_id": known.prompt_id, "number": known.number,
        "hash": known.hash, "blob": known.blob, "commit": commit.id, "name": known.name,
        "author": commit.author, "author_email": commit.email, "message": commit.message,
        "created_at": commit.at,
    }  # fmt: skip


def _event(ledger: Ledger, one: Happened) -> dict[str, Any]:
    return {
        "workspace_id": ledger.workspace_id, "prompt_id": one.prompt_id, "kind": one.kind,
        "old": one.old, "new": one.new, "commit": one.commit.id, "author": one.commit.author,
        "message": one.commit.message, "despite": one.commit.trailers.get(DESPITE, ""),
        "at": one.commit.at,
    }  # fmt: skip


def _write_names(db: Connection, ledger: Ledger) -> None:
    dropped = sorted(name for name, id in ledger.name_changes.items() if id is None)
    if dropped:
        db.execute(
            delete(_OLD_NAMES).where(
                _OLD_NAMES.c.workspace_id == ledger.workspace_id,
                _OLD_NAMES.c.name == bindparam("its_name"),
            ),
            [{"its_name": name} for name in dropped],
        )
    kept = [
        {"workspace_id": ledger.workspace_id, "name": name, "prompt_id": id}
        for name, id in sorted(ledger.name_changes.items(), key=lambda pair: pair[0])
        if id is not None
    ]
    upsert(db, OldName, kept)


def _write_labels(db: Connection, ledger: Ledger) -> None:
    rows = [
        {
            "workspace_id": ledger.workspace_id, "prompt_id": one.prompt_id, "label": one.label,
            "old": one.old, "new": one.new, "commit": one.commit.id, "author": one.commit.author,
            "reason": one.commit.message, "at": one.commit.at,
            "proposal": proposal_of(one.commit), "broke_glass": BROKE_GLASS in one.commit.trailers,
            "despite": one.commit.trailers.get(DESPITE, ""), "beside": _json(one.beside),
        }
        for one in ledger.moves
    ]  # fmt: skip
    insert_many(db, LabelMove, rows)
    set_: list[dict[str, Any]] = []
    for label, id in sorted(ledger.touched_labels):
        key = {"workspace_id": ledger.workspace_id, "label": label, "prompt_id": id}
        to = ledger.labels.get((label, id))
        if to is None:
            db.execute(delete(_LABELS).where(*(_LABELS.c[name] == key[name] for name in key)))
        else:
            values = msgspec.structs.asdict(to) | {"beside": _json(to.beside)}
            set_.append(key | values)
    upsert(db, Label, set_)


def _json(beside: Aside | None) -> dict[str, Any] | None:
    return msgspec.to_builtins(beside)


def _write_search(db: Connection, ledger: Ledger) -> None:
    changed = [held for held in ledger.prompts.values() if held.found and held.row is not None]
    gone = [held.row for held in changed if held.deleted_at is not None and held.row]
    search.remove(db, gone)
    there = [held for held in changed if held.deleted_at is None]
    ledger.load_contents(db, {h.hash for h in there if h.reading is None and h.hash})
    search.put(db, [_search_row(ledger, held) for held in there])


def _search_row(ledger: Ledger, held: Held) -> search.SearchRow:
    reading = held.reading
    if reading is None and held.hash in ledger.contents:
        reading = read(ledger.contents[held.hash])
    return search.SearchRow(
        row=held.row or 0, workspace_id=ledger.workspace_id, name=held.name, title=held.title,
        description=held.description, tags=" ".join(held.tags),
        text=reading.text if reading else "",
        same_heads=held.stood == held.stands(),
    )  # fmt: skip


def _saved(known: Known) -> dict[str, Any]:
    return {
        "kind": "version.saved",
        "subject": known.name,
        "payload": {
            "id": known.prompt_id, "name": known.name, "version": known.number,
            "hash": known.hash, "commit": known.commit_id, "by": known.author,
            "why": known.message[:LONGEST_WHY],
        },
    }  # fmt: skip


def _happenings(ledger: Ledger) -> list[dict[str, Any]]:
    return [
        {
            "kind": f"prompt.{one.kind}",
            "subject": one.new or one.old,
            "payload": {
                "id": one.prompt_id, "old": one.old, "new": one.new, "commit": one.commit.id,
                "by": one.commit.author, "why": one.commit.message[:LONGEST_WHY],
            },
        }
        for one in ledger.events
    ]  # fmt: skip


def _moved(one: Moved) -> dict[str, Any]:
    return {
        "kind": "label.moved",
        "subject": f"{one.label} {one.name}",
        "payload": {
            "id": one.prompt_id, "name": one.name, "label": one.label, "old": one.old,
            "new": one.new, "commit": one.commit.id, "by": one.commit.author,
            "why": one.commit.message[:LONGEST_WHY],
        },
    }  # fmt: skip

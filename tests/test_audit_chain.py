"""The audit log's chain: every door adds to it, nothing changes it unseen, on both engines."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, func, select, update

from hub.db import Database, now
from hub.people import audit, audit_chain, audit_read
from hub.people.accounts import OPERATOR
from hub.people.audit_chain import Report
from hub.people.models import AuditEntry
from tests.cast import Cast, make_cast, on_both_engines


@pytest.fixture
async def clinic(database: Database) -> Cast:
    return await make_cast(database)


async def verified(database: Database, workspace_id: int | None, expected: str = "") -> Report:
    return await database.read_at_once(
        lambda db: audit_chain.verify(db, workspace_id, expected=expected)
    )


async def note(database: Database, workspace_id: int | None, *subjects: str) -> None:
    async with database.write() as db:
        for subject in subjects:
            audit.record(db, OPERATOR, "test.deed", subject, workspace_id, number=1, to=("a", "b"))


def plain(workspace_id: int | None, subject: str) -> dict[str, Any]:
    return {
        "workspace_id": workspace_id, "at": now(), "actor": "ana", "action": "test.deed",
        "subject": subject, "detail": {"z": 1, "a": ["ü", None, 1.5]},
    }  # fmt: skip


async def numbers(database: Database, workspace_id: int) -> list[int]:
    async with database.read() as db:
        query = select(AuditEntry.id).where(AuditEntry.workspace_id == workspace_id)
        return list(await db.scalars(query.order_by(AuditEntry.id)))


@on_both_engines
async def test_every_workspace_has_a_chain_and_so_has_what_belongs_to_none(
    database: Database, clinic: Cast
) -> None:
    mine, theirs = clinic.workspace.id, clinic.rival.id
    before = {one: await verified(database, one) for one in (mine, theirs, None)}
    assert all(one.rows and not one.broken for one in before.values())
    async with database.write() as db:
        for place, subject in ((mine, "a"), (None, "b"), (mine, "c"), (theirs, "d")):
            audit.record(db, OPERATOR, "test.deed", subject, place)
        await db.flush()
        audit.record(db, OPERATOR, "test.deed", "e", mine)
    await database.write_at_once(
        lambda db: audit.rows(db, mine, [plain(mine, "f"), plain(mine, "g")])
    )
    await database.write_at_once(lambda db: audit.rows(db, mine, []))
    after = {one: await verified(database, one) for one in (mine, theirs, None)}
    assert [after[one].rows - before[one].rows for one in (mine, theirs, None)] == [5, 1, 1]
    assert not any(one.broken for one in after.values())
    assert (await verified(database, mine, before[mine].head)).found
    assert not (await verified(database, mine, before[theirs].head)).found


@on_both_engines
async def test_what_is_undone_leaves_no_gap(database: Database, clinic: Cast) -> None:
    async def fail() -> None:
        async with database.write() as db:
            audit.record(db, OPERATOR, "test.deed", "never", clinic.workspace.id)
            await db.flush()
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    await note(database, clinic.workspace.id, "after")
    assert not (await verified(database, clinic.workspace.id)).broken


@on_both_engines
async def test_writers_side_by_side_do_not_fork_the_chain(database: Database, clinic: Cast) -> None:
    mine = clinic.workspace.id
    await asyncio.gather(
        *(note(database, mine, f"o{n}", f"p{n}") for n in range(15)),
        *(
            database.write_at_once(lambda db: audit.rows(db, mine, [plain(mine, "x")]))
            for _ in range(15)
        ),
        *(note(database, None, f"n{n}") for n in range(10)),
    )
    for place in (mine, None):
        report = await verified(database, place)
        assert not report.broken, report.broken
    async with database.read() as db:
        query = select(func.count()).where(AuditEntry.action == "test.deed")
        assert await db.scalar(query) == 55


@on_both_engines
@pytest.mark.parametrize(
    "change",
    [
        {"actor": "somebody"}, {"action": "nothing"}, {"subject": "else"}, {"detail": {}},
        {"hash": "0" * 64}, {"hash": None}, {"workspace_id": 999},
    ],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
async def test_a_changed_row_is_found(
    database: Database, clinic: Cast, change: dict[str, Any]
) -> None:
    mine = clinic.workspace.id
    await note(database, mine, *"abcdef")
    ids = await numbers(database, mine)
    async with database.write() as db:
        await db.execute(update(AuditEntry).where(AuditEntry.id == ids[-3]).values(**change))
    report = await verified(database, mine)
    first = ids[-2] if "workspace_id" in change else ids[-3]
    assert report.broken.startswith(f"Row {first} ")


@on_both_engines
async def test_a_moment_that_was_moved_and_rows_taken_out_or_swapped_are_found(
    database: Database, clinic: Cast
) -> None:
    mine = clinic.workspace.id
    await note(database, mine, *"abcdef")
    ids = await numbers(database, mine)

    async def broken_by(*statements: Any) -> str:
        """Within a transaction that is rolled back."""
        async with database.read() as db:
            for statement in statements:
                await db.execute(statement)
            report = await db.run_sync(lambda s: audit_chain.verify(s.connection(), mine))
            await db.rollback()
            return report.broken

    at = update(AuditEntry).where(AuditEntry.id == ids[2])
    moved = at.values(at=now() - timedelta(days=1))
    assert (await broken_by(moved)).startswith(f"Row {ids[2]} ")
    out = delete(AuditEntry).where(AuditEntry.id == ids[-4])
    assert (await broken_by(out)).startswith(f"Row {ids[-3]} ")
    first = delete(AuditEntry).where(AuditEntry.id == ids[0])
    assert (await broken_by(first)).startswith(f"Row {ids[1]} ")
    swap = [
        update(AuditEntry).where(AuditEntry.id == one).values(id=other)
        for one, other in ((ids[-1], -1), (ids[-2], ids[-1]), (-1, ids[-2]))
    ]
    assert (await broken_by(*swap)).startswith(f"Row {ids[-2]} ")
    assert not await broken_by()


@on_both_engines
async def test_rows_from_before_the_chain_stay_before_it(database: Database, clinic: Cast) -> None:
    mine = clinic.workspace.id
    async with database.write() as db:
        await db.execute(update(AuditEntry).values(hash=None))
    older = len(await numbers(database, mine))
    await note(database, mine, "a", "b")
    report = await verified(database, mine)
    assert (report.older, report.rows, report.broken) == (older, 2, "")
    async with database.write() as db:
        last = (await numbers(database, mine))[-2]
        await db.execute(update(AuditEntry).where(AuditEntry.id == last).values(hash=None))
    assert (await verified(database, mine)).broken


def test_the_hash_is_what_the_description_says() -> None:
    row = plain(3, "sübject")
    facts = ["ab", 3, row["at"].isoformat(timespec="microseconds"), "ana", "test.deed", "sübject",
             row["detail"]]  # fmt: skip
    text = json.dumps(facts, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    assert audit_chain.hash_of(row, "ab") == sha256(text.encode()).hexdigest()


texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)
details = st.dictionaries(
    texts, st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts | st.lists(texts)
)


@given(details)
def test_a_hash_survives_being_kept_as_json(detail: dict[str, Any]) -> None:
    row = plain(1, "x") | {"detail": detail}
    kept = row | {"detail": json.loads(json.dumps(detail))}
    assert audit_chain.hash_of(row, "") == audit_chain.hash_of(kept, "")


async def test_the_export_can_be_checked_elsewhere(database: Database, clinic: Cast) -> None:
    mine = clinic.workspace.id
    await note(database, mine, *(f"s{n}" for n in range(1100)))
    text = b"".join([one async for one in audit_read.lines(database, mine, audit_read.Wanted())])
    previous = ""
    lines = [json.loads(one) for one in text.splitlines()]
    assert len(lines) == len(await numbers(database, mine))
    for one in lines:
        facts = [previous] + [
            one[name] for name in ("workspace_id", "at", "actor", "action", "subject", "detail")
        ]
        canonical = json.dumps(facts, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        previous = sha256(canonical.encode()).hexdigest()
        assert one["hash"] == previous
    assert previous == (await verified(database, mine)).head

"""What people decided of proposals comes back from git alone, whether it was merged or not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import delete, select

from hub.db import Database
from hub.people import accounts, workspaces
from hub.people.rules import Rule
from hub.registry.git.git_terms import REVIEWS, RepositoryFull
from hub.registry.git.repository import Repository
from hub.registry.indexing import index
from hub.registry.review import dismissing, proposals, record
from hub.registry.review.models import Item, Proposal, Review, Revision
from hub.registry.review.propose import Made
from hub.registry.writing import recover
from tests.bench_of_review import Bench, create, make_bench
from tests.cast import copy_template

RULE = Rule(kind="change", folder="clinical")


@pytest.fixture
async def bench(database: Database, tmp_path: Path) -> Bench:
    made = await make_bench(database, tmp_path / "data")
    await made.rule(RULE)
    return made


@pytest.fixture
async def elsewhere(migrated: Path, tmp_path: Path) -> AsyncIterator[Database]:
    """A database in which nobody has ever been."""
    copy_template(migrated, tmp_path / "new")
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'new' / 'hub.db'}")
    yield database
    await database.close()


async def dismiss(bench: Bench, number: int) -> None:
    """What was asked for last."""
    async with bench.database.read() as db:
        mine = (Review.number == number, Review.verdict == "changes")
        latest = (await db.scalars(select(Review.id).where(*mine).order_by(-Review.id))).first()
    await dismissing.dismiss(
        bench.publisher, bench.workspace, number, latest or 0, actor=bench.people["maria"],
        reason="Ben has left;\nDora read it.",
    )  # fmt: skip


async def story(bench: Bench) -> list[Made]:
    """One that waits for Ben, one where he was put aside, and three that were closed or opened."""
    made = [await bench.propose(create(f"clinical/p{n}", "One")) for n in range(5)]
    await bench.review(made[0], "dora")
    await bench.review(made[0], "ben", verdict="changes", body="Say “please” –\n\nalways \u2028 so")
    made[0] = await bench.revise(1, create("clinical/p0", "Two"))
    await bench.review(made[0], "dora")
    await bench.review(made[1], "ben", verdict="changes", body="No")
    await dismiss(bench, 2)
    await bench.review(made[1], "dora", "maria")
    await bench.review(made[1], "maria", verdict="none")
    await bench.merge(made[1], by="dora")
    place = (bench.publisher, bench.workspace)
    await proposals.decline(*place, 3, actor=bench.ben, reason="Patients would\nlaugh.")
    await proposals.withdraw(*place, 4, actor=bench.ana)
    await bench.review(made[4], "dora")
    await proposals.decline(*place, 5, actor=bench.ben, reason="Not now")
    await proposals.reopen(*place, 5, actor=bench.ana)
    return made


async def told(bench: Bench) -> list[dict[str, Any]]:
    """All that the pages show of who decided what, but for the numbers that a database gives."""
    found: list[dict[str, Any]] = []
    async with bench.database.read() as db:
        for number in range(1, 6):
            view = await record.get(db, bench.workspace.id, number)
            lines = await record.revisions(db, bench.workspace.id, number)
            words = [one for line in lines for one in line.words]
            found.append(
                {
                    "state": view.state, "sentence": view.sentence, "dismissed": view.dismissals,
                    "closed": (view.closed_by, view.closed_at, view.close_reason),
                    "words": [
                        msgspec.structs.replace(one, id=None, account_id=0, requested=False)
                        for one in (*view.words, *words)
                    ],
                }
            )  # fmt: skip
    return found


async def test_the_database_deleted_every_word_is_back(
    bench: Bench, elsewhere: Database, tmp_path: Path
):
    made = await story(bench)
    before = await told(bench)
    assert [one["state"] for one in before] == ["open", "merged", "declined", "withdrawn", "open"]
    assert "Ben asked for a change." in before[0]["sentence"]
    assert before[1]["dismissed"][0].why == "Ben has left;\nDora read it."
    new = await make_bench(elsewhere, tmp_path / "data")
    await new.rule(RULE)
    await index.reindex(elsewhere, new.repository, new.workspace.id)
    assert await told(new) == before
    with pytest.raises(proposals.NeedsReview, match="Ben asked for a change"):
        await new.merge(made[0], by="dora")
    with pytest.raises(proposals.Closed):
        await new.merge(made[2], by="dora")
    await dismiss(new, 1)
    await new.merge(made[0], by="dora")
    await new.merge(made[4], by="dora")


async def test_built_again_over_what_is_there_nothing_changes(bench: Bench):
    await story(bench)
    before, tip = await told(bench), bench.repository.tip(REVIEWS)
    await index.reindex(bench.database, bench.repository, bench.workspace.id)
    await recover.at_start(bench.database, bench.publisher.repositories)
    assert await told(bench) == before
    assert bench.repository.tip(REVIEWS) == tip


async def test_whoever_is_unknown_there_is_in_the_way_until_they_say_otherwise(
    bench: Bench, elsewhere: Database, tmp_path: Path
):
    made = await bench.propose(create("clinical/a", "One"))
    await eve_joins(bench)
    await bench.review(made, "eve", verdict="changes", body="Wait")
    new = await make_bench(elsewhere, tmp_path / "data")
    await new.rule(RULE)
    await index.reindex(elsewhere, new.repository, new.workspace.id)
    await new.review(made, "dora")
    with pytest.raises(proposals.NeedsReview, match="Eve asked for a change"):
        await new.merge(made, by="dora")
    again = await eve_joins(new)
    await recover.at_start(elsewhere, new.publisher.repositories)
    async with elsewhere.read() as db:
        query = select(Review.account_id).where(Review.email == "eve@example.org")
        assert list(await db.scalars(query)) == [again]
    await new.review(made, "eve")
    await new.merge(made, by="dora")


async def eve_joins(bench: Bench) -> int:
    """A reviewer; her account."""
    async with bench.database.write() as db:
        account = await accounts.create(db, "eve@example.org", "Eve")
        account.password_hash = "unset"
        await workspaces.add(
            db, bench.workspace, account.email, "", "reviewer", actor=accounts.OPERATOR
        )
    bench.people["eve"] = msgspec.structs.replace(
        bench.people["dora"], name="Eve", email="eve@example.org", account_id=account.id
    )
    return account.id


async def test_what_a_crash_kept_from_git_goes_there_at_the_next_start(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
):
    made = await bench.propose(create("clinical/a", "One"))
    await bench.review(made, "ben", verdict="changes", body="First")
    with monkeypatch.context() as broken:
        broken.setattr(Repository, "write", full)
        await bench.review(made, "dora", verdict="changes", body="Second")
    assert "Second" not in notes(bench)
    await recover.at_start(bench.database, bench.publisher.repositories)
    assert "First" in notes(bench)
    assert "Second" in notes(bench)
    (bench.repository.path / REVIEWS).write_text("")  # a power cut
    await recover.at_start(bench.database, bench.publisher.repositories)
    assert "Second" in notes(bench)


def full(*_: Any) -> None:
    raise RepositoryFull


def notes(bench: Bench) -> str:
    """As a stranger reads them."""
    return bench.git("log", "--notes=reviews", "--format=%N", "-1", "refs/proposals/1/1")


async def test_words_at_the_same_moment_are_all_in_git(bench: Bench):
    made = [await bench.propose(create(f"clinical/p{n}", "One")) for n in range(4)]
    await asyncio.gather(
        *(bench.review(one, who) for one in made for who in ("ben", "dora", "maria"))
    )
    async with bench.database.write() as db:
        before = [(row.number, row.email) for row in await db.scalars(select(Review))]
        for model in (Review, Item, Revision, Proposal):
            await db.execute(delete(model))
    await index.reindex(bench.database, bench.repository, bench.workspace.id)
    async with bench.database.read() as db:
        after = [(row.number, row.email) for row in await db.scalars(select(Review))]
    assert len(before) == 12
    assert sorted(after) == sorted(before)

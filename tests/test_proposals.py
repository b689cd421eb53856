"""Putting a change up for review: what is proposed is in git, numbered, and never changes."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import delete, select

from hub.db import Database
from hub.errors import Conflict, Forbidden, Invalid, NotFound
from hub.outbox import Event
from hub.registry.indexing import index
from hub.registry.indexing.ledger_rows import table_of
from hub.registry.review import heal, proposals
from hub.registry.review.models import Item, Proposal, Revision, Watcher
from hub.registry.writing import recover
from tests.bench_of_review import Bench, change, create, make_bench
from tests.cast import on_both_engines
from tests.shelf import all_of

Wanted = proposals.Wanted


@pytest.fixture
async def bench(database: Database, tmp_path: Path) -> Bench:
    return await make_bench(database, tmp_path)


@on_both_engines
async def test_a_proposal_is_a_commit_of_its_own(bench: Bench):
    saved = await bench.save("clinical/triage", "One")
    why = "Callers were lost.\n\nProposal: 7\nReviewed-by: Ben <ben@example.org>"
    made = await bench.propose(change("clinical/triage", "Two", saved.hash), why=why)
    assert (made.number, made.revision, made.created) == (1, 1, True)
    ref = "refs/proposals/1/1"
    assert bench.git("show", f"{ref}:clinical/triage.prompt.yml").count("Two") == 1
    assert bench.git("rev-parse", f"{ref}^") == saved.commit
    assert bench.git("log", "-1", "--format=%an <%ae> | %cn", ref) == (
        "Ana <ana@example.org> | Prompt Hub"
    )
    assert "One" in bench.git("show", "main:clinical/triage.prompt.yml")
    async with bench.database.read() as db:
        row = await db.get_one(Proposal, (bench.workspace.id, 1))
        assert (row.title, row.why, row.state, row.revision) == ("Say it better", why, "open", 1)
        assert row.account_id == bench.people["ana"].account_id
        item = (await db.scalars(select(Item))).one()
        assert (item.kind, item.base_hash, item.base_version) == ("change", saved.hash, 1)
        assert b"Two" in (item.data or b"")


async def test_a_number_is_never_used_twice(bench: Bench):
    made = await all_of(*(bench.propose(create(f"a/p{n}", "Hello")) for n in range(20)))
    assert sorted(one.number for one in made) == [*range(1, 21)]
    assert len(bench.git("for-each-ref", "refs/proposals").splitlines()) == 20


async def test_a_revision_names_what_was_on_the_screen(bench: Bench):
    saved = await bench.save("a", "One")
    first = await bench.propose(change("a", "Two", saved.hash))
    second = await bench.revise(1, change("a", "Three", saved.hash), expected_revision=1)
    assert (second.revision, second.digest == first.digest) == (2, False)
    with pytest.raises(proposals.RevisionMoved, match="revision 2"):
        await bench.revise(1, change("a", "Four", saved.hash), expected_revision=1)
    again = await bench.revise(1, change("a", "Three", saved.hash), expected_revision=2)
    assert (again.revision, again.created) == (2, False)
    retold = await bench.revise(
        1, change("a", "Three", saved.hash), expected_revision=2, title="Another title"
    )
    assert (retold.revision, retold.digest) == (3, second.digest)


async def test_other_words_for_the_same_change_keep_its_digest(bench: Bench):
    one, two = await bench.save("a", "One"), await bench.save("b", "One")
    first = await bench.propose(change("a", "Two", one.hash), change("b", "Two", two.hash))
    turned = await bench.propose(
        change("b", "Two", two.hash), change("a", "Two", one.hash), title="Other", why=""
    )
    assert turned.digest == first.digest
    labelled = await bench.propose(
        change("a", "Two", one.hash), change("b", "Two", two.hash), target="production"
    )
    assert labelled.digest != first.digest


async def test_a_viewer_may_suggest_and_revise_only_their_own(bench: Bench):
    saved = await bench.save("a", "One")
    made = await bench.propose(change("a", "Two", saved.hash), by="carla")
    await bench.revise(made.number, change("a", "Three", saved.hash), by="carla")
    await bench.revise(made.number, change("a", "Four", saved.hash), by="ana")
    other = await bench.propose(change("a", "Five", saved.hash), by="ana")
    with pytest.raises(Forbidden, match="Ana's"):
        await bench.revise(other.number, change("a", "Six", saved.hash), by="carla")


async def test_every_kind_of_change(bench: Bench):
    a, b = await bench.save("a", "One"), await bench.save("old/b", "One")
    await bench.save("c", "One")
    made = await bench.propose(
        create("new/d", "Hello"), change("a", "Two", a.hash),
        Wanted(kind="rename", name="old/b", new_name="new/b"), Wanted(kind="delete", name="c"),
    )  # fmt: skip
    ref = f"refs/proposals/{made.number}/1"
    files = bench.git("ls-tree", "-r", "--name-only", ref).split()
    assert files == ["a.prompt.yml", "new/b.prompt.yml", "new/d.prompt.yml"]
    async with bench.database.read() as db:
        query = select(Item.kind, Item.name, Item.new_name, Item.hash).order_by(Item.position)
        rows = [tuple(row) for row in await db.execute(query)]
    assert [row[0] for row in rows] == ["create", "change", "rename", "delete"]
    assert rows[2] == ("rename", "old/b", "new/b", b.hash)
    assert rows[3][3] is None


async def test_a_release_names_version_and_label(bench: Bench):
    await bench.save("a", "One")
    release = Wanted(kind="release", name="a", version=1)
    with pytest.raises(Invalid, match="which label"):
        await bench.propose(release)
    made = await bench.propose(release, target="production")
    assert bench.git("diff", "--stat", "main", f"refs/proposals/{made.number}/1") == ""
    with pytest.raises(NotFound, match="no version 9"):
        await bench.propose(Wanted(kind="release", name="a", version=9), target="production")


async def test_what_cannot_be_proposed_is_said_in_a_sentence(bench: Bench):
    saved = await bench.save("a", "One")
    with pytest.raises(Conflict, match="already"):
        await bench.propose(create("a", "Two"))
    with pytest.raises(NotFound, match="no prompt called b"):
        await bench.propose(change("b", "Two"))
    with pytest.raises(Invalid, match="nothing to propose"):
        await bench.propose(change("a", "One", saved.hash))
    with pytest.raises(Invalid, match="never was"):
        await bench.propose(change("a", "Two", "0" * 64))
    with pytest.raises(Invalid, match="twice"):
        await bench.propose(change("a", "Two"), Wanted(kind="delete", name="a"))
    with pytest.raises(Invalid, match="same `id`"):
        await bench.propose(create("c", "Hello", id="p_same"), create("d", "Hi", id="p_same"))
    taken = await bench.propose(create("e", "Hello", id=saved.id))
    async with bench.database.read() as db:
        item = (await db.scalars(select(Item).where(Item.number == taken.number))).one()
    assert item.prompt_id != saved.id
    with pytest.raises(Invalid, match="title"):
        await bench.propose(change("a", "Two"), title=" \n ")
    with pytest.raises(Invalid, match="line 1"):
        await bench.propose(change("a", "{{ broken"))
    with pytest.raises(Conflict, match="already"):
        await bench.propose(Wanted(kind="rename", name="a", new_name="a"))
    with pytest.raises(NotFound, match="no proposal 5"):
        await bench.revise(5, change("a", "Two"))


async def test_a_change_of_an_older_version_can_be_proposed(bench: Bench):
    first = await bench.save("a", "One")
    await bench.save("a", "Two", base=first.hash)
    await bench.propose(change("a", "Three", first.hash))
    async with bench.database.read() as db:
        item = (await db.scalars(select(Item))).one()
    assert (item.base_hash, item.base_version) == (first.hash, 1)


async def test_the_same_request_is_answered_alike(bench: Bench):
    made = await bench.propose(create("a", "Hello"), request_id="k1")
    assert await bench.propose(create("a", "Hello"), request_id="k1") == made
    with pytest.raises(Conflict, match="Idempotency-Key"):
        await bench.propose(create("b", "Hello"), request_id="k1")


async def test_the_author_and_those_asked_are_told(bench: Bench):
    ben = bench.people["ben"].account_id or 0
    await bench.propose(create("a", "Hello"), reviewers=(ben,))
    async with bench.database.read() as db:
        rows = (await db.execute(select(Watcher.account_id, Watcher.requested))).all()
        events = {e.kind: e.payload for e in await db.scalars(select(Event))}
    assert {tuple(row) for row in rows} == {(bench.people["ana"].account_id, False), (ben, True)}
    assert events["proposal.opened"]["number"] == 1
    assert events["proposal.opened"]["account_id"] == bench.people["ana"].account_id
    assert events["review.requested"]["reviewers"] == [ben]


async def test_what_only_git_knows_is_written_down_again(bench: Bench):
    saved = await bench.save("a", "One")
    ben = bench.people["ben"].account_id or 0
    await bench.propose(change("a", "Two", saved.hash), create("b", "Hi"), reviewers=(ben,))
    await bench.revise(1, change("a", "Three", saved.hash), message="Two\nlines")
    await bench.propose(Wanted(kind="rename", name="a", new_name="c"), by="carla")
    before = await rows_of(bench)
    async with bench.database.write() as db:
        for model in (Item, Revision, Watcher, Proposal):
            await db.execute(delete(model))
    assert await heal.follow_refs(bench.database, bench.repository, bench.workspace.id) == 3
    assert await rows_of(bench) == before
    assert await heal.follow_refs(bench.database, bench.repository, bench.workspace.id) == 0
    await bench.assert_rebuilds()


async def rows_of(bench: Bench) -> list[str]:
    async with bench.database.read() as db:
        found: list[str] = []
        for model in (Proposal, Revision, Item, Watcher):
            table = table_of(model)
            rows = await db.execute(select(table).order_by(*table.primary_key))
            found += [f"{table.name} {tuple(row)}" for row in rows]
        return found


async def test_a_ref_that_a_power_cut_emptied_is_put_back(bench: Bench):
    await bench.propose(create("a", "Hello"))
    ref = bench.repository.path / "refs/proposals/1/1"
    tip = ref.read_text()
    ref.write_text("")
    folder = bench.publisher.repositories
    assert await recover.at_start(bench.database, folder) == []
    assert ref.read_text() == tip
    ref.unlink()
    assert await recover.at_start(bench.database, folder) == []
    assert ref.read_text() == tip


async def test_proposing_leaves_main_where_it_is(bench: Bench):
    await bench.save("a", "One")
    before = await bench.dump()
    await bench.propose(create("b", "Hello"))
    assert await bench.dump() == before
    assert not await index.catch_up(bench.database, bench.repository, bench.workspace.id)

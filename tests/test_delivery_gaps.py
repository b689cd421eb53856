"""Who was away, or never gets in step: the gap, a rebuild, a log that was cut."""

import pytest

from hub.people.accounts import OPERATOR
from hub.registry import versions
from hub.registry.indexing import feed, index
from tests.delivering import app, kinds, stocked, team
from tests.listening import Ended, beside, listening

__all__ = ["app", "stocked", "team"]
pytestmark = pytest.mark.usefixtures("stocked")


def test_who_was_away_gets_exactly_the_gap(team, app, server):
    table, line = app
    line.close()
    moved = team.put_live("support/triage", "While you were away")
    team.put_live("support/triage", "And again")
    team.put_live("care/fresh", "New")
    team.take_off("support/reply")
    with listening(server.url, server.cast.read_key, last=table.place) as again:
        table.apply(batch := again.batch())
        assert sorted(kinds(batch)) == ["commit", "delete", "hello", "put", "put"]
        assert table.versions() == team.table().versions()
        assert table.versions()["support/triage"] == moved + 1
    with listening(server.url, server.cast.read_key, last=table.place) as again:
        assert kinds(again.batch()) == ["hello", "commit"]
    # `Last-Event-ID` wins over `since`.
    query = f"since={table.place}"
    with listening(server.url, server.cast.read_key, query, last="0:1") as again:
        assert kinds(again.batch()) == ["hello", "resync"]


@pytest.mark.parametrize(
    "since", ["", "since=", "since=x", "since=x:1", "since=%00:-1", "since=nonsense:99999999999"]
)
def test_a_place_nobody_knows_means_loading_again(team, server, since):
    with listening(server.url, server.cast.read_key, since) as line:
        batch = line.batch()
        assert kinds(batch) == ["hello", "resync"]
        assert batch[1].data["retry_ms"] == 0
        assert batch[1].id == ""
        with pytest.raises(Ended):
            line.next()


def test_a_revision_that_was_never_given_out_is_no_place(team, server):
    """A hub put back to an older state must not bridge a gap it does not know."""
    table = team.table()
    team.put_live("support/triage", f"Onwards {table.revision}")
    for wrong in (table.revision + 1, table.revision + 10**9, table.revision - 1):
        query = f"since={table.epoch}:{wrong}"
        with listening(server.url, server.cast.read_key, query) as line:
            assert kinds(line.batch()) == ["hello", "resync"]


def test_a_rebuild_sends_everybody_to_load_again(team, app, server):
    table, line = app

    async def reindex(parts, workspace):
        repository = parts.publisher.repository(workspace.slug)
        await index.reindex(parts.database, repository, workspace.id)

    beside(server.settings, "clinic", reindex)
    batch = line.batch()
    assert kinds(batch) == ["resync"]
    assert batch[0].data["epoch"] != table.epoch
    with pytest.raises(Ended):
        line.next()
    query = f"since={team.table().place}"
    with listening(server.url, server.cast.read_key, query) as again:
        assert kinds(again.batch()) == ["hello", "commit"]


def test_a_log_that_was_cut_says_so_and_the_snapshot_leads_back(team, app, server):
    table, line = app
    line.close()
    team.put_live("support/triage", "Long ago")
    team.put_live("support/reply", "Not so long ago")

    async def cut(parts, workspace):
        assert await parts.database.write_at_once(lambda db: feed.compact(db, 1))

    beside(server.settings, "clinic", cut)
    with listening(server.url, server.cast.read_key, last=table.place) as again:
        assert kinds(again.batch()) == ["hello", "resync"]
    # A filter that nothing has touched since the cut must find its way back as well.
    for query in ("label=production", "label=staging", "name=care/*"):
        new = team.table(query)
        with listening(server.url, server.cast.read_key, f"{query}&since={new.place}") as again:
            assert kinds(again.batch()) == ["hello", "commit"]


def test_a_very_long_gap_is_a_snapshot(team, app, server):
    table, line = app
    line.close()

    async def fill(parts, workspace):
        rows = [(f"bulk/p{n}", f"Text {n}") for n in range(1001)]
        from hub.registry.prompt.document import Document, Message

        documents = [(name, Document(messages=(Message(role="user", content=text),)))
                     for name, text in rows]  # fmt: skip
        await versions.save_many(
            parts.publisher, workspace, documents, actor=OPERATOR, message="Bulk"
        )

    beside(server.settings, "clinic", fill)
    query = f"label=latest&since={table.place}"
    with listening(server.url, server.cast.read_key, query) as again:
        assert kinds(again.batch()) == ["hello", "resync"]
    with listening(server.url, server.cast.read_key, f"since={table.place}") as again:
        assert kinds(again.batch()) == ["hello", "commit"]

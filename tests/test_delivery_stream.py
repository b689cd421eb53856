"""An app listens: each kind of change arrives, whole, once, also to one that was away."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from hub.db import Database
from hub.people.accounts import OPERATOR
from hub.people.keys import create, revoke
from hub.registry import versions
from tests.cast import copy_template
from tests.delivering import app, kinds, stocked, team
from tests.listening import Ended, Line, Table, Team, beside, listening, until
from tests.serving import free_port, serve

__all__ = ["app", "stocked", "team"]
pytestmark = pytest.mark.usefixtures("stocked")


def test_a_release_and_a_rollback_arrive_with_their_text(team, app):
    table, line = app
    assert line.headers["content-type"].startswith("text/event-stream")
    assert line.headers["cache-control"] == "no-cache"
    assert line.headers["x-accel-buffering"] == "no"
    version = team.put_live("support/triage", "Sort well: {{ text }}")
    table.apply(batch := line.batch())
    assert kinds(batch) == ["put", "commit"]
    assert batch[0].id == ""
    assert table.text("support/triage") == "Sort well: {{ text }}"
    assert table.versions()["support/triage"] == version
    team.release("support/triage", version - 1)
    old, objects = table.revision, dict(table.objects)
    table.apply(batch := line.batch())
    assert table.revision > old
    assert table.objects == objects  # the object of the earlier version has the name it had
    assert table.text("support/triage") == "Sort: {{ text }}"
    assert table.pointers == team.table().pointers | {
        k: v | {"objects": batch[0].data["objects"]} for k, v in team.table().pointers.items()
        if k == ("production", "support/triage")
    }  # fmt: skip


def test_several_labels_moved_in_one_step_come_in_one_batch(team, app):
    table, line = app
    moves = {name: team.save(name, f"Together {name}")["version"] for name in (
        "support/triage", "support/reply",
    )}  # fmt: skip
    team.release_all(moves)
    table.apply(batch := line.batch())
    assert kinds(batch) == ["put", "put", "commit"]
    assert moves.items() <= table.versions().items()


def test_a_label_taken_off_a_delete_and_a_restore_arrive(team, app):
    table, line = app
    team.put_live("care/short", "Here")
    table.apply(line.batch())
    team.take_off("care/short")
    table.apply(batch := line.batch())
    assert kinds(batch) == ["delete", "commit"]
    assert batch[0].data == {"label": "production", "name": "care/short"}
    team.release("care/short", 1)
    table.apply(line.batch())
    team.delete("care/short")
    table.apply(line.batch())
    assert "care/short" not in table.versions()


def test_a_rename_is_one_batch(team, app, server):
    table, line = app
    team.put_live("care/before", "Same")
    table.apply(line.batch())

    async def rename(parts, workspace):
        await versions.rename(
            parts.publisher, workspace, "care/before", "care/after", actor=OPERATOR
        )

    beside(server.settings, "clinic", rename)
    table.apply(batch := line.batch())
    assert sorted(kinds(batch)) == ["commit", "delete", "put"]
    assert "care/before" not in table.versions()
    assert table.versions()["care/after"] == 1


def test_a_new_version_of_a_snippet_arrives_with_the_prompt_that_moves_to_it(team, app):
    table, line = app
    team.save("snippets/tone", "Be kind.")
    team.put_live("care/letter", '{% include "snippets/tone@1" %} Write.')
    table.apply(line.batch())
    team.save("snippets/tone", "Be brief.")
    team.put_live("care/letter", '{% include "snippets/tone@2" %} Write.')
    table.apply(batch := line.batch())
    if kinds(batch) == ["commit"]:  # a heartbeat came in between, and moved the place
        table.apply(batch := line.batch())
    assert kinds(batch) == ["put", "commit"]  # the snippet's own save moved no label
    object = json.loads(table.objects[batch[0].data["object"]])
    assert object["snippets"] == {"snippets/tone@2": "Be brief."}


@pytest.fixture
def lively(tmp_path, migrated):
    """A hub whose heart beats every second, not every fifteen."""
    copy_template(migrated, tmp_path / "data")
    beats = {"hub.sync.events.HEARTBEAT": 1}
    with serve(tmp_path / "data", free_port(), constants=beats) as running:
        yield running


def test_only_what_is_followed_arrives_and_the_rest_moves_the_place_with_a_heartbeat(lively):
    only = "label=latest&name=care/*"
    with (
        Team(lively.url, lively.cast.write_key) as team,
        listening(
            lively.url, lively.cast.read_key, f"since={team.table(only).place}&{only}"
        ) as line,
    ):
        line.batch()
        team.put_live("support/reply", "Not for everybody")
        team.save("care/note", "For you")
        batch = line.batch()
        assert [(one.kind, one.data.get("name")) for one in batch] == [
            ("put", "care/note"), ("commit", None),
        ]  # fmt: skip
        team.put_live("support/reply", "Nor this")
        moved = team.table(only).revision
        while (late := line.next()).kind != "commit" or late.data["revision"] < moved:
            assert late.kind in {"beat", "commit"}
        assert moved > batch[-1].data["revision"]
        assert line.next().kind == "beat"


def test_a_large_text_is_fetched_by_its_name(team, app):
    _table, line = app
    text = "x" * 70_000
    team.put_live("care/long", text)
    batch = line.batch()
    assert batch[0].kind == "put"
    assert batch[0].data["objects"] == {}
    answer = team.http.get(f"/api/v1/objects/{batch[0].data['object']}")
    assert json.loads(answer.text)["document"]["messages"][0]["content"] == text


def test_another_workspace_hears_nothing(team, server):
    with Team(server.url, server.cast.rival_key) as rival:
        query = f"since={rival.table().place}"
        with listening(server.url, server.cast.rival_key, query) as line:
            assert kinds(line.batch()) == ["hello", "commit"]
            team.put_live("support/triage", "Ours alone")
            rival.put_live("spy/one", "Theirs")
            batch = line.batch()
            assert [one.data.get("name") for one in batch] == ["spy/one", None]


def test_a_revoked_key_is_sent_away_at_once(team, server):
    async def make():
        database = Database(server.settings.database, guest=True)
        async with database.write() as db:
            new = await create(db, server.cast.workspace, "leaving", "read", actor=OPERATOR)
        await database.close()
        return new

    async def end(parts, workspace):
        async with parts.database.write() as db:
            await revoke(db, workspace.id, new.id, actor=OPERATOR)

    import asyncio

    new = asyncio.run(make())
    with (
        listening(server.url, new.token) as line,
        listening(server.url, server.cast.read_key, f"since={team.table().place}") as other,
    ):
        place = line.batch()[-1].data
        line.close()
        query = f"since={place['epoch']}:{team.table().revision}"
        with listening(server.url, new.token, query) as line:
            line.batch()
            other.batch()
            beside(server.settings, "clinic", end)
            assert kinds(line.batch()) == ["goodbye"]
            with pytest.raises(Ended):
                line.next()
            with listening(server.url, new.token) as refused:
                assert refused.status == 401
            team.put_live("support/triage", "For those who stay")
            assert kinds(other.batch()) == ["put", "commit"]


def test_two_hundred_apps_hear_of_a_release(team, server):
    table = team.table()
    query = f"since={table.place}"
    with ThreadPoolExecutor(20) as pool:
        lines = list(pool.map(lambda _: Line(server.url, server.cast.read_key, query), range(200)))
        try:
            for line in lines:
                assert kinds(line.batch()) == ["hello", "commit"]
            version = team.put_live("support/triage", "To all of you")
            heard = [line.batch() for line in lines]
            assert all(kinds(batch) == ["put", "commit"] for batch in heard)
            assert {batch[0].data["version"] for batch in heard} == {version}
        finally:
            for line in lines:
                line.close()
    until(lambda: Table().load(team.snapshot()).versions()["support/triage"] == version)

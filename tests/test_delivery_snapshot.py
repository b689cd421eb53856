"""An app loads everything at once: what it gets, and what it costs when nothing changed."""

import hashlib
import json

import pytest

from hub.people.accounts import OPERATOR
from hub.registry import versions
from hub.registry.indexing import index
from tests.listening import Table, Team, beside, raw_get, unpacked


@pytest.fixture(scope="module")
def team(server):
    with Team(server.url, server.cast.write_key) as made:
        made.put_live("support/triage", "Sort: {{ text }}")
        made.put_live("support/reply", "Answer, Zoë: {{ text }} 🙂")
        made.put_live("care/plan", "Plan")
        made.save("care/plan", "Plan better")
        made.release("care/plan", 2, "staging")
        yield made


def test_it_holds_what_is_live_and_every_hash_is_right(team, server):
    answer = team.snapshot()
    table = Table().load(answer)
    assert table.versions() == {"support/triage": 1, "support/reply": 1, "care/plan": 1}
    assert table.text("support/reply") == "Answer, Zoë: {{ text }} 🙂"
    one = table.pointers["production", "support/triage"]
    there = team.http.get("/api/v1/prompts/support/triage?label=production").json()
    for field in ("id", "version", "hash", "commit", "name", "label"):
        assert one[field] == there[field]
    said = answer.json()
    order = [(p["label"], p["name"]) for p in said["pointers"]]
    assert order == sorted(order)
    assert len(said["objects"]) == 3
    assert set(said) == {"schema", "epoch", "revision", "pointers", "objects"}


def test_an_object_can_be_fetched_alone_and_is_immutable(team, server):
    table = team.table()
    name = table.pointers["production", "support/reply"]["object"]
    answer = team.http.get(f"/api/v1/objects/{name}")
    assert hashlib.sha256(answer.content).hexdigest() == name
    assert answer.text == table.objects[name]
    assert json.loads(answer.text)["snippets"] == {}
    assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
    again = team.http.get(f"/api/v1/objects/{name}", headers={"If-None-Match": f'"{name}"'})
    assert (again.status_code, again.content) == (304, b"")
    for wrong in ("0" * 64, "nothing", name[:-1]):
        assert team.http.get(f"/api/v1/objects/{wrong}").status_code == 404


def test_labels_names_and_folders_narrow_it(team):
    assert team.table("label=staging").versions("staging") == {"care/plan": 2}
    both = team.table("label=staging&label=production")
    assert both.versions("staging") == {"care/plan": 2}
    assert len(both.versions()) == 3
    assert team.table("label=latest").versions("latest")["care/plan"] == 2
    assert set(team.table("name=support/*").versions()) == {"support/triage", "support/reply"}
    assert set(team.table("name=care/plan&name=support/reply").versions()) == {
        "care/plan", "support/reply",
    }  # fmt: skip
    assert team.table("name=supp/*").versions() == {}
    assert team.table("label=not-there-yet").versions("not-there-yet") == {}
    for wrong in ("label=No+Such", "name=../x", "name=a%00b", "&".join(["label=a"] + [
        f"label=l{n}" for n in range(21)
    ])):  # fmt: skip
        answer = team.snapshot(wrong)
        assert answer.status_code == 422
        assert answer.json()["detail"]


def test_the_tag_is_exact_for_each_filter_and_encoding(team, server):
    key = server.cast.read_key

    def get(query, *headers):
        return raw_get(server.url, f"/api/v1/snapshot?{query}", key, *headers)

    _, plain, body = get("label=production")
    _, packed, zipped = get("label=production", "Accept-Encoding: gzip")
    assert packed["content-encoding"] == "gzip"
    assert "content-encoding" not in plain
    assert unpacked(zipped) == body
    assert plain["etag"] != packed["etag"]
    assert plain["etag"].startswith('"')
    assert plain["cache-control"] == "private, no-cache"
    assert {"Authorization", "Accept-Encoding"} == set(plain["vary"].split(", "))
    assert plain["content-security-policy"] == packed["content-security-policy"]
    for tag in (plain["etag"], packed["etag"], f"W/{plain['etag']}", f'"x", {plain["etag"]}'):
        status, _, nothing = get("label=production", f"If-None-Match: {tag}")
        assert (status, nothing) == (304, b"")
    assert get("label=production", 'If-None-Match: "x"')[0] == 200
    other = get("label=staging", f"If-None-Match: {plain['etag']}")
    assert other[0] == 200
    assert other[1]["etag"] != plain["etag"]
    assert get("label=production", "Accept-Encoding: br, gzip;q=0")[2] == body


def test_only_what_touches_the_filter_changes_its_tag(team, server):
    before = team.snapshot().headers["etag"]
    staging = team.snapshot("label=staging").headers["etag"]
    version = team.save("support/triage", "Sort better: {{ text }}")["version"]
    assert team.snapshot().headers["etag"] == before
    team.release("support/triage", version)
    after = team.snapshot()
    assert after.headers["etag"] != before
    assert Table().load(after).text("support/triage") == "Sort better: {{ text }}"
    assert team.snapshot("label=staging").headers["etag"] == staging


def test_a_key_sees_its_workspace_on_all_routes(team, server):
    object = team.table().pointers["production", "care/plan"]["object"]
    with Team(server.url, server.cast.rival_key) as rival:
        assert rival.table().pointers == {}
        assert rival.http.get(f"/api/v1/objects/{object}").status_code == 404
    for key in ("", "ph_wrong", server.cast.read_key[:-1] + "x"):
        for path in ("snapshot", "stream", f"objects/{object}"):
            status, headers, body = raw_get(server.url, f"/api/v1/{path}", key)
            assert status == 401
            assert headers["www-authenticate"] == "Bearer"
            assert json.loads(body)["title"] == "Unknown"
    assert team.http.post("/api/v1/snapshot").status_code == 405
    assert team.http.get("/api/v1/usage").status_code == 405


def test_a_snippet_comes_inside_the_object_by_its_pinned_version(team):
    team.save("snippets/tone", "Be kind.")
    team.put_live("care/letter", '{% include "snippets/tone@1" %} Write.')
    table = team.table()
    object = json.loads(table.objects[table.pointers["production", "care/letter"]["object"]])
    assert object["snippets"] == {"snippets/tone@1": "Be kind."}
    before = table.pointers["production", "care/letter"]
    team.save("snippets/tone", "Be stern.")
    assert team.table().pointers["production", "care/letter"] == before


def test_what_a_command_beside_the_hub_does_is_served_at_once(team, server):
    async def rename(parts, workspace):
        await versions.rename(
            parts.publisher, workspace, "care/plan", "care/scheme", actor=OPERATOR
        )

    old = team.table()
    beside(server.settings, "clinic", rename)
    new = team.table("label=production&label=staging&label=latest")
    assert new.revision > old.revision
    assert new.epoch == old.epoch
    for label, version in (("production", 1), ("staging", 2), ("latest", 2)):
        assert new.versions(label)["care/scheme"] == version
        assert "care/plan" not in new.versions(label)


def test_a_rebuild_from_git_begins_a_new_epoch_with_the_same_content(team, server):
    async def reindex(parts, workspace):
        repository = parts.publisher.repository(workspace.slug)
        await index.reindex(parts.database, repository, workspace.id)

    old = team.table()
    beside(server.settings, "clinic", reindex)
    new = team.table()
    assert new.epoch != old.epoch
    assert new.revision > old.revision
    assert new.pointers == old.pointers
    assert new.objects == old.objects

"""A version goes to some first: by a key that apps give, the same in every process and language."""

import hashlib
import json

from hub.people.accounts import OPERATOR
from hub.registry import versions
from hub.registry.git import deploy_file
from hub.registry.indexing import index
from tests.delivering import give, post, seen, shares, signed_in, team, two_versions
from tests.listening import beside, listening, until

__all__ = ["team"]


def bucket(label, id, key):
    """As `docs/protocol.md` says."""
    digest = hashlib.sha256(f"{label}/{id}/{key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % 10_000


def answered(pointer, key=""):
    """The version that an app serves for a key."""
    if not key or "split" not in pointer:
        return pointer["version"]
    left = bucket(pointer["label"], pointer["id"], key)
    for one in pointer["split"]:
        if left < one["share"]:
            return one["version"]
        left -= one["share"]
    raise AssertionError("shares do not add up")


def test_the_protocols_vectors():
    rows = [
        ("production", "p_demo", "user-1", 7401), ("production", "p_demo", "user-2", 1348),
        ("staging", "p_demo", "user-1", 4086), ("production", "k3v9", "user-1", 312),
        ("production", "p_demo", "Zoë/42", 9455), ("production", "p_demo", "用户", 1994),
    ]  # fmt: skip
    for label, id, key, expected in rows:
        assert bucket(label, id, key) == expected


def test_a_tenth_gets_the_new_version_and_keeps_it_as_more_do(team, server):
    name = "shares/grow"
    two_versions(team, name)
    table = team.table()
    with listening(server.url, server.cast.read_key, f"since={table.place}") as line:
        line.batch()
        assert give(team, name, 2, 10).status_code == 200
        batch = [one for one in line.batch() if one.kind == "put"]
        table.apply(batch)
        pointer = table.pointers["production", name]
        assert len(batch[0].data["objects"]) == 2
        assert shares(pointer) == [(2, 1000), (1, 9000)]
        assert (pointer["version"], answered(pointer)) == (1, 1)
        keys = [f"user-{number}" for number in range(2000)]
        tenth = {key for key in keys if answered(pointer, key) == 2}
        assert 140 < len(tenth) < 260
        assert team.http.get(f"/api/v1/prompts/{name}?label=production").json()["version"] == 1
        assert give(team, name, 2, 60).status_code == 200
        most = team.table().pointers["production", name]
        assert shares(most) == [(2, 6000), (1, 4000)]
        assert (most["version"], answered(most)) == (2, 2)
        assert tenth <= {key for key in keys if answered(most, key) == 2}
        assert give(team, name, 2, 100).status_code == 200
        done = team.table().pointers["production", name]
        assert (done["version"], shares(done)) == (2, [])


def test_it_is_undone_in_one_step_and_said_in_the_history(team):
    name = "shares/undo"
    two_versions(team, name)
    give(team, name, 2, 25)
    assert give(team, name, 1, 100).status_code == 200
    pointer = team.table().pointers["production", name]
    assert (pointer["version"], shares(pointer)) == (1, [])
    again = give(team, name, 1, 100).json()
    assert again["commit"] == ""  # it was there already


def test_what_makes_no_sense_is_refused(team):
    name = "shares/no"
    two_versions(team, name)
    team.save(name, "Third")
    assert give(team, name, 1, 10).status_code == 422  # everybody gets it already
    assert give(team, "shares/undo", 2, 0).status_code == 422
    assert give(team, "shares/undo", 2, 101).status_code == 422
    team.save("shares/never", "Never live")
    first = give(team, "shares/never", 1, 10)
    assert first.status_code == 422
    assert "Release it to everybody" in first.json()["detail"]
    give(team, name, 2, 10)
    third = give(team, name, 3, 10)
    assert third.status_code == 409
    assert "Finish that or undo it first" in third.json()["detail"]
    assert give(team, "shares/undo", 9, 10).status_code == 404


def test_git_alone_brings_it_back(team, server):
    name = "shares/git"
    two_versions(team, name)
    give(team, name, 2, 30)
    before = team.table()
    dumps = []

    async def rebuild(parts, workspace):
        repository = parts.publisher.repository(workspace.slug)
        for _ in range(2):
            async with parts.database.read() as db:
                dumps.append(await index.dump(db, workspace.id))
            await index.reindex(parts.database, repository, workspace.id)

    beside(server.settings, "clinic", rebuild)
    assert dumps[0] == dumps[1]
    assert "'share': 3000" in dumps[0]
    assert team.table().pointers == before.pointers


def test_a_rename_takes_the_shares_along(team, server):
    two_versions(team, "shares/here")
    give(team, "shares/here", 2, 30)

    async def rename(parts, workspace):
        await versions.rename(
            parts.publisher, workspace, "shares/here", "shares/there", actor=OPERATOR
        )

    beside(server.settings, "clinic", rename)
    assert shares(team.table().pointers["production", "shares/there"]) == [(2, 3000), (1, 7000)]


def test_the_file_says_it_and_older_readers_read_the_larger_share(team, server):
    name = "shares/git"
    pointer = team.table().pointers["production", name]
    file = deploy_file.Pointer(
        prompt=pointer["id"], version=1, blob="b", hash="h", commit="c", by="Ana",
        at=deploy_file._instant("2026-05-03T10:00:00Z"), why="x",
        beside=deploy_file.Beside(
            version=2, share=3000, first=True, blob="b2", hash="h2", commit="c2"
        ),
    )  # fmt: skip
    data = deploy_file.serialise(file)
    assert deploy_file.parse(data) == file
    assert data.startswith(f'prompt: "{pointer["id"]}"\nversion: 1\n'.encode())
    assert file.newcomer == (2, "b2")
    for wrong in (b"share: 9000", b"share: 0", b"share: x", b"share: 3000000000000"):
        assert deploy_file.parse(data.replace(b"share: 3000", wrong)).beside is None
    assert json.dumps(shares(pointer)) == "[[2, 3000], [1, 7000]]"


def test_people_begin_watch_and_finish_it_on_the_pages(team, server):
    name = "shares/pages"
    two_versions(team, name)
    path = f"/clinic/release/production/{name}"
    form = {"version": "2", "expected": "1", "reason": "Careful"}
    with signed_in(server) as ben:
        assert "10 % first" in ben.get(f"{path}?version=2").text
        assert post(ben, path, **form, share="101").status_code == 422
        offered = post(ben, path, **form, share="10", action="propose")
        assert (offered.status_code, "goes to everybody" in offered.text) == (422, True)
        assert post(ben, path, **form, share="10").status_code == 303
        page = seen(ben.get(f"/clinic/prompts/{name}"))
        assert "In production, v2 goes to 10 % and v1 to the others" in page
        assert "Give v2 to all" in page
        assert "v2 to 10 %, v1 to the others" in seen(ben.get(f"/clinic/history/{name}"))
        assert post(ben, path, **form | {"reason": "More"}, share="75").status_code == 303
        assert shares(team.table().pointers["production", name]) == [(2, 7500), (1, 2500)]
        assert "75 % first" in ben.get(f"{path}?version=2").text
        ben.headers["Referer"] = f"{server.url}/clinic/use/{name}"  # who watches stays there
        done = post(ben, path, version="1", expected="2", reason="Worse than it looked")
        assert (done.status_code, done.headers["location"]) == (303, f"/clinic/use/{name}")
        pointer = team.table().pointers["production", name]
        assert (pointer["version"], shares(pointer)) == (1, [])
        assert "goes to" not in seen(ben.get(f"/clinic/prompts/{name}"))
    with signed_in(server, "carla") as carla:
        assert "10 % first" not in carla.get(f"{path}?version=2").text


def test_programs_that_serve_either_version_are_in_step(team, server):
    name = "shares/used"
    two_versions(team, name)
    give(team, name, 2, 20)
    uses = [
        {"name": name, "label": "production", "version": version, "source": "stream", "calls": 5}
        for version in (1, 2)
    ]
    body = {"app": "bot", "instance": "shares-used", "seconds": 60, "prompts": uses}
    assert team.http.post("/api/v1/usage", json=body).status_code == 202
    with signed_in(server) as ben:
        until(lambda: "bot" in seen(ben.get(f"/clinic/use-now/{name}")))
        page = ben.get(f"/clinic/use-now/{name}")
        assert (
            "v2 to 20 %, v1 to the others. The one process that runs serves one of the two."
            in seen(page)
        )
        assert "production is elsewhere now" not in page.text
        assert "yes 10 0" in seen(page)  # calls of both
        assert "Live v1" in seen(page)
        assert "Live v2" in seen(page)

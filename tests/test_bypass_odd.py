"""Ways round review, C and D: names, labels, methods, numbers and digests that only look right."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, unquote

import pytest
from sqlalchemy import select

from hub.front import Front
from hub.people import rules
from hub.registry.models import Label
from hub.registry.review import proposals
from hub.registry.review.models import Review
from tests.cast import BASE, Browser, Cast
from tests.doors import PROMPT, Doors, commands_reach, open_doors
from tests.offered import set_rules, text

DOCUMENT = {"messages": [{"role": "system", "content": "Evil"}]}
FILE = "messages:\n  - role: system\n    content: Evil\n"


@pytest.fixture
async def doors(
    hub: Front, cast: Cast, client: Browser, maria: Browser, ana: Browser, ben: Browser,
    mallory: Browser, monkeypatch: pytest.MonkeyPatch,
) -> Doors:  # fmt: skip
    commands_reach(client, monkeypatch)
    people = {"maria": maria, "ana": ana, "ben": ben, "mallory": mallory}
    return await open_doors(hub, cast, client, people, hub.state.settings.data)


# --- C: a twin of a ruled name -------------------------------------------------------------------

TWINS = [
    "Clinical/triage", "clinical//triage", "clinical/./triage", "free/../clinical/triage",
    "clinical/triage/", "/clinical/triage", "clinical%2Ftriage", "clinical\\triage",
    "clinical /triage", "clinical\u200b/triage", "сlinical/triage", "clinical/triage.",
    "ｃlinical/triage", "clinical／triage", "clinical/triage\0", "clinical/triage.prompt",
    "clinical/trıage", "clinical.git/triage", "clinical/\u202etriage", "clinicaĺ/triage",
]  # fmt: skip


@pytest.mark.parametrize("name", TWINS)
async def test_a_twin_of_a_ruled_name_is_no_name_or_is_ruled(doors: Doors, name: str):
    before = doors.git()
    for body in (DOCUMENT, FILE):
        path = f"versions/{quote(name, safe='/%')}"
        await doors.api("ben", "POST", path, {"document": body, "base": None})
    await doors.form("ben", "new", name=name, title="N", text="Evil")
    for place in ("rename", "duplicate"):
        await doors.form("ben", f"{place}/free/letter", new_name=name, name=name)
    item = {"name": name, "kind": "create", "document": DOCUMENT}
    await doors.api("ben", "POST", "proposals", {"title": "T", "items": [item]})
    await doors.api(
        "ben", "PUT", "releases", {"moves": [{"label": "production", "name": name, "version": 2}]}
    )
    assert doors.git() == before
    assert (await revisions(doors)) <= {"refs/proposals/1/1", "refs/proposals/2/1"}


async def revisions(doors: Doors) -> set[str]:
    repository = doors.hub.state.publisher.repository(doors.cast.workspace.slug)
    return set(repository.refs("refs/proposals/"))


@pytest.mark.parametrize("name", ["clinical-x/a", "clinicals/a", "clinical.x/a", "my/clinical/a"])
async def test_a_folder_of_a_longer_name_is_another_folder(doors: Doors, name: str):
    said = await doors.api("ben", "POST", f"versions/{name}", {"document": DOCUMENT, "base": None})
    assert '"version":1' in said


async def test_a_deeper_folder_is_ruled_too_and_the_deepest_rule_counts(doors: Doors):
    deep = rules.Rule(kind="change", folder="clinical/notes", approvals=0)
    deeper = rules.Rule(kind="change", folder="clinical/notes/ward")
    rule = rules.Rule(kind="change", folder="clinical")
    await set_rules(doors.hub.state.database, doors.cast.workspace.id, rule, deep, deeper)
    for name, works in (
        ("clinical/a/b/c/d", False), ("clinical/notes/a", True), ("clinical/notes/ward/a", False),
        ("clinical/notesx", False), ("clinical/notes", False),
    ):  # fmt: skip
        body = {"document": DOCUMENT, "base": None}
        said = await doors.api("ben", "POST", f"versions/{name}", body)
        assert ('"version":1' in said) == works, name


# --- D: a twin of a ruled label ------------------------------------------------------------------

LABELS = [
    "Production", "PRODUCTION", "production%20", "production.", "production%00", "pr%C3%B6duction",
    "рroduction", "production%2Fx", "..%2Fproduction", "latest", "production\u200b", "prod uction",
]  # fmt: skip


@pytest.mark.parametrize("label", LABELS)
async def test_a_twin_of_a_ruled_label_is_no_label(doors: Doors, label: str):
    before, plain = doors.git(), unquote(label)
    await doors.api("ben", "PUT", f"labels/{label}/{PROMPT}", {"version": 2})
    moves = [{"label": plain, "name": PROMPT, "version": 2}]
    await doors.api("ben", "PUT", "releases", {"moves": moves, "reason": "x"})
    await doors.form("ben", f"release/{label}/{PROMPT}", version="2", expected="", reason="Now")
    item = {"name": PROMPT, "kind": "release", "version": 2}
    await doors.api("ben", "POST", "proposals", {"title": "T", "items": [item], "target": plain})
    assert doors.git() == before
    assert await revisions(doors) == {"refs/proposals/1/1"}


# --- methods, numbers, digests, keys -------------------------------------------------------------


@pytest.mark.parametrize("header", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
async def test_a_request_is_what_its_method_says(doors: Doors, header: str):
    before = doors.git()
    for method in ("GET", "POST", "HEAD"):
        headers = {"Authorization": f"Bearer {doors.keys['maria']}", header: "DELETE"}
        where = "/api/v1/prompts/free/letter"
        answer = await doors.client.request(method, where, headers=headers)
        assert answer.status_code in (200, 404, 405)
    for where in ("delete/free/letter", "proposals/1/merge", "restore/1/free/letter"):
        query = f"?_method=POST&digest={doors.offered.digest}"
        page = f"/clinic/{where}{query}"
        answer = await doors.browsers["maria"].get(page, headers={header: "POST"})
        assert answer.status_code in (200, 404, 405)
    assert doors.git() == before


@pytest.mark.parametrize("who", ["mallory", "rival"])
async def test_numbers_and_digests_of_another_workspace_open_nothing(doors: Doors, who: str):
    before, digest = doors.git(), doors.offered.digest
    given = {"digest": digest, "verdict": "approve"}
    if who == "mallory":
        for where, form in (("review", given), ("merge", given), ("withdraw", {})):
            for slug in ("clinic", "rival"):
                answer = await doors.browsers[who].post_form(f"/{slug}/proposals/1/{where}", form)
                assert answer.status_code == 404
    else:
        for where, body in (("merge", {"digest": digest}), ("revisions", {"items": []})):
            said = await doors.api(who, "POST", f"proposals/1/{where}", body)
            assert "no proposal 1" in said or "1 to 100" in said
        check = {"digest": digest, "name": "ci", "state": "pass"}
        assert "by machines" in await doors.api(who, "POST", "proposals/1/checks", check)
    assert doors.git() == before
    async with doors.hub.state.database.read() as db:
        assert not list(await db.scalars(select(Review)))


async def test_a_digest_opens_only_the_revision_it_names(doors: Doors):
    """B: of an older revision, of another proposal, half of one, in capitals, or none."""
    old = doors.offered.digest
    wanted = proposals.Wanted(kind="create", name="free/new", document=text("Good"))
    other = await proposals.propose(
        doors.hub.state.publisher, doors.hub.state.database, doors.cast.workspace,
        actor=doors.actor("ana"), title="Another", why="", items=[wanted],
    )  # fmt: skip
    await doors.form("maria", "proposals/1/review", digest=old, verdict="approve")
    item = {"name": PROMPT, "kind": "change", "document": {"messages": [
        {"role": "system", "content": "Really evil"}]}}  # fmt: skip
    await doors.api("ben", "POST", "proposals/1/revisions", {"items": [item]})
    before = doors.git()
    for digest in (old, other.digest, old[:32], old.upper(), "", "0" * 64, "null"):
        given = {"digest": digest, "verdict": "approve"}
        await doors.form("ben", "proposals/1/merge", digest=digest)
        await doors.form("maria", "proposals/1/review", **given)
        await doors.api("maria", "POST", "proposals/1/reviews", given)
        await doors.api("ben", "POST", "proposals/1/merge", {"digest": digest})
        await doors.command("maria", "approve", "1", f"--digest={digest}")
        await doors.command("ben", "merge", "1", f"--digest={digest}")
    assert doors.git() == before
    async with doors.hub.state.database.read() as db:
        assert len(list(await db.scalars(select(Review)))) == 1


async def test_a_request_sent_twice_is_not_another_request(doors: Doors):
    """A key that was used for something allowed opens nothing else, for nobody."""
    key = {"Idempotency-Key": "k"}
    body = {"document": DOCUMENT, "base": None}
    assert '"version":1' in await doors.api("ben", "POST", "versions/free/new", body, **key)
    before = doors.git()
    move: Any = {"moves": [{"label": "production", "name": PROMPT, "version": 2}]}
    for who in ("ben", "app", "maria"):
        for method, path, given in (
            ("POST", "versions/clinical/new", body),
            ("PUT", "releases", move),
            ("POST", "proposals/1/merge", {"digest": doors.offered.digest}),
        ):
            assert '"status":4' in await doors.api(who, method, path, given, **key)
    assert doors.git() == before


async def test_no_form_without_its_token_and_from_elsewhere(doors: Doors):
    before = doors.git()
    await doors.form("maria", "proposals/1/review", digest=doors.offered.digest, verdict="approve")
    merge: Any = {"digest": doors.offered.digest}
    ben = doors.browsers["ben"]
    token = await ben.token()
    where = "/clinic/proposals/1/merge"
    for form, headers in (
        (merge, {"Origin": BASE}),
        (merge | {"_csrf_token": "0" * 64}, {"Origin": BASE}),
        (merge | {"_csrf_token": token}, {"Origin": "https://evil.test"}),
        (merge | {"_csrf_token": token}, {"Sec-Fetch-Site": "cross-site"}),
    ):
        assert (await ben.post(where, data=form, headers=headers)).status_code == 403
    assert doors.git() == before


async def test_a_label_comes_along_under_no_other_rule(doors: Doors):
    """D: live without rules elsewhere, and then carried, or put back, under the rules."""
    database, place = doors.hub.state.database, doors.cast.workspace
    await doors.save("free/a", text("Evil"))
    release = "release/production/free/a"
    await doors.form("ben", release, version="1", expected="", reason="Now")
    before = doors.git()
    await set_rules(database, place.id, rules.Rule(kind="release", folder="clinical"))
    assert "one approval" in await doors.form("ben", "rename/free/a", new_name="clinical/a")
    assert doors.git() == before
    async with database.read() as db:
        rows = await db.scalars(select(Label).where(Label.workspace_id == place.id))
        assert {(row.label, row.version) for row in rows} == {("staging", 1), ("production", 1)}

"""Ways round review, C and D: names, labels, methods, numbers and digests that only look right."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, unquote

import pytest
import pytest_asyncio
from sqlalchemy import func, select

from hub.people.rules import Rule
from hub.registry.review.models import Review
from tests.bench_of_review import change, create
from tests.cast import BASE
from tests.doors import PROMPT, Doors, open_doors
from tests.over_doors import bench_in
from tests.rest_door import Api, House, Refused

DOCUMENT = {"messages": [{"role": "system", "content": "Evil"}]}
FILE = "messages:\n  - role: system\n    content: Evil\n"


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def doors(house: House) -> Doors:
    return await open_doors(house)


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


@pytest.mark.parametrize("name", ["clinical-x/a", "clinicals/a", "clinical.x/a", "my/clinical/a"])
async def test_a_folder_of_a_longer_name_is_another_folder(doors: Doors, name: str):
    """And a save there is a save."""
    said = await doors.api("ben", "POST", f"versions/{name}", {"document": DOCUMENT, "base": None})
    assert '"version":1' in said


async def test_a_deeper_folder_is_ruled_too_and_the_deepest_rule_counts(house: House):
    doors = await open_doors(house)
    deep = Rule(kind="change", folder="clinical/notes", approvals=0)
    deeper = Rule(kind="change", folder="clinical/notes/ward")
    await doors.bench.rule(Rule(kind="change", folder="clinical"), deep, deeper)
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
    before, before_revisions, plain = doors.git(), revisions(doors), unquote(label)
    await doors.api("ben", "PUT", f"labels/{label}/{PROMPT}", {"version": 2})
    moves = [{"label": plain, "name": PROMPT, "version": 2}]
    await doors.api("ben", "PUT", "releases", {"moves": moves, "reason": "x"})
    await doors.form("ben", f"release/{label}/{PROMPT}", version="2", expected="", reason="Now")
    item = {"name": PROMPT, "kind": "release", "version": 2}
    await doors.api("ben", "POST", "proposals", {"title": "T", "items": [item], "target": plain})
    assert doors.git() == before
    assert before_revisions == revisions(doors)


def revisions(doors: Doors) -> set[str]:
    return set(doors.bench.repository.refs("refs/proposals/"))


# --- methods, numbers, digests, keys -------------------------------------------------------------


@pytest.mark.parametrize("header", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
async def test_a_request_is_what_its_method_says(doors: Doors, header: str):
    before = doors.git()
    for method in ("GET", "POST", "HEAD"):
        headers = {"Authorization": f"Bearer {doors.keys['maria']}", header: "DELETE"}
        where = "/api/v1/prompts/free/letter"
        answer = await doors.bench.house.nobody.request(method, where, headers=headers)
        assert answer.status_code in (200, 404, 405)
    for where in ("delete/free/letter", "proposals/1/merge", "restore/1/free/letter"):
        query = f"?_method=POST&digest={doors.offered.digest}"
        page = f"{doors.here}/{where}{query}"
        answer = await doors.browsers["maria"].get(page, headers={header: "POST"})
        assert answer.status_code in (200, 303, 404)
    assert doors.git() == before


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rival(house: House) -> Api:
    """The workspace of Mallory, who is nobody in the clinic."""
    bench = await bench_in(house, "api")
    await bench.joins("mallory", "Mallory", "mallory@example.org", "admin")
    await bench.bot("spy", maker="mallory")
    await bench.bot("checker", maker="mallory", scope="checks")
    return bench


async def test_the_pages_of_another_workspace_open_nothing(doors: Doors, rival: Api):
    before, given = doors.git(), {"digest": doors.offered.digest, "verdict": "approve"}
    for where, form in (("review", given), ("merge", given), ("withdraw", {})):
        for place in (doors.here, f"/{rival.workspace.slug}"):
            page = f"{place}/proposals/1/{where}"
            answer = await rival.house.browsers["mallory"].post_form(page, form)
            assert answer.status_code == 404
    assert doors.git() == before
    assert await words(doors) == 0


@pytest.mark.parametrize("who", ["mallory", "spy", "checker"])
async def test_nor_do_the_keys_of_one(doors: Doors, rival: Api, who: str):
    before, digest = doors.git(), doors.offered.digest
    check = {"digest": digest, "name": "ci", "state": "pass"}
    for where, body in (
        ("merge", {"digest": digest}), ("revisions", {"items": []}), ("checks", check),
        ("reviews", {"digest": digest, "verdict": "approve"}),
    ):  # fmt: skip
        with pytest.raises(Refused, match=r"no proposal 1|1 to 100|by machines|cannot"):
            await rival.ask(who, "POST", f"proposals/1/{where}", body)
    assert doors.git() == before
    assert await words(doors) == 0


async def words(doors: Doors) -> int:
    async with doors.bench.database.read() as db:
        here = Review.workspace_id == doors.bench.workspace.id
        return await db.scalar(select(func.count()).select_from(Review).where(here)) or 0


async def test_a_digest_opens_only_the_revision_it_names(house: House):
    """B: of an older revision, of another proposal, half of one, in capitals, or none."""
    doors = await open_doors(house)
    old = doors.offered
    other = await doors.bench.propose(create("free/new", "Good"))
    await doors.bench.review(old, "maria")
    await doors.bench.revise(1, change(PROMPT, "Really evil"), by="ben")
    before, its = doors.git(), old.digest
    for digest in (its, other.digest, its[:32], its.upper(), "", "0" * 64, "null"):
        given = {"digest": digest, "verdict": "approve"}
        await doors.form("ben", "proposals/1/merge", digest=digest)
        await doors.form("maria", "proposals/1/review", **given)
        await doors.api("maria", "POST", "proposals/1/reviews", given)
        await doors.api("ben", "POST", "proposals/1/merge", {"digest": digest})
        await doors.command("maria", "approve", "1", f"--digest={digest}")
        await doors.command("ben", "merge", "1", f"--digest={digest}")
    assert doors.git() == before
    assert await words(doors) == 1


async def test_a_request_sent_twice_is_not_another_request(house: House):
    """A key that was used for something allowed opens nothing else, for nobody."""
    doors = await open_doors(house)
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


async def test_no_form_without_its_token_and_from_elsewhere(house: House):
    doors = await open_doors(house)
    before = doors.git()
    await doors.bench.review(doors.offered, "maria")
    merge: Any = {"digest": doors.offered.digest}
    ben = doors.browsers["ben"]
    token = await ben.token()
    where = f"{doors.here}/proposals/1/merge"
    for form, headers in (
        (merge, {"Origin": BASE}),
        (merge | {"_csrf_token": "0" * 64}, {"Origin": BASE}),
        (merge | {"_csrf_token": token}, {"Origin": "https://evil.test"}),
        (merge | {"_csrf_token": token}, {"Sec-Fetch-Site": "cross-site"}),
    ):
        assert (await ben.post(where, data=form, headers=headers)).status_code == 403
    assert doors.git() == before


async def test_a_label_comes_along_under_no_other_rule(house: House):
    """D: live without rules elsewhere, and then carried, or put back, under the rules."""
    doors = await open_doors(house)
    bench = doors.bench
    await bench.save("free/a", "Evil", actor=bench.people["ben"])
    await bench.move("free/a", 1, by="ben")
    before = doors.git()
    await bench.rule(Rule(kind="release", folder="clinical"))
    assert "one approval" in await doors.form("ben", "rename/free/a", new_name="clinical/a")
    assert doors.git() == before
    assert await bench.live("free/a") == 1

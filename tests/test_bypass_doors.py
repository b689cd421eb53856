"""Ways round review, A1–A2, C and D: one attempt, over every door that there is.

Each attempt leaves git where it was, and says why in a sentence.
"""

from __future__ import annotations

from typing import Any

import pytest
import pytest_asyncio

from tests.doors import PROMPT, UNREVIEWED, Deed, Doors, open_doors
from tests.rest_door import House

EVIL = {"messages": [{"role": "system", "content": "Evil"}]}
FILE = "messages:\n  - role: system\n    content: Evil\n"
OWN = "somebody else has to approve it"
LACKS = " approval"
MAY_NOT = "cannot"


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def doors(house: House) -> Doors:
    return await open_doors(house)


def put(form: str, who: str = "ben", **fields: str) -> Deed:
    return lambda doors: doors.form(who, form, **fields)


def ask(method: str, path: str, body: Any = None, who: str = "ben", **headers: str) -> Deed:
    return lambda doors: doors.api(who, method, path, body, **headers)


async def editor(doors: Doors) -> str:
    from tests.test_writing import editor as filled

    page = await doors.browsers["ben"].get(f"{doors.here}/prompts/{PROMPT}")
    form = filled(page.text, "Evil", action="save", message="Because")
    said = await doors.form("ben", f"prompts/{PROMPT}", **form)
    return said + await doors.form("ben", f"prompts/{PROMPT}", **form)


async def imported(doors: Doors) -> str:
    folder = doors.data / "import" / "clinical"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "triage.prompt.yml").write_text(FILE)
    return await doors.operator("import", str(folder.parent))


async def imported_below(doors: Doors) -> str:
    folder = doors.data / "other"
    folder.mkdir(exist_ok=True)
    (folder / "new.prompt.yml").write_text(FILE)
    return await doors.operator("import", str(folder), "--folder", "clinical/deep/")


DIRECT: dict[str, Deed] = {
    "a new prompt, form": put("new", name="clinical/new", title="N", text="Evil"),
    "a new version, editor": editor,
    "rename in, form": put("rename/free/letter", new_name="clinical/letter"),
    "rename out, form": put(f"rename/{PROMPT}", new_name="free/triage"),
    "duplicate in, form": put(f"duplicate/{PROMPT}", new_name="clinical/two"),
    "delete, form": put(f"delete/{PROMPT}", reason="Away", name=PROMPT),
    "bring back, form": put("undelete/clinical/gone"),
    "restore, form": put(f"restore/1/{PROMPT}"),
    "a new version, API": lambda doors: doors.api(
        "ben", "POST", f"versions/{PROMPT}", {"document": EVIL, "base": doors.hash}
    ),
    "a new version, an app's key": lambda doors: doors.api(
        "app", "POST", f"versions/{PROMPT}", {"document": EVIL, "base": doors.hash}
    ),
    "a new prompt, API": ask("POST", "versions/clinical/new", {"document": EVIL, "base": None}),
    "delete, API": ask("DELETE", f"prompts/{PROMPT}"),
}


@pytest.mark.parametrize("way", DIRECT)
async def test_nothing_is_written_into_a_ruled_folder_directly(doors: Doors, way: str):
    before = doors.git()
    assert UNREVIEWED in await DIRECT[way](doors)
    assert doors.git() == before


@pytest.mark.parametrize("deed", [imported, imported_below])
async def test_what_is_imported_into_a_ruled_folder_is_proposed(doors: Doors, deed: Deed):
    before = doors.git()
    known = await doors.api("ben", "GET", "proposals")
    assert await deed(doors) == ""
    assert doors.git() == before
    assert await doors.api("ben", "GET", "proposals") != known


def move(**more: Any) -> dict[str, Any]:
    return {"label": "production", "name": PROMPT, "version": 2} | more


SEVERAL = {
    "to.production": "1", "to.staging": "1", f"pick.{PROMPT}": "1", f"version.{PROMPT}": "2",
    "pick.free/letter": "1", "version.free/letter": "1",
}  # fmt: skip
RELEASES: dict[str, Deed] = {
    "form": put(f"release/production/{PROMPT}", version="2", expected="", reason="Now"),
    "form, with another": put("release-several", reason="Now", **SEVERAL),
    "form, with another, broken glass": put(
        "release-several", reason="Now", broke_glass="Now!", **SEVERAL
    ),
    "API": ask("PUT", f"labels/production/{PROMPT}", {"version": 2}),
    "API, several": ask("PUT", "releases", {"moves": [move(), move(label="staging")]}),
    "API, an app's key": ask("PUT", f"labels/production/{PROMPT}", {"version": 2}, who="app"),
    "API, broken glass": ask("PUT", "releases", {"moves": [move()], "break_glass": "Now!"}),
    "API, an app breaks glass": ask(
        "PUT", "releases", {"moves": [move()], "break_glass": "Now!"}, who="app"
    ),
    "command": lambda doors: doors.command(
        "ben", "release", "production", f"{PROMPT}@2", "--reason", "Now"
    ),
    "command, broken glass": lambda doors: doors.command(
        "ben", "release", "production", f"{PROMPT}@2", "--reason", "x", "--break-glass", "Now!"
    ),
    "form, broken glass": put(
        f"release/production/{PROMPT}", version="2", expected="", reason="Now", broke_glass="Now!"
    ),
}  # fmt: skip


@pytest.mark.parametrize("way", RELEASES)
async def test_no_label_moves_without_the_approvals_it_needs(doors: Doors, way: str):
    """D: one step or many, form, API or command; Ben wrote it, and glass is Maria's to break."""
    before = doors.git()
    said = await RELEASES[way](doors)
    assert doors.git() == before
    assert "two approvals from reviewers" in said or "Only an administrator" in said


async def test_an_administrator_needs_a_second_person_too(doors: Doors):
    before = doors.git()
    for who in ("maria", "ben"):
        said = await doors.api(who, "PUT", f"labels/production/{PROMPT}", {"version": 2})
        assert LACKS in said
    assert doors.git() == before


def word(doors: Doors, **more: str) -> dict[str, str]:
    return {"digest": doors.offered.digest, "verdict": "approve"} | more


APPROVES: dict[str, Deed] = {
    "form": lambda doors: doors.form("ben", "proposals/1/review", **word(doors)),
    "API, own key": lambda doors: doors.api("ben", "POST", "proposals/1/reviews", word(doors)),
    "command": lambda doors: doors.command(
        "ben", "approve", "1", "--digest", doors.offered.digest
    ),
    "API, an app's key": lambda doors: doors.api(
        "app", "POST", "proposals/1/reviews", word(doors)
    ),
    "command, an app's key": lambda doors: doors.command(
        "app", "approve", "1", "--digest", doors.offered.digest
    ),
}  # fmt: skip


def merging(doors: Doors, **more: Any) -> dict[str, Any]:
    return {"digest": doors.offered.digest} | more


MERGES: dict[str, Deed] = {
    "form": lambda doors: doors.form("ben", "proposals/1/merge", **merging(doors)),
    "form, with the release": lambda doors: doors.form(
        "ben", "proposals/1/merge", **merging(doors, release="yes", reason="Now")
    ),
    "form, broken glass": lambda doors: doors.form(
        "ben", "proposals/1/merge", **merging(doors, broke_glass="Now!")
    ),
    "API": lambda doors: doors.api("ben", "POST", "proposals/1/merge", merging(doors)),
    "API, broken glass": lambda doors: doors.api(
        "ben", "POST", "proposals/1/merge", merging(doors, break_glass="Now!", release=True)
    ),
    "API, an app's key": lambda doors: doors.api(
        "app", "POST", "proposals/1/merge", merging(doors, break_glass="Now!")
    ),
    "command": lambda doors: doors.command("ben", "merge", "1", "--digest", doors.offered.digest),
    "command, broken glass": lambda doors: doors.command(
        "ben", "merge", "1", "--digest", doors.offered.digest, "--break-glass", "Now!"
    ),
}  # fmt: skip


@pytest.mark.parametrize("way", APPROVES)
async def test_nobody_approves_their_own_proposal_nor_does_an_app(doors: Doors, way: str):
    """A1, A2. And if the word got in, it would not count."""
    said = await APPROVES[way](doors)
    assert OWN in said or MAY_NOT in said
    before = doors.git()
    assert LACKS in await MERGES["API"](doors)
    assert doors.git() == before


@pytest.mark.parametrize("way", MERGES)
async def test_nothing_is_merged_without_its_approvals(doors: Doors, way: str):
    before = doors.git()
    said = await MERGES[way](doors)
    assert "one approval from reviewers" in said or "Only an administrator" in said
    assert doors.git() == before


@pytest.mark.parametrize("way", MERGES)
async def test_with_its_approvals_every_door_merges(house: House, way: str):
    """So the attempts above failed for want of an approval, not of a door."""
    doors = await open_doors(house)
    before = doors.git()
    await doors.form("maria", "proposals/1/review", **word(doors))
    said = await MERGES[way](doors)
    if "release" in way or way == "API, broken glass":  # it needs two for production
        assert LACKS in said
        assert doors.git() == before
    else:
        assert doors.git()["refs/heads/main"] != before["refs/heads/main"]
        assert doors.git()["refs/heads/deploy"] == before["refs/heads/deploy"]

"""Ways round review, B: what an approved text includes is changed outside the ruled folder.

An approved prompt says `{% include "snips/a@1" %}`. Versions never change, so the way round would
be to let the name `snips/a` pass to another prompt.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from hub.db import Database, now
from hub.errors import Conflict
from hub.people.rules import Rule
from hub.registry import snippets, versions
from hub.registry.models import Content, Version
from hub.registry.review import proposals
from tests.bench_of_review import Bench, change, create, make_bench
from tests.cast import on_both_engines
from tests.shelf import all_of, saying

CLINICAL = Rule(kind="change", folder="clinical")
PIN = '{% include "snips/a@1" %}'
ESCAPED = '{% include "snips\\x2fa@1" %}'
KEPT = "include it by that name"


@pytest.fixture
async def bench(database: Database, tmp_path: Path) -> Bench:
    made = await make_bench(database, tmp_path)
    await made.save("snips/first", "Good")  # its version 1 had another name: the pin goes by name
    await renamed(made, "snips/first", "snips/a")
    await made.save("free/evil", "Evil")
    await made.rule(CLINICAL)
    return made


async def renamed(bench: Bench, old: str, new: str) -> None:
    await versions.rename(bench.publisher, bench.workspace, old, new, actor=bench.ana)


async def says(bench: Bench, name: str) -> str:
    """What the latest version includes, as apps are served it."""
    async with bench.database.read() as db:
        query = select(Version).where(Version.name == name).order_by(Version.number.desc())
        version = (await db.scalars(query)).first()
        assert version is not None
        held = (bench.workspace.id, version.hash)
        raw = (await db.get_one(Content, held)).document
        found = await snippets.texts_for(db, bench.workspace.id, raw, version.created_at)
    return " ".join(found.values())


async def take_over(bench: Bench, how: str, at: timedelta) -> None:
    """Give the name to another prompt, by every door that gives names."""
    later: dict[str, Any] = {"at": now() + at}
    if how == "save":
        await bench.save("snips/a", "Evil", **later)
    elif how == "import":
        await versions.save_many(
            bench.publisher, bench.workspace, [("snips/a", saying("Evil"))], actor=bench.ana,
            message="", **later,
        )  # fmt: skip
    elif how == "rename":
        await renamed(bench, "free/evil", "snips/a")
    elif how == "propose new":
        await bench.merge(await bench.propose(create("snips/a", "Evil")))
    else:
        wanted = proposals.Wanted(kind="rename", name="free/evil", new_name="snips/a")
        await bench.merge(await bench.propose(wanted))


HOW = ("save", "import", "rename", "propose new", "propose rename")


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("pin", [PIN, ESCAPED])
async def test_a_name_that_an_approved_text_includes_never_passes_on(
    bench: Bench, how: str, pin: str
):
    made = await bench.propose(create("clinical/x", pin))
    await bench.review(made, "ben")
    await renamed(bench, "snips/a", "snips/old")
    with pytest.raises(Conflict, match=KEPT):  # the proposal is open
        await take_over(bench, how, timedelta(seconds=1))
    await bench.merge(made, at=now() + timedelta(seconds=2))
    with pytest.raises(Conflict, match=KEPT):  # it is merged
        await take_over(bench, how, timedelta(seconds=1))
    assert await says(bench, "clinical/x") == "Good"


@on_both_engines
async def test_nor_after_the_snippet_was_deleted_nor_while_the_proposal_is_away(bench: Bench):
    made = await bench.propose(create("clinical/x", PIN))
    await bench.review(made, "ben")
    place = (bench.database, bench.workspace, made.number)
    await proposals.withdraw(*place, actor=bench.ana)
    await versions.delete(bench.publisher, bench.workspace, "snips/a", actor=bench.ana)
    for how in HOW:
        with pytest.raises(Conflict, match=KEPT):
            await take_over(bench, how, timedelta(seconds=1))
    await proposals.reopen(*place, actor=bench.ana)
    await bench.merge(made)
    assert await says(bench, "clinical/x") == "Good"
    await bench.assert_rebuilds()


async def test_nor_in_one_and_the_same_moment(bench: Bench):
    """Merged, renamed away and taken over at once: the writer settles all three in one go."""
    made = await bench.propose(create("clinical/x", PIN))
    await bench.review(made, "ben")
    merged, _, taken = await all_of(
        bench.merge(made),
        renamed(bench, "snips/a", "snips/old"),
        take_over(bench, "save", timedelta()),
    )
    assert isinstance(merged, proposals.Merged)
    assert isinstance(taken, Conflict)
    assert await says(bench, "clinical/x") == "Good"


async def test_a_newer_text_of_the_snippet_changes_nothing(bench: Bench):
    made = await bench.propose(create("clinical/x", PIN))
    await bench.review(made, "ben")
    await bench.save("snips/a", "Evil", base=(await bench.head("snips/a"))[1])
    await bench.merge(made)
    assert await says(bench, "clinical/x") == "Good"
    newer = await bench.propose(change("clinical/x", PIN.replace("@1", "@2")))
    with pytest.raises(proposals.NeedsReview):
        await bench.merge(newer)


async def test_its_own_old_name_and_names_that_nobody_includes_are_free(bench: Bench):
    await bench.merge(await bench.propose(create("free/x", PIN)))
    await renamed(bench, "snips/a", "snips/old")
    await renamed(bench, "snips/old", "snips/a")
    assert await says(bench, "free/x") == "Good"
    await renamed(bench, "free/evil", "free/other")
    await bench.save("free/evil", "Another prompt of a name that was left")

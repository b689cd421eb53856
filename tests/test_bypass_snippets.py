"""Ways round review, B: what an approved text includes is changed outside the ruled folder.

An approved prompt says `{% include "snips/a@1" %}`. Versions never change, so the way round would
be to let the name `snips/a` pass to another prompt.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import pytest_asyncio
from sqlalchemy import select

from hub.people.rules import Rule
from hub.registry.models import Content, Version
from hub.registry.reading import snippets
from hub.registry.review import proposals
from tests.bench_of_review import change, create
from tests.over_doors import over
from tests.rest_door import Api, Refused, refused
from tests.shelf import all_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

CLINICAL = Rule(kind="change", folder="clinical")
PIN = '{% include "snips/a@1" %}'
ESCAPED = '{% include "snips\\x2fa@1" %}'
KEPT = "include it by that name"


@pytest_asyncio.fixture(loop_scope="module")
async def shelf(bench: Api) -> Api:
    """Its version 1 had another name: the pin goes by name."""
    await bench.save("snips/first", "Good")
    await bench.rename("snips/first", "snips/a")
    await bench.save("free/evil", "Evil")
    await bench.rule(CLINICAL)
    return bench


async def says(bench: Api, name: str) -> str:
    """What the latest version includes, as apps are served it."""
    async with bench.database.read() as db:
        here = Version.workspace_id == bench.workspace.id
        query = select(Version).where(here, Version.name == name).order_by(Version.number.desc())
        version = (await db.scalars(query)).first()
        assert version is not None
        held = (bench.workspace.id, version.hash)
        raw = (await db.get_one(Content, held)).document
        found = await snippets.texts_for(db, bench.workspace.id, raw, version.created_at)
    return " ".join(found.values())


async def by_name(bench: Api) -> None:
    await bench.rename("free/evil", "snips/a")


async def by_proposing(bench: Api) -> None:
    await bench.merge(await bench.propose(create("snips/a", "Evil")))


async def by_proposing_a_rename(bench: Api) -> None:
    wanted = proposals.Wanted(kind="rename", name="free/evil", new_name="snips/a")
    await bench.merge(await bench.propose(wanted))


async def by_saving(bench: Api) -> None:
    if bench.door == "form":
        await bench.form("ana", "new", name="snips/a", title="", text="Evil")
    else:
        await bench.save("snips/a", "Evil")


async def by_importing(bench: Api) -> None:
    await bench.import_("snips/a", "Evil")


Deed = Callable[[Api], Awaitable[None]]
WAYS: dict[str, tuple[Deed, ...]] = {
    "form": (by_saving, by_name, by_proposing, by_proposing_a_rename),
    "api": (by_saving, by_proposing, by_proposing_a_rename, by_importing),
    "command": (by_proposing,),
    "git": (by_proposing, by_proposing_a_rename),
}
"""Every way to give the name to another prompt, over each door."""


async def nobody_takes_over(shelf: Api) -> None:
    for deed in WAYS[shelf.door]:  # the command takes the old name for the prompt that had it
        await refused(deed(shelf), KEPT if shelf.door != "command" else None)


@over()
@pytest.mark.parametrize("pin", [PIN, ESCAPED])
async def test_a_name_that_an_approved_text_includes_never_passes_on(shelf: Api, pin: str):
    made = await shelf.propose(create("clinical/x", pin))
    await shelf.review(made, "ben")
    await shelf.rename("snips/a", "snips/old")
    await nobody_takes_over(shelf)  # the proposal is open
    await shelf.merge(made)
    await nobody_takes_over(shelf)  # it is merged
    assert await says(shelf, "clinical/x") == "Good"


@over("form", "api", "git")
async def test_nor_after_the_snippet_was_deleted_nor_while_the_proposal_is_away(shelf: Api):
    made = await shelf.propose(create("clinical/x", PIN))
    await shelf.review(made, "ben")
    await shelf.close(made.number, "withdraw", "ana")
    await shelf.delete("snips/a")
    await nobody_takes_over(shelf)
    await shelf.close(made.number, "reopen", "ana")
    await shelf.merge(made)
    assert await says(shelf, "clinical/x") == "Good"
    await shelf.assert_rebuilds()


async def test_nor_in_one_and_the_same_moment(shelf: Api):
    """Merged, renamed away and taken over at once: the writer settles all three in one go."""
    made = await shelf.propose(create("clinical/x", PIN))
    await shelf.review(made, "ben")
    merged, _, taken = await all_of(
        shelf.merge(made),
        shelf.rename("snips/a", "snips/old"),
        by_saving(shelf),
    )
    assert isinstance(merged, proposals.Merged)
    assert isinstance(taken, Refused)
    assert await says(shelf, "clinical/x") == "Good"


async def test_a_newer_text_of_the_snippet_changes_nothing(shelf: Api):
    made = await shelf.propose(create("clinical/x", PIN))
    await shelf.review(made, "ben")
    await shelf.save("snips/a", "Evil", base=(await shelf.head("snips/a"))[1])
    await shelf.merge(made)
    assert await says(shelf, "clinical/x") == "Good"
    newer = await shelf.propose(change("clinical/x", PIN.replace("@1", "@2")))
    await refused(shelf.merge(newer), "one approval")


async def test_its_own_old_name_and_names_that_nobody_includes_are_free(shelf: Api):
    await shelf.merge(await shelf.propose(create("free/x", PIN)))
    await shelf.rename("snips/a", "snips/old")
    await shelf.rename("snips/old", "snips/a")
    assert await says(shelf, "free/x") == "Good"
    await shelf.rename("free/evil", "free/other")
    await shelf.save("free/evil", "Another prompt of a name that was left")

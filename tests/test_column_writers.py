"""Nobody approves their own words because somebody else pressed *Propose* under their column."""

from __future__ import annotations

from typing import Any

from hub.people.rules import Rule
from hub.registry.reading import catalog
from hub.registry.review import record
from tests.cast import on_both_engines
from tests.offered import set_rules
from tests.test_answers import compare, offered
from tests.test_column_taken_over import ran
from tests.test_grid import acme, fake, settings, triage

__all__ = ["acme", "fake", "offered", "settings", "triage"]

BENS = "Co-authored-by: Ben Carter <ben@example.org>"
TYPED = {
    "role": "user", "content": "Ben's: {{ complaint }}", "origin": "0", "message_name": "",
    "revision": "0",
}  # fmt: skip
FIELDS = {"title": "Clearer", "why": "Heard", "into": "new"}


async def proposed(hub: Any, cast: Any, number: int) -> Any:
    async with hub.state.database.read() as db:
        return await record.get(db, cast.workspace.id, number)


async def says(hub: Any, cast: Any, who: Any, number: int) -> str:
    """What becomes of an approval; empty: it was given."""
    view = await proposed(hub, cast, number)
    form = {"verdict": "approve", "digest": view.digest, "revision": str(view.revision)}
    answer = await who.post_form(f"/clinic/proposals/{number}/review", form | {"body": ""})
    return "" if answer.status_code == 303 else answer.text


@on_both_engines
async def test_who_wrote_the_draft_of_a_column_is_an_author_whoever_proposes_it(
    hub: Any, cast: Any, ben: Any, ana: Any, carla: Any, maria: Any, acme: Any, triage: Any
):
    await set_rules(hub.state.database, cast.workspace.id, Rule(kind="change", folder="support"))
    await ben.send_form("PUT", "/clinic/draft/support/triage", TYPED)
    address = await ran(ben, acme, "shout", source=["draft"])
    once_more = (await ana.post_form(f"{address}/again", {})).headers["location"]
    for number, here in enumerate((address, once_more), 1):
        done = await carla.post_form(f"{here}/column/0/propose", FIELDS)
        assert done.headers["location"] == f"/clinic/proposals/{number}"
        assert (await proposed(hub, cast, number)).why == f"Heard\n\n{BENS}"
        assert "somebody else has to approve it" in await says(hub, cast, ben, number)
        assert await says(hub, cast, maria, number) == ""


async def test_a_version_of_somebody_elses_draft_says_whose_words_it_has(
    hub: Any, cast: Any, ben: Any, ana: Any, acme: Any, triage: Any
):
    await ben.send_form("PUT", "/clinic/draft/support/triage", TYPED)
    address = await ran(ben, acme, "shout", source=["draft"])
    await ana.post_form(f"{address}/column/0/save", {"message": "Heard"})
    async with hub.state.database.read() as db:
        made = await catalog.version(db, cast.workspace.id, "support/triage")
    assert (made.number, made.author) == (2, "Ana Oliveira")
    assert made.message == f"Heard\n\n{BENS}"


async def test_one_s_own_draft_is_one_s_own(hub: Any, cast: Any, ben: Any, acme: Any, triage: Any):
    await ben.send_form("PUT", "/clinic/draft/support/triage", TYPED)
    address = await ran(ben, acme, "shout", source=["draft"])
    await ben.post_form(f"{address}/column/0/propose", FIELDS)
    assert (await proposed(hub, cast, 1)).why == "Heard"


async def test_what_a_proposal_says_is_its_writers_in_the_next_one_too(
    hub: Any, cast: Any, maria: Any, carla: Any, offered: Any
):
    page = await compare(hub, maria)
    grid = page.text.split("/clinic/grid/")[1].split('"')[0].split("/")[0]
    column = 1
    done = await carla.post_form(f"/clinic/grid/{grid}/column/{column}/propose", FIELDS)
    assert done.headers["location"] == "/clinic/proposals/2"
    said = (await proposed(hub, cast, 2)).why
    assert said == "Heard\n\nCo-authored-by: Ana Oliveira <ana@example.org>"

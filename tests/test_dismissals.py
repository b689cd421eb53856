"""Nobody is rid of a request for a change unseen: it stands until whoever asked is content or takes
it back, or an administrator who wrote nothing of the proposal dismisses it, with a reason for good.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import select

from hub.people.models import Account, AuditEntry
from hub.people.rules import Rule
from hub.registry.review.models import Review
from hub.registry.review.telling import Happened, tell
from tests.bench_of_review import create
from tests.governing import promote, remove, set_group, set_role, set_rules
from tests.over_doors import Command, Form, over
from tests.rest_door import Api, refused

pytestmark = pytest.mark.asyncio(loop_scope="module")
ASKED = "Ben asked for a change"
WHY = "Ben has left;\nDora has read it anew."


async def dismiss(bench: Api, number: int, by: str = "maria", why: str = WHY, **more: Any) -> None:
    """What Ben asked for."""
    review = more.get("review") or await latest(bench, number)
    if isinstance(bench, Form):
        await bench.form(by, f"proposals/{number}/dismiss/{review}", reason=why)
    elif isinstance(bench, Command):
        await bench.command(by, "dismiss", str(number), "ben@example.org", f"--reason={why}")
    else:
        path = f"proposals/{number}/reviews/{review}/dismiss"
        await bench.ask(by, "POST", path, {"reason": why})


async def latest(bench: Api, number: int) -> int:
    async with bench.database.read() as db:
        mine = (Review.number == number, Review.workspace_id == bench.workspace.id,
                Review.account_id == bench.house.ids["ben"])  # fmt: skip
        return (await db.scalars(select(Review.id).where(*mine).order_by(-Review.id))).first() or 0


async def asked(bench: Api, *, who: tuple[str, ...] = ("role:reviewer",)) -> Any:
    """A proposal that Dora approved and of which Ben wants something else."""
    await bench.rule(Rule(kind="change", folder="clinical", who=who))
    made = await bench.propose(create("clinical/a", "One"))
    await bench.review(made, "ben", verdict="changes", body="Say please")
    await bench.review(made, "dora")
    await refused(bench.merge(made, by="dora"), ASKED)
    return made


# ── ways to be rid of it ────────────────────────────────────────────────────────────────────────


async def demote(bench: Api, _: int) -> None:
    await set_role(bench, "maria", "ben", "viewer")


async def put_out(bench: Api, _: int) -> None:
    await remove(bench, "maria", "ben")


async def out_of_the_group(bench: Api, group: int) -> None:
    await set_group(bench, "maria", group, "dora")


async def others_count(bench: Api, _: int) -> None:
    dora = f"person:{bench.house.ids['dora']}"
    await set_rules(bench, "maria", Rule(kind="change", folder="clinical", who=(dora,)))


async def name_them_an_author(bench: Api, _: int) -> None:
    """Ana writes that Ben wrote with her."""
    text = create("clinical/a", "Two")
    made = await bench.revise(1, text, message="More\n\nCo-authored-by: Ben <ben@example.org>")
    await bench.review(made, "dora")


Deed = Callable[[Api, int], Awaitable[None]]
DEEDS: list[Deed] = [demote, put_out, out_of_the_group, others_count, name_them_an_author]


@over("form", "api", "command")
@pytest.mark.parametrize("deed", DEEDS)
async def test_it_stands_whatever_becomes_of_whoever_asked(bench: Api, deed: Deed):
    group = await bench.group("Leads", "ben", "dora")
    counts = f"group:{group}" if deed is out_of_the_group else "role:reviewer"
    made = await asked(bench, who=(counts,))
    await deed(bench, group)
    made = await bench.latest(made.number)
    await refused(bench.merge(made, by="dora"), ASKED)
    await dismiss(bench, made.number)
    await bench.merge(made, by="dora")
    assert await bench.state(made.number) == "merged"


async def test_whom_the_rules_do_not_count_is_not_in_the_way(bench: Api):
    await bench.rule(Rule(kind="change", who=(f"person:{bench.house.ids['dora']}",)))
    made = await bench.propose(create("clinical/a", "One"))
    await bench.review(made, "ben", verdict="changes")
    await bench.review(made, "dora")
    await bench.merge(made, by="dora")


@over("form", "api", "command")
async def test_where_no_rule_asks_whoever_could_merge_it_is_in_the_way(bench: Api):
    made = await bench.propose(create("clinical/a", "One"))
    await bench.review(made, "carla", verdict="changes", body="Shorter")
    carla, here = bench.house.browsers["carla"], f"/{bench.workspace.slug}/proposals/{made.number}"
    assert "your word does not count here" in (await carla.get(here)).text
    assert "it can be merged all the same" in (await carla.get(f"{here}/ask")).text
    assert "nothing is merged" in (await bench.house.browsers["ben"].get(f"{here}/ask")).text
    await bench.review(made, "ben", verdict="changes", body="Say please")
    await refused(bench.merge(made, by="dora"), ASKED)
    made = await bench.revise(made.number, create("clinical/a", "One, please"))
    await refused(bench.merge(made, by="ana"), ASKED)
    await demote(bench, 0)
    await refused(bench.merge(made, by="ana"), ASKED)
    await dismiss(bench, made.number)
    await bench.merge(made, by="ana")
    assert await bench.state(made.number) == "merged"


@over("form", "api")
async def test_whose_word_counts_no_more_takes_it_back(bench: Api):
    made = await asked(bench)
    await demote(bench, 0)
    page = await bench.house.browsers["ben"].get(f"/{bench.workspace.slug}/proposals/1")
    assert "Take back my word" in page.text
    await bench.review(made, "ben", verdict="none")
    await bench.merge(made, by="dora")


# ── dismissed ───────────────────────────────────────────────────────────────────────────────────


@over("form", "api", "command")
async def test_only_an_administrator_who_wrote_nothing_dismisses_it_saying_why(bench: Api):
    made = await asked(bench)
    for who in ("ana", "ben", "dora", "carla"):
        await refused(dismiss(bench, made.number, who))
    await refused(dismiss(bench, made.number, why=" \n "), "Say why")
    await promote(bench, "ana")
    await refused(dismiss(bench, made.number, "ana"), "another administrator has to dismiss")
    await refused(bench.merge(made, by="dora"), ASKED)
    await dismiss(bench, made.number)
    await refused(dismiss(bench, made.number))
    await bench.merge(made, by="dora")


async def test_one_does_not_dismiss_what_one_asked_for_nor_what_was_not_read(bench: Api):
    made = await asked(bench)
    old = await latest(bench, made.number)
    await promote(bench, "ben")
    await refused(dismiss(bench, made.number, "ben"), "take your word back")
    await bench.review(made, "ben", verdict="changes", body="And thank you")
    await refused(dismiss(bench, made.number, review=old), "said something else since")
    await refused(dismiss(bench, made.number, review=10**9), "no such request")
    other = await bench.propose(create("clinical/b", "One"))
    mine = await latest(bench, made.number)
    await refused(dismiss(bench, other.number, review=mine), "no such request")
    await dismiss(bench, made.number)
    await bench.review(made, "ben", verdict="changes", body="I meant it")
    await refused(bench.merge(made, by="dora"), ASKED)
    await bench.close(made.number, "withdraw", "ana")
    await refused(dismiss(bench, made.number), "withdrawn")


async def test_it_is_on_the_page_in_the_log_and_told_for_good(bench: Api):
    made = await asked(bench)
    maria, carla = (bench.house.browsers[who] for who in ("maria", "carla"))
    here = f"/{bench.workspace.slug}/proposals/{made.number}"
    mine = f"{here}/dismiss/{await latest(bench, made.number)}"
    assert mine in (await maria.get(here)).text
    assert "/dismiss/" not in (await carla.get(here)).text
    assert "Say please" in (await maria.get(mine)).text
    await dismiss(bench, made.number)
    found = await bench.ask("carla", "GET", f"proposals/{made.number}")
    word = next(one for one in found["words"] if one["name"] == "Ben")
    assert (word["verdict"], word["in_the_way"], word["dismissed"]) == ("changes", False, True)
    await bench.review(made, "ben")
    await bench.merge(made, by="dora")
    for tab in ("", "/talk", "/revisions"):
        page = (await carla.get(f"{here}{tab}")).text
        assert "Maria dismissed what Ben asked for" in page
        assert WHY in page
        assert "Say please" in page
    async with bench.database.read() as db:
        row = (await db.scalars(select(AuditEntry).where(
            AuditEntry.workspace_id == bench.workspace.id, AuditEntry.action == "review.dismissed",
        ))).one()  # fmt: skip
        name = (await db.get_one(Account, bench.house.ids["maria"])).email
    assert name in row.actor
    assert (row.detail["reason"], row.detail["asked_by"]) == (WHY, "Ben")


async def test_whoever_asked_and_whoever_wrote_hear_of_it(bench: Api):
    made = await asked(bench)
    await dismiss(bench, made.number)
    payload = {"number": made.number, "account_id": bench.house.ids["maria"], "asked_by": "Ben"}
    event = Happened(
        id=1, workspace_id=bench.workspace.id, kind="review.dismissed", subject="", payload=payload
    )
    told = await bench.database.read_at_once(lambda db: tell(db, event))
    assert {one.account_id for one in told} >= {bench.house.ids[who] for who in ("ana", "ben")}
    assert told[0].text == "Maria dismissed what Ben asked for of “Say it better”."

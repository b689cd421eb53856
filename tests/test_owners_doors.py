"""One rule for the whole workspace, asked of whoever owns the folder: from a proposal to its merge,
behind each door; who is asked and told; and that nobody makes themselves an owner."""

from __future__ import annotations

import asyncio

import pytest
from click.testing import CliRunner

from hub import cli
from hub.people.rules import Owners, Rule
from hub.registry.review import offering
from hub.registry.review.drawing import Wanted
from hub.registry.review.queue import awaited
from hub.registry.review.telling import Happened, tell
from tests.bench_of_review import create
from tests.governing import agree, delete_group, force, promote, set_group, set_rules
from tests.over_doors import over
from tests.rest_door import Api, refused

pytestmark = pytest.mark.asyncio(loop_scope="module")
RULE = Rule(kind="change", who=("owners",))
LEADS = r"one approval from Clinical Leads \(they own clinical/\)"
DESK = r"one approval from Help Desk \(they own support/\)"


def owning(leads: int, desk: int) -> tuple[Owners, ...]:
    return (
        Owners(folder="clinical", who=(f"group:{leads}",)),
        Owners(folder="support", who=(f"group:{desk}",)),
    )


async def owned(bench: Api, *, needs: int = 0) -> tuple[int, int]:
    """Dora owns clinical/, Ben support/; the groups."""
    desk = await bench.group("Help Desk", "ben")
    leads = await bench.group("Clinical Leads", "dora")
    await set_rules(bench, "maria", RULE, needs=needs, owners=owning(leads, desk))
    return leads, desk


async def waits(bench: Api, who: str) -> list[int]:
    id = bench.people[who].account_id or 0
    return await bench.database.read_at_once(lambda db: awaited(db, bench.workspace.id, id))


@over("form", "api", "command", "git")
async def test_only_the_word_of_those_who_own_the_folder_counts(bench: Api):
    await bench.import_("other/a", "So that there is a branch to push to")
    await owned(bench)
    made = await bench.propose(create("clinical/a", "One"))
    await refused(bench.merge(made), LEADS)
    await bench.review(made, "ben", "maria")
    await refused(bench.merge(made), LEADS)
    await bench.review(made, "dora")
    await bench.merge(made)
    assert await bench.state(made.number) == "merged"


@over("api", "git")
async def test_a_proposal_over_two_folders_needs_both_owners(bench: Api):
    await bench.import_("other/a", "So that there is a branch to push to")
    await owned(bench)
    made = await bench.propose(create("clinical/a", "One"), create("support/a", "Two"))
    await refused(bench.merge(made), f"{LEADS}.*{DESK}")
    await bench.review(made, "dora")
    await refused(bench.merge(made), DESK)
    assert [await waits(bench, who) for who in ("ben", "dora")] == [[made.number], []]
    await bench.review(made, "ben")
    await bench.merge(made)


@over("form", "api", "git")
async def test_from_one_folder_to_another_needs_both_owners(bench: Api):
    await bench.import_("support/a", "One")
    await owned(bench)
    base = (await bench.head("support/a"))[1]
    away = Wanted(kind="rename", name="support/a", new_name="clinical/a", base=base)
    made = await bench.propose(away)
    await bench.review(made, "ben")
    await refused(bench.merge(made), LEADS)
    await bench.review(made, "dora")
    await bench.merge(made)
    await bench.head("clinical/a")


@over("form", "api")
async def test_who_owns_it_no_more_counts_no_more(bench: Api):
    leads, desk = await owned(bench)
    made = await bench.propose(create("clinical/a", "One"))
    await bench.review(made, "dora")
    await set_group(bench, "maria", leads, "maria")
    await refused(bench.merge(made), LEADS)
    await set_rules(bench, "maria", RULE, owners=owning(desk, leads))
    await refused(bench.merge(made), r"Help Desk \(they own clinical/\)")
    await bench.review(made, "ben")
    await bench.merge(made)


@over("form", "api", "command")
async def test_where_nobody_owns_administrators_are_asked(bench: Api):
    await owned(bench)
    made = await bench.propose(create("legal/a", "One"))
    await bench.review(made, "ben", "dora")
    await refused(bench.merge(made), r"administrators \(nobody owns the folder\)")
    await bench.review(made, "maria")
    await bench.merge(made)


async def test_nothing_is_saved_past_the_owners(bench: Api):
    await bench.import_("clinical/a", "One")
    await owned(bench)
    number, base = await bench.head("clinical/a")
    await refused(bench.save("clinical/a", "Two", base), "need review by Clinical Leads")
    assert (await bench.head("clinical/a"))[0] == number


@over("form", "api", "command")
async def test_only_the_owners_move_a_label_where_the_rule_says_so(bench: Api):
    await bench.import_("clinical/a", "One")
    desk, leads = await bench.group("Help Desk", "ben"), await bench.group("Leads", "dora")
    rule = Rule(kind="release", label="production", approvals=0, may_release=("owners",))
    await set_rules(bench, "maria", rule, owners=owning(leads, desk))
    await refused(bench.move("clinical/a", 1, by="ben"), r"Only Leads \(they own clinical/\)")
    await bench.move("clinical/a", 1, by="dora")
    assert await bench.live("clinical/a") == 1


# ── who is asked, and who is told ───────────────────────────────────────────────────────────────


async def test_it_waits_for_the_owners_is_told_to_them_and_offers_them(bench: Api):
    await owned(bench)
    made = await bench.propose(create("clinical/a", "One"))
    assert [await waits(bench, who) for who in ("dora", "ben", "maria")] == [[made.number], [], []]
    other = await bench.propose(create("legal/a", "One"))
    assert [await waits(bench, who) for who in ("dora", "maria")] == [[made.number], [other.number]]
    payload = {"number": made.number, "account_id": bench.ana.account_id}
    event = Happened(
        id=1, workspace_id=bench.workspace.id, kind="proposal.opened", subject="", payload=payload
    )
    told = await bench.database.read_at_once(lambda db: tell(db, event))
    assert [one.account_id for one in told] == [bench.people["dora"].account_id]
    async with bench.database.read() as db:
        offered = await offering.reviewers_for(
            db, bench.workspace.id, bench.ana, ["clinical/a", "support/a"]
        )
    assert [one.name for one in offered if one.counts] == ["Ben", "Dora"]
    page = await bench.house.browsers["ana"].get(f"/{bench.workspace.slug}/proposals/{made.number}")
    assert "Waiting for one approval from Clinical Leads (they own clinical/)." in page.text


# ── the owners themselves ───────────────────────────────────────────────────────────────────────


@over("form", "api", "command")
@pytest.mark.parametrize("who", ["ana", "ben"])
async def test_nobody_makes_themselves_an_owner(bench: Api, who: str):
    leads, desk = await owned(bench)
    me = bench.people[who].account_id
    before = await force(bench)
    mine = (Owners(folder="clinical", who=(f"person:{me}",)), *owning(leads, desk)[1:])
    for owners in (mine, owning(desk, leads), ()):
        await refused(set_rules(bench, who, RULE, owners=owners))
    await refused(set_group(bench, who, leads, "dora", who))
    assert await force(bench) == before


@over("form", "api", "command")
async def test_where_the_rules_are_guarded_so_are_the_owners(bench: Api):
    await promote(bench, "carla")
    leads, desk = await owned(bench, needs=1)
    before = await force(bench)
    made = await bench.propose(create("clinical/a", "One"))
    mine = Owners(folder="clinical", who=("role:admin",))
    for owners in ((*owning(leads, desk)[1:], mine), owning(leads, desk)[1:]):
        await set_rules(bench, "maria", RULE, needs=1, owners=owners)
        await refused(agree(bench, "maria"), "another administrator")
        assert await force(bench) == before
        await agree(bench, "carla", decline=True)
    await set_group(bench, "maria", leads, "dora", "maria")
    await refused(delete_group(bench, "maria", leads), "“Clinical Leads” owns clinical/")
    await bench.review(made, "maria")
    await refused(bench.merge(made), LEADS)
    await agree(bench, "carla")
    await bench.merge(made)


async def test_owners_are_of_this_workspace(bench: Api):
    for who, said in (("group:7777777", "not here"), ("person:7777777", "not a member"),
                      ("owners", "nobody a rule can name"), ("Nobody", "is nobody")):  # fmt: skip
        body = {"folder": "clinical", "who": [who]}
        await refused(bench.ask("maria", "PUT", "policy/owners", body), said)


async def test_they_are_said_and_taken_back_over_rest_and_from_a_terminal(bench: Api):
    await bench.group("Help Desk", "ben")
    rule = {"kind": "change", "who": ["owners"]}
    await bench.ask("maria", "POST", "policy/rules", {"rule": rule})
    body = {"folder": "/clinical/", "who": ["dora@example.org"], "why": "She leads"}
    assert (await bench.ask("maria", "PUT", "policy/owners", body))["accepted"]
    own = ["own", "--folder=clinical", "--who=help desk", "--who=reviewers"]
    await bench.command("maria", "rules", *own)
    found = await bench.ask("carla", "GET", "policy")
    assert found["sentences"][1] == "clinical/ is owned by Help Desk and reviewers."
    assert [one["folder"] for one in found["policy"]["owners"]] == ["clinical"]
    (newest, older, *_) = (await bench.ask("ana", "GET", "policy/changes"))["items"]
    assert newest["removed"] == older["added"] == ["clinical/ is owned by Dora."]
    assert newest["added"] == ["clinical/ is owned by Help Desk and reviewers."]
    assert older["why"] == "She leads"

    await bench.command("maria", "rules", "add", "release", "--label=production")
    await bench.command("maria", "rules", "change", "change", "--approvals=2")
    await bench.command("maria", "rules", "remove", "release", "--label=production")
    await promote(bench, "dora")
    await bench.command("maria", "rules", "guard", "1")
    assert (await force(bench)).owners, "what changes rules leaves the owners alone"
    slug, data = bench.workspace.slug, str(bench.house.folder / "data")
    words = ["rules", "unlock", "--data", data, "--workspace", slug, "--because", "Gone"]
    done = await asyncio.to_thread(CliRunner().invoke, cli.prompthub, words)
    assert done.exit_code == 0, done.output
    kept = await force(bench)
    assert (len(kept.owners), kept.change_needs) == (1, 0)
    await refused(bench.ask("maria", "DELETE", "policy/owners?folder=support"), "no owners")
    await bench.command("maria", "rules", "disown", "--folder=clinical")
    assert (await force(bench)).owners == ()

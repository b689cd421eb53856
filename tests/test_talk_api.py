"""The talk on a proposal, who is asked, what main brings, and later releases: over REST."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hub.db import now
from hub.people.rules import Rule
from hub.registry.review.proposals import Wanted
from tests.bench_of_review import change
from tests.over_doors import over
from tests.rest_door import Api, refused
from tests.shelf import saying

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_remark_is_answered_settled_and_follows_its_words(bench: Api):
    await bench.save("clinical/a", "Ask for the name. Be kind.")
    made = await bench.propose(change("clinical/a", "Ask for the full name. Be kind."))
    where = f"proposals/{made.number}/comments"
    on = {"name": "clinical/a", "place": "messages/0", "quote": "full name"}
    first = await bench.ask("ben", "POST", where, {"body": "Really?"} | on)
    await bench.ask("ana", "POST", where, {"body": "Yes.", "parent": first["id"]})
    await bench.revise(made.number, change("clinical/a", "Be kind. Ask for the full name."))
    (thread,) = (await bench.ask("carla", "GET", where))["items"]
    assert (thread["name"], thread["state"], thread["start"]) == ("clinical/a", "here", 21)
    assert [(one["author"], one["body"]) for one in thread["said"]] == [
        ("Ben", "Really?"), ("Ana", "Yes."),
    ]  # fmt: skip
    await bench.ask("ana", "POST", f"{where}/{first['id']}/resolve", {})
    assert (await bench.ask("ben", "GET", where))["items"][0]["resolved_by"] == "Ana"
    await bench.ask("ben", "POST", f"{where}/{first['id']}/resolve", {"resolved": False})
    assert (await bench.ask("ben", "GET", where))["items"][0]["resolved_by"] is None


async def test_who_is_asked_and_who_follows(bench: Api):
    await bench.save("clinical/a", "One")
    await bench.propose(change("clinical/a", "Two"))
    asked = {"reviewers": ["dora@example.org"]}
    told = await bench.ask("ana", "POST", "proposals/1/reviewers", asked)
    assert [(one["name"], one["requested"]) for one in told["words"]] == [("Dora", True)]
    with_stranger = {"reviewers": ["eve@elsewhere.org"]}
    await refused(bench.ask("ana", "POST", "proposals/1/reviewers", with_stranger), "not a member")
    await refused(bench.ask("carla", "POST", "proposals/1/reviewers", asked), "they choose")
    for follow in (True, False):
        await bench.ask("carla", "POST", "proposals/1/follow", {"follow": follow})
    bot = await bench.bot()
    await refused(bench.ask(bot, "POST", "proposals/1/follow", {}), "Only a person")


async def test_it_is_brought_up_to_date_or_says_that_a_person_must_choose(bench: Api):
    one = await bench.save("clinical/a", "One")
    made = await bench.propose(change("clinical/a", "Two", one.hash))
    await bench.save("free/x", "One")
    same = await bench.ask("ana", "POST", f"proposals/{made.number}/rebase")
    assert same["revision"] == 1
    wanted = Wanted(kind="change", name="clinical/a", document=saying("One", description="More"))
    other = await bench.propose(wanted)
    await bench.merge(other)
    newer = await bench.ask("ana", "POST", f"proposals/{made.number}/rebase")
    assert (newer["revision"], newer["mergeable"]) == (2, "clean")
    await bench.save("clinical/a", "Three", base=(await bench.head("clinical/a"))[1])
    await refused(bench.ask("ana", "POST", f"proposals/{made.number}/rebase"))


@over("api", "command")
async def test_a_release_is_scheduled_listed_and_cancelled(bench: Api):
    await bench.save("clinical/a", "One", actor=bench.ben)
    await bench.rule(Rule(kind="release", label="production"))
    due = (now() + timedelta(hours=2)).isoformat()
    if bench.door == "command":
        words = ("release", "production", "clinical/a@1", "--reason", "At night", "--at", due)
        await bench.command("dora", *words)
    else:
        moves = [{"label": "production", "name": "clinical/a", "version": 1}]
        body = {"moves": moves, "due": due, "reason": "At night"}
        await bench.ask("dora", "POST", "scheduled", body)
        await refused(bench.ask("ana", "POST", "scheduled", body), "move labels")
        past = body | {"due": "2020-01-01"}
        await refused(bench.ask("dora", "POST", "scheduled", past), "moment to come")
        bot = await bench.bot()
        await refused(bench.ask(bot, "POST", "scheduled", body), "Only a person")
    (waits,) = (await bench.ask("carla", "GET", "scheduled"))["items"]
    assert (waits["by"], waits["reason"], waits["moves"][0]["version"]) == ("Dora", "At night", 1)
    assert await bench.live("clinical/a") is None
    await refused(bench.ask("carla", "DELETE", f"scheduled/{waits['id']}"), "move labels")
    await bench.ask("ben", "DELETE", f"scheduled/{waits['id']}")
    assert (await bench.ask("carla", "GET", "scheduled"))["items"] == []

"""Rules, groups, people and the audit log, over REST and from a terminal, as somebody uses them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from click.testing import CliRunner

from hub import cli
from tests.governing import key, promote
from tests.rest_door import Api, refused

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def said(bench: Api, *words: str, by: str = "maria") -> str:
    """What a command prints."""
    whole = [*words, "--key", bench.tokens[by], "--url", bench.house.url]
    done = await asyncio.to_thread(CliRunner().invoke, cli.prompthub, whole)
    assert done.exit_code == 0, done.output
    return done.output


async def test_rules_are_added_changed_and_taken_out(bench: Api):
    await bench.ask("maria", "POST", "groups", {"name": "Leads", "members": ["ben@example.org"]})
    rule: dict[str, Any] = {"kind": "change", "folder": "clinical", "who": ["leads"]}
    made = await bench.ask("maria", "POST", "policy/rules", {"rule": rule, "why": "Patients"})
    assert made["accepted"]
    found = await bench.ask("carla", "GET", "policy")
    sentence = "Changes under clinical/ need 1 approval from Leads other than the authors."
    assert found["sentences"] == [sentence]
    await refused(bench.ask("maria", "POST", "policy/rules", {"rule": rule}), "already")
    more = rule | {"approvals": 2, "who": ["Reviewers", "ana@example.org"], "checks": ["Evals"]}
    await bench.ask("maria", "PUT", "policy/rules", {"rule": more})
    (kept,) = (await bench.ask("ana", "GET", "policy"))["policy"]["rules"]
    ana = bench.ana.account_id
    assert kept["who"] == ["role:reviewer", f"person:{ana}"]
    assert (kept["approvals"], kept["checks"]) == (2, ["Evals"])
    missing = {"rule": {"kind": "release", "label": "production"}}
    await refused(bench.ask("maria", "PUT", "policy/rules", missing), "no rule about moving")
    await bench.ask("maria", "DELETE", "policy/rules?kind=change&folder=clinical&why=Enough")
    found = await bench.ask("ana", "GET", "policy")
    assert found["sentences"] == [
        "Nothing needs review: whoever may save or release does so at once."
    ]
    changes = (await bench.ask("ana", "GET", "policy/changes"))["items"]
    assert [one["why"] for one in changes] == ["Enough", "", "Patients"]
    assert changes[2]["added"] == [sentence]
    assert {one["by"] for one in changes} == {"Maria"}


@pytest.mark.parametrize(
    ("rule", "match"),
    [
        ({"kind": "change", "who": ["Nobody"]}, "nobody a rule can name"),
        ({"kind": "change", "who": ["mallory@example.org"]}, "not a member"),
        ({"kind": "change", "who": []}, "whose approvals count"),
        ({"kind": "change", "label": "production"}, "Only a rule about releases"),
        ({"kind": "change", "approvals": 11}, "whole number from 0"),
        ({"kind": "change", "approvals": True}, "whole number|must be"),
        ({"kind": "change", "folder": "../x"}, "is not a folder"),
        ({"kind": "save"}, "kind"),
        ({"kind": "change", "who": ["group:7777777"]}, "a group that is not here"),
        ({"kind": "change", "who": ["role:editor"]}, "nobody a rule can name"),
    ],
)
async def test_a_rule_that_cannot_be_is_refused(bench: Api, rule: dict[str, Any], match: str):
    await refused(bench.ask("maria", "POST", "policy/rules", {"rule": rule}), match)


async def test_rules_are_put_upon_those_that_were_looked_at(bench: Api):
    first = await bench.ask("maria", "GET", "policy")
    body = first["policy"] | {"base": first["id"], "why": "Begin"}
    body["rules"] = [{"kind": "change"}]
    made = await bench.ask("maria", "PUT", "policy", body)
    await refused(bench.ask("maria", "PUT", "policy", body), "changed meanwhile")
    found = await bench.ask("maria", "GET", "policy")
    assert found["id"] == made["change"]
    again = found["policy"] | {"base": found["id"]}
    await refused(bench.ask("maria", "PUT", "policy", again), "nothing to change")


async def test_people_come_change_and_go(bench: Api):
    invite = {"email": "Nina@example.org", "name": "Nina", "role": "editor"}
    made = await bench.ask("maria", "POST", "people", invite)
    nina = made["person"]
    assert (nina["email"], nina["role"], nina["waiting"]) == ("nina@example.org", "editor", True)
    token = made["link"].rpartition("/")[2]
    assert (await bench.house.nobody.get(f"/sign-in/{token}")).status_code == 200
    await refused(bench.ask("maria", "POST", "people", invite), "here already")
    where = f"people/{nina['id']}"
    assert (await bench.ask("maria", "PUT", f"{where}/role", {"role": "reviewer"}))["accepted"]
    listed = (await bench.ask("carla", "GET", "people"))["items"]
    assert {one["name"]: one["role"] for one in listed}["Nina"] == "reviewer"
    again = await bench.ask("maria", "POST", f"{where}/link", {})
    assert again["link"] != made["link"]
    await bench.ask("maria", "DELETE", where)
    assert nina["id"] not in [
        one["id"] for one in (await bench.ask("maria", "GET", "people"))["items"]
    ]
    assert (await bench.ask("maria", "POST", f"{where}/back", {}))["role"] == "reviewer"
    mine = f"people/{bench.people['maria'].account_id}"
    await refused(bench.ask("maria", "PUT", f"{mine}/role", {"role": "viewer"}), "your own role")
    for path, body in ((f"{mine}/role", {"role": "viewer", "sure": True}), (mine, None)):
        deed = bench.ask("maria", "PUT" if body else "DELETE", path, body)
        await refused(deed, "last administrator")


async def test_groups_are_filled_renamed_and_deleted(bench: Api):
    made = await bench.ask("maria", "POST", "groups", {"name": "Leads"})
    where = f"groups/{made['id']}"
    change = {"name": "Heads", "add": ["ben@example.org", "ANA@example.org"]}
    assert (await bench.ask("maria", "PUT", where, change))["change"] is None
    await bench.ask("maria", "PUT", where, {"remove": ["ana@example.org"]})
    rule = {"kind": "change", "who": ["Heads"]}
    await bench.ask("maria", "POST", "policy/rules", {"rule": rule})
    (found,) = (await bench.ask("carla", "GET", "groups"))["items"]
    assert (found["name"], found["members"], found["in_rules"]) == (
        "Heads", ["ben@example.org"], True,
    )  # fmt: skip
    await refused(bench.ask("maria", "DELETE", where), "A rule names")
    await bench.ask("maria", "DELETE", "policy/rules?kind=change")
    await bench.ask("maria", "DELETE", where)
    assert (await bench.ask("maria", "GET", "groups"))["items"] == []


async def test_the_log_is_narrowed_down_and_taken_out(bench: Api):
    await bench.ask("maria", "POST", "groups", {"name": "Leads", "members": ["ben@example.org"]})
    await bench.ask("maria", "POST", "policy/rules", {"rule": {"kind": "change"}})
    found = await bench.ask("maria", "GET", "audit?action=group.&who=maria")
    assert [one["action"] for one in found["items"]] == ["group.member-added", "group.made"]
    assert found["next"] is None
    await refused(bench.ask("maria", "GET", "audit?start=yesterday"), "A day is written")
    await refused(bench.ask("ben", "GET", "audit"), "cannot change")
    lines = (await said(bench, "audit", "log", "--jsonl", "--action", "policy.")).splitlines()
    (row,) = [json.loads(line) for line in lines]
    assert (row["action"], row["actor"]) == ("policy.changed", "maria@example.org")
    page = await bench.house.browsers["maria"].get(
        f"/{bench.workspace.slug}/settings/audit.jsonl?action=policy."
    )
    assert page.text.splitlines() == lines
    assert "group.made" in await said(bench, "audit", "log", "--about", "Leads")
    done = await asyncio.to_thread(
        CliRunner().invoke, cli.prompthub,
        ["audit", "log", "--jsonl", "--key", bench.tokens["ben"], "--url", bench.house.url],
    )  # fmt: skip
    assert done.exit_code == 1
    assert "cannot change" in done.output


async def test_from_a_terminal(bench: Api):
    assert "is there" in await said(bench, "groups", "make", "Leads", "--member=ben@example.org")
    add = ("rules", "add", "release", "--label=production", "--who=Leads", "--may-move=Leads")
    assert "in force" in await said(bench, *add, "--why=Patients")
    place = ("rules", "change", "release", "--label=production")
    await said(bench, *place, "--approvals=2", "--check=Evals")
    listed = await said(bench, "rules", "list", by="carla")
    assert "Moving production anywhere needs 2 approvals from Leads" in listed
    assert "the check “Evals” passed; only Leads may move it." in listed
    assert "    release --label production\n" in listed
    assert "(a rule names it)\n    ben@example.org" in await said(bench, "groups", "list")
    assert "/sign-in/" in await said(bench, "people", "invite", "omar@example.org", "--role=viewer")
    assert "omar@example.org is an editor now." in await said(
        bench, "people", "role", "omar@example.org", "editor"
    )
    assert "(has not signed in yet)" in await said(bench, "people", "list", by="carla")
    gone = await said(bench, "people", "remove", "omar@example.org")
    number = gone.partition("back ")[2].partition("`")[0]
    assert "an editor here again" in await said(bench, "people", "back", number)


async def test_what_waits_is_said_and_decided_from_a_terminal(bench: Api):
    await promote(bench, "dora")
    assert "in force" in await said(bench, "rules", "guard", "1")
    waits = await said(bench, "rules", "add", "change", "--folder=clinical")
    assert "until another administrator agrees. Nothing changed yet." in waits
    role = await said(bench, "people", "role", "ana@example.org", "reviewer")
    assert "They become a reviewer once others agree." in role
    changes = await said(bench, "rules", "changes", by="carla")
    assert "+ Ana becomes a reviewer." in changes
    assert "waiting" in changes
    number = waits.partition("change ")[2].partition(" ")[0]
    assert "in force" in await said(bench, "rules", "approve", number, by="dora")
    stale = role.partition("change ")[2].partition(" ")[0]
    assert "stay as they are" in await said(bench, "rules", "decline", stale)
    assert "clinical/" in await said(bench, "rules", "list", by="carla")
    narrow = await key(bench, "dora", "write")
    await refused(bench.command(narrow, "rules", "remove", "change", "--folder=clinical"), "key")

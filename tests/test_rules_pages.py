"""The pages Rules and Groups, through the front door and without JavaScript."""

from __future__ import annotations

import re
from html import unescape

import pytest

from hub.front import Front
from hub.people import rules_form, rules_store
from hub.people.rules import Kept, Owners, Policy, Rule
from tests.cast import Browser, Cast

RULES = "/clinic/settings/rules"
GROUPS = "/clinic/settings/groups"


async def force(hub: Front, cast: Cast) -> rules_store.Loaded:
    return await hub.state.database.read_at_once(lambda db: rules_store.load(db, cast.workspace.id))


def fields(page: str) -> dict[str, str]:
    """What the form of the rules would send, as a browser without JavaScript reads it."""
    form = page[page.index('id="edit"') :]
    found: dict[str, str] = {}
    for tag in re.findall(r"<input[^>]*>", form):
        given = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        if given.get("type") == "checkbox" and " checked" not in tag:
            continue
        if "name" in given and given["name"] != "_csrf_token":
            found[given["name"]] = unescape(given.get("value", ""))
    return found


def shown(page: str) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", page)))


async def press(maria: Browser, form: dict[str, str], do: str) -> tuple[int, str]:
    answer = await maria.post_form(RULES, form | {"do": do})
    if answer.status_code == 303:
        answer = await maria.get(RULES)
    return answer.status_code, answer.text


async def test_everybody_reads_the_rules_and_administrators_change_them(
    maria: Browser, ana: Browser, carla: Browser, mallory: Browser, client: Browser
) -> None:
    for reader in (maria, ana, carla):
        page = (await reader.get(RULES)).text
        assert "Nothing needs review" in page
        assert ("Change the rules" in page) is (reader is maria)
    for reader in (ana, carla):
        assert (await reader.post_form(RULES, {"do": "save", "count": "0"})).status_code == 403
        assert (await reader.post_form(GROUPS, {"name": "Us"})).status_code == 403
        for word in ("approve", "decline"):
            assert (await reader.post_form(f"{RULES}/1/{word}")).status_code == 403
    assert (await mallory.get(RULES)).status_code == 404
    assert (await mallory.post_form(RULES, {"do": "save", "count": "0"})).status_code == 404
    assert (await client.get(RULES)).status_code in (303, 401)


async def test_a_rule_is_added_previewed_and_put_in_force(
    hub: Front, maria: Browser, cast: Cast
) -> None:
    form = fields((await maria.get(RULES)).text)
    _, page = await press(maria, form, "add-change")
    form = fields(page) | {
        "r0-folder": "clinical/", "r0-approvals": "2", "r0-checks": "Variables, eval",
        f"r0-who-person:{cast.account_ids['ben']}": "yes", "why": "Patients read these.",
    }  # fmt: skip
    status, page = await press(maria, form, "preview")
    sentence = (
        "Changes under clinical/ need 2 approvals from reviewers or Ben Carter other than the "
        "authors, and the checks “Variables” and “eval” passed."
    )
    assert status == 200
    assert sentence in shown(page)
    assert "As it will read" in page
    assert (await force(hub, cast)).policy_id is None, "a preview keeps nothing"
    _, page = await press(maria, fields(page) | {"why": form["why"]}, "save")
    assert sentence in shown(page)
    assert "Patients read these." in page
    rule = (await force(hub, cast)).policy.rules[0]
    assert (rule.folder, rule.approvals, rule.checks) == ("clinical", 2, ("Variables", "eval"))
    assert rule.who == ("role:reviewer", f"person:{cast.account_ids['ben']}")

    _, page = await press(maria, fields(page), "remove-0")
    assert "Nothing needs review" in shown(page)
    _, page = await press(maria, fields(page), "save")
    assert (await force(hub, cast)).policy.rules == ()


async def test_owners_of_folders_are_added_changed_and_removed(
    hub: Front, maria: Browser, ben: Browser, cast: Cast
) -> None:
    _, page = await press(maria, fields((await maria.get(RULES)).text), "add-change")
    _, page = await press(maria, fields(page), "add-owners")
    form = fields(page)
    del form["r0-who-role:reviewer"]
    form |= {"r0-who-owners": "yes", "o0-folder": "clinical/"}
    status, page = await press(maria, form, "save")
    assert status == 422
    assert "Say who owns the folder" in shown(page)
    assert fields(page)["o0-folder"] == "clinical/"
    ben_s = f"person:{cast.account_ids['ben']}"
    form |= {f"o0-who-{ben_s}": "yes"}
    sentence = "clinical/ is owned by Ben Carter."
    _, page = await press(maria, form, "preview")
    assert sentence in shown(page[page.index('id="preview"') :])
    _, page = await press(maria, fields(page), "save")
    assert "1 approval from the folder’s owners other than the authors" in shown(page)
    assert sentence in shown((await ben.get(RULES)).text)
    policy = (await force(hub, cast)).policy
    assert policy.owners == (Owners(folder="clinical", who=(ben_s,)),)
    assert policy.rules[0].who == ("owners",)

    _, page = await press(maria, fields(page) | {"o0-folder": ""}, "save")
    assert "Every folder is owned by Ben Carter." in shown(page)
    twice = fields(page) | {"owned": "2", "o1-folder": "", "o1-who-role:admin": "yes"}
    status, page = await press(maria, twice, "save")
    assert status == 422
    assert "are said once" in shown(page)
    for wrong in ("owners", "role:king"):
        status, page = await press(maria, twice | {f"o1-who-{wrong}": "yes"}, "save")
        assert (status, "is nobody" in shown(page)) == (422, True)
    _, page = await press(maria, twice, "disown-0")
    assert fields(page)["owned"] == "1"
    _, page = await press(maria, fields(page) | {"o0-folder": "legal"}, "save")
    (owners,) = (await force(hub, cast)).policy.owners
    assert owners == Owners(folder="legal", who=("role:admin",))
    old = await maria.get(RULES)
    assert "legal/ is owned by administrators." in shown(old.text)
    assert "Where nobody owns the folder" in shown(old.text)


async def test_what_cannot_be_used_is_said_beside_what_was_typed(
    hub: Front, maria: Browser, cast: Cast
) -> None:
    _, page = await press(maria, fields((await maria.get(RULES)).text), "add-release")
    form = fields(page)
    assert form["r0-label"] == "production"
    for name, typed, said in (
        ("r0-approvals", "11", "from 0 to 10"), ("r0-approvals", "-1", "from 0 to 10"),
        ("r0-approvals", "", "from 0 to 10"), ("r0-folder", "../x", "is not a folder"),
        ("r0-label", "<b>", "is not a label"), ("r0-who-role:king", "yes", "is nobody"),
        ("r0-who-group:77", "yes", "a group that is not here"), ("change_needs", "4", "other"),
    ):  # fmt: skip
        status, page = await press(maria, form | {name: typed}, "save")
        assert status == 422
        assert said in shown(page), name
        if not name.startswith("r0-who"):
            assert fields(page)[name] == typed
    assert "<b>" not in page.replace("<b>&lt;", "")
    without = {key: value for key, value in form.items() if "who" not in key}
    assert "tick at least one" in (await press(maria, without, "save"))[1]
    assert (await force(hub, cast)).policy_id is None


async def test_a_form_made_upon_older_rules_is_refused(maria: Browser) -> None:
    old = fields((await maria.get(RULES)).text)
    _, page = await press(maria, old, "add-change")
    await press(maria, fields(page), "save")
    _, page = await press(maria, old, "add-release")
    status, page = await press(maria, fields(page), "save")
    assert status == 422
    assert "changed meanwhile" in page


async def test_a_guarded_change_waits_and_another_administrator_approves(
    hub: Front, maria: Browser, ben: Browser, cast: Cast
) -> None:
    people = "/clinic/settings/people"
    await maria.post_form(f"{people}/{cast.account_ids['ben']}/role", {"role": "admin"})
    _, page = await press(maria, fields((await maria.get(RULES)).text), "add-change")
    await press(maria, fields(page) | {"change_needs": "1"}, "save")
    page = (await maria.get(RULES)).text
    _, page = await press(maria, fields(page) | {"r0-approvals": "0"}, "save")
    assert "A change that waits" in page
    number = re.findall(r'id="change-(\d+)"', page)[0]
    assert "Approve this change" not in page
    assert (await maria.post_form(f"{RULES}/{number}/approve")).status_code == 403
    assert (await force(hub, cast)).policy.rules[0].approvals == 1
    page = (await ben.get(RULES)).text
    assert "Approve this change" in page
    assert "Changes anywhere need no approval." in page
    await ben.post_form(f"{RULES}/{number}/approve")
    assert (await force(hub, cast)).policy.rules[0].approvals == 0
    page = (await ben.get(RULES)).text
    assert "approved by Ben Carter" in page
    again = await ben.post_form(f"{RULES}/{number}/approve")
    assert again.status_code == 303
    assert "decided already" in (await ben.get(RULES)).text
    _, page = await press(ben, fields((await ben.get(RULES)).text) | {"change_needs": "0"}, "save")
    number = re.findall(r'id="change-(\d+)"', page)[0]
    await maria.post_form(f"{RULES}/{number}/decline")
    assert "Declined" in (await maria.get(RULES)).text


async def test_groups_are_made_and_changed_by_ticking(
    hub: Front, maria: Browser, cast: Cast
) -> None:
    ids = cast.account_ids
    made = {"name": "Clinical Leads", f"person-{ids['ben']}": "yes", f"person-{ids['ana']}": "yes"}
    assert (await maria.post_form(GROUPS, made)).status_code == 303
    page = (await maria.get(GROUPS)).text
    assert "Ana Oliveira, Ben Carter" in shown(page)
    number = re.findall(r'id="group-(\d+)"', page)[0]
    again = await maria.post_form(GROUPS, made)
    assert again.status_code == 422
    assert "There is a group called" in again.text
    seen = " ".join(str(ids[who]) for who in ("maria", "ana", "ben"))
    form = {"name": "Leads", "seen": seen, f"person-{ids['carla']}": "yes"}
    await maria.post_form(f"{GROUPS}/{number}", form)
    page = shown((await maria.get(GROUPS)).text)
    assert "Leads Carla Rossi" in page
    partly = {"name": "Leads", "seen": str(ids["ana"])}  # Carla's box was not on that page
    await maria.post_form(f"{GROUPS}/{number}", partly)
    assert "Leads Carla Rossi" in shown((await maria.get(GROUPS)).text)

    _, page = await press(maria, fields((await maria.get(RULES)).text), "add-change")
    await press(maria, fields(page) | {f"r0-who-group:{number}": "yes"}, "save")
    assert "In the rules" in (await maria.get(GROUPS)).text
    await maria.post_form(f"{GROUPS}/{number}/delete")
    assert "Take the group out of the rules" in (await maria.get(GROUPS)).text
    assert (await force(hub, cast)).groups == {int(number): "Leads"}


async def test_a_group_s_page_refuses_strangers(
    maria: Browser, mallory: Browser, cast: Cast
) -> None:
    theirs = {"name": "Theirs", f"person-{cast.account_ids['ben']}": "yes"}
    await mallory.post_form("/rival/settings/groups", theirs)
    page = (await mallory.get("/rival/settings/groups")).text
    assert "Ben Carter" not in page
    number = re.findall(r'id="group-(\d+)"', page)[0]
    for deed in ("", "/delete"):
        answer = await maria.post_form(f"{GROUPS}/{number}{deed}", {"name": "Mine", "seen": ""})
        assert answer.status_code == 404


@pytest.mark.parametrize(
    "rule",
    [
        Rule(kind="change", folder="a/b", approvals=0, checks=("x",)),
        Rule(kind="release", label="production", who=("role:admin", "group:3", "person:12"),
             may_release=("group:10", "group:9")),
    ],
)  # fmt: skip
def test_the_form_gives_back_the_rules_it_was_opened_with(rule: Rule) -> None:
    ordered = rules_form.build(rules_form.of_policy(Policy(rules=(rule,)), 1))
    again = rules_form.build(rules_form.of_policy(ordered, 1))
    assert again == ordered
    assert set(ordered.rules[0].may_release) == set(rule.may_release)
    assert isinstance(Kept(rules=ordered.rules), Policy)

"""Review over REST: from the offer to the release."""

from __future__ import annotations

from typing import Any

from hub.front import Front
from hub.people.policy import Actor
from hub.people.rules import Rule
from hub.registry.review import proposals
from tests.cast import NAMES, ROLES, Browser, Cast, on_both_engines
from tests.offered import set_rules

API = "/api/v1"
CLINICAL = Rule(kind="change", folder="clinical")


def saying(text: str, **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "system", "content": text}], **more}


def person(cast: Cast, who: str) -> Actor:
    return Actor(
        kind="person", name=NAMES[who], email=f"{who}@example.org",
        account_id=cast.account_ids[who], workspace_id=cast.workspace.id, role=ROLES[who],
    )  # fmt: skip


async def save(client: Browser, key: dict[str, str], name: str, text: str) -> str:
    body = {"document": saying(text), "base": None, "message": "Begin"}
    answer = await client.post(f"{API}/versions/{name}", headers=key, json=body)
    return answer.json()["hash"]


async def offer(client: Browser, key: dict[str, str], **more: Any) -> dict[str, Any]:
    item = {"name": "clinical/triage", "document": saying("Sort kindly.")}
    body = {"title": "Say it kindly", "why": "Callers are in pain.", "items": [item]} | more
    answer = await client.post(f"{API}/proposals", headers=key, json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def word(hub: Front, cast: Cast, who: str, made: dict[str, Any], verdict: Any) -> None:
    await proposals.review(
        hub.state.publisher, cast.workspace, made["number"], actor=person(cast, who),
        digest=made["digest"], verdict=verdict, body="Read it twice.",
    )  # fmt: skip


@on_both_engines
async def test_from_the_offer_to_the_release(
    hub: Front, client: Browser, cast: Cast, write_key: dict[str, str], read_key: dict[str, str]
):
    await save(client, write_key, "clinical/triage", "Sort.")
    await set_rules(hub.state.database, cast.workspace.id, CLINICAL)
    made = await offer(client, write_key, target="production", reviewers=["ben@example.org"])
    assert (made["number"], made["revision"], made["created"]) == (1, 1, True)
    assert made["url"].endswith("/clinic/proposals/1")
    one = (await client.get(f"{API}/proposals/1", headers=read_key)).json()
    assert (one["state"], one["allowed"], one["author"]) == ("open", False, "key writer")
    assert one["items"][0]["document"]["messages"][0]["content"] == "Sort kindly."
    assert {check["name"]: check["state"] for check in one["checks"]}["Template"] == "pass"
    diff = (await client.get(f"{API}/proposals/1/diff", headers=read_key)).json()
    assert [piece["text"] for piece in diff["items"][0]["messages"][0]["segments"]]
    merge = {"digest": made["digest"], "release": True, "reason": "Agreed"}
    early = await client.post(f"{API}/proposals/1/merge", headers=write_key, json=merge)
    assert early.status_code == 403, early.text
    assert "approval" in early.json()["detail"]
    await word(hub, cast, "ben", made, "approve")
    merged = await client.post(f"{API}/proposals/1/merge", headers=write_key, json=merge)
    assert (merged.status_code, merged.json()["state"]) == (200, "merged")
    live = await client.get(f"{API}/prompts/clinical/triage?label=production", headers=read_key)
    assert live.json()["document"]["messages"][0]["content"] == "Sort kindly."
    done = (await client.get(f"{API}/proposals?state=merged", headers=read_key)).json()
    assert [line["number"] for line in done["items"]] == [1]


async def test_the_other_doors_say_what_to_do(
    hub: Front, client: Browser, cast: Cast, write_key: dict[str, str]
):
    digest = await save(client, write_key, "clinical/triage", "Sort.")
    await set_rules(hub.state.database, cast.workspace.id, CLINICAL)
    body = {"document": saying("Sort kindly."), "base": digest, "message": "Kinder"}
    answer = await client.post(f"{API}/versions/clinical/triage", headers=write_key, json=body)
    assert answer.status_code == 403
    assert "Propose it" in answer.json()["detail"]


async def test_a_revision_asks_anew(
    hub: Front, client: Browser, cast: Cast, write_key: dict[str, str]
):
    await save(client, write_key, "clinical/triage", "Sort.")
    await set_rules(hub.state.database, cast.workspace.id, CLINICAL)
    made = await offer(client, write_key)
    await word(hub, cast, "ben", made, "approve")
    item = {"name": "clinical/triage", "document": saying("Sort very kindly.")}
    body = {"items": [item], "message": "Kinder", "expected_revision": 1}
    second = await client.post(f"{API}/proposals/1/revisions", headers=write_key, json=body)
    assert (second.status_code, second.json()["revision"]) == (201, 2)
    again = await client.post(f"{API}/proposals/1/revisions", headers=write_key, json=body)
    assert again.status_code == 409, "another has made revision 2 since"
    stale = {"digest": made["digest"]}
    answer = await client.post(f"{API}/proposals/1/merge", headers=write_key, json=stale)
    assert answer.status_code == 409
    one = (await client.get(f"{API}/proposals/1", headers=write_key)).json()
    assert (one["state"], one["words"][0]["current"]) == ("open", False)
    between = f"{API}/proposals/1/diff?from=1&to=2"
    diff = (await client.get(between, headers=write_key)).json()
    texts = "".join(p["text"] for p in diff["items"][0]["messages"][0]["segments"])
    assert "very" in texts


async def test_machines_post_checks_and_required_ones_block(
    hub: Front, client: Browser, cast: Cast, write_key: dict[str, str], check_key: dict[str, str]
):
    rule = Rule(kind="change", folder="clinical", approvals=0, checks=("Evals",))
    await set_rules(hub.state.database, cast.workspace.id, rule)
    item = {"name": "clinical/new", "kind": "create", "document": saying("Sort.")}
    made = await offer(client, write_key, items=[item])
    merge = {"digest": made["digest"]}
    blocked = await client.post(f"{API}/proposals/1/merge", headers=write_key, json=merge)
    assert (blocked.status_code, "Evals" in blocked.json()["detail"]) == (403, True)
    check = {"digest": made["digest"], "name": "Evals", "state": "fail", "summary": "2 of 9"}
    posted = await client.post(f"{API}/proposals/1/checks", headers=check_key, json=check)
    assert posted.status_code == 200, posted.text
    assert (await client.post(f"{API}/proposals/1/merge", headers=write_key, json=merge)).is_error
    good = check | {"state": "pass", "link": "https://ci.example.org/7"}
    await client.post(f"{API}/proposals/1/checks", headers=check_key, json=good)
    merged = await client.post(f"{API}/proposals/1/merge", headers=write_key, json=merge)
    assert merged.json()["state"] == "merged", merged.text


async def test_odd_checks_are_refused(
    client: Browser, write_key: dict[str, str], check_key: dict[str, str]
):
    item = {"name": "free/new", "kind": "create", "document": saying("Sort.")}
    made = await offer(client, write_key, items=[item])
    sound = {"digest": made["digest"], "name": "Evals", "state": "pass"}
    for wrong, status, says in (
        ({"name": "Secrets"}, 422, "hub's own"), ({"link": "javascript:alert(1)"}, 422, "https"),
        ({"name": " a"}, 422, "1 to 80"), ({"digest": "0" * 64}, 409, "latest"),
        ({"state": "maybe"}, 422, "state"), ({"summary": "x" * 2001}, 422, "2,000"),
    ):  # fmt: skip
        answer = await client.post(
            f"{API}/proposals/1/checks", headers=check_key, json=sound | wrong
        )
        assert (answer.status_code, says in answer.text) == (status, True), answer.text


async def test_bad_offers_say_what_is_wrong(client: Browser, write_key: dict[str, str]):
    await save(client, write_key, "free/one", "Sort.")
    text = saying("Sort well.")
    for items, says in (
        ([], "1 to 100 prompts"), ([{"name": "free/one"}], "send its `document`"),
        ([{"name": "free/one", "kind": "rename"}], "`new_name`"),
        ([{"name": "free/one", "kind": "delete", "document": text}], "leave `document` out"),
        ([{"name": "Free One", "document": text}], "name"),
        ([{"name": "free/one", "document": saying("Sort.")}], "nothing to propose"),
        ([{"name": "free/two", "document": text}], "no prompt called"),
        ([{"name": "free/one", "document": saying("{{ a.b() }}")}], "Message 1"),
    ):  # fmt: skip
        body = {"title": "A change", "items": items}
        answer = await client.post(f"{API}/proposals", headers=write_key, json=body)
        assert (400 <= answer.status_code < 500, says in answer.json()["detail"]) == (
            True, True,
        ), answer.text  # fmt: skip
    outsider = {"title": "A", "items": [{"name": "free/one", "document": text}],
                "reviewers": ["mallory@example.org"]}  # fmt: skip
    answer = await client.post(f"{API}/proposals", headers=write_key, json=outsider)
    assert "is not a member here" in answer.json()["detail"]


async def test_who_may_what(
    client: Browser, write_key: dict[str, str], read_key: dict[str, str], cast: Cast
):
    item = {"name": "free/new", "kind": "create", "document": saying("Sort.")}
    made = await offer(client, write_key, items=[item])
    spy = {"Authorization": f"Bearer {cast.rival_key}"}
    assert (await client.get(f"{API}/proposals/1", headers=spy)).status_code == 404
    assert (await client.get(f"{API}/proposals", headers=spy)).json()["total"] == 0
    word = {"digest": made["digest"], "verdict": "approve"}
    for key in (read_key, write_key):
        answer = await client.post(f"{API}/proposals/1/reviews", headers=key, json=word)
        assert answer.status_code == 403, "an app has no word of its own"
    said = await client.post(f"{API}/proposals/1/comments", headers=write_key, json={"body": "Hi"})
    assert said.status_code == 403
    merge = await client.post(
        f"{API}/proposals/1/merge", headers=read_key, json={"digest": made["digest"]}
    )
    assert merge.status_code == 403


async def test_the_rules_are_readable(
    hub: Front, client: Browser, cast: Cast, read_key: dict[str, str]
):
    await set_rules(hub.state.database, cast.workspace.id, CLINICAL)
    answer = (await client.get(f"{API}/policy", headers=read_key)).json()
    assert "clinical/" in answer["sentences"][0]
    assert answer["policy"]["rules"][0]["approvals"] == 1

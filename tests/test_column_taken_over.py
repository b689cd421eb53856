"""A column that did well becomes a version or a proposal, with its text, model and settings."""

from __future__ import annotations

from typing import Any

from hub.people.rules import Rule
from hub.registry import drafts, versions
from hub.registry.prompt.document import from_json
from hub.registry.reading import catalog
from hub.registry.review import record
from tests.cast import on_both_engines, title
from tests.offered import set_rules
from tests.test_grid import DOCUMENT, acme, fake, form, settings, triage
from tests.test_playground import _actor, over, run

__all__ = ["acme", "fake", "settings", "triage"]


async def latest(hub: Any, cast: Any) -> Any:
    async with hub.state.database.read() as db:
        return await catalog.version(db, cast.workspace.id, "support/triage")


async def draft_of(hub: Any, cast: Any, who: str, prompt_id: str) -> Any:
    async with hub.state.database.read() as db:
        return await drafts.get(db, cast.workspace.id, cast.account_ids[who], prompt_id)


async def ran(who: Any, acme: Any, *models: str, **more: Any) -> str:
    address = await run(who, form(acme, *models) | more)
    await over(who, address)
    return address


async def say_now(hub: Any, cast: Any, text: str) -> Any:
    """Maria saves another text of the same message."""
    here = await latest(hub, cast)
    tree = here.tree | {"messages": [{"role": "user", "content": text}]}
    return await versions.save(
        hub.state.publisher, cast.workspace, "support/triage", from_json(tree), base=here.hash,
        actor=_actor(cast), message="Say now",
    )  # fmt: skip


@on_both_engines
async def test_a_column_becomes_a_version_by_one_press_and_a_reason(
    hub: Any, cast: Any, ana: Any, acme: Any, triage: Any
):
    address = await ran(ana, acme, "echo", "shout", temperature=["", "0.9"])
    page = (await ana.get(address)).text
    assert (page.count("/save"), page.count("/propose")) == (2, 2)
    sheet = await ana.get(f"{address}/column/1/save")
    assert "Save version 2" in sheet.text
    assert "Against version 1: " in sheet.text
    missing = await ana.post_form(f"{address}/column/1/save", {"message": " "})
    assert (missing.status_code, "Say why" in missing.text) == (422, True)
    done = await ana.post_form(f"{address}/column/1/save", {"message": "It is heard"})
    assert done.headers["location"] == "/clinic/prompts/support/triage"
    made = await latest(hub, cast)
    assert (made.number, made.message, made.author) == (2, "It is heard", "Ana Oliveira")
    assert made.tree["model"] == "shout"
    assert made.tree["modelParameters"] == {"temperature": 0.9}
    assert made.tree["messages"] == DOCUMENT["messages"]
    assert await draft_of(hub, cast, "ana", triage.id) is None
    again = await ana.post_form(f"{address}/column/1/save", {"message": "Once more"})
    assert "Nothing differs" in (await ana.get(again.headers["location"])).text
    assert (await latest(hub, cast)).number == 2
    assert (await ana.get(f"{address}/column/7/save")).status_code == 404


async def test_a_draft_of_another_text_is_left_alone(
    hub: Any, cast: Any, ana: Any, acme: Any, triage: Any
):
    await ana.send_form(
        "PUT", "/clinic/draft/support/triage",
        {"role": "user", "content": "Mine", "origin": "0", "message_name": "", "revision": "0"},
    )  # fmt: skip
    address = await ran(ana, acme, "shout")
    done = await ana.post_form(f"{address}/column/0/save", {"message": "It is heard"})
    assert done.status_code == 303
    assert (await latest(hub, cast)).tree["model"] == "shout"
    kept = await draft_of(hub, cast, "ana", triage.id)
    assert kept.document["messages"][0]["content"] == "Mine"


async def test_the_draft_that_ran_is_a_version_then(
    hub: Any, cast: Any, ana: Any, acme: Any, triage: Any
):
    typed = {"role": "user", "content": "Mine: {{ complaint }}", "origin": "0",
             "message_name": "", "revision": "0"}  # fmt: skip
    await ana.send_form("PUT", "/clinic/draft/support/triage", typed)
    address = await ran(ana, acme, "shout", source=["draft"])
    await ana.post_form(f"{address}/column/0/save", {"message": "Mine"})
    assert (await latest(hub, cast)).tree["messages"][0]["content"] == "Mine: {{ complaint }}"
    assert await draft_of(hub, cast, "ana", triage.id) is None


async def test_what_was_saved_meanwhile_is_not_overwritten(
    hub: Any, cast: Any, ana: Any, acme: Any, triage: Any
):
    """The draft that ran began before Maria changed the same words."""
    typed = {"role": "user", "content": "Mine: {{ complaint }}", "origin": "0",
             "message_name": "", "revision": "0"}  # fmt: skip
    await ana.send_form("PUT", "/clinic/draft/support/triage", typed)
    address = await ran(ana, acme, "shout", source=["draft"])
    await ana.post_form("/clinic/discard/support/triage")
    await say_now(hub, cast, "Now: {{ complaint }}")
    moved = await ana.post_form(f"{address}/column/0/save", {"message": "Mine"})
    assert moved.headers["location"] == "/clinic/resolve/support/triage"
    resolve = (await ana.get(moved.headers["location"])).text
    assert "Now: " in resolve
    assert "Mine: " in resolve
    assert (await latest(hub, cast)).number == 2


@on_both_engines
async def test_a_column_is_put_up_for_review_by_one_press_a_title_and_a_reason(
    hub: Any, cast: Any, ana: Any, acme: Any, triage: Any
):
    address = await ran(ana, acme, "echo", "shout", title="Which one?")
    page = await ana.get(f"{address}/column/1/propose")
    assert title(page) == "Propose what v1 · live · shout ran"
    evidence = f"Which one? Tried side by side: https://hub.test{address}"
    assert evidence in page.text
    fields = {"title": "", "why": evidence, "into": "new", "base_version": "1"}
    missing = await ana.post_form(f"{address}/column/1/propose", fields)
    assert (missing.status_code, "Give it a title" in missing.text) == (422, True)
    assert evidence in missing.text
    done = await ana.post_form(f"{address}/column/1/propose", fields | {"title": "Shout"})
    assert done.headers["location"] == "/clinic/proposals/1"
    async with hub.state.database.read() as db:
        made = await record.get(db, cast.workspace.id, 1)
    assert (made.title, made.author, evidence in made.why) == ("Shout", "Ana Oliveira", True)
    (item,) = made.items
    assert item.new is not None
    assert (item.new.model, item.new.messages[0].content) == ("shout", "{{ complaint }}")
    assert (await latest(hub, cast)).number == 1, "nothing is saved before it is approved"


async def test_where_review_is_asked_a_column_is_proposed_not_saved(
    hub: Any, cast: Any, ana: Any, maria: Any, acme: Any, triage: Any
):
    await set_rules(hub.state.database, cast.workspace.id, Rule(kind="change", folder="support"))
    address = await ran(ana, acme, "shout")
    page = (await ana.get(address)).text
    assert ("column/0/save" in page, "column/0/propose" in page) == (False, True)
    sheet = (await ana.get(f"{address}/column/0/save")).text
    assert "The rules ask for review" in sheet
    refused = await ana.post_form(f"{address}/column/0/save", {"message": "Anyway"})
    assert refused.status_code in (403, 409)
    assert (await latest(hub, cast)).number == 1


async def test_who_may_only_suggest_suggests_a_column(
    hub: Any, cast: Any, ana: Any, carla: Any, mallory: Any, acme: Any, triage: Any
):
    address = await ran(ana, acme, "shout")
    page = (await carla.get(address)).text
    assert "Suggest…" in page
    assert "/column/0/save" not in page
    assert (await carla.get(f"{address}/column/0/save")).status_code == 403
    sheet = await carla.get(f"{address}/column/0/propose")
    assert title(sheet) == "Suggest what v1 · live · shout ran"
    done = await carla.post_form(
        f"{address}/column/0/propose", {"title": "Shout", "why": "Heard", "into": "new"}
    )
    assert done.headers["location"] == "/clinic/proposals/1"
    async with hub.state.database.read() as db:
        made = await record.get(db, cast.workspace.id, 1)
    assert (made.author, made.items[0].new.model) == ("Carla Rossi", "shout")
    for way in ("propose", "save"):
        there = f"/rival{address.removeprefix('/clinic')}/column/0/{way}"
        assert (await mallory.get(there)).status_code == 404
        assert (await mallory.post_form(there, {"title": "x"})).status_code == 404


async def test_nothing_is_taken_over_while_names_are_hidden(ana: Any, acme: Any, triage: Any):
    address = await ran(ana, acme, "echo", "shout", blind="yes")
    assert "/column/" not in (await ana.get(address)).text
    for way in ("propose", "save"):
        told = await ana.get(f"{address}/column/0/{way}")
        assert (told.status_code, "shout" in told.text) == (422, False)
        sent = await ana.post_form(f"{address}/column/0/{way}", {"title": "x", "message": "x"})
        assert (sent.status_code, "shout" in sent.text) == (422, False)

"""Other programs are told what happens: signed, in order, at least once."""

import asyncio
import re

import pytest
from sqlalchemy import select, update
from standardwebhooks import Webhook as Reference
from standardwebhooks import WebhookVerificationError

from hub.db import now
from hub.front import Front
from hub.sync.webhooks.models import Delivery, Webhook
from tests.cast import Browser, on_both_engines
from tests.hook_people import ROOT, add_hook, hurry, save
from tests.hook_receiver import Receiver, answer, receiving

PRIVATE_HOSTS = "127.0.0.1"


@on_both_engines
async def test_a_save_is_told_and_the_public_package_agrees_with_the_signature(
    hub: Front, maria: Browser, client: Browser, write_key: dict[str, str], receiver: Receiver
):
    await save(client, write_key, "before/it")
    _, secret = await add_hook(maria, receiver)
    await save(client, write_key, "support/triage")
    await receiver.until(lambda r: r.heard)
    (heard,) = receiver.heard
    told = Reference(secret).verify(heard.body, heard.headers)
    assert told["type"] == "version.saved"
    assert told["timestamp"].endswith("Z")
    assert told["data"] | {"id": "", "hash": "", "commit": ""} == {
        "id": "", "hash": "", "commit": "", "name": "support/triage", "version": 1,
        "by": "key writer", "why": "Shorter greeting", "workspace": "clinic",
        "subject": "support/triage", "url": "https://hub.test/clinic/version/1/support/triage",
        "text": "key writer saved version 1 of support/triage: Shorter greeting",
    }  # fmt: skip
    assert heard.headers["content-type"] == "application/json"
    with pytest.raises(WebhookVerificationError):
        Reference(secret).verify(heard.body + b" ", heard.headers)


async def test_only_what_was_ticked_is_told(
    hub: Front, maria: Browser, client: Browser, write_key: dict[str, str], receiver: Receiver
):
    await add_hook(maria, receiver, which="some", **{"event.label.moved": "yes"})
    await save(client, write_key, "support/triage")
    move = {"version": 1, "reason": "It reads well"}
    await client.put("/api/v1/labels/production/support/triage", json=move, headers=write_key)
    await receiver.until(lambda r: r.heard)
    assert receiver.kinds == ["label.moved"]
    assert "released version 1 of support/triage to production" in receiver.heard[0].body.decode()


async def test_others_are_told_nothing(
    hub: Front, mallory: Browser, maria: Browser, client: Browser, write_key: dict[str, str],
    receiver: Receiver,
):  # fmt: skip
    typed = {"name": "spy", "form": "standard", "address": receiver.url, "which": "all"}
    assert (await mallory.post_form("/rival/settings/webhooks", typed)).status_code == 200
    assert (await mallory.post_form(ROOT, typed)).status_code == 404
    async with receiving() as ours:
        await add_hook(maria, ours)
        await save(client, write_key, "support/triage")
        await ours.until(lambda r: r.heard)
    assert not receiver.heard


async def test_one_that_is_not_taken_comes_again_with_its_id_and_the_others_wait_behind_it(
    hub: Front, maria: Browser, client: Browser, write_key: dict[str, str], receiver: Receiver
):
    number, secret = await add_hook(maria, receiver)
    receiver.answers = [answer(500), answer(503, "Retry-After: 2")]
    for name in ("a/one", "a/two", "a/three"):
        await save(client, write_key, name)
    await receiver.until(lambda r: len(r.heard) == 1)
    await until_said(maria, number, "Something is broken there")
    page = (await maria.get(f"{ROOT}/{number}")).text
    assert "3 messages wait" in page
    assert "Attempt 1 of 12" in page
    await hurry(hub)
    await receiver.until(lambda r: len(r.heard) == 2)
    await until_said(maria, number, "Attempt 2 of 12")
    await hurry(hub)
    await receiver.until(lambda r: len(r.heard) == 5)
    names = [one.json["data"]["name"] for one in receiver.heard]
    assert names == ["a/one", "a/one", "a/one", "a/two", "a/three"]
    assert len({one.id for one in receiver.heard[:3]}) == 1
    assert len({one.body for one in receiver.heard[:3]}) == 1
    assert len({one.id for one in receiver.heard}) == 3
    for one in receiver.heard:
        Reference(secret).verify(one.body, one.headers)
    await until_said(maria, number, "Works")


async def until_said(browser: Browser, number: int, words: str) -> str:
    async with asyncio.timeout(60):
        while words not in (page := (await browser.get(f"{ROOT}/{number}")).text):
            await asyncio.sleep(0.05)
    return page


async def test_a_new_secret_and_the_one_before_are_both_good_for_a_day(
    hub: Front, maria: Browser, receiver: Receiver
):
    number, old = await add_hook(maria, receiver)
    page = await maria.post_form(f"{ROOT}/{number}/secret")
    new = re.search(r"whsec_[\w+/=]+", page.text)[0]
    assert new != old
    assert "whsec_" not in (await maria.get(f"{ROOT}/{number}")).text
    await maria.post_form(f"{ROOT}/{number}/test")
    for secret in (old, new):
        Reference(secret).verify(receiver.heard[0].body, receiver.heard[0].headers)
    async with hub.state.database.write() as db:  # a day later
        await db.execute(update(Webhook).values(old_until=now()))
    await maria.post_form(f"{ROOT}/{number}/test")
    Reference(new).verify(receiver.heard[1].body, receiver.heard[1].headers)
    with pytest.raises(WebhookVerificationError):
        Reference(old).verify(receiver.heard[1].body, receiver.heard[1].headers)


async def test_the_secret_before_can_be_ended_at_once(maria: Browser, receiver: Receiver):
    number, old = await add_hook(maria, receiver)
    await maria.post_form(f"{ROOT}/{number}/secret")
    await maria.post_form(f"{ROOT}/{number}/end-overlap")
    await maria.post_form(f"{ROOT}/{number}/test")
    with pytest.raises(WebhookVerificationError):
        Reference(old).verify(receiver.heard[0].body, receiver.heard[0].headers)


async def test_a_chat_gets_a_line_in_which_nothing_is_a_link_or_calls_everybody(
    hub: Front, maria: Browser, client: Browser, write_key: dict[str, str], receiver: Receiver
):
    await add_hook(maria, receiver, form="slack", address=f"{receiver.url}/T1/B2/s3cr3t")
    body = {"title": "<!channel> & <https://evil.example|click> @here", "items": [
        {"name": "a/b", "kind": "create", "document": {"messages": [
            {"role": "system", "content": "Hello."}]}}]}  # fmt: skip
    made = await client.post("/api/v1/proposals", json=body, headers=write_key)
    assert made.is_success, made.text
    await receiver.until(lambda r: r.heard)
    assert receiver.heard[0].path == "/hook/T1/B2/s3cr3t"
    assert receiver.heard[0].json == {
        "text": "key writer proposed #1 &lt;!channel&gt; &amp; &lt;https://evil.example|click&gt; "
        "@\u200bhere.\nhttps://hub.test/clinic/proposals/1"
    }
    assert "webhook-signature" not in receiver.heard[0].headers
    assert "s3cr3t" not in (await maria.get(ROOT)).text
    async with hub.state.database.read() as db:
        assert "s3cr3t" not in repr((await db.execute(select(Webhook.__table__))).all())


async def test_github_starts_a_workflow(
    hub: Front, maria: Browser, client: Browser, write_key: dict[str, str], receiver: Receiver
):
    url = f"http://127.0.0.1:{receiver.port}/repos/clinic/apps/dispatches"
    receiver.usual = answer(204)
    number, _ = await add_hook(maria, receiver, form="github", address=url, token="ghp_of_maria")
    await save(client, write_key, "support/triage")
    await receiver.until(lambda r: r.heard)
    heard = receiver.heard[0]
    assert heard.headers["authorization"] == "Bearer ghp_of_maria"
    assert heard.headers["accept"] == "application/vnd.github+json"
    assert heard.json["event_type"] == "version.saved"
    assert heard.json["client_payload"]["data"]["name"] == "support/triage"
    assert heard.json["client_payload"]["id"].startswith("msg_")
    assert len(heard.json["client_payload"]) <= 10  # GitHub takes no more
    moved = {"name": "bot", "address": url.replace("/clinic/", "/evil/"), "which": "all"}
    answered = await maria.post_form(f"{ROOT}/{number}", moved)
    assert answered.status_code == 422  # the token does not go along to another address
    assert "Enter a token" in answered.text
    assert "ghp_of_maria" not in (await maria.get(f"{ROOT}/{number}/edit")).text


async def test_a_repository_on_github_is_named_in_short(maria: Browser, receiver: Receiver):
    for typed in ("clinic/apps", "https://github.com/clinic/apps.git"):
        more = {"form": "github", "address": typed, "token": "t", "name": typed[:5] + "x"}
        await add_hook(maria, receiver, **more)
    assert (await maria.get(ROOT)).text.count(
        "https://api.github.com/repos/clinic/apps/dispatches"
    ) == 2


async def test_what_was_sent_can_be_looked_at_and_sent_again(
    hub: Front, maria: Browser, client: Browser, write_key: dict[str, str], receiver: Receiver
):
    number, _ = await add_hook(maria, receiver)
    await save(client, write_key, "support/triage")
    await receiver.until(lambda r: r.heard)
    page = await until_said(maria, number, "Taken")
    message = re.search(rf"{ROOT}/{number}/messages/\d+", page)[0]
    shown = (await maria.get(message)).text
    assert receiver.heard[0].id in shown
    assert "200 OK" in shown
    receiver.answers = [answer(404)]
    await maria.post_form(f"{message}/again")
    await maria.post_form(f"{message}/again")
    assert {one.id for one in receiver.heard} == {receiver.heard[0].id}
    assert {one.body for one in receiver.heard} == {receiver.heard[0].body}
    shown = (await maria.get(message)).text
    assert "There is nothing at this address (404)." in shown
    async with hub.state.database.read() as db:
        kept = (await db.scalars(select(Delivery))).one()
        assert (kept.state, kept.tries, len(kept.attempts)) == ("taken", 3, 3)

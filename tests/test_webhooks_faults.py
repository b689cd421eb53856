"""Receivers that hang, redirect, refuse, hang up or lie at a forbidden address."""

import asyncio
import socket

import pytest
from sqlalchemy import select, update
from standardwebhooks import Webhook as Reference

from hub.front import Front
from hub.outbound import Outbound
from hub.sync.webhooks import turn
from hub.sync.webhooks.models import Webhook
from tests.cast import Browser, on_both_engines
from tests.hook_people import ROOT, add_hook, hurry, save
from tests.hook_receiver import OK, Receiver, answer, receiving
from tests.serving import free_port
from tests.test_outbound import NEVER, PRIVATE

PRIVATE_HOSTS = "127.0.0.1,hooks.example.org"


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (None, "It did not answer within 0.3 seconds."),
        (answer(301, "Location: http://127.0.0.1:1/secret"), "It answered with a redirect (301)"),
        (answer(400), "It did not take the message (it answered 400)."),
        (answer(401), "Look whether the secret is right there."),
        (answer(404), "There is nothing at this address (404)."),
        (answer(410), "It answered 410 Gone: it wants no more messages."),
        (answer(429, "Retry-After: 7"), "It asks to be left alone for a while (429)."),
        (answer(500), "Something is broken there (it answered 500)."),
        (b"\x16\x03\x01 what is this\r\n\r\n", "What it answered is not HTTP."),
        (b"", "It hung up without an answer."),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\ncut", "It took the message (200)."),
        (b"HTTP/1.1 500 <script>x</script>\r\nContent-Length: 0\r\n\r\n", "answered 500"),
    ],
)
async def test_each_answer_is_a_sentence_on_the_page(
    hub: Front, maria: Browser, receiver: Receiver, said: bytes | None, sentence: str
):
    if said is None:
        hub.state.webhooks.patience = 0.3
    number, _ = await add_hook(maria, receiver)
    receiver.usual = said
    await maria.post_form(f"{ROOT}/{number}/test")
    page = (await maria.get(f"{ROOT}/{number}")).text
    assert sentence in page
    assert "<script>x" not in page
    message = (await maria.get(f"{ROOT}/{number}/messages/1")).text
    assert sentence in message
    assert "secret" not in message.replace("the secret", "")  # where a redirect leads is not shown


async def test_nobody_listens(hub: Front, maria: Browser, receiver: Receiver):
    number, _ = await add_hook(maria, Receiver(port=free_port()))
    await maria.post_form(f"{ROOT}/{number}/test")
    assert "nobody listens at this address" in (await maria.get(f"{ROOT}/{number}")).text


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("http://10.0.0.7/hook", "without encryption"),
        ("https://10.0.0.7/hook", "PROMPTHUB_PRIVATE_HOSTS=10.0.0.7:443"),
        ("https://169.254.169.254/latest", "never connects"),
        ("https://[::ffff:169.254.169.254]/", "never connects"),
        ("https://2130706433.example@10.0.0.1/", "may not hold a name"),
        ("file:///etc/passwd", "not a web address"),
        ("gopher://127.0.0.1/", "not a web address"),
        ("", "not a web address"),
        ("https://hooks.example.com/" + "x" * 500, "longer than 500"),
    ],
)
async def test_a_forbidden_address_is_refused_and_nothing_typed_is_lost(
    maria: Browser, address: str, sentence: str
):
    typed = {"name": "bot", "form": "standard", "address": address, "which": "some",
             "event.label.moved": "yes"}  # fmt: skip
    refused = await maria.post_form(ROOT, typed)
    assert refused.status_code == 422
    assert sentence in refused.text
    assert 'value="bot"' in refused.text
    assert 'name="event.label.moved" value="yes" checked' in refused.text
    assert "Nobody is told yet" in (await maria.get(ROOT)).text


async def test_a_name_that_leads_elsewhere_later_is_not_followed(
    hub: Front, maria: Browser, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
):
    """Checked when it was typed, and again at each attempt: nothing reaches the canary."""
    address = "https://rebinding.example.org/hook"
    number, _ = await add_hook(maria, receiver, address=address)
    loop = asyncio.get_running_loop()
    plain = loop.getaddrinfo

    async def rebound(host, port, **more):
        if host == "rebinding.example.org":
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", port))]
        return await plain(host, port, **more)

    monkeypatch.setattr(loop, "getaddrinfo", rebound)
    await maria.post_form(f"{ROOT}/{number}/test")
    assert "never connects" in (await maria.get(f"{ROOT}/{number}")).text
    assert not receiver.heard


@on_both_engines
async def test_in_the_end_it_is_paused_and_goes_on_where_it_stopped(
    hub: Front, maria: Browser, client: Browser, write_key: dict[str, str], receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    monkeypatch.setattr(turn, "MOST_TRIES", 3)
    number, secret = await add_hook(maria, receiver)
    receiver.usual = answer(503)
    for name in ("a/one", "a/two"):
        await save(client, write_key, name)
    for count in (1, 2, 3):
        await receiver.until(lambda r, count=count: len(r.heard) >= count)
        await until(hub, lambda hook, count=count: hook.tries >= count)
        await hurry(hub)
    await until(hub, lambda hook: hook.state == "paused")
    page = (await maria.get(f"{ROOT}/{number}")).text
    assert "3 attempts failed; the last: Something is broken there" in page
    await hub.state.bell.look()
    notices = (await maria.get("/clinic/notices")).text
    assert "The webhook “bot” was paused: 3 attempts failed" in notices
    await save(client, write_key, "a/three")
    await hub.state.webhooks.look()
    heard = len(receiver.heard)
    assert heard == 3
    receiver.usual = OK
    await maria.post_form(f"{ROOT}/{number}/resume")
    await receiver.until(lambda r: len(r.heard) == heard + 4)
    told = [Reference(secret).verify(one.body, one.headers) for one in receiver.heard[heard:]]
    assert [one["data"]["subject"] for one in told] == ["a/one", "a/two", "bot", "a/three"]


async def until(hub: Front, true) -> None:
    async with asyncio.timeout(60):
        while True:
            async with hub.state.database.read() as db:
                if true((await db.scalars(select(Webhook))).one()):
                    return
            await asyncio.sleep(0.02)


async def test_410_pauses_at_once_and_one_message_can_be_left_out(
    hub: Front, maria: Browser, client: Browser, write_key: dict[str, str], receiver: Receiver
):
    number, _ = await add_hook(maria, receiver, which="some", **{"event.version.saved": "yes"})
    receiver.answers = [answer(410)]
    for name in ("a/one", "a/two"):
        await save(client, write_key, name)
    await until(hub, lambda hook: hook.state == "paused")
    await maria.post_form(f"{ROOT}/{number}/messages/1/leave-out")
    await maria.post_form(f"{ROOT}/{number}/resume")
    await receiver.until(lambda r: len(r.heard) == 2)
    assert [one.json["data"]["name"] for one in receiver.heard] == ["a/one", "a/two"]
    assert "Left out" in (await maria.get(f"{ROOT}/{number}")).text


async def test_a_receiver_that_hangs_holds_up_nobody(
    hub: Front, maria: Browser, client: Browser, write_key: dict[str, str], receiver: Receiver
):
    """While an attempt hangs, saves are answered and other webhooks are told."""
    hub.state.webhooks.patience = 3600
    receiver.usual = None
    await add_hook(maria, receiver)
    async with receiving() as other:
        await add_hook(maria, other, name="other")
        for count in range(5):
            await save(client, write_key, f"a/p{count}")
        await other.until(lambda r: len(r.heard) == 5)
    await receiver.until(lambda r: r.heard)
    assert len(receiver.heard) == 1


async def test_what_was_sealed_with_another_key_pauses_with_a_sentence(
    hub: Front, maria: Browser, client: Browser, write_key: dict[str, str], receiver: Receiver
):
    number, _ = await add_hook(maria, receiver)
    async with hub.state.database.write() as db:  # as after a restore without secret.key
        await db.execute(update(Webhook).values(sealed=b"\x01" + b"x" * 60))
    await save(client, write_key, "a/one")
    await until(hub, lambda hook: hook.state == "paused")
    assert "Make a new one on its page" in (await maria.get(f"{ROOT}/{number}")).text
    await maria.post_form(f"{ROOT}/{number}/secret")
    async with hub.state.database.write() as db:
        await db.execute(update(Webhook).values(sealed_old=None))
    await maria.post_form(f"{ROOT}/{number}/resume")
    await receiver.until(lambda r: r.heard)


async def test_no_form_of_a_private_address_is_taken_or_reached(
    hub: Front, maria: Browser, receiver: Receiver
):
    """Those of `test_outbound`, at this door; the last two lead to the canary itself."""
    canary = receiver.port
    hub.state.webhooks.outbound = Outbound()
    forms = [f"https://{f'[{ip}]' if ':' in ip else ip}/" for ip in (*PRIVATE, *NEVER)]
    for address in [*forms, f"https://localhost:{canary}/", f"http://127.0.0.1:{canary}/"]:
        typed = {"name": "bot", "form": "standard", "address": address, "which": "all"}
        refused = await maria.post_form(ROOT, typed)
        assert refused.status_code == 422, address
    assert not receiver.heard

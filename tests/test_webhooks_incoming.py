"""Forges tell of pushes: signed or not heard, once or not again."""

import asyncio
import hashlib
import hmac
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import hypothesis
import pytest
from hypothesis import strategies as st
from sqlalchemy import func, select, update
from standardwebhooks import Webhook as Reference

from hub.db import now
from hub.errors import Unknown
from hub.front import Front
from hub.sync.webhooks import incoming
from hub.sync.webhooks.models import Arrival, Inlet
from tests.cast import Browser, on_both_engines
from tests.forge import git_daemon, prompt
from tests.hook_people import ROOT

PRIVATE_HOSTS = "127.0.0.1"

ADDRESS = "/api/incoming/clinic"
BODY = json.dumps({"ref": "refs/heads/main", "before": "0" * 40, "after": "1" * 40}).encode()


@pytest.fixture
async def secret(maria: Browser) -> str:
    """What Maria enters at the forge."""
    return made((await maria.post_form(f"{ROOT}/incoming")).text)


def made(page: str) -> str:
    return re.search(r"whsec_[\w+/=]+", page)[0]


def hexed(secret: str, body: bytes) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def github(
    secret: str, *, id: str = "g-1", event: str = "push", body: bytes = BODY
) -> dict[str, str]:
    return {
        "X-GitHub-Event": event, "X-GitHub-Delivery": id,
        "X-Hub-Signature-256": f"sha256={hexed(secret, body)}", "User-Agent": "GitHub-Hookshot/1",
    }  # fmt: skip


def gitea(secret: str, *, id: str = "t-1") -> dict[str, str]:
    """Gitea sends GitHub's headers as well."""
    ours = {
        "X-Gitea-Event": "push",
        "X-Gitea-Delivery": id,
        "X-Gitea-Signature": hexed(secret, BODY),
    }
    return github(secret, id=id) | ours


def gitlab(secret: str, *, id: str = "l-1", event: str = "Push Hook") -> dict[str, str]:
    return {"X-Gitlab-Event": event, "X-Gitlab-Event-UUID": id, "X-Gitlab-Token": secret}


def standard(secret: str, *, id: str = "msg_1", at: datetime | None = None) -> dict[str, str]:
    at = at or datetime.now(UTC)
    signed = Reference(secret).sign(id, at, BODY.decode())
    return {"webhook-id": id, "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": signed}  # fmt: skip


async def send(
    client: Browser, headers: dict[str, str], body: bytes = BODY, to: str = ADDRESS
) -> httpx.Response:
    return await client.post(
        to, content=body, headers={"Content-Type": "application/json"} | headers
    )


async def count(hub: Front) -> int:
    async with hub.state.database.read() as db:
        return await db.scalar(select(func.count()).select_from(Arrival)) or 0


@on_both_engines
async def test_each_forge_is_heard_and_the_page_says_so(
    hub: Front, client: Browser, maria: Browser, secret: str
):
    for sign in (github, gitlab, standard):
        answered = await send(client, sign(secret))
        assert answered.status_code == 202, answered.text
        assert answered.json()["news"] is True
    body = BODY + b" "
    other = gitea(secret) | {"X-Gitea-Signature": hexed(secret, body)}
    assert (await send(client, other, body)).json() == {"heard": "push", "news": True}
    page = (await maria.get(ROOT)).text
    assert "Nothing has come yet" not in page
    for name in ("GitHub", "GitLab", "Gitea", "another program"):
        assert f"<td>{name}</td>" in page
    assert "whsec_" not in page


async def test_a_ping_is_heard_and_asks_for_nothing(
    hub: Front, client: Browser, maria: Browser, secret: str
):
    assert (await send(client, github(secret, event="ping"))).status_code == 202
    assert "no push, so nothing to do" in (await maria.get(ROOT)).text


async def test_the_same_message_is_not_heard_twice(hub: Front, client: Browser, secret: str):
    """Sent again by the forge, or copied by somebody and sent under another id or another name."""
    assert (await send(client, github(secret))).json()["news"] is True
    copied = [github(secret), github(secret, id="another"), gitea(secret, id="yet-another")]
    for headers in copied:
        answered = await send(client, headers)
        assert (answered.status_code, answered.json()["news"]) == (202, False)
    assert (await send(client, gitlab(secret))).json()["news"] is True
    assert (await send(client, gitlab(secret))).json()["news"] is False
    assert (await send(client, standard(secret))).json()["news"] is True
    assert (await send(client, standard(secret))).json()["news"] is False
    assert await count(hub) == 3


def sha1(secret: str) -> str:
    return "sha1=" + hmac.new(secret.encode(), BODY, "sha1").hexdigest()


def a_minute_ago() -> str:
    return str(int(now().timestamp()) - 60)


FORGED: list[tuple[str, Any]] = [
    ("no signature", lambda s: {"X-GitHub-Event": "push", "X-GitHub-Delivery": "1"}),
    ("empty", lambda s: github(s) | {"X-Hub-Signature-256": ""}),
    ("without the secret", lambda s: github("whsec_" + "A" * 43 + "=")),
    ("an empty secret", lambda s: github("")),
    ("of another body", lambda s: github(s, body=BODY + b"x")),
    ("cut", lambda s: github(s) | {"X-Hub-Signature-256": github(s)["X-Hub-Signature-256"][:-1]}),
    ("upper case", lambda s: github(s) | {"X-Hub-Signature-256": hexed(s, BODY).upper()}),
    ("not ASCII", lambda s: github(s) | {"X-Hub-Signature-256": b"sha256=\xff\xfe"}),
    ("SHA-1 only", lambda s: {"X-GitHub-Event": "push", "X-Hub-Signature": sha1(s)}),
    ("Gitea of another secret", lambda s: gitea(s) | {"X-Gitea-Signature": hexed("x", BODY)}),
    ("GitLab of another secret", lambda s: gitlab("whsec_x")),
    ("GitLab with more behind it", lambda s: gitlab(s + "x")),
    ("five minutes old", lambda s: standard(s, at=now() - timedelta(minutes=5, seconds=5))),
    ("five minutes ahead", lambda s: standard(s, at=now() + timedelta(minutes=5, seconds=5))),
    ("another moment", lambda s: standard(s) | {"webhook-timestamp": a_minute_ago()}),
    ("another id", lambda s: standard(s) | {"webhook-id": "msg_2"}),
    ("no moment", lambda s: standard(s) | {"webhook-timestamp": "nan"}),
    ("version 2", lambda s: standard(s) | {"webhook-signature": "v2,AAAA"}),
]  # fmt: skip


@pytest.mark.parametrize("headers", [pair[1] for pair in FORGED], ids=[pair[0] for pair in FORGED])
async def test_what_is_forged_is_told_nothing(
    hub: Front, client: Browser, secret: str, headers: Any
):
    answered = await send(client, headers(secret))
    assert answered.status_code == 401, answered.text
    nowhere = await send(client, headers(secret), to="/api/incoming/no-such-place")
    assert (nowhere.status_code, nowhere.text) == (401, answered.text)
    assert await count(hub) == 0


@pytest.mark.parametrize("headers", [
    lambda secret: gitlab(f"{secret[:-2]}x="),
    lambda secret: github(secret) | {"X-Hub-Signature-256": "sha256=nonsense"},
    lambda secret: standard(secret, at=datetime.now(UTC) - timedelta(hours=1)),
])  # fmt: skip
@pytest.mark.parametrize("to", [ADDRESS, "/api/incoming/no-such-place"])
async def test_of_what_headers_alone_give_away_nothing_is_read(
    client: Browser, secret: str, headers: Any, to: str
):
    read: list[bytes] = []

    async def body() -> AsyncIterator[bytes]:
        read.append(BODY)
        yield BODY

    answered = await client.post(to, content=body(), headers=headers(secret))
    assert (answered.status_code, read) == (401, [])


async def test_a_workspace_without_a_secret_hears_nothing(
    hub: Front, client: Browser, maria: Browser
):
    for guess in ("", "None", incoming.NOBODY):
        for sign in (github, gitlab):
            assert (await send(client, sign(guess))).status_code == 401
    secret = made((await maria.post_form(f"{ROOT}/incoming")).text)
    assert (await send(client, github(secret), to="/api/incoming/rival")).status_code == 401
    await maria.post_form(f"{ROOT}/incoming/close")
    assert (await send(client, github(secret))).status_code == 401
    assert await count(hub) == 0


async def test_two_secrets_are_good_for_a_day(
    hub: Front, client: Browser, maria: Browser, secret: str
):
    fresh = made((await maria.post_form(f"{ROOT}/incoming")).text)
    assert (await send(client, github(secret))).status_code == 202
    assert (await send(client, gitlab(fresh))).status_code == 202
    assert (await send(client, standard(secret))).status_code == 202
    async with hub.state.database.write() as db:
        await db.execute(update(Inlet).values(old_until=now()))
    assert (await send(client, gitlab(secret, id="2"))).status_code == 401
    assert (await send(client, gitlab(fresh, id="2"))).status_code == 202
    again = made((await maria.post_form(f"{ROOT}/incoming")).text)
    await maria.post_form(f"{ROOT}/incoming/end-overlap")
    assert (await send(client, gitlab(fresh, id="3"))).status_code == 401
    assert (await send(client, gitlab(again, id="3"))).status_code == 202


async def test_a_message_without_an_id_is_refused_with_a_sentence(client: Browser, secret: str):
    headers = github(secret)
    del headers["X-GitHub-Delivery"]
    answered = await send(client, headers)
    assert (answered.status_code, "id of its own" in answered.text) == (422, True)


async def test_a_large_message_is_heard_and_one_too_large_is_not(
    hub: Front, client: Browser, secret: str
):
    large = b"{" + b" " * (10 << 20) + b"}"
    assert (await send(client, github(secret, body=large), large)).status_code == 202
    too_large = b" " * (incoming.LARGEST + 1)
    answered = await send(client, github(secret, id="2", body=too_large), too_large)
    assert answered.status_code == 413

    async def pieces():
        for _ in range(26):
            yield b" " * (1 << 20)

    answered = await client.post(ADDRESS, content=pieces(), headers=github(secret, id="3"))
    assert answered.status_code == 413
    assert await count(hub) == 1


async def test_only_administrators_see_the_address_and_make_the_secret(
    ana: Browser, ben: Browser, carla: Browser, mallory: Browser
):
    for who, status in ((ana, 403), (ben, 403), (carla, 403), (mallory, 404)):
        assert (await who.get(ROOT)).status_code == status
        assert (await who.post_form(f"{ROOT}/incoming")).status_code == status


async def test_a_push_that_is_told_comes_in_at_once(
    client: Browser, maria: Browser, secret: str, read_key: dict[str, str], tmp_path: Path
):
    """The timer looks every five minutes; nobody waits so long here."""
    with git_daemon(tmp_path / "forge") as forge:
        file = "support/triage.prompt.yml"
        forge.begin({file: prompt("Be kind.")})
        linked = await maria.post_form("/clinic/settings/git", {"url": forge.url})
        assert linked.status_code == 303, linked.text
        await until_served(client, read_key, "Be kind.")
        forge.commit({file: prompt("Be quick.")})
        assert (await send(client, github(secret))).json() == {"heard": "push", "news": True}
        await until_served(client, read_key, "Be quick.")


async def until_served(client: Browser, key: dict[str, str], words: str) -> None:
    async with asyncio.timeout(60):
        while words not in (await client.get("/api/v1/prompts/support/triage", headers=key)).text:
            await asyncio.sleep(0.05)


ODD = st.text(st.characters(max_codepoint=0x2FF), max_size=60)
NAMES = ("x-hub-signature-256", "x-gitea-signature", "x-gitlab-token", "webhook-signature",
         "webhook-timestamp", "webhook-id", "x-github-event", "x-github-delivery")  # fmt: skip


@hypothesis.given(headers=st.dictionaries(st.sampled_from(NAMES), ODD), body=st.binary(max_size=99))
def test_no_headers_confuse_the_check(headers: dict[str, str], body: bytes):
    """Whatever is sent, it is forged, and that is all that is said."""
    try:
        told = incoming.Told(headers, [incoming.NOBODY])
    except Unknown:
        return
    told.check.feed(body)
    assert not told.check.good

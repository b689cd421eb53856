"""Settings, Git, and the same over REST and in a terminal; the hub itself keeps both in step."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from hub.front import Front
from hub.people.models import AuditEntry
from hub.sync.remotes import linking
from tests.cast import Browser, Cast
from tests.commands import prompthub
from tests.forge import Forge, git_daemon, prompt
from tests.git_people import own_key
from tests.hook_people import admin_key
from tests.serving import Server
from tests.shelf import Shelf, somebody

PRIVATE_HOSTS = "127.0.0.1"

PAGE = "/clinic/settings/git"
FILE = "support/triage.prompt.yml"


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[Forge]:
    with git_daemon(tmp_path / "forge") as made:
        yield made


@pytest.fixture
def shelf(hub: Front, cast: Cast) -> Shelf:
    ana = somebody("Ana Oliveira", "editor", 1, account_id=cast.account_ids["ana"])
    ben = somebody("Ben Carter", "reviewer", 1, account_id=cast.account_ids["ben"])
    return Shelf(hub.state.database, hub.state.publisher, cast.workspace, ana, ben)


async def until(happens: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while True:
            found = happens()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return
            await asyncio.sleep(0.05)


async def test_linked_in_the_browser_it_keeps_itself_in_step(
    shelf: Shelf, forge: Forge, maria: Browser, client: Browser, read_key: dict[str, str]
):
    await shelf.save("support/triage", "Be kind.")
    page = (await maria.get(PAGE)).text
    assert "Link a repository" in page
    assert "/clinic.git" in page  # what developers clone
    wrong = await maria.post_form(PAGE, {"url": "file:///etc/passwd", "token": "t0ken"})
    assert wrong.status_code == 422
    assert "not the address of a repository" in wrong.text
    assert "t0ken" not in wrong.text
    form = {"url": forge.url, "deploy": "yes", "mirror": "yes"}
    assert (await maria.post_form(PAGE, form)).status_code == 303
    await until(lambda: forge.tip() == shelf.repository.tip("refs/heads/main"))
    again = await maria.post_form(PAGE, form)
    assert "linked to this workspace already" in again.text
    saved = await shelf.save("tutor/maths", "Explain sums.")  # goes there by itself
    await until(lambda: forge.tip() == saved.commit)
    forge.pull()
    tip = forge.commit({FILE: prompt("Be kinder.")}, "Kinder")
    assert await linking.fetch_soon(shelf.database, shelf.workspace.id)  # as a webhook does
    await until(lambda: shelf.repository.tip("refs/heads/main") == tip)

    async def in_step() -> bool:
        return "Both sides hold the same." in (await maria.get(PAGE)).text

    await until(in_step)
    told = (await client.get("/api/v1/remote", headers=read_key)).json()
    assert (told["state"], told["ahead"], told["behind"]) == ("in step", 0, 0)
    gone = await maria.post_form(f"{PAGE}/unlink")
    assert gone.status_code == 303
    assert "Link a repository" in (await maria.get(PAGE)).text
    assert not await linking.fetch_soon(shelf.database, shelf.workspace.id)
    assert (await client.get("/api/v1/remote", headers=read_key)).status_code == 404
    async with shelf.database.read() as db:
        said = set(await db.scalars(select(AuditEntry.action)))
    assert {"remote.linked", "remote.unlinked"} <= said
    await shelf.save("tutor/physics", "Explain light.")
    await asyncio.sleep(1)
    assert forge.tip() == tip  # nothing goes there any more


async def test_stopped_and_decided_in_the_browser(shelf: Shelf, forge: Forge, maria: Browser):
    await shelf.save("support/triage", "Be kind.")
    forge.begin({"a/b.prompt.yml": prompt("Theirs.")})
    await maria.post_form(PAGE, {"url": forge.url})

    async def asks() -> bool:
        return "another beginning" in (await maria.get(PAGE)).text

    await until(asks)
    page = (await maria.get(PAGE)).text
    assert "Bring both together" in page
    stale = await maria.post_form(f"{PAGE}/choose", {"do": "together", "tip": "0" * 40})
    assert stale.status_code == 303
    assert "another beginning" in (await maria.get(PAGE)).text
    tip = forge.tip() or ""
    await maria.post_form(f"{PAGE}/choose", {"do": "together", "tip": tip})
    await until(lambda: forge.tip() != tip)
    assert "Be kind." in forge.file(FILE)
    assert "Theirs." in shelf.git("show", "main:a/b.prompt.yml")


async def test_when_it_is_tried_again_is_said_in_minutes(
    shelf: Shelf, forge: Forge, maria: Browser
):
    await shelf.save("support/triage", "Be kind.")
    await maria.post_form(PAGE, {"url": forge.url})

    async def in_step() -> bool:  # that round is over: it is not the one that fails first
        return "Both sides hold the same." in (await maria.get(PAGE)).text

    await until(in_step)
    forge.bare.rename(forge.bare.with_name("away"))
    for tried in ("once", "twice"):
        await maria.post_form(f"{PAGE}/now", {})

        async def says(many: str = tried) -> bool:
            said = rf"Tried {many}; the next try is <time[^>]*>within a minute</time>"
            return bool(re.search(said, (await maria.get(PAGE)).text))

        await until(says)


async def test_over_rest_and_in_a_terminal(
    hub: Front, cast: Cast, client: Browser, write_key: dict[str, str], forge: Forge
):
    body = {"url": forge.url, "deploy": False}
    refused = await client.put("/api/v1/remote", headers=write_key, json=body)
    assert refused.status_code == 403
    hers = await admin_key(hub, cast)
    linked = await client.put("/api/v1/remote", headers=hers, json=body)
    assert linked.status_code == 200, linked.text
    told = linked.json()
    assert (told["url"], told["deploy"], told["confirmed"]) == (forge.url, "", True)
    begun = await client.post("/api/v1/remote/sync", headers=write_key, json={})
    assert begun.status_code == 202
    choice = {"do": "ours", "tip": ""}
    early = await client.post("/api/v1/remote/choice", headers=hers, json=choice)
    assert early.status_code == 409
    gone = await client.delete("/api/v1/remote", headers=hers)
    assert gone.status_code == 204


def test_the_command(server: Server):
    env = {"PROMPTHUB_URL": server.url, "PROMPTHUB_KEY": server.cast.read_key}
    assert "No repository is linked" in prompthub("remote", **env).stderr


def test_the_command_waits_for_the_round_that_it_asks_for(server: Server, forge: Forge):
    """It said `in step` of the round before, while what was committed there was still unknown."""
    env = {
        "PROMPTHUB_URL": server.url,
        "PROMPTHUB_KEY": own_key(server, "maria", "admin", name="administering"),
    }
    forge.begin({FILE: prompt("Be kind.")})
    headers = {"Authorization": f"Bearer {env['PROMPTHUB_KEY']}"}
    linked = httpx.put(
        f"{server.url}/api/v1/remote", headers=headers, json={"url": forge.url}, timeout=60
    )
    assert linked.status_code == 200, linked.text
    assert "in step" in prompthub("remote", "--sync", **env).stdout
    for turn in range(3):
        forge.commit({FILE: prompt(f"Be kinder, {turn}.")})
        assert "in step" in prompthub("remote", "--sync", **env).stdout
        text = httpx.get(
            f"{server.url}/api/v1/prompts/support/triage?label=latest", headers=headers
        )
        assert f"Be kinder, {turn}." in text.text
    forge.dev("push", "-q", "--force", "origin", "HEAD~1:main")
    assert "put back to an older commit" in prompthub("remote", "--sync", **env).stdout

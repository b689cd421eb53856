"""Whoever is administrator when they come in, and none any more when it would be written: linked
repositories and webhooks read the role again in the transaction of the deed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from hub.front import Front
from hub.people import gate
from hub.people.models import AuditEntry, Member
from hub.sync.remotes.models import Remote
from hub.sync.webhooks.models import Delivery, Inlet, Webhook
from tests.cast import Browser, Cast
from tests.forge import Forge, git_daemon
from tests.hook_people import ROOT, add_hook, admin_key
from tests.hook_receiver import Receiver
from tests.test_remotes_pages import PAGE

PRIVATE_HOSTS = "127.0.0.1"

REFUSED = re.compile("no administrator here any more|cannot change this workspace.{1,6}s settings")
Deed = Callable[[], Awaitable[httpx.Response]]


async def set_role(hub: Front, cast: Cast, role: str) -> None:
    async with hub.state.database.write() as db:
        where = (cast.workspace.id, cast.account_ids["maria"])
        (await db.get_one(Member, where)).role = role


@asynccontextmanager
async def slow_line(port: int) -> AsyncGenerator[tuple[int, asyncio.Event, asyncio.Event]]:
    """A port that leads to another once somebody says so: its number, whether somebody has come,
    and what lets them through."""
    came, go = asyncio.Event(), asyncio.Event()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def lead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.set()
        await go.wait()
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(carry(reader, far_writer), carry(far_reader, writer))

    server = await asyncio.start_server(lead, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], came, go


@pytest.mark.parametrize("door", ["page", "rest"])
async def test_demoted_while_the_hub_looks_at_the_repository(
    hub: Front, cast: Cast, maria: Browser, client: Browser, tmp_path: Path, door: str
):
    """The look takes as long as the other side likes; what it was for is not done then."""
    with git_daemon(tmp_path / "forge") as forge:
        far = int(forge.url.split(":")[2].split("/")[0])
        async with slow_line(far) as (near, came, go):
            hers = await admin_key(hub, cast)
            url = forge.url.replace(str(far), str(near))
            asked = (
                maria.post_form(PAGE, {"url": url}) if door == "page"
                else client.put("/api/v1/remote", headers=hers, json={"url": url})
            )  # fmt: skip
            linking = asyncio.create_task(asked)
            async with asyncio.timeout(60):
                await came.wait()
            await set_role(hub, cast, "editor")
            go.set()
            async with asyncio.timeout(60):
                answer = await linking
    assert (answer.status_code, "no administrator here any more" in answer.text) == (403, True)
    async with hub.state.database.read() as db:
        assert (await db.scalars(select(Remote))).all() == []


async def test_nothing_is_written_for_whoever_is_no_administrator_by_then(
    hub: Front, cast: Cast, maria: Browser, client: Browser, tmp_path: Path,
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    """As if each were let in at the door a moment before."""
    with git_daemon(tmp_path / "forge") as forge:
        await maria.post_form(PAGE, {"url": forge.url})
        number, _ = await add_hook(maria, receiver)
        await maria.post_form(f"{ROOT}/incoming", {})
        hers = await admin_key(hub, cast)
        before = await kept(hub)
        await set_role(hub, cast, "editor")
        admitted = gate.require

        def late(*given: Any) -> None:
            if given[1] is not gate.Need.ADMIN:
                admitted(*given)

        monkeypatch.setattr(gate, "require", late)
        for deed in [*pages(maria, forge, receiver, number), *rest(client, hers, number)]:
            answer = await deed()
            if answer.status_code == 303:
                answer = await maria.get(answer.headers["Location"])
            assert REFUSED.search(answer.text), (answer.request.url, answer.text)
        assert await kept(hub) == before


def pages(maria: Browser, forge: Forge, receiver: Receiver, number: int) -> list[Deed]:
    form = {"name": "other", "form": "standard", "address": receiver.url, "which": "all"}
    forms: list[tuple[str, dict[str, str]]] = [
        (PAGE, {"url": forge.url}), (f"{PAGE}/change", {"token": "t"}), (f"{PAGE}/unlink", {}),
        (f"{PAGE}/choose", {"do": "ours", "tip": ""}), (f"{PAGE}/confirm", {"prints": "x"}),
        (f"{PAGE}/now", {}), (f"{ROOT}/{number}/test", {}),
        (f"{ROOT}/{number}/messages/1/again", {}),
        (ROOT, form), (f"{ROOT}/{number}", form), (f"{ROOT}/{number}/pause", {}),
        (f"{ROOT}/{number}/resume", {}), (f"{ROOT}/{number}/secret", {}),
        (f"{ROOT}/{number}/end-overlap", {}), (f"{ROOT}/{number}/remove", {}),
        (f"{ROOT}/{number}/messages/1/leave-out", {}), (f"{ROOT}/incoming", {}),
        (f"{ROOT}/incoming/end-overlap", {}), (f"{ROOT}/incoming/close", {}),
    ]  # fmt: skip
    return [lambda url=url, data=data: maria.post_form(url, data) for url, data in forms]


def rest(client: Browser, headers: dict[str, str], number: int) -> list[Deed]:
    hooks = f"/api/v1/webhooks/{number}"
    asks: list[tuple[str, str, dict[str, Any] | None]] = [
        ("POST", "/api/v1/remote/choice", {"do": "ours", "tip": ""}),
        ("POST", "/api/v1/remote/host", {"fingerprints": ["x"]}),
        ("DELETE", "/api/v1/remote", None), ("PUT", hooks, {"state": "paused"}),
        ("POST", f"{hooks}/deliveries", {}), ("POST", f"{hooks}/deliveries", {"delivery": 1}),
        ("PUT", hooks, {"name": "x"}), ("POST", f"{hooks}/secrets", {}), ("DELETE", hooks, None),
    ]  # fmt: skip
    return [
        lambda method=method, url=url, body=body: client.request(
            method, url, headers=headers, json=body
        )
        for method, url, body in asks
    ]


async def kept(hub: Front) -> list[Any]:
    """All that one of these deeds would change."""
    async with hub.state.database.read() as db:
        found: list[Any] = [row.sealed for row in await db.scalars(select(Inlet))]
        found += [
            (row.id, row.name, row.sealed, row.state) for row in await db.scalars(select(Webhook))
        ]
        found += [(row.url, row.sealed, row.chosen) for row in await db.scalars(select(Remote))]
        found += [(row.tries, row.state) for row in await db.scalars(select(Delivery))]
        found += list(await db.scalars(select(AuditEntry.action)))
    return found

"""Notices on the page and while it is open."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from sqlalchemy import delete, update

from hub.db import now
from hub.front import Front
from hub.people import sign_ins
from hub.people.models import Account, Member
from hub.registry.review import bell as bells
from hub.registry.review import notices
from hub.registry.review.bell import Bell, Listener
from hub.registry.review.queue import Queue
from tests.cast import Browser, Cast
from tests.offers import offer, text
from tests.test_notices import happen


@pytest.fixture
async def shown(hub: Front, cast: Cast) -> Bell:
    """A hub in which Ana has been told two things."""
    await offer(hub.state.database, cast, 1, text("One"), title="Ask <first>")
    await happen(hub.state.database, cast, "proposal.merged", "ben", number=1)
    await happen(hub.state.database, cast, "proposal.declined", "ben", number=1)
    await hub.state.bell.look()
    return hub.state.bell


def badge(page: str) -> str:
    found = re.search(r'data-badge="notices"( hidden)?>(\d+)', page)
    assert found
    return "hidden" if found[1] else found[2]


async def test_the_inbox_shows_them_and_opening_one_leads_there(
    shown: Bell, ana: Browser, ben: Browser, hub: Front
):
    page = (await ana.get("/clinic/notices")).text
    assert "Ben Carter merged “Ask &lt;first&gt;”." in page
    assert badge(page) == "2"
    assert page.count("notice-new") == 2
    first = re.findall(r'action="(/clinic/notices/\d+)"', page)[1]
    assert (await ben.post_form(first)).status_code == 404
    answer = await ana.post_form(first)
    assert (answer.status_code, answer.headers["location"]) == (303, "/clinic/proposals/1")
    page = (await ana.get("/clinic/notices")).text
    assert (badge(page), page.count("notice-new")) == ("1", 1)
    await ana.post_form("/clinic/notices/seen")
    assert badge((await ana.get("/clinic/notices")).text) == "hidden"
    assert "Ask" not in (await ben.get("/clinic/notices")).text


async def test_long_inboxes_have_pages(shown: Bell, cast: Cast, ana: Browser, hub: Front):
    for _ in range(notices.PAGE):
        await happen(hub.state.database, cast, "proposal.merged", "ben", number=1)
    await shown.look()
    page = (await ana.get("/clinic/notices")).text
    assert page.count('class="notice ') == notices.PAGE
    older = re.search(r'href="(/clinic/notices\?before=\d+)"', page)
    assert older
    assert (await ana.get(older[1])).text.count('class="notice ') == 2
    assert badge(page) == "52"


@pytest.fixture
async def ana_listens(hub: Front, cast: Cast) -> Listener:
    token = sign_ins.hashed(cast.cookies["ana"])
    return Listener(
        sign_in=token, account_id=cast.account_ids["ana"], workspace_id=cast.workspace.id
    )


async def next_of(stream: AsyncIterator[bytes]) -> tuple[str, Any]:
    async with asyncio.timeout(60):
        raw = (await anext(stream)).decode()
    if raw.startswith(":"):
        return "beat", None
    name, data = re.fullmatch(r"event: (\w+)\ndata: (.*)\n\n", raw).groups()  # type: ignore[union-attr]
    return name, msgspec.json.decode(data)


async def test_an_open_page_hears_it_at_once(
    hub: Front, cast: Cast, ana_listens: Listener, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(bells, "BEAT", 0.2)
    await offer(hub.state.database, cast, 1, text("One"), title="Ask first")
    stream = hub.state.bell.stream(ana_listens)
    assert await next_of(stream) == ("badges", {"reviews": 0, "notices": 0})
    assert (await next_of(stream))[0] == "beat"
    await happen(hub.state.database, cast, "proposal.merged", "ben", number=1)
    while (heard := await next_of(stream))[0] == "beat":
        pass  # the hub notices within half a second, by itself
    assert heard == ("badges", {"reviews": 0, "notices": 1})
    assert await next_of(stream) == (
        "notice",
        {"text": "Ben Carter merged “Ask first”.", "url": "/clinic/proposals/1",
         "kind": "proposal.merged"},
    )  # fmt: skip
    await stream.aclose()


@pytest.mark.parametrize("end", ["removed", "signed out", "disabled"])
async def test_the_stream_of_somebody_who_left_ends(
    hub: Front, cast: Cast, ana_listens: Listener, monkeypatch: pytest.MonkeyPatch, end: str
):
    monkeypatch.setattr(bells, "BEAT", 0.05)
    stream = hub.state.bell.stream(ana_listens)
    await next_of(stream)
    ana = cast.account_ids["ana"]
    async with hub.state.database.write() as session:
        if end == "removed":
            await session.execute(delete(Member).where(Member.account_id == ana))
        elif end == "signed out":
            await sign_ins.end_all(session, ana)
        else:
            shut = update(Account).where(Account.id == ana)
            await session.execute(shut.values(disabled_at=now()))
    while (heard := await next_of(stream))[0] == "beat":
        pass
    assert heard == ("end", {})
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_the_hub_ends_with_streams_open(hub: Front, cast: Cast, ana_listens: Listener):
    own = Bell(hub.state.database, Queue(hub.state.database), mails=False)
    stream = own.stream(ana_listens)
    await next_of(stream)
    waiting = asyncio.create_task(next_of(stream))
    await asyncio.sleep(0.05)
    own.close()
    assert await waiting == ("end", {})


async def test_the_stream_is_for_members(hub: Front, mallory: Browser, client: Browser):
    assert (await mallory.get("/clinic/notices/stream")).status_code == 404
    assert (await client.get("/clinic/notices/stream")).headers["location"].startswith("/sign-in")

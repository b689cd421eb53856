"""Releases at a later time, on the pages."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pytest
from sqlalchemy import select, update

from hub.db import now
from hub.front import Front
from hub.registry.labels.due import Due
from hub.registry.review.models import Scheduled
from tests.cast import Browser
from tests.test_releases_pages import NAMES, TRIAGE, live, put, release_all
from tests.test_writing import editor, make


@pytest.fixture
async def shelf(ana: Browser) -> None:
    """Three prompts; the first has two versions."""
    for name in NAMES:
        await make(ana, name)
    page = await ana.get(TRIAGE)
    form = editor(page.text, "Be calm and brief.", action="save", message="Callers hung up")
    assert (await ana.post_form(TRIAGE, form)).status_code == 303


async def test_ben_schedules_from_the_sheet_and_everybody_sees_it(shelf, hub: Front, ben, carla):
    due = (now() + timedelta(days=2)).strftime("%Y-%m-%dT09:00")
    answer = await put(ben, 2, "", when="later", due=due, offset="120")
    assert answer.status_code == 303
    async with hub.state.database.read() as db:
        row = (await db.scalars(select(Scheduled))).one()
    assert row.due_at.strftime("%Y-%m-%dT%H:%M") == due.replace("T09", "T07")
    page = await ben.get(TRIAGE)
    assert "at 9:00." in unescape(page.text)  # on Ben's own clock
    assert "goes into production" in (await carla.get(TRIAGE)).text
    assert "by Ben Carter" in (await carla.get(TRIAGE)).text
    sheet = await ben.get("/clinic/release/production/support/triage")
    assert "v2 is scheduled already, by Ben Carter" in sheet.text
    listed = await carla.get("/clinic/scheduled")
    assert "Agreed on v2" in listed.text
    assert "Cancel it" not in listed.text
    assert await live(ben) == ""
    async with hub.state.database.write() as db:
        await db.execute(update(Scheduled).values(due_at=now() - timedelta(seconds=1)))
    await Due(hub.state.database, hub.state.publisher).look()
    assert await live(ben) == "2"
    assert "Done" in (await carla.get("/clinic/scheduled")).text


@pytest.mark.parametrize("due", ["", "soon", "2001-01-01T09:00", "9999-12-31T23:59"])
async def test_a_moment_that_will_not_do_is_said_and_all_is_kept(shelf, ben: Browser, due: str):
    answer = await put(ben, 2, "", when="later", due=due, reason="The new wing opens")
    assert answer.status_code == 422
    assert "The new wing opens" in answer.text
    assert await live(ben) == ""


async def test_a_moment_and_the_button_for_now_move_nothing(shelf, ben: Browser):
    """Whoever typed a moment did not mean now: production moves for nobody by mistake."""
    due = (now() + timedelta(days=2)).strftime("%Y-%m-%dT09:00")
    for answer in (await put(ben, 2, "", due=due), await release_all(ben, due=due)):
        assert answer.status_code == 422
        assert "so nothing was moved" in unescape(answer.text)
        assert due in answer.text
    assert await live(ben) == ""


async def test_who_may_release_cancels_and_others_do_not(shelf, ben, ana, carla, mallory):
    due = (now() + timedelta(days=2)).strftime("%Y-%m-%dT09:00")
    await put(ben, 2, "", when="later", due=due)
    page = await ben.get("/clinic/scheduled")
    url = re.search(r'action="(/clinic/scheduled/\d+/cancel)"', page.text)
    assert url
    for browser, status in ((ana, 403), (carla, 403), (mallory, 404)):
        assert (await browser.post_form(url[1])).status_code == status
    assert (await ben.post_form(url[1])).status_code == 303
    assert "Cancelled by Ben Carter" in (await carla.get("/clinic/scheduled")).text
    assert (await ben.post_form(url[1])).status_code == 409
    assert "goes into production" not in (await ben.get(TRIAGE)).text


async def test_several_are_scheduled_together_and_a_refusal_is_shown(shelf, hub, ben, maria):
    due = (now() + timedelta(days=2)).strftime("%Y-%m-%dT09:00")
    done = await release_all(ben, when="later", due=due)
    assert done.headers["location"] == "/clinic/scheduled"
    await put(maria, 1, "")
    async with hub.state.database.write() as db:
        await db.execute(update(Scheduled).values(due_at=now() - timedelta(seconds=1)))
    await Due(hub.state.database, hub.state.publisher).look()
    page = await ben.get("/clinic/scheduled")
    assert "Refused" in page.text
    assert "production of support/triage is at version 1 now, not unset" in unescape(page.text)
    assert [await live(ben, name) for name in NAMES] == ["1", "", ""]

"""The rules over every door of a release: one, several, scheduled, taken back, over REST."""

from __future__ import annotations

from datetime import timedelta
from html import unescape

import httpx
import pytest
from sqlalchemy import select, update

from hub.db import now
from hub.front import Front
from hub.people import rules
from hub.registry.indexing import index
from hub.registry.labels.due import Due
from hub.registry.models import Label, LabelMove, Version
from hub.registry.review.models import Merge, Scheduled
from tests.cast import Browser, Cast
from tests.clinic_story import NAME, NEW, Story
from tests.test_releases_pages import fields

RULE = rules.Rule(kind="release", folder="clinical", label="production", approvals=2)
SHEET = f"/clinic/release/production/{NAME}"


@pytest.fixture
async def story(hub: Front, cast: Cast) -> Story:
    """Two versions under a rule; version 1 went live, and a free prompt has one version."""
    made = Story(hub.state.publisher, hub.state.database, cast)
    first = await made.saved()
    await made.saved(NEW, base=first.hash)
    await made.saved(name="free/letter")
    await made.live(1)
    await made.rules(RULE)
    return made


async def live(story: Story) -> dict[str, int]:
    async with story.database.read() as db:
        found = await db.scalars(select(Label).where(Label.label == "production"))
        return {one.prompt_id: one.version for one in found}


async def put(browser: Browser, **more: str) -> httpx.Response:
    form = {"version": "2", "expected": "1", "reason": "Agreed"} | more
    return await browser.post_form(SHEET, form)


async def test_a_refusal_is_said_and_only_an_administrator_is_offered_to_break_glass(
    story: Story, ben: Browser, maria: Browser
):
    for browser, offered in ((ben, False), (maria, True)):
        answer = await put(browser)
        assert answer.status_code == 403
        assert "approval" in answer.text
        assert "Agreed" in answer.text  # what was typed is kept
        assert ("Break glass" in answer.text) is offered
    refused = await put(ben, broke_glass="I am in a hurry")
    assert refused.status_code == 403
    assert set((await live(story)).values()) == {1}


async def test_glass_is_broken_at_once_and_shown_in_red_for_ever(
    story: Story, maria: Browser, carla: Browser
):
    answer = await put(maria, broke_glass="A patient was sent home")
    assert answer.status_code == 303
    assert set((await live(story)).values()) == {2}
    await index.reindex(
        story.database, story.publisher.repository("clinic"), story.cast.workspace.id
    )
    history = await carla.get(f"/clinic/labels/production/{NAME}")
    assert "Glass was broken" in history.text
    async with story.database.read() as db:
        moves = list(await db.scalars(select(LabelMove).order_by(LabelMove.id)))
    assert [move.broke_glass for move in moves] == [False, True]
    released = await carla.get(f"/clinic/released/{moves[-1].commit}")
    assert "The rules were set aside" in released.text


async def test_one_that_the_rules_refuse_stops_the_others(story: Story, ben: Browser, maria):
    before = await live(story)
    for browser in (ben, maria):
        form = {
            "to.production": "yes", f"pick.{NAME}": "yes", f"version.{NAME}": "2",
            "pick.free/letter": "yes", "version.free/letter": "1",
        }  # fmt: skip
        look = await browser.post_form("/clinic/release-several/look", form)
        sheet = fields(look, "release") | {"reason": "The autumn round"}
        refused = await browser.post_form("/clinic/release-several", sheet)
        assert refused.status_code == 403
        assert "approval" in refused.text
        assert "The autumn round" in refused.text
        assert await live(story) == before
    assert "Break glass" in refused.text
    again = fields(refused, "release") | {"broke_glass": "A patient was sent home"}
    assert (await maria.post_form("/clinic/release-several", again)).status_code == 303
    assert sorted((await live(story)).values()) == [1, 2]


async def test_an_app_meets_the_same_rules_in_one_step_or_many(
    story: Story, client: Browser, write_key: dict[str, str]
):
    before = await live(story)
    moves = [
        {"label": "production", "name": "free/letter", "version": 1},
        {"label": "production", "name": NAME, "version": 2},
    ]
    sent = {"moves": moves, "reason": "CI", "break_glass": "CI is in a hurry"}
    answer = await client.put("/api/v1/releases", headers=write_key, json=sent)
    assert answer.status_code == 403
    assert "approval" in answer.json()["detail"]
    assert answer.json()["missing"]
    assert await live(story) == before


async def test_the_rules_are_asked_when_it_is_due_not_when_it_is_scheduled(
    story: Story, hub: Front, ben: Browser
):
    await story.rules(rules.Rule(kind="release", folder="elsewhere"))
    due = (now() + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M")
    assert (await put(ben, when="later", due=due)).status_code == 303
    await story.rules(RULE)
    async with hub.state.database.write() as db:
        await db.execute(update(Scheduled).values(due_at=now() - timedelta(seconds=1)))
    await Due(hub.state.database, hub.state.publisher).look()
    page = await ben.get("/clinic/scheduled")
    assert "Refused" in page.text
    assert "approval" in unescape(page.text)
    assert set((await live(story)).values()) == {1}


async def test_going_back_to_what_was_live_before_needs_no_new_approval(
    story: Story, ben: Browser, maria: Browser
):
    await put(maria, broke_glass="A patient was sent home")
    page = await ben.get(f"/clinic/prompts/{NAME}")
    assert "Roll back to v1" in page.text
    async with story.database.read() as db:
        last = (await db.scalars(select(LabelMove).order_by(LabelMove.id.desc()))).first()
    assert last
    assert (await ben.post_form(f"/clinic/put-back/{last.commit}/{NAME}")).status_code == 303
    assert set((await live(story)).values()) == {1}
    again = await ben.post_form(SHEET, {"version": "2", "expected": "1", "reason": "Once more"})
    assert again.status_code == 403


async def test_who_approved_is_named_on_the_sheet(story: Story, ben: Browser):
    async with story.database.write() as db:
        two = (await db.scalars(select(Version).where(Version.number == 2))).one()
        db.add(
            Merge(
                workspace_id=two.workspace_id, commit=two.commit, number=7, revision=1,
                digest="0" * 64, target=None, blobs=[two.blob], merged_by="Ben Carter",
                reviewers=["Carla Diaz <carla@example.org>", "Maria Santos <maria@example.org>"],
                merged_email="ben@example.org", broke_glass=False, at=now(),
            )
        )  # fmt: skip
    sheet = await ben.get(SHEET)
    assert "Carla Diaz, Maria Santos" in sheet.text
    assert "in proposal 7" in sheet.text
    older = await ben.get(f"{SHEET}?version=1")
    assert "Nobody was asked to approve" in older.text

"""Several changes, a rename and a deletion go up together, and land together or not at all."""

from __future__ import annotations

import re

from hub.registry import drafts
from tests.cast import Browser, title
from tests.clinic_story import NEW, Story
from tests.proposal_page import seen
from tests.test_propose_pages import draft


async def test_several_drafts_go_together(story: Story, ana: Browser):
    for name in ("open/a", "open/b", "open/c"):
        await story.saved(name=name)
        await draft(story, NEW, name=name)
    page = await ana.get("/clinic/propose-several")
    assert page.text.count('name="draft"') == 3
    ids = re.findall(r'name="draft" value="([^"]+)"', page.text)
    none = await ana.post_form("/clinic/propose-several", {"title": "Both", "why": "So"})
    assert none.status_code == 422
    assert 'value="Both"' in none.text
    form = {"title": "Both", "why": "So", "into": "new", "draft": ids[:2]}
    done = await ana.post_form("/clinic/propose-several", form, follow_redirects=True)
    assert title(done) == "Both"
    assert len((await seen(story)).items) == 2
    async with story.database.read() as db:
        left = await drafts.names(db, story.cast.workspace.id, story.cast.account_ids["ana"])
    assert len(left) == 1


async def test_a_rename_and_a_deletion_go_up_with_what_is_there(story: Story, ana: Browser):
    for name in ("open/a", "open/b", "open/c", "open/d"):
        await story.saved(name=name)
    for name in ("open/a", "open/b"):
        await draft(story, NEW, name=name)
    home = await ana.get("/clinic")
    assert "/clinic/propose-several" in home.text
    page = await ana.get("/clinic/propose-several")
    ids = re.findall(r'name="draft" value="([^"]+)"', page.text)
    form = {"title": "All", "why": "So", "into": "new", "draft": ids}
    await ana.post_form("/clinic/propose-several", form)
    made = (await seen(story)).number
    assert f"Together with proposal {made}" in (await ana.get("/clinic/rename/open/c")).text
    offered = {"action": "propose", "into": str(made)}
    await ana.post_form("/clinic/rename/open/c", offered | {"new_name": "open/see"})
    await ana.post_form("/clinic/delete/open/d", offered)
    view = await seen(story)
    assert [one.kind for one in view.items] == ["change", "change", "rename", "delete"]
    assert f"Together with proposal {made}" not in (await ana.get("/clinic/rename/open/a")).text
    again = await ana.post_form("/clinic/rename/open/a", offered | {"new_name": "open/ay"})
    assert again.status_code == 409
    assert "one thing to a prompt" in again.text
    assert (await seen(story)).revision == view.revision

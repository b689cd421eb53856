"""Merging a proposal, through the front door."""

from __future__ import annotations

import re

from hub.front import Front
from hub.people import rules
from hub.registry.reading import catalog
from tests.cast import Browser, Cast
from tests.clinic_story import NAME, OLD, Story
from tests.proposal_page import HERE, PART, digest_of, seen, words


async def live(hub: Front, cast: Cast) -> int:
    async with hub.state.database.read() as db:
        return (await catalog.version(db, cast.workspace.id, NAME, label="production")).number


async def test_the_sheet_names_what_it_replaces_and_one_press_takes_it_back(
    hub: Front, cast: Cast, story: Story, ben: Browser
):
    await story.saved()
    await story.live()
    await story.rules()
    made = await story.proposed(target="production")
    await story.approved(made.digest, who="ben")
    assert "Put live…" in words(await ben.get(HERE))
    sheet = await ben.get(f"{HERE}/merge", headers=PART)
    for said in ("Live v2", "replaces version 1", "Ben Carter approved", "Put v2 into production"):
        assert said in words(sheet)
    assert re.search(r'button-danger"[^>]*name="release"', sheet.text)
    done = await ben.post_form(
        f"{HERE}/merge", {"digest": digest_of(sheet), "release": "yes"}, follow_redirects=True
    )
    assert "Version 2 is in production now, instead of 1." in words(done)
    assert await live(hub, cast) == 2
    assert "Merged by Ben Carter" in words(done)
    undo = re.search(r'action="(/clinic/put-back/[0-9a-f]{40})"', done.text)
    assert undo
    await ben.post_form(undo[1])
    assert await live(hub, cast) == 1


async def test_merging_without_a_release_leaves_what_is_live(
    hub: Front, cast: Cast, story: Story, ana: Browser
):
    await story.saved()
    await story.live()
    made = await story.proposed()
    sheet = await ana.get(f"{HERE}/merge")
    assert "Make it version 2" in words(sheet)
    await ana.post_form(f"{HERE}/merge", {"digest": made.digest})
    assert (await seen(story)).state == "merged"
    assert await live(hub, cast) == 1


async def test_what_is_missing_is_said_and_glass_is_for_administrators(
    story: Story, ben: Browser, maria: Browser
):
    await story.saved()
    await story.rules()
    made = await story.proposed()
    theirs = await ben.get(f"{HERE}/merge")
    assert "Changes under clinical/ need one approval from reviewers." in words(theirs)
    assert "Break glass" not in words(theirs)
    refused = await ben.post_form(f"{HERE}/merge", {"digest": made.digest, "reason": "Now, please"})
    assert refused.status_code == 403
    assert "Now, please" in refused.text
    assert "Break glass" in words(await maria.get(f"{HERE}/merge"))
    without = await maria.post_form(f"{HERE}/merge", {"digest": made.digest, "broke_glass": " "})
    assert without.status_code == 403
    done = await maria.post_form(
        f"{HERE}/merge", {"digest": made.digest, "broke_glass": "Patients wait"},
        follow_redirects=True,
    )  # fmt: skip
    assert "Glass broken" in words(done)
    assert (await seen(story)).state == "merged"


async def test_a_rule_about_releases_leaves_merging_alone(
    hub: Front, cast: Cast, story: Story, ana: Browser
):
    """Ana may save and may not release: she is offered the one and told about the other."""
    await story.saved()
    await story.live()
    await story.rules(rules.Rule(kind="release", label="production", approvals=0))
    made = await story.proposed(target="production")
    sheet = await ana.get(f"{HERE}/merge")
    assert "Make it version 2" in words(sheet)
    assert "Put v2 into production</button>" not in sheet.text
    await ana.post_form(f"{HERE}/merge", {"digest": made.digest})
    assert await live(hub, cast) == 1


async def test_what_fits_is_brought_together_and_shown_before_it_lands(story: Story, ben: Browser):
    first = await story.saved()
    made = await story.proposed()
    await story.saved(OLD.replace("Be kind.", "Be very kind."), base=first.hash, who="ben")
    page = await ben.get(HERE)
    assert "clinical/triage is at version 2 now, by Ben Carter." in words(page)
    assert "Bring it up to date" in words(page)
    late = await ben.post_form(f"{HERE}/merge", {"digest": made.digest}, follow_redirects=True)
    assert "Both were brought together as revision 2" in words(late)
    view = await seen(story)
    assert (view.state, view.revision, view.mergeable) == ("open", 2, "clean")
    assert "very kind" in view.items[0].new.messages[0].content  # pyright: ignore[reportOptionalMemberAccess]

"""Giving a word on a proposal, through the front door."""

from __future__ import annotations

import html

from hub.registry.review.proposals import Wanted
from tests.cast import Browser, Cast
from tests.clinic_story import NAME, NEW, Story, doc
from tests.proposal_page import HERE, PART, digest_of, seen, words


async def test_approve_sends_what_is_on_the_screen(story: Story, ben: Browser):
    await story.saved()
    await story.rules()
    await story.proposed()
    page = await ben.get(HERE)
    await story.revised(Wanted(kind="change", name=NAME, document=doc(NEW + " Worse.")))
    late = await ben.post_form(f"{HERE}/review", {"digest": digest_of(page), "verdict": "approve"})
    assert late.status_code == 409
    assert "That did not happen" in words(late)
    assert (await seen(story)).state_now == "open"
    fresh = await ben.get(HERE)
    done = await ben.post_form(
        f"{HERE}/review", {"digest": digest_of(fresh), "verdict": "approve"},
        follow_redirects=True,
    )  # fmt: skip
    assert "you, approved" in words(done)
    assert (await seen(story)).state_now == "approved"
    back = await ben.post_form(f"{HERE}/review", {"digest": digest_of(fresh), "verdict": "none"})
    assert back.status_code == 303
    assert (await seen(story)).state_now == "open"


async def test_asking_for_a_change_keeps_the_words(story: Story, ben: Browser):
    await story.saved()
    await story.rules()
    made = await story.proposed()
    sheet = await ben.get(f"{HERE}/ask", headers=PART)
    assert sheet.text.lstrip().startswith(("<dialog", "\n<dialog"))
    empty = await ben.post_form(
        f"{HERE}/review", {"digest": digest_of(sheet), "verdict": "changes", "body": " "}
    )
    assert empty.status_code == 422
    words_typed = "Name the <day> of birth too."
    await story.revised(Wanted(kind="change", name=NAME, document=doc(NEW + " Worse.")))
    stale = await ben.post_form(
        f"{HERE}/review", {"digest": made.digest, "verdict": "changes", "body": words_typed}
    )
    assert stale.status_code == 409
    assert words_typed in html.unescape(stale.text)
    done = await ben.post_form(
        f"{HERE}/review",
        {"digest": digest_of(stale), "verdict": "changes", "body": words_typed},
        follow_redirects=True,
    )  # fmt: skip
    assert "Ben Carter asked for a change." in words(done)


async def test_the_author_is_offered_no_approval_and_gets_none(story: Story, ana: Browser):
    await story.saved()
    made = await story.proposed()
    page = await ana.get(HERE)
    assert "Approve what you see" not in page.text
    tried = await ana.post_form(f"{HERE}/review", {"digest": made.digest, "verdict": "approve"})
    assert tried.status_code == 403
    assert "somebody else has to approve it" in words(tried)


async def test_hidden_characters_need_a_tick_of_their_own(story: Story, ben: Browser):
    await story.saved()
    await story.proposed(
        Wanted(kind="change", name=NAME, document=doc(NEW.replace("kind", "ki\u200bnd")))
    )
    page = await ben.get(HERE)
    assert "Hidden characters" in words(page)
    assert "U+200B" in page.text
    assert 'name="saw_hidden"' in page.text
    word = {"digest": digest_of(page), "verdict": "approve"}
    assert (await ben.post_form(f"{HERE}/review", word)).status_code == 422
    ticked = await ben.post_form(f"{HERE}/review", word | {"saw_hidden": "yes"})
    assert ticked.status_code == 303


async def test_decline_needs_a_reason_and_can_be_undone(story: Story, ben: Browser, ana: Browser):
    await story.saved()
    await story.proposed()
    assert (await ana.get(f"{HERE}/decline")).status_code == 200
    none = await ben.post_form(f"{HERE}/decline", {"reason": ""})
    assert none.status_code == 422
    done = await ben.post_form(
        f"{HERE}/decline", {"reason": "We do this elsewhere"}, follow_redirects=True
    )
    assert "Declined by Ben Carter: “We do this elsewhere”" in words(done)
    assert f'action="{HERE}/reopen"' in done.text
    await ben.post_form(f"{HERE}/reopen")
    assert (await seen(story)).state == "open"
    await ana.post_form(f"{HERE}/withdraw")
    assert (await seen(story)).state == "withdrawn"


async def test_reviewers_are_asked_and_watching_is_up_to_each(
    story: Story, ana: Browser, carla: Browser, cast: Cast
):
    await story.saved()
    await story.proposed()
    ben = cast.account_ids["ben"]
    assert "Ben Carter" in (await ana.get(f"{HERE}/reviewers")).text
    await ana.post_form(f"{HERE}/reviewers", {"who": str(ben)})
    assert [one.name for one in (await seen(story)).words] == ["Ben Carter"]
    refused = await carla.post_form(f"{HERE}/reviewers", {"who": str(cast.account_ids["maria"])})
    assert refused.status_code == 403
    await carla.post_form(f"{HERE}/subscribe", {"how": "watch"})
    assert "Tell me nothing more" in (await carla.get(HERE)).text
    await carla.post_form(f"{HERE}/subscribe", {"how": "mute"})
    assert "Tell me what happens here" in (await carla.get(HERE)).text

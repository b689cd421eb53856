"""Putting a change up for review, through the front door: nothing typed is ever lost."""

from __future__ import annotations

import html
import re

import pytest

from hub.people import rules
from hub.registry import drafts
from hub.registry.prompt.document import to_json
from hub.registry.review.proposals import Wanted
from tests.cast import Browser, Cast, title
from tests.clinic_story import NAME, NEW, OLD, Story, doc
from tests.proposal_page import seen, words

PAGE = f"/clinic/propose/{NAME}"
WRITE = f"/clinic/prompts/{NAME}"


async def draft(story: Story, content: str = NEW, *, who: str = "ana", name: str = NAME) -> None:
    async with story.database.write() as db:
        from hub.registry.reading import catalog

        latest = await catalog.version(db, story.cast.workspace.id, name)
        tree = to_json(doc(content, id=latest.prompt_id))
        await drafts.put(
            db, story.cast.workspace.id, story.cast.account_ids[who], latest.prompt_id, tree,
            name=name, base=latest.hash, base_version=latest.number,
        )  # fmt: skip


async def has_draft(story: Story, who: str = "ana") -> bool:
    async with story.database.read() as db:
        return bool(await drafts.names(db, story.cast.workspace.id, story.cast.account_ids[who]))


async def test_where_a_rule_applies_the_editor_says_propose(story: Story, ana: Browser):
    await story.saved()
    before = await ana.get(WRITE)
    assert re.search(r'value="ask"[^>]*>\s*Save version…', before.text)
    assert re.search(r'value="propose"[^>]*>\s*Propose…', before.text)
    await story.rules()
    page = await ana.get(WRITE)
    assert "Save version…" not in page.text
    assert re.search(r'button-primary"[^>]*value="propose"', page.text)
    form = {"role": "system", "content": NEW, "origin": "0", "action": "propose", "revision": "0"}
    gone = await ana.post_form(WRITE, form)
    assert (gone.status_code, gone.headers["location"]) == (303, PAGE)
    assert await has_draft(story)


async def test_a_draft_becomes_a_proposal_and_is_dropped_only_then(
    story: Story, ana: Browser, cast: Cast
):
    await story.saved()
    await story.rules()
    await draft(story)
    page = await ana.get(PAGE)
    assert title(page) == "Propose a change to Call-back triage"
    assert "Changes under clinical/ need 1 approval from reviewers" in words(page)
    assert "in any case" in page.text
    ben = cast.account_ids["ben"]
    assert re.search(rf'name="who" value="{ben}"[^>]*checked', page.text)
    typed = {"why": "Callers type <small> letters", "target": "production", "who": str(ben)}
    empty = await ana.post_form(PAGE, typed | {"title": " ", "into": "new"})
    assert empty.status_code == 422
    assert "Callers type <small> letters" in html.unescape(empty.text)
    assert 'value="production"' in empty.text
    assert await has_draft(story)
    done = await ana.post_form(
        PAGE, typed | {"title": "Any case", "into": "new"}, follow_redirects=True
    )
    assert title(done) == "Any case"
    assert not await has_draft(story)
    view = await seen(story)
    assert (view.target, view.why) == ("production", "Callers type <small> letters")
    assert [one.name for one in view.words if one.requested] == ["Ben Carter"]
    assert "open for review" in words(await ana.get(WRITE))


async def test_the_next_draft_is_offered_as_a_revision(story: Story, ana: Browser):
    await story.saved()
    await story.proposed()
    await draft(story, NEW + " Slowly.")
    page = await ana.get(PAGE)
    assert "Add as revision 2 of proposal 1" in words(page)
    assert re.search(r'name="into" value="1" checked', page.text)
    typed = {"into": "1", "revision-1": "1", "title": "", "why": "Slower"}
    done = await ana.post_form(PAGE, typed, follow_redirects=True)
    assert "Revision 2 is up for review." in words(done)
    assert (await seen(story)).revision == 2


async def test_a_revision_that_is_not_the_latest_any_more_keeps_the_draft(
    story: Story, ana: Browser
):
    await story.saved()
    await story.proposed()
    await draft(story, NEW + " Slowly.")
    await story.revised(Wanted(kind="change", name=NAME, document=doc(NEW + " Fast.")), who="ben")
    late = await ana.post_form(PAGE, {"into": "1", "revision-1": "1", "why": "Slower"})
    assert late.status_code == 409
    assert "Slower" in late.text
    assert await has_draft(story)
    alone = {"into": "new", "title": "My own", "why": "Slower"}
    assert (await ana.post_form(PAGE, alone)).status_code == 303
    assert (await seen(story, 2)).title == "My own"


async def test_write_on_takes_the_proposals_text(story: Story, ana: Browser):
    await story.saved()
    await story.proposed()
    id = (await seen(story)).items[0].prompt_id
    page = await ana.post_form(
        "/clinic/proposals/1/write", {"prompt_id": id}, follow_redirects=True
    )
    assert "in any case" in page.text
    assert "This is revision 1 of proposal 1" in words(page)
    await draft(story, "Mine, unsaved")
    again = await ana.post_form(
        "/clinic/proposals/1/write", {"prompt_id": id}, follow_redirects=True
    )
    assert "left as it is" in words(again)
    assert "Mine, unsaved" in again.text


async def test_a_viewer_suggests(story: Story, carla: Browser):
    await story.saved(variables=(), parameters={"temperature": 0.3})
    page = await carla.get(WRITE)
    assert "Suggest a change" in words(page)
    sheet = await carla.get(PAGE)
    assert title(sheet) == "Suggest a change to Call-back triage"
    assert OLD in html.unescape(sheet.text)
    typed = {
        "title": "", "why": "It reads odd", "role": "system", "origin": "0", "message_name": "",
        "content": NEW.replace("\n", "\r\n"), "base_version": "1",
    }  # fmt: skip
    refused = await carla.post_form(PAGE, typed)
    assert refused.status_code == 422
    assert NEW in html.unescape(refused.text)
    done = await carla.post_form(PAGE, typed | {"title": "Any case"}, follow_redirects=True)
    assert title(done) == "Any case"
    new = (await seen(story)).items[0].new
    assert new is not None
    assert (new.messages[0].content, new.parameters) == (NEW, {"temperature": 0.3})


async def test_a_viewer_writes_on_at_what_they_suggested(
    story: Story, carla: Browser, ben: Browser, maria: Browser
):
    """The next revision, with the text of the last one to write at; nobody else's proposal."""
    await story.saved(variables=())
    typed = {
        "title": "Any case", "why": "It reads odd", "role": "system", "origin": "0",
        "message_name": "", "content": NEW, "base_version": "1",
    }  # fmt: skip
    await carla.post_form(PAGE, typed)
    shown = await carla.get("/clinic/proposals/1")
    assert f"{PAGE}?into=1" in html.unescape(shown.text)
    sheet = await carla.get(f"{PAGE}?into=1")
    assert title(sheet) == "Write on at “Any case”"
    assert NEW in html.unescape(sheet.text)
    again = typed | {"title": "", "content": f"{NEW} Be brief.", "into": "1", "revision-1": "1"}
    done = await carla.post_form(PAGE, again | {"target": "production"}, follow_redirects=True)
    assert "Revision 2 is up for review." in words(done)
    assert "New since you looked" not in words(done), "they wrote it"
    view = await seen(story)
    assert (view.revision, view.title, view.target) == (2, "Any case", "production")
    new = view.items[0].new
    assert new is not None
    assert new.messages[0].content == f"{NEW} Be brief."
    late = await carla.post_form(PAGE, again | {"content": "Late"})
    assert late.status_code == 409
    assert "Late" in late.text
    stranger = await ben.post_form(PAGE, again | {"into": "1", "revision-1": "2"})
    assert "Write on at" not in words(stranger)


@pytest.mark.parametrize(
    ("sheet", "fields", "kind"),
    [("rename", {"new_name": "clinical/sorting", "reason": "Clearer"}, "rename"),
     ("delete", {"reason": "Not used"}, "delete")],
)  # fmt: skip
async def test_a_rename_or_a_delete_is_proposed_from_its_sheet(
    story: Story, ana: Browser, sheet: str, fields: dict[str, str], kind: str
):
    await story.saved()
    assert "Propose to" not in (await ana.get(f"/clinic/{sheet}/{NAME}")).text
    await story.rules()
    assert f"Propose to {kind} it" in words(await ana.get(f"/clinic/{sheet}/{NAME}"))
    done = await ana.post_form(
        f"/clinic/{sheet}/{NAME}", fields | {"action": "propose"}, follow_redirects=True
    )
    assert "is up for review" in words(done)
    view = await seen(story)
    assert (view.items[0].kind, view.why) == (kind, fields["reason"])
    assert "Waiting for one approval from reviewers." in words(done)


async def test_a_release_is_proposed_from_its_sheet(story: Story, ben: Browser):
    await story.saved()
    await story.rules(rules.Rule(kind="release", label="production", who=("role:admin",)))
    url = f"/clinic/release/production/{NAME}"
    assert "Propose it instead" in words(await ben.get(url))
    typed = {"reason": "Ready", "version": "1", "expected": "", "action": "propose"}
    done = await ben.post_form(url, typed, follow_redirects=True)
    assert "Version 1 goes to production" in words(done)
    assert "Waiting for one approval from administrators before production moves." in words(done)


async def test_a_new_prompt_in_a_reviewed_folder_is_proposed(story: Story, ana: Browser):
    await story.rules()
    typed = {"name": "clinical/new", "title": "New", "text": "Hello there", "message": "We need it"}
    refused = await ana.post_form("/clinic/new", typed)
    assert refused.status_code == 403
    assert "Hello there" in refused.text
    assert "Propose it instead" in words(refused)
    done = await ana.post_form("/clinic/new", typed | {"action": "propose"}, follow_redirects=True)
    assert "A new prompt" in words(done)


async def test_title_reason_and_target_can_be_said_better(story: Story, ana: Browser):
    await story.saved()
    await story.rules()
    made = await story.proposed()
    await story.approved(made.digest)
    url = "/clinic/proposals/1/edit"
    assert 'name="title"' in (await ana.get(url)).text
    wrong = await ana.post_form(url, {"title": "", "why": "Kept words", "revision": "1"})
    assert wrong.status_code == 422
    assert "Kept words" in wrong.text
    await ana.post_form(url, {"title": "Better said", "why": "So", "revision": "1"})
    view = await seen(story)
    assert (view.title, view.state_now) == ("Better said", "approved")


async def test_strangers_and_passers_by(story: Story, mallory: Browser, carla: Browser):
    await story.saved()
    assert (await mallory.get(PAGE)).status_code == 404
    assert (await mallory.post_form(PAGE, {"title": "x"})).status_code == 404
    assert (await carla.get("/clinic/propose-several")).status_code == 403


async def test_without_a_draft_there_is_nothing_to_propose(story: Story, ana: Browser):
    await story.saved()
    gone = await ana.get(PAGE)
    assert (gone.status_code, gone.headers["location"]) == (303, WRITE)
    none = await ana.post_form(PAGE, {"title": "Any case", "into": "new"})
    assert none.status_code == 409

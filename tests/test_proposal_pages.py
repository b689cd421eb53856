"""Reading a proposal and giving a word on it, through the front door."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser

import httpx
import pytest

from hub.front import Front
from hub.people import rules
from hub.registry import catalog
from hub.registry.review import record
from hub.registry.review.proposals import Wanted
from hub.registry.review.views import View
from tests.cast import Browser, Cast, title
from tests.clinic_story import NAME, NEW, OLD, TITLE, WHY, Story, doc

HERE = "/clinic/proposals/1"
PART = {"HX-Request": "true", "HX-Request-Type": "partial"}


@pytest.fixture
async def story(hub: Front, cast: Cast) -> Story:
    return Story(hub.state.publisher, hub.state.database, cast)


async def seen(story: Story, number: int = 1) -> View:
    async with story.database.read() as db:
        return await record.get(db, story.cast.workspace.id, number)


def words(page: httpx.Response) -> str:
    """What a reader of the page reads."""
    text = re.sub(r"<(script|style|svg)\b.*?</\1>", " ", page.text, flags=re.S)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", "", text)).split())


def digest_of(page: httpx.Response) -> str:
    found = re.search(r'name="digest" value="([0-9a-f]{64})"', page.text)
    assert found
    return found[1]


# ── reading ─────────────────────────────────────────────────────────────────────────────────────


async def test_the_head_says_who_what_why_and_whom_it_waits_for(story: Story, ben: Browser):
    await story.saved()
    await story.rules()
    await story.proposed(target="production", asked=("ben",))
    page = await ben.get(HERE)
    assert page.status_code == 200
    assert title(page) == TITLE
    for said in ("Open", "Proposal 1", "by Ana Oliveira", "production", WHY,
                 "Waiting for one approval from reviewers.", "you, not yet"):  # fmt: skip
        assert said in words(page)
    tabs = re.findall(r'class="tab" href="([^"]+)"', page.text)
    assert tabs == [HERE, f"{HERE}/answers", f"{HERE}/talk", f"{HERE}/revisions"]


async def test_words_struck_and_added_carry_their_place(story: Story, ben: Browser):
    await story.saved()
    await story.proposed()
    page = await ben.get(HERE)
    id = (await seen(story)).items[0].prompt_id
    assert f'data-prompt="{id}" data-place="messages/0"' in page.text
    at = NEW.index("name") + len("name")
    assert f'<ins data-at="{at}">, in any case</ins>' in page.text


async def test_struck_words_count_in_the_old_text(story: Story, ben: Browser):
    await story.saved()
    await story.proposed(
        Wanted(kind="change", name=NAME, document=doc(OLD.replace("soon to", "to")))
    )
    page = await ben.get(HERE)
    at = OLD.index("soon")
    assert re.search(rf'<del data-at="{at}"[^>]*data-place="old/messages/0">soon </del>', page.text)


async def test_offsets_hold_for_every_stretch(story: Story, ben: Browser):
    """Whatever the change: the stretches of a place, put at their offsets, are its text."""
    new = "Ünïcode 🩺 first.\n" + OLD.replace("Be kind", "Be\u200b very <kind>") + "\n\n{{ name }}"
    await story.saved()
    await story.proposed(Wanted(kind="change", name=NAME, document=doc(new)))
    for view in ("inline", "side"):
        reader = Stretches()
        reader.feed((await ben.get(f"{HERE}?view={view}")).text)
        shown = reader.of["messages/0"]
        assert "".join(shown[at] for at in sorted(shown)) == new
        assert all(new.startswith(text, at) for at, text in shown.items())


class Stretches(HTMLParser):
    """What a script that follows `registry/proposals/_texts.html` would find: text by offset."""

    def __init__(self) -> None:
        super().__init__()
        self.of: dict[str, dict[int, str]] = {}
        self._open: list[tuple[str, str | None, int | None]] = [("", None, None)]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("input", "br", "meta", "link", "path", "img", "hr"):
            return
        given = dict(attrs)
        _, place, at = self._open[-1]
        place = given.get("data-place") or place
        at = int(given["data-at"] or 0) if "data-at" in given else at
        if "data-length" in given:
            self._say(place, at, "\u200b" * int(given["data-length"] or 0))
            at = None
        self._open.append((tag, place, at))

    def handle_endtag(self, tag: str) -> None:
        if tag in [one[0] for one in self._open]:
            while self._open.pop()[0] != tag:
                pass

    def handle_data(self, data: str) -> None:
        _, place, at = self._open[-1]
        self._say(place, at, data)

    def _say(self, place: str | None, at: int | None, text: str) -> None:
        if place is not None and at is not None:
            texts = self.of.setdefault(place, {})
            texts[at] = texts.get(at, "") + text


async def test_side_by_side_holds_both_texts(story: Story, ben: Browser):
    await story.saved()
    await story.proposed()
    page = await ben.get(f"{HERE}?view=side")
    old = "".join(re.findall(r'<div class="side-old"[^>]*>(.*?)</div>', page.text, re.S))
    new = "".join(re.findall(r'<div class="side-new"[^>]*>(.*?)</div>', page.text, re.S))
    assert [re.sub(r"<[^>]+>", "", side) for side in (old, new)] == [OLD, NEW]


async def test_several_prompts_with_all_that_can_happen_to_one(story: Story, ben: Browser):
    for name in ("open/a", "open/b", "open/c"):
        await story.saved(name=name)
    await story.proposed(
        Wanted(kind="change", name="open/a", document=doc(NEW, parameters={"temperature": 0.2})),
        Wanted(kind="create", name="open/new", document=doc("Hello")),
        Wanted(kind="rename", name="open/b", new_name="open/bee"),
        Wanted(kind="delete", name="open/c"),
    )  # fmt: skip
    said = words(await ben.get(HERE))
    for one in ("Changed from version 1", "Temperature → 0.2", "Temperature 0.2", "A new prompt",
                "Renamed from open/b to open/bee", "Deleted: applications"):  # fmt: skip
        if not one.startswith("Temperature"):
            assert one in said
    assert "Temperature" in said


async def test_moved_messages_are_said_to_have_moved(story: Story, ben: Browser):
    from hub.registry.document import Document, Message

    def order(*texts: str) -> Document:
        return Document(messages=tuple(Message(role="user", content=text) for text in texts))

    from hub.registry import versions

    first, last = "Tell me about the first thing there is.", "Now to something else altogether."
    await versions.save(
        story.publisher, story.cast.workspace, NAME, order(first, last), base=None,
        actor=await story.actor("ana"), message="One",
    )  # fmt: skip
    await story.proposed(Wanted(kind="change", name=NAME, document=order(last, first)))
    assert "moved up" in words(await ben.get(HERE))


async def test_a_revision_is_read_against_the_one_read_before(story: Story, ben: Browser):
    await story.saved()
    await story.proposed(asked=("ben",))
    assert "New since you looked" not in (await ben.get(HERE)).text
    newer = NEW.replace("Be kind.", "Be kind and brief.")
    await story.revised(Wanted(kind="change", name=NAME, document=doc(newer)))
    page = await ben.get(HERE)
    assert "You read revision 1. Since then there is revision 2." in words(page)
    since = await ben.get(f"{HERE}?since=seen")
    assert "in any case</ins>" not in since.text
    assert "and brief" in since.text
    assert "You are reading what changed since revision 1" in words(since)
    older = await ben.get(f"{HERE}?to=1")
    assert "You are reading revision 1; the latest is 2" in words(older)
    assert "Approve what you see" not in older.text
    await ben.post_form(f"{HERE}/seen", {"revision": "2"})
    assert "New since you looked" not in (await ben.get(HERE)).text


async def test_revisions_with_what_was_said_of_each(story: Story, ben: Browser):
    await story.saved()
    made = await story.proposed()
    await story.approved(made.digest)
    await story.revised(Wanted(kind="change", name=NAME, document=doc(NEW + " Slowly.")))
    said = words(await ben.get(f"{HERE}/revisions"))
    assert "As asked" in said
    assert "Ben Carter approved" in said


async def test_strangers_see_nothing(story: Story, mallory: Browser, client: Browser):
    await story.saved()
    await story.proposed()
    for path in ("", "/revisions", "/ask", "/merge", "/decline", "/reviewers", "/resolve"):
        assert (await mallory.get(HERE + path)).status_code == 404
        assert (await client.get(HERE + path)).status_code == 303
    for path in ("review", "merge", "decline", "withdraw", "reopen", "rebase", "subscribe", "seen",
                 "reviewers", "resolve", "edit"):  # fmt: skip
        assert (await mallory.post_form(f"{HERE}/{path}", {})).status_code == 404
    assert (await seen(story)).state == "open"


async def test_a_number_that_is_not_there(ben: Browser):
    assert (await ben.get("/clinic/proposals/7")).status_code == 404


# ── a word ──────────────────────────────────────────────────────────────────────────────────────


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


# ── landing ─────────────────────────────────────────────────────────────────────────────────────


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

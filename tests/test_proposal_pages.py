"""Reading a proposal, through the front door."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from hub.registry.review.proposals import Wanted
from tests.cast import Browser, title
from tests.clinic_story import NAME, NEW, OLD, TITLE, WHY, Story, doc
from tests.proposal_page import HERE, seen, words


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
    from hub.registry.prompt.document import Document, Message

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


async def test_the_hub_has_looked_by_the_time_somebody_reads(story: Story, ben: Browser):
    """Whoever proposed it, and by whichever door."""
    await story.saved()
    await story.proposed()
    page = words(await ben.get(HERE))
    for said in ("Variables", "Secrets", "Live callers"):
        assert said in page
    assert "No machine has looked" not in page


async def test_names_in_what_a_check_found_are_shown_as_names(story: Story, ben: Browser):
    await story.saved()
    await story.proposed(
        Wanted(kind="change", name=NAME, document=doc(f"{OLD} {{{{ urgency }}}}")),
    )
    checks = (await ben.get(HERE)).text.partition('id="checks"')[2].partition("</section>")[0]
    assert '<code class="typed">urgency</code> is used in' in checks
    assert "`" not in checks

"""Two people changed the same words: all is shown, and a person decides every place."""

from __future__ import annotations

import html
import re

from hypothesis import given
from hypothesis import strategies as st

from hub.registry import drafts
from hub.registry.prompt.clashes import Choice, Keep
from hub.registry.prompt.document import Document, Message, Variable, to_json
from hub.registry.prompt.merge import merge
from hub.registry.reading import catalog
from hub.registry.review import record
from hub.registry.review.proposals import Wanted
from tests.cast import Browser, title
from tests.clinic_story import NAME, OLD, Story, doc

MINE = OLD.replace("Ask for the name.", "Ask for the full name.")
THEIRS = OLD.replace("Ask for the name.", "Ask for the first name.")
HERE = "/clinic/proposals/1/resolve"


# ── the merge ───────────────────────────────────────────────────────────────────────────────────

BASE = Document(
    title="T", messages=(Message(role="system", content="One line."), Message(role="user")),
    parameters={"temperature": 0.7}, variables=(Variable(name="a"), Variable(name="b")),
)  # fmt: skip


def edited(text: str, temperature: float, description: str) -> Document:
    return Document(
        title=f"T {text}", messages=(Message(role="system", content=text), Message(role="user")),
        parameters={"temperature": temperature}, description=description,
        variables=(Variable(name="a", description=description),),
    )  # fmt: skip


@given(st.text(min_size=1), st.text(min_size=1), st.sampled_from(["mine", "theirs"]))
def test_one_side_everywhere_is_that_side_where_both_changed(mine: str, theirs: str, keep: Keep):
    sides = {"mine": edited(mine, 0.1, mine), "theirs": edited(theirs, 0.2, theirs)}
    first = merge(BASE, sides["mine"], sides["theirs"])
    choices = {clash.where: Choice(keep=keep) for clash in first.clashes}
    done = merge(BASE, sides["mine"], sides["theirs"], choices)
    assert not done.clashes
    if mine != theirs:
        assert done.document == sides[keep]


def test_both_and_other_words_are_for_texts_alone():
    mine, theirs = edited("Mine.", 0.1, ""), edited("Theirs.", 0.2, "")
    where = "message 1 (system)"
    rest = {one: Choice(keep="mine") for one in ("the title", "the setting temperature")}
    both = merge(BASE, mine, theirs, rest | {where: Choice(keep="both")}).document
    assert both.messages[0].content == "Mine.\n\nTheirs."
    other = merge(BASE, mine, theirs, rest | {where: Choice(keep="edit", text="Ours.")}).document
    assert other.messages[0].content == "Ours."
    odd = rest | {where: Choice(keep="mine"), "the setting temperature": Choice(keep="both")}
    assert merge(BASE, mine, theirs, odd).document.parameters == {"temperature": 0.1}


def test_a_removed_message_can_stay_removed_or_come_back():
    gone = Document(messages=(Message(role="user", content="Hello there, you."),))
    base = Document(messages=(Message(role="system", content="Be kind."), *gone.messages))
    other = Document(messages=(Message(role="system", content="Be very kind."), *gone.messages))
    (clash,) = merge(base, gone, other).clashes
    removed = merge(base, gone, other, {clash.where: Choice(keep="mine")})
    assert removed.document.messages == gone.messages
    kept = merge(base, gone, other, {clash.where: Choice(keep="theirs")})
    assert kept.document.messages == other.messages


def test_new_messages_of_both_sides_can_be_kept_or_not():
    base = Document(messages=(Message(role="system", content="Be kind."),))
    mine, theirs = (
        Document(messages=(*base.messages, Message(role="user", content=text)))
        for text in ("One thing.", "Something else.")
    )
    (clash,) = merge(base, mine, theirs).clashes
    wanted = {"mine": mine.messages, "theirs": theirs.messages,
              "both": (*mine.messages, theirs.messages[1])}  # fmt: skip
    for keep in ("mine", "theirs", "both"):
        done = merge(base, mine, theirs, {clash.where: Choice(keep=keep)})
        assert done.document.messages == wanted[keep]


def test_a_removed_variable_can_stay_removed():
    base = Document(variables=(Variable(name="a"),))
    mine, theirs = Document(), Document(variables=(Variable(name="a", description="Who"),))
    (clash,) = merge(base, mine, theirs).clashes
    assert merge(base, mine, theirs, {clash.where: Choice(keep="mine")}).document == mine
    assert merge(base, mine, theirs, {clash.where: Choice(keep="theirs")}).document == theirs


# ── the pages ───────────────────────────────────────────────────────────────────────────────────


async def clash(story: Story) -> None:
    """Ana proposes, Ben saves other words at the same place."""
    first = await story.saved(parameters={"temperature": 0.7})
    change = doc(MINE, parameters={"temperature": 0.2})
    await story.proposed(Wanted(kind="change", name=NAME, document=change))
    await story.saved(THEIRS, base=first.hash, who="ben", parameters={"temperature": 0.5})


def fields(page: str) -> dict[str, str]:
    """The hidden fields of the form."""
    found = re.findall(r'<input type="hidden" name="(?!_csrf)([^"]+)" value="([^"]*)"', page)
    return {name: html.unescape(value) for name, value in found}


def field_of(page: str, where: str) -> str:
    return next(name[6:] for name, value in fields(page).items() if value == where)


async def test_every_place_is_decided_by_itself(story: Story, ana: Browser):
    await clash(story)
    about = await ana.get("/clinic/proposals/1")
    assert "Bring the two together…" in about.text
    assert "Approve what you see" not in about.text
    page = await ana.get(HERE)
    assert title(page) == "Ben Carter changed the same words"
    assert "full" in page.text
    assert "first" in page.text
    text, setting = (field_of(page.text, one) for one in (
        "message 1 (system)", "the setting temperature",
    ))  # fmt: skip
    given = fields(page.text) | {f"keep-{text}": "edit", f"text-{text}": "Ask, <kindly>."}
    half = await ana.post_form(HERE, given)
    assert half.status_code == 422
    assert "Ask, <kindly>." in html.unescape(half.text)
    assert re.search(rf'name="keep-{text}" value="edit" checked', half.text)
    done = await ana.post_form(HERE, given | {f"keep-{setting}": "theirs"}, follow_redirects=True)
    assert "Revision 2 has both" in done.text
    async with story.database.read() as db:
        view = await record.get(db, story.cast.workspace.id, 1)
        lines = await record.revisions(db, story.cast.workspace.id, 1)
    new = view.items[0].new
    assert new is not None
    assert (view.revision, view.mergeable) == (2, "clean")
    assert new.messages[0].content == "Ask, <kindly>."
    assert new.parameters == {"temperature": 0.5}
    assert lines[0].message == "Brought together with version 2 by Ben Carter"


async def test_bringing_up_to_date_leads_to_the_choice(story: Story, ana: Browser):
    await clash(story)
    page = await ana.post_form("/clinic/proposals/1/rebase", follow_redirects=True)
    assert title(page) == "Ben Carter changed the same words"


async def test_somebody_saved_once_more_while_the_choice_was_made(story: Story, ana: Browser):
    await clash(story)
    page = await ana.get(HERE)
    typed = fields(page.text)
    for name in [one for one in typed if one.startswith("where-")]:
        typed[name.replace("where", "keep")] = "mine"
    async with story.database.read() as db:
        now = await catalog.version(db, story.cast.workspace.id, NAME)
    newer = doc(THEIRS, parameters={"temperature": 0.5}, description="Newer", model="big")
    from hub.registry import versions

    await versions.save(
        story.publisher, story.cast.workspace, NAME, newer, base=now.hash,
        actor=await story.actor("ben"), message="Once more",
    )  # fmt: skip
    await ana.post_form(HERE, typed)
    async with story.database.read() as db:
        view = await record.get(db, story.cast.workspace.id, 1)
    new = view.items[0].new
    assert new is not None
    assert (new.description, new.messages[0].content) == ("Newer", MINE)


async def test_a_draft_is_decided_place_by_place_too(story: Story, ana: Browser):
    first = await story.saved()
    id = first.id
    async with story.database.write() as db:
        tree = to_json(doc(MINE, id=id))
        await drafts.put(
            db, story.cast.workspace.id, story.cast.account_ids["ana"], id, tree, name=NAME,
            base=first.hash, base_version=1,
        )  # fmt: skip
    await story.saved(THEIRS, base=first.hash, who="ben")
    url = f"/clinic/resolve/{NAME}"
    page = await ana.get(url)
    assert title(page) == "You and Ben Carter changed the same words"
    assert (await ana.post_form(url, fields(page.text))).status_code == 422
    place = field_of(page.text, "message 1 (system)")
    done = await ana.post_form(url, fields(page.text) | {f"keep-{place}": "both"})
    assert done.status_code == 303
    async with story.database.read() as db:
        kept = await drafts.get(db, story.cast.workspace.id, story.cast.account_ids["ana"], id)
    assert kept is not None
    both = "Ask for the full name.\n\nAsk for the first name."
    assert kept.document["messages"][0]["content"] == OLD.replace("Ask for the name.", both)
    assert kept.base_version == 2

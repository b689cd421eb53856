"""Talking about a proposal: beside the words, in threads, and nothing typed is lost."""

from __future__ import annotations

import re

import pytest

from hub.db import Database
from hub.errors import Conflict, Forbidden, Invalid, NotFound
from hub.front import Front
from hub.registry.review import comments, remarks, threads
from hub.registry.review.record import get
from hub.registry.review.threads import Talk
from tests.cast import Browser, Cast
from tests.offers import offer, person, text

TRIAGE = "Decide how soon someone must call back. Ask for the date of birth."
PROMPT = "p-clinical/triage"
HERE = "/clinic/proposals/7"


@pytest.fixture
async def db(hub: Front, cast: Cast) -> Database:
    """The hub's database, with proposal 7 of Ana's in it."""
    database: Database = hub.state.database
    await offer(database, cast, 7, text(TRIAGE), old=text("Decide at once."), title="Ask first")
    return database


async def say(db: Database, cast: Cast, who: str, body: str, **more: object) -> int:
    async with db.write() as session:
        return await comments.add(
            session, cast.workspace.id, 7, actor=person(cast, who), body=body, **more
        )  # pyright: ignore[reportArgumentType]


def on(quote: str, place: str = "messages/0", **more: object) -> comments.On:
    return comments.On(prompt_id=PROMPT, place=place, quote=quote, **more)  # type: ignore[arg-type]


async def talk(db: Database, cast: Cast, who: str = "ben") -> Talk:
    async with db.read() as session:
        view = await get(session, cast.workspace.id, 7)
        return await threads.of(session, view, actor=person(cast, who))


# ── on words ────────────────────────────────────────────────────────────────────────────────────


async def test_a_remark_stays_at_its_words_in_the_next_revision(db: Database, cast: Cast):
    await say(db, cast, "ben", "The front desk asks too.", on=on("date of birth"))
    await offer(db, cast, 7, text("Be kind. " + TRIAGE), old=text("Decide at once."), revision=2)
    (thread,) = (await talk(db, cast)).on_words
    assert thread.words
    assert (thread.words.state, thread.words.quote) == ("here", "date of birth")
    assert thread.words.start == ("Be kind. " + TRIAGE).index("date of birth")


async def test_it_says_since_when_the_words_are_gone(db: Database, cast: Cast, ben: Browser):
    await say(db, cast, "ben", "The front desk asks too.", on=on("date of birth"))
    for revision, words in ((2, TRIAGE + " Now."), (3, "Be brief."), (4, "Be quite brief.")):
        await offer(db, cast, 7, text(words), old=text("Decide at once."), revision=revision)
    (thread,) = (await talk(db, cast)).on_words
    assert thread.words
    assert (thread.words.state, thread.words.gone_since) == ("gone", 3)
    page = (await ben.get(f"{HERE}/talk")).text
    assert "The words are gone since revision 3." in page
    assert "date of birth" in page


async def test_struck_words_can_be_spoken_of(db: Database, cast: Cast):
    await say(db, cast, "ben", "Why not?", on=on("at once", "old/messages/0"))
    (thread,) = (await talk(db, cast)).on_words
    assert thread.words
    assert thread.words.state == "here"
    assert thread.place_said == "message 1, as it was"


async def test_words_that_are_not_there_are_refused_and_what_was_typed_stays(
    db: Database, ben: Browser
):
    typed = {
        "at": f"{PROMPT}|messages/0",
        "quote": "blood group",
        "body": "Ask this?",
        "slot": "on",
    }
    answer = await ben.post_form(f"{HERE}/comments", typed)
    assert answer.status_code == 422
    assert "not in that text" in answer.text
    assert "Ask this?" in answer.text
    assert "blood group" in answer.text


async def test_without_javascript_words_are_given_by_hand(db: Database, cast: Cast, ben: Browser):
    assert f'value="{PROMPT}|messages/0"' in (await ben.get(f"{HERE}/talk")).text
    typed = {"at": f"{PROMPT}|messages/0", "quote": "date of birth", "body": "Good.", "slot": "on"}
    answer = await ben.post_form(f"{HERE}/comments", typed)
    assert answer.status_code == 303
    (thread,) = (await talk(db, cast)).on_words
    assert answer.headers["Location"] == f"{HERE}/talk#remark-{thread.id}"


@pytest.mark.parametrize(
    "about",
    [
        on("x", "messages/7"), on("x", "../secret"), on("", "messages/7"), on("x", revision=9),
        comments.On(prompt_id="p-other", place="title"), on("x", "messages/" + "1" * 60),
    ],
)  # fmt: skip
async def test_a_place_that_is_not_there_is_refused(db: Database, cast: Cast, about: comments.On):
    with pytest.raises(Invalid):
        await say(db, cast, "ben", "Hm", on=about)


async def test_settings_as_a_whole_can_be_spoken_of(db: Database, cast: Cast):
    await say(db, cast, "ben", "Warmer?", on=on("", "settings"))
    (thread,) = (await talk(db, cast)).on_words
    assert (thread.place_said, thread.words) == ("settings", None)


# ── threads ─────────────────────────────────────────────────────────────────────────────────────


async def test_answers_stand_in_their_thread(db: Database, cast: Cast, ana: Browser):
    first = await say(db, cast, "ben", "Why?")
    answer = await say(db, cast, "ana", "Because.", parent_id=first)
    await say(db, cast, "carla", "I see.", parent_id=answer)
    (thread,) = (await talk(db, cast)).on_the_whole
    assert [one.body for one in thread.said] == ["Why?", "Because.", "I see."]
    sent = await ana.post_form(
        f"{HERE}/comments", {"body": "Thanks", "parent": str(first), "slot": f"re:{first}"}
    )
    assert sent.status_code == 303
    assert len((await talk(db, cast)).on_the_whole[0].said) == 4


async def test_quoting_begins_the_answer_with_the_words(db: Database, cast: Cast, ana: Browser):
    first = await say(db, cast, "ben", "> old\nWhy so?\nAnd when?")
    page = (await ana.get(f"{HERE}/talk?quote={first}")).text
    assert "&gt; Why so?\n&gt; And when?\n" in page
    assert "> old" not in re.findall(r"<textarea.*?</textarea>", page, re.S)[0]


async def test_the_address_opens_the_form_to_answer_or_to_change(
    db: Database, cast: Cast, ana: Browser, ben: Browser
):
    first = await say(db, cast, "ben", "Why so?")
    assert f'id="answer-{first}"' not in (await ana.get(f"{HERE}/talk")).text
    assert f'id="answer-{first}"' in (await ana.get(f"{HERE}/talk?answer={first}")).text
    page = (await ben.get(f"{HERE}/talk?change={first}")).text
    assert "Why so?</textarea>" in page
    assert "Why so?</textarea>" not in (await ana.get(f"{HERE}/talk?change={first}")).text


async def test_resolved_threads_fold_and_open_again(db: Database, cast: Cast, ana: Browser):
    first = await say(db, cast, "ben", "Why?")
    done = await ana.post_form(f"{HERE}/comments/{first}/resolve", {"resolved": "yes"})
    assert done.status_code == 303
    found = await talk(db, cast)
    assert (len(found.open), len(found.resolved)) == (0, 1)
    assert found.resolved[0].resolved_by == "Ana Oliveira"
    assert "1 resolved" in (await ana.get(f"{HERE}/talk")).text
    await ana.post_form(f"{HERE}/comments/{first}/resolve", {"resolved": "no"})
    assert len((await talk(db, cast)).open) == 1


async def test_a_reader_resolves_only_what_they_began(db: Database, cast: Cast, carla: Browser):
    bens, carlas = await say(db, cast, "ben", "Why?"), await say(db, cast, "carla", "How?")
    refused = await carla.post_form(f"{HERE}/comments/{bens}/resolve", {"resolved": "yes"})
    assert refused.status_code == 403
    assert "Ben Carter, Ana Oliveira or somebody who may save" in refused.text
    done = await carla.post_form(f"{HERE}/comments/{carlas}/resolve", {"resolved": "yes"})
    assert done.status_code == 303


async def test_only_ones_own_can_be_changed(db: Database, cast: Cast, ana: Browser, ben: Browser):
    first = await say(db, cast, "ben", "Wy?")
    await ben.post_form(f"{HERE}/comments/{first}", {"body": "Why?"})
    assert (await talk(db, cast)).open[0].first.body == "Why?"
    assert "edited" in (await ana.get(f"{HERE}/talk")).text
    refused = await ana.post_form(f"{HERE}/comments/{first}", {"body": "Never mind."})
    assert "Only Ben Carter can change" in refused.text
    assert (await talk(db, cast)).open[0].first.body == "Why?"


# ── who, and how much ───────────────────────────────────────────────────────────────────────────


async def test_a_reader_may_talk_and_an_outsider_sees_nothing(
    db: Database, carla: Browser, mallory: Browser, client: Browser
):
    said = await carla.post_form(f"{HERE}/comments", {"body": "Is that safe?", "slot": "whole"})
    assert said.status_code == 303
    for url in (f"{HERE}/talk", "/clinic/proposals/8/talk"):
        assert (await mallory.get(url)).status_code == 404
    for url in (f"{HERE}/comments", f"{HERE}/comments/1", f"{HERE}/comments/1/resolve"):
        assert (await mallory.post_form(url, {"body": "Hi"})).status_code == 404
    assert (await client.get(f"{HERE}/talk")).headers["Location"].startswith("/sign-in")


async def test_a_remark_of_another_proposal_cannot_be_reached_through_this_one(
    db: Database, cast: Cast
):
    await offer(db, cast, 8, text("Other"))
    first, bens = await say(db, cast, "ben", "Why?"), person(cast, "ben")
    async with db.write() as session:
        for deed in (
            comments.resolve(session, cast.workspace.id, 8, first, actor=bens),
            comments.edit(session, cast.workspace.id, 8, first, actor=bens, body="x"),
            comments.add(session, cast.workspace.id, 8, actor=bens, body="x", parent_id=first),
            comments.add(session, cast.workspace.id, 9, actor=bens, body="x"),
            comments.add(session, cast.rival.id, 7, actor=person(cast, "mallory"), body="x"),
            comments.add(session, cast.workspace.id, 7, actor=person(cast, "mallory"), body="x"),
        ):  # fmt: skip
            with pytest.raises(NotFound):
                await deed


async def test_too_much_and_nothing_are_refused_and_kept(db: Database, ben: Browser):
    long = "a" * (remarks.LONGEST + 1)
    refused = await ben.post_form(f"{HERE}/comments", {"body": long, "slot": "whole"})
    assert refused.status_code == 422
    assert "at most 10,000 characters" in refused.text
    assert long in refused.text
    nothing = await ben.post_form(f"{HERE}/comments", {"body": " \r\n ", "slot": "whole"})
    assert "Write something first." in nothing.text


async def test_a_proposal_holds_only_so_many(
    db: Database, cast: Cast, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(comments, "MOST", 2)
    await say(db, cast, "ben", "1")
    await say(db, cast, "ben", "2")
    with pytest.raises(Conflict):
        await say(db, cast, "ben", "3")


async def test_an_apps_key_has_nothing_to_say(db: Database, cast: Cast):
    from hub.people.policy import Actor

    key = Actor(kind="key", name="key app", email="", workspace_id=cast.workspace.id,
                role="key:write")  # fmt: skip
    with pytest.raises(Forbidden):
        async with db.write() as session:
            await comments.add(session, cast.workspace.id, 7, actor=key, body="Hi")

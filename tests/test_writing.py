"""Writing in the browser, as plain forms: drafts, saves, a colleague meanwhile, refusals."""

from __future__ import annotations

from typing import Any

from tests.cast import Browser, title

BASE = "/clinic/prompts/support/triage"


async def make(browser: Browser, name: str = "support/triage", text: str = "Be calm.") -> None:
    answer = await browser.post_form("/clinic/new", {"name": name, "title": "Triage", "text": text})
    assert answer.status_code == 303, answer.text


def editor(page_text: str, *contents: str, **more: str) -> dict[str, Any]:
    """The editor's form as the page holds it, with other message texts."""
    import re

    def hidden(name: str) -> str:
        found = re.search(rf'name="{name}" value="([^"]*)"', page_text)
        assert found, name
        return found[1]

    return {
        "prompt": hidden("prompt"),
        "base": hidden("base"),
        "base_version": hidden("base_version"),
        "revision": hidden("revision"),
        "title": "Triage",
        "template": "jinja",
        "origin": [str(at) for at in range(len(contents))],
        "role": ["system", "user", "assistant"][: len(contents)],
        "message_name": [""] * len(contents),
        "content": list(contents),
    } | more


async def test_ana_makes_a_prompt_and_it_is_in_the_list(ana: Browser) -> None:
    await make(ana)
    listed = await ana.get("/clinic/prompts")
    assert "support/triage" in listed.text
    assert "First version of support/triage" in listed.text
    page = await ana.get(BASE)
    assert title(page) == "Triage"
    assert "Be calm." in page.text


async def test_a_name_that_cannot_be_is_refused_and_the_text_stays(ana: Browser) -> None:
    typed = {"name": "Support/Triage", "text": "Half an hour of work", "message": "because"}
    answer = await ana.post_form("/clinic/new", typed)
    assert answer.status_code == 422
    assert "small letters" in answer.text
    assert "Half an hour of work" in answer.text
    assert "because" in answer.text
    assert "Support/Triage" in answer.text


async def test_a_name_that_is_taken_is_refused(ana: Browser) -> None:
    await make(ana)
    answer = await ana.post_form("/clinic/new", {"name": "support/triage", "text": "other"})
    assert answer.status_code == 409
    assert "other" in answer.text


async def test_a_draft_survives_and_becomes_a_version_with_a_reason(ana: Browser) -> None:
    await make(ana)
    page = await ana.get(BASE)
    form = editor(page.text, "Be calm and brief.")
    kept = await ana.send_form("PUT", "/clinic/draft/support/triage", form)
    assert kept.status_code == 200, kept.text
    assert kept.json()["revision"] == 1
    page = await ana.get(BASE)
    assert "Be calm and brief." in page.text
    assert "is ahead of v1" in page.text

    form = editor(page.text, "Be calm and brief.", action="save", message="Callers hung up")
    saved = await ana.post_form(BASE, form)
    assert saved.status_code == 303, saved.text
    history = await ana.get("/clinic/history/support/triage")
    assert "Callers hung up" in history.text
    assert "Ana Oliveira" in history.text
    assert "is ahead of" not in history.text


async def test_saving_asks_why_and_keeps_what_was_typed(ana: Browser) -> None:
    await make(ana)
    page = await ana.get(BASE)
    answer = await ana.post_form(BASE, editor(page.text, "New words", action="save"))
    assert answer.status_code == 200
    assert "Say why" in answer.text
    assert "New words" in answer.text
    assert (await ana.get("/clinic/version/1/support/triage")).status_code == 200
    assert (await ana.get("/clinic/version/2/support/triage")).status_code == 404


async def test_a_hostile_template_is_refused_with_a_sentence(ana: Browser) -> None:
    await make(ana)
    page = await ana.get(BASE)
    bad = "{{ ''.__class__.__mro__ }}"
    answer = await ana.post_form(BASE, editor(page.text, bad, action="save", message="try"))
    assert answer.status_code == 422
    assert "__class__" in answer.text
    assert "Your text is kept" in answer.text or "your text is kept" in answer.text
    again = await ana.get(BASE)
    assert "__mro__" in again.text  # still there, as a draft


async def test_buttons_without_javascript_add_and_move_messages(ana: Browser) -> None:
    await make(ana)
    page = await ana.get(BASE)
    assert (await ana.post_form(BASE, editor(page.text, "one", action="add"))).status_code == 303
    page = await ana.get(BASE)
    assert page.text.count('name="content"') >= 2
    form = editor(page.text, "one", "two", action="down:0")
    assert (await ana.post_form(BASE, form)).status_code == 303
    page = await ana.get(BASE)
    assert page.text.index("\ntwo</textarea>") < page.text.index("\none</textarea>")


async def test_two_people_change_different_messages_and_both_changes_are_saved(
    ana: Browser, ben: Browser
) -> None:
    await make(ana, text="First sentence.\n\nSecond sentence.")
    mine, theirs = await ana.get(BASE), await ben.get(BASE)
    ben_form = editor(
        theirs.text, "First sentence, by Ben.\n\nSecond sentence.", action="save", message="b"
    )
    assert (await ben.post_form(BASE, ben_form)).status_code == 303
    ana_form = editor(
        mine.text, "First sentence.\n\nSecond sentence, by Ana.", action="save", message="a"
    )
    answer = await ana.post_form(BASE, ana_form)
    assert answer.status_code == 303
    page = await ana.get(answer.headers["location"])
    assert "First sentence, by Ben." in page.text
    assert "Second sentence, by Ana." in page.text
    assert "Ben Carter saved version 2 while you wrote" in page.text


async def test_two_people_change_the_same_words_and_ana_sees_both_and_decides(
    ana: Browser, ben: Browser
) -> None:
    await make(ana, text="Be calm.")
    mine, theirs = await ana.get(BASE), await ben.get(BASE)
    await ben.post_form(BASE, editor(theirs.text, "Be quick.", action="save", message="b"))
    answer = await ana.post_form(BASE, editor(mine.text, "Be slow.", action="save", message="a"))
    assert answer.headers["location"] == "/clinic/resolve/support/triage"
    both = await ana.get(answer.headers["location"])
    assert ">quick</ins>" in both.text
    assert ">slow</ins>" in both.text
    assert "<<<<" not in both.text
    await ana.post_form("/clinic/resolve/support/triage", {"keep": "mine"})
    page = await ana.get(BASE)
    assert "Be slow." in page.text
    saved = await ana.post_form(BASE, editor(page.text, "Be slow.", action="save", message="a"))
    assert saved.status_code == 303
    assert (await ana.get("/clinic/version/3/support/triage")).status_code == 200
    assert "Be quick." in (await ana.get("/clinic/version/2/support/triage")).text


async def test_a_forgotten_second_window_cannot_overwrite_newer_text(ana: Browser) -> None:
    await make(ana)
    page = await ana.get(BASE)
    old = editor(page.text, "From the old window")
    new = editor(page.text, "From the new window")
    assert (await ana.send_form("PUT", "/clinic/draft/support/triage", new)).status_code == 200
    refused = await ana.send_form("PUT", "/clinic/draft/support/triage", old)
    assert refused.status_code == 409
    assert "From the new window" in (await ana.get(BASE)).text


async def test_discarding_a_draft_can_be_undone(ana: Browser) -> None:
    await make(ana)
    page = await ana.get(BASE)
    await ana.send_form("PUT", "/clinic/draft/support/triage", editor(page.text, "Precious"))
    answer = await ana.post_form("/clinic/discard/support/triage")
    assert "Precious" not in (await ana.get(BASE)).text
    assert answer.status_code == 303
    await ana.post_form("/clinic/bring-back/support/triage")
    assert "Precious" in (await ana.get(BASE)).text


async def test_carla_reads_but_cannot_write(ana: Browser, carla: Browser) -> None:
    await make(ana)
    page = await carla.get(BASE)
    assert page.status_code == 200
    assert "<textarea" not in page.text
    assert (await carla.post_form(BASE, {"content": "x"})).status_code == 403
    assert (await carla.get("/clinic/new")).status_code == 403


async def test_mallory_sees_nothing(ana: Browser, mallory: Browser) -> None:
    await make(ana)
    for address in (BASE, "/clinic/prompts", "/clinic/history/support/triage"):
        answer = await mallory.get(address)
        assert answer.status_code == 404
        assert "triage" not in title(answer).lower()


async def test_a_refused_save_says_once_what_is_wrong(ana: Browser) -> None:
    await make(ana)
    page = await ana.get(BASE)
    form = editor(page.text, "{% if x %} never closed", action="save", message="Because")
    answer = await ana.post_form(BASE, form)
    assert answer.status_code == 422
    assert answer.text.count("Something that was opened is never closed") == 1
    assert "Not saved yet; your text is kept as a draft" in answer.text
    assert "`" not in answer.text.partition("Not saved yet")[2].partition("</div>")[0]


async def test_carla_reads_where_the_conversation_goes(ana: Browser, carla: Browser) -> None:
    await make(ana)
    page = await ana.get(BASE)
    form = editor(page.text, "Be calm.", "", action="save", message="With the talk so far")
    form |= {"role": ["system", "placeholder"], "message_name": ["", "history"]}
    assert (await ana.post_form(BASE, form)).status_code == 303
    for path in (BASE, "/clinic/version/2/support/triage"):
        seen = (await carla.get(path)).text
        assert "The conversation so far goes here" in seen
        assert "data-editor" not in seen
    change = (await carla.get("/clinic/diff/1/2/support/triage")).text
    assert "placeholder" not in change.partition("<main")[2]


async def test_a_deleted_prompt_offers_one_thing(ana: Browser) -> None:
    await make(ana)
    await ana.post_form("/clinic/delete/support/triage", {"reason": "Not used"})
    page = await ana.get("/clinic/history/support/triage")
    assert "Bring it back" in page.text
    assert 'href="/clinic/try/support/triage"' not in page.text
    assert (await ana.post_form("/clinic/undelete/support/triage")).status_code == 303
    assert "Be calm." in (await ana.get(BASE)).text


async def test_what_is_typed_follows_a_prompt_that_was_renamed(ana: Browser, ben: Browser) -> None:
    await make(ana)
    page = (await ana.get(BASE)).text
    await ben.post_form("/clinic/rename/support/triage", {"new_name": "calls/triage"})
    await make(ben, text="Another one, under the name that was free.")

    kept = await ana.send_form("PUT", "/clinic/draft/support/triage", editor(page, "Be brief."))
    assert kept.status_code == 200, kept.text
    form = editor(page, "Be brief and calm.", action="save", message="Callers hung up")
    answer = await ana.post_form(BASE, form | {"revision": str(kept.json()["revision"])})
    assert answer.headers["Location"] == "/clinic/prompts/calls/triage"
    saved = (await ana.get("/clinic/prompts/calls/triage")).text
    assert "It is called calls/triage now." in saved
    assert "Be brief and calm." in saved
    assert "Be brief" not in (await ana.get(BASE)).text


async def test_what_is_typed_for_a_prompt_that_was_deleted_waits(
    ana: Browser, ben: Browser
) -> None:
    await make(ana)
    page = (await ana.get(BASE)).text
    await ben.post_form("/clinic/delete/support/triage", {"reason": "Not used"})

    told = await ana.send_form("PUT", "/clinic/draft/support/triage", editor(page, "Be brief."))
    assert (told.status_code, "deleted by Ben Carter" in told.json()["detail"]) == (404, True)
    form = editor(page, "Be brief and calm.", action="save", message="Callers hung up")
    answer = await ana.post_form(BASE, form)
    assert answer.status_code == 303
    assert (
        "What you typed is kept as your draft." in (await ana.get(answer.headers["Location"])).text
    )
    await ben.post_form("/clinic/undelete/support/triage")
    assert "Be brief and calm." in (await ana.get(BASE)).text


async def test_a_form_that_was_opened_before_a_renaming_is_sent_on(
    ana: Browser, ben: Browser
) -> None:
    await make(ana)
    await ben.post_form("/clinic/rename/support/triage", {"new_name": "calls/triage"})
    sent = await ana.post_form("/clinic/duplicate/support/triage", {"new_name": "copy"})
    assert sent.status_code == 307, "with what was typed"
    assert sent.headers["Location"] == "/clinic/duplicate/calls/triage"


async def test_who_was_signed_out_while_writing_comes_back_to_the_page(client: Browser) -> None:
    refused = await client.post_form(BASE, {"content": "Half an hour of work", "action": "save"})
    assert refused.status_code == 401
    assert f'href="/sign-in?next={BASE}"' in refused.text

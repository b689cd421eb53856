"""Putting versions live, taking them back, names: the sheets, as plain forms."""

from __future__ import annotations

import re

from tests.cast import Browser, title
from tests.test_writing import BASE, editor, make


async def two_versions(ana: Browser) -> None:
    await make(ana)
    page = await ana.get(BASE)
    form = editor(page.text, "Be calm and brief.", action="save", message="Callers hung up")
    assert (await ana.post_form(BASE, form)).status_code == 303


async def put_live(browser: Browser, version: int, expected: str = "") -> int:
    form = {"version": str(version), "expected": expected, "reason": f"Agreed on v{version}"}
    answer = await browser.post_form("/clinic/release/production/support/triage", form)
    return answer.status_code


async def test_ben_puts_a_version_live_and_takes_it_back(ana: Browser, ben: Browser) -> None:
    await two_versions(ana)
    sheet = await ben.get("/clinic/release/production/support/triage")
    assert "Put v2 into production" in sheet.text
    assert "Nothing is live" in sheet.text
    assert await put_live(ben, 1) == 303
    sheet = await ben.get("/clinic/release/production/support/triage")
    assert "It replaces" in sheet.text
    assert "and brief" in sheet.text  # the change in words
    assert await put_live(ben, 2, "1") == 303
    page = await ben.get(BASE)
    assert "Live v2" in page.text
    undo = re.search(r'action="(/clinic/put-back/[^"]+)"', page.text)
    assert undo
    assert (await ben.post_form(undo[1])).status_code == 303
    assert "Live v1" in (await ben.get(BASE)).text
    moves = await ben.get("/clinic/labels/production/support/triage")
    assert "Agreed on v2" in moves.text


async def test_a_release_based_on_an_old_look_is_refused(ana: Browser, ben: Browser) -> None:
    await two_versions(ana)
    assert await put_live(ben, 1) == 303
    assert await put_live(ben, 2, "") == 409
    assert "Live v1" in (await ben.get(BASE)).text


async def test_a_release_needs_a_reason_and_keeps_the_sheet(ana: Browser, ben: Browser) -> None:
    await two_versions(ana)
    form = {"version": "2", "expected": "", "reason": "  "}
    answer = await ben.post_form("/clinic/release/production/support/triage", form)
    assert answer.status_code == 422
    assert "Say why" in answer.text


async def test_an_editor_cannot_put_anything_live(ana: Browser) -> None:
    await two_versions(ana)
    assert await put_live(ana, 2) == 403
    assert "Put live" not in (await ana.get(BASE)).text


async def test_what_was_live_at_a_moment(ana: Browser, ben: Browser) -> None:
    await two_versions(ana)
    await put_live(ben, 2)
    labels = "/clinic/labels/production/support/triage"
    assert "was at version 2" in (await ben.get(f"{labels}?at=2999-01-01T00:00")).text
    assert "nothing was live" in (await ben.get(f"{labels}?at=2001-01-01T00:00")).text
    assert "Write the moment" in (await ben.get(f"{labels}?at=soon")).text


async def test_restoring_makes_a_new_version_and_can_be_undone(ana: Browser) -> None:
    await two_versions(ana)
    assert (await ana.post_form("/clinic/restore/1/support/triage")).status_code == 303
    history = await ana.get("/clinic/history/support/triage")
    assert "Restore version 1" in history.text
    page = await ana.get("/clinic/diff/2/3/support/triage")
    assert "and brief" in page.text
    assert "same" in (await ana.get("/clinic/diff/1/3/support/triage")).text.lower()


async def test_the_change_is_shown_in_words(ana: Browser) -> None:
    await two_versions(ana)
    page = await ana.get("/clinic/diff/1/2/support/triage")
    assert "<ins>" in page.text
    assert "and brief" in page.text
    assert "Callers hung up" in page.text
    picked = await ana.get("/clinic/compare/support/triage?old=1&new=2")
    assert picked.headers["location"] == "/clinic/diff/1/2/support/triage"
    assert (await ana.get("/clinic/diff/1/99/support/triage")).status_code == 404
    assert (await ana.get("/clinic/diff/one/2/support/triage")).status_code == 422


async def test_a_renamed_prompt_keeps_its_history_and_its_old_address(ana: Browser) -> None:
    await two_versions(ana)
    form = {"new_name": "front-desk/triage", "reason": "It moved to the front desk"}
    answer = await ana.post_form("/clinic/rename/support/triage", form)
    assert answer.headers["location"] == "/clinic/prompts/front-desk/triage"
    old = await ana.get(BASE, follow_redirects=True)
    assert old.status_code == 200
    assert str(old.url).endswith("/clinic/prompts/front-desk/triage")
    history = await ana.get("/clinic/history/front-desk/triage")
    assert "Callers hung up" in history.text
    assert "Renamed" in history.text


async def test_a_rename_onto_another_prompt_is_refused_and_keeps_what_was_typed(
    ana: Browser,
) -> None:
    await two_versions(ana)
    await make(ana, "support/mood")
    form = {"new_name": "support/mood", "reason": "oops"}
    answer = await ana.post_form("/clinic/rename/support/triage", form)
    assert answer.status_code == 409
    assert "oops" in answer.text


async def test_a_duplicate_begins_a_history_of_its_own(ana: Browser) -> None:
    await two_versions(ana)
    sheet = await ana.get("/clinic/duplicate/support/triage")
    assert "support/triage-copy" in sheet.text
    await ana.post_form("/clinic/duplicate/support/triage", {"new_name": "support/triage-copy"})
    page = await ana.get("/clinic/prompts/support/triage-copy")
    assert "Be calm and brief." in page.text
    assert "Latest is v1" in page.text


async def test_a_deleted_prompt_can_be_brought_back(ana: Browser, ben: Browser) -> None:
    await two_versions(ana)
    await put_live(ben, 2)
    sheet = await ana.get("/clinic/delete/support/triage")
    assert "live in production (v2)" in sheet.text
    refused = await ana.post_form("/clinic/delete/support/triage")
    assert refused.status_code == 403  # an editor cannot take away what is live
    assert "A reviewer or an administrator" in refused.text
    assert (await ben.post_form("/clinic/delete/support/triage")).status_code == 303
    assert "support/triage" not in (await ana.get("/clinic/prompts")).text.split("flashes")[0]
    gone = await ana.get(BASE, follow_redirects=True)
    assert "Deleted" in gone.text
    assert (await ben.post_form("/clinic/undelete/support/triage")).status_code == 303
    back = await ana.get(BASE)
    assert "Live v2" in back.text  # undo puts it back into production too
    assert title(back) == "Triage"
    assert "Be calm and brief." in back.text


async def test_the_use_page_fills_in_name_and_label(ana: Browser) -> None:
    await two_versions(ana)
    page = await ana.get("/clinic/use/support/triage")
    assert "sdk.get_prompt(&#34;support/triage&#34;, label=&#34;latest&#34;)" in page.text


async def test_names_of_nothing_are_answered_with_a_sentence(ana: Browser) -> None:
    for path in ("prompts", "history", "use", "release/production", "rename"):
        answer = await ana.get(f"/clinic/{path}/support/nothing")
        assert answer.status_code in (403, 404), path
        assert "<h1" in answer.text

"""What can come between a change and its readers, in real Chromium: other people, other revisions,
hidden characters, clashes, emergencies and a hub that is not there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from tests.cast import copy_template
from tests.review_people import at_the_browser, press
from tests.review_scene import told
from tests.serving import Server

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("states") / "data"
    copy_template(migrated, data)
    with told(data) as running:
        yield running


def page_of(number: int) -> str:
    return f"/clinic/proposals/{number}"


def test_who_may_only_read_can_suggest(clinic: Server, chromium: Any):
    with at_the_browser(clinic, chromium, "carla") as carla:
        carla.goto("/clinic/prompts/support/hours")
        carla.get_by_role("link", name="Suggest a change").click()
        carla.get_by_label("Title").fill("Say when we are closed")
        text = carla.get_by_label("Text of message 1")
        text.fill(text.input_value() + "\n\nWe are closed on Sundays.")
        carla.get_by_role("button", name="Propose").click()
        carla.wait_for_url(re.compile("/clinic/proposals/[0-9]+$"))
        assert "We are closed on Sundays." in carla.locator(".diff ins").inner_text()
        for name in ("Approve what you see", "Merge…"):
            assert carla.get_by_text(name).count() == 0
        address = carla.url
    with at_the_browser(clinic, chromium, "ben") as ben:
        ben.goto(address)
        assert "by Carla Rossi" in ben.locator(".offer-head").inner_text()
        assert ben.get_by_role("button", name="Approve what you see").is_visible()


def test_a_thread_and_its_words_lead_to_each_other(clinic: Server, chromium: Any):
    spot = "(() => { const box = [...CSS.highlights.get('spoken')][0].getBoundingClientRect();"
    spot += " return [box.left + 4, box.top + 8] })()"
    with at_the_browser(clinic, chromium, "ben") as ben:
        ben.goto(page_of(1))
        thread = ben.locator(".thread", has_text="The desk asks for it too")
        assert "reworded since" in thread.inner_text()
        ben.mouse.click(*ben.evaluate(spot))
        assert thread.evaluate("one => one.contains(document.activeElement)")
        assert ben.evaluate("CSS.highlights.get('spoken-now').size") >= 1
        thread.get_by_role("button", name="Resolve").click()
        ben.get_by_text("1 resolved").click()
        assert ben.evaluate("CSS.highlights.get('spoken').size") == 0
        thread.get_by_role("button", name="Open again").click()
        ben.locator(".talk > .thread", has_text="The desk asks for it too").wait_for()


def test_an_answer_that_is_being_typed_stays_when_another_remark_is_changed(
    clinic: Server, chromium: Any
):
    with at_the_browser(clinic, chromium, "ben") as ben:
        ben.goto(page_of(1))
        other = ben.locator(".thread", has_text="does this fit what the ward does")
        other.get_by_text("Answer", exact=True).click()
        ben.keyboard.type("It does")
        mine = ben.locator(".thread", has_text="The desk asks for it too")
        mine.get_by_text("Change", exact=True).click()
        ben.keyboard.type(" Hm.")
        ben.keyboard.press("Control+Enter")
        mine.get_by_text("edited").wait_for()
        assert "And the address? Hm." in mine.inner_text()
        answer = other.get_by_label("Your answer to Maria Santos")
        assert answer.input_value() == "It does"
        other.locator(".answer").get_by_role("button", name="Send").click()
        other.locator(".remark", has_text="It does").wait_for()


SLOW = """() => {
  const send = window.fetch;
  window.fetch = (...given) => {
    if (given[1]?.method !== "PUT" || document.body.dataset.slow) return send(...given);
    document.body.dataset.slow = "what was typed is on its way";
    return new Promise(() => {});
  };
}"""
"""The first that is kept of what is typed takes longer than people stay on the page."""


def revise(clinic: Server, number: int, document: dict[str, Any], base: int) -> None:
    """A new revision arrives from elsewhere."""
    with httpx.Client(base_url=clinic.url, headers=clinic.headers("write")) as app:
        shown = app.get(f"/api/v1/proposals/{number}").json()
        items = [{"kind": "change", "name": shown["items"][0]["name"], "document": document}]
        sent = {"items": items, "message": "Said otherwise", "expected_revision": base}
        answer = app.post(f"/api/v1/proposals/{number}/revisions", json=sent)
        assert answer.status_code in (200, 201), answer.text


def test_an_approval_of_what_is_not_the_latest_is_refused_and_nothing_typed_is_lost(
    clinic: Server, chromium: Any
):
    with at_the_browser(clinic, chromium, "ben") as ben:
        ben.goto(page_of(1))
        ben.evaluate(SLOW)
        ben.locator("[data-say] textarea").fill("I am not sure about the last line")
        ben.locator("body[data-slow]").wait_for()
        document = {"messages": [{"role": "system", "content": "Sort the calls.\n\nBe kind."}]}
        revise(clinic, 1, document, 2)
        ben.get_by_role("button", name="Approve what you see").click()
        refused = ben.locator(".note-error")
        refused.wait_for()
        said = refused.inner_text()
        assert "revision 3" in said, said
        # What was typed is put back by a script, which may come after the page.
        said = ben.locator("[data-say] textarea")
        expect(said).to_have_value(re.compile("^I am not sure"), timeout=60_000)
        assert "you, not yet" in ben.locator(".offer-state").inner_text()
        # The remark on words says where its words went.
        gone = ben.locator(".thread", has_text="The desk asks for it too")
        gone.get_by_text("The words are gone since revision 3.").wait_for()
        ben.goto(page_of(1) + "?to=2")
        assert ben.get_by_role("button", name="Approve what you see").count() == 0
        ben.get_by_role("link", name="Go to the latest").click()
        # What was asked for on the sheet stays on the sheet.
        ben.get_by_role("link", name="Ask for a change").click()
        ben.get_by_label("What should change?").fill("Bring the birthday back")
        revise(clinic, 1, document | {"name": "Calls"}, 3)
        ben.get_by_role("dialog").get_by_role("button", name="Ask for a change").click()
        ben.get_by_text("revision 4").first.wait_for()
        assert ben.get_by_label("What should change?").input_value() == "Bring the birthday back"


def test_hidden_characters_are_chips_and_want_a_tick(clinic: Server, chromium: Any):
    with at_the_browser(clinic, chromium, "ben") as ben:
        ben.goto(page_of(3))
        assert ben.locator(".diff .hidden-char").all_inner_texts() == ["U+200B", "U+0430"]
        note = ben.locator(".note-staging", has_text="Hidden characters")
        assert "2 characters that a reader cannot see or would mistake" in note.inner_text()
        ben.get_by_role("button", name="Approve what you see").click()
        tick = ben.get_by_label("I looked at the hidden characters")
        assert tick.evaluate("one => one.validity.valueMissing")
        ben.reload()
        assert "Approved" not in ben.locator(".offer-head").inner_text()
        # Words with a hidden character in them can be spoken of.
        ben.locator(".diff ins", has_text="me").last.dblclick()
        ben.get_by_role("button", name="Comment c").click()
        ben.keyboard.type("That is a Cyrillic letter.")
        press(ben, "Control+Enter")
        thread = ben.locator(".thread", has_text="Cyrillic")
        thread.wait_for()
        assert thread.locator(".gone").count() == 0
        ben.get_by_label("I looked at the hidden characters").check()
        ben.get_by_role("button", name="Approve what you see").click()
        ben.get_by_text("Approved by Ben Carter.").first.wait_for()


def test_where_two_changed_the_same_words_a_person_decides(clinic: Server, chromium: Any):
    with at_the_browser(clinic, chromium, "ana") as ana:
        ana.goto(page_of(4))
        ana.get_by_text("The two cannot be put together without you").wait_for()
        ana.get_by_role("link", name="Bring the two together…").click()
        ana.get_by_role("button", name="Make revision 2").click()
        assert "Decide" in ana.locator(".main").inner_text()
        ana.get_by_label("The words for").fill("Be brief.\n\nAsk for both names.\n\nBe kind.")
        ana.get_by_label("Other words").check()
        ana.get_by_role("button", name="Make revision 2").click()
        ana.wait_for_url(f"**{page_of(4)}")
        assert "both names" in " ".join(ana.locator(".diff ins").all_inner_texts())
        assert ana.get_by_text("Changed since this was proposed").count() == 0
        ana.goto(page_of(5))
        ana.get_by_role("button", name="Bring it up to date").click()
        ana.wait_for_url(f"**{page_of(5)}")
        ana.goto(page_of(5))
        assert "latest" in ana.goto(f"{page_of(5)}/revisions").text()
        assert ana.locator(".revisions li").count() == 2


def test_broken_glass_is_red_for_ever_and_everybody_hears_of_it(clinic: Server, chromium: Any):
    why = "The ward is on fire"
    with (
        at_the_browser(clinic, chromium, "maria") as maria,
        at_the_browser(clinic, chromium, "ben") as ben,
    ):
        ben.goto("/clinic")
        with at_the_browser(clinic, chromium, "ana") as ana:
            ana.goto(page_of(6))
            assert ana.get_by_text("Break glass").count() == 0, "for administrators alone"
        revise(clinic, 6, {"messages": [{"role": "system", "content": "Run."}]}, 1)
        maria.goto(page_of(6))
        maria.get_by_role("link", name="Break glass…").click()
        sheet = maria.get_by_role("dialog")
        reason = sheet.get_by_label("Why can it not wait?")
        assert reason.evaluate("one => one === document.activeElement")
        button = sheet.get_by_role("button", name=re.compile("^Break glass"))
        button.click()
        sheet.locator(".note-error").wait_for()
        sheet.get_by_label("Why can it not wait?").fill(why)
        button.click()
        maria.locator(".offer-glass").wait_for()
        assert why in maria.locator(".offer-glass").inner_text()
        red = "getComputedStyle(document.querySelector('.offer-glass')).borderTopColor"
        assert maria.evaluate(red) == "rgb(179, 38, 30)"
        ben.locator(".flash-error", has_text=why).wait_for()
        ben.goto("/clinic/notices")
        assert why in ben.locator(".notice-red").first.inner_text()
        ben.goto("/clinic/history/clinical/letters")
        assert ben.locator(".timeline .chip-failed", has_text="Glass broken").count() >= 1


def test_what_is_typed_while_the_hub_is_away_is_kept_when_it_is_back(clinic: Server, chromium: Any):
    with at_the_browser(clinic, chromium, "ben") as ben:
        ben.goto(page_of(2))
        field = ben.locator("[data-say] textarea")
        field.fill("Why all of")
        ben.get_by_text("Kept for you, not sent yet.").wait_for()
        ben.reload()
        assert field.input_value() == "Why all of"
        ben.route("**/comments/draft", lambda route: route.abort())
        field.press("End")
        field.press_sequentially(" it at once?")
        ben.get_by_text("your words are only on this page").wait_for()
        ben.unroute("**/comments/draft")
        ben.evaluate("dispatchEvent(new Event('online'))")
        ben.get_by_text("Kept for you, not sent yet.").wait_for()
        ben.reload()
        assert field.input_value() == "Why all of it at once?"
        ben.get_by_role("link", name="Comment", exact=True).click()
        assert field.evaluate("one => one === document.activeElement")
        press(ben, "Control+Enter")
        ben.locator(".remark", has_text="Why all of it at once?").wait_for()
        assert field.input_value() == ""
        ben.reload()
        assert field.input_value() == "", "sent once, and forgotten here"

"""A review without a mouse: j and k, arrows for sentences, c to speak, r to quote and answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cast import copy_template
from tests.review_people import at_the_browser, press, tab_to
from tests.review_scene import told
from tests.serving import Server

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("keys") / "data"
    copy_template(migrated, data)
    with told(data) as running:
        yield running


def selected(page: Any) -> str:
    return page.evaluate("getSelection().toString()")


def focused(page: Any) -> str:
    return page.evaluate("document.activeElement.innerText.trim()")


def test_a_reviewer_reads_speaks_approves_and_releases(clinic: Server, chromium: Any):
    with at_the_browser(clinic, chromium, "ben") as ben:
        ben.goto("/clinic")
        press(ben, "j", "j", "k")
        while focused(ben) != "Treat names in any case, and ask before guessing":
            before = focused(ben)
            press(ben, "j")
            assert focused(ben) != before, "j came to the end of the list"
        press(ben, "Enter")
        ben.wait_for_url("**/clinic/proposals/1")
        speaks_of_a_sentence(ben)
        quotes_and_answers(ben)
        tab_to(ben, "Approve what you see")
        press(ben, "Enter")
        ben.get_by_text("Approved by Ben Carter.").wait_for()
        tab_to(ben, "Put live…")
        press(ben, "Enter")
        ben.get_by_role("dialog").wait_for()
        ben.keyboard.type("The desk agreed")
        tab_to(ben, "Put v2 into production", 10)
        press(ben, "Enter")
        ben.get_by_text("Version 2 is in production now, instead of 1.").wait_for()
        tab_to(ben, "Take it back")
        press(ben, "Enter")
        ben.get_by_text("All of it is back where it was").wait_for()


def speaks_of_a_sentence(ben: Any) -> None:
    press(ben, "j", "ArrowRight")
    assert selected(ben) == "You sort calls that came in overnight."
    press(ben, "ArrowRight", "ArrowRight", "ArrowLeft")
    decide = "Decide how soon someone must call back: now, today or this week."
    assert selected(ben) == decide
    press(ben, "Shift+ArrowRight")
    both = selected(ben)
    assert both.startswith(decide)
    assert both.endswith("the answer is always now.")
    press(ben, "ArrowLeft")
    assert selected(ben) == decide
    ben.get_by_role("button", name="Comment c").wait_for()
    press(ben, "c")
    assert ben.locator(".say-on [data-quote-shown]").inner_text() == decide
    ben.keyboard.type("And who decides?")
    press(ben, "Control+Enter")
    ben.locator(".remark", has_text="And who decides?").wait_for()
    ben.wait_for_function(  # the new remark gets the focus
        "document.activeElement.innerText.includes('And who decides?')"
    )


def quotes_and_answers(ben: Any) -> None:
    while "Never the address" not in focused(ben):
        before = focused(ben)
        press(ben, "j")
        assert focused(ben) != before, "j came to the end of the page"
    press(ben, "r")
    ben.wait_for_function("document.activeElement.value?.startsWith('> Never the address')")
    ben.keyboard.type("Thank you.")
    press(ben, "Control+Enter")
    ben.locator(".remark", has_text="Thank you.").wait_for()
    said = ben.locator(".remark", has_text="Thank you.")
    assert said.locator("blockquote").inner_text() == "Never the address, I will say so."
    press(ben, "c")
    ben.wait_for_function("document.activeElement.dataset.slot === 'whole'")
    ben.keyboard.type("jjj kkk c r ?")
    assert ben.evaluate("document.activeElement.value") == "jjj kkk c r ?", "typing is typing"
    ben.get_by_text("Kept for you, not sent yet.").wait_for()


def test_a_change_is_proposed_and_a_clash_decided(clinic: Server, chromium: Any):
    with at_the_browser(clinic, chromium, "ana") as ana:
        ana.goto("/clinic/prompts/support/hours")
        ana.locator(".cm-content").first.focus()
        press(ana, "Control+End")
        ana.keyboard.type(" Speak slowly.")
        ana.locator("[data-draft-state]", has_text="Draft saved").wait_for()
        press(ana, "Escape")
        tab_to(ana, "Propose…")
        press(ana, "Enter")
        ana.get_by_label("Title").wait_for()
        tab_to(ana, "Title")
        ana.keyboard.type("Slowly")
        tab_to(ana, "Propose", 40)
        press(ana, "Enter")
        ana.wait_for_url("**/clinic/proposals/10")
        ana.goto("/clinic/proposals/4/resolve")
        tab_to(ana, "The proposal")
        press(ana, "Space")
        assert ana.get_by_label("The proposal").is_checked()
        press(ana, "ArrowDown", "ArrowUp")
        tab_to(ana, "Make revision 2")
        press(ana, "Enter")
        ana.wait_for_url("**/clinic/proposals/4")
        assert ana.locator(".tab", has_text="Revisions 2").count() == 1


def test_the_list_of_keys_names_them(clinic: Server, chromium: Any):
    with at_the_browser(clinic, chromium, "ben") as ben:
        ben.goto("/clinic/proposals/1")
        press(ben, "?")
        listed = ben.locator("#shortcuts").inner_text()
        for words in ("The next change, remark or row", "Comment on the chosen words", "r", "c"):
            assert words in listed
        press(ben, "Escape", "j")
        assert ben.evaluate("document.activeElement.className") == "message"

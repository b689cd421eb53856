"""Every form of review with JavaScript switched off: plain pages that say and do the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cast import copy_template
from tests.review_people import at_the_browser
from tests.review_scene import told
from tests.serving import Server

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("plain") / "data"
    copy_template(migrated, data)
    with told(data) as running:
        yield running


def plain(clinic: Server, chromium: Any, who: str) -> Any:
    return at_the_browser(clinic, chromium, who, java_script_enabled=False)


def page_of(number: int) -> str:
    return f"/clinic/proposals/{number}"


def main(page: Any) -> str:
    return page.locator("main").inner_text()


def press(page: Any, name: str) -> None:
    page.get_by_role("button", name=re.compile(f"^{re.escape(name)}")).first.click()


def test_from_a_draft_to_production_and_back(clinic: Server, chromium: Any):
    with plain(clinic, chromium, "ana") as ana, plain(clinic, chromium, "ben") as ben:
        ana.goto("/clinic/prompts/clinical/triage")
        text = ana.locator("textarea[name=content]").first
        text.fill(text.input_value() + "\n\nSpeak slowly.")
        press(ana, "Propose…")
        ana.get_by_label("Make a new proposal").check()
        ana.get_by_label("Why?").fill("Old people call too.")
        press(ana, "Propose")
        assert "Not proposed yet; everything you wrote is still here" in main(ana)
        assert ana.get_by_label("Why?").input_value() == "Old people call too."
        ana.get_by_label("Title").fill("Speak slowly")
        ana.get_by_label("Put it live under").fill("production")
        press(ana, "Propose")
        here = re.sub(r"^https?://[^/]+", "", ana.url)
        assert "Speak slowly." in ana.locator(".diff ins").inner_text()

        ben.goto("/clinic/proposals?state=open")
        ben.get_by_role("searchbox", name="Search these proposals").fill("slowly")
        press(ben, "Find")
        ben.get_by_role("link", name="Speak slowly").click()
        ben.get_by_role("link", name="Ask for a change").click()
        ben.get_by_label("What should change?").fill("Clearly too, please.")
        press(ben, "Ask for a change")
        assert "Ben Carter asked for a change" in main(ben)

        ana.goto(here)
        press(ana, "Write on")
        text = ana.locator("textarea[name=content]").first
        text.fill(text.input_value().replace("slowly.", "slowly and clearly."))
        press(ana, "Propose…")
        ana.get_by_label("Add as revision 2").check()
        press(ana, "Propose")

        ben.goto(here)
        assert "New since you looked" in main(ben)
        press(ben, "I have read it all")
        ben.goto(here)
        assert "New since you looked" not in main(ben)
        press(ben, "Approve what you see")
        assert "Approved by Ben Carter." in main(ben)
        press(ben, "Take back my word")
        assert "Approved by" not in main(ben)
        press(ben, "Approve what you see")
        ben.get_by_role("link", name="Put live…").click()
        ben.get_by_label("A word for the history").fill("The ward agreed")
        press(ben, "Put v2 into production")
        assert "Version 2 is in production now, instead of 1." in ben.locator("body").inner_text()
        press(ben, "Take it back")
        assert "All of it is back where it was." in ben.locator("body").inner_text()


def test_talking(clinic: Server, chromium: Any):
    with plain(clinic, chromium, "ben") as ben:
        ben.goto(page_of(2))
        ben.get_by_role("link", name="Comment", exact=True).click()
        assert "/talk" in ben.url
        ben.get_by_label("Your remark on the whole proposal").fill("Why all at once?")
        ben.locator("#write").get_by_role("button", name="Send").click()
        assert "Why all at once?" in main(ben)
        ben.get_by_text("Say something about certain words").click()
        ben.get_by_label("Where", exact=True).select_option(index=1)
        ben.get_by_label("The words").fill("Write to the patient kindly.")
        ben.locator(".by-hand").get_by_label("Your remark").fill("Kindly is good")
        ben.locator(".by-hand").get_by_role("button", name="Send").click()
        said = ben.locator(".thread", has_text="Kindly is good")
        assert said.count() == 1
        said.get_by_text("Answer", exact=True).click()
        said.get_by_label("Your answer to Ben Carter").fill("Is it, though?")
        said.locator(".answer").get_by_role("button", name="Send").click()
        assert said.locator(".remark").count() == 2
        said.get_by_text("Change", exact=True).first.click()
        said.locator(".remark-edit textarea").first.fill("Kindly is very good")
        press(said.first, "Save")
        said = ben.locator(".thread", has_text="Kindly is very good")
        assert "edited" in said.inner_text()
        press(said, "Resolve")
        press(said, "Open again")  # the address leads to it, so that the browser unfolds it
        number = said.locator(".remark").first.get_attribute("data-remark")
        ben.goto(f"{page_of(2)}/talk?quote={number}")
        answer = said.get_by_label("Your answer to Ben Carter")
        assert answer.input_value().startswith("> Kindly is very good")
        ben.locator("#write").get_by_label("Your remark on the whole proposal").fill("")
        ben.locator("#write").get_by_role("button", name="Send").click()
        assert ben.locator("[aria-invalid=true]").count() == 1


def test_everything_else_that_people_do_with_a_proposal(clinic: Server, chromium: Any):
    with plain(clinic, chromium, "ana") as ana:
        ana.goto(f"{page_of(1)}/edit")
        ana.get_by_label("Title").fill("Names in any case")
        press(ana, "Keep it so")
        assert ana.locator("h1").inner_text() == "Names in any case"
        ana.goto(f"{page_of(1)}/reviewers")
        ana.get_by_label("Maria Santos").check()
        press(ana, "Ask them")
        assert "Maria Santos" in ana.locator(".offer-state").inner_text()
        ana.locator(".offer-head .menu > summary").click()
        press(ana, "Tell me nothing more")
        ana.locator(".offer-head .menu > summary").click()
        press(ana, "Tell me what happens here")
        ana.locator(".offer-head .menu > summary").click()
        press(ana, "Withdraw")
        assert "Withdrawn by Ana Oliveira" in main(ana)
        ana.locator(".offer-head .menu > summary").click()
        press(ana, "Open it again")
        assert "Waiting for" in ana.locator(".offer-state").inner_text()
        ana.goto(f"{page_of(4)}/resolve")
        ana.get_by_label("Both, one after the other").check()
        press(ana, "Make revision 2")
        assert ana.url.endswith(page_of(4))
        ana.goto(page_of(5))
        press(ana, "Bring it up to date")
        ana.goto(f"{page_of(5)}?from=1&to=2")
        ana.get_by_label("From").select_option("")
        press(ana, "Show")
        assert ana.locator(".diff ins").count() >= 1
        ana.goto("/clinic/prompts/support/hours")
        text = ana.locator("textarea[name=content]").first
        text.fill("Open from eight to five.")
        press(ana, "Keep as draft")
        ana.goto("/clinic/propose-several")
        ana.get_by_label("Title").fill("Our hours")
        press(ana, "Propose")
        assert "Our hours" in ana.locator("h1").inner_text()


def test_reviewers_and_administrators(clinic: Server, chromium: Any):
    with plain(clinic, chromium, "ben") as ben:
        ben.goto(page_of(3))
        assert ben.locator(".hidden-char").count() == 2
        ben.get_by_label("I looked at the hidden characters").check()
        press(ben, "Approve what you see")
        assert "Approved by Ben Carter." in main(ben)
        ben.goto(f"{page_of(3)}/decline")
        ben.get_by_label("Why not?").fill("A Cyrillic letter crept in.")
        press(ben, "Decline")
        assert "A Cyrillic letter crept in." in main(ben)
        ben.goto("/clinic/notices")
        press(ben, "Mark all as seen")
        assert ben.locator(".notice-new").count() == 0
        ben.locator(".notice-open").first.click()
        assert "/clinic/notices" not in ben.url
    with plain(clinic, chromium, "maria") as maria:
        maria.goto(f"{page_of(2)}/merge?glass=1")
        maria.get_by_label("Why can it not wait?").fill("The ward stands still")
        press(maria, "Break glass")
        # What was saved meanwhile is brought in first and shown; the reason is still there.
        assert maria.locator(".note-error").count() == 1
        assert maria.get_by_label("Why can it not wait?").input_value() == "The ward stands still"
        press(maria, "Break glass")
        assert "The ward stands still" in maria.locator(".offer-glass").inner_text()
    with plain(clinic, chromium, "carla") as carla:
        carla.goto("/clinic/propose/support/hours")
        carla.get_by_label("Title").fill("On Sundays too")
        carla.get_by_label("Text of message 1").fill("Open every day.")
        press(carla, "Propose")
        assert "Open every day" in carla.locator(".diff ins").inner_text()

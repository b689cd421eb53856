"""The whole way of a change, by the people it concerns: from a draft to an application and back.

Ana writes, Ben reviews, Carla reads, Mallory is of another workspace. A real hub, real Chromium,
a model's endpoint on loopback, and an application in a process of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cast import copy_template
from tests.clinic_story import Story
from tests.endpoint import KEY, endpoint_in_a_thread
from tests.review_people import at_the_browser, press, program
from tests.review_scene import LIVE, ONE, calls, save, told
from tests.serving import Server

pytestmark = pytest.mark.browser
PROMPT = "clinical/triage"
HERE = "/clinic/proposals/1"
NAMES = " Names may be written in any case."
BIRTHDAY = " Ask for the birthday when two match."
WHY = "Callers whose name arrives in lower case were not found."


async def before(story: Story) -> None:
    await save(story, PROMPT, calls(model="echo"))
    await story.live(name=PROMPT)
    await story.rules(ONE, LIVE)


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("review") / "data"
    copy_template(migrated, data)
    with told(data, before, private_hosts="127.0.0.1") as running:
        yield running


def test_from_a_draft_to_the_applications_and_back(clinic: Server, chromium: Any):
    def at(who: str) -> Any:
        return at_the_browser(clinic, chromium, who)

    with program(clinic, PROMPT) as said, endpoint_in_a_thread() as endpoint:
        version, text = said.get(timeout=60)
        assert (version, NAMES in text) == (1, False)
        with at("maria") as maria:
            connect(maria, endpoint.base_url)
        with at("ana") as ana, at("ben") as ben:
            ben.goto("/clinic")
            propose(ana)
            hears(ben, "Ana Oliveira asks you to review")
            reads(ben)
            compares(ben)
            speaks_of_words(ben)
            asks_for_a_change(ben)
            answers_with_a_revision(ana)
            reads_what_is_new(ben)
            assert said.empty(), "nothing of it is live before it is released"
            approves(ben)
            releases(ben)
            version, text = said.get(timeout=60)
            assert version == 2
            assert NAMES.strip() in text
            assert BIRTHDAY.strip() in text
            with at("carla") as carla:
                everybody_sees_who_and_why(carla)
            takes_it_back(ben)
            assert said.get(timeout=60)[0] == 1


def connect(maria: Any, base_url: str) -> None:
    """A model that the team may ask; how it is added is told elsewhere."""
    maria.goto("/clinic/models")
    token = maria.locator("meta[name=csrf-token]").get_attribute("content")
    form = {"name": "Acme", "base_url": base_url, "key": KEY, "models": "echo"}
    sent = maria.request.post("/clinic/models", form=form | {"_csrf_token": token})
    assert sent.ok, sent.text()


def propose(ana: Any) -> None:
    """More words, why, for production; Ben is asked because the rules count him."""
    ana.goto(f"/clinic/prompts/{PROMPT}")
    ana.locator(".cm-content").first.focus()
    press(ana, "Control+End")
    ana.keyboard.type(NAMES)
    ana.locator("[data-draft-state]", has_text="Draft saved").wait_for()
    ana.get_by_role("button", name="Propose…").click()
    ana.get_by_label("Title").fill("Treat names in any case")
    ana.get_by_label("Why?").fill(WHY)
    ana.get_by_label("Put it live under").fill("production")
    assert ana.get_by_label("Ben Carter").is_checked()
    assert ana.locator("ins", has_text=NAMES.strip()).is_visible()
    ana.get_by_role("button", name="Propose", exact=True).click()
    ana.wait_for_url(f"**{HERE}")
    assert ana.get_by_role("button", name="Approve").count() == 0, "nobody approves their own words"


def hears(who: Any, words: str) -> None:
    """At the foot of the page that happens to be open, and as a number at the bell."""
    who.locator("#flashes", has_text=words).wait_for()
    assert int(who.locator("[data-badge=notices]").inner_text()) >= 1


def reads(ben: Any) -> None:
    """The queue leads to the change; whole words are marked inside the flowing text."""
    assert ben.locator(".rail [data-badge=reviews]").inner_text() == "1"
    ben.get_by_role("link", name="Reviews").click()
    ben.get_by_role("link", name="Treat names in any case").click()
    assert ben.locator(".diff ins").all_inner_texts() == [NAMES]
    assert ben.locator(".diff del").count() == 0
    head = ben.locator(".offer-head").inner_text()
    for words in (WHY, "by Ana Oliveira", "Waiting for one approval", "you, not yet"):
        assert words in head
    ben.get_by_text("checks passed").wait_for()


def compares(ben: Any) -> None:
    """What it does: the model repeats the last message, so both answers are the same."""
    ben.get_by_role("link", name="What it does").click()
    assert ben.get_by_label("echo").is_checked(), "the prompt's own model"
    ben.get_by_role("link", name="Add examples").click()
    ben.get_by_label("Name").first.fill("a fall")
    ben.locator("[name='v.transcript']").fill("I fell.")
    ben.get_by_role("button", name="Add").first.click()
    ben.goto(f"{HERE}/answers")
    ben.get_by_label("a fall").check()
    ben.get_by_role("button", name="Compare", exact=True).click()
    ben.get_by_text("1 example: the same answer.").wait_for()
    assert ben.get_by_text("Compared by Ben Carter").is_visible()


def speaks_of_words(ben: Any) -> None:
    """Drawn over with the mouse; the button comes to the words, the form beside them."""
    ben.goto(HERE)
    box = ben.locator(".diff ins").bounding_box()
    line = box["y"] + 14
    ben.mouse.move(box["x"] + 6, line)
    ben.mouse.down()
    ben.mouse.move(box["x"] + 120, line, steps=8)
    ben.mouse.up()
    ben.get_by_role("button", name="Comment c").click()
    quoted = ben.locator(".say-on [data-quote-shown]").inner_text()
    assert quoted.strip()
    assert quoted.strip() in NAMES
    draw_taller(ben, ben.locator("#s-whole"))
    ben.locator(".say-on textarea").focus()
    ben.keyboard.type("And when two people have the same name?")
    press(ben, "Control+Enter")
    thread = ben.locator(".thread", has_text="two people have the same name")
    thread.wait_for()
    assert thread.locator("mark").inner_text() == quoted
    assert ben.evaluate("CSS.highlights.get('spoken').size") == 1


def draw_taller(page: Any, field: Any) -> None:
    """By its corner, which leaves a style at it: nothing carries that over (our policy forbids it)
    when the talk comes back with the remark, or the browser complains and the test fails.
    """
    field.scroll_into_view_if_needed()
    box = field.bounding_box()
    corner = box["x"] + box["width"] - 4, box["y"] + box["height"] - 4
    page.mouse.move(*corner)
    page.mouse.down()
    page.mouse.move(corner[0], corner[1] + 40, steps=4)
    page.mouse.up()
    assert "height" in field.get_attribute("style")


def asks_for_a_change(ben: Any) -> None:
    ben.get_by_role("link", name="Ask for a change").click()
    sheet = ben.get_by_role("dialog")
    sheet.get_by_label("What should change?").fill("Say what to do when two people match.")
    sheet.get_by_role("button", name="Ask for a change").click()
    ben.get_by_text("the author will hear of it").wait_for()


def answers_with_a_revision(ana: Any) -> None:
    hears(ana, "Ben Carter")
    ana.goto(HERE)
    assert "Ben Carter asked for a change." in ana.locator(".offer-state").inner_text()
    ana.get_by_role("button", name="Write on").click()
    ana.locator(".cm-content").first.focus()
    press(ana, "Control+End")
    ana.keyboard.type(BIRTHDAY)
    ana.locator("[data-draft-state]", has_text="Draft saved").wait_for()
    ana.get_by_role("button", name="Propose…").click()
    assert ana.get_by_label("Add as revision 2").is_checked()
    ana.get_by_label("Why?").fill("As Ben asked")
    ana.get_by_role("button", name="Propose", exact=True).click()
    ana.wait_for_url(f"**{HERE}")


def reads_what_is_new(ben: Any) -> None:
    hears(ben, "revision 2")
    ben.goto(HERE)
    ben.get_by_text("New since you looked").wait_for()
    ben.get_by_role("link", name="Only what changed since").click()
    assert ben.locator(".diff ins").all_inner_texts() == [BIRTHDAY]


def approves(ben: Any) -> None:
    ben.goto(HERE)
    assert ben.locator(".diff ins").all_inner_texts() == [NAMES + BIRTHDAY]
    ben.get_by_role("button", name="Approve what you see").click()
    ben.get_by_text("Approved by Ben Carter.").wait_for()


def releases(ben: Any) -> None:
    """The sheet says what is live and what replaces it; the red button says what it does."""
    ben.get_by_role("link", name="Put live…").click()
    sheet = ben.get_by_role("dialog")
    shown = sheet.inner_text()
    assert re.search(r"replaces version 1, live .* \(Ben Carter\)", shown), shown
    assert "Ben Carter approved" in shown
    button = sheet.get_by_role("button", name="Put v2 into production")
    assert "button-danger" in button.get_attribute("class")
    button.click()
    ben.get_by_text("Version 2 is in production now, instead of 1.").wait_for()


def everybody_sees_who_and_why(carla: Any) -> None:
    carla.goto(f"/clinic/history/{PROMPT}")
    told = carla.locator(".timeline").inner_text()
    for words in ("Treat names in any case", "Ana Oliveira", "Ben Carter", "proposal 1"):
        assert words in told, told
    carla.goto(HERE)
    assert "Merged by Ben Carter" in carla.locator(".offer-head").inner_text()
    for name in ("Approve what you see", "Put live…", "Take it back"):
        assert carla.get_by_role("button", name=name).count() == 0
    assert carla.get_by_role("link", name="Put live…").count() == 0


def takes_it_back(ben: Any) -> None:
    """One press, also long after the note at the foot is gone."""
    ben.goto(HERE)
    ben.get_by_role("button", name="Take it back").click()
    ben.get_by_text("All of it is back where it was").wait_for()


def test_an_outsider_finds_nothing_anywhere(clinic: Server, chromium: Any):
    with at_the_browser(clinic, chromium, "mallory") as page:
        page.goto("/rival")
        for path in ("", "/proposals", "/proposals/1", "/proposals/1/talk", "/proposals/1/answers",
                     "/proposals/1/revisions", "/proposals/1/merge", "/proposals/1/resolve",
                     "/proposals/1/ask", "/proposals/1/edit", "/propose/clinical/triage",
                     "/propose-several", "/notices", "/settings/rules", "/settings/groups",
                     "/settings/audit", "/as-of", "/scheduled", "/history/clinical/triage",
                     "/proposals/99"):  # fmt: skip
            answer = page.request.get(f"/clinic{path}")
            assert answer.status == 404, path
            assert "Treat names" not in answer.text(), path
        token = page.locator("meta[name=csrf-token]").get_attribute("content")
        for deed in ("review", "merge", "withdraw", "decline", "reopen", "rebase", "reviewers",
                     "subscribe", "comments", "resolve"):  # fmt: skip
            answer = page.request.post(
                f"{HERE}/{deed}", form={"_csrf_token": token or "", "body": "Hello"},
                headers={"Origin": clinic.url},
            )  # fmt: skip
            assert answer.status == 404, deed

"""A grid by keyboard alone, votes and ratings, and how its pages read; with Ana, in Chromium."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browsing import violations
from tests.test_playground_browser import acme, fake, hub, open_page

pytestmark = pytest.mark.browser
__all__ = ["acme", "fake", "hub", "open_page"]


def run(page: Any, hub: Any, *ticks: str, models: tuple[str, ...] = ("echo", "shout")) -> str:
    """Choose the models by varying the first column, tick what is wanted, run."""
    page.goto(f"{hub.url}/clinic/try/support/triage")
    page.get_by_text("Several models, versions").click()
    for model in models:
        page.locator(".vary").get_by_label(model, exact=True).check()
    page.get_by_role("button", name="A column for each model").click()
    page.locator("select[name=model]").nth(1).wait_for()
    for tick in ticks:
        page.get_by_label(tick).check()
    page.locator("#v-complaint").fill("my arm hurts")
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**/grid/*")
    page.get_by_role("button", name="Run again").wait_for()
    return page.url


def test_compare_focus_and_ask_again_by_key(hub: Any, open_page: Any, acme: Any):
    page = open_page("ana")
    first = run(page, hub)
    page.keyboard.press("d")
    page.wait_for_url("**base=1")
    assert page.locator("ins").first.inner_text() == "MY ARM HURTS"
    page.keyboard.press("d")
    page.wait_for_url(first)
    page.locator(".sheet td").nth(1).locator("a").focus()
    page.keyboard.press("f")
    page.wait_for_url("**only=2")
    assert page.locator(".sheet thead th").count() == 2
    page.keyboard.press("f")
    page.wait_for_url(first)
    page.keyboard.press("r")
    page.wait_for_url(lambda url: url != first)
    page.get_by_role("button", name="Run again").wait_for()


def test_one_column_alone_and_a_new_one_by_key(hub: Any, open_page: Any, acme: Any, fake: Any):
    page = open_page("ana")
    first = run(page, hub)
    asked = len(fake.asked)
    page.locator(".sheet td").nth(1).locator("a").focus()
    page.keyboard.press("Shift+Enter")
    page.wait_for_url(lambda url: "/grid/" in url and url != first)
    page.get_by_role("button", name="Ask again").nth(1).wait_for()
    page.wait_for_load_state()
    assert [one["model"] for one in fake.asked[asked:]] == ["shout"]
    assert page.locator(".sheet td").first.get_by_text("kept from #").count() == 1
    page.get_by_role("button", name="Ask again").first.click()
    page.get_by_role("link", name="Add a column").wait_for()
    page.wait_for_load_state()
    assert [one["model"] for one in fake.asked[asked:]] == ["shout", "echo"]
    page.keyboard.press("n")
    page.locator("select[name=model]").nth(2).wait_for()
    page.wait_for_load_state()
    page.keyboard.press("n")
    page.locator("select[name=model]").nth(3).wait_for()
    page.locator("#column-3:focus").wait_for()
    page.keyboard.press("Tab")
    page.locator("#source-3:focus").wait_for()
    page.locator("select[name=model]").nth(1).focus()
    asked = len(fake.asked)
    page.keyboard.press("Shift+Enter")
    page.wait_for_url("**/grid/*")
    page.get_by_role("button", name="Run again").wait_for()
    assert [one["model"] for one in fake.asked[asked:]] == ["shout"]


def test_what_is_seen_is_shared_as_a_link(hub: Any, open_page: Any, acme: Any):
    page = open_page("ana", permissions=["clipboard-read", "clipboard-write"])
    first = run(page, hub)
    page.goto(f"{first}?base=1&calls=3000&each=15")
    page.get_by_role("button", name="Copy the link").click()
    page.get_by_role("button", name="Copied").wait_for()
    link = page.evaluate("navigator.clipboard.readText()")
    assert link == f"{first}?base=1&calls=3000&each=15"
    other = open_page("carla")
    other.goto(link)
    assert other.locator("ins").first.inner_text() == "MY ARM HURTS"
    assert "3,000 a day" in other.locator("#foot").inner_text()


def test_shift_and_enter_in_a_text_is_a_new_line(hub: Any, open_page: Any, acme: Any):
    page = open_page("ana")
    page.goto(f"{hub.url}/clinic/try/support/triage")
    page.get_by_role("button", name="Add a column").click()
    page.locator("select[name=model]").nth(1).wait_for()
    page.wait_for_load_state()
    page.locator("#v-complaint").fill("one")
    page.keyboard.press("End")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("two")
    assert page.locator("#v-complaint").input_value() == "one\ntwo"


def test_a_blind_vote_and_a_rating_by_key(hub: Any, open_page: Any, acme: Any):
    page = open_page("ana")
    run(page, hub, "Hide whose answers they are until I have voted")
    assert "shout" not in page.locator("main").inner_text()
    page.keyboard.press("1")
    page.get_by_text("chosen 1 of 1 times").wait_for()
    page.get_by_role("link", name="Rate…").first.focus()
    page.keyboard.press("Enter")
    page.get_by_role("dialog").get_by_label("Not rated").focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Tab")
    page.keyboard.type("Short and right")
    page.get_by_role("dialog").get_by_role("button", name="Keep").focus()
    page.keyboard.press("Enter")
    page.get_by_text("rated 4 of 5").wait_for()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_the_pages_are_accessible_and_never_wider_than_the_screen(
    hub: Any, open_page: Any, acme: Any, width: int, scheme: str
):
    page = open_page("ana", viewport={"width": width, "height": 844}, color_scheme=scheme)
    done = run(page, hub)
    shown = page.locator(".sheet thead th:visible").count()
    assert shown == (3 if width > 760 else 1), "also when the heads came with the end of the run"
    answer = page.locator(".cell-foot a").first.get_attribute("href")
    blind = run(page, hub, "Hide whose answers they are until I have voted")
    tries = f"{hub.url}/clinic/try/support/triage"
    column = f"{done}/column/1"
    for url in (f"{column}/save", f"{column}/propose", done, f"{done}?base=1", f"{done}?only=2",
                hub.url + answer, blind, tries):  # fmt: skip
        page.goto(url)
        if url == tries:
            page.get_by_text("Several models, versions").click()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), url
        bad = [(one["id"], one["nodes"][0]["target"]) for one in violations(page)
               if one["impact"] in ("serious", "critical")]  # fmt: skip
        assert bad == [], url

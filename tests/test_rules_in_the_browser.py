"""Rules, groups, the audit log and one's own keys in a real browser: by keyboard, and with axe."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browsing import violations
from tests.serving import Server

pytestmark = pytest.mark.browser
RULES = "/clinic/settings/rules"
PAGES = (RULES, "/clinic/settings/groups", "/clinic/settings/audit", "/account/keys")


def opened(server: Server, chromium: Any, who: str, **more: Any) -> Any:
    context = chromium.new_context(base_url=server.url, **more)
    server.sign_in(context, who)
    context.add_cookies([{"name": "session", "value": server.cast.cookies[who], "url": server.url}])
    return context.new_page()


@pytest.fixture
def maria(server: Server, chromium: Any) -> Iterator[Any]:
    """Maria's page; anything the browser complains about fails the test."""
    page = opened(server, chromium, "maria")
    complaints: list[str] = []
    page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    page.context.close()
    assert complaints == []


def press_until(page: Any, name: str) -> None:
    """Tab along until the focus stands on the control of that name."""
    for _ in range(80):
        page.keyboard.press("Tab")
        said = page.evaluate("(e => (e.labels?.[0] ?? e).innerText.trim())(document.activeElement)")
        if said.startswith(name):
            return
    raise AssertionError(f"the keyboard never came to {name}")


def test_a_rule_is_made_by_keyboard_alone(maria: Any) -> None:
    maria.goto(RULES)
    press_until(maria, "Add a rule about changes")
    maria.keyboard.press("Enter")
    maria.get_by_text("Whose approval counts").wait_for()
    press_until(maria, "Folder")
    maria.keyboard.type("legal")
    press_until(maria, "Administrators")
    maria.keyboard.press("Space")
    press_until(maria, "Why")
    maria.keyboard.type("The lawyers asked for it.")
    press_until(maria, "Show how it will read")
    maria.keyboard.press("Enter")
    card = maria.locator("#preview")
    card.wait_for()
    words = "Changes under legal/ need 1 approval from administrators or reviewers"
    assert words in card.inner_text()
    assert maria.get_by_label("Why").input_value() == "The lawyers asked for it."
    press_until(maria, "Put in force")
    maria.keyboard.press("Enter")
    maria.get_by_text("The rules are in force.").wait_for()
    maria.reload()
    assert words in maria.locator(".rule-list").first.inner_text()


def test_enter_in_a_field_only_previews(maria: Any) -> None:
    maria.goto(RULES)
    maria.get_by_role("button", name="Add a rule about releases").click()
    maria.get_by_label("Folder", exact=True).last.press("Enter")
    maria.locator("#preview").wait_for()
    maria.goto(RULES)
    assert "Moving production" not in maria.locator(".rule-list").first.inner_text()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_the_pages_have_no_serious_fault_and_fit(
    server: Server, chromium: Any, width: int, scheme: str
) -> None:
    size = {"width": width, "height": 900}
    page = opened(server, chromium, "maria", viewport=size, color_scheme=scheme)
    try:
        for address in PAGES:
            page.goto(address)
            for fold in page.locator(".main details:not(.menu)").all():
                fold.evaluate("one => { one.open = true }")
            serious = [one for one in violations(page) if one["impact"] in ("serious", "critical")]
            assert not serious, (address, serious)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, address
    finally:
        page.context.close()


def test_without_javascript_everything_can_be_done(server: Server, chromium: Any) -> None:
    page = opened(server, chromium, "maria", java_script_enabled=False)
    try:
        page.goto("/clinic/settings/groups")
        page.get_by_label("Name of the group").fill("Leads")
        page.locator("#make").get_by_label("Ben Carter").check()
        page.get_by_role("button", name="Make group").click()
        assert "Ben Carter" in page.locator("section.card").first.inner_text()
        page.goto(RULES)
        page.get_by_role("button", name="Add a rule about changes").click()
        rule = page.locator(".rule-edit").last
        rule.get_by_label("Folder", exact=True).fill("clinical")
        rule.get_by_label("Leads").check()
        page.get_by_role("button", name="Put in force").click()
        assert "reviewers or Leads" in page.locator(".rule-list").first.inner_text()
        page.goto("/clinic/settings/audit")
        page.get_by_label("Who", exact=True).fill("maria")
        page.get_by_label("What", exact=True).select_option("policy.")
        page.get_by_role("button", name="Show").click()
        assert "put in force" in page.locator(".log li").first.inner_text()
    finally:
        page.context.close()

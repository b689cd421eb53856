"""A prompt gets another name by keyboard alone; what is wrong in a form has the keyboard."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from tests.serving import Server

pytestmark = pytest.mark.browser

MENU = "main details.menu summary"


@pytest.fixture(scope="module", autouse=True)
def prompt(server: Server) -> None:
    document = {"messages": [{"role": "system", "content": "Be calm."}]}
    sent = {"document": document, "base": None, "message": "First"}
    with httpx.Client(base_url=server.url, headers=server.headers("write")) as app:
        assert app.post("/api/v1/versions/support/mood", json=sent).status_code == 201


@pytest.fixture
def page(server: Server, chromium: Any) -> Any:
    context = chromium.new_context(base_url=server.url)
    server.sign_in(context, "maria")
    yield context.new_page()
    context.close()


def test_a_prompt_is_renamed_by_keyboard_alone(page: Any):
    from playwright.sync_api import expect

    name = page.get_by_label("Name", exact=True)
    page.goto("/clinic/prompts/support/mood")
    menu = page.locator(MENU)
    menu.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(name).to_be_focused()

    page.keyboard.press("Escape")  # the menu it came from is closed, and has the keyboard again
    expect(name).not_to_be_visible()
    expect(menu).to_be_focused()
    expect(page.get_by_role("link", name="Duplicate…")).not_to_be_visible()

    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(name).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.type("Support/Mood")
    page.keyboard.press("Enter")
    page.get_by_text("cannot be part of a name").wait_for()
    expect(name).to_be_focused()
    expect(name).to_have_value("Support/Mood")

    page.keyboard.press("Control+a")
    page.keyboard.type("support/feeling")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/prompts/support/feeling$"))
    page.goto("/clinic/prompts/support/mood")
    assert page.url.endswith("/prompts/support/feeling")


def test_what_is_wrong_has_the_keyboard(page: Any):
    from playwright.sync_api import expect

    page.goto("/account")
    now = page.get_by_label("Present password")
    now.fill("not the password")
    page.get_by_label("New password").fill("three calm otters")
    page.keyboard.press("Enter")
    expect(now).to_have_attribute("aria-invalid", "true")
    expect(now).to_be_focused()

"""The first administrator's way in, in a real browser: link, password, key, other look, out again.

Plain http on this machine, as `scripts/serve` prints it: the cookies must be taken all the same.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from hub.db import Database
from hub.people import accounts
from tests.browsing import violations
from tests.serving import Server

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def link(server: Server) -> str:
    """A sign-in link for Maria; made before the browser starts, whose loop would be in the way."""

    async def make() -> str:
        database = Database(server.settings.database, guest=True)
        try:
            async with database.write() as db:
                account = await accounts.find(db, "maria@example.org")
                assert account
                return await accounts.make_link(db, account)
        finally:
            await database.close()

    return f"{server.url}/sign-in/{asyncio.run(make())}"


@pytest.fixture
def page(server: Server, link: str, chromium: Any) -> Any:
    """A page of a fresh browser; anything the browser complains about fails the test."""
    context = chromium.new_context(base_url=server.url)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert complaints == []


def test_from_the_printed_link_to_a_key_and_out_again(page: Any, link: str):
    page.goto(link)
    page.locator("input[name=name]:focus").wait_for()  # ready to be typed into
    page.keyboard.press("Control+a")
    page.keyboard.type("Maria S.")
    page.get_by_label("Password").fill("three calm otters")
    page.get_by_role("button", name="Set password and sign in").click()
    page.wait_for_url(re.compile("/clinic$"))

    page.goto("/clinic/settings/keys")
    page.get_by_label("Name of the app").fill("triage service")
    page.get_by_role("button", name="Make key").click()
    assert page.locator("#new-key").inner_text().startswith("ph_")
    row = page.locator("tbody tr", has_text="triage service")
    row.get_by_role("button", name="Revoke").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke for good").click()
    page.get_by_text("does not work any more").wait_for()
    assert "Revoked" in row.inner_text()

    page.goto("/account")
    with page.expect_response(lambda answer: answer.request.method == "POST"):
        page.locator("#look").get_by_role("button", name="Dark").click()
    page.wait_for_function("document.documentElement.dataset.theme === 'dark'")
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"

    page.get_by_label("You: Maria S.").click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("heading", name="Sign in").wait_for()
    page.locator("input[name=email]:focus").wait_for()
    page.keyboard.type("maria@example.org")
    page.get_by_label("Password").fill("three calm otters")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(re.compile("/clinic$"))


@pytest.mark.parametrize("width", [1280, 390])
def test_settings_fit_and_are_accessible(page: Any, server: Server, width: int):
    page.set_viewport_size({"width": width, "height": 844})
    server.sign_in(page.context, "maria")
    for path in ("/clinic/settings", "/clinic/settings/keys", "/clinic/settings/about", "/account"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        bad = [one["id"] for one in violations(page) if one["impact"] in {"serious", "critical"}]
        assert bad == [], f"{path}: {bad}"

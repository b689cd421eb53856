"""Releases in real Chromium: on one's own clock, without scripts, by keyboard, for everybody."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from tests.browsing import violations
from tests.serving import Server

pytestmark = pytest.mark.browser
NAMES = ("support/triage", "support/mood")
BERLIN = ZoneInfo("Europe/Berlin")
LATER = (datetime.now(BERLIN) + timedelta(days=40)).replace(hour=9, minute=0)
SHEET = "/clinic/release/production/support/triage"


@pytest.fixture(scope="module", autouse=True)
def prompts(server: Server) -> None:
    """Two prompts of two versions; the first versions are live."""
    with httpx.Client(base_url=server.url, headers=server.headers("write")) as app:
        for name in NAMES:
            base = None
            for text in ("Be calm.", "Be calm and brief."):
                document = {"messages": [{"role": "system", "content": text}]}
                sent = {"document": document, "base": base, "message": "Say it better"}
                base = app.post(f"/api/v1/versions/{name}", json=sent).json()["hash"]
            sent = {"version": 1, "reason": "Go live"}
            assert app.put(f"/api/v1/labels/production/{name}", json=sent).status_code == 200


@pytest.fixture(params=[True, False], ids=["with-js", "without-js"])
def page(request: pytest.FixtureRequest, server: Server, chromium: Any) -> Iterator[Any]:
    """Ben's browser in Berlin; whatever it complains about, fails the test."""
    context = chromium.new_context(
        base_url=server.url, timezone_id="Europe/Berlin", java_script_enabled=request.param,
        viewport={"width": 1280, "height": 900},
    )  # fmt: skip
    context.on("weberror", lambda error: faults.append(str(error.error)))
    page = context.new_page()
    page.scripts = request.param
    faults: list[str] = []
    page.on(
        "console", lambda said: faults.append(said.text) if said.type in ("error", "warning") else 0
    )
    server.sign_in(context, "ben")
    yield page
    context.close()
    assert faults == []


def scheduled(server: Server) -> list[tuple[str, str]]:
    """When and how, straight from the table."""
    with sqlite3.connect(server.data / "hub.db") as db:
        rows = db.execute("SELECT due_at, state FROM scheduled_releases ORDER BY id").fetchall()
    return [(due[:16], state) for due, state in rows]


def test_a_time_is_typed_on_the_own_clock_and_in_utc_without_scripts(page: Any, server: Server):
    page.goto("/clinic/history/support/triage")
    page.get_by_role("link", name="Put live…").first.click()
    page.get_by_label("Why?").fill("The new wing opens")
    page.get_by_text("At a later time").click()
    zone = page.locator("[data-zone]").inner_text()
    assert zone.startswith("Europe/Berlin, UTC+" if page.scripts else "UTC")
    page.get_by_label("Date and time").fill(LATER.strftime("%Y-%m-%dT%H:%M"))
    page.get_by_role("button", name="Schedule it").click()
    page.wait_for_url("**/clinic/prompts/support/triage")
    due, state = scheduled(server)[-1]
    meant = LATER.astimezone(UTC) if page.scripts else LATER
    assert (due, state) == (meant.strftime("%Y-%m-%d %H:%M"), "waiting")
    shown = page.locator(".standing time").first.inner_text()
    assert "09:00" in shown
    page.goto("/clinic/scheduled")
    page.get_by_role("button", name="Cancel it").click()
    page.get_by_text("Cancelled by Ben Carter").first.wait_for()
    assert scheduled(server)[-1][1] == "cancelled"


def test_two_prompts_go_live_together_and_come_back_by_keyboard_alone(page: Any):
    page.goto("/clinic/release-several")
    for name in NAMES:
        box = page.locator(f'[name="pick.{name}"]')
        box.focus()
        page.keyboard.press("Space")
        assert box.is_checked()
    press(page, "See what it replaces")
    page.get_by_role("heading", name="Put mood v2 and triage v2 into production").wait_for()
    fold = page.locator("summary", has_text="1 message changed").first
    fold.focus()
    page.keyboard.press("Enter")
    assert page.locator("ins", has_text="and brief").first.is_visible()
    page.get_by_label("Why?").focus()
    page.keyboard.type("The autumn round")
    press(page, "Put mood v2 and triage v2 into production")
    page.get_by_role("heading", name="2 prompts released into production").wait_for()
    press(page, "Take all of it back")
    page.get_by_text("All of it is back where it was").wait_for()
    page.goto("/clinic/prompts/support/triage")
    assert page.get_by_text("Live v1").first.is_visible()


def press(page: Any, name: str) -> None:
    button = page.get_by_role("button", name=name)
    button.focus()
    assert button.evaluate("one => one === document.activeElement") if page.scripts else True
    page.keyboard.press("Enter")


def test_a_moment_is_looked_back_to_on_the_own_clock(page: Any):
    page.goto("/clinic/as-of")
    page.get_by_label("Moment").fill("2026-05-03T14:00")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url(re.compile("at=2026-05-03T14%3A00"))
    assert ("offset=120" in page.url) is page.scripts
    assert page.get_by_label("Moment").input_value() == "2026-05-03T14:00"
    heading = page.get_by_role("heading", level=1).inner_text()
    assert "14:00" in heading
    assert heading.endswith("UTC") is not page.scripts


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_the_pages_fit_and_are_accessible(server: Server, chromium: Any, width: int, scheme: str):
    context = chromium.new_context(
        base_url=server.url, viewport={"width": width, "height": 844}, color_scheme=scheme
    )
    page = context.new_page()
    server.sign_in(context, "maria")
    for path in (
        SHEET, "/clinic/release-several?only=all&all=1", "/clinic/as-of?at=2000-01-01T00:00",
        "/clinic/as-of", "/clinic/scheduled", "/clinic/labels/production/support/triage",
        "/clinic/prompts/support/triage",
    ):  # fmt: skip
        page.goto(path)
        fits_and_reads(page, path)
    page.goto("/clinic/release-several?only=all&all=1")
    page.get_by_role("button", name="See what it replaces").click()
    page.get_by_role("link", name="Cancel").wait_for()
    fits_and_reads(page, "what it replaces")
    context.close()


def fits_and_reads(page: Any, where: str) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), where
    bad = [
        (one["id"], [node["target"] for node in one["nodes"]][:3])
        for one in violations(page) if one["impact"] in {"serious", "critical"}
    ]  # fmt: skip
    assert bad == [], f"{where}: {bad}"

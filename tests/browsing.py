"""Chromium through Playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from functools import wraps
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT

PATIENCE_MS = 60_000
"""A loaded machine may need that long for what is there in a moment otherwise."""
STARTS_MS = 200_000
"""And that long until this machine's own model has started, and has answered."""

BROWSERS = ("chromium-headless-shell", "chromium", "google-chrome", "chrome")
"""The first of them draws the same without a window's frame, which is a page of its own."""

AT_ONCE = (
    "all", "all_inner_texts", "check", "click", "count", "dblclick", "evaluate", "fill", "focus",
    "get_attribute", "inner_text", "input_value", "is_checked", "is_visible", "press",
    "press_sequentially", "select_option", "text_content", "title", "uncheck",
)  # fmt: skip
"""What Playwright does to, or reads off, a page that has only begun to come."""


def once_loaded(do: Any) -> Any:
    """The same when all of the page is there and its scripts run, as people see it.

    A click that leads somewhere is over when the first bytes of the next page are there: on a
    loaded machine a list is counted while half of it is on its way.
    """

    @wraps(do)
    def waiting(self: Any, *given: Any, **more: Any) -> Any:
        (self.page if hasattr(self, "page") else self).wait_for_load_state()
        return do(self, *given, **more)

    # No type says that a function may carry a mark; it keeps this from being wrapped twice.
    waiting.looks_at_whole_pages = True  # type: ignore[attr-defined]
    return waiting


def patient(new_context: Any) -> Any:
    """The same with a minute for whatever is waited for there."""

    @wraps(new_context)
    def make(**more: Any) -> Any:
        context = new_context(**more)
        context.set_default_timeout(PATIENCE_MS)
        return context

    return make


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Playwright's sync API holds the thread's event loop: tests of such a file must all be `def`,
    and what runs a loop of its own (a hub's data, say) must be made before this is asked for.
    """
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        reason = "no Chromium on this machine (Debian: apt-get install chromium)"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    from playwright.sync_api import Locator, Page, expect, sync_playwright

    expect.set_options(timeout=PATIENCE_MS)
    for kind in (Locator, Page):
        for name in {*AT_ONCE} & {*vars(kind)}:
            if not hasattr(vars(kind)[name], "looks_at_whole_pages"):
                setattr(kind, name, once_loaded(vars(kind)[name]))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        # Playwright has no setting for the patience of every context to come.
        browser.new_context = patient(browser.new_context)  # type: ignore[method-assign]
        try:
            yield browser
        finally:
            browser.close()


def violations(page: Any, **options: Any) -> list[dict[str, Any]]:
    """What axe finds wrong. Its much longer list of what is in order stays in the page: to carry
    it over took longer than to look."""
    page.evaluate(AXE_SCRIPT)
    found = "options => axe.run(options).then(found => found.violations)"
    return page.evaluate(found, {"resultTypes": ["violations"], **options})


def browses(item: pytest.Item) -> bool:
    return "chromium" in getattr(item, "fixturenames", ())

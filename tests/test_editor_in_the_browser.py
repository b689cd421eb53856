"""The editor by itself, in a real browser under the real policy: writing, keys, a hub that is away.

The page is the style guide; the hub behind it is played by the test, so that it can be away.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

import pytest

from hub.web import ROOT, SECURITY_HEADERS, engine

URL = "http://localhost/styleguide"
MIME = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".woff2": "font/woff2",
    ".svg": "image/svg+xml",
}
CONTEXT: dict[str, Any] = {
    "person": SimpleNamespace(name="Maria Santos"), "role": "editor", "section": "prompts",
    "workspace": SimpleNamespace(name="Clinic", slug="clinic"), "workspaces": [], "flashes": [],
    "theme": "auto", "badges": None,
}  # fmt: skip


def styleguide() -> str:
    environment = engine().engine
    environment.globals["csrf_token"] = cast("Any", lambda: "token-of-the-form")
    return environment.get_template("styleguide.html").render(CONTEXT | {"now": datetime.now(UTC)})


class Desk:
    """A page with the editor, and the hub it talks to."""

    def __init__(self, page: Any) -> None:
        self.page, self.away = page, False
        self.drafts: list[dict[str, list[str]]] = []
        self.heard: list[str] = []
        self.html = styleguide()
        page.on("console", lambda line: self.heard.append(line.text))
        page.on("pageerror", lambda error: self.heard.append(str(error)))
        page.on("dialog", lambda dialog: dialog.accept())
        page.route("**/*", self.answer)

    def open(self) -> Desk:
        self.page.goto(URL)
        self.page.locator(".cm-editor").first.wait_for()
        return self

    def answer(self, route: Any) -> None:
        path = urlsplit(route.request.url).path
        file = ROOT / path.lstrip("/")
        if path == "/styleguide/draft":
            self.take(route)
        elif path == "/healthz":
            route.abort("connectionrefused") if self.away else route.fulfill(json={})
        elif path == "/styleguide":
            route.fulfill(body=self.html, headers={"Content-Type": "text/html"} | SECURITY_HEADERS)
        elif path.startswith("/static/") and file.is_file():
            kind = MIME.get(Path(path).suffix, "text/plain")
            route.fulfill(body=file.read_bytes(), headers={"Content-Type": kind})
        elif path.endswith("/notices/stream"):  # the bell of the frame: nothing rings
            route.fulfill(body=": quiet\n\n", headers={"Content-Type": "text/event-stream"})
        else:
            self.heard.append(f"nothing is at {path}")
            route.fulfill(status=404, body="")

    def take(self, route: Any) -> None:
        if self.away:
            route.abort("connectionrefused")
            return
        assert route.request.headers["x-csrftoken"] == "token-of-the-form"
        draft: dict[str, list[str]] = {}
        for name, value in parse_qsl(route.request.post_data, keep_blank_values=True):
            draft.setdefault(name, []).append(value)
        self.drafts.append(draft)
        route.fulfill(json={"saved_at": "2026-05-03T12:02:00Z", "revision": len(self.drafts) + 1})

    def write(self, message: int, text: str) -> None:
        self.page.locator(".cm-content").nth(message).click()
        self.page.keyboard.press("Control+End")
        self.page.keyboard.type(text)

    def says(self, text: str) -> None:
        self.page.locator("[data-draft-state]", has_text=text).wait_for()

    def saved(self, count: int) -> dict[str, list[str]]:
        """The draft of the save with this number, once it has come."""
        while len(self.drafts) < count:
            self.page.wait_for_timeout(50)
        self.says("Draft saved")
        return self.drafts[-1]


@pytest.fixture
def desk(chromium: Any) -> Iterator[Desk]:
    context = chromium.new_context(viewport={"width": 1280, "height": 1000})
    desk = Desk(context.new_page())
    yield desk
    # Whatever a test did: the policy was never broken, and no script failed.
    assert [line for line in desk.heard if "ERR_CONNECTION_REFUSED" not in line] == []
    assert desk.page.locator("style, script:not([src])").count() == 0
    context.close()


def test_maria_writes_and_the_draft_follows(desk: Desk) -> None:
    desk.open().write(2, " Born {{ birthday }}.")
    draft = desk.saved(1)
    assert draft["role"] == ["system", "placeholder", "user"]
    assert draft["message_name"] == ["", "history", ""]
    assert draft["content"][2] == "{{ caller_name }} says: {{ transcript }} Born {{ birthday }}."
    assert "\u200b" in draft["content"][0]
    assert draft["var_name"] == ["clinic_name", "caller_name", "urgency"]
    missing = desk.page.locator("[data-undeclared] code").all_inner_texts()
    assert missing == ["names", "transcript", "birthday"]
    assert desk.page.locator("[data-flag]").all_inner_texts() == ["", "", "not used"]
    assert desk.page.locator(".cm-content .hidden-char").inner_text() == "U+200B"

    desk.page.get_by_role("button", name="Declare birthday").click()
    desk.page.keyboard.type("As on the card")
    assert desk.saved(2)["var_description"][3] == "As on the card"
    assert desk.drafts[1]["revision"] == ["2"]
    assert "birthday" not in desk.page.locator("[data-undeclared]").inner_text()


def test_keys_move_messages_and_undo_brings_one_back(desk: Desk) -> None:
    desk.open().write(2, "!")
    desk.page.keyboard.press("Alt+ArrowUp")
    desk.page.keyboard.type("?")
    draft = desk.saved(1)
    assert draft["role"] == ["system", "user", "placeholder"]
    assert draft["origin"] == ["0", "2", "1"]
    assert draft["content"][1].endswith("!?"), "the caret stays where it was"

    first = desk.page.locator(".message[data-message]").first
    first.hover()
    first.get_by_role("button", name="Remove this message").click()
    assert desk.saved(2)["role"] == ["user", "placeholder"]
    assert desk.drafts[1]["origin"] == ["1", "2"], "counted in what the last save stored"
    desk.page.get_by_role("button", name="Undo").click()
    assert desk.saved(3)["role"] == ["system", "user", "placeholder"]

    desk.page.keyboard.press("Control+s")
    assert desk.page.locator("dialog#sample:modal").is_visible()


def test_a_message_is_dragged_to_another_place(desk: Desk) -> None:
    page = desk.open().page
    messages = page.locator(".message[data-message]")
    messages.nth(2).hover()
    handle, target = messages.nth(2).locator(".drag").bounding_box(), messages.nth(0).bounding_box()
    page.mouse.move(handle["x"] + 8, handle["y"] + 8)
    page.mouse.down()
    page.mouse.move(handle["x"] + 8, handle["y"] - 30, steps=4)
    page.mouse.move(target["x"] + 200, target["y"] + 12, steps=8)
    page.mouse.up()
    assert desk.saved(1)["role"] == ["user", "system", "placeholder"]


def test_nothing_is_lost_while_the_hub_is_away(desk: Desk) -> None:
    desk.open()
    desk.away = True
    desk.write(2, " Do not lose me.")
    desk.says("Changes are kept here and sent when the hub is back")
    desk.page.reload()
    desk.page.locator(".flash", has_text="Brought back what you wrote").wait_for()
    assert "Do not lose me." in desk.page.locator(".cm-content").nth(2).inner_text()
    desk.away = False
    desk.page.evaluate("dispatchEvent(new Event('online'))")
    assert desk.saved(1)["content"][2].endswith("Do not lose me.")
    assert desk.page.evaluate("localStorage.length") == 0


def test_without_javascript_it_is_a_form(chromium: Any) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = Desk(context.new_page()).page
    page.goto(URL)
    assert page.locator("textarea[name=content]").first.is_visible()
    assert page.get_by_role("button", name="Move down (Alt+↓)").first.is_visible()
    assert page.locator("[data-js-only]:visible").count() == 0
    assert page.locator("dialog:visible").count() == 0
    first = page.locator("#editor button[name=action]").first
    assert first.get_attribute("value") == "draft", "Enter in a field moves nothing"
    context.close()


def test_a_save_that_meets_no_hub_stays_where_it_was_typed(desk: Desk) -> None:
    desk.open().write(2, " Born when?")
    desk.saved(1)
    desk.away = True
    desk.page.keyboard.press("Control+s")
    desk.page.keyboard.type("They ask twice")
    sheet = desk.page.locator("dialog:modal")
    sheet.get_by_role("button", name="Save").click()
    sheet.get_by_role("alert").filter(has_text="nothing was saved").wait_for()
    assert desk.page.url == URL
    assert sheet.locator("textarea").input_value() == "They ask twice"

    desk.away = False
    with desk.page.expect_request(lambda one: one.method == "POST") as sent:
        sheet.get_by_role("button", name="Save").click()
    assert "They+ask+twice" in (sent.value.post_data or "")

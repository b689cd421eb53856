"""The whole way, once: from one command and a printed link to an app that says the new words.

A real hub started as the README says, real Chromium, this machine's own model in its child process,
an endpoint on loopback, a program in a process of its own, and git to see what was kept.
"""

from __future__ import annotations

import json
import queue
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.browsing import STARTS_MS, violations
from tests.commands import Hub, serving, surroundings
from tests.endpoint import KEY, endpoint_in_a_thread

pytestmark = pytest.mark.browser
ADDED = " Always ask for the date of birth."
PROGRAM = """
import json, time, sdk

sdk.configure(refresh=0.2, boot_wait=60)
seen = None
while True:
    prompt = sdk.get_prompt("support/triage")
    text = prompt.text(clinic_name="Harbour Clinic", caller_name="john", transcript="I fell.")
    if text != seen:
        print(json.dumps([prompt.version, text]), flush=True)
    seen = text
    time.sleep(0.05)
"""
COUNT_PIECES = """
globalThis.pieces = {};
new MutationObserver((changes) => {
  for (const { target, addedNodes } of changes)
    if (target.id?.startsWith("answer-") && addedNodes.length)
      pieces[target.id] = (pieces[target.id] ?? 0) + 1;
}).observe(document, { childList: true, subtree: true });
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    data = tmp_path_factory.mktemp("journey") / "data"
    with serving(data, "--demo", PROMPTHUB_PRIVATE_HOSTS="127.0.0.1") as running:
        yield running


@pytest.fixture(scope="module")
def newcomer(hub: Hub, chromium: Any) -> Iterator[Any]:
    """Nora's browser; whatever it complains about, fails the test. She comes in by the link."""
    context = chromium.new_context(base_url=hub.url, viewport={"width": 1280, "height": 900})
    context.add_init_script(COUNT_PIECES)
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda m: faults.append(m.text) if m.type in ("error", "warning") else None)
    page.goto(hub.link)
    page.get_by_label("Your name").fill("Nora Lind")
    page.get_by_label("Password").fill("three calm otters")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/demo$"))
    yield page
    context.close()
    assert faults == []


@pytest.fixture
def program(hub: Hub) -> Iterator[queue.Queue[tuple[int, str]]]:
    """What a program says that started long ago: the version and the text, when it changes."""
    env = surroundings(PROMPTHUB_URL=hub.url, PROMPTHUB_KEY=hub.key("read"))
    running = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], env=env, stdout=subprocess.PIPE, text=True
    )
    said: queue.Queue[tuple[int, str]] = queue.Queue()

    def listen() -> None:
        assert running.stdout
        with running.stdout:
            for line in running.stdout:
                said.put(tuple(json.loads(line)))

    listener = threading.Thread(target=listen)
    listener.start()
    yield said
    assert running.poll() is None, "the program ended"
    running.terminate()
    running.wait(60)
    listener.join(60)


def press(page: Any, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


@pytest.mark.timeout(900)  # all of it in one go: on a busy machine that is minutes
def test_from_a_printed_link_to_an_app_that_says_the_new_words(
    hub: Hub, newcomer: Any, program: queue.Queue[tuple[int, str]]
):
    version, text = program.get(timeout=60)
    assert (version, ADDED.strip() in text) == (4, False)

    open_by_keyboard(newcomer)
    write_a_draft(newcomer)
    with endpoint_in_a_thread() as endpoint:
        connect(newcomer, endpoint.base_url)
        try_draft_and_live(newcomer)
    save(newcomer)
    assert program.empty(), "neither a draft nor a save is live"
    put_live(newcomer)

    version, text = program.get(timeout=60)
    assert version == 6
    assert ADDED.strip() in text
    assert "I fell." in text

    log = ["git", "-C", str(hub.data / "repositories" / "demo.git"), "log", "-1", "--format=%an|%s"]
    shown = subprocess.run([*log, "main"], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "Nora Lind|The desk needs it to find the record"
    released = subprocess.run([*log, "deploy"], capture_output=True, text=True, check=True).stdout
    assert released.startswith("Nora Lind|")


def open_by_keyboard(page: Any) -> None:
    """From home to the prompts; `/` and a word finds the prompt; the arrow goes there."""
    page.get_by_role("link", name="Prompts", exact=True).first.focus()
    press(page, "Enter")
    page.wait_for_url(re.compile("/demo/prompts$"))
    press(page, "/")
    page.keyboard.type("first person")
    page.wait_for_url(re.compile(r"q=first\Wperson|q=first%20person"))
    page.locator("a.open", has_text="Mood of a review").wait_for(state="detached")
    press(page, "ArrowDown")
    found = page.locator("a.open:focus")
    for _ in range(5):
        if found.inner_text() != "Triage a support call":
            press(page, "j")
    press(page, "Enter")
    page.locator(".cm-content").first.wait_for()


def write_a_draft(page: Any) -> None:
    """Typing is enough: the draft is kept, and is there after a reload."""
    page.locator(".cm-content").first.focus()
    press(page, "Control+End")
    page.keyboard.type(ADDED)
    page.locator("[data-draft-state]", has_text="Draft saved").wait_for()
    page.get_by_role("link", name="What I changed").wait_for()
    page.reload()
    page.locator(".cm-content", has_text=ADDED.strip()).wait_for()
    page.get_by_text("Your draft is ahead of v5").wait_for()


def connect(page: Any, base_url: str) -> None:
    """An endpoint that speaks the common dialect; the form tests it before it is used."""
    page.goto("/demo/models/new?provider=own")
    page.locator("#f-name").fill("Acme")
    page.locator("#f-base_url").fill(base_url)
    page.locator("#f-key").fill(KEY)
    page.locator("#f-models").fill("echo\nslow")
    page.get_by_role("button", name="Add and test").click()
    page.get_by_text("Says how many tokens it took").wait_for()


def try_draft_and_live(page: Any) -> None:
    """Draft on this machine, live on the endpoint, at the same time, word by word."""
    page.goto("/demo/prompts/support/triage")
    page.locator(".cm-content").first.focus()
    press(page, "Control+Enter")
    page.wait_for_url(re.compile("/try/"))
    page.get_by_role("button", name="Add a column").click()
    source, model = page.locator("select[name=source]"), page.locator("select[name=model]")
    source.nth(0).select_option(value="draft")
    source.nth(1).select_option(value="v4")
    model.nth(0).select_option(label="prompthub/tiny")
    model.nth(1).select_option(label="slow")
    press(page, "Control+Enter")
    page.wait_for_url(re.compile("/grid/"))
    # A short answer of the built-in model may come whole, between two looks.
    page.wait_for_function(
        "() => document.getElementById('answer-0-0-0').textContent && pieces['answer-0-1-0'] > 2",
        timeout=STARTS_MS,
    )
    page.locator("#cell-0-0-0[data-state=done]").wait_for(timeout=STARTS_MS)
    assert "local" in page.locator("#cell-0-0-0 .cell-foot").inner_text()
    press(page, "Escape")
    page.locator("#cell-0-1-0[data-state=stopped]").wait_for()


def save(page: Any) -> None:
    """Ctrl+S, why, Ctrl+Enter."""
    page.goto("/demo/prompts/support/triage")
    page.locator(".cm-content").first.focus()
    press(page, "Control+s")
    page.keyboard.type("The desk needs it to find the record")
    press(page, "Control+Enter")
    page.get_by_text("Saved version 6.").wait_for()


def put_live(page: Any) -> None:
    """The sheet names what it replaces; the button is red, says what it does and wants a press."""
    page.get_by_role("link", name="Put live…").focus()
    press(page, "Enter")
    sheet = page.get_by_role("dialog")
    sheet.get_by_text("It replaces").wait_for()
    assert "Live v4" in sheet.inner_text()
    page.keyboard.type("Agreed with the desk")
    press(page, "Control+Enter")
    for _ in range(12):
        press(page, "Tab")
        if page.evaluate("document.activeElement.innerText").startswith("Put v6 into production"):
            break
    press(page, "Enter")
    page.get_by_text("Version 6 is in production now, instead of 4.").wait_for()


PAGES = (
    "prompts", "prompts?q=person", "prompts/support/triage", "history/support/triage",
    "diff/1/5/support/triage", "version/2/support/triage", "release/production/support/triage",
    "labels/production/support/triage", "use/support/triage", "delete/support/triage", "new",
)  # fmt: skip


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_pages_are_accessible_and_never_wider_than_the_screen(
    newcomer: Any, width: int, scheme: str
):
    newcomer.set_viewport_size({"width": width, "height": 900})
    newcomer.emulate_media(color_scheme=scheme)
    wrong: list[str] = []
    for path in PAGES:
        newcomer.goto(f"/demo/{path}")
        if path == "prompts/support/triage":
            newcomer.locator(".cm-editor").first.wait_for()
        for one in violations(newcomer):
            if one["impact"] in {"serious", "critical"}:
                wrong.append(f"{path}: {one['id']} {one['nodes'][0]['html'][:120]}")
        if newcomer.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wrong.append(f"{path}: wider than the screen")
    assert wrong == []


def test_a_page_of_ten_thousand_words_opens(hub: Hub, newcomer: Any) -> None:
    """200 kB are a prompt like any other: they are there, and can be written in."""
    import httpx

    text = "The quick brown fox jumps over the lazy dog {braces}.\n" * 3_700
    document = {"template": "plain", "messages": [{"role": "system", "content": text}]}
    body = {"document": document, "base": None, "message": "Large"}
    headers = {"Authorization": f"Bearer {hub.key('write')}"}
    made = httpx.post(
        f"{hub.url}/api/v1/versions/large/text", json=body, headers=headers, timeout=60
    )
    assert made.status_code == 201, made.text
    newcomer.goto("/demo/prompts/large/text")
    newcomer.locator(".cm-content").first.focus()
    newcomer.keyboard.type("First: ")
    newcomer.locator("[data-draft-state]", has_text="Draft saved").wait_for()

"""People at their browsers, for tests of review: Ana writes, Ben reviews, Carla reads."""

from __future__ import annotations

import json
import queue
import re
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from tests.browsing import violations
from tests.commands import surroundings
from tests.serving import Server

PROGRAM = """
import json, sys, time, sdk

sdk.configure(refresh=0.2, boot_wait=60)
seen = None
while True:
    prompt = sdk.get_prompt(sys.argv[1])
    said = [prompt.version, prompt.text(transcript="I fell.")]
    if said != seen:
        print(json.dumps(said), flush=True)
    seen = said
    time.sleep(0.05)
"""


@contextmanager
def at_the_browser(server: Server, chromium: Any, who: str, **more: Any) -> Generator[Any]:
    """This person's page; whatever the browser complains about, fails the test at the end."""
    given: dict[str, Any] = {"viewport": {"width": 1280, "height": 900}, "base_url": server.url}
    context = chromium.new_context(**(given | more))
    server.sign_in(context, who)
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda m: faults.append(m.text) if m.type in ("error", "warning") else None)
    try:
        yield page
    finally:
        context.close()
    assert expected(faults) == []


def expected(faults: list[str]) -> list[str]:
    """What remains: Chromium tells of refusals, and of a hub that is away, as failed loads."""
    return [one for one in faults if not re.search(r"status of (403|409|422)|net::ERR_FAILED", one)]


@contextmanager
def program(server: Server, name: str) -> Generator[queue.Queue[tuple[int, str]]]:
    """What an application in a process of its own says: version and text, whenever they change."""
    env = surroundings(PROMPTHUB_URL=server.url, PROMPTHUB_KEY=server.cast.read_key)
    running = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, name], env=env, stdout=subprocess.PIPE, text=True
    )
    said: queue.Queue[tuple[int, str]] = queue.Queue()

    def listen() -> None:
        assert running.stdout
        with running.stdout:
            for line in running.stdout:
                version, text = json.loads(line)
                said.put((version, text))

    listener = threading.Thread(target=listen)
    listener.start()
    try:
        yield said
        assert running.poll() is None, "the program ended"
    finally:
        running.terminate()
        running.wait(60)
        listener.join(60)


def press(page: Any, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def tab_to(page: Any, name: str, most: int = 80) -> None:
    """Tab along until the focus stands on what is called so."""
    for _ in range(most):
        press(page, "Tab")
        said = page.evaluate(
            "(e => e.ariaLabel ?? (e.labels?.[0] ?? e).innerText.trim())(document.activeElement)"
        )
        if said.startswith(name):
            return
    raise AssertionError(f"the keyboard never came to {name}")


def serious(page: Any) -> list[str]:
    """What axe finds that keeps somebody out, and whether the page is wider than the screen."""
    # A sheet that is only fading in has little contrast yet.
    page.evaluate(
        "Promise.all(document.getAnimations()"
        ".filter(one => one.effect.getTiming().iterations !== Infinity)"
        ".map(one => one.finished.catch(() => null))).then(() => null)"
    )
    found = [
        f"{one['id']}: {one['nodes'][0]['html'][:160]}"
        for one in violations(page)
        if one["impact"] in ("serious", "critical")
    ]
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        found.append("wider than the screen")
    return found

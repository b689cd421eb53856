"""Ana tries a prompt in a real browser, on this machine's own model and on an endpoint."""

import asyncio
import threading
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import expect

from tests.browsing import STARTS_MS, violations
from tests.cast import copy_template
from tests.endpoint import KEY, FakeEndpoint, running_endpoint
from tests.serving import free_port, serve

pytestmark = pytest.mark.browser
HOSTILE = "<img src=x onerror=\"document.title='broken'\"> & <b>bold</b>"
DOCUMENT = {
    "name": "Triage",
    "messages": [
        {"role": "system", "content": "Classify the message: billing/delivery/other."},
        {"role": "user", "content": "{{ complaint }}"},
    ],
    "variables": [{"name": "complaint", "example": "My parcel has not come."}],
}


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeEndpoint]:
    """The endpoint, in a thread with a loop of its own."""
    ready, loop = threading.Event(), asyncio.new_event_loop()
    made: list[FakeEndpoint] = []

    async def run() -> None:
        async with running_endpoint() as endpoint:
            made.append(endpoint)
            stop = made_stop.setdefault("stop", asyncio.Event())
            ready.set()
            await stop.wait()

    made_stop: dict[str, asyncio.Event] = {}
    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    ready.wait(60)
    yield made[0]
    loop.call_soon_threadsafe(made_stop["stop"].set)
    thread.join(60)
    loop.close()


@pytest.fixture(scope="module")
def hub(tmp_path_factory, migrated, fake):
    """A hub that may talk to the endpoint, with one prompt and one connection."""
    data = tmp_path_factory.mktemp("playground") / "data"
    copy_template(migrated, data)
    with serve(data, free_port(), private_hosts="127.0.0.1") as running:
        body = {"document": DOCUMENT, "base": None, "message": "First"}
        made = httpx.post(
            f"{running.url}/api/v1/versions/support/triage",
            json=body, headers=running.headers("write"), timeout=60,
        )  # fmt: skip
        assert made.status_code in (200, 201), made.text
        yield running


@pytest.fixture
def open_page(hub, chromium):
    """Opens a page as somebody; every error of the console fails the test."""
    contexts, faults = [], []

    def make(who: str, **more):
        context = chromium.new_context(**({"viewport": {"width": 1280, "height": 860}} | more))
        contexts.append(context)
        hub.sign_in(context, who)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
        return page

    yield make
    for context in contexts:
        context.close()
    assert faults == []


@pytest.fixture
def acme(hub, open_page, fake):
    """Maria connects the endpoint, once, and sees that it answers."""
    page = open_page("maria")
    page.goto(f"{hub.url}/clinic/models")
    if page.get_by_text("Acme", exact=True).count() == 0:
        page.goto(f"{hub.url}/clinic/models/new?provider=own")
        page.locator("#f-name").fill("Acme")
        page.locator("#f-base_url").fill(fake.base_url)
        page.locator("#f-key").fill(KEY)
        page.locator("#f-models").fill("echo 1 2\nslow\nshout 2 3")
        page.get_by_role("button", name="Add and test").click()
        page.get_by_text("Says how many tokens it took").wait_for()
    page.context.close()


def test_tokens_stream_into_both_columns_over_one_stream(hub, open_page, acme, fake):
    page = open_page("ana")
    streams = []
    page.on("request", lambda asked: streams.append(asked.url) if "/events" in asked.url else None)
    page.goto(f"{hub.url}/clinic/try/support/triage")
    page.get_by_role("button", name="Add a column").click()
    models = page.locator("select[name=model]")
    models.nth(0).select_option(label="prompthub/tiny")
    models.nth(1).select_option(label="echo")
    page.get_by_role("button", name="Add a column").click()
    page.locator("select[name=model]").nth(2).select_option(label="slow")
    # However long the tiny model would go on about a hostile text.
    page.locator("input[name=max_tokens]").nth(0).fill("24")
    page.locator("#v-complaint").fill(HOSTILE)
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**/grid/*")
    page.locator("#cell-0-1-0[data-state=done]").wait_for()
    assert page.locator("#answer-0-1-0").inner_text() == HOSTILE
    page.locator("#cell-0-0-0[data-state=done]").wait_for(timeout=STARTS_MS)
    assert page.locator("#answer-0-0-0").inner_text().strip()
    assert "local" in page.locator("#cell-0-0-0 .cell-foot").inner_text()
    slow = page.locator("#answer-0-2-0")
    before = slow.inner_text()
    expect(slow).to_contain_text(before.rstrip() + " and and")
    page.locator("#cell-0-2-0").get_by_role("button", name="Stop").click()
    page.locator("#cell-0-2-0[data-state=stopped]").wait_for()
    page.get_by_role("button", name="Run again").wait_for()  # the last event put it there
    assert len(streams) == 1
    kept = [page.locator(f"#answer-0-{column}-0").inner_text() for column in range(3)]
    page.reload()
    assert [page.locator(f"#answer-0-{column}-0").inner_text() for column in range(3)] == kept
    assert page.title() != "broken"
    assert len(streams) == 1


@pytest.mark.parametrize("scripts", [True, False])
def test_the_line_under_the_menu_is_never_of_another_model(hub, open_page, acme, scripts):
    page = open_page("ana", java_script_enabled=scripts, viewport={"width": 390, "height": 860})
    page.goto(f"{hub.url}/clinic/try/support/triage")
    menu, line = page.get_by_label("Model", exact=True), page.locator("#about-model-0")
    expect(line).to_have_text("This machine · no charge per call")
    menu.select_option(label="shout")
    if scripts:
        expect(line).to_have_text("Acme · $2 in, $3 out per million tokens")
        expect(menu).to_have_accessible_description("Acme · $2 in, $3 out per million tokens")
    else:
        expect(line).not_to_be_visible()
    page.get_by_role("button", name="Add a column").click()
    expect(line).to_have_text("Acme · $2 in, $3 out per million tokens")
    expect(line).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_reload_in_the_middle_goes_on_where_it_was_and_esc_stops(hub, open_page, acme):
    page = open_page("ana")
    page.goto(f"{hub.url}/clinic/try/support/triage")
    page.locator("select[name=model]").select_option(label="slow")
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**/grid/*")
    answer = page.locator("#answer-0-0-0")
    expect(answer).to_contain_text("and and")
    page.reload()
    assert "Well, then and" in answer.inner_text()
    expect(answer).to_contain_text(answer.inner_text() + " and and and")
    page.keyboard.press("Escape")
    page.locator("#cell-0-0-0[data-state=stopped]").wait_for()


def test_without_javascript_it_works_by_reloading(hub, open_page, acme):
    page = open_page("ana", java_script_enabled=False)
    page.goto(f"{hub.url}/clinic/try/support/triage")
    page.locator("select[name=model]").select_option(label="echo")
    page.get_by_role("button", name="Run", exact=False).last.click()
    page.wait_for_url("**/grid/*")
    for _ in range(300):
        if page.locator("#cell-0-0-0[data-state=done]").count():
            break
        page.wait_for_timeout(100)
        page.reload()
    assert page.locator("#answer-0-0-0").inner_text() == "My parcel has not come."


@pytest.mark.parametrize(("width", "scheme"), [(1280, "dark"), (390, "light")])
def test_pages_are_accessible_and_never_wider_than_the_screen(hub, open_page, acme, width, scheme):
    page = open_page("maria", viewport={"width": width, "height": 800}, color_scheme=scheme)
    page.goto(f"{hub.url}/clinic/playground")
    grid = page.locator("main .prompt-row a").first.get_attribute("href")
    addresses = [
        grid, "/clinic/playground", "/clinic/try/support/triage", "/clinic/examples/support/triage",
        "/clinic/models", "/clinic/models/new", "/clinic/models/built-in",
    ]  # fmt: skip
    for address in addresses:
        page.goto(hub.url + address)
        found = violations(page, runOnly=["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"])
        assert found == [], address
        wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 0, address


def test_on_a_phone_one_column_shows_at_a_time(hub, open_page, acme):
    page = open_page("ana", viewport={"width": 390, "height": 800})
    page.goto(f"{hub.url}/clinic/playground")
    page.locator(".prompt-row", has_text="3 columns").first.get_by_role("link").click()
    page.locator("[data-column-picker]").select_option(index=1)
    expect(page.locator("#answer-0-1-0")).to_be_visible()
    expect(page.locator("#answer-0-0-0")).to_be_hidden()

"""Maria connects a provider and names an alias in a real browser: by keyboard, without scripts."""

import httpx
import pytest
from playwright.sync_api import expect

from tests.browsing import violations
from tests.cast import copy_template
from tests.serving import free_port, serve
from tests.vendors import KEY, THOUGHT, vendors_in_a_thread

pytestmark = pytest.mark.browser
PAGES = ("models", "models/new", "models/new?provider=anthropic", "models/1", "models/aliases/new")
DOCUMENT = {
    "name": "Triage",
    "messages": [{"role": "user", "content": "{{ complaint }}"}],
    "variables": [{"name": "complaint", "example": "chest pain"}],
}


@pytest.fixture(scope="module")
def vendors():
    with vendors_in_a_thread() as found:
        yield found


@pytest.fixture(scope="module")
def hub(tmp_path_factory, migrated, vendors):
    data = tmp_path_factory.mktemp("models") / "data"
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
    contexts, faults = [], []

    def make(who: str = "maria", **more):
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
    assert not faults


def connect(page, hub, vendors, kind: str, name: str) -> None:
    page.goto(f"{hub.url}/clinic/models/new?provider=own")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Language").select_option(kind)
    page.get_by_label("Address").fill(vendors.address(kind))
    page.get_by_label("Key", exact=False).first.fill(KEY)
    page.get_by_role("button", name="Add and test").click()
    expect(page.get_by_text("Says how many tokens it took")).to_be_visible()
    expect(page.get_by_role("button", name="Fetch its models")).to_be_visible()


def test_a_provider_is_connected_and_aliased_without_scripts(hub, vendors, open_page):
    """Plain forms from the list of providers to an answer that says who gave it."""
    page = open_page(java_script_enabled=False)
    page.goto(f"{hub.url}/clinic/models")
    page.get_by_role("link", name="Add a connection").click()
    page.get_by_role("link", name="Anthropic").click()
    expect(page.get_by_label("Address")).to_have_value("https://api.anthropic.com/v1")
    connect(page, hub, vendors, "anthropic", "Anthropic")
    connect(page, hub, vendors, "gemini", "Gemini")
    page.goto(f"{hub.url}/clinic/models")
    page.get_by_role("link", name="Add an alias").click()
    page.get_by_label("Name", exact=True).fill("fast")
    page.get_by_label("Model 1").select_option(label="plain · Anthropic")
    page.get_by_label("Model 2").select_option(label="plain · Gemini")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_text("fast can be picked wherever a model can.")).to_be_visible()
    expect(page.get_by_text("In this order:")).to_be_visible()
    vendors.down = {"anthropic"}
    try:
        page.goto(f"{hub.url}/clinic/try/support/triage")
        page.get_by_label("Model").first.select_option("alias:fast")
        page.get_by_role("button", name="Run", exact=False).first.click(force=True)
        page.wait_for_url("**/grid/*")
        for _ in range(300):
            if page.get_by_text("answered by plain at Gemini").count():
                break
            page.wait_for_timeout(200)
            page.reload()
        expect(page.get_by_text("answered by plain at Gemini")).to_be_visible()
    finally:
        vendors.down = set()
    thought = page.locator("details.thought").first
    expect(thought.get_by_text(THOUGHT)).to_be_hidden()
    thought.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(thought.get_by_text(THOUGHT)).to_be_visible()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_nobody_is_kept_out(hub, vendors, open_page, width, scheme):
    """What axe finds, in both lights; and no page is wider than the screen."""
    page = open_page(viewport={"width": width, "height": 860}, color_scheme=scheme)
    if not httpx.get(f"{hub.url}/healthz", timeout=60).is_success:
        pytest.fail("the hub is gone")
    for path in PAGES:
        if page.request.get(f"{hub.url}/clinic/{path}").status == 404:
            connect(page, hub, vendors, "openai", f"Acme {width} {scheme}")
        page.goto(f"{hub.url}/clinic/{path}")
        assert [one["id"] for one in violations(page)] == [], path
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path


def test_an_alias_is_made_by_keyboard_alone(hub, vendors, open_page):
    page = open_page()
    connect(page, hub, vendors, "ollama", "Ollama")
    page.goto(f"{hub.url}/clinic/models/aliases/new")
    page.get_by_label("Name", exact=True).focus()
    page.keyboard.type("cheap")
    page.keyboard.press("Tab")
    page.keyboard.type("The cheapest")
    page.keyboard.press("Tab")
    page.keyboard.type("plain")
    page.keyboard.press("Enter")
    page.get_by_label("Name", exact=True).press("Enter")
    expect(page.get_by_text("The cheapest first of")).to_be_visible()

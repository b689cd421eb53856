"""Hostile text wherever people or programs can put some, read in a real browser: nothing runs."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.serving import Server

pytestmark = pytest.mark.browser

EVIL = (
    "\"'></textarea></hx-partial><img src=x onerror=alert(1)><script>alert(2)</script>"
    '<svg onload=alert(3)></svg><a href="javascript:alert(4)">x</a>'
    "<div hx-get=/account hx-trigger=load hx-on:click=alert(5)>"
)
PLANTED = (
    "img[onerror], svg[onload], script:not([src]), style:not([nonce]), a[href^=javascript], "
    '[hx-get="/account"], [onclick]'
)


def save(server: Server, name: str, document: dict[str, Any], base: str | None) -> str:
    made = httpx.post(
        f"{server.url}/api/v1/versions/{name}", headers=server.headers("write"), timeout=60,
        json={"document": document, "base": base, "message": EVIL},
    )  # fmt: skip
    assert made.status_code == 201, made.text
    return made.json()["hash"]


def as_maria(server: Server) -> httpx.Client:
    session = server.cast.cookies["maria"]
    cookie = {"Cookie": f"__Host-session={session}"}
    found = httpx.get(f"{server.url}/account", headers=cookie).headers["set-cookie"]
    token = found.split("__Host-csrf=")[1].split(";")[0]
    headers = {"Cookie": f"{cookie['Cookie']}; __Host-csrf={token}", "X-CSRFToken": token}
    return httpx.Client(base_url=server.url, headers=headers, timeout=60)


def plant(server: Server) -> None:
    document = {
        "name": EVIL, "description": EVIL, "tags": [EVIL[:30]], "model": EVIL,
        "messages": [{"role": "system", "content": EVIL}, {"role": "user", "content": "{{ who }}"}],
        "variables": [{"name": "who", "default": EVIL, "description": EVIL, "example": EVIL}],
        "modelParameters": {"stop": EVIL}, "tools": [{"type": EVIL}], "jsonSchema": {"x": EVIL},
        "testData": [{"who": EVIL}],
    }  # fmt: skip
    first = save(server, "evil/one", document, None)
    label = {"version": 1, "expected": None, "reason": EVIL}
    url = f"{server.url}/api/v1/labels/production/evil/one"
    assert httpx.put(url, headers=server.headers("write"), json=label).status_code == 200
    changed = document | {"messages": [{"role": "system", "content": EVIL + "!"}], "tags": []}
    save(server, "evil/one", changed, first)
    with as_maria(server) as maria:
        draft = {"title": EVIL, "role": "system", "content": "Draft " + EVIL, "var_name": EVIL}
        kept = maria.put("/clinic/draft/evil/one", data=draft)
        assert kept.status_code == 200, kept.text
        for address, form in (
            ("/account/name", {"name": EVIL[:100]}),
            ("/clinic/settings/keys", {"name": EVIL[:78], "scope": "read"}),
            ("/clinic/examples/evil/one", {"example_name": EVIL[:80], "v.who": EVIL}),
            ("/clinic/models", {"name": EVIL[:78], "base_url": "https://192.0.2.1/v1"}),
        ):
            assert maria.post(address, data=form).status_code < 500, address


def test_hostile_text_runs_nowhere(server: Server, chromium: Any):
    plant(server)
    context = chromium.new_context()
    server.sign_in(context, "maria")
    page, seen = context.new_page(), []
    page.on("dialog", lambda one: (seen.append(one.message), one.dismiss()))
    page.on("pageerror", lambda one: seen.append(str(one)))
    page.on("request", lambda one: one.url.startswith(server.url) or seen.append(one.url))
    page.on("console", lambda one: "Security Policy" in one.text and seen.append(one.text))
    for address in (
        "/clinic/prompts", "/clinic/prompts?q=img", "/clinic/prompts/evil/one",
        "/clinic/history/evil/one", "/clinic/version/1/evil/one", "/clinic/diff/1/2/evil/one",
        "/clinic/labels/production/evil/one", "/clinic/release/production/evil/one?version=2",
        "/clinic/examples/evil/one", "/clinic/try/evil/one", "/clinic/models",
        "/clinic/settings", "/clinic/settings/keys", "/clinic/settings/audit", "/account",
        f"/clinic/new?folder={EVIL}", f"/sign-in?next={EVIL}",
    ):  # fmt: skip
        answer = page.goto(server.url + address.replace("#", ""), wait_until="load")
        assert answer.status == 200, address
        assert page.evaluate(f"document.querySelectorAll({PLANTED!r}).length") == 0, address
    context.close()
    assert seen == []

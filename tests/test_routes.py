"""Every route says who may use it, and means it, whoever asks; nothing leaves unguarded."""

from __future__ import annotations

import re

import httpx
import pytest
from litestar import Litestar, get

from hub.app import create_app
from hub.front import Front
from hub.people.gate import check_routes, needed
from hub.people.policy import MAY, Need
from hub.settings import Settings
from hub.sync import git_http
from hub.sync.foreign import mcp_door
from hub.sync.foreign.mcp_tools import TOOLS
from hub.web import PROGRAMS
from tests.cast import BASE, Browser, Cast

PUBLIC = {
    "GET /healthz",
    "GET /api",
    "GET /api/openapi.json",
    "GET /sign-in",
    "POST /sign-in",
    "GET /sign-in/{token:str}",
    "POST /sign-in/{token:str}",
    # The foot of a letter: the link is signed, and ending the letters is all it can do.
    "GET /mail/off/{token:str}",
    "POST /mail/off/{token:str}",
    # A forge tells of a push: signed with the workspace's secret, or it is told nothing.
    "POST /api/incoming/{place:str}",
}
"""What anybody may reach without signing in. A line more is a decision: say why in review."""

PLAUSIBLE = {
    "slug": "clinic", "name": "support/triage", "account_id": "1", "key_id": "abcdefghij",
    "token": "nonsense", "number": "1", "label": "production", "id": "1", "version": "1",
    "row": "0", "column": "0", "example_id": "1", "connection_id": "1",
}  # fmt: skip
SIGN_IN = "/sign-in?next="


def all_routes(app: Litestar) -> list[tuple[str, str, Need]]:
    """(method, path as declared, what it needs), but for Litestar's own OPTIONS."""
    found: list[tuple[str, str, Need]] = []
    for route in app.routes:
        for handler in getattr(route, "route_handlers", ()):
            methods = sorted(handler.http_methods - {"OPTIONS"})
            found += [(method, route.path, needed(handler)) for method in methods]
    return found


def filled(path: str, slug: str = "clinic") -> str:
    """An address of this shape that could exist."""
    values = PLAUSIBLE | {"slug": slug}
    return re.sub(r"/?\{(\w+):\w+\}", lambda m: "/" + values.get(m[1], "1"), path)


async def ask(browser: Browser, method: str, url: str) -> httpx.Response:
    """As a browser would: a page, or a form with its token."""
    if method in {"GET", "HEAD"}:
        return await browser.request(method, url)
    return await browser.send_form(method, url)


# ── declared ────────────────────────────────────────────────────────────────────────────────────


async def test_the_public_routes_are_the_reviewed_ones(hub: Front):
    public = {f"{method} {path}" for method, path, need in all_routes(hub.litestar)
              if need is Need.PUBLIC}  # fmt: skip
    assert public == PUBLIC


def test_the_routes_before_the_framework_say_it_too():
    """What git and agents ask for; strangers are met in their own tests."""
    assert git_http.NEEDS == {
        ("GET", "/info/refs", "service=git-upload-pack"): Need.READ,
        ("POST", "/git-upload-pack", ""): Need.READ,
        ("GET", "/info/refs", "service=git-receive-pack"): Need.PROPOSE,
        ("POST", "/git-receive-pack", ""): Need.PROPOSE,
    }
    assert mcp_door.NEED is Need.READ
    needs = {name: tool.needs for name, tool in TOOLS.items()}
    assert needs.pop("propose_change") is Need.PROPOSE
    assert set(needs.values()) == {Need.READ}


def test_the_app_does_not_start_with_a_route_that_forgot():
    @get("/forgotten")
    async def forgotten() -> str:
        return "hello"

    with pytest.raises(RuntimeError, match="/forgotten"):
        check_routes(Litestar([forgotten], openapi_config=None))


# ── who reaches what ────────────────────────────────────────────────────────────────────────────


async def test_nobody_is_sent_to_sign_in_or_asked_for_a_key(
    hub: Front, cast: Cast, client: Browser
):
    for method, path, need in all_routes(hub.litestar):
        if need is Need.PUBLIC:
            continue
        answer = await ask(client, method, filled(path))
        where = f"{method} {path}: {answer.status_code}"
        if path.startswith(PROGRAMS) or method != "GET":
            assert answer.status_code == 401, where
        else:
            assert answer.headers["location"].startswith(SIGN_IN), where


async def test_an_outsider_is_told_that_nothing_is_there(hub: Front, mallory: Browser):
    """The same answer for a workspace of others as for one that does not exist."""
    for method, path, _ in all_routes(hub.litestar):
        if "{slug" not in path:
            continue
        theirs = await ask(mallory, method, filled(path))
        nothing = await ask(mallory, method, filled(path, "no-such"))
        assert (theirs.status_code, nothing.status_code) == (404, 404), f"{method} {path}"
        assert theirs.text.replace("clinic", "no-such") == nothing.text


@pytest.mark.parametrize("role", ["viewer", "editor", "reviewer"])
async def test_a_role_reaches_what_it_may_and_is_told_who_can_do_the_rest(
    hub: Front, cast: Cast, browsers, role: str
):
    who = {"viewer": "carla", "editor": "ana", "reviewer": "ben"}[role]
    browser: Browser = browsers(cast.cookies[who])
    refused = 0
    for method, path, need in all_routes(hub.litestar):
        if "{slug" not in path or need in MAY[role]:
            continue
        answer = await ask(browser, method, filled(path))
        assert answer.status_code == 403, f"{method} {path} as {role}: {answer.status_code}"
        assert "administrator can" in answer.text
        refused += 1
    assert refused > 5


@pytest.mark.parametrize("scope", ["read", "write", "checks"])
async def test_a_key_reaches_what_its_scope_allows(
    hub: Front, client: Browser, cast: Cast, scope: str
):
    held = {"read": cast.read_key, "write": cast.write_key, "checks": cast.check_key}
    headers, scope = {"Authorization": f"Bearer {held[scope]}"}, f"key:{scope}"
    for method, path, need in all_routes(hub.litestar):
        if not path.startswith("/api/v1") or need in MAY[scope]:
            continue
        answer = await client.request(method, filled(path), headers=headers, json={})
        assert answer.status_code == 403, f"{method} {path} with {scope}: {answer.status_code}"
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_key_opens_no_page_and_a_session_no_api(
    hub: Front, client: Browser, maria: Browser, write_key: dict[str, str]
):
    for method, path, need in all_routes(hub.litestar):
        if need is Need.PUBLIC or method != "GET":
            continue
        if path.startswith(PROGRAMS):
            assert (await maria.get(filled(path))).status_code == 401, path
        else:
            answer = await client.get(filled(path), headers=write_key)
            assert answer.headers["location"].startswith(SIGN_IN), path


# ── forged forms ────────────────────────────────────────────────────────────────────────────────

SIGNED_LINKS = {"/mail/off/{token:str}"}
"""Pressed by mail programs, which have no form: a link that we did not sign is refused."""
FORGERIES = {
    "no token": {},
    "an invented token": {"token": "0" * 128},
    "the token of another browser": {"token": "theirs"},
    "another site says where it comes from": {"headers": {"Origin": "https://evil.example"}},
    "a sandboxed frame": {"headers": {"Origin": "null"}},
    "the browser says cross-site": {"headers": {"Sec-Fetch-Site": "cross-site"}},
}


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_forged_forms_do_nothing(hub: Front, maria: Browser, client: Browser, forgery: str):
    """Maria may do everything here, so nothing but the forgery can be the reason to refuse."""
    given = FORGERIES[forgery]
    real, theirs = await maria.token(), await client.token()
    token = {"theirs": theirs, None: real if "headers" in given else None}.get(
        given.get("token"), given.get("token")
    )
    headers = {"Origin": BASE, "Sec-Fetch-Site": "same-origin", **given.get("headers", {})}
    for method, path, _ in all_routes(hub.litestar):
        if method == "GET" or path.startswith(PROGRAMS) or path in SIGNED_LINKS:
            continue
        form = {"_csrf_token": token} if token else {}
        answer = await maria.request(method, filled(path), data=form, headers=headers)
        assert answer.status_code == 403, f"{forgery}: {method} {path}: {answer.status_code}"
        assert "another site" in answer.text
    assert (await maria.get("/account")).status_code == 200  # not even signed out


async def test_a_token_of_an_older_secret_heals_itself(maria: Browser):
    await maria.token()
    maria.cookies.set("__Host-csrf", "0" * 128, domain="hub.test", path="/")
    answer = await maria.post("/theme", data={"_csrf_token": "0" * 128}, headers={"Origin": BASE})
    assert answer.status_code == 403
    assert "Reload the page" in answer.text
    assert (await maria.post_form("/theme", {"theme": "dark"})).status_code == 303


# ── the front ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "path",
    ["/healthz", "/sign-in", "/no/such/page", "/static/none.css", "/api/v1/nothing", "/x%2Fy"],
)
async def test_no_answer_leaves_without_the_security_headers(client: Browser, path: str):
    headers = (await client.get(path)).headers
    policy = headers["content-security-policy"]
    assert ("script-src 'self'" in policy) is not path.startswith("/api/")
    assert policy.startswith("default-src 'none'; ")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["strict-transport-security"]


@pytest.mark.parametrize(
    "host", ["evil.example", "hub.test.evil.example", "", "hub.test@evil", "x"]
)
async def test_other_host_names_are_refused(client: Browser, host: str):
    answer = await client.get("/sign-in", headers={"Host": host})
    assert answer.status_code == 400
    assert "PROMPTHUB_ALLOWED_HOSTS" in answer.json()["detail"]


@pytest.mark.parametrize(
    "path",
    [
        "/clinic%2Fsettings",
        "/clinic/%2e%2e/x/../y",
        "//evil",
        "/clinic//settings",
        "/a%5Cb",
        "/a%00b",
    ],
)
async def test_disguised_paths_are_refused(hub: Front, path: str):
    sent: list[dict[str, object]] = []

    async def send(message) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "GET", "path": "/x", "raw_path": path.encode(),
        "query_string": b"", "headers": [(b"host", b"hub.test")],
    }  # fmt: skip
    await hub(scope, None, send)
    assert sent[0]["status"] == 400


async def test_built_files_are_kept_and_squeezed(client: Browser):
    page = (await client.get("/sign-in")).text
    css = re.findall(r'href="(/static/dist/[^"]+\.css)"', page)[0]
    answer = await client.get(css)
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-encoding"] == "gzip"
    again = await client.get(css, headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
    for outside in ("/static/../pyproject.toml", "/static/%2e%2e/pyproject.toml"):
        assert "[project]" not in (await client.get(outside)).text


async def test_the_api_describes_itself_and_nothing_else(client: Browser):
    described = (await client.get("/api/openapi.json")).json()
    assert all(path.startswith("/api/v1/") for path in described["paths"])
    assert (await client.get("/api/elements")).json()["status"] == 404


def test_a_second_hub_on_the_same_folder_is_refused(settings: Settings):
    import asyncio

    from hub.lock import DataInUse

    async def both() -> None:
        async with create_app(settings).lifespan():
            with pytest.raises(DataInUse, match="already running on the data folder"):
                async with create_app(settings).lifespan():
                    pass

    asyncio.run(both())

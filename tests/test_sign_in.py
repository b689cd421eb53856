"""Coming in: passwords, one-time links, sessions, and what guessing meets."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta

import httpx
import msgspec
import pytest
from sqlalchemy import select, update

from hub.app import create_app
from hub.db import now
from hub.front import Front
from hub.people.backoff import Backoff, TooMany
from hub.people.models import Account, AuditEntry, SignIn
from hub.settings import Settings
from tests.cast import BASE, PASSWORD, Browser, Cast, make_cast, on_both_engines

REFUSED = "That e-mail address and password do not go together."


@pytest.fixture
async def passwords_set(hub: Front, cast: Cast, password_hash: str) -> None:
    """Everybody in the cast can sign in with PASSWORD."""
    async with hub.state.database.write() as db:
        await db.execute(update(Account).values(password_hash=password_hash))


async def sign_in(browser: Browser, who: str, password: str = PASSWORD, **more: str):
    form = {"email": f"{who}@example.org", "password": password, **more}
    return await browser.post_form("/sign-in", form)


# ── passwords ───────────────────────────────────────────────────────────────────────────────────


@on_both_engines
async def test_ana_signs_in_and_lands_where_she_wanted(client: Browser, passwords_set: None):
    answer = await client.get("/clinic/settings?x=1")
    assert answer.headers["location"] == "/sign-in?next=/clinic/settings%3Fx%3D1"
    page = await client.get(answer.headers["location"])
    assert 'value="/clinic/settings?x=1"' in page.text
    answer = await sign_in(client, "ana", next="/clinic/settings?x=1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/clinic/settings?x=1")
    assert (await client.get("/clinic/settings")).status_code == 200


async def test_the_session_cookie_is_bound_to_the_host(client: Browser, passwords_set: None):
    cookie = (await sign_in(client, "ana")).headers["set-cookie"]
    assert cookie.startswith("__Host-session=")
    for part in ("HttpOnly", "Secure", "SameSite=lax", "Path=/"):
        assert part in cookie
    assert "Domain" not in cookie


async def test_signing_in_never_takes_over_a_session_that_was_there(
    hub: Front, browsers, passwords_set: None, cast: Cast
):
    planted = cast.cookies["mallory"]
    browser = browsers(planted)
    await sign_in(browser, "ana")
    assert browser.cookies["__Host-session"] != planted
    assert (await browsers(planted).get("/account")).status_code == 303  # it ended


@pytest.mark.parametrize(
    "goal",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "/\t/evil.example",
        "javascript:x",
    ],
)
async def test_next_never_leads_away(client: Browser, passwords_set: None, goal: str):
    assert (await sign_in(client, "ana", next=goal)).headers["location"] == "/"


async def test_unknown_wrong_and_unset_read_the_same(hub: Front, client: Browser, passwords_set):
    async with hub.state.database.write() as db:
        await db.execute(
            update(Account).where(Account.email == "carla@example.org").values(password_hash=None)
        )
    answers = [
        await sign_in(client, "ana", "wrong but long enough"),
        await sign_in(client, "nobody-at-all", "wrong but long enough"),
        await sign_in(client, "carla", "wrong but long enough"),
    ]
    who = "ana@", "nobody-at-all@", "carla@"
    texts = {a.text.replace(w, "WHO") for a, w in zip(answers, who, strict=True)}
    assert {a.status_code for a in answers} == {422}
    assert len({t.split("<main", 1)[1].split("_csrf_token")[0] for t in texts}) == 1
    assert all(REFUSED in a.text for a in answers)
    assert 'value="ana@example.org"' in answers[0].text  # what was typed is kept
    assert "wrong but long enough" not in answers[0].text  # the password is not


async def test_guessing_is_slowed_down_for_known_and_unknown_alike(
    hub: Front, client: Browser, passwords_set: None
):
    hub.state.backoff = Backoff(clock=lambda: 0.0)
    for who in ("ana", "nobody"):
        codes = [(await sign_in(client, who, "guess number one")).status_code for _ in range(7)]
        assert codes == [422] * 5 + [429] * 2
    late = await sign_in(client, "ana")
    assert late.status_code == 429  # even with the right password
    assert "Try again in" in late.text


def test_the_wait_doubles_and_a_success_ends_it():
    clock = [0.0]
    backoff = Backoff(free=2, longest=8, clock=lambda: clock[0])
    waits: list[int] = []
    for _ in range(7):
        try:
            backoff.attempt("account ana")
        except TooMany as refusal:
            waits.append(refusal.facts["retry_after"])
            clock[0] += refusal.facts["retry_after"]
            backoff.attempt("account ana")
    assert waits == [2, 3, 5, 9, 9]
    backoff.succeeded("account ana")
    backoff.attempt("account ana")


def test_one_success_does_not_wash_an_address_clean():
    backoff = Backoff(free=1, clock=lambda: 0.0)
    for number in range(6):
        backoff.attempt(f"account {number}", "address 1.2.3.4")
    backoff.succeeded("account 0", "address 1.2.3.4")
    backoff.attempt("account 7", "address 1.2.3.4")
    with pytest.raises(TooMany):
        backoff.attempt("account 8", "address 1.2.3.4")


# ── sessions ────────────────────────────────────────────────────────────────────────────────────


async def test_signing_out_ends_the_session_on_the_server(ana: Browser, browsers, cast: Cast):
    assert (await ana.post_form("/sign-out")).headers["location"] == "/sign-in"
    assert "__Host-session" not in ana.cookies
    assert (await browsers(cast.cookies["ana"]).get("/account")).status_code == 303


async def test_ana_signs_her_other_browsers_out(
    client: Browser, browsers, passwords_set: None, hub: Front
):
    library = browsers()
    await sign_in(library, "ana")
    await sign_in(client, "ana")
    page = await client.get("/account")
    assert page.text.count("/end") == 3  # the cast's, the library's, and everywhere else
    await client.post_form("/account/sign-ins/others/end")
    assert (await library.get("/account")).status_code == 303
    assert (await client.get("/account")).status_code == 200


async def test_nobody_ends_somebody_elses_session(hub: Front, mallory: Browser, ana: Browser):
    async with hub.state.database.read() as db:
        hashes = list(await db.scalars(select(SignIn.token_hash)))
    for one in hashes:
        await mallory.post_form(f"/account/sign-ins/{one}/end")
    assert (await ana.get("/account")).status_code == 200


@pytest.mark.parametrize("column", ["seen_at", "expires_at"])
async def test_sessions_end_by_themselves(hub: Front, ana: Browser, column: str):
    past = now() - timedelta(days=15)
    async with hub.state.database.write() as db:
        await db.execute(update(SignIn).values({column: past}))
    assert (await ana.get("/account")).status_code == 303


async def test_a_disabled_account_is_out_at_once(hub: Front, ana: Browser):
    async with hub.state.database.write() as db:
        await db.execute(update(Account).values(disabled_at=now()))
    assert (await ana.get("/account")).status_code == 303


# ── the account page ────────────────────────────────────────────────────────────────────────────


async def test_ana_changes_her_password(client: Browser, browsers, passwords_set: None):
    elsewhere = browsers()
    await sign_in(elsewhere, "ana")
    await sign_in(client, "ana")
    wrong = {"old": "not the one", "new": "another sentence"}
    answer = await client.post_form("/account/password", wrong)
    assert answer.status_code == 422
    assert "Nothing was changed" in answer.text
    right = {"old": PASSWORD, "new": "another sentence"}
    assert (await client.post_form("/account/password", right)).status_code == 303
    assert (await client.get("/account")).status_code == 200
    assert (await elsewhere.get("/account")).status_code == 303
    assert (await sign_in(elsewhere, "ana")).status_code == 422
    assert (await sign_in(elsewhere, "ana", "another sentence")).status_code == 303


def test_passwords_are_kept_with_argon2id_at_full_cost():
    """In a process of its own: the tests' own hasher is a cheap one."""
    asked = "from hub.people.passwords import hasher as h; print(h.type.name, h.memory_cost)"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["ID", "65536"]


async def test_ana_changes_her_name(ana: Browser):
    answer = await ana.post_form("/account/name", {"name": "  "})
    assert answer.status_code == 422
    answer = await ana.post_form("/account/name", {"name": "Ana <O>\nliveira"})
    assert answer.status_code == 303
    assert "Ana Oliveira" in (await ana.get("/account")).text


async def test_the_look_is_kept_with_the_account(ana: Browser, browsers, cast: Cast):
    page = {"Referer": f"{BASE}/clinic/settings"}
    answer = await ana.post_form("/theme", {"theme": "dark"}, headers=page)
    assert answer.headers["location"] == "/clinic/settings"
    elsewhere = browsers(cast.cookies["ana"])
    assert 'data-theme="dark"' in (await elsewhere.get("/account")).text
    await ana.post_form("/theme", {"theme": '"><b>'})
    assert 'data-theme="auto"' in (await elsewhere.get("/account")).text


async def test_coming_and_going_is_on_record(hub: Front, client: Browser, passwords_set: None):
    await sign_in(client, "ana")
    await client.post_form("/sign-out")
    async with hub.state.database.read() as db:
        query = select(AuditEntry.action).where(AuditEntry.actor == "ana@example.org")
        assert list(await db.scalars(query)) == ["account.signed-in", "account.signed-out"]


# ── browsers that refuse Secure cookies on plain http ───────────────────────────────────────────


async def test_without_secure_cookies_the_names_have_no_prefix(
    settings: Settings, password_hash: str
):
    """Safari on plain http would drop `Secure` and `__Host-` cookies and never get in."""
    plain = msgspec.structs.replace(settings, secure_cookies=False, public_url="http://hub.test")
    app = create_app(plain)
    async with app.lifespan():
        await make_cast(app.state.database, password_hash)
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://hub.test") as browser:
            await browser.get("/sign-in")
            form = {"email": "ana@example.org", "password": PASSWORD}
            form["_csrf_token"] = browser.cookies["csrf"]
            assert (await browser.post("/sign-in", data=form)).status_code == 303
            assert (await browser.get("/account")).status_code == 200
            assert set(browser.cookies) == {"csrf", "session"}


@pytest.mark.parametrize("cookie", ["", "x", "…", "a" * 5000, "' OR 1=1 --"])
async def test_nonsense_for_a_session_is_no_session(client: Browser, cookie: str):
    answer = await client.get("/account", headers={"Cookie": f"__Host-session={cookie}".encode()})
    assert answer.headers["location"] == "/sign-in?next=/account"

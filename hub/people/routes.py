"""Signing in and out, and what a person decides about themselves."""

from __future__ import annotations

from typing import Any

from litestar import get, post
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.errors import HubError, Invalid
from hub.flash import local
from hub.people import accounts, audit, sign_ins
from hub.people.backoff import Backoff
from hub.people.gate import session_cookie
from hub.people.models import Account
from hub.people.policy import Actor, Need
from hub.web import Ask, Form, go, page

YEAR = 365 * 24 * 3600


@get("/", needs=Need.SIGNED_IN, name="home")
async def home(request: Ask) -> Redirect:
    """The first workspace's home; for somebody without one, the place to make it."""
    found = request.state.workspaces
    return go(f"/{found[0].slug}" if found else "/workspaces/new")


@get("/sign-in", needs=Need.PUBLIC, name="sign-in")
async def sign_in_page(request: Ask, next: FromQuery[str] = "") -> Template:
    return page(request, "people/sign_in.html", next=local(next), typed={}, error=None)


@post("/sign-in", needs=Need.PUBLIC, name="sign-in:post")
async def sign_in(
    request: Ask, data: Form, database: NamedDependency[Database]
) -> Template | Redirect:
    """Check the password; count the attempt first, for the account and for the address."""
    email, goal = data.get("email", ""), local(data.get("next", "/"))
    backoff: Backoff = request.app.state.backoff
    names = f"account {email.strip().lower()}", f"address {_address(request)}"
    try:
        backoff.attempt(*names)
        account = await accounts.check_password(database, email, data.get("password", ""))
    except HubError as refusal:
        typed = {"email": email}
        return page(
            request, "people/sign_in.html", status=refusal.status, next=goal, typed=typed,
            error=refusal.sentence,
        )  # fmt: skip
    backoff.succeeded(*names)
    return await _signed_in(request, database, account, goal)


@get("/sign-in/{token:str}", needs=Need.PUBLIC, name="link")
async def link_page(
    request: Ask, token: FromPath[str], db: NamedDependency[AsyncSession]
) -> Template:
    """Nothing is used up by looking: programs that preview links must not burn this one."""
    account = await accounts.of_link(db, token)
    typed = {"name": accounts.chosen_name(account)}
    return page(
        request, "people/link.html", token=token, email=account.email, typed=typed, error=None
    )


@post("/sign-in/{token:str}", needs=Need.PUBLIC, name="link:post")
async def use_link(
    request: Ask, token: FromPath[str], data: Form, database: NamedDependency[Database]
) -> Template | Redirect:
    """Set name and password by the link, and sign in."""
    given = {"name": data.get("name", ""), "password": data.get("password", "")}
    try:
        account = await accounts.use_link(database, token, **given)
    except Invalid as refusal:
        async with database.read() as db:
            email = (await accounts.of_link(db, token)).email
        return page(
            request, "people/link.html", status=422, token=token, email=email, typed=given,
            error=refusal.sentence,
        )  # fmt: skip
    return await _signed_in(request, database, account, "/")


@post("/sign-out", needs=Need.SIGNED_IN, name="sign-out")
async def sign_out(
    request: Ask, actor: NamedDependency[Actor], db: NamedDependency[AsyncSession]
) -> Redirect:
    """End this sign-in on the server, not just in the browser."""
    await sign_ins.end(db, actor.account_id or 0, request.state.sign_in)
    audit.record(db, actor, "account.signed-out", actor.email, None)
    answer = go("/sign-in", "You are signed out.")
    answer.set_cookie(_session(request, "", 0))
    return answer


@post("/theme", needs=Need.SIGNED_IN, name="theme")
async def choose_theme(
    request: Ask, data: Form, actor: NamedDependency[Actor], db: NamedDependency[AsyncSession]
) -> Redirect:
    """Light, dark or as the system; kept with the account and for pages before signing in."""
    theme = data.get("theme", "")
    theme = theme if theme in accounts.THEMES else "auto"
    await accounts.choose_theme(db, actor.account_id or 0, theme)
    answer = go(_came_from(request))
    secure = request.app.state.settings.secure_cookies
    answer.set_cookie(
        Cookie("theme", value=theme, path="/", max_age=YEAR, samesite="lax", secure=secure)
    )
    return answer


@get("/account", needs=Need.SIGNED_IN, name="account")
async def account_page(
    request: Ask, actor: NamedDependency[Actor], db: NamedDependency[AsyncSession]
) -> Template:
    return await _account_page(request, actor, db)


@post("/account/name", needs=Need.SIGNED_IN, name="account:name")
async def rename(
    request: Ask, data: Form, actor: NamedDependency[Actor], database: NamedDependency[Database]
) -> Template | Redirect:
    """The name that versions saved from now on carry."""
    try:
        async with database.write() as db:
            await accounts.rename(db, actor.account_id or 0, data.get("name", ""))
    except Invalid as refusal:
        async with database.read() as db:
            return await _account_page(request, actor, db, wrong_name=refusal.sentence, typed=data)
    return go("/account", "Your name was changed. Versions saved before keep the old one.")


@post("/account/password", needs=Need.SIGNED_IN, name="account:password")
async def change_password(
    request: Ask, data: Form, actor: NamedDependency[Actor], database: NamedDependency[Database]
) -> Template | Redirect:
    """Guessing the present password is slowed down as at sign-in."""
    backoff: Backoff = request.app.state.backoff
    name = f"account {actor.email}"
    old, new = data.get("old", ""), data.get("new", "")
    try:
        backoff.attempt(name)
        await accounts.change_password(
            database, actor.account_id or 0, old=old, new=new, keep=request.state.sign_in
        )
    except HubError as refusal:
        wrong = {refusal.facts.get("field", "new"): refusal.sentence}
        async with database.read() as db:
            answer = await _account_page(request, actor, db, wrong=wrong)
        answer.status_code = refusal.status
        return answer
    backoff.succeeded(name)
    return go("/account", "Your password was changed. Your other browsers are signed out.")


@post("/account/sign-ins/{number:str}/end", needs=Need.SIGNED_IN, name="account:end")
async def end_sign_in(
    request: Ask,
    number: FromPath[str],
    actor: NamedDependency[Actor],
    db: NamedDependency[AsyncSession],
) -> Redirect:
    """Sign out one other browser, or with `others` all of them."""
    if number == "others":
        await sign_ins.end_all(db, actor.account_id or 0, but=request.state.sign_in)
        return go("/account", "Every other browser is signed out.")
    ended = await sign_ins.end(db, actor.account_id or 0, number)
    return go("/account", "That browser is signed out." if ended else "It was signed out already.")


async def _account_page(
    request: Ask, actor: Actor, db: AsyncSession, *, wrong: dict[str, str] | None = None,
    wrong_name: str | None = None, typed: dict[str, str] | None = None,
) -> Template:  # fmt: skip
    return page(
        request,
        "people/account.html",
        status=422 if wrong or wrong_name else 200,
        account=await db.get_one(Account, actor.account_id),
        sign_ins=await sign_ins.listed(db, actor.account_id or 0),
        here=request.state.sign_in,
        describe=sign_ins.describe,
        mails=bool(request.app.state.settings.smtp_url),
        wrong=wrong or {},
        wrong_name=wrong_name,
        typed=typed or {"name": actor.name},
    )


async def _signed_in(request: Ask, database: Database, account: Account, goal: str) -> Redirect:
    """A fresh session: one that was here before this sign-in is ended, never taken over."""
    before = request.cookies.get(session_cookie(secure=request.app.state.settings.secure_cookies))
    async with database.write() as db:
        if before:
            await sign_ins.end_token(db, before)
        token = await sign_ins.start(db, account.id, request.headers.get("User-Agent", ""))
        audit.record(db, accounts.person(account), "account.signed-in", account.email, None)
    answer = go(goal)
    answer.set_cookie(_session(request, token, int(sign_ins.ABSOLUTE.total_seconds())))
    return answer


def _session(request: Ask, token: str, max_age: int) -> Cookie:
    secure: bool = request.app.state.settings.secure_cookies
    return Cookie(
        session_cookie(secure=secure), value=token, path="/", max_age=max_age,
        httponly=True, secure=secure, samesite="lax",
    )  # fmt: skip


def _address(request: Ask) -> str:
    """Of the browser, or of the last proxy that the server was told to trust."""
    return request.client.host if request.client else "unknown"


def _came_from(request: Ask) -> str:
    """The path of the page that sent this form; the start page if the browser does not say."""
    referer = request.headers.get("Referer", "")
    path = "/" + referer.split("/", 3)[3] if referer.count("/") >= 3 else "/"
    return local(path)


ROUTES: list[Any] = [
    home, sign_in_page, sign_in, link_page, use_link, sign_out, choose_theme, account_page, rename,
    change_password, end_sign_in,
]  # fmt: skip

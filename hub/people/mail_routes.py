"""What a person decides about their letters: on the account page, or from a letter itself."""

from __future__ import annotations

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from hub.errors import NotFound
from hub.people import accounts
from hub.people.mail import account_of
from hub.people.models import Account
from hub.people.policy import Actor, Need
from hub.web import Ask, Form, go, page

SAID = {
    "each": "You get a letter for each thing that waits for you.",
    "digest": "You get one letter a day, in the morning.",
    "off": "You get no more letters. What happens is in your notices here.",
}
PURPOSE = "mail-opt-out"


@post("/account/mail", needs=Need.SIGNED_IN, name="account:mail")
async def choose(
    data: Form, actor: NamedDependency[Actor], db: NamedDependency[AsyncSession]
) -> Redirect:
    wish = await accounts.choose_mail(db, actor.account_id or 0, data.get("mail", ""))
    return go("/account#mail", SAID[wish])


@get("/mail/off/{token:str}", needs=Need.PUBLIC, name="mail:off")
async def off_page(
    request: Ask, token: FromPath[str], db: NamedDependency[AsyncSession]
) -> Template:
    """Nothing ends by looking: programs that preview links must not end it."""
    account = await _account(request, db, token)
    return page(request, "people/mail_off.html", account=account, token=token)


@post("/mail/off/{token:str}", needs=Need.PUBLIC, name="mail:off:post")
async def off(
    request: Ask, token: FromPath[str], db: NamedDependency[AsyncSession]
) -> Template | Response[None]:
    """By the page's button, or by a mail program's own (RFC 8058), which has neither a session
    nor a form's token: the link itself is signed, and all it can do is this."""
    account = await _account(request, db, token)
    await accounts.choose_mail(db, account.id, "off")
    return page(request, "people/mail_off.html", status=200, account=account, token=token)


async def _account(request: Ask, db: AsyncSession, token: str) -> Account:
    key = request.app.state.settings.derive(PURPOSE)
    account_id = account_of(key, token)
    account = await db.get(Account, account_id) if account_id is not None else None
    if account is None:
        raise NotFound("This link is not one of ours. You can end letters on your account page.")
    return account


ROUTES = [choose, off_page, off]

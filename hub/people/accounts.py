"""Accounts, passwords, and the links that sign somebody in once."""

from __future__ import annotations

import re
import secrets
from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database, now
from hub.errors import Conflict, HubError, Invalid, NotFound
from hub.people import audit, guarded, passwords, sign_ins
from hub.people.models import Account, Member, SignInLink
from hub.people.policy import Actor

LINK_LASTS = timedelta(hours=24)
EMAIL = re.compile(r"[^@\s<>\"'\\,;:()\[\]\x00-\x1f]{1,64}@[^@\s<>\"'\\,;:()\[\]\x00-\x1f]{1,180}")
THEMES = ("auto", "light", "dark")
MAILS = ("each", "digest", "off")
"""How notices come by e-mail: as they happen, once a day, or never."""
FIRST_ADMIN_NAME = "Administrator"
OPERATOR = Actor(kind="operator", name="operator", email="")


class SignInRefused(HubError):
    """The same words for an unknown account, a wrong password and an account without one."""

    status = 422

    def __init__(self) -> None:
        super().__init__(
            "That e-mail address and password do not go together. Check both. If you forgot the "
            "password, ask your administrator for a sign-in link."
        )


class LinkSpent(NotFound):
    """The link is unknown, too old, was used, or nobody stands behind it any more; we do not say
    which."""

    def __init__(self) -> None:
        super().__init__(
            "This sign-in link was used already or is older than 24 hours, or whoever made it "
            "may not any more. Ask an administrator for a new one."
        )


def clean_email(email: str) -> str:
    """Raises:
    Invalid: it cannot be an e-mail address.
    """
    email = email.strip().lower()
    if len(email) > 254 or not EMAIL.fullmatch(email):
        raise Invalid("That is not an e-mail address; one looks like ana@example.org.")
    return email


def clean_name(name: str) -> str:
    """A person's name as git can write it: one line, no angle brackets."""
    name = " ".join("".join(c for c in name if c.isprintable() and c not in "<>").split())
    if not 1 <= len(name) <= 120:
        raise Invalid("Write the name people know you by, in 1 to 120 characters.")
    return name


async def find(db: AsyncSession, email: str) -> Account | None:
    return await db.scalar(select(Account).where(Account.email == email.strip().lower()))


async def create(db: AsyncSession, email: str, name: str, *, actor: Actor = OPERATOR) -> Account:
    """An account without a password: it is entered by a sign-in link.

    Raises:
        Conflict: the address has an account.
    """
    email = clean_email(email)
    if await find(db, email) is not None:
        raise Conflict(f"{email} has an account already.")
    account = Account(
        email=email, name=clean_name(name), password_hash=None, theme="auto", created_at=now(),
        disabled_at=None,
    )  # fmt: skip
    db.add(account)
    await db.flush()
    audit.record(db, actor, "account.created", email, None)
    return account


def chosen_name(account: Account) -> str:
    """The name that somebody gave them; a stand-in for one is nobody's, so it is left out."""
    stand_ins = ("", FIRST_ADMIN_NAME, account.email.partition("@")[0])
    return account.name if account.password_hash or account.name not in stand_ins else ""


async def make_link(
    db: AsyncSession, account: Account, *, maker: Actor = OPERATOR, workspace_id: int | None = None
) -> str:
    """A token that signs this person in once within a day; only its hash is kept. It is good for as
    long as `maker` could make it anew."""
    token, at = secrets.token_urlsafe(32), now()
    db.add(
        SignInLink(
            token_hash=sign_ins.hashed(token), account_id=account.id, created_at=at,
            expires_at=at + LINK_LASTS, used_at=None, made_by=maker.account_id,
            key_id=maker.key_id, workspace_id=workspace_id,
        )
    )  # fmt: skip
    return token


def link_at(url: str, token: str) -> str:
    """Where a token is turned into a sign-in; `url`: of the hub."""
    return f"{url}/sign-in/{token}"


async def of_link(db: AsyncSession, token: str) -> Account:
    """Whose link this is, without using it up.

    Raises:
        LinkSpent: it cannot be used.
    """
    _, account = await _good_link(db, token)
    return account


async def use_link(database: Database, token: str, *, name: str, password: str) -> Account:
    """Use a link up: set name and password. The other sign-ins of the account end.

    Raises:
        LinkSpent: it cannot be used.
        Invalid: name or password will not do; the link stays good.
    """
    async with database.read() as db:
        email = (await of_link(db, token)).email
    passwords.check_strength(password, email)
    name, hashed = clean_name(name), await passwords.hash_password(password)
    async with database.write() as db:
        link, account = await _good_link(db, token)
        account.name, account.password_hash, link.used_at = name, hashed, now()
        await sign_ins.end_all(db, account.id)
        audit.record(db, person(account), "account.password", email, None, by="link")
    return account


async def _good_link(db: AsyncSession, token: str) -> tuple[SignInLink, Account]:
    query = (
        select(SignInLink, Account)
        .join(Account, Account.id == SignInLink.account_id)
        .where(
            SignInLink.token_hash == sign_ins.hashed(token),
            SignInLink.used_at.is_(None),
            SignInLink.expires_at > now(),
            Account.disabled_at.is_(None),
        )
    )
    row = (await db.execute(query.with_for_update(of=SignInLink))).one_or_none()
    if row is None or not await guarded.stands_behind(db, row[0], row[1]):
        raise LinkSpent
    return row[0], row[1]


async def check_password(database: Database, email: str, password: str) -> Account:
    """The account these belong to. No transaction is open while the password is hashed.

    Raises:
        SignInRefused: they do not go together.
    """
    async with database.read() as db:
        account = await find(db, email)
    known = account.password_hash if account and account.disabled_at is None else None
    if not await passwords.matches(known, password) or account is None:
        raise SignInRefused
    return account


async def change_password(
    database: Database, account_id: int, *, old: str, new: str, keep: str
) -> None:
    """Set a new password; every other browser (than the sign-in `keep`) is signed out.

    Raises:
        Invalid: the old one is not right, or the new one will not do.
    """
    async with database.read() as db:
        account = await db.get_one(Account, account_id)
    if not await passwords.matches(account.password_hash, old):
        raise Invalid("That is not your present password. Nothing was changed.", field="old")
    passwords.check_strength(new, account.email)
    hashed = await passwords.hash_password(new)
    async with database.write() as db:
        account = await db.get_one(Account, account_id)
        account.password_hash = hashed
        await sign_ins.end_all(db, account_id, but=keep)
        await db.execute(delete(SignInLink).where(SignInLink.account_id == account_id))
        audit.record(db, person(account), "account.password", account.email, None, by="change")


async def rename(db: AsyncSession, account_id: int, name: str) -> None:
    """The name that versions saved from now on carry."""
    account = await db.get_one(Account, account_id)
    account.name = clean_name(name)


async def choose_theme(db: AsyncSession, account_id: int, theme: str) -> None:
    account = await db.get_one(Account, account_id)
    account.theme = theme if theme in THEMES else "auto"


async def choose_mail(db: AsyncSession, account_id: int, wish: str) -> str:
    """How notices reach the person by e-mail; what it now is."""
    account = await db.get_one(Account, account_id)
    account.mail = wish if wish in MAILS else account.mail
    return account.mail


async def first_link(db: AsyncSession) -> str | None:
    """A link for the first administrator while nobody can sign in yet; None afterwards.

    Only the operator's own command calls this: nobody becomes administrator by a visit.
    """
    with_password = select(func.count()).where(Account.password_hash.is_not(None))
    if await db.scalar(with_password):
        return None
    admin = await db.scalar(
        select(Account)
        .join(Member, Member.account_id == Account.id)
        .where(Member.role == "admin", Account.disabled_at.is_(None))
        .order_by(Account.id)
        .limit(1)
    )
    return await make_link(db, admin) if admin else None


def person(account: Account) -> Actor:
    """This account as the one who acts, outside any workspace."""
    return Actor(kind="person", name=account.name, email=account.email, account_id=account.id)

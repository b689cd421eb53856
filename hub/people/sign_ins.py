"""Signed-in browsers: the cookie holds a random token, the database its SHA-256."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import now
from hub.people.models import Account, SignIn

IDLE = timedelta(days=14)
ABSOLUTE = timedelta(days=60)
NOTED_EVERY = timedelta(minutes=10)
"""How exactly `seen_at` is kept: reading a page must not cost a write each time."""


def hashed(token: str) -> str:
    return sha256(token.encode()).hexdigest()


async def start(db: AsyncSession, account_id: int, agent: str) -> str:
    """Sign a browser in; the token returned is the cookie's value. Always a new one."""
    token, at = secrets.token_urlsafe(32), now()
    db.add(
        SignIn(
            token_hash=hashed(token), account_id=account_id, created_at=at, seen_at=at,
            expires_at=at + ABSOLUTE, agent=agent[:200],
        )
    )  # fmt: skip
    await db.execute(delete(SignIn).where(SignIn.expires_at < at))
    return token


async def find(db: AsyncSession, token: str) -> tuple[SignIn, Account] | None:
    """Who holds this cookie; None when it is unknown, revoked, idle too long or too old."""
    at = now()
    query = (
        select(SignIn, Account)
        .join(Account, Account.id == SignIn.account_id)
        .where(
            SignIn.token_hash == hashed(token),
            SignIn.expires_at > at,
            SignIn.seen_at > at - IDLE,
            Account.disabled_at.is_(None),
        )
    )
    row = (await db.execute(query)).one_or_none()
    return (row[0], row[1]) if row else None


def is_stale(sign_in: SignIn) -> bool:
    """Whether `seen_at` should be written down again."""
    return now() - sign_in.seen_at > NOTED_EVERY


async def note_seen(db: AsyncSession, token_hash: str) -> None:
    await db.execute(update(SignIn).where(SignIn.token_hash == token_hash).values(seen_at=now()))


async def listed(db: AsyncSession, account_id: int) -> list[SignIn]:
    """The browsers a person is signed in with, the one used last first."""
    idle: datetime = now() - IDLE
    query = select(SignIn).where(SignIn.account_id == account_id, SignIn.seen_at > idle)
    return list(await db.scalars(query.order_by(SignIn.seen_at.desc())))


async def end(db: AsyncSession, account_id: int, token_hash: str) -> bool:
    """Sign one browser of this person out; False if there was none."""
    gone = await db.scalars(
        delete(SignIn)
        .where(SignIn.account_id == account_id, SignIn.token_hash == token_hash)
        .returning(SignIn.token_hash)
    )
    return gone.first() is not None


async def end_all(db: AsyncSession, account_id: int, *, but: str | None = None) -> None:
    """Sign a person out everywhere, save for the browser with the token hash `but`."""
    query = delete(SignIn).where(SignIn.account_id == account_id)
    await db.execute(query if but is None else query.where(SignIn.token_hash != but))


async def end_token(db: AsyncSession, token: str) -> None:
    """End the sign-in that this cookie holds, whoever's it is."""
    await db.execute(delete(SignIn).where(SignIn.token_hash == hashed(token)))


def describe(agent: str) -> str:
    """ "Firefox on Linux" for a browser's long name of itself."""
    browsers = ("Firefox", "Edg", "OPR", "Chrome", "Safari")
    systems = ("Android", "iPhone", "iPad", "Windows", "Mac OS", "Linux")
    browser = next((name for name in browsers if name in agent), "")
    system = next((name for name in systems if name in agent), "")
    named = {"Edg": "Edge", "OPR": "Opera", "Mac OS": "macOS"}
    if not browser:
        return agent[:60] or "Unknown browser"
    said = named.get(browser, browser)
    return f"{said} on {named.get(system, system)}" if system else said

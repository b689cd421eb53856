"""Passwords: argon2id, off the event loop, one at a time."""

from __future__ import annotations

import asyncio
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from hub.errors import Invalid

MIN, MAX = 10, 200
COMMON = frozenset(
    {
        "1234567890", "0123456789", "12345678910", "123456789a", "password12", "password123",
        "passwordpassword", "qwertyuiop", "qwerty12345", "1q2w3e4r5t", "iloveyou123", "letmein1234",
        "administrator", "changemenow", "prompthub1", "prompthub123", "welcome1234", "aaaaaaaaaa",
    }
)  # fmt: skip

hasher = PasswordHasher()
"""argon2id with 64 MiB, the library's choice (RFC 9106); tests put a cheap one here."""
_turn = asyncio.Lock()


def check_strength(password: str, email: str = "") -> None:
    """Refuse what is short or guessed first.

    Raises:
        Invalid: with what would do.
    """
    if not MIN <= len(password) <= MAX:
        raise Invalid(f"Choose a password of {MIN} to {MAX} characters; a short sentence is good.")
    if password.lower() in COMMON or password.lower() in {email, email.partition("@")[0]}:
        raise Invalid("That password is among the first that are guessed. Choose another one.")


async def hash_password(password: str) -> str:
    """Memory-hard on purpose (64 MiB), hence one at a time and never on the event loop."""
    async with _turn:
        return await asyncio.to_thread(hasher.hash, password)


async def matches(password_hash: str | None, password: str) -> bool:
    """Whether the password fits. An account without one, or none at all, takes as long."""
    async with _turn:
        return await asyncio.to_thread(_verify, password_hash, password)


def _verify(password_hash: str | None, password: str) -> bool:
    try:
        fits = hasher.verify(password_hash or _dummy(), password[: MAX + 1])
    except (VerificationError, InvalidHashError):
        return False
    return fits and password_hash is not None


@cache
def _dummy() -> str:
    return hasher.hash("nobody has this password")

"""Secrets of others that the hub has to keep and use: AES-GCM, bound to where they belong.

What was sealed for one place does not open for another, so a row that is copied, or whose address
somebody changed, gives nothing away. Each purpose has a key of its own.
"""

from __future__ import annotations

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hub.errors import Conflict
from hub.settings import Secret

_FORM = b"\x01"
_NONCE = 12


class KeyLost(Conflict):
    """What was sealed cannot be opened: the hub's secret, or the place, is another one now."""


def seal(secret: Secret, text: str, *, purpose: str, bound: str) -> bytes:
    """`text`, unreadable without the hub's secret and for any other `bound`."""
    nonce = secrets.token_bytes(_NONCE)
    return _FORM + nonce + _cipher(secret, purpose).encrypt(nonce, text.encode(), bound.encode())


def unseal(secret: Secret, sealed: bytes, *, purpose: str, bound: str, lost: str) -> Secret:
    """The text again.

    Raises:
        KeyLost: it was sealed for another place or with another secret; with the sentence `lost`.
    """
    nonce, rest = sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :]
    try:
        if sealed[:1] != _FORM:
            raise InvalidTag
        return Secret(_cipher(secret, purpose).decrypt(nonce, rest, bound.encode()).decode())
    except (InvalidTag, ValueError):
        raise KeyLost(lost) from None


def _cipher(secret: Secret, purpose: str) -> AESGCM:
    kdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose.encode())
    return AESGCM(kdf.derive(secret.encode()))

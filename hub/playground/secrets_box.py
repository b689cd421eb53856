"""Keys of model endpoints at rest: AES-GCM, bound to the workspace and the address.

A sealed key that is copied to another workspace, or whose connection was pointed at another
address, does not open: whoever may change an address must not be able to read the key with it.
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
    """What was sealed cannot be opened: the hub's secret, or the address, is another one now."""


def seal(secret: Secret, key: str, *, workspace_id: int, base_url: str) -> bytes:
    """`key`, unreadable without the hub's secret."""
    nonce = secrets.token_bytes(_NONCE)
    bound = _bound(workspace_id, base_url)
    return _FORM + nonce + _cipher(secret).encrypt(nonce, key.encode(), bound)


def unseal(secret: Secret, sealed: bytes, *, workspace_id: int, base_url: str) -> Secret:
    """The key again.

    Raises:
        KeyLost: it was sealed for another address or with another secret.
    """
    nonce, rest = sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :]
    try:
        if sealed[:1] != _FORM:
            raise InvalidTag
        return Secret(_cipher(secret).decrypt(nonce, rest, _bound(workspace_id, base_url)).decode())
    except (InvalidTag, ValueError):
        raise KeyLost(
            "The key of this connection cannot be read any more; the hub's secret has changed. "
            "An administrator can enter it again under Models."
        ) from None


def _cipher(secret: Secret) -> AESGCM:
    kdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"prompthub connection keys v1")
    return AESGCM(kdf.derive(secret.encode()))


def _bound(workspace_id: int, base_url: str) -> bytes:
    return f"{workspace_id}\n{base_url}".encode()

"""Keys of model endpoints at rest, each bound to its workspace and address: see `hub.sealed`.

Whoever may change an address must not be able to read the key with it.
"""

from __future__ import annotations

from hub import sealed as sealing
from hub.sealed import KeyLost
from hub.settings import Secret

__all__ = ["KeyLost", "seal", "unseal"]

PURPOSE = "prompthub connection keys v1"
LOST = (
    "The key of this connection cannot be read any more; the hub's secret has changed. "
    "An administrator can enter it again under Models."
)


def seal(secret: Secret, key: str, *, workspace_id: int, base_url: str) -> bytes:
    """`key`, unreadable without the hub's secret."""
    return sealing.seal(secret, key, purpose=PURPOSE, bound=_bound(workspace_id, base_url))


def unseal(secret: Secret, sealed: bytes, *, workspace_id: int, base_url: str) -> Secret:
    """The key again.

    Raises:
        KeyLost: it was sealed for another address or with another secret.
    """
    bound = _bound(workspace_id, base_url)
    return sealing.unseal(secret, sealed, purpose=PURPOSE, bound=bound, lost=LOST)


def _bound(workspace_id: int, base_url: str) -> str:
    return f"{workspace_id}\n{base_url}"

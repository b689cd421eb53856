"""Signatures as www.standardwebhooks.com has them: HMAC-SHA256 over id, time and text.

    webhook-id: msg_…    webhook-timestamp: 1763745000    webhook-signature: v1,<base64> v1,<base64>

A secret is `whsec_` and the key in base64. Two signatures: the secret was changed lately, and
receivers that know either of them are right.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime

from hub.errors import Invalid
from hub.settings import Secret

PREFIX = "whsec_"
TOLERANCE = 300
"""Seconds that a signed moment may lie before or after ours."""
ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"


def mint() -> Secret:
    """A new secret.

    >>> len(key_of(mint()))
    32
    """
    return Secret(PREFIX + base64.b64encode(secrets.token_bytes(32)).decode())


def key_of(secret: str) -> bytes:
    """The key inside a secret.

    Raises:
        Invalid: it is no secret of this form.
    """
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not 24 <= len(key) <= 64:
        raise Invalid("A signing secret is `whsec_` and 24 to 64 bytes in base64.")
    return key


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """One signature: `v1,` and base64."""
    text = b"%s.%d.%s" % (message_id.encode(), timestamp, body)
    return f"v1,{base64.b64encode(hmac.digest(key_of(secret), text, 'sha256')).decode()}"


def headers(secrets_: Iterable[str], message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """What goes with a message that is sent at that moment, a signature for each secret."""
    timestamp = int(at.timestamp())
    signed = " ".join(sign(one, message_id, timestamp, body) for one in secrets_)
    return {ID: message_id, TIMESTAMP: str(timestamp), SIGNATURE: signed}


class Signed:
    """Reads a message piece by piece, and says at the end whether its signature is right."""

    def __init__(self, secrets_: Iterable[str], given: Mapping[str, str], now: datetime) -> None:
        """`given`: the headers, by lower-case names."""
        timestamp = given.get(TIMESTAMP, "")
        sane = timestamp.isascii() and timestamp.isdecimal() and len(timestamp) < 12
        self._fresh = sane and abs(now.timestamp() - int(timestamp)) <= TOLERANCE
        self._given = [
            one.removeprefix("v1,")
            for one in given.get(SIGNATURE, "").split(" ")[:10]
            if one.startswith("v1,")
        ]
        start = f"{given.get(ID, '')}.{timestamp}.".encode()
        self._made = [hmac.new(key_of(one), start, hashlib.sha256) for one in secrets_]

    def feed(self, piece: bytes) -> None:
        for one in self._made:
            one.update(piece)

    @property
    def hopeless(self) -> bool:
        """Whether no body can make it good."""
        return not (self._fresh and self._given)

    @property
    def good(self) -> bool:
        """All are compared, so that the time taken tells nothing."""
        right = False
        for made in self._made:
            wanted = base64.b64encode(made.digest())
            for one in self._given:
                right |= hmac.compare_digest(one.encode("utf-8", "replace"), wanted)
        return right and self._fresh

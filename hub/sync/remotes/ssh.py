"""SSH for a remote: a deploy key that we make, and the host's own keys, which a person confirms."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import hashlib
import re

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from hub.errors import Unavailable

ALIAS = "remote"
"""The name under which the pinned keys stand; whatever the address says, only they count."""
_KEY = re.compile(r"\S+ ((?:ssh|ecdsa|sk)-[\w@.-]+) ([A-Za-z0-9+/]+={0,2})", re.ASCII)
_PATIENCE = 15.0


def make(comment: str) -> tuple[str, str]:
    """A private key, as OpenSSH keeps it, and its public half in one line."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return private, f"{public} {comment}"


async def of_host(ip: str, port: int) -> str:
    """The keys that answer there now: `<kind> <key>` a line, nobody having vouched for them.

    Raises:
        Unavailable: nothing answers.
    """
    words = ("ssh-keyscan", "-T", "10", "-p", str(port), "--", ip)
    pipe, null = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    said = b""
    with contextlib.suppress(FileNotFoundError, TimeoutError):
        child = await asyncio.create_subprocess_exec(*words, stdout=pipe, stderr=null, stdin=null)
        try:
            async with asyncio.timeout(_PATIENCE):
                said, _ = await child.communicate()
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
    found = sorted(set(_KEY.findall(said.decode("ascii", "replace"))))
    if not found:
        raise Unavailable(
            "No SSH server answers there just now. Check the address, then try again."
        )
    return "\n".join(f"{kind} {key}" for kind, key in found)


def prints(keys: str) -> list[tuple[str, str]]:
    """Kind and fingerprint of each key, as `ssh` and the forges show them."""
    found: list[tuple[str, str]] = []
    for line in keys.splitlines():
        kind, _, key = line.partition(" ")
        with contextlib.suppress(binascii.Error):
            digest = hashlib.sha256(base64.b64decode(key)).digest()
            found.append((kind, "SHA256:" + base64.b64encode(digest).decode().rstrip("=")))
    return found


def known_hosts(keys: str) -> str:
    """The pinned keys as a file for ssh."""
    return "".join(f"{ALIAS} {line}\n" for line in keys.splitlines())

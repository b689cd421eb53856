"""What answers at an http(s) address before git speaks: git takes a web server that hands out
anything at all for a repository of plain files, an empty one if there is nothing in it."""

from __future__ import annotations

import base64
from typing import Literal

import httpx
import msgspec

from hub.errors import HubError
from hub.outbound import Outbound
from hub.settings import Secret
from hub.sync.remotes.addresses import Address
from hub.sync.remotes.troubles import told

Service = Literal["git-upload-pack", "git-receive-pack"]
_PATIENCE = 15.0
_ASKING = {"User-Agent": "git/2 (prompthub)"}
"""Some forges answer a browser with a page."""


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """How to get in."""

    address: Address
    user: str = ""
    """For HTTP Basic."""
    secret: Secret = Secret("")
    """A token, or the private key."""
    host_keys: str = ""

    @property
    def basic(self) -> str:
        """Name and token as HTTP Basic wants them; empty without a token."""
        if not self.secret:
            return ""
        return base64.b64encode(f"{self.user or 'git'}:{self.secret}".encode()).decode()

    @property
    def by_http(self) -> bool:
        return self.address.scheme in ("http", "https")


async def asked(
    outbound: Outbound, way: Way, service: Service, most: int = 0
) -> tuple[int, str, bytes]:
    """Status, content type, and the first bytes (about `most`) of what the service says of itself.

    Raises:
        httpx.HTTPError, HubError: nothing answers, or the hub does not go there.
    """
    url, said = f"{way.address.url}/info/refs?service={service}", b""
    headers = _ASKING | ({"Authorization": f"Basic {way.basic}"} if way.secret else {})
    client = outbound.client()
    async with client.stream("GET", url, headers=headers, timeout=_PATIENCE) as answer:
        if most and answer.status_code == 200:
            async for part in answer.aiter_bytes():
                said += part
                if len(said) > most:
                    break
        return answer.status_code, answer.headers.get("Content-Type", ""), said


async def check(outbound: Outbound, way: Way) -> None:
    """That a git server answers, and not only a web server.

    Raises:
        Trouble: it does not.
    """
    if not way.by_http:
        return
    service: Service = "git-upload-pack"
    try:
        status, kind, _ = await asked(outbound, way, service)
    except (httpx.HTTPError, HubError):
        raise told(way.address, "") from None
    if status >= 300:
        raise told(way.address, f"returned error: {status}", bare=not way.secret)
    if kind.partition(";")[0].strip() != f"application/x-{service}-advertisement":
        raise told(way.address, "is this a git repository?")

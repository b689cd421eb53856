"""Whether another Prompt Hub answers over there. It takes no commits that a hub made, for what they
say of approvals would be believed: so from there things come, and nothing can be sent."""

from __future__ import annotations

import base64

import httpx

from hub.errors import HubError
from hub.outbound import Outbound
from hub.sync.git.push import AGENT
from hub.sync.remotes.wire import Way

ONE_WAY = (
    "This is a workspace of another Prompt Hub: what is new there comes in here, and nothing goes "
    "there, since no hub takes commits in the name of another. To work both ways, have this "
    "workspace linked over there, too; or link both to one repository at a forge or a git server."
)
_ENOUGH = 1 << 16
_PATIENCE = 15.0


async def answers(outbound: Outbound, way: Way) -> bool:
    """False as well where nobody can tell: then a push says what is wrong."""
    address = way.address
    if address.scheme not in ("http", "https"):
        return False
    basic = base64.b64encode(f"{way.user}:{way.secret}".encode()).decode()
    headers = {"Authorization": f"Basic {basic}"} if way.secret else {}
    url, said = f"{address.url}/info/refs?service=git-receive-pack", b""
    client = outbound.client()
    try:
        async with client.stream("GET", url, headers=headers, timeout=_PATIENCE) as answer:
            async for part in answer.aiter_bytes():
                said += part
                if answer.status_code != 200 or len(said) > _ENOUGH:
                    break
    except (httpx.HTTPError, HubError):
        return False
    return AGENT in said.partition(b"\n")[2].partition(b"\n")[0].split(b"\0")[-1].split()

"""Whether another Prompt Hub answers over there. It takes no commits that a hub made, for what they
say of approvals would be believed: so from there things come, and nothing can be sent."""

from __future__ import annotations

import httpx

from hub.errors import HubError
from hub.outbound import Outbound
from hub.sync.git.push import AGENT
from hub.sync.remotes import advert
from hub.sync.remotes.advert import Way

ONE_WAY = (
    "This is a workspace of another Prompt Hub: what is new there comes in here, and nothing goes "
    "there, since no hub takes commits in the name of another. To work both ways, have this "
    "workspace linked over there, too; or link both to one repository at a forge or a git server."
)
_ENOUGH = 1 << 16


async def answers(outbound: Outbound, way: Way) -> bool:
    """False as well where nobody can tell: then a push says what is wrong."""
    if not way.by_http:
        return False
    try:
        _, _, said = await advert.asked(outbound, way, "git-receive-pack", _ENOUGH)
    except (httpx.HTTPError, HubError):
        return False
    return AGENT in said.partition(b"\n")[2].partition(b"\n")[0].split(b"\0")[-1].split()

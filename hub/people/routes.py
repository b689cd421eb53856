"""Pages of the people."""

from __future__ import annotations

from typing import Any

from litestar import Request, get
from litestar.response import Redirect

from hub.people.policy import Need
from hub.web import go


@get("/", needs=Need.SIGNED_IN, name="home")
async def home(request: Request[Any, Any, Any]) -> Redirect:
    """The first workspace's prompts; for somebody without one, a place to make it."""
    workspaces = request.state.workspaces
    return go(f"/{workspaces[0].slug}/prompts" if workspaces else "/workspaces/new")


ROUTES = [home]

"""The queue of proposals: what waits for me, mine, all that are open, those that are closed."""

from __future__ import annotations

from typing import Any, Literal
from urllib.parse import urlencode

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Template
from sqlalchemy.ext.asyncio import AsyncSession

from hub.people.policy import Actor, Need, WorkspaceRef
from hub.registry.prompt.form import whole
from hub.registry.review import record
from hub.registry.review.queue import Queue, among
from hub.registry.review.views import ProposalLine
from hub.web import Ask, page

PAGE = 50
Tab = Literal["waiting", "mine", "open", "closed"]
TABS: dict[Tab, str] = {
    "waiting": "Waiting for me", "mine": "Mine", "open": "All open", "closed": "Closed",
}  # fmt: skip


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the list shows, as in the page's address."""

    tab: Tab
    q: str
    mine: bool
    cursor: str

    def url(self, slug: str, **change: str) -> str:
        given = {"state": self.tab, "q": self.q, "mine": "1" if self.mine else ""} | change
        query = urlencode({key: value for key, value in given.items() if value})
        return f"/{slug}/proposals?{query}"


@get("/{slug:str}/proposals", needs=Need.READ, name="proposals")
async def queue_page(
    request: Ask,
    slug: FromPath[str],
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
    q: FromQuery[str] = "",
    cursor: FromQuery[str] = "",
) -> Template:
    """A page of the queue; without `state`, what waits for this person, or else all open ones."""
    queue: Queue = request.app.state.queue
    waiting = await queue.waiting(workspace.id, actor.account_id or 0)
    asked = _asked(request, q.strip(), cursor, bool(waiting))
    lines, more, total = await _lines(db, workspace, actor, asked, waiting)
    tabs = [
        (said, asked.url(slug, state=tab, mine="", q=""), tab == asked.tab)
        + ((len(waiting),) if tab == "waiting" else ())
        for tab, said in TABS.items()
    ]
    return page(
        request, "registry/reviews/queue.html", section="proposals", asked=asked, lines=lines,
        tabs=tabs, total=total, more_url=asked.url(slug, cursor=more) if more else None,
        me=actor.account_id,
    )  # fmt: skip


def _asked(request: Ask, q: str, cursor: str, something_waits: bool) -> Asked:
    given = request.query_params.get("state", "")
    tab: Tab = "waiting" if something_waits else "open"
    for one in TABS:
        tab = one if one == given else tab
    return Asked(tab=tab, q=q, mine=bool(request.query_params.get("mine")), cursor=cursor)


async def _lines(
    db: AsyncSession, workspace: WorkspaceRef, actor: Actor, asked: Asked, waiting: list[int]
) -> tuple[list[ProposalLine], str | None, int]:
    """The page's lines, the cursor of the next page, and how many there are in all."""
    if asked.tab == "waiting" and not asked.q:
        numbers, end = among(waiting, whole(asked.cursor), PAGE)
        found = await record.lines(db, workspace.id, numbers)
        return found, str(end) if end else None, len(waiting)
    state = "closed" if asked.tab == "closed" else "open"
    mine = actor.account_id if asked.tab == "mine" or asked.mine else None
    given: dict[str, Any] = {"state": state, "mine": mine, "q": asked.q, "limit": PAGE}
    among_these = set(waiting) if asked.tab == "waiting" else None
    got = await record.listed(
        db, workspace.id, cursor=asked.cursor or None, among=among_these, **given
    )
    return got.items, got.next, got.total


ROUTES = [queue_page]

"""What people do with a proposal: give a word, ask others, decline, withdraw, bring up to date."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Literal

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.errors import HubError, Invalid
from hub.people import rules_store, workspaces
from hub.people.policy import Actor, Need, WorkspaceRef
from hub.people.rules import counts
from hub.registry.pages.offer_sheets import OfferSheet, again, offer_sheet
from hub.registry.pages.proposals import changes
from hub.registry.prompt.form import whole
from hub.registry.rest.api_parts import publisher_of
from hub.registry.review import proposals, record, reviewing, seen
from hub.registry.review.views import View
from hub.web import Ask, Form, go

SAID = {
    "approve": "Approved.",
    "changes": "Asked for a change; the author will hear of it.",
    "none": "Your word was taken back.",
}


def _here(workspace: WorkspaceRef, number: int, tab: str = "") -> str:
    return f"/{workspace.slug}/proposals/{number}{f'/{tab}' if tab else ''}"


@post(
    "/{slug:str}/proposals/{number:int}/review", needs=Need.REVIEW, name="proposal:review",
    status_code=200,
)  # fmt: skip
async def review(
    request: Ask, number: FromPath[int], data: Form, actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef], database: NamedDependency[Database],
) -> Template | Redirect:  # fmt: skip
    """A word on exactly what was on the screen; refused if it is not the latest any more."""
    verdict = data.get("verdict", "")
    publisher = publisher_of(request)
    try:
        if verdict == "changes" and not data.get("body", "").strip():
            raise Invalid("Say what should change, so that the author knows what to do.")
        await reviewing.review(
            publisher, workspace, number, actor=actor, digest=data.get("digest", ""),
            verdict=_verdict(verdict), body=data.get("body", ""), saw_hidden="saw_hidden" in data,
        )  # fmt: skip
        await _read_it(database, workspace, number, actor)
    except HubError as refused:
        return await _word_again(request, database, workspace, number, data, actor, refused)
    return go(_here(workspace, number), SAID[verdict])


def _verdict(given: str) -> Literal["approve", "changes", "none"]:
    for known in ("approve", "changes", "none"):
        if given == known:
            return known
    raise Invalid("A review approves, asks for a change, or takes your word back.")


async def _read_it(
    database: Database, workspace: WorkspaceRef, number: int, actor: Actor
) -> None:  # fmt: skip
    """Whoever gives a word on the latest revision has read it."""
    async with database.read() as db:
        view = await record.get(db, workspace.id, number)
    await seen.mark(database, workspace.id, number, actor.account_id or 0, view.revision)


async def _word_again(
    request: Ask, database: Database, workspace: WorkspaceRef, number: int, data: Form,
    actor: Actor, refused: HubError,
) -> Template:  # fmt: skip
    """An approval comes back to the page, words to the sheet where they were typed."""
    async with database.read() as db:
        view = await record.get(db, workspace.id, number)
        if data.get("verdict") == "changes":
            sheet = await _ask(db, workspace, view, actor)
            return await offer_sheet(
                request, db, view, sheet, refused=refused, typed=data, digest=view.digest
            )
        return await changes(request, db, view, status=refused.status, trouble=refused.sentence)


async def _ask(
    db: AsyncSession, workspace: WorkspaceRef, view: View, actor: Actor
) -> OfferSheet:  # fmt: skip
    """It says whether the word will be in the way, before it is given."""
    here, me = _here(workspace, view.number), actor.account_id or 0
    who = (await rules_store.people(db, workspace.id, {me})).get(me)
    blocks = who is not None and counts(view.case, who)
    text = (
        "Until you take it back or approve a newer revision, nothing is merged."
        if blocks
        else "Your word does not count here, so it can be merged all the same."
    )
    return OfferSheet(
        kind="changes", title="Ask for a change", button="Ask for a change",
        action=f"{here}/review", back=here, text=f"{view.author} will read it. {text}",
    )  # fmt: skip


@get("/{slug:str}/proposals/{number:int}/ask", needs=Need.REVIEW, name="proposal:ask")
async def ask_sheet(
    request: Ask, number: FromPath[int], workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession], actor: NamedDependency[Actor], digest: FromQuery[str] = "",
) -> Template:  # fmt: skip
    """What should change? `digest` is what was on the screen."""
    view = await record.get(db, workspace.id, number)
    digest = digest or view.digest
    sheet = await _ask(db, workspace, view, actor)
    return await offer_sheet(request, db, view, sheet, digest=digest)


def _decline(workspace: WorkspaceRef, view: View) -> OfferSheet:
    here = _here(workspace, view.number)
    return OfferSheet(
        kind="decline", title=f"Decline proposal {view.number}", button="Decline",
        action=f"{here}/decline", back=here,
        text="It is kept with everything said about it, and can be opened again.",
    )  # fmt: skip


@get("/{slug:str}/proposals/{number:int}/decline", needs=Need.SAVE, name="proposal:decline")
async def decline_sheet(
    request: Ask, number: FromPath[int], workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
) -> Template:  # fmt: skip
    view = await record.get(db, workspace.id, number)
    return await offer_sheet(request, db, view, _decline(workspace, view))


@post(
    "/{slug:str}/proposals/{number:int}/decline", needs=Need.SAVE, name="proposal:decline:post",
    status_code=200,
)  # fmt: skip
async def decline(
    request: Ask, number: FromPath[int], data: Form, actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef], database: NamedDependency[Database],
) -> Template | Redirect:  # fmt: skip
    """Say no, and why; undo opens it again."""
    reason = data.get("reason", "")
    try:
        await reviewing.decline(
            publisher_of(request), workspace, number, actor=actor, reason=reason
        )
    except HubError as refused:
        sheet = partial(_decline, workspace)
        return await again(request, database, number, sheet, refused=refused, typed=data)
    undo = _here(workspace, number, "reopen")
    return go(_here(workspace, number), f"Proposal {number} was declined.", undo=undo)


@get("/{slug:str}/proposals/{number:int}/reviewers", needs=Need.PROPOSE, name="proposal:reviewers")
async def reviewers_sheet(
    request: Ask, number: FromPath[int], workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
) -> Template:  # fmt: skip
    """Whose word is wanted."""
    return await _reviewers(request, db, workspace, number)


async def _reviewers(
    request: Ask, db: AsyncSession, workspace: WorkspaceRef, number: int, **context: Any
) -> Template:
    view = await record.get(db, workspace.id, number)
    here = _here(workspace, number)
    sheet = OfferSheet(
        kind="reviewers", title="Ask people to review", button="Ask them",
        action=f"{here}/reviewers", back=here,
        text="It shows up among what waits for them, and they are told.",
    )  # fmt: skip
    wrote = view.case.authors
    people = [
        one for one in await workspaces.people(db, workspace.id) if one.account_id not in wrote
    ]  # fmt: skip
    return await offer_sheet(request, db, view, sheet, people=people, **context)


@post(
    "/{slug:str}/proposals/{number:int}/reviewers", needs=Need.PROPOSE,
    name="proposal:reviewers:post", status_code=200,
)  # fmt: skip
async def reviewers(
    request: Ask, number: FromPath[int], actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef], database: NamedDependency[Database],
) -> Template | Redirect:  # fmt: skip
    form = await request.form()
    wanted = [one for text in form.getall("who", []) if (one := whole(str(text))) is not None]
    try:
        await reviewing.request_reviewers(database, workspace, number, wanted, actor=actor)
    except HubError as refused:
        async with database.read() as db:
            return await _reviewers(request, db, workspace, number, refused=refused)
    said = "They were asked to review." if len(wanted) != 1 else "They were asked."
    return go(_here(workspace, number), said if wanted else "Nobody else was asked.")


Deed = Callable[..., Awaitable[Any]]


def _plain(path: str, name: str, needs: Need, deed: Deed, said: str, undo: str = "") -> Any:
    """A button without a question: do it, say it, offer the way back."""

    @post(f"/{{slug:str}}/proposals/{{number:int}}/{path}", needs=needs, name=name)
    async def press(
        request: Ask, number: FromPath[int], actor: NamedDependency[Actor],
        workspace: NamedDependency[WorkspaceRef],
    ) -> Redirect:  # fmt: skip
        await deed(publisher_of(request), workspace, number, actor=actor)
        back = _here(workspace, number, undo) if undo else None
        return go(_here(workspace, number), said.format(number=number), undo=back)

    return press


withdraw = _plain(
    "withdraw", "proposal:withdraw", Need.PROPOSE, reviewing.withdraw,
    "Proposal {number} was withdrawn.", undo="reopen",
)  # fmt: skip
reopen = _plain(
    "reopen", "proposal:reopen", Need.PROPOSE, reviewing.reopen, "Proposal {number} is open again."
)


@post("/{slug:str}/proposals/{number:int}/subscribe", needs=Need.READ, name="proposal:subscribe")
async def subscribe(
    number: FromPath[int], data: Form, actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef], database: NamedDependency[Database],
) -> Redirect:  # fmt: skip
    """Be told what happens to it, or hear no more."""
    quiet = data.get("how") == "mute"
    deed = reviewing.mute if quiet else reviewing.subscribe
    await deed(database, workspace, number, actor=actor)
    said = "You will hear no more of it." if quiet else "You will be told what happens here."
    tab = data.get("back", "")
    here = _here(workspace, number, tab if tab in ("answers", "talk", "revisions") else "")
    return go(here, said)


@post("/{slug:str}/proposals/{number:int}/seen", needs=Need.READ, name="proposal:seen")
async def read_it(
    number: FromPath[int], data: Form, actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef], database: NamedDependency[Database],
) -> Redirect:  # fmt: skip
    """“I have read it all”: the banner goes until there is a newer revision."""
    revision = whole(data.get("revision")) or 0
    async with database.read() as db:
        latest = (await record.get(db, workspace.id, number)).revision
    account_id = actor.account_id or 0
    await seen.mark(database, workspace.id, number, account_id, min(revision, latest))
    return go(_here(workspace, number))


@post("/{slug:str}/proposals/{number:int}/rebase", needs=Need.PROPOSE, name="proposal:rebase")
async def rebase(
    request: Ask, number: FromPath[int], actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
) -> Redirect:  # fmt: skip
    """Bring in what others saved meanwhile; where words clash, a person chooses."""
    publisher = publisher_of(request)
    try:
        made = await proposals.rebase(publisher, workspace, number, actor=actor)
    except proposals.NeedsResolving:
        return go(_here(workspace, number, "resolve"))
    said = f"Brought together as revision {made.revision}. Read it once more."
    return go(_here(workspace, number), said if made.created else "It fits as it is.")


ROUTES: list[Any] = [
    review, ask_sheet, decline_sheet, decline, reviewers_sheet, reviewers, withdraw, reopen,
    subscribe, read_it, rebase,
]  # fmt: skip

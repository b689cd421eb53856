"""What people do with a grid: stop, run again, vote, rate, use an answer, take a column over."""

from __future__ import annotations

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from hub.errors import Forbidden, HubError, Invalid
from hub.people.policy import Actor, Need, WorkspaceRef
from hub.playground import adopting, grid, opinions, votes
from hub.playground.again import Part
from hub.playground.again import again as run_again
from hub.playground.models import Grid, Run
from hub.playground.options import options_of
from hub.playground.pages.common import may_run, playground_of
from hub.playground.pages.crowd import in_turn
from hub.playground.values import show
from hub.playground.view import title_of
from hub.web import Ask, Form, go, is_part, page

HIDDEN = "Vote first: while whose answers these are is hidden, they are only voted on."


@post("/{slug:str}/grid/{grid_id:int}/stop", needs=Need.DRAFT, name="grid:stop", status_code=303)
async def stop(
    request: Ask,
    grid_id: FromPath[int],
    data: Form,
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
) -> Redirect | Response[None]:
    """Stop one call, a column, or all of them."""
    found = await grid.get(db, workspace.id, grid_id)
    cast = await votes.mine(db, found, actor.account_id)
    order = votes.order(found, actor.account_id) if votes.hidden(found, cast) else None
    row, column, sample = _what(data, order)
    playground_of(request).live.stop(grid_id, row=row, column=column, sample=sample)
    if is_part(request):
        # The stream shows what became of it; there is nothing to swap.
        return Response(None, status_code=204)
    return go(f"/{workspace.slug}/grid/{grid_id}")


@post(
    "/{slug:str}/grid/{grid_id:int}/again", needs=Need.DRAFT, name="grid:again",
    middleware=[in_turn],
)  # fmt: skip
async def again(
    request: Ask,
    grid_id: FromPath[int],
    data: Form,
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
) -> Redirect:
    """The same texts, values and settings once more, as a grid of its own; or a part of it."""
    made = await run_again(
        playground_of(request), workspace.id, grid_id, actor=actor,
        new_seeds=data.get("seeds") == "new", part=_part(data),
    )  # fmt: skip
    return go(f"/{workspace.slug}/grid/{made}")


@post("/{slug:str}/grid/{grid_id:int}/vote", needs=Need.DRAFT, name="grid:vote")
async def vote(
    grid_id: FromPath[int],
    data: Form,
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
) -> Redirect:
    """Choose the best answer of a row, or ask for the names."""
    found = await grid.get(db, workspace.id, grid_id)
    if actor.account_id is None:
        raise Forbidden("Only people vote.")
    if data.get("choice") == "show":
        await votes.show(db, found, actor.account_id)
        return go(f"/{workspace.slug}/grid/{grid_id}", "These are the names. Your votes count.")
    row, _, chosen = data.get("choice", "").partition(":")
    await votes.cast(db, found, actor.account_id, _row(row), _choice(found, actor, chosen))
    return go(f"/{workspace.slug}/grid/{grid_id}#row-{_row(row)}")


@get("/{slug:str}/grid/{grid_id:int}/answer/{run_id:int}", needs=Need.READ, name="grid:answer")
async def answer_page(
    request: Ask,
    grid_id: FromPath[int],
    run_id: FromPath[int],
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
) -> Template:
    """One answer with what people think of it."""
    found, run = await _open(db, workspace, actor, grid_id, run_id)
    return await _answer(request, db, found, run)


@post(
    "/{slug:str}/grid/{grid_id:int}/answer/{run_id:int}", needs=Need.DRAFT, name="grid:rate",
    status_code=200,
)  # fmt: skip
async def rate(
    request: Ask,
    grid_id: FromPath[int],
    run_id: FromPath[int],
    data: Form,
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
) -> Template | Redirect:
    """Rate an answer, or make it what is expected of its example."""
    found, run = await _open(db, workspace, actor, grid_id, run_id)
    try:
        said = await _opinion(db, found, run, data, actor)
    except HubError as refused:
        return await _answer(request, db, found, run, data, refused)
    return go(f"/{workspace.slug}/grid/{grid_id}#row-{run.row}", said)


@post("/{slug:str}/grid/{grid_id:int}/adopt", needs=Need.DRAFT, name="grid:adopt")
async def adopt(
    grid_id: FromPath[int],
    data: Form,
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
) -> Redirect:
    """Make a column the person's draft: there it is read once more, then saved or proposed."""
    found = await grid.get(db, workspace.id, grid_id)
    if await votes.names_hidden(db, found, actor):
        raise Invalid(HIDDEN)
    column = _row(data.get("column", ""))
    if column >= len(found.columns):
        raise Invalid("There is no such column here.")
    name = await adopting.adopt(db, found, column, actor=actor)
    return go(
        f"/{workspace.slug}/prompts/{name}",
        "The column is your draft now: its text, its model and its settings. Read it, then save.",
    )


async def _open(
    db: AsyncSession, workspace: WorkspaceRef, actor: Actor, grid_id: int, run_id: int
) -> tuple[Grid, Run]:
    found = await grid.get(db, workspace.id, grid_id)
    if await votes.names_hidden(db, found, actor):
        raise Invalid(HIDDEN)
    return found, await opinions.get(db, found, run_id)


async def _opinion(db: AsyncSession, found: Grid, run: Run, data: Form, actor: Actor) -> str:
    if data.get("do") == "expect":
        kept = await opinions.expect(db, found, run, actor=actor)
        return f"This is what is expected of “{kept.name}” from now on."
    opinions.rate(run, data.get("rating", ""), data.get("remark", ""), actor=actor)
    return "Kept."


async def _answer(
    request: Ask, db: AsyncSession, found: Grid, run: Run, typed: Form | None = None,
    refused: HubError | None = None,
) -> Template:  # fmt: skip
    workspace, actor = request.state.workspace, request.state.actor
    row, column = found.rows[run.row], found.columns[run.column]
    typed = {"rating": str(run.rating or ""), "remark": run.remark} | dict(typed or {})
    here = f"/{workspace.slug}/grid/{found.id}"
    return page(
        request, "playground/answer.html", section="playground",
        status=refused.status if refused else 200, error=refused.sentence if refused else "",
        grid=found, run=run, here=here, title=title_of(found, options_of(found.options).title),
        column=f"{column['title']} · {column['model']}", example=row["name"],
        given=[(name, show(value)) for name, value in row["variables"].items()],
        expected=row.get("expected"), typed=typed, may_run=may_run(actor, workspace),
        expectable=await opinions.expectable(db, found),
    )  # fmt: skip


def _what(data: Form, order: list[int] | None) -> list[int | None]:
    """Row, column, sample of `cell`, or `column` alone, as the page counts; None: every one."""
    named = data.get("cell", "").split("-") if data.get("cell") else ["", data.get("column", "")]
    what = [int(text) if text.isdecimal() and len(text) < 5 else None for text in named[:3]]
    what += [None] * (3 - len(what))
    if order is not None and what[1] is not None and what[1] < len(order):
        what[1] = order[what[1]]
    return what


def _part(data: Form) -> Part | None:
    """What is asked again; None: all of it."""
    named = data.get("cell") or data.get("column") or data.get("failed")
    if not named:
        return None
    row, column, _ = _what(data, None)
    if data.get("failed"):
        return Part(failed=True)
    if data.get("cell"):
        return Part(row=_or_none(row), column=_or_none(column), failed=True)
    return Part(column=_or_none(column))


def _or_none(at: int | None) -> int:
    """What is no number is a place that is not there."""
    return 10_000 if at is None else at


def _choice(found: Grid, actor: Actor, text: str) -> int:
    """A column as it is shown to this person, a tie, or none."""
    if text in (str(votes.TIE), str(votes.NONE)):
        return int(text)
    at = _row(text)
    if at >= len(found.columns):
        raise Invalid("There is no such answer here.")
    return votes.order(found, actor.account_id)[at]


def _row(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 5 else 10_000


ROUTES = [stop, again, vote, answer_page, rate, adopt]

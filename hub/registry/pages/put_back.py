"""Taking a release back: of one prompt, or all that moved in one step."""

from __future__ import annotations

from typing import Any

from litestar import post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect, Template

from hub.db import Database
from hub.people.policy import Actor, Need, WorkspaceRef
from hub.registry.labels import released
from hub.registry.pages import several
from hub.registry.pages.common import named, prompt_path
from hub.registry.review.live_callers import BreaksPrograms
from hub.web import Ask, go


@post("/{slug:str}/put-back/{commit:str}/{name:path}", needs=Need.RELEASE, name="put-back",
      status_code=200)  # fmt: skip
async def put_back(
    request: Ask,
    commit: FromPath[str],
    name: FromPath[str],
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
) -> Template | Redirect:
    """Take back what a release did to one prompt, as long as nothing newer went live."""
    publisher = request.app.state.publisher
    try:
        made = await released.take_back(publisher, workspace, commit, actor=actor, name=named(name))
    except BreaksPrograms as refused:
        return await _insist(request, workspace, commit, named(name), refused)
    said = [
        f"{one.label} is at version {one.new} again." if one.new else f"{one.label} was taken off."
        for one in made
    ]
    return go(prompt_path(request, workspace, named(name)), " ".join(said))


@post("/{slug:str}/put-back/{commit:str}", needs=Need.RELEASE, name="put-back:all",
      status_code=200)  # fmt: skip
async def put_all_back(
    request: Ask,
    commit: FromPath[str],
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
) -> Template | Redirect:
    """Take a whole release back in one step, as long as nothing newer went live."""
    try:
        made = await released.take_back(request.app.state.publisher, workspace, commit, actor=actor)
    except BreaksPrograms as refused:
        return await _insist(request, workspace, commit, "", refused)
    done = next((one.commit for one in made if one.commit), commit)
    return go(f"/{workspace.slug}/released/{done}", "All of it is back where it was.")


async def _insist(
    request: Ask, workspace: WorkspaceRef, commit: str, name: str, refused: BreaksPrograms
) -> Template:
    """What it would do to running programs, with a field for a reason to do it all the same."""
    database: Database = request.app.state.database
    async with database.read() as db:
        moves, reason = await released.way_back(db, workspace.id, commit, name)
        typed = several.TYPED | {"reason": reason}
        return await several.look(
            request, db, workspace, moves, typed, error=refused.sentence, status=refused.status,
            may_insist=True,
        )  # fmt: skip


ROUTES: list[Any] = [put_back, put_all_back]

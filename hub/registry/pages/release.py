"""Labels of one prompt: the release sheet, now or at a time to come, and every move there was."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.errors import HubError, Invalid
from hub.people import rules, rules_store
from hub.people.policy import Actor, Need, WorkspaceRef
from hub.registry.git.deploy_file import ALL
from hub.registry.indexing.ledger import Steps, steps_of
from hub.registry.labels import labels, released, releasing, scheduled
from hub.registry.labels.labels import Move
from hub.registry.pages.common import Heading, heading, named, prompt_page, prompt_path
from hub.registry.pages.glass import may_break, may_insist
from hub.registry.pages.moments import check_now, moment_of
from hub.registry.pages.moments import said as said_moment
from hub.registry.pages.offers import offer_instead
from hub.registry.pages.sheets import Sheet, sheet_page
from hub.registry.prompt.form import whole
from hub.registry.prompt.names import check_label
from hub.registry.review.proposals import Wanted
from hub.web import Ask, Form, go

LIVE = "production"
NO_WHY = "Say why, in a sentence that you would want to read in a year."
EMPTY = dict.fromkeys(
    ("reason", "new_name", "due", "offset", "broke_glass", "despite", "share"), ""
)


@get("/{slug:str}/release/{label:str}/{name:path}", needs=Need.RELEASE, name="release")
async def release_sheet(
    request: Ask,
    label: FromPath[str],
    name: FromPath[str],
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
    version: FromQuery[int | None] = None,
    back: FromQuery[int] = 0,
) -> Template:
    """What moves, what it replaces, and the difference in words."""
    about = await heading(db, workspace, actor, named(name))
    typed = EMPTY | {"reason": f"Roll back to version {version}: " if back else ""}
    return await _release(request, db, workspace, about, label, version or about.head, typed=typed)


async def _release(
    request: Ask, db: AsyncSession, workspace: WorkspaceRef, about: Heading, label: str,
    version: int, **context: Any,
) -> Template:  # fmt: skip
    check_label(label)
    (looked,) = await releasing.look(db, workspace.id, [Move(label, about.name, version)])
    reviewed = looked.moves and await _reviewed(db, workspace, about, label)
    sheet = Sheet(
        kind="release",
        title=f"Put {about.title or about.name} live" if label == LIVE else f"Move {label}",
        button=f"Put v{version} into {label}" if looked.moves else "",
        action=f"/{workspace.slug}/release/{label}/{about.name}",
        back=f"/{workspace.slug}/prompts/{about.name}",
        danger=label == LIVE,
        propose="Propose it instead" if reviewed else "",
    )
    coming = [line for line in about.coming if any(one.label == label for one in line.moves)]
    more: dict[str, Any] = {"may_break": False, "may_insist": False} | context
    return sheet_page(
        request, sheet, about=about, label=label, looked=looked, coming_here=coming, **more
    )


async def _reviewed(db: AsyncSession, workspace: WorkspaceRef, about: Heading, label: str) -> bool:
    policy = (await rules_store.read(db, workspace.id)).policy
    rule = rules.rule_for(policy, "release", about.name, label)
    return rule is not None and rule.approvals > 0


@post("/{slug:str}/release/{label:str}/{name:path}", needs=Need.RELEASE, name="release:post")
async def release(
    request: Ask,
    label: FromPath[str],
    name: FromPath[str],
    data: Form,
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    database: NamedDependency[Database],
) -> Template | Redirect:
    """Move the label, now or later, if it still is where the sheet said; undo puts it back."""
    typed = EMPTY | {key: data.get(key, "").strip() for key in EMPTY}
    version = expected = None
    try:
        version, expected = _number(data.get("version")), _number(data.get("expected"))
        if not typed["reason"]:
            raise Invalid(NO_WHY)
        move = Move(label, named(name), version, expected, share_of(typed["share"]))
        if data.get("action") == "propose":
            if move.share != ALL:
                raise Invalid("What is proposed goes to everybody. Choose everybody to propose it.")
            return await _propose(request, move, typed["reason"])
        if data.get("when") == "later":
            return await _later(database, workspace, actor, move, typed)
        check_now(typed["due"])
        return await _now(request, workspace, actor, move, typed)
    except HubError as refused:
        async with database.read() as db:
            about = await heading(db, workspace, actor, named(name))
            return await _release(
                request, db, workspace, about, label, version or about.head, typed=typed,
                error=refused.sentence, status=refused.status,
                may_break=may_break(actor, workspace, refused), may_insist=may_insist(refused),
            )  # fmt: skip


async def _propose(request: Ask, move: Move, why: str) -> Redirect:
    wish = Wanted(kind="release", name=move.name, version=move.version)
    title = f"Put version {move.version} of {move.name} into {move.label}"
    return await offer_instead(request, wish, title, why, target=move.label)


async def _now(
    request: Ask, workspace: WorkspaceRef, actor: Actor, move: Move, typed: dict[str, str]
) -> Redirect:
    (made,) = await labels.move_many(
        request.app.state.publisher, workspace, [move], actor=actor, reason=typed["reason"],
        broke_glass=typed["broke_glass"], despite=typed["despite"],
    )  # fmt: skip
    said = f"Version {made.new} is in {made.label} now"
    said += f", instead of {made.old}." if made.old and made.old != made.new else "."
    if move.share != ALL:
        said = f"Version {move.version} goes to {move.share // 100} % in {made.label} now."
    return go(
        prompt_path(request, workspace, move.name),
        said,
        undo=f"/{workspace.slug}/put-back/{made.commit}/{move.name}" if made.commit else None,
    )


async def _later(
    database: Database, workspace: WorkspaceRef, actor: Actor, move: Move, typed: dict[str, str]
) -> Redirect:
    due = moment_of(typed["due"], typed["offset"])
    await scheduled.schedule(database, workspace, [move], due, actor=actor, reason=typed["reason"])
    when = said_moment(due, typed["offset"])
    some = f" to {move.share // 100} %" if move.share != ALL else ""
    return go(
        f"/{workspace.slug}/prompts/{move.name}",
        f"Version {move.version} goes into {move.label}{some} on {when}.",
    )


def share_of(text: str) -> int:
    """Percent as the sheet has it; nothing: everybody."""
    if not text:
        return ALL
    if (percent := whole(text)) is None or not 1 <= percent <= 100:
        raise Invalid("Choose how many get it: 1 to 100 percent.")
    return percent * 100


def _number(text: str | None) -> int | None:
    if not text:
        return None
    if (number := whole(text)) is None:
        raise Invalid("Choose a version by its number.")
    return number


class Stretch(msgspec.Struct, frozen=True):
    """One move of a label, and until when it stood."""

    move: labels.LabelMove
    until: datetime | None
    together: int
    """Moves that were made in the same step."""

    @property
    def steps(self) -> Steps | None:
        """Who got which version, if not all got the same."""
        return steps_of(self.move.beside, self.move.new)


@get("/{slug:str}/labels/{label:str}/{name:path}", needs=Need.READ, name="labels")
async def labels_page(
    request: Ask,
    label: FromPath[str],
    name: FromPath[str],
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
    at: FromQuery[str] = "",
    offset: FromQuery[str] = "",
) -> Template:
    """Every move of one label, and what was live at a moment."""
    about = await heading(db, workspace, actor, named(name))
    moves = await labels.history(db, workspace.id, label, about.id)
    counts = await released.together(db, workspace.id, [move.commit for move in moves])
    ends: list[datetime | None] = [None, *(move.at for move in moves)]
    stretches = [
        Stretch(move, until, counts.get(move.commit, 1))
        for move, until in zip(moves, ends, strict=False)
    ]
    said, error = await _at(db, workspace, about, label, at, offset) if at else ("", None)
    return prompt_page(
        request, "registry/labels.html", about, label, label=label, stretches=stretches,
        at_typed=at, at_said=said, at_error=error, current=moves[0].new if moves else None,
        last=await released.last_release(db, workspace.id, label, about.id),
    )  # fmt: skip


async def _at(
    db: AsyncSession, workspace: WorkspaceRef, about: Heading, label: str, at: str, offset: str
) -> tuple[str, str | None]:
    """What was live then, in a sentence; or what is wrong with the moment."""
    try:
        moment = moment_of(at, offset)
    except Invalid as wrong:
        return "", wrong.sentence
    live = await labels.as_of(db, workspace.id, label, moment, about.name)
    when = f"On {said_moment(moment, offset)}"
    if live:
        return f"{when}, {label} was at version {live[0].version}.", None
    return f"{when}, nothing was live under {label}.", None


ROUTES: list[Any] = [release_sheet, release, labels_page]

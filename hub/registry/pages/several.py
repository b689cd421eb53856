"""Several prompts, or several labels, released in one step: pick, look, go, and take it back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from msgspec import UNSET, UnsetType
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.errors import HubError, Invalid
from hub.people.policy import Actor, Need, WorkspaceRef
from hub.registry.git.deploy_file import ALL
from hub.registry.labels import labels, released, releasing, scheduled
from hub.registry.labels.labels import Move
from hub.registry.labels.releasing import Looked
from hub.registry.pages.common import rights
from hub.registry.pages.glass import may_break, may_insist
from hub.registry.pages.moments import check_now, moment_of, said
from hub.registry.pages.release import LIVE, NO_WHY, share_of
from hub.registry.prompt.form import whole
from hub.registry.prompt.names import check_label
from hub.registry.reading import catalog
from hub.web import Ask, Form, go, page

ONLY = (("differs", "newer than what is live"), ("new", "not live yet"), ("all", "all prompts"))
TYPED = dict.fromkeys(("reason", "due", "offset", "broke_glass", "despite", "back", "share"), "")


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What the page offers to pick from."""

    label: str = LIVE
    folder: str = ""
    tag: str = ""
    only: str = "differs"
    all: str = ""
    """Whether everything is ticked."""


@get("/{slug:str}/release-several", needs=Need.RELEASE, name="several")
async def pick_page(
    request: Ask,
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
    label: FromQuery[str] = LIVE,
    folder: FromQuery[str] = "",
    tag: FromQuery[str] = "",
    only: FromQuery[str] = "differs",
    all: FromQuery[str] = "",
) -> Template:
    """Prompts to tick, each with the version to release; the latest unless another is chosen."""
    shown = Shown(label=label, folder=folder.strip("/"), tag=tag, only=only, all=all)
    return await _pick(request, db, workspace, shown)


async def _pick(
    request: Ask, db: AsyncSession, workspace: WorkspaceRef, shown: Shown, **more: Any
) -> Template:
    check_label(shown.label)
    found, total = await releasing.candidates(
        db, workspace.id, shown.label, folder=shown.folder, tag=shown.tag, only=shown.only
    )
    known = [name for name, _ in await catalog.labels(db, workspace.id)]
    given: dict[str, Any] = {"error": None, "picked": {}} | more
    return page(
        request, "registry/several.html", section="prompts", shown=shown, found=found,
        total=total, labels=list(dict.fromkeys([LIVE, "staging", *known, shown.label])),
        folders=[one.path for one in await catalog.folders(db, workspace.id)],
        tags=[name for name, _ in await catalog.tags(db, workspace.id)], only=ONLY,
        **given,
    )  # fmt: skip


@post("/{slug:str}/release-several/look", needs=Need.RELEASE, name="several:look", status_code=200)
async def look_page(
    request: Ask,
    data: Form,
    workspace: NamedDependency[WorkspaceRef],
    database: NamedDependency[Database],
) -> Template:
    """What was ticked, with what each replaces; nothing moves yet."""
    async with database.read() as db:
        try:
            return await look(request, db, workspace, chosen(data), typed_in(data))
        except HubError as refused:
            given = {key: data[key] for key in ("label", "folder", "tag", "only") if key in data}
            more: dict[str, Any] = {
                "error": refused.sentence,
                "picked": data,
                "status": refused.status,
            }
            return await _pick(request, db, workspace, Shown(**given), **more)


def chosen(data: Mapping[str, str]) -> list[Move]:
    """The moves that a form's ticks and numbers mean; `expected` only where the page knew it.

    Raises:
        Invalid: nothing is ticked, or a version is not a number.
    """
    to = [key.removeprefix("to.") for key in data if key.startswith("to.")]
    names = [key.removeprefix("pick.") for key in data if key.startswith("pick.")]
    if not names:
        raise Invalid("Tick at least one prompt.")
    if not to:
        raise Invalid("Choose at least one label to move.")
    return [_move(data, label, name) for name in names for label in to]


def _move(data: Mapping[str, str], label: str, name: str) -> Move:
    """What is where it shall be already stays with everybody, whatever share the others begin."""
    version, expected = _version(data.get(f"version.{name}")), _expected(data, label, name)
    there = version == expected and f"step.{label}.{name}" not in data
    return Move(label, name, version, expected, ALL if there else share_of(data.get("share", "")))


def _version(text: str | None) -> int | None:
    """Nothing: the label comes off."""
    number = whole(text) if text else None
    if text and not number:
        raise Invalid("Choose versions by their numbers.")
    return number


def _expected(data: Mapping[str, str], label: str, name: str) -> int | UnsetType | None:
    key = f"expected.{label}.{name}"
    return _version(data[key]) if key in data else UNSET


def typed_in(data: Mapping[str, str]) -> dict[str, str]:
    return TYPED | {key: data.get(key, "").strip() for key in TYPED}


async def look(
    request: Ask, db: AsyncSession, workspace: WorkspaceRef, moves: Sequence[Move],
    typed: dict[str, str], **more: Any,
) -> Template:  # fmt: skip
    looked = await releasing.look(db, workspace.id, moves)
    to = list(dict.fromkeys(move.label for move in moves))
    going = [one for one in looked if one.moves]
    given: dict[str, Any] = {"error": None, "may_break": False} | more
    some = bool(going) and all(
        one.version and target.live for one in going for target in one.targets
    )
    return page(
        request, "registry/several_look.html", section="prompts", looked=looked, to=to,
        typed=typed, said=_deed(going, to), danger=LIVE in to, going=len(going),
        some=some and bool(going),
        **given,
    )  # fmt: skip


def _deed(looked: Sequence[Looked], to: Sequence[str]) -> str:
    """What the button says: `Put intake v8 and triage v4 into production`."""
    where = _and(to)
    on, off = [x for x in looked if x.version], [x for x in looked if not x.version]
    if on and off:
        return f"Change {len(looked)} prompts in {where}"
    if len(looked) > 3:
        return f"{'Put' if on else 'Take'} {len(looked)} prompts {'into' if on else 'off'} {where}"
    names = [x.name.rpartition("/")[2] + (f" v{x.version}" if x.version else "") for x in looked]
    return f"{'Put' if on else 'Take'} {_and(names)} {'into' if on else 'off'} {where}"


def _and(words: Sequence[str]) -> str:
    return " and ".join([*[", ".join(words[:-1])], words[-1]] if len(words) > 1 else words)


@post("/{slug:str}/release-several", needs=Need.RELEASE, name="several:post", status_code=200)
async def release(
    request: Ask,
    data: Form,
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    database: NamedDependency[Database],
) -> Template | Redirect:
    """Move all of them in one step, now or later, if each still is where the page said."""
    typed = typed_in(data)
    moves = chosen({**data, "share": ""})
    try:
        moves = chosen(data)
        if not typed["reason"]:
            raise Invalid(NO_WHY)
        if data.get("when") == "later":
            return await _later(database, workspace, actor, moves, typed)
        check_now(typed["due"])
        made = await labels.move_many(
            request.app.state.publisher, workspace, moves, actor=actor, reason=typed["reason"],
            broke_glass=typed["broke_glass"], despite=typed["despite"],
        )  # fmt: skip
    except HubError as refused:
        async with database.read() as db:
            return await look(
                request, db, workspace, moves, typed, error=refused.sentence,
                status=refused.status, may_break=may_break(actor, workspace, refused),
                may_insist=may_insist(refused),
            )  # fmt: skip
    if not (commit := next((one.commit for one in made if one.commit), "")):
        return go(f"/{workspace.slug}/prompts", "All of it was there already; nothing moved.")
    return go(f"/{workspace.slug}/released/{commit}")


async def _later(
    database: Database, workspace: WorkspaceRef, actor: Actor, moves: Sequence[Move],
    typed: dict[str, str],
) -> Redirect:  # fmt: skip
    due = moment_of(typed["due"], typed["offset"])
    await scheduled.schedule(database, workspace, moves, due, actor=actor, reason=typed["reason"])
    when = said(due, typed["offset"])
    waits = "1 release waits" if len(moves) == 1 else f"{len(moves)} releases wait"
    return go(f"/{workspace.slug}/scheduled", f"{waits} for {when}.")


@get("/{slug:str}/released/{commit:str}", needs=Need.READ, name="released")
async def released_page(
    request: Ask,
    commit: FromPath[str],
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
) -> Template:
    """What one release did, whether it still stands, and one button that takes it all back."""
    made = await released.made(db, workspace.id, commit)
    return page(
        request, "registry/released.html", section="prompts", made=made, first=made[0].move,
        commit=commit, to=sorted({one.move.label for one in made}),
        stands=all(one.stands for one in made), **rights(actor, workspace),
    )  # fmt: skip


ROUTES: list[Any] = [pick_page, look_page, release, released_page]

"""Find the one I mean: folders, filters, search as you type; and make a new one."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from hub.errors import Conflict, HubError
from hub.people.policy import Actor, Need, WorkspaceRef
from hub.registry import drafts, versions
from hub.registry.pages.common import rights
from hub.registry.pages.offers import offer_instead
from hub.registry.prompt.document import Document, Message
from hub.registry.prompt.guess import guess_template
from hub.registry.prompt.names import InvalidName
from hub.registry.reading import catalog, listing
from hub.registry.review.proposals import NeedsReview, Wanted
from hub.registry.writing.publish import Publisher
from hub.web import Ask, Form, go, is_part, page


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """What the list shows, as in the page's address."""

    q: str = ""
    folder: str = ""
    tag: str = ""
    label: str = ""
    has: str = ""
    differs: str = ""

    @property
    def any(self) -> bool:
        return any(msgspec.structs.astuple(self))

    @property
    def hidden(self) -> list[tuple[str, str]]:
        """What a search keeps of the other filters."""
        return [(key, value) for key, value in self._given() if key != "q"]

    @property
    def sentence(self) -> str:
        """For the empty result: `“chest” in its name or text, and lies in clinical`."""
        said = [
            f"“{self.q}” in its name or text" if self.q else "",
            f"a place in the folder {self.folder}" if self.folder else "",
            f"the tag {self.tag}" if self.tag else "",
            f"the label {self.label}" if self.label else "",
            "a draft of yours" if self.has else "",
            "a newer version than the one that is live" if self.differs else "",
        ]
        return " and ".join(one for one in said if one)

    def url(self, workspace: WorkspaceRef, **change: str) -> str:
        """The list's address with some filters changed."""
        pairs = dict(self._given()) | change
        query = urlencode({key: value for key, value in pairs.items() if value})
        return f"/{workspace.slug}/prompts" + (f"?{query}" if query else "")

    def _given(self) -> list[tuple[str, str]]:
        return [(key, value) for key, value in msgspec.structs.asdict(self).items() if value]


@get("/{slug:str}/prompts", needs=Need.READ, name="prompts")
async def list_page(
    request: Ask,
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
    q: FromQuery[str] = "",
    folder: FromQuery[str] = "",
    tag: FromQuery[str] = "",
    label: FromQuery[str] = "",
    has: FromQuery[str] = "",
    differs: FromQuery[str] = "",
    cursor: FromQuery[str] = "",
) -> Template:
    """The list; for HTMX only its rows."""
    shown = Filter(q=q.strip(), folder=folder, tag=tag, label=label, has=has, differs=differs)
    found = await listing.find(
        db,
        workspace.id,
        q=shown.q,
        folder=folder or None,
        tag=tag or None,
        label=label or None,
        has_draft_of=actor.account_id if has else None,
        differs=bool(differs),
        cursor=cursor or None,
    )
    context: dict[str, Any] = {
        "listing": found,
        "filter": shown,
        "drafts": await drafts.names(db, workspace.id, actor.account_id),
        "more_url": shown.url(workspace, cursor=found.next or ""),
    }
    if is_part(request):
        part = "registry/_more_rows.html" if cursor else "registry/_rows.html"
        return page(request, part, **context)
    context |= await _around(db, workspace, shown)
    return page(
        request, "registry/list.html", section="prompts", **context, **rights(actor, workspace)
    )


async def _around(db: AsyncSession, workspace: WorkspaceRef, shown: Filter) -> dict[str, Any]:
    """Folders and filter chips beside the rows."""
    total = await catalog.count(db, workspace.id)
    folders = await catalog.folders(db, workspace.id)
    top = sum(one.depth == 0 for one in folders)
    tree: list[dict[str, Any]] = [
        {
            "text": "All",
            "count": total,
            "depth": 0,
            "url": shown.url(workspace, folder=""),
            "here": not shown.folder,
        }
    ]
    tree += [
        {
            "text": one.name,
            "count": one.count,
            "depth": min(one.depth, 3),
            "url": shown.url(workspace, folder=one.path),
            "here": shown.folder == one.path,
        }
        for one in folders
    ]
    return {
        "folders": tree,
        "chips": await _chips(db, workspace, shown),
        "total_prompts": total,
        "counts": _plural(total, "prompt") + (f" in {_plural(top, 'folder')}" if top else ""),
        "crumbs": [(part, None) for part in shown.folder.split("/") if part],
    }


async def _chips(db: AsyncSession, workspace: WorkspaceRef, shown: Filter) -> list[dict[str, Any]]:
    """Filters as chips: press to narrow, press again to widen."""

    def chip(text: str, key: str, value: str, title: str) -> dict[str, Any]:
        on = getattr(shown, key) == value
        url = shown.url(workspace, **{key: "" if on else value})
        return {"text": text, "on": on, "url": url, "title": title}

    made = [
        chip("has my draft", "has", "draft", "Prompts you are writing on"),
        chip("differs from live", "differs", "1", "The latest version is not the live one"),
    ]
    for name, number in (await catalog.labels(db, workspace.id))[:6]:
        made.append(chip(name, "label", name, f"{_plural(number, 'prompt')} with this label"))
    for name, number in (await catalog.tags(db, workspace.id))[:12]:
        made.append(chip(f"#{name}", "tag", name, f"{_plural(number, 'prompt')} with this tag"))
    return made


def _plural(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


EMPTY = {"name": "", "title": "", "text": "", "message": ""}


@get("/{slug:str}/new", needs=Need.SAVE, name="new")
async def new_page(request: Ask, folder: FromQuery[str] = "") -> Template:
    typed = EMPTY | {"name": f"{folder.strip('/')}/" if folder else ""}
    return page(
        request, "registry/new.html", section="prompts", typed=typed, errors=NO_ERRORS,
        reviewed=False,
    )  # fmt: skip


NO_ERRORS = {"name": None, "text": None}


@post("/{slug:str}/new", needs=Need.SAVE, name="new:post", status_code=200)
async def new(
    request: Ask,
    data: Form,
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
) -> Template | Redirect:
    """Make version 1; what was typed stays on the page when it cannot be saved."""
    typed = EMPTY | {key: data.get(key, "").replace("\r\n", "\n") for key in EMPTY}
    publisher: Publisher = request.app.state.publisher
    name = typed["name"].strip().strip("/")
    try:
        first = _first(typed)
        if data.get("action") == "propose":
            wish = Wanted(kind="create", name=name, document=first)
            title = f"A new prompt: {first.title or name}"
            return await offer_instead(request, wish, title, typed["message"])
        saved = await versions.save(
            publisher, workspace, name, first, base=None, actor=actor,
            message=typed["message"] or f"First version of {name}",
        )  # fmt: skip
    except HubError as refused:
        at_name = isinstance(refused, (InvalidName, Conflict, NeedsReview))
        where = "name" if at_name else "text"
        errors = NO_ERRORS | {where: refused.sentence}
        return page(
            request, "registry/new.html", section="prompts", status=refused.status, typed=typed,
            errors=errors, reviewed=isinstance(refused, NeedsReview),
        )  # fmt: skip
    said = f"Made {saved.name}, version 1."
    if first.template == "plain":
        said += " Some braces in it are not ours, so all are kept as plain text; see Settings."
    return go(f"/{workspace.slug}/prompts/{saved.name}", said)


def _first(typed: dict[str, str]) -> Document:
    """The text as one message; pasted text with braces that are not ours is kept as it is."""
    kind, _ = guess_template([typed["text"]])
    return Document(
        title=typed["title"].strip(),
        template=kind,
        messages=(Message(role="system", content=typed["text"]),),
    )


ROUTES = [list_page, new_page, new]

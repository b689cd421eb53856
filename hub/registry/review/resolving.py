"""A proposal whose words somebody else changed meanwhile: the places, and the next revision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from hub.registry.prompt.clashes import Choice, Clash
from hub.registry.prompt.document import Document
from hub.registry.prompt.merge import merge
from hub.registry.reading import catalog
from hub.registry.reading.record import VersionView
from hub.registry.review.offering import wanted_of
from hub.registry.review.proposals import Wanted
from hub.registry.review.views import ItemView, View

Choices = Mapping[str, Mapping[str, Choice]]
"""By prompt id, then by place."""


class Apart(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt that was changed since it was proposed to be; its clashes may be none."""

    item: ItemView
    theirs: VersionView
    clashes: tuple[Clash, ...]
    merged: Document


async def apart(db: AsyncSession, view: View, choices: Choices | None = None) -> list[Apart]:
    """Every prompt that others changed, with what is still undecided.

    Raises:
        NotFound: one of them was deleted.
    """
    found: list[Apart] = []
    for item in view.items:
        if item.kind != "change" or item.new is None:
            continue
        about = await catalog.get_by_id(db, view.workspace_id, item.prompt_id)
        theirs = await catalog.version(db, view.workspace_id, about.name)
        if theirs.hash == item.base_hash:
            continue
        base = item.old or Document(template=item.new.template)
        decided = (choices or {}).get(item.prompt_id)
        merged = merge(base, item.new, theirs.document, decided)
        found.append(
            Apart(item=item, theirs=theirs, clashes=merged.clashes, merged=merged.document)
        )
    return found


def wanted(view: View, found: Sequence[Apart]) -> list[Wanted]:
    """The proposal again, upon what is there now."""
    news = {one.item.prompt_id: one for one in found}
    made: list[Wanted] = []
    for item in view.items:
        if one := news.get(item.prompt_id):
            made.append(
                Wanted(
                    kind="change", name=one.theirs.name, document=one.merged,
                    base=one.theirs.hash,
                )
            )  # fmt: skip
        else:
            made.append(wanted_of(item))
    return made


def said(found: Sequence[Apart]) -> str:
    """Why there is a new revision: `Brought together with version 9 by Ben Carter`."""
    names = [f"version {one.theirs.number} by {one.theirs.author}" for one in found]
    return f"Brought together with {', '.join(names)}"

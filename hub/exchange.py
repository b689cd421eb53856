"""`prompthub import` and `export`: prompts of other programs, in and out, with a report."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from hub.db import now
from hub.errors import Invalid
from hub.operating import find_workspace
from hub.parts import Parts
from hub.people.accounts import OPERATOR
from hub.people.policy import WorkspaceRef
from hub.registry import versions
from hub.registry.prompt import names
from hub.registry.review import checks, proposals
from hub.registry.review.guard import NeedsReview
from hub.sync.export import Exported, export
from hub.sync.formats import known
from hub.sync.formats.files import Imported, read_folder
from hub.sync.importing import kept, upload
from hub.sync.importing.models import Import

EXPORTS = f"One of {', '.join(known.FORMATS)}."


@dataclass(frozen=True)
class Report:
    """A line per file, then the sum; and how many prompts were read."""

    lines: list[str]
    read: int


async def import_folder(
    parts: Parts, slug: str, path: Path, *, folder: str, message: str, propose: bool, look: bool
) -> Report:
    """Import every prompt file below `path`: as one commit, or as a proposal where rules ask for
    a review or `propose` does; `look`: only say what it would do."""
    workspace = await find_workspace(parts, slug)
    folder = folder.strip("/")
    found = await asyncio.to_thread(read_folder, path)
    good = [one for one in found if one.document is not None]
    for one in good:
        names.check_name(kept.below(folder, one.name))
    rows = await _rows(parts, workspace, folder, good)
    landing = [row for row in rows if row.takes]
    lines = [line for one in found for line in _said(one, folder)]
    lines += [*filter(None, [kept.unfilled(rows)]), _sum(rows, len(found) - len(good))]
    why = message or f"Import {len(landing)} prompts from {path.name}"
    if look:
        lines.append("Nothing was changed.")
    elif landing:
        lines += await _land(parts, workspace, landing, why, propose=propose)
    return Report(lines, len(good))


async def export_folder(
    parts: Parts, slug: str, *, format_: str, folder: str, label: str, out: Path
) -> Exported:
    """Write the prompts below `folder` as files of another program."""
    workspace = await find_workspace(parts, slug)
    return await export(parts.database, workspace, format_, folder, out, label)


async def _rows(
    parts: Parts, workspace: WorkspaceRef, folder: str, good: Sequence[Imported]
) -> list[kept.Row]:
    """What each would do here; as the page sees it."""
    found = await asyncio.to_thread(lambda: [upload.as_found(one) for one in good])
    seen = Import(
        workspace_id=workspace.id, account_id=0, folder=folder, created_at=now(),
        found=[msgspec.to_builtins(one) for one in found],
    )  # fmt: skip
    async with parts.database.read() as db:
        rows = await kept.rows_of(db, workspace, seen)
    taken: set[str] = set()
    for row in rows:
        if row.name in taken:
            raise Invalid(f"Two of these prompts would be called {row.name}. Rename one of them.")
        taken.add(row.name)
    return rows


async def _land(
    parts: Parts, workspace: WorkspaceRef, rows: Sequence[kept.Row], why: str, *, propose: bool
) -> list[str]:
    if not propose:
        documents = [(row.name, row.document) for row in rows if row.document is not None]
        bases = {row.name: row.base for row in rows}
        try:
            await versions.save_many(
                parts.publisher, workspace, documents, actor=OPERATOR, message=why, bases=bases
            )
        except NeedsReview as asked:
            said = f"This needs a review, so it was proposed, not saved. {asked.sentence}"
            return [said, *await _propose(parts, workspace, rows, why)]
        return []
    return await _propose(parts, workspace, rows, why)


async def _propose(
    parts: Parts, workspace: WorkspaceRef, rows: Sequence[kept.Row], title: str
) -> list[str]:
    """One proposal, or several where it would be too long to read."""
    said: list[str] = []
    several = -(-len(rows) // kept.MOST_ITEMS)
    for at in range(several):
        some = rows[at * kept.MOST_ITEMS : (at + 1) * kept.MOST_ITEMS]
        made = await proposals.propose(
            parts.publisher, parts.database, workspace, actor=OPERATOR, why="",
            title=title if several == 1 else f"{title} ({at + 1} of {several})",
            items=[row.wanted for row in some],
        )  # fmt: skip
        await checks.refresh(parts.database, workspace, made.number)
        where = f"{parts.settings.url}/{workspace.slug}/proposals/{made.number}"
        said.append(f"Proposal {made.number} is up for review: {where}")
    return said


def _said(one: Imported, folder: str) -> list[str]:
    if one.document is None:
        return [f"left out  {one.source_path}: {' '.join(one.notes)}"]
    notes = f": {' '.join(one.notes)}" if one.notes else ""
    return [f"{one.document.template:<9} {one.source_path} → {kept.below(folder, one.name)}{notes}"]


def _sum(rows: Sequence[kept.Row], left_out: int) -> str:
    new = sum(row.takes for row in rows)
    refused = f", {left_out} left out" if left_out else ""
    return (
        f"{len(rows)} prompts read, {new} new or changed, {len(rows) - new} as they were{refused}."
    )

"""Prompts as files of another program, with a report of what those lack.

The command, the pages and REST all lead to `written`, so they give the same bytes and say the same.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.errors import Invalid
from hub.people.policy import WorkspaceRef
from hub.registry.prompt import names
from hub.registry.reading import catalog
from hub.registry.reading.listing import MOST
from hub.registry.reading.record import LATEST, VersionView
from hub.sync.formats import known
from hub.sync.formats.inline import in_place
from hub.sync.formats.report import Notes, Refused

STAYS = "Ids, labels and earlier versions stay in the hub."
AT_ONCE = 300
"""Prompts that one request may write: each takes milliseconds."""
_ARRAYS = ("langfuse", "mlflow")
_KNOW_SNIPPETS = ("prompt.yml", "csv")
_MEDIA = {
    ".json": "application/json", ".yaml": "application/yaml", ".yml": "application/yaml",
    ".md": "text/markdown", ".csv": "text/csv",
}  # fmt: skip


@dataclass(frozen=True)
class Written:
    """One prompt in a format: its files by path, and what they lack."""

    name: str
    files: dict[str, bytes]
    notes: Notes
    refused: str = ""
    """Why it cannot be written in that format; there are no files then."""


@dataclass(frozen=True)
class Download:
    """One file for a browser."""

    name: str
    media_type: str
    data: bytes


@dataclass(frozen=True)
class Exported:
    """A line per prompt that needs one, then the sum; and how many were written."""

    lines: list[str]
    written: int


def format_of(name: str) -> known.Format:
    """The format of that name.

    Raises:
        Invalid: there is none; the sentence says which there are.
    """
    if (found := known.FORMATS.get(name)) is None:
        asked = name.encode("ascii", "backslashreplace").decode()[:60]
        raise Invalid(f"There is no format {asked}. There are: {', '.join(known.FORMATS)}.")
    return found


def written(format_: known.Format, views: Sequence[VersionView]) -> list[Written]:
    """Each version's files in that format. Takes milliseconds for each: not for an event loop."""
    taken: set[str] = set()
    made: list[Written] = []
    for view in views:
        made.append(_one(format_, view, taken))
        taken |= made[-1].files.keys()
    return made


def _one(format_: known.Format, view: VersionView, taken: set[str]) -> Written:
    document, before = view.document, Notes()
    if format_.name not in _KNOW_SNIPPETS:
        document = in_place(document, view.snippets, before)
    try:
        files, notes = known.write(format_, view.name, document)
        if clash := next((path for path in files if path in taken), None):
            raise Refused(f"Another prompt is written to {clash} already.")
    except Refused as refused:
        return Written(view.name, {}, Notes(), str(refused))
    return Written(view.name, files, Notes([*before.found, *notes.found]))


def packed(format_: known.Format, made: Sequence[Written], stem: str) -> Download:
    """The one file that was written, else a zip of all, named after `stem`.

    Raises:
        Invalid: none of them can be written in that format.
    """
    files = {path: data for one in made for path, data in one.files.items()}
    if not files:
        raise Invalid(made[0].refused if len(made) == 1 else _none(format_))
    if len(files) == 1:
        ((path, data),) = files.items()
        media_type = _MEDIA.get(Path(path).suffix, "text/plain")
        return Download(path.rpartition("/")[2], media_type, data)
    return Download(f"{stem}.{format_.name}.zip", "application/zip", _zipped(files))


def _none(format_: known.Format) -> str:
    return f"None of these prompts can be written as {format_.name}. Choose another format."


def _zipped(files: dict[str, bytes]) -> bytes:
    """The same files give the same bytes: the moment is not in it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as pack:
        for path, data in files.items():
            entry = zipfile.ZipInfo(path)
            entry.external_attr = 0o644 << 16
            pack.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return out.getvalue()


@dataclass(frozen=True)
class Chosen:
    """The versions to be written, and a sentence about prompts that have none such, if any."""

    views: list[VersionView]
    beside: str


async def choose(
    db: AsyncSession, workspace: WorkspaceRef, folder: str, label: str = "",
    most: int | None = None,
) -> Chosen:  # fmt: skip
    """What `label` points at of every prompt below `folder` that has it; without one, the latest.
    Of all prompts if the folder is empty.

    Raises:
        Invalid: there are none, or more than `most`; or that is no name of a label.
    """
    below = folder.strip("/") or None
    label = "" if label == LATEST else label
    if label:
        names.check_label(label)
    found = list[VersionView]()
    cursor, total = None, 0
    while True:
        page = await catalog.find(
            db, workspace.id, folder=below, label=label or None, cursor=cursor, limit=MOST
        )
        total = page.total
        _not_above(total, most)
        for item in page.items:
            if item.version:  # one that came in broken has none yet
                found.append(
                    await catalog.version(db, workspace.id, item.name, label=label or None)
                )
        if (cursor := page.next) is None:
            break
    if label:
        total = (await catalog.find(db, workspace.id, folder=below, limit=1)).total
    if not found:
        where = f" below {folder}" if folder else ""
        raise Invalid(
            f"No prompt{where} has the label {label}."
            if label and total
            else f"There are no prompts{where}."
        )
    return Chosen(found, _beside(total - len(found), label))


def _not_above(total: int, most: int | None) -> None:
    if most is not None and total > most:
        raise Invalid(
            f"These are {total:,} prompts; {most} is the most at once. Choose a folder, "
            "or have them written by `prompthub export`."
        )


def _beside(left: int, label: str) -> str:
    """About those that are not among them."""
    if not left:
        return ""
    who = "1 other prompt has" if left == 1 else f"{left} other prompts have"
    return f"{who} no {f'label {label}' if label else 'version that can be used'}."


async def export(
    database: Database, workspace: WorkspaceRef, format_name: str, folder: str, out: Path,
    label: str = "",
) -> Exported:  # fmt: skip
    """Write the latest version of every prompt below `folder`, or what `label` points at; `out`
    must be new or empty.

    Raises:
        Invalid: there is no such format, no such prompts, or something is at `out` already.
    """
    format_ = format_of(format_name)
    together = out.suffix == ".json"
    if together and format_name not in _ARRAYS:
        raise Invalid(f"Only {' and '.join(_ARRAYS)} put all prompts in one file; name a folder.")
    async with database.read() as db:
        chosen = await choose(db, workspace, folder, label)
    told = await asyncio.to_thread(_write, format_, chosen.views, out, together)
    return Exported([*told.lines, *([chosen.beside] if chosen.beside else [])], told.written)


def _write(
    format_: known.Format, views: Sequence[VersionView], out: Path, together: bool
) -> Exported:
    made = written(format_, views)
    good = [one for one in made if not one.refused]
    files = {path: data for one in good for path, data in one.files.items()}
    if together:
        rows = [row for data in files.values() for row in json.loads(data)]
        files = {out.name: f"{json.dumps(rows, ensure_ascii=False, indent=2)}\n".encode()}
    if good:
        _lay_down(files, out.parent if together else out, may_hold=together)
    left = f", {len(made) - len(good)} left out" if len(good) < len(made) else ""
    total = f"{len(good)} prompts written as {format_.name}{left}. {STAYS}"
    return Exported([*map(_line, made), total], len(good))


def _line(one: Written) -> str:
    if one.refused:
        return f"left out  {one.name}: {one.refused}"
    said = " ".join(one.notes.sentences())
    return f"{one.name} → {', '.join(one.files)}{f': {said}' if said else ': whole.'}"


def _lay_down(files: dict[str, bytes], out: Path, *, may_hold: bool) -> None:
    """Write into a new or empty folder; nothing that is there is touched."""
    try:
        if not may_hold and out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise Invalid(f"There is something at {out} already. Name a new or empty folder.")
        for name, data in files.items():
            path = out / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with os.fdopen(
                os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "wb"
            ) as file:
                file.write(data)
    except OSError as error:
        raise Invalid(f"{error.filename or out} could not be written ({error.strerror}).") from None

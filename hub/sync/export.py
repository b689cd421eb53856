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
from hub.registry import catalog
from hub.registry.listing import MOST
from hub.registry.record import VersionView
from hub.sync.formats import known
from hub.sync.formats.inline import in_place
from hub.sync.formats.report import Notes, Refused

STAYS = "Ids, labels and earlier versions stay in the hub."
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


async def newest(
    db: AsyncSession, workspace: WorkspaceRef, folder: str, most: int | None = None
) -> list[VersionView]:
    """The newest version of every prompt below `folder`; of all prompts if it is empty.

    Raises:
        Invalid: there are none, or more than `most`.
    """
    found: list[VersionView] = []
    cursor = None
    below = folder.strip("/") or None
    while True:
        page = await catalog.find(db, workspace.id, folder=below, cursor=cursor, limit=MOST)
        if most is not None and page.total > most:
            raise Invalid(
                f"These are {page.total:,} prompts; {most} is the most at once. Choose a folder, "
                "or have them written by `prompthub export`."
            )
        for item in page.items:
            found.append(await catalog.version(db, workspace.id, item.name))
        cursor = page.next
        if cursor is None:
            break
    if not found:
        raise Invalid(
            f"There are no prompts below {folder}." if folder else "There are no prompts."
        )
    return found


async def export(
    database: Database, workspace: WorkspaceRef, format_name: str, folder: str, out: Path
) -> Exported:
    """Write the newest version of every prompt below `folder`; `out` must be new or empty.

    Raises:
        Invalid: there is no such format, no such prompts, or something is at `out` already.
    """
    format_ = format_of(format_name)
    together = out.suffix == ".json"
    if together and format_name not in _ARRAYS:
        raise Invalid(f"Only {' and '.join(_ARRAYS)} put all prompts in one file; name a folder.")
    async with database.read() as db:
        views = await newest(db, workspace, folder)
    return await asyncio.to_thread(_write, format_, views, out, together)


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

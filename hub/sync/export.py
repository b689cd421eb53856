"""The prompts of a workspace as files of another program, with a report of what those lack."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass
from pathlib import Path

from hub.db import Database
from hub.errors import Invalid
from hub.people.policy import WorkspaceRef
from hub.registry import catalog
from hub.registry.document import Document
from hub.registry.listing import MOST
from hub.registry.snippets import Snippets
from hub.sync.formats import known
from hub.sync.formats.inline import in_place
from hub.sync.formats.report import Notes, Refused

_ARRAYS = ("langfuse", "mlflow")
_KNOW_SNIPPETS = ("prompt.yml", "csv")


@dataclass(frozen=True)
class Exported:
    """A line per prompt that needs one, then the sum; and how many were written."""

    lines: list[str]
    written: int


async def export(
    database: Database, workspace: WorkspaceRef, format_name: str, folder: str, out: Path
) -> Exported:
    """Write the newest version of every prompt below `folder`; `out` must be new or empty.

    Raises:
        Invalid: there is no such format, no such prompts, or something is at `out` already.
    """
    format_ = known.FORMATS.get(format_name)
    if format_ is None:
        raise Invalid(f"There is no format {format_name}. There are: {', '.join(known.FORMATS)}.")
    together = out.suffix == ".json"
    if together and format_name not in _ARRAYS:
        raise Invalid(f"Only {' and '.join(_ARRAYS)} put all prompts in one file; name a folder.")
    documents = await _newest(database, workspace, folder)
    if not documents:
        raise Invalid(
            f"There are no prompts below {folder}." if folder else "There are no prompts."
        )
    return await asyncio.to_thread(_write, format_, documents, out, together)


async def _newest(
    database: Database, workspace: WorkspaceRef, folder: str
) -> list[tuple[str, Document, Snippets]]:
    found: list[tuple[str, Document, Snippets]] = []
    cursor = None
    async with database.read() as db:
        while True:
            page = await catalog.find(
                db, workspace.id, folder=folder.strip("/") or None, cursor=cursor, limit=MOST
            )
            for item in page.items:
                view = await catalog.version(db, workspace.id, item.name)
                found.append((item.name, view.document, view.snippets))
            cursor = page.next
            if cursor is None:
                return found


def _write(
    format_: known.Format,
    documents: list[tuple[str, Document, Snippets]],
    out: Path,
    together: bool,
) -> Exported:
    files: dict[str, bytes] = {}
    lines: list[str] = []
    written = 0
    for name, document, snippets in documents:
        before = Notes()
        if format_.name not in _KNOW_SNIPPETS:
            document = in_place(document, snippets, before)
        try:
            made, notes = known.write(format_, name, document)
            if clash := next((path for path in made if path in files), None):
                raise Refused(f"Another prompt is written to {clash} already.")
        except Refused as refused:
            lines.append(f"left out  {name}: {refused}")
            continue
        files |= made
        written += 1
        said = " ".join([*before.sentences(), *notes.sentences()])
        lines.append(f"{name} → {', '.join(made)}{f': {said}' if said else ': whole.'}")
    if together:
        rows = [row for data in files.values() for row in json.loads(data)]
        files = {out.name: f"{json.dumps(rows, ensure_ascii=False, indent=2)}\n".encode()}
    if written:
        _lay_down(files, out.parent if together else out, may_hold=together)
    lines.append(
        f"{written} prompts written as {format_.name}"
        + (f", {len(documents) - written} left out" if written < len(documents) else "")
        + ". Ids, labels and earlier versions stay in the hub."
    )
    return Exported(lines, written)


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

"""Files as a browser sends them, and texts as people paste them, read as `prompthub import` does.

They are laid down in a folder of their own, by names that are ours to choose, and read from there
by the one reader of folders, so that both doors take and refuse the same.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import msgspec

from hub.errors import Invalid
from hub.registry.prompt.document import serialise
from hub.sync.formats.files import Imported, read_folder

MOST_FILES = 900
"""A form has at most 1,000 parts, and some are not files."""
MOST_PROMPTS = 2000
LARGEST = 8 << 20
"""Bytes of all files together."""
DEEPEST = 12
LONGEST_SEGMENT = 120
ROOT = "imported"
"""The name of the folder, which a prompt of `system.md` alone is called after."""

File = tuple[str, bytes]
"""The path as it was sent, and what is in it."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt that was read, or without `text`, a file that was not."""

    name: str
    source: str
    notes: list[str]
    """What was lost or changed, or why it was left out."""
    text: str | None
    """The prompt as our own file holds it."""


def read(files: Sequence[File]) -> list[Found]:
    """All of them, in the order of their paths. Blocks: run it off the loop.

    Raises:
        Invalid: there is nothing, or too much.
    """
    if not files:
        raise Invalid("Choose or drop at least one file, or paste a text.")
    if len(files) > MOST_FILES:
        raise Invalid(f"These are {len(files):,} files; {MOST_FILES:,} is the most at once.")
    with tempfile.TemporaryDirectory(prefix="prompthub-import-") as folder:
        root = Path(folder) / ROOT
        root.mkdir()
        taken: set[str] = set()
        for path, data in files:
            _lay_down(root, path, data, taken)
        found = read_folder(root)
    if len(found) > MOST_PROMPTS:
        raise Invalid(
            f"These files hold {len(found):,} prompts; {MOST_PROMPTS:,} is the most at once. "
            "The operator can bring in more with `prompthub import`."
        )
    return list(map(as_found, found))


def pasted(text: str, called: str) -> File | None:
    """What was pasted, as a file; its name says what it is, and if it has none, its first sign."""
    if not text.strip():
        return None
    ending = ".json" if text.lstrip()[:1] in "{[" else ".txt"
    return called.strip() or f"pasted{ending}", text.replace("\r\n", "\n").encode()


def as_found(one: Imported) -> Found:
    text = None if one.document is None else serialise(one.document).decode()
    return Found(name=one.name, source=one.source_path, notes=one.notes, text=text)


def _lay_down(root: Path, path: str, data: bytes, taken: set[str]) -> None:
    """Below `root`, whatever the path says; two of one name get a number."""
    parts = [_segment(part) for part in re.split(r"[/\\]", path)]
    parts = [part for part in parts if part][-DEEPEST:] or ["file"]
    name = "/".join(parts)
    number = 1
    while name.casefold() in taken:
        number += 1
        last = PurePosixPath(parts[-1])
        stem, dot, endings = last.name.partition(".")
        name = "/".join([*parts[:-1], f"{stem}-{number}{dot}{endings}"])
    taken.add(name.casefold())
    file = root / name
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(data)
    except (FileExistsError, NotADirectoryError):
        raise Invalid(f"{name} is both a file and a folder. Rename one of them.") from None


def _segment(part: str) -> str:
    """One part of a path that any disk takes, its endings kept; nothing for `..` and its like."""
    plain = "".join(c if c.isprintable() else "_" for c in part).strip()
    plain = plain.encode("utf-8", "replace").decode()
    if plain.strip(".") == "":
        return ""
    while len(plain.encode()) > LONGEST_SEGMENT:
        plain = plain[1:]
    return plain

"""Walks a folder of files in a fixed order, without following links."""

import os
from collections.abc import Iterator
from pathlib import Path

DEEPEST_FOLDER = 32


def files_below(folder: Path, depth: int) -> Iterator[tuple[Path, str]]:
    """Files in order, each with the reason to leave it out, if any."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: os.fsencode(entry.name))
    except OSError as error:
        yield folder, f"The folder could not be read ({error.strerror})."
        return
    for entry in entries:
        file = Path(entry.path)
        if entry.name.startswith("."):
            continue
        if entry.is_symlink():
            yield file, "This is a link, and links are not followed. Copy the file itself here."
        elif entry.is_dir(follow_symlinks=False):
            if depth >= DEEPEST_FOLDER:
                yield file, f"Folders more than {DEEPEST_FOLDER} deep are left out."
            elif _system_file(file) is not None:
                yield from ((one, why) for one, why in files_below(file, depth + 1)
                            if one.name.casefold() != "user.md")  # fmt: skip
            else:
                yield from files_below(file, depth + 1)
        else:
            yield file, ""


def _system_file(folder: Path) -> Path | None:
    try:
        names = [one for one in folder.iterdir() if one.name.casefold() == "system.md"]
    except OSError:
        return None
    return names[0] if names and not names[0].is_symlink() else None

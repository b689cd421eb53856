"""Which files a push may bring to main, and how large they may be."""

from __future__ import annotations

from collections.abc import Sequence

from hub.errors import Invalid
from hub.registry.git.newcomers import Newcomers
from hub.registry.prompt import names
from hub.registry.prompt.yaml_read import LARGEST_FILE

PLAIN = "100644"
FILES = (PLAIN, "100755")
"""The modes of files; what has another, a symbolic link or a submodule, is none."""
NONE = "000000"
"""The mode of what is not there."""
WITHOUT = (NONE, "160000")
"""Modes of what has no content here."""
_KINDS = {"120000": "a symbolic link", "160000": "a submodule", "100755": "an executable file"}


def check_plain(path: str, mode: str) -> None:
    """Raises:
    Invalid: it is no file, or one that could be run.
    """
    if mode not in (PLAIN, NONE):
        what = _KINDS.get(mode, "not a plain file")
        raise Invalid(f"{shown(path)}: this is {what}. A workspace holds plain prompt files alone.")


def prompt_at(path: str, mode: str) -> str:
    """The prompt that lies there.

    Raises:
        Invalid: none may, or not as what it is.
    """
    check_plain(path, mode)
    name = names.name_of(path)
    if name is None and mode != NONE:
        raise Invalid(_not_a_name(path))
    if name is None:
        raise Invalid(f"{shown(path)}: only prompt files (`….prompt.yml`) can be changed.")
    return name


def shown(path: str) -> str:
    """A path as a terminal can show it, whatever bytes it holds."""
    return ascii(path)[1:-1][:200]


def _not_a_name(path: str) -> str:
    if not path.endswith(names.SUFFIX):
        return (
            f"{shown(path)}: only prompt files belong here; their names end with `{names.SUFFIX}`."
        )
    try:
        names.check_name(path.removesuffix(names.SUFFIX))
    except names.InvalidName as refused:
        return f"{shown(path)}: {refused.sentence}"
    return f"{shown(path)}: this cannot be the name of a prompt."


def check_sizes(
    found: Newcomers, files: Sequence[tuple[str, str]], others: Sequence[tuple[str, str]], most: int
) -> None:
    """Look at paths and ids, before a byte of the files is read; `others` only must be there.

    Raises:
        Invalid: a file is larger than 1 MiB, or all of them than `most`, or one is missing.
    """
    sizes = found.sizes([blob for _, blob in (*files, *others)])
    whole = 0
    for at, (path, blob) in enumerate((*files, *others)):
        kind, size = sizes.get(blob, ("", 0))
        if kind != "blob":
            raise Invalid(f"{shown(path)}: its content is missing from the push.")
        if at >= len(files):
            continue
        if size > LARGEST_FILE:
            raise Invalid(f"{shown(path)}: {size:,} bytes; 1 MiB is the most. Shorten it.")
        whole += size
    if whole > most:
        raise Invalid(
            f"This changes {whole:,} bytes of text; {most >> 20} MiB is the most at once."
        )

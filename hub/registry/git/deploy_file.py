"""Files on the `deploy` branch: `<label>/<folder>/<slug>.yml` says where a label points. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import cast

import msgspec

from hub.registry.prompt import names, yaml_read

SUFFIX = ".yml"
_LARGEST = 256 * 1024
"""More than `serialise` ever writes: a reason of 10,000 characters, each as an escape of ten."""


ALL = 10_000
"""What shares are of."""
AWAITED = "0" * 40
"""In place of a commit that is written together with the file."""


class Beside(msgspec.Struct, frozen=True, kw_only=True):
    """The smaller share of a gradual release: a version that some get instead."""

    version: int
    share: int
    """Of 10,000; at most half."""
    first: bool
    """It is the newcomer; else it is what goes away."""
    blob: str
    hash: str
    commit: str


class Pointer(msgspec.Struct, frozen=True, kw_only=True):
    """What one file says. The version decides; blob and hash find it again after a rewrite.

    In a gradual release the version is that of the larger share: whoever knows nothing of
    `beside` reads what most get.
    """

    prompt: str
    version: int
    blob: str
    hash: str
    commit: str
    by: str
    at: datetime
    why: str
    beside: Beside | None = None

    @property
    def newcomer(self) -> tuple[int, str]:
        """Version and blob of what was released last."""
        if self.beside is not None and self.beside.first:
            return self.beside.version, self.beside.blob
        return self.version, self.blob

    @property
    def other(self) -> tuple[int, str] | None:
        """The same of the other share."""
        if self.beside is None:
            return None
        if self.beside.first:
            return self.version, self.blob
        return self.beside.version, self.beside.blob


def path_of(label: str, name: str) -> str:
    names.check_label(label)
    names.check_name(name)
    return f"{label}/{name}{SUFFIX}"


def label_of(path: str) -> str | None:
    """The label a path is about, None if it is not a label's file."""
    label, slash, rest = path.partition("/")
    if not slash or not rest.endswith(SUFFIX) or not names.is_name(rest.removesuffix(SUFFIX)):
        return None
    try:
        names.check_label(label)
    except names.InvalidName:
        return None
    return label


def serialise(pointer: Pointer) -> bytes:
    """The file, its keys always in this order."""
    at = pointer.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return (
        f"prompt: {_quoted(pointer.prompt)}\nversion: {pointer.version}\n"
        f'blob: "{pointer.blob}"\nhash: "{pointer.hash}"\ncommit: "{pointer.commit}"\n'
        f'by: {_quoted(pointer.by)}\nat: "{at}"\nwhy: {_quoted(pointer.why)}\n'
        + (_beside(pointer.beside) if pointer.beside else "")
    ).encode()


def with_commit(data: bytes, commit: str) -> bytes:
    """A file that names an `AWAITED` commit, now that it has an id."""
    return data.replace(f'\ncommit: "{AWAITED}"\n'.encode(), f'\ncommit: "{commit}"\n'.encode(), 1)


def _beside(one: Beside) -> str:
    return (
        f"beside:\n  version: {one.version}\n  share: {one.share}\n"
        f"  first: {'true' if one.first else 'false'}\n"
        f'  blob: "{one.blob}"\n  hash: "{one.hash}"\n  commit: "{one.commit}"\n'
    )


def parse(data: bytes) -> Pointer | None:
    """What the file says; None if it cannot be used."""
    if len(data) > _LARGEST:
        return None
    try:
        tree = yaml_read.load(yaml_read.decode(data))
    except (yaml_read.Problem, ValueError):
        return None
    if not isinstance(tree, dict):
        return None
    prompt, version = str(tree.get("prompt") or ""), str(tree.get("version"))
    if not prompt or not version.isascii() or not version.isdigit() or len(version) > 9:
        return None
    return Pointer(
        prompt=prompt,
        version=int(version),
        at=_instant(tree.get("at")),
        beside=_read_beside(tree.get("beside")),
        **{key: str(tree.get(key) or "") for key in ("blob", "hash", "commit", "by", "why")},
    )


def _read_beside(tree: object) -> Beside | None:
    """None: there is none, or it cannot be used; then all get the version."""
    if not isinstance(tree, dict):
        return None
    said = {str(key): str(value) for key, value in cast("dict[object, object]", tree).items()}
    version, share = said.get("version", ""), said.get("share", "")
    numbers = all(one.isascii() and one.isdigit() and len(one) < 10 for one in (version, share))
    if not numbers or not 1 <= int(share) <= ALL // 2:
        return None
    return Beside(
        version=int(version), share=int(share), first=said.get("first") == "true",
        **{key: said.get(key, "") for key in ("blob", "hash", "commit")},
    )  # fmt: skip


def _instant(value: object) -> datetime:
    try:
        return datetime.fromisoformat(str(value)).astimezone(UTC)
    except (ValueError, OverflowError):
        return datetime.fromtimestamp(0, UTC)


def _quoted(text: str) -> str:
    """A YAML string in double quotes: escapes for what would not show, the rest as it is."""
    out = ['"']
    for char in text:
        code = ord(char)
        if char in '"\\':
            out.append("\\" + char)
        elif char == "\n":
            out.append("\\n")
        elif char.isprintable():
            out.append(char)
        else:
            out.append(f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
    return "".join([*out, '"'])

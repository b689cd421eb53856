"""What an approval names: the contents, their bases and the target, hashed together. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Literal

import msgspec

Kind = Literal["create", "change", "rename", "delete", "release"]


class Part(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a revision does to one prompt; without the text, which is kept by its hash."""

    kind: Kind
    prompt_id: str
    name: str
    new_name: str | None = None
    base_hash: str | None = None
    """What was edited; of a release, what the target label points at. None: nothing yet."""
    base_version: int | None = None
    hash: str | None = None
    """The content that would land; None for a delete."""
    blob: str | None = None
    version: int | None = None
    """Of a release: which."""

    @property
    def lands_at(self) -> str:
        """The prompt's name once this is merged."""
        return self.new_name or self.name

    @property
    def touched(self) -> tuple[str, ...]:
        """Names on main before and after."""
        return (self.name,) if self.new_name is None else (self.name, self.new_name)


def digest_of(parts: Iterable[Part], target: str | None) -> str:
    """The same for the same change, however its parts are ordered and wherever main stands."""
    said = sorted(
        [one.kind, one.prompt_id, one.name, one.new_name, one.base_hash, one.hash, one.version]
        for one in parts
    )
    canonical = msgspec.json.encode({"parts": said, "target": target}, order="sorted")
    return hashlib.sha256(canonical).hexdigest()

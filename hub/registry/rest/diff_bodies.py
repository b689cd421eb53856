"""What the REST interface says of changes: between two versions, and of a proposal."""

from __future__ import annotations

import msgspec

from hub.registry.prompt.diff import Change, compare
from hub.registry.prompt.document import Document


class VersionDiff(Change, frozen=True, kw_only=True):
    """What changed from one version of a prompt to another, message by message."""

    name: str
    old: int | None = msgspec.field(name="from")
    """Null: there was none before."""
    new: int = msgspec.field(name="to")
    from_hash: str | None
    to_hash: str


class ItemDiff(Change, frozen=True, kw_only=True):
    """What a proposal does to one prompt; of one that it deletes, everything is removed."""

    kind: str
    name: str
    new_name: str | None


class ProposalDiff(msgspec.Struct, frozen=True, kw_only=True):
    """What a revision changes, prompt by prompt."""

    number: int
    old: int | None = msgspec.field(name="from")
    """A revision; null: what stood before the proposal."""
    new: int = msgspec.field(name="to")
    items: list[ItemDiff]


def item_diff(
    kind: str, name: str, new_name: str | None, old: Document | None, new: Document | None
) -> ItemDiff:
    """One prompt of a proposal, from `old` to `new`; without `new` it is deleted."""
    told = msgspec.structs.asdict(compare(old, new or Document()))
    if new is None:
        told["summary"] = "deleted"
    return ItemDiff(kind=kind, name=name, new_name=new_name, **told)

"""What a proposal does, prompt by prompt, as its page tells it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from hub.registry.prompt.diff import Change, compare
from hub.registry.prompt.document import Document
from hub.registry.prompt.hidden import Hidden
from hub.registry.review.views import ItemView


class ShownItem(msgspec.Struct, frozen=True, kw_only=True):
    """One prompt of the proposal, and what is different in it."""

    item: ItemView
    said: str
    """`Changed from version 7`."""
    change: Change | None
    """None: no text is touched, or it cannot be shown."""
    text: Document | None = None
    """Of what goes away or moves untouched: the text itself, for reading."""
    anchored: bool = True
    """Remarks can be made on the words: one side is the proposal's text, the other its base."""

    @property
    def hidden(self) -> list[Hidden]:
        """Characters that nobody sees, and that this brings in."""
        return [one for one in self.change.hidden if one.added] if self.change else []


def shown_items(items: Sequence[ItemView], target: str | None) -> list[ShownItem]:
    """Each prompt against what it was made from."""
    return [_against_base(one, target) for one in items]


def between(
    before: Sequence[ItemView], after: Sequence[ItemView], revision: int, target: str | None
) -> list[ShownItem]:
    """Two revisions of one proposal; what is the same in both is left out."""
    old = {one.prompt_id: one for one in before}
    made: list[ShownItem] = []
    for item in after:
        was = old.pop(item.prompt_id, None)
        if was is None:
            said = f"New since revision {revision}. {_said(item, target)}"
            made.append(_against_base(item, target, said))
        elif (was.kind, was.new_name, was.version) != (item.kind, item.new_name, item.version):
            said = f"Different since revision {revision}. {_said(item, target)}"
            made.append(_against_base(item, target, said))
        elif was.hash != item.hash and was.new is not None and item.new is not None:
            said = f"Changed since revision {revision}"
            change = compare(was.new, item.new)
            made.append(ShownItem(item=item, said=said, change=change, anchored=False))
    for gone in old.values():
        said = f"Left out since revision {revision}: {gone.name} stays as it is"
        made.append(ShownItem(item=gone, said=said, change=None, anchored=False))
    return made


def _against_base(item: ItemView, target: str | None, said: str = "") -> ShownItem:
    said = said or _said(item, target)
    if item.kind in ("delete", "rename") or item.new is None:
        shown = None if item.problem else item.old
        return ShownItem(item=item, said=said, change=None, text=shown)
    return ShownItem(item=item, said=said, change=compare(item.old, item.new))


def _said(item: ItemView, target: str | None) -> str:
    """What happens to the prompt, in words."""
    if item.kind == "create":
        return "A new prompt"
    if item.kind == "delete":
        return "Deleted: applications that ask for it find nothing; its history stays"
    if item.kind == "rename":
        return f"Renamed from {item.name} to {item.new_name}; its text stays as it is"
    if item.kind == "release":
        instead = f", in place of version {item.base_version}" if item.base_version else ""
        return f"Version {item.version} goes to {target}{instead}"
    return f"Changed from version {item.base_version}"

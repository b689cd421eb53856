"""How a proposal would land on main as main is now. Pure.

What was approved lands, or nothing does: where a prompt was changed meanwhile, both texts are
brought together, and if that gives another text than the approved one it is another revision.
"""

from __future__ import annotations

from typing import Any

import msgspec

from hub.errors import Conflict
from hub.registry.indexing.ledger import Held, Ledger
from hub.registry.indexing.reading import Reading, blob_id
from hub.registry.prompt.document import Document, parse
from hub.registry.prompt.merge import Clash, merge
from hub.registry.prompt.names import check_name
from hub.registry.review.digest import Part
from hub.registry.review.follow_proposals import HeldProposal
from hub.registry.writing.saves import check_free, reading_for


class Landing(msgspec.Struct, frozen=True):
    """One part as it would land."""

    part: Part
    data: bytes | None
    """The file; None where there is none to write."""
    held: Held | None
    """The prompt it lands on; None: it is new."""
    same: bool = True
    """It is exactly what the revision says."""
    news: str = ""
    """What came in meanwhile."""

    @property
    def there(self) -> bool:
        """Main says so already."""
        return self.held is not None and self.held.hash == self.part.hash


class ItemClash(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt that two people changed in the same place: all texts, for a person to decide."""

    prompt_id: str
    name: str
    base: Document
    mine: Document
    """The proposal's."""
    theirs: Document
    """Main's."""
    theirs_hash: str
    theirs_version: int
    theirs_author: str
    merged: Document
    """Brought together, with the proposal's words where they clash."""
    clashes: tuple[Clash, ...]


class NeedsResolving(Conflict):
    """Both changed the same words; `items` holds the texts."""

    def __init__(self, number: int, items: list[ItemClash]) -> None:
        first = items[0]
        more = f" ({len(items) - 1} more prompts clash as well.)" if len(items) > 1 else ""
        super().__init__(
            f"{first.theirs_author} changed {_listed([one.where for one in first.clashes])} of "
            f"{first.name} as well (version {first.theirs_version}). Nothing was merged or lost: "
            f"choose which words to keep.{more}",
            number=number, clashes=[_plain(one) for one in items],
        )  # fmt: skip
        self.items = items


class BroughtTogether(Conflict):
    """Main has moved, and what would land is not what was read: it is a new revision now."""

    def __init__(self, number: int, revision: int, digest: str, news: str) -> None:
        super().__init__(
            f"{news} Both were brought together as revision {revision} of proposal {number}. "
            "Look at it and have it approved as it is now; nothing was merged yet.",
            number=number, revision=revision, digest=digest,
        )  # fmt: skip


def texts_wanted(ledger: Ledger, held: HeldProposal) -> set[str]:
    """Contents that `land` will need, by hash."""
    wanted: set[str] = set()
    for part in held.parts:
        now = ledger.prompts.get(part.prompt_id)
        if part.kind == "change" and part.base_hash:
            wanted.add(part.base_hash)  # main may move within this very batch
        if now is not None and now.hash and now.hash not in (part.base_hash, part.hash):
            wanted.add(now.hash)
    return wanted


def land(ledger: Ledger, held: HeldProposal, *, follow: bool = False) -> list[Landing]:
    """Every part, against main as it is; `follow` takes a prompt's new name over.

    Raises:
        Conflict: a prompt is gone, or a name is taken; the sentence says what to do.
        NeedsResolving: texts clash.
    """
    clashes: list[ItemClash] = []
    landings = [_land(ledger, held, part, clashes, follow=follow) for part in held.parts]
    if clashes:
        raise NeedsResolving(held.number, clashes)
    return landings


def _land(
    ledger: Ledger, held: HeldProposal, part: Part, clashes: list[ItemClash], *, follow: bool
) -> Landing:
    data = held.files.get(part.blob or "")
    if part.kind == "create":
        return _create(ledger, part, data)
    now = ledger.prompts.get(part.prompt_id)
    if now is None or now.deleted_at is not None:
        raise Conflict(
            f"{part.name} was deleted since. Bring it back first, or withdraw the proposal."
        )
    if now.problem is not None:
        raise Conflict(f"The file of {now.name} is broken. Mend it first: {now.problem}")
    news = ""
    if now.name != part.name:
        if not follow:
            raise Conflict(
                f"{part.name} is called {now.name} now. Bring the proposal up to date, then have "
                "it approved again."
            )
        news = f"{part.name} is called {now.name} now."
        part = msgspec.structs.replace(part, name=now.name)
    if part.kind == "release":
        return _release(ledger, held, part, now, news)
    if part.kind == "rename":
        _check_name_free(ledger, part)
    if now.hash == part.base_hash:
        return Landing(part, data, now, not news, news)
    if part.kind == "change":
        return _change(ledger, part, data, now, clashes, news)
    news = f"{news} {_changed(ledger, now)}".strip()
    part = msgspec.structs.replace(part, base_hash=now.hash, base_version=now.head)
    if part.kind == "rename":
        data = ledger.contents[now.hash]
        part = msgspec.structs.replace(part, hash=now.hash, blob=blob_id(data))
    return Landing(part, data, now, False, news)


def _create(ledger: Ledger, part: Part, data: bytes | None) -> Landing:
    if ledger.at(part.name) is not None or part.prompt_id in ledger.prompts:
        raise Conflict(
            f"There is a prompt called {part.name} by now. Give yours another name in a new "
            "revision, or propose a change of theirs."
        )
    check_free(ledger, part.name)
    return Landing(part, data, None)


def _check_name_free(ledger: Ledger, part: Part) -> None:
    check_name(part.lands_at)
    if ledger.at(part.lands_at) is not None:
        raise Conflict(
            f"There is a prompt called {part.lands_at} by now. Choose another name in a new "
            "revision."
        )
    check_free(ledger, part.lands_at, part.prompt_id)


def _change(
    ledger: Ledger, part: Part, data: bytes | None, now: Held, clashes: list[ItemClash], news: str
) -> Landing:
    if now.hash == part.hash:  # somebody else wrote the very same
        return Landing(part, data, now, not news, news)
    base = parse(ledger.contents[part.base_hash or ""])
    mine, theirs = parse(data or b""), parse(ledger.contents[now.hash])
    merged = merge(base, mine, theirs)
    if merged.clashes:
        clashes.append(_clash(ledger, now, (base, mine, theirs), merged.document,
                              merged.clashes))  # fmt: skip
        return Landing(part, data, now)
    reading: Reading = reading_for(msgspec.structs.replace(merged.document, id=now.id))
    if reading.hash == part.hash:
        return Landing(part, data, now, not news, news)
    part = msgspec.structs.replace(
        part, hash=reading.hash, blob=blob_id(reading.data), base_hash=now.hash,
        base_version=now.head,
    )  # fmt: skip
    return Landing(part, reading.data, now, False, f"{news} {_changed(ledger, now)}".strip())


def _release(
    ledger: Ledger, held: HeldProposal, part: Part, now: Held, news: str
) -> Landing:  # fmt: skip
    label = held.target or ""
    at = ledger.labels.get((label, part.prompt_id))
    if (at.hash if at else None) == part.base_hash:
        return Landing(part, None, now, not news, news)
    if at is not None and at.version == part.version:
        raise Conflict(
            f"{label} of {part.name} is at version {part.version} already. Withdraw the proposal."
        )
    moved = f"{label} was taken off {part.name}"
    if at is not None:
        moved = f"{label} of {part.name} was moved to version {at.version} by {at.moved_by}"
    part = msgspec.structs.replace(
        part, base_hash=at.hash if at else None, base_version=at.version if at else None
    )
    return Landing(part, None, now, False, f"{news} {moved} meanwhile.".strip())


def _changed(ledger: Ledger, now: Held) -> str:
    return f"{_author(ledger, now)} saved version {now.head} of {now.name} meanwhile."


def _author(ledger: Ledger, now: Held) -> str:
    known = ledger.versions.get((now.id, now.head))
    return known.author if known else now.changed_by


def _clash(
    ledger: Ledger, now: Held, texts: tuple[Document, Document, Document],
    merged: Document, clashes: tuple[Clash, ...],
) -> ItemClash:  # fmt: skip
    base, mine, theirs = texts
    return ItemClash(
        prompt_id=now.id, name=now.name, base=base, mine=mine, theirs=theirs,
        theirs_hash=now.hash, theirs_version=now.head, theirs_author=_author(ledger, now),
        merged=merged, clashes=clashes,
    )  # fmt: skip


def _plain(one: ItemClash) -> dict[str, Any]:
    return {
        "name": one.name, "version": one.theirs_version, "hash": one.theirs_hash,
        "author": one.theirs_author, "places": [clash.where for clash in one.clashes],
    }  # fmt: skip


def _listed(places: list[str]) -> str:
    return places[0] if len(places) == 1 else f"{places[0]} and {len(places) - 1} more places"

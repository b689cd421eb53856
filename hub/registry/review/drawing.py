"""What a proposal does to main's files, prompt by prompt. Pure."""

from __future__ import annotations

import msgspec

from hub.errors import Conflict, Invalid, NotFound
from hub.registry.git.commits import Change
from hub.registry.indexing.ledger import Held, Ledger
from hub.registry.indexing.reading import ID, Reading, blob_id
from hub.registry.prompt import names
from hub.registry.prompt.document import Document
from hub.registry.review.digest import Kind, Part
from hub.registry.writing.asks import Later, alive, new_id
from hub.registry.writing.saves import Put, check_free, check_includes, reading_for

MOST_ITEMS = 100


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants to happen to one prompt."""

    kind: Kind
    name: str
    document: Document | None = None
    base: str | None = None
    """Hash of what was edited, renamed or deleted; None: what main has now."""
    new_name: str | None = None
    version: int | None = None
    """Of a release: which."""
    prompt_id: str | None = None
    includes: frozenset[tuple[str, int]] = frozenset()


class Drawn(msgspec.Struct):
    """A part of a revision, and what it does to main's files."""

    part: Part
    changes: list[Change]


def draw(ledger: Ledger, wanted: Wanted, target: str | None) -> Drawn:
    """One wish as part of a revision, as things stand."""
    if wanted.kind == "create":
        return _create(ledger, wanted)
    held = alive(ledger, wanted.name)
    if held.problem is not None:
        raise Conflict(f"The file of {wanted.name} is broken. Mend it first: {held.problem}")
    if wanted.kind == "release":
        return Drawn(_release(ledger, held, wanted, target), [])
    base, version = _base(ledger, held, wanted)
    part = Part(
        kind=wanted.kind, prompt_id=held.id, name=wanted.name, base_hash=base, base_version=version
    )
    if wanted.kind == "delete":
        return drawn_delete(part, held)
    if wanted.kind == "rename":
        return _rename(ledger, held, part, wanted)
    assert wanted.document is not None
    check_includes(ledger, Put(wanted.name, wanted.document, base, wanted.includes))
    reading = reading_for(msgspec.structs.replace(wanted.document, id=held.id))
    if reading.hash == base:
        raise Invalid(f"{wanted.name} is as it was; there is nothing to propose.")
    return drawn_text(part, held, reading)


def _create(ledger: Ledger, wanted: Wanted) -> Drawn:
    assert wanted.document is not None
    if ledger.at(wanted.name) is not None:
        raise Conflict(
            f"There is a prompt called {wanted.name} already. Choose another name, or open it and "
            "edit it."
        )
    check_free(ledger, wanted.name)
    check_includes(ledger, Put(wanted.name, wanted.document, None, wanted.includes))
    given = wanted.prompt_id or wanted.document.id
    usable = given is not None and ID.fullmatch(given) and given not in ledger.prompts
    id = given if usable and given else new_id()
    reading = reading_for(msgspec.structs.replace(wanted.document, id=id))
    return drawn_text(Part(kind="create", prompt_id=id, name=wanted.name), None, reading)


def drawn_text(part: Part, held: Held | None, reading: Reading) -> Drawn:
    """A text that shall be the prompt's."""
    blob = blob_id(reading.data)
    change = Change(
        names.path_of(part.name), old=held.blob if held else None, new=blob, data=reading.data,
        reading=reading,
    )  # fmt: skip
    return Drawn(msgspec.structs.replace(part, hash=reading.hash, blob=blob), [change])


def drawn_delete(part: Part, held: Held) -> Drawn:
    return Drawn(part, [Change(names.path_of(held.name), old=held.blob)])


def drawn_rename(part: Part, held: Held, data: bytes) -> Drawn:
    """The text as it is, under the part's new name."""
    blob = blob_id(data)
    moved = [
        Change(names.path_of(part.name), old=held.blob),
        Change(names.path_of(part.lands_at), new=blob, data=data),
    ]
    return Drawn(msgspec.structs.replace(part, hash=held.hash, blob=blob), moved)


def _rename(ledger: Ledger, held: Held, part: Part, wanted: Wanted) -> Drawn:
    new_name = wanted.new_name or ""
    names.check_name(new_name)
    if ledger.at(new_name) is not None:
        raise Conflict(f"There is a prompt called {new_name} already. Choose another name.")
    if part.base_hash != held.hash:
        raise Conflict(f"{wanted.name} was changed since you looked. Look again, then rename it.")
    check_free(ledger, new_name, held.id)
    part = msgspec.structs.replace(part, new_name=new_name)
    return drawn_rename(part, held, ledger.contents[held.hash])


def _release(ledger: Ledger, held: Held, wanted: Wanted, target: str | None) -> Part:
    if target is None:
        raise Invalid("Say which label shall move, such as production.")
    number = wanted.version or held.head
    known = ledger.versions.get((held.id, number))
    if known is None:
        raise NotFound(f"{wanted.name} has no version {number}. Choose one of its history.")
    if not known.commit_id:
        raise Later
    now = ledger.labels.get((target, held.id))
    if now is not None and now.version == number:
        raise Invalid(f"{target} of {wanted.name} is at version {number} already.")
    return Part(
        kind="release", prompt_id=held.id, name=wanted.name, version=number, hash=known.hash,
        base_hash=now.hash if now else None, base_version=now.version if now else None,
    )  # fmt: skip


def _base(ledger: Ledger, held: Held, wanted: Wanted) -> tuple[str, int]:
    if wanted.base is None or wanted.base == held.hash:
        return held.hash, held.head
    found = [v.number for v in ledger.versions.values()
             if v.prompt_id == held.id and v.hash == wanted.base]  # fmt: skip
    if not found:
        raise Invalid(f"{wanted.name} never was what this was edited from. Open it again.")
    return wanted.base, max(found)


def check_apart(parts: list[Part]) -> None:
    """Raises:
    Invalid: two parts are about one name.
    """
    said = [name for part in parts for name in part.touched]
    twice = next((name for name in said if said.count(name) > 1), None)
    if twice is not None:
        raise Invalid(f"{twice} is in this proposal twice. One change for each prompt, please.")
    ids = [part.prompt_id for part in parts]
    same = [part.name for part in parts if ids.count(part.prompt_id) > 1]
    if same:
        raise Invalid(
            f"{same[0]} and {same[1]} have the same `id`. Take the line out of one of them."
        )


def check_wanted(wanted: tuple[Wanted, ...]) -> None:
    if not 1 <= len(wanted) <= MOST_ITEMS:
        raise Invalid(f"A proposal is about 1 to {MOST_ITEMS} prompts.")
    for one in wanted:
        names.check_name(one.name)
        if one.kind in ("create", "change") and one.document is None:
            raise Invalid(f"The text for {one.name} is missing.")

"""Brings two people's edits of one prompt together.

Field by field, message by message, and inside a message paragraph by paragraph, then sentence by
sentence. What both changed differently is a clash: it is listed with all three texts, in which
what lies apart is merged, and the document holds mine there, clean, never conflict marks.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from hub.registry.prompt.clashes import Choice, Clash, Clashes
from hub.registry.prompt.document import Document, Message, Template, Variable
from hub.registry.prompt.merge_text import merge_texts, sides
from hub.registry.prompt.pairing import match_messages

T = TypeVar("T")


class Merged(msgspec.Struct, frozen=True, kw_only=True):
    """The merged document; with clashes it still needs a person."""

    document: Document
    clashes: tuple[Clash, ...] = ()


def merge(
    base: Document, mine: Document, theirs: Document,
    choices: Mapping[str, Choice] | None = None,
) -> Merged:  # fmt: skip
    """What `mine` and `theirs` changed since `base`, in one document.

    `choices`: what a person decided, by the place as a clash names it.
    """
    if exactly(mine) == exactly(base) or exactly(mine) == exactly(theirs):
        return Merged(document=theirs)
    if exactly(theirs) == exactly(base):
        return Merged(document=mine)
    clashes = Clashes(choices)

    def three(name: str) -> tuple[Any, Any, Any]:
        return getattr(base, name), getattr(mine, name), getattr(theirs, name)

    def field(where: str, name: str) -> Any:
        return _pick(where, *three(name), clashes)

    document = Document(
        id=base.id if base.id is not None else mine.id or theirs.id,
        title=field("the title", "title"),
        description=_text("the description", *three("description"), clashes),
        template=_template(base, mine, theirs, clashes),
        tags=_tags(base.tags, mine.tags, theirs.tags),
        model=field("the model", "model"),
        parameters=_group("the setting ", *three("parameters"), clashes),
        messages=_messages(base.messages, mine.messages, theirs.messages, clashes),
        variables=_variables(base.variables, mine.variables, theirs.variables, clashes),
        tools=field("the tools", "tools"),
        response_format=field("the response format", "response_format"),
        json_schema=field("the answer schema", "json_schema"),
        extra=_group("the key ", *three("extra"), clashes),
    )
    return Merged(document=document, clashes=tuple(clashes.found))


def exactly(value: object) -> str:
    """A form in which `1`, `1.0` and `True`, and another order of keys, differ."""
    return repr(value)


def _template(base: Document, mine: Document, theirs: Document, clashes: Clashes) -> Template:
    where = "whether the text is a template"
    return _pick(where, base.template, mine.template, theirs.template, clashes)


def _pick(where: str, base: T, mine: T, theirs: T, clashes: Clashes) -> T:
    """The side that changed; both alike is no clash."""
    if exactly(mine) == exactly(theirs) or exactly(theirs) == exactly(base):
        return mine
    if exactly(mine) == exactly(base):
        return theirs
    return clashes.add(where, base, mine, theirs)


def _text(where: str, base: str, mine: str, theirs: str, clashes: Clashes) -> str:
    """Texts, merged inside where the edits lie apart."""
    if mine in (theirs, base) or theirs == base:
        return _pick(where, base, mine, theirs, clashes)
    merged = merge_texts(base, mine, theirs)
    if merged is not None:
        return merged
    left = sides(base, mine, theirs)
    return clashes.add(where, left.base, left.mine, left.theirs, both=left.both)


def _tags(base: Sequence[str], mine: Sequence[str], theirs: Sequence[str]) -> tuple[str, ...]:
    """A set in an order: what either added is in, what either removed is out."""
    if tuple(theirs) == tuple(base):
        return tuple(mine)
    if tuple(mine) == tuple(base):
        return tuple(theirs)
    gone = {tag for tag in base if tag not in mine or tag not in theirs}
    return tuple(dict.fromkeys(tag for tag in (*mine, *theirs) if tag not in gone))


class _Missing:
    """Stands where a key does not exist, which is not the same as a key that says nothing."""

    def __repr__(self) -> str:
        return "<missing>"


_MISSING = _Missing()


def _group(
    where: str,
    base: Mapping[str, object],
    mine: Mapping[str, object],
    theirs: Mapping[str, object],
    clashes: Clashes,
) -> dict[str, object]:
    """Key by key, in my order, then their new keys."""
    merged: dict[str, object] = {}
    for key in _order(list(base), list(mine), list(theirs)):
        values = [group.get(key, _MISSING) for group in (base, mine, theirs)]
        own = Clashes()
        value = _pick(where + key, values[0], values[1], values[2], own)
        for clash in own.found:
            was, own_side, other = (None if side is _MISSING else side for side in values)
            kept = clashes.add(clash.where, was, own_side, other)
            if clashes.chosen(clash.where):
                value = _MISSING if kept is None else kept
        if value is not _MISSING:
            merged[key] = value
    return merged


def _order(base: list[str], mine: list[str], theirs: list[str]) -> list[str]:
    """The order of the side that has one of its own, new keys of the other behind."""
    first, second = (theirs, mine) if mine == base else (mine, theirs)
    return list(dict.fromkeys((*first, *second)))


def _variables(
    base: Sequence[Variable], mine: Sequence[Variable], theirs: Sequence[Variable], clashes: Clashes
) -> tuple[Variable, ...]:
    """Variable by variable, and field by field in one that both changed."""
    sides = [{variable.name: variable for variable in side} for side in (base, mine, theirs)]
    merged: list[Variable] = []
    for name in _order(*(list(side) for side in sides)):
        was, own, other = (side.get(name) for side in sides)
        where = f"the variable {name}"
        if was is not None and own is not None and other is not None:
            merged.append(_variable(where, was, own, other, clashes))
        else:
            kept = _pick(where, was, own, other, clashes)
            if kept is None and not clashes.chosen(where):
                kept = _survivor(was, own, other)
            if kept is not None:
                merged.append(kept)
    return tuple(merged)


def _survivor(was: T | None, own: T | None, other: T | None) -> T | None:
    """Removed by one and edited by the other: the edit stays in view until somebody decides."""
    edited = own if own is not None else other
    return edited if was is None or exactly(edited) != exactly(was) else None


def _variable(
    where: str, base: Variable, mine: Variable, theirs: Variable, clashes: Clashes
) -> Variable:
    fields: dict[str, object] = {}
    for field in ("type", "required", "default", "description", "example"):
        sides = [getattr(one, field) for one in (base, mine, theirs)]
        fields[field] = _pick(f"{where}: {field}", sides[0], sides[1], sides[2], clashes)
    extra = _group(f"{where}: ", base.extra, mine.extra, theirs.extra, clashes)
    return msgspec.structs.replace(mine, extra=extra, **fields)


def _messages(
    base: Sequence[Message], mine: Sequence[Message], theirs: Sequence[Message], clashes: Clashes
) -> tuple[Message, ...]:
    """Messages that both still have are merged inside; new ones go where their author put them."""
    if exactly(mine) == exactly(theirs) or exactly(theirs) == exactly(base):
        return tuple(mine)
    if exactly(mine) == exactly(base):
        return tuple(theirs)
    in_mine, in_theirs = match_messages(base, mine), match_messages(base, theirs)
    from_base_mine = {was: at for at, was in in_mine.items()}
    from_base_theirs = {was: at for at, was in in_theirs.items()}
    kept: dict[int, Message] = {}
    for was, message in enumerate(base):
        own = mine[from_base_mine[was]] if was in from_base_mine else None
        other = theirs[from_base_theirs[was]] if was in from_base_theirs else None
        one = _message(f"message {was + 1} ({message.role})", message, own, other, clashes)
        if one is not None:
            kept[was] = one
    order = _message_order(len(base), in_mine, in_theirs, clashes)
    new_mine, new_theirs = _arrivals(mine, in_mine), _arrivals(theirs, in_theirs)
    merged: list[Message] = []
    for was in (-1, *order):
        if was in kept:
            merged.append(kept[was])
        merged += _both_new(was, new_mine.get(was, []), new_theirs.get(was, []), clashes)
    return tuple(merged)


def _message(
    where: str, base: Message, mine: Message | None, theirs: Message | None, clashes: Clashes
) -> Message | None:
    """One message of the base; None when it was removed."""
    if mine is None or theirs is None:
        edited = mine or theirs
        if edited is not None and exactly(edited) != exactly(base):
            sides = [one and one.content for one in (mine, theirs)]
            kept = clashes.add(where, base.content, sides[0], sides[1])
            if clashes.chosen(where) is None:
                return edited
            return None if kept is None else msgspec.structs.replace(edited, content=kept)
        return None
    return Message(
        role=_pick(f"the role of {where}", base.role, mine.role, theirs.role, clashes),
        content=_text(where, base.content, mine.content, theirs.content, clashes),
        name=_pick(f"the name of {where}", base.name, mine.name, theirs.name, clashes),
        extra=_group(f"{where}: ", base.extra, mine.extra, theirs.extra, clashes),
    )


def _message_order(
    length: int, in_mine: Mapping[int, int], in_theirs: Mapping[int, int], clashes: Clashes
) -> list[int]:
    """Base positions in the order of the side that moved messages."""
    orders = [[side[at] for at in sorted(side)] for side in (in_mine, in_theirs)]
    moved = [order != sorted(order) for order in orders]
    if all(moved):
        common = [was for was in orders[0] if was in set(orders[1])]
        if common != [was for was in orders[1] if was in set(orders[0])]:
            shown = [[was + 1 for was in order] for order in orders]
            kept = clashes.add(
                "the order of the messages", list(range(1, length + 1)), shown[0], shown[1]
            )
            moved[0] = kept == shown[0]
    chosen = orders[1] if moved[1] and not moved[0] else orders[0]
    order = list(chosen)
    for was in range(length):  # the side without it removed it; it may still stand for the other
        if was not in chosen:
            before = [at for at, one in enumerate(order) if one < was]
            order.insert(before[-1] + 1 if before else 0, was)
    return order


def _arrivals(side: Sequence[Message], matched: Mapping[int, int]) -> dict[int, list[Message]]:
    """New messages by the base message above them, -1 for the top."""
    found: dict[int, list[Message]] = {}
    above = -1
    for at, message in enumerate(side):
        if at in matched:
            above = matched[at]
        else:
            found.setdefault(above, []).append(message)
    return found


def _both_new(
    was: int, mine: list[Message], theirs: list[Message], clashes: Clashes
) -> list[Message]:
    """New messages at one place: both are kept, and a person says in which order."""
    if not mine or not theirs or exactly(mine) == exactly(theirs):
        return mine or theirs
    for longer, shorter in ((mine, theirs), (theirs, mine)):
        rest = iter(longer)
        if all(one in rest for one in shorter):  # in the same order
            return longer
    place = "at the beginning" if was < 0 else f"after message {was + 1}"
    texts = ["\n\n".join(one.content for one in side) for side in (mine, theirs)]
    where = f"new messages {place}"
    clashes.add(where, None, *texts)
    choice = clashes.chosen(where)
    if choice is not None and choice.keep != "both":
        return theirs if choice.keep == "theirs" else mine
    return [*mine, *(one for one in theirs if one not in mine)]

"""What changed between two versions of a prompt, as a reader would tell it.

Message by message with whole words struck and added, moved messages said to have moved, settings
as old and new value, and every hidden character listed. Pure data: pages and the API show it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from hub.registry.prompt.changed_values import ValueChange, compare_groups, compare_tools, show
from hub.registry.prompt.document import Document, Message, Variable
from hub.registry.prompt.hidden import Hidden, find_hidden
from hub.registry.prompt.pairing import pair_messages
from hub.registry.prompt.segments import Segment, segments

Kind = Literal["same", "changed", "added", "removed"]
Moved = Literal["", "up", "down"]


class MessageChange(msgspec.Struct, frozen=True, kw_only=True):
    """One message, before and after; positions count from 0, None where it does not exist."""

    kind: Kind
    moved: Moved = ""
    role: str
    old_role: str | None = None
    old_at: int | None = None
    new_at: int | None = None
    segments: tuple[Segment, ...] = ()
    details: tuple[ValueChange, ...] = ()


class VariableChange(msgspec.Struct, frozen=True, kw_only=True):
    """One variable that was added, removed, or changed in the fields listed."""

    name: str
    kind: Kind
    fields: tuple[ValueChange, ...] = ()


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that differs. `details` is what describes the prompt, `settings` the model's."""

    summary: str
    same: bool
    is_new: bool
    details: tuple[ValueChange, ...]
    messages: tuple[MessageChange, ...]
    settings: tuple[ValueChange, ...]
    variables: tuple[VariableChange, ...]
    tools: tuple[ValueChange, ...]
    answer: tuple[ValueChange, ...]
    other: tuple[ValueChange, ...]
    hidden: tuple[Hidden, ...]


def compare(old: Document | None, new: Document) -> Change:
    """The change from `old` to `new`; without an old version everything is added."""
    before = old or Document(template=new.template)
    messages = _messages(before.messages, new.messages)
    parts = {
        "details": _details(before, new),
        "settings": compare_groups(
            {"model": before.model} | before.parameters, {"model": new.model} | new.parameters
        ),
        "tools": compare_tools(before.tools, new.tools),
        "answer": compare_groups(_answer(before), _answer(new)),
        "other": compare_groups(before.extra, new.extra),
    }
    variables = _variables(before.variables, new.variables)
    hidden = find_hidden(before, new)
    same = (
        not any(parts.values())
        and not variables
        and all(one.kind == "same" and not one.moved for one in messages)
    )
    summary = _summary(old is None, messages, variables, parts, hidden)
    return Change(
        summary=summary,
        same=same and old is not None,
        is_new=old is None,
        messages=messages,
        variables=variables,
        hidden=hidden,
        **parts,
    )


def _details(old: Document, new: Document) -> tuple[ValueChange, ...]:
    return compare_groups(
        {
            "title": old.title or None,
            "description": old.description or None,
            "tags": list(old.tags) or None,
            "template": old.template,
        },
        {
            "title": new.title or None,
            "description": new.description or None,
            "tags": list(new.tags) or None,
            "template": new.template,
        },
    )


def _answer(document: Document) -> dict[str, object]:
    """The shape of the answer, whose schema GitHub keeps as JSON inside text."""
    schema = document.json_schema
    if isinstance(schema, str):
        try:
            schema = msgspec.json.decode(schema)
        except msgspec.DecodeError:
            schema = document.json_schema
    return {"response format": document.response_format, "answer schema": schema}


def _messages(old: Sequence[Message], new: Sequence[Message]) -> tuple[MessageChange, ...]:
    """In the order of the new version; removed ones stand where they stood."""
    changes: list[MessageChange] = []
    for at_old, at_new, moved in pair_messages(old, new):
        before = None if at_old is None else old[at_old]
        after = None if at_new is None else new[at_new]
        changes.append(_message(before, after, (at_old, at_new), moved))
    return tuple(changes)


def _message(
    old: Message | None, new: Message | None, at: tuple[int | None, int | None], moved: Moved
) -> MessageChange:
    kind: Kind = "changed"
    if old is None or new is None:
        kind = "added" if old is None else "removed"
    elif old == new:
        kind = "same"
    shown = new or old
    assert shown is not None
    return MessageChange(
        kind=kind,
        moved=moved,
        role=shown.role,
        old_role=old.role if old and new and old.role != new.role else None,
        old_at=at[0],
        new_at=at[1],
        segments=segments(old.content if old else "", new.content if new else ""),
        details=() if kind == "same" else compare_groups(_beside(old), _beside(new)),
    )


def _beside(message: Message | None) -> Mapping[str, object]:
    """What a message holds beside its text."""
    return {"name": message.name} | message.extra if message else {}


def _variables(old: Sequence[Variable], new: Sequence[Variable]) -> tuple[VariableChange, ...]:
    before = {variable.name: variable for variable in old}
    after = {variable.name: variable for variable in new}
    changes: list[VariableChange] = []
    for name in {**before, **after}:
        fields = compare_groups(_fields(before.get(name)), _fields(after.get(name)))
        if name not in before:
            changes.append(VariableChange(name=name, kind="added", fields=fields))
        elif name not in after:
            changes.append(VariableChange(name=name, kind="removed", fields=fields))
        elif fields:
            changes.append(VariableChange(name=name, kind="changed", fields=fields))
    return tuple(changes)


def _fields(variable: Variable | None) -> Mapping[str, object]:
    if variable is None:
        return {}
    return {
        "type": variable.type,
        "required": variable.required,
        "default": variable.default,
        "description": variable.description or None,
        "example": variable.example,
    } | variable.extra


def _summary(
    is_new: bool,
    messages: Sequence[MessageChange],
    variables: Sequence[VariableChange],
    parts: Mapping[str, tuple[ValueChange, ...]],
    hidden: Sequence[Hidden],
) -> str:
    """One line for a list of versions."""
    said: list[str] = []
    if is_new:
        said.append(f"new prompt with {_count(len(messages), 'message')}")
    else:
        kinds = Counter(one.kind for one in messages)
        moved = sum(1 for one in messages if one.moved)
        for kind, number in (*((k, kinds[k]) for k in ("changed", "added", "removed")),
                             ("moved", moved)):  # fmt: skip
            if number:
                said.append(f"{_count(number, 'message')} {kind}")
        said += [_said(one) for one in parts["settings"][:2]]
        if len(parts["settings"]) > 2:
            said.append(_count(len(parts["settings"]) - 2, "more setting") + " changed")
        said += [f"variable {one.name} {one.kind}" for one in variables[:2]]
        if len(variables) > 2:
            said.append(_count(len(variables) - 2, "more variable") + " changed")
        said += [f"{one.name} changed" for one in parts["details"]]
        said += ["tools changed"] * bool(parts["tools"])
        said += ["shape of the answer changed"] * bool(parts["answer"])
        said += ["other keys changed"] * bool(parts["other"])
    new_hidden = sum(1 for one in hidden if one.added)
    if new_hidden:
        said.append(_count(new_hidden, "hidden character") + " added")
    return ", ".join(said) or "nothing changed"


def _said(change: ValueChange) -> str:
    return f"{change.name} {show(change.old, 24)} → {show(change.new, 24)}"


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"

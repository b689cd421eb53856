"""The lock file: what `prompthub pull` writes, and how it differs from what a hub has now."""

from __future__ import annotations

from difflib import unified_diff
from json import dumps, loads
from typing import Any

from sdk.table import Pointer, Table


def written(table: Table) -> str:
    """The same bytes for the same versions, whenever it is pulled."""
    document = table.document()
    kept = {key: document[key] for key in ("schema", "pointers", "objects")}
    return dumps(kept, ensure_ascii=False, indent=1) + "\n"


def drift(locked: Table, now: Table) -> list[str]:
    """What is another version now than in the lock file, one sentence and its diff each."""
    lines: list[str] = []
    for place in sorted({*locked.pointers, *now.pointers}):
        old, new = locked.pointers.get(place), now.pointers.get(place)
        if old == new:
            continue
        label, name = place
        if old is None or new is None:
            there = "is new in the hub" if old is None else "is no longer in the hub"
            lines.append(f"{name} ({label}) {there}")
            continue
        lines.append(f"{name} ({label}): version {_versions(old)} is locked, the hub has "
                     f"{_versions(new)}")  # fmt: skip
        lines += _words(locked, old, now, new)
    return lines


def _versions(pointer: Pointer) -> str:
    if not pointer.split:
        return str(pointer.version)
    return " and ".join(f"{one.version} ({one.share / 100:g} %)" for one in pointer.split)


def _words(locked: Table, old: Pointer, now: Table, new: Pointer) -> list[str]:
    before, after = _lines(locked.objects[old.object]), _lines(now.objects[new.object])
    names = f"{old.name} v{old.version}", f"{new.name} v{new.version}"
    return [f"  {line}" for line in unified_diff(before, after, *names, lineterm="", n=2)]


def _lines(text: str) -> list[str]:
    """An object as lines that a person can compare."""
    document: dict[str, Any] = loads(text)["document"]
    lines: list[str] = []
    for message in document.get("messages", []):
        lines.append(f"[{message.get('role')}]")
        lines += str(message.get("content") or message.get("name") or "").split("\n")
    for key in sorted(document.keys() - {"messages"}):
        lines.append(f"{key}: {dumps(document[key], ensure_ascii=False, sort_keys=True)}")
    return lines

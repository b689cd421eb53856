"""What a conversion says: each field that was lost or changed, or why a file cannot be taken."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from hub.registry.prompt.document import Document


class Refused(Exception):
    """This file cannot be taken; the sentence names the key, where there is one."""


class Note(NamedTuple):
    """One field that is not what it was."""

    what: str
    """`Lost` or `Changed`."""
    key: str
    why: str


@dataclass
class Notes:
    """Collects notes; the same one is kept once."""

    found: list[Note] = field(default_factory=list[Note])

    def lose(self, key: str, why: str) -> None:
        self._add(Note("Lost", key, why))

    def change(self, key: str, why: str) -> None:
        self._add(Note("Changed", key, why))

    def about(self, key: str) -> bool:
        """Whether anything was said of this key, or of one inside it."""
        return any(
            one.key == key or one.key.startswith((f"{key}.", f"{key}[")) for one in self.found
        )

    def sentences(self) -> list[str]:
        return [f"{what}: {_shown(key)} ({_shown(why)})." for what, key, why in self.found]

    def _add(self, note: Note) -> None:
        if note not in self.found:
            self.found.append(note)


@dataclass(frozen=True)
class Read:
    """A prompt found in a file; `name` where the file gives one, else the file's own counts."""

    document: Document
    notes: Notes
    name: str = ""


def _shown(text: str) -> str:
    plain = "".join(c if c.isprintable() else "\ufffd" for c in text)
    return plain if len(plain) <= 160 else plain[:159] + "…"

"""The one table that readers look into, and everything that looks at it.

    rows: pin → name → Prompt      pin is a label or a version number

`rows` is replaced whole, by whoever holds `lock`; only prompts that nobody has read before are put
into a row as it stands, since making all of them would make a start slow.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable
from typing import NamedTuple

from sdk.breath import breathe
from sdk.errors import TemplateError
from sdk.flow import Pin
from sdk.notes import Life, Notes
from sdk.prompt import Prompt
from sdk.table import EMPTY, BadDocument, Place, Pointer, Table, prompt_of

Rows = dict[Pin, dict[str, Prompt]]


class Used(NamedTuple):
    """A version that the program was given, for the report to the hub."""

    name: str
    label: str
    version: int
    source: str
    notes: Notes


class Handle:
    """A prompt held on to: `current` is the version of now, and costs one look at an attribute."""

    __slots__ = ("__weakref__", "_get", "current", "label", "name")

    current: Prompt

    def __init__(self, name: str, label: str, get: Callable[[str, str], Prompt]) -> None:
        self.name, self.label, self._get = name, label, get
        self.forget()

    def __repr__(self) -> str:
        return f"<Handle {self.name} {self.label}>"

    def follow(self, rows: Rows) -> None:
        """Point at what is in the table now."""
        prompt = rows.get(self.label, {}).get(self.name)
        if prompt is None:
            self.forget()
        else:
            self.current = prompt
            _become(self, Handle)

    def forget(self) -> None:
        """Ask again at the next look: before the first read, after a deletion or a fork."""
        _become(self, _Asking)
        try:
            del self.current
        except AttributeError:
            return


def _become(handle: Handle, kind: type[Handle]) -> None:
    object.__setattr__(handle, "__class__", kind)


class _Asking(Handle):
    """A handle without `current`; a class of its own, since `__getattr__` slows every look."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Prompt:
        if name != "current":
            raise AttributeError(name)
        return self._get(self.name, self.label)


class Shelf:
    """The table, and the hub's document behind it, of which rows are made as they are read."""

    rows: Rows

    def __init__(self, counts: bool, covers: Callable[[Pin, str], bool]) -> None:
        """`counts`: whether to note what is used; `covers`: whether the document tells of it."""
        self.counts, self._covers = counts, covers
        self.rows = {}
        self.lock = threading.Lock()
        self.table = EMPTY
        self.source = ""
        self.life = Life()
        self.used: list[Used] = []
        self._handles: weakref.WeakSet[Handle] = weakref.WeakSet()
        self._has_handles = False
        self._aside: Rows | None = None

    # ── reading ─────────────────────────────────────────────────────────────────────────────────

    def find(self, pin: Pin, name: str) -> Prompt | None:
        """A prompt that no row has yet, made of the document.

        Raises:
            TemplateError, BadDocument: this SDK cannot use it.
        """
        with self.lock:
            found = self.rows.get(pin, {}).get(name)
            if found is not None or not isinstance(pin, str):
                return found
            pointer = self.table.pointers.get((pin, name))
            if pointer is None:
                return None
            prompt = self._made(self.table, pointer, self.source, self.life)
            if pin in self.rows:
                self.rows[pin][name] = prompt
            else:
                self.rows = {**self.rows, pin: {name: prompt}}
            return prompt

    def hold(self, handle: Handle) -> None:
        with self.lock:
            self._handles.add(handle)
            self._has_handles = True
            handle.follow(self.rows)

    def held(self) -> set[Place]:
        """What handles hold, whose reads nobody can count."""
        with self.lock:
            return {(one.label, one.name) for one in self._handles}

    def served(self) -> set[int]:
        """Identities of the notes of what readers get now."""
        rows = self.rows
        prompts = [one for row in list(rows.values()) for one in list(row.values())]
        return {id(part.notes) for one in prompts for part in one.shares}

    # ── writing; all but `take` and `empty` want the lock held ────────────────────────────────────

    def take(self, table: Table, labels: Iterable[str], source: str, life: Life) -> list[str]:
        """Serve from `table` from now on; returns why the new version of a prompt cannot be used.

        What was read before is made ready first, so that no reader pays for a release.
        """
        before, failed = self.table, list[str]()
        made: Rows = {}
        for label in labels:
            row: dict[str, Prompt] = {}
            for name, old in list(self.rows.get(label, {}).items()):
                pointer = table.pointers.get((label, name))
                if pointer is None:
                    if not self._covers(label, name):
                        row[name] = old
                    continue
                same = before.pointers.get((label, name)) == pointer
                if same and old.source == source and old.life is life:
                    row[name] = old
                    continue
                try:
                    row[name] = self._again(old, table, pointer, source, life, same)
                except (TemplateError, BadDocument) as error:
                    row[name] = old
                    failed.append(f"{name} ({label}): {error}")
            made[label] = row
        with self.lock:
            for label, row in made.items():  # what was asked for one by one meanwhile
                for name, one in self.rows.get(label, {}).items():
                    if name not in row and not self._covers(label, name):
                        row[name] = one
            self.table, self.source, self.life = table, source, life
            self.publish({**self.rows, **made})
        breathe()  # readers first: what is left to do here can wait for its turn
        return failed

    def _again(
        self, old: Prompt, table: Table, pointer: Pointer, source: str, life: Life, same: bool
    ) -> Prompt:
        if same and old.label == pointer.label:
            return self.note(old.with_source(source, life))
        return self._made(table, pointer, source, life)

    def _made(self, table: Table, pointer: Pointer, source: str, life: Life) -> Prompt:
        return self.note(prompt_of(table, pointer, source).belonging_to(life))

    def note(self, prompt: Prompt) -> Prompt:
        """Remember it for the report."""
        if not self.counts:
            return prompt
        for one in prompt.shares:
            self.used.append(Used(one.name, one.label or "", one.version, one.source, one.notes))
        return prompt

    def empty(self, labels: Iterable[str]) -> None:
        """Serve nothing of these labels any more."""
        with self.lock:
            self.table = EMPTY
            self.publish({**self.rows, **{label: {} for label in labels}})

    def publish(self, rows: Rows) -> None:
        """Replace the table; a reader sees the old one or the new one."""
        if self._aside is not None:
            self._aside = rows
            return
        self.rows = rows
        if self._has_handles:
            for handle in self._handles:
                handle.follow(rows)

    # ── fork ────────────────────────────────────────────────────────────────────────────────────

    def after_fork(self) -> None:
        """In the child: put the table aside, so that the first read starts what keeps it fresh.

        That way reads need not ask which process they are in.
        """
        rows = self.rows if self._aside is None else self._aside
        self.lock = threading.Lock()
        self.rows, self._aside = {}, rows
        for one in self.used:  # the parent reports what was counted so far
            one.notes.since()
        for handle in list(self._handles):
            handle.forget()

    def restore(self) -> bool:
        """Put back what was set aside; whether there was anything."""
        with self.lock:
            if self._aside is None:
                return False
            rows, self._aside = self._aside, None
            self.publish(rows)
            return True


def differing(before: Table, after: Table) -> list[Place]:
    """What is another version in one than in the other."""
    places = dict.fromkeys([*before.pointers, *after.pointers])
    return [one for one in places if before.pointers.get(one) != after.pointers.get(one)]

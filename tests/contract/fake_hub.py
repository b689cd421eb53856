"""A hub that speaks docs/protocol.md from what a test puts into it.

It shares no code with the product, so that a mistake cannot be made twice in the same way.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from typing import Any

from tests.contract.fake_answers import Answers, objects_of, wanted
from tests.contract.far import KEY, Far, content, digest_of

__all__ = ["KEY", "FakeHub", "content", "digest_of"]


class FakeHub(Far):
    """One workspace."""

    answers = Answers

    def __init__(self, *, port: int = 0, old: bool = False) -> None:
        self.epoch, self.revision = "e1", 1000
        self.pointers: dict[tuple[str, str], dict[str, Any]] = {}
        self.objects: dict[str, str] = {}
        self.log: list[tuple[int, list[tuple[str, str]]]] = []
        self.log_from = 0
        self.changed = threading.Condition()
        super().__init__(port=port)
        self.old = old

    def another(self) -> FakeHub:
        """Another hub."""
        return FakeHub()

    # ── what it holds ───────────────────────────────────────────────────────────────────────────

    def release(
        self, name: str, text: str, version: int = 1, label: str = "production", **document: Any
    ) -> str:
        """Point a label at a version; returns the object's hash."""
        made = content(text, **document)
        digest = digest_of(made)
        self.objects[digest] = made
        self.point((label, name), self.pointer(name, version, digest, label))
        return digest

    def release_many(self, texts: dict[str, str]) -> None:
        """New prompts, in one step."""
        self.batch(lambda: [self.release(name, text) for name, text in texts.items()])

    def release_refused(self, name: str, text: str, version: int = 1) -> None:
        """A text that a real hub never lets in."""
        self.release(name, text, version)

    def id_of(self, name: str) -> str:
        return self.pointers["production", name]["id"]

    def split(self, name: str, *parts: tuple[int, str, int], label: str = "production") -> None:
        """A gradual release: (version, text, share) each."""
        entries = []
        for version, text, share in parts:
            made = content(text)
            digest = digest_of(made)
            self.objects[digest] = made
            one = self.pointer(name, version, digest, label)
            entries.append({k: one[k] for k in ("version", "hash", "commit", "object")}
                           | {"share": share})  # fmt: skip
        main = max(entries, key=lambda one: one["share"])
        pointer = self.pointer(name, main["version"], main["object"], label)
        self.point((label, name), pointer | {"split": entries})

    def remove(self, name: str, label: str = "production") -> None:
        self.point((label, name), None)

    def point(self, place: tuple[str, str], pointer: dict[str, Any] | None) -> None:
        """What is at a place from now on; None: nothing."""
        with self.changed:
            if pointer is None:
                self.pointers.pop(place, None)
            else:
                self.pointers[place] = pointer
            if self._batching is not None:
                self._batching.append(place)
            else:
                self._commit([place])

    _batching: list[tuple[str, str]] | None = None

    def batch(self, work: Callable[[], object]) -> None:
        """All changes that `work` makes, in one commit."""
        with self.changed:
            self._batching = []
            work()
            places, self._batching = self._batching, None
            self._commit(places)

    def _commit(self, places: list[tuple[str, str]]) -> None:
        self.revision += 7
        self.log.append((self.revision, places))
        self.changed.notify_all()

    def forget_log(self) -> None:
        """No `since` of before now can be answered."""
        with self.changed:
            self.log_from = self.revision + 1
            self.revision += 2
            self.log.clear()

    def new_epoch(self) -> None:
        """As after a restore; the revision is a lower one."""
        with self.changed:
            self.epoch, self.revision, self.log = f"{self.epoch}x", 5, []
            self.log_from = self.revision
            self.changed.notify_all()

    def document(self, labels: list[str], names: list[str]) -> dict[str, Any]:
        with self.changed:
            chosen = [self.pointers[p] for p in sorted(self.pointers) if wanted(p, labels, names)]
            needed = {d for one in chosen for d in objects_of(one)}
            return {
                "schema": 1, "epoch": self.epoch, "revision": self.revision, "pointers": chosen,
                "objects": {d: self.objects[d] for d in sorted(needed)}, "of_the_future": [1],
            }  # fmt: skip

    _made: tuple[Any, str, str] = (None, "", "")

    def made(self, labels: list[str], names: list[str]) -> tuple[str, str]:
        """The document's text and its tag, made once for a revision."""
        key = (self.epoch, self.revision, labels, names)
        if self._made[0] != key:
            body = json.dumps(self.document(labels, names))
            digest = hashlib.sha256(body.encode()).hexdigest()
            self._made = (key, body, f'"{digest[:20]}"')
        return self._made[1:]

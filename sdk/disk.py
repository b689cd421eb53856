"""The last table, kept on disk, for a start while the hub is away.

    ~/.cache/prompthub/<what it is of>.json     a line about it, then the document itself

One file per hub, key, labels and names. Written whole to another file, synced, and renamed, so that
whoever reads it reads an old one or a new one; a file that is not what it says is not looked at.
Prompts stand in it in clear, readable by the user who runs the program alone.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from json import dumps, loads
from typing import NamedTuple

from sdk.breath import breathe
from sdk.table import BadDocument, Table
from sdk.wire import Who, document, query

FORMAT = 1


class Kept(NamedTuple):
    """A table from the disk; `age` is what the wall clock says, and never less than 0."""

    table: Table
    age: float


class Disk:
    """One file; whatever goes wrong with it, the program goes on."""

    def __init__(self, folder: str, who: Who, key: str, warn: Callable[[str], None]) -> None:
        """`folder`: `auto` for the user's cache."""
        from hashlib import sha256

        place = os.path.join("~", ".cache", "prompthub") if folder == "auto" else folder
        self.folder = os.path.expanduser(place)
        self._warn, self._off = warn, False
        # The key itself is in neither name nor file, only a hash of a hash of it.
        print_of_key = sha256(b"prompthub key\0" + key.encode()).hexdigest()
        self._of = sha256(f"{who.url}\n{print_of_key}\n{query(who)}".encode()).hexdigest()
        self.path = os.path.join(self.folder, f"{self._of[:32]}.json")

    def load(self) -> Kept | None:
        """What was kept, if it is whole and of this hub, key, labels and names."""
        from hashlib import sha256

        try:
            with open(self.path, "rb") as file:
                about, _, body = file.read().partition(b"\n")
            head = loads(about)
            if head["format"] != FORMAT or head["of"] != self._of:
                return None
            if head["sha256"] != sha256(body).hexdigest():
                return None
            return Kept(document(body), max(0.0, time.time() - float(head["saved"])))
        except (OSError, ValueError, KeyError, TypeError, BadDocument):
            return None

    def save(self, table: Table) -> None:
        """Keep it; the first failure is said once, and the last."""
        if self._off:
            return
        try:
            self._write(table)
        except OSError as error:
            self._off = True
            why = error.strerror or type(error).__name__
            self._warn(
                f"prompts cannot be kept on disk in {self.folder} ({why}); a start while the hub "
                "is away will find none"
            )

    def _write(self, table: Table) -> None:
        from hashlib import sha256

        os.makedirs(self.folder, 0o700, exist_ok=True)
        body = written(table)
        head = {"format": FORMAT, "of": self._of, "sha256": sha256(body).hexdigest(),
                "saved": time.time()}  # fmt: skip
        passing = f"{self.path}.{os.getpid()}.{os.urandom(4).hex()}.part"
        try:
            descriptor = os.open(passing, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "wb") as file:
                file.write(dumps(head).encode() + b"\n" + body)
                file.flush()
                os.fsync(file.fileno())
            os.replace(passing, self.path)
        finally:
            with suppress(OSError):
                os.unlink(passing)
        self._sync_folder()

    def _sync_folder(self) -> None:
        with suppress(OSError):  # Windows cannot
            descriptor = os.open(self.folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def written(table: Table) -> bytes:
    """The document's bytes, put together in pieces: other threads get their turn in between."""
    made = table.document()
    objects = made.pop("objects")
    pieces = [dumps(made)[:-1], ', "objects": {']
    for number, (digest, text) in enumerate(objects.items()):
        pieces.append(f"{', ' if number else ''}{dumps(digest)}: {dumps(text)}")
        if not number % 16:
            breathe()
    return "".join([*pieces, "}}"]).encode()

"""What git's client would send, made by hand: commits on any parent, packs of any objects."""

from __future__ import annotations

import os
import struct
import subprocess
import zlib
from collections.abc import AsyncIterator, Mapping
from hashlib import sha1
from pathlib import Path

from hub.people.policy import Actor
from hub.sync.git import push
from tests.shelf import Shelf

NONE = "0" * 40
COMMIT, TREE, BLOB, TAG = 1, 2, 3, 4
KINDS = {COMMIT: b"commit", TREE: b"tree", BLOB: b"blob", TAG: b"tag"}
PERSON = "Ana <ana@example.org> 1700000000 +0000"


def packet(data: bytes) -> bytes:
    return b"%04x" % (len(data) + 4) + data


def command(new: str, ref: str = "refs/heads/main", old: str = NONE, can: str = "") -> bytes:
    return packet(f"{old} {new} {ref}\0 report-status {can}".encode()) + b"0000"


def pack(*objects: tuple[int, bytes], count: int | None = None) -> bytes:
    """A pack of whole objects, by kind."""
    body = b"PACK" + struct.pack(">II", 2, len(objects) if count is None else count)
    for kind, data in objects:
        size, first = len(data) >> 4, kind << 4 | len(data) & 15
        head = bytearray()
        while size:
            head.append(first | 128)
            first, size = size & 127, size >> 7
        head.append(first)
        body += bytes(head) + zlib.compress(data)
    return body + sha1(body).digest()


def id_of(kind: int, data: bytes) -> str:
    """Git's id of an object."""
    return sha1(KINDS[kind] + b" %d\0" % len(data) + data).hexdigest()


def tree(*entries: tuple[str, str, str]) -> bytes:
    """Of mode, name and id, in the order given, whatever git would think of it."""
    return b"".join(
        f"{mode} ".encode() + os.fsencode(name) + b"\0" + bytes.fromhex(id)
        for mode, name, id in entries
    )


def commit(
    of: str, *parents: str, author: str = PERSON, committer: str = PERSON, message: str = "Say it"
) -> bytes:
    lines = [f"tree {of}", *(f"parent {one}" for one in parents)]
    return "\n".join(
        [*lines, f"author {author}", f"committer {committer}", "", message, ""]
    ).encode()


class Scratch:
    """A developer's repository without a work tree, that has the hub's objects at hand."""

    def __init__(self, hubs: Path, folder: Path) -> None:
        self.hubs, self.folder = hubs, folder
        if not folder.exists():
            self.git("init", "-q", "--bare", str(folder))
            (folder / "objects/info/alternates").write_text(f"{hubs}/objects\n")

    def git(self, *words: str, stdin: bytes = b"", **env: str) -> str:
        return self.raw(*words, stdin=stdin, **env).decode().strip()

    def raw(self, *words: str, stdin: bytes = b"", **env: str) -> bytes:
        clean = {"PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1",
                 "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_INDEX_FILE": str(self.folder / "index"),
                 "GIT_AUTHOR_NAME": "Ana", "GIT_AUTHOR_EMAIL": "ana@example.org",
                 "GIT_COMMITTER_NAME": "Ana", "GIT_COMMITTER_EMAIL": "ana@example.org"}  # fmt: skip
        where = self.folder if self.folder.exists() else self.folder.parent
        done = subprocess.run(
            ["git", *words], cwd=where, input=stdin, capture_output=True, check=True,
            env=clean | env,
        )  # fmt: skip
        return done.stdout

    def commit(
        self, parent: str, files: Mapping[str, str | None], message: str = "Say it", **env: str
    ) -> str:
        """A commit upon `parent` with these files put (None: taken away); its id."""
        self.git("read-tree", parent)
        lines: list[str] = []
        for path, text in files.items():
            blob = NONE
            if text is not None:
                blob = self.git("hash-object", "-w", "--stdin", stdin=text.encode())
            lines.append(f"{'100644' if text is not None else '0'} {blob}\t{path}\n")
        self.git("update-index", "--index-info", stdin="".join(lines).encode())
        written = self.git("write-tree")
        return self.git("commit-tree", written, "-p", parent, "-m", message, **env)

    def body(self, old: str, new: str, ref: str = "refs/heads/main") -> bytes:
        """What a push of `new` sends."""
        asked = f"{new}\n^{old}\n".encode()
        packed = self.raw("pack-objects", "--revs", "--stdout", "-q", stdin=asked)
        return command(new, ref, old) + packed


async def receive(shelf: Shelf, actor: Actor, body: bytes) -> str:
    """The hub's answer to such a push, without the way through HTTP."""

    async def parts() -> AsyncIterator[bytes]:
        yield body

    said = await push.receive(shelf.publisher, shelf.workspace, actor, parts(), "http://hub")
    return said.decode()

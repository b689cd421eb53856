"""Packs that stand for more than they hold, or for nothing, and commits that strain whoever reads
them: told in a sentence, soon, and without a byte kept. As `test_git_hostile`, where bodies are
made of whole objects."""

from __future__ import annotations

import struct
import time
import zlib
from collections.abc import Callable
from hashlib import sha1

import httpx
import pytest

from tests.git_people import children, push_headers
from tests.pushing import BLOB, COMMIT, NONE, TREE, command, commit, id_of, pack, packet, tree
from tests.serving import Server
from tests.test_git_hostile import MAIN, PUSH, TEXT, Made, bens, filled
from tests.test_git_main import repository

__all__ = ["bens", "filled"]
OFFSET, REFERENCE = 6, 7
MISSING, ONE, OTHER = (one * 20 for one in (b"\xcc", b"\xaa", b"\xbb"))


def varint(size: int) -> bytes:
    found = bytearray()
    while size > 127:
        found.append(size & 127 | 128)
        size >>= 7
    return bytes([*found, size])


def copied(size: int, times: int, more: bytes = b"") -> bytes:
    """A delta: the whole base, so many times, and a few bytes behind it."""
    part = b"\xff" + bytes(4) + struct.pack("<I", size)[:3]
    end = bytes([len(more)]) + more if more else b""
    return varint(size) + varint(size * times + len(more)) + part * times + end


def entry(kind: int, data: bytes, base: bytes = b"") -> bytes:
    size, first, head = len(data) >> 4, kind << 4 | len(data) & 15, bytearray()
    while size:
        head.append(first | 128)
        first, size = size & 127, size >> 7
    return bytes([*head, first]) + base + zlib.compress(data, 9)


def behind(distance: int) -> bytes:
    """Where the base of an offset delta lies."""
    found = [distance & 127]
    while distance := distance >> 7:
        distance -= 1
        found.insert(0, 128 | distance & 127)
    return bytes(found)


def packed(*entries: bytes) -> bytes:
    body = b"PACK" + struct.pack(">II", 2, len(entries)) + b"".join(entries)
    return body + sha1(body).digest()


def asked(made: Made, *entries: bytes) -> bytes:
    return command(MISSING.hex(), MAIN, made.tip) + packed(*entries)


def growing(made: Made) -> bytes:
    """Sixty times its base, six times over: eight kilobytes that stand for four petabytes."""
    entries, size, at, last = [entry(BLOB, b"a" * 100_000)], 100_000, 12, 12
    at += len(entries[0])
    for _ in range(6):
        entries.append(entry(OFFSET, copied(min(size, 0xFFFFFF), 60), behind(at - last)))
        last, at, size = at, at + len(entries[-1]), size * 60
    return asked(made, *entries)


def long_chain(made: Made) -> bytes:
    """Each but a few bytes off the one before, nineteen thousand deep."""
    entries, at, last = [entry(BLOB, b"a" * 92)], 12, 12
    at += len(entries[0])
    size = 92
    for turn in range(19_000):
        delta = copied(size, 1, b"" if size > 92 else struct.pack(">Q", turn))
        entries.append(entry(OFFSET, delta, behind(at - last)))
        last, at, size = at, at + len(entries[-1]), 100
    return asked(made, *entries)


def deep_folders(made: Made) -> bytes:
    level, trees = tree(("100644", "x.prompt.yml", made.blob)), list[tuple[int, bytes]]()
    for _ in range(15_000):
        trees.append((TREE, level))
        level = tree(("40000", "d", id_of(TREE, level)))
    id, body = made.commit(files=level, more=tuple(trees))
    return command(id, MAIN, made.tip) + body


def many_parents(made: Made) -> bytes:
    id, body = made.commit(*[made.tip] * 30_000)
    return command(id, MAIN, made.tip) + body


def wide_folder(made: Made) -> bytes:
    entries = [("100644", f"p{n:06}.prompt.yml", made.blob) for n in range(100_000)]
    id, body = made.commit(files=tree(*entries))
    return command(id, MAIN, made.tip) + body


def long_message(made: Made) -> bytes:
    return made.push(message="word " * 2_000_000)


def odd_people(made: Made, who: bytes) -> bytes:
    root = tree(("100644", "x.prompt.yml", made.blob))
    body = commit(id_of(TREE, root), made.tip).replace(b"author Ana <ana@example.org>", who)
    objects = pack((BLOB, TEXT), (TREE, root), (COMMIT, body))
    return command(id_of(COMMIT, body), MAIN, made.tip) + objects


def thousands_of_refs(made: Made) -> bytes:
    names = [f"{NONE} {made.tip} refs/tags/t{n}" for n in range(10_000)]
    first = packet(f"{names[0]}\0 report-status".encode())
    return first + b"".join(packet(one.encode()) for one in names[1:]) + b"0000" + pack()


ATTACKS: dict[str, tuple[Callable[[Made], bytes], str]] = {
    "deltas of each other": (
        lambda m: asked(m, entry(REFERENCE, copied(10, 1), OTHER),
                        entry(REFERENCE, copied(10, 1), ONE)), "unresolved deltas"),
    "a delta of nothing": (lambda m: asked(m, entry(REFERENCE, copied(10, 1), ONE)), "unresolved"),
    "deltas that grow": (growing, "git does not accept"),
    "a long chain of deltas": (long_chain, "bad object"),
    "folders below folders": (deep_folders, "200 is the most"),
    "a hundred thousand files": (wide_folder, "may change 2,000 files at most"),
    "thirty thousand parents": (many_parents, "100 is the most"),
    "a message without end": (long_message, "10,000 is the most"),
    "a date that no clock has": (
        lambda m: odd_people(m, b"author Ana <a@x.org> 9"), "badTimezone"),
    "nobody": (lambda m: odd_people(m, b"author \xff"), "missingEmail"),
    "ten thousand tags": (thousands_of_refs, "Push one branch at a time"),
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_it_is_refused_soon_and_nothing_stays(filled: Server, bens: str, attack: str):
    on, (make, sentence) = repository(filled), ATTACKS[attack]
    before = (on.refs("refs/"), on.packs())
    body = make(Made(on))
    began = time.monotonic()
    answer = httpx.post(filled.url + PUSH, headers=push_headers(bens), content=body, timeout=60)
    assert time.monotonic() - began < 60
    assert (answer.status_code, sentence in answer.text) == (200, True), answer.text[-500:]
    assert "ng refs/" in answer.text
    assert (on.refs("refs/"), on.packs()) == before
    assert not [*(on.path / "objects").glob("tmp_objdir*")]
    assert not children(filled)

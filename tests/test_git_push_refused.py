"""What a push may not hold is refused, and says so; packets that git would not send."""

from __future__ import annotations

import re
import socket
import struct
import subprocess
import time
import zlib
from hashlib import sha1
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from hub.registry.git.quarantine import PREFIX
from tests.git_people import CLEAN, children, git, push_headers
from tests.pushing import pack, packet
from tests.serving import Server
from tests.test_git_push import FILE, FOR_MAIN, PUSH, anas, copy, filled, prompt, repository, write

__all__ = ["anas", "copy", "filled"]
NONE = b"0" * 40


# --- what is refused, and how --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("+HEAD:refs/heads/deploy", "cannot move labels here"),
        ("HEAD:refs/heads/mine", "keeps no branches or tags"),
        ("HEAD:refs/heads/MAIN", "keeps no branches or tags"),
        ("HEAD:refs/tags/main", "keeps no branches or tags"),
        ("HEAD:refs/proposals/1/2", "keeps no branches or tags"),
        ("HEAD:refs/hub/x", "keeps no branches or tags"),
        ("HEAD:refs/notes/reviews", "keeps no branches or tags"),
        ("+HEAD:refs/notes/pushed", "keeps no branches or tags"),
        ("HEAD:refs/for/deploy", "keeps no branches or tags"),
        ("HEAD:refs/heads/proposals/99999", "There is no proposal 99999"),
    ],
)
def test_other_refs_are_refused_with_the_way_to_go(copy: Path, spec: str, sentence: str):
    write(copy, "a/ref.prompt.yml", prompt("Where to?"))
    before = git(copy, "ls-remote", "origin")
    assert sentence in git(copy, "push", "origin", spec, ok=False)
    assert git(copy, "ls-remote", "origin") == before


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("a/b.prompt.yml", "messages:\n  - role: boss\n    content: x\n", "a/b.prompt.yml: Line 2"),
        ("a/b.prompt.yml", "messages: [", "a/b.prompt.yml: Line"),
        ("a/b.prompt.yml", prompt("x") + "id: '../x'\n", "may only hold letters"),
        ("a/b.prompt.yml", "a: &x [1]\nmessages: *x\n", "a/b.prompt.yml: Line"),
        ("a/b.prompt.yml", "template: jinja\n" + prompt("'{% for %}'"), "remote: "),
        ("a/b.prompt.yml", prompt("x" * (1 << 20)), "1 MiB is the most"),
        ("README.md", "Hello", "README.md: only prompt files belong here"),
        (".gitattributes", "* filter=x", ".gitattributes: only prompt files belong here"),
        ("a/.hidden.prompt.yml", prompt("x"), "cannot be part of a name"),
        ("Support/Triage.prompt.yml", prompt("x"), "use small letters"),
        ("con.prompt.yml", prompt("x"), "reserved word on Windows"),
        ("a\nb.prompt.yml", prompt("x"), "cannot be part of a name"),
        ("a\\b.prompt.yml", prompt("x"), "cannot be part of a name"),
        ("caf\u00e9.prompt.yml", prompt("x"), "cannot be part of a name"),
        ("a/b.git/c.prompt.yml", prompt("x"), "may not end with"),
        (f"{'a' * 80}.prompt.yml", prompt("x"), "longer than 64"),
        ("/".join("abcdefghi") + ".prompt.yml", prompt("x"), "Use fewer folders"),
        (f"{FILE}/b.prompt.yml", prompt("x"), "may not end with `.yml`"),
    ],
)
def test_files_that_cannot_be_prompts_are_named(copy: Path, name: str, data: str, sentence: str):
    if name.startswith(FILE):
        (copy / FILE).unlink()
    write(copy, name, data)
    said = git(copy, "push", "origin", FOR_MAIN, ok=False)
    assert sentence in said
    assert "[remote rejected]" in said


def tree_of(copy: Path, mode: str, name: bytes, id: str, kind: str = "tree") -> str:
    """A tree of one entry, whatever git would think of it."""
    raw = mode.encode() + b" " + name + b"\0" + bytes.fromhex(id)
    done = subprocess.run(
        ["git", "hash-object", "-w", "--literally", "-t", kind, "--stdin"], cwd=copy, env=CLEAN,
        input=raw, capture_output=True, check=True,
    )  # fmt: skip
    return done.stdout.decode().strip()


@pytest.mark.parametrize(
    ("mode", "name", "sentence"),
    [
        ("120000", b"a.prompt.yml", "a symbolic link"),
        ("120000", b".gitmodules", "remote: "),
        ("160000", b"a.prompt.yml", "a submodule"),
        ("100755", b"a.prompt.yml", "an executable file"),
        ("100644", b"..", "remote: "),
        ("100644", b".git", "remote: "),
        ("100644", b".GIT", "remote: "),
        ("100644", b"git~1", "remote: "),
        ("100644", b".g\xe2\x80\x8cit", "remote: "),
        ("100644", b"a/b.prompt.yml", "remote: "),
        ("0100644", b"a.prompt.yml", "remote: "),
        ("100644", b"\xff.prompt.yml", "cannot be part of a name"),
    ],
)
def test_trees_that_git_would_not_make(copy: Path, mode: str, name: bytes, sentence: str):
    blob = git(copy, "rev-parse", f"HEAD:{FILE}").strip()
    id = git(copy, "rev-parse", "HEAD").strip() if mode == "160000" else blob
    tree = tree_of(copy, mode, name, id)
    commit = git(copy, "commit-tree", tree, "-p", "HEAD", "-m", "Hostile").strip()
    said = git(copy, "push", "origin", f"{commit}:refs/for/main", ok=False)
    assert sentence in said
    assert "rejected]" in said


def test_unrelated_history_nothing_new_and_too_much(copy: Path):
    tree = git(copy, "rev-parse", "HEAD^{tree}").strip()
    alone = git(copy, "commit-tree", tree, "-m", "Alone").strip()
    assert "no common history" in git(copy, "push", "origin", f"{alone}:refs/for/main", ok=False)
    assert "nothing new" in git(copy, "push", "origin", FOR_MAIN, ok=False)
    same = git(copy, "commit-tree", tree, "-p", "HEAD", "-m", "Same").strip()
    assert "change nothing" in git(copy, "push", "origin", f"{same}:refs/for/main", ok=False)
    for turn in range(101):
        (copy / f"p{turn}.prompt.yml").write_text(prompt(str(turn)))
    git(copy, "add", "-A")
    git(copy, "commit", "-q", "-m", "Many")
    assert "1 to 100 prompts" in git(copy, "push", "origin", FOR_MAIN, ok=False)


# --- packets that git would not send -------------------------------------------------------------


def command(new: bytes, ref: bytes = b"refs/for/main", old: bytes = NONE) -> bytes:
    return packet(old + b" " + new + b" " + ref + b"\0 report-status") + b"0000"


ID = b"1" * 40


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"0000", 200, b""),
        (b"", 200, b""),
        (b"zzzz", 422, b"words"),
        (b"0003", 422, b"words"),
        (b"ffff", 422, b"words"),
        (b"0008abcd", 422, b"words"),
        (packet(b"no command") + b"0000", 422, b"words"),
        (packet(b"shallow " + ID) + b"0000", 422, b"words"),
        (command(b"x" * 40) + pack(), 422, b"words"),
        (command(b"--upload-pack=id"), 422, b"words"),
        (b"".join(packet(NONE + b" " + ID + b" refs/for/main") for _ in range(101)), 422, b""),
        (command(ID), 200, b"ng refs/for/main"),
        (command(ID) + b"PACK", 200, b"ng refs/for/main"),
        (command(ID) + pack((3, b"x"))[:-4], 200, b"ng refs/for/main"),
        (command(ID) + pack((3, b"x"), count=2), 200, b"ng refs/for/main"),
        (command(ID) + pack((3, b"x"), count=1 << 31), 200, b"objects at most"),
        (command(ID) + pack((3, b"x")), 200, b"ng refs/for/main"),
        (command(ID) + pack((1, b"not a commit")), 200, b"ng refs/for/main"),
        (command(ID) + pack((2, b"100644 .git\0" + bytes(20))), 200, b"ng refs/for/main"),
        (command(NONE, b"refs/heads/main", ID), 200, b"Nothing can be deleted"),
        (command(NONE, b"refs/heads/deploy"), 200, b"Nothing can be deleted"),
        (command(ID, b"HEAD") + pack(), 200, b"no branches or tags"),
        (command(ID, b"refs/heads/main") + pack(), 200, b"do not stand on"),
        (command(ID, b"refs/heads/main", ID) + pack(), 200, b"do not stand on"),
        (command(ID, b"refs/heads/proposals/../main") + pack(), 200, b"ng "),
        (command(ID, b"refs/heads/proposals/a\nok refs/heads/main") + pack(), 422, b"words"),
        (command(ID, b"refs/heads/proposals/-x;id") + pack(), 200, b"ng "),
        (
            packet(NONE + b" " + ID + b" refs/for/main\0 report-status")
            + packet(NONE + b" " + ID + b" refs/heads/main") + b"0000" + pack(),
            200, b"one branch at a time",
        ),
    ],
)  # fmt: skip
def test_raw_packets(filled: Server, anas: str, body: bytes, status: int, said: bytes):
    before = repository(filled).refs("refs/")
    answer = httpx.post(filled.url + PUSH, headers=push_headers(anas), content=body, timeout=60)
    assert (answer.status_code, said in answer.content) == (status, True), answer.content
    assert not re.search(rb"[0-9a-f]{4}ok refs/", answer.content)
    assert repository(filled).refs("refs/") == before


def zeros(size: int) -> bytes:
    """So many zeros as zlib says them, put together from one mebibyte of them: they end in their
    Adler-32, whose halves are one and how many they are."""
    packed = zlib.compressobj(9, wbits=-15)
    piece = packed.compress(bytes(1 << 20)) + packed.flush(zlib.Z_FULL_FLUSH)
    last = b"\x03\x00"
    return b"\x78\xda" + piece * (size >> 20) + last + struct.pack(">HH", size % 65_521, 1)


def test_zeros_are_what_zlib_says():
    assert zlib.decompress(zeros(3 << 20)) == bytes(3 << 20)


def test_a_small_pack_that_stands_for_a_gigabyte(filled: Server, anas: str):
    size = 1 << 30
    head = bytearray([3 << 4 | size & 15 | 128])
    rest = size >> 4
    while rest > 127:
        head.append(rest & 127 | 128)
        rest >>= 7
    head.append(rest)
    data = zeros(size)
    assert len(data) < 2_000_000
    body = b"PACK" + struct.pack(">II", 2, 1) + bytes(head) + data
    body += sha1(body).digest()
    answer = httpx.post(
        filled.url + PUSH, headers=push_headers(anas), content=command(ID) + body, timeout=120
    )
    assert b"ng refs/for/main" in answer.content
    assert httpx.get(f"{filled.url}/healthz", timeout=60).status_code == 200


def test_a_push_that_is_cut_leaves_nothing(filled: Server, anas: str):
    parts = urlsplit(filled.url)
    body = command(ID) + pack(*((3, str(n).encode()) for n in range(500)))
    head = (
        f"POST {PUSH} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n"
        + "".join(f"{name}: {value}\r\n" for name, value in push_headers(anas).items())
        + "\r\n"
    )
    with socket.create_connection((parts.hostname or "", parts.port or 0)) as line:
        line.sendall(head.encode() + body[: len(body) // 2])
        until = time.monotonic() + 60
        while not children(filled) and time.monotonic() < until:
            time.sleep(0.02)
        assert children(filled)
        assert [*(repository(filled).path / "objects").glob(f"{PREFIX}*")]
    until = time.monotonic() + 60
    while time.monotonic() < until and (
        children(filled) or [*(repository(filled).path / "objects").glob(f"{PREFIX}*")]
    ):
        time.sleep(0.05)
    assert not children(filled)
    assert not [*(repository(filled).path / "objects").glob(f"{PREFIX}*")]

"""Pushing with stock git, and with packets that stock git would not send: a proposal comes of it,
or a refusal that the pusher can act on; no ref moves. Pushes to main itself: `test_git_main`."""

from __future__ import annotations

import os
import re
import socket
import struct
import subprocess
import time
import zlib
from collections.abc import Iterator
from hashlib import sha1
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from hub.registry import recover
from hub.registry.quarantine import PREFIX, Quarantine
from hub.registry.repository import Repository
from tests.git_people import CLEAN, address, basic, children, clone, git, own_key, save
from tests.pushing import pack, packet
from tests.serving import Server

FILE = "support/triage.prompt.yml"
FOR_MAIN = "HEAD:refs/for/main"
PUSH = "/clinic.git/git-receive-pack"
NONE = b"0" * 40


@pytest.fixture(scope="module")
def filled(server: Server) -> Server:
    save(server, "support/triage", "Be kind.")
    save(server, "tutor/maths", "Explain fractions.")
    return server


@pytest.fixture(scope="module")
def anas(filled: Server) -> str:
    return own_key(filled, "ana")


@pytest.fixture
def copy(filled: Server, anas: str, tmp_path: Path) -> Iterator[Path]:
    """Ana's clone; whatever the test does, nothing of it is in the hub's repository."""
    before = repository(filled).tips()
    yield clone(filled, tmp_path, key=anas)
    assert repository(filled).tips() == before
    left = [*(repository(filled).path / "objects").glob(f"{PREFIX}*")]
    assert not left
    assert not children(filled)


def repository(server: Server) -> Repository:
    return Repository(server.settings.repositories / "clinic.git")


def proposal(server: Server, number: int) -> dict[str, Any]:
    answer = httpx.get(
        f"{server.url}/api/v1/proposals/{number}", headers=server.headers("write"), timeout=30
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def write(copy: Path, name: str, text: str, message: str = "Say it better") -> None:
    path = copy / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    git(copy, "add", "-A")
    git(copy, "commit", "-q", "-m", message)


def prompt(text: str) -> str:
    return f"messages:\n  - role: system\n    content: {text}\n"


def number_in(said: str) -> int:
    found = re.search(r"remote: http://\S+/clinic/proposals/(\d+)", said)
    assert found, said
    return int(found[1])


# --- what comes of it ----------------------------------------------------------------------------


@pytest.mark.parametrize("ref", ["refs/for/main", "refs/heads/proposals/kinder"])
def test_a_push_opens_a_proposal_and_says_where(filled: Server, copy: Path, ref: str):
    text = (copy / FILE).read_text().replace("Be kind.", f"Be kinder for {ref}.")
    write(copy, FILE, text, "Be kinder\n\nPatients asked for it.")
    said = git(copy, "push", "origin", f"HEAD:{ref}")
    made = proposal(filled, number_in(said))
    assert (made["title"], made["author"], made["state"]) == ("Be kinder", "Ana Oliveira", "open")
    assert made["why"] == "Patients asked for it."
    assert [(one["kind"], one["name"]) for one in made["items"]] == [("change", "support/triage")]
    assert "remote: Proposal" in said


def test_a_push_to_its_number_is_another_revision(filled: Server, copy: Path):
    write(copy, "a/revised.prompt.yml", prompt("One."))
    number = number_in(git(copy, "push", "origin", FOR_MAIN))
    write(copy, "a/revised.prompt.yml", prompt("Two."), "Shorter")
    again = f"HEAD:refs/heads/proposals/{number}"
    said = git(copy, "push", "origin", again)
    assert number_in(said) == number
    assert f"Proposal {number} has revision 2" in said
    assert "says that already" in git(copy, "push", "origin", again)
    assert proposal(filled, number)["revision"] == 2


def test_new_renamed_and_deleted_prompts_come_as_what_they_are(filled: Server, copy: Path):
    git(copy, "rm", "-q", "tutor/maths.prompt.yml")
    (copy / "care").mkdir()
    git(copy, "mv", FILE, "care/sorting.prompt.yml")
    write(copy, "care/new.prompt.yml", prompt("Hello."))
    made = proposal(filled, number_in(git(copy, "push", "origin", FOR_MAIN)))
    kinds = {(one["kind"], one["name"]) for one in made["items"]}
    assert kinds == {
        ("delete", "tutor/maths"), ("rename", "support/triage"), ("create", "care/new")
    }  # fmt: skip


def test_who_wrote_the_commits_is_an_author_too(filled: Server, copy: Path):
    (copy / "a").mkdir()
    (copy / "a/bens.prompt.yml").write_text(prompt("Ben's."))
    git(copy, "add", "-A")
    git(copy, "commit", "-q", "-m", "His", "--author", "Ben <ben@example.org>")
    number = number_in(git(copy, "push", "origin", FOR_MAIN))
    made = proposal(filled, number)
    assert "Co-authored-by: Ben <ben@example.org>" in made["why"]
    answer = httpx.post(
        f"{filled.url}/api/v1/proposals/{number}/reviews",
        headers={"Authorization": f"Bearer {own_key(filled, 'ben', name='review')}"},
        json={"verdict": "approve", "digest": made["digest"]}, timeout=30,
    )  # fmt: skip
    assert answer.status_code == 403, answer.text


def test_several_commits_come_as_one_change(filled: Server, copy: Path):
    for turn in range(3):
        write(copy, "a/several.prompt.yml", prompt(f"Draft {turn}."), f"Draft {turn}")
    made = proposal(filled, number_in(git(copy, "push", "origin", FOR_MAIN)))
    assert (made["title"], len(made["items"])) == ("Draft 2", 1)


def test_a_push_from_a_shallow_clone_and_on_an_old_main(filled: Server, anas: str, tmp_path: Path):
    shallow = clone(filled, tmp_path, "--depth=1", key=anas)
    save(filled, f"later/p{time.time_ns()}", "Meanwhile.")
    write(shallow, "a/shallow.prompt.yml", prompt("From a shallow clone."))
    made = proposal(filled, number_in(git(shallow, "push", "origin", FOR_MAIN)))
    assert [one["name"] for one in made["items"]] == ["a/shallow"]


def test_a_large_push_comes_in_chunks(filled: Server, copy: Path):
    """More than git keeps in memory: it asks first, then sends without saying how long."""
    for turn in range(4):
        noise = zlib.compress(str(turn).encode()).hex() + "".join(
            sha1(f"{turn}.{n}".encode()).hexdigest() for n in range(20_000)
        )
        (copy / f"big{turn}.prompt.yml").write_text(prompt(noise))
    git(copy, "add", "-A")
    git(copy, "commit", "-q", "-m", "Large")
    said = git(
        copy, "-c", "http.postBuffer=65536", "push", "origin", FOR_MAIN,
        env={"GIT_TRACE_CURL": "1", "GIT_TRACE_CURL_NO_DATA": "1"},
    )  # fmt: skip
    assert "Transfer-Encoding: chunked" in said
    assert len(proposal(filled, number_in(said))["items"]) == 4


# --- who may -------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["carla", "app"])
def test_whoever_may_propose_may_push(filled: Server, copy: Path, who: str):
    key = filled.cast.write_key if who == "app" else own_key(filled, who)
    write(copy, f"a/by-{who}.prompt.yml", prompt("Mine."))
    assert number_in(git(copy, "push", address(filled, key), FOR_MAIN))


def test_others_do_not_even_begin(filled: Server, copy: Path):
    write(copy, "a/never.prompt.yml", prompt("Never."))
    said = git(copy, "push", address(filled, filled.cast.read_key), FOR_MAIN, ok=False)
    assert "This key may only read" in said
    assert "not found" in git(
        copy, "push", address(filled, filled.cast.rival_key), FOR_MAIN, ok=False
    )
    assert "Authentication failed" in git(
        copy, "push", address(filled, "nonsense"), FOR_MAIN, ok=False
    )
    for key, status in (("", 401), (filled.cast.rival_key, 404), (filled.cast.read_key, 403)):
        answer = httpx.post(filled.url + PUSH, headers=basic(key), content=b"0000")
        assert answer.status_code == status


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
    answer = httpx.post(filled.url + PUSH, headers=basic(anas), content=body, timeout=60)
    assert (answer.status_code, said in answer.content) == (status, True), answer.content
    assert not re.search(rb"[0-9a-f]{4}ok refs/", answer.content)
    assert repository(filled).refs("refs/") == before


def test_a_small_pack_that_stands_for_a_gigabyte(filled: Server, anas: str):
    size = 1 << 30
    head = bytearray([3 << 4 | size & 15 | 128])
    rest = size >> 4
    while rest > 127:
        head.append(rest & 127 | 128)
        rest >>= 7
    head.append(rest)
    packed = zlib.compressobj(9)
    data = b"".join(packed.compress(bytes(1 << 20)) for _ in range(1024)) + packed.flush()
    body = b"PACK" + struct.pack(">II", 2, 1) + bytes(head) + data
    body += sha1(body).digest()
    answer = httpx.post(
        filled.url + PUSH, headers=basic(anas), content=command(ID) + body, timeout=120
    )
    assert b"ng refs/for/main" in answer.content
    assert httpx.get(f"{filled.url}/healthz", timeout=30).status_code == 200


def test_a_push_that_is_cut_leaves_nothing(filled: Server, anas: str):
    parts = urlsplit(filled.url)
    body = command(ID) + pack(*((3, str(n).encode()) for n in range(500)))
    head = (
        f"POST {PUSH} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n"
        f"Authorization: {basic(anas)['Authorization']}\r\n\r\n"
    )
    with socket.create_connection((parts.hostname or "", parts.port or 0)) as line:
        line.sendall(head.encode() + body[: len(body) // 2])
        until = time.monotonic() + 15
        while not children(filled) and time.monotonic() < until:
            time.sleep(0.02)
        assert children(filled)
        assert [*(repository(filled).path / "objects").glob(f"{PREFIX}*")]
    until = time.monotonic() + 15
    while time.monotonic() < until and (
        children(filled) or [*(repository(filled).path / "objects").glob(f"{PREFIX}*")]
    ):
        time.sleep(0.05)
    assert not children(filled)
    assert not [*(repository(filled).path / "objects").glob(f"{PREFIX}*")]


def test_what_a_killed_hub_left_of_a_push_is_swept_at_its_next_start(tmp_path: Path):
    made = Repository.create(tmp_path / "clinic.git")
    left = Quarantine(made).folder  # never ended: the hub was killed
    (left / "pack").mkdir()
    (left / "pack" / "tmp_pack_x").write_bytes(b"half")
    half = made.path / "objects/pack/pack-x.pack"  # handed over, but for its index
    half.write_bytes(b"half")
    assert recover.sweep(made, {}) == [str(left)]
    assert not left.exists()
    assert half.exists()  # a git that outlived the hub may be about to write its index,
    os.utime(half, (time.time() - 3600,) * 2)
    assert recover.sweep(made, {}) == [str(half)]  # but not for an hour
    assert not half.exists()

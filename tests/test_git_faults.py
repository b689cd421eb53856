"""What goes wrong round a push that nobody means badly: clocks, bytes, sizes, disks, old hooks,
other gits at work in the same repository. docs/git-faults.md says which test holds which fault."""

from __future__ import annotations

import gzip
import hashlib
import re
from pathlib import Path

import httpx
import pytest

from hub.registry.models import Version
from tests.git_people import basic, clone, git, own_key, push_headers, save
from tests.pushing import BLOB, COMMIT, TREE, Scratch, command, commit, id_of, pack, tree
from tests.serving import Server
from tests.test_git_main import MAIN, repository, rows
from tests.test_git_push import prompt, write
from tests.test_repository import noise

PUSH = "/clinic.git/git-receive-pack"
REF = "refs/heads/main"


@pytest.fixture(scope="module")
def filled(server: Server) -> Server:
    save(server, "support/triage", "Be kind.")
    return server


@pytest.fixture(scope="module")
def anas(filled: Server) -> str:
    return own_key(filled, "ana")


@pytest.fixture
def scratch(filled: Server, tmp_path: Path) -> Scratch:
    return Scratch(repository(filled).path, tmp_path / "scratch.git")


def push(server: Server, key: str, body: bytes, **headers: str) -> str:
    given = push_headers(key) | headers
    answer = httpx.post(server.url + PUSH, headers=given, content=body, timeout=60)
    return answer.content.decode("utf-8", "replace")


def test_the_page_of_faults_names_tests_that_are_there():
    root = Path(__file__).parent
    text = (root.parent / "docs" / "git-faults.md").read_text()
    named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", text)
    missing = [(file, one) for file, one in named if f"def {one}(" not in (root / file).read_text()]
    assert not missing
    numbers = [int(one) for one in re.findall(r"^\| (\d+) ", text, re.M)]
    assert numbers == list(range(1, 41))


# --- what files hold -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "taken"),
    [
        (b"messages:\r\n- role: user\r\n  content: One\r\n", True),
        (b"messages:\n- role: user\n  content: One", True),
        (b"\xef\xbb\xbfmessages:\n- role: user\n  content: One\n", True),
        (b'messages:\n- role: user\n  content: "a\\0b"\n', True),
        (b"messages:\n- role: user\n  content: a\0b\n", False),
        (b"messages:\n- role: user\n  content: \xff\xfe\n", False),
    ],
    ids=["CRLF", "no final newline", "BOM", "NUL in quotes", "NUL", "no UTF-8"],
)
def test_bytes_come_in_as_they_are_or_not_at_all(
    filled: Server, anas: str, data: bytes, taken: bool
):
    on = repository(filled)
    old, blob = on.tip(REF) or "", id_of(BLOB, data)
    name = f"odd{blob[:8]}"
    kept = [
        (mode, path, id)
        for mode, id, path in (
            (line.split()[0], line.split()[2], line.split("\t")[1])
            for line in on.run("ls-tree", old).decode().splitlines()
        )
    ]
    entries = sorted([*kept, ("100644", f"{name}.prompt.yml", blob)], key=lambda one: one[1])
    root = tree(*((mode.lstrip("0"), path, id) for mode, path, id in entries))
    made = commit(id_of(TREE, root), old)
    packed = pack((BLOB, data), (TREE, root), (COMMIT, made))
    said = push(filled, anas, command(id_of(COMMIT, made), REF, old) + packed)
    assert (f"ok {REF}" in said) == taken, said
    found = [one.hash for one in rows(filled, Version, Version.name == name)]
    assert found == ([hashlib.sha256(data).hexdigest()] if taken else [])
    assert taken or f"{name}.prompt.yml" in said


@pytest.mark.parametrize(
    "name", ["café", "cafe\N{COMBINING ACUTE ACCENT}", "a" * 300, "con", "a/aux", "-x"]
)
def test_names_that_other_disks_confuse_are_refused(
    filled: Server, anas: str, scratch: Scratch, name: str
):
    old = repository(filled).tip(REF) or ""
    made = scratch.commit(old, {f"{name}.prompt.yml": prompt("x")})
    assert f"ng {REF}" in push(filled, anas, scratch.body(old, made))


def test_clocks_say_what_they_like_and_the_order_is_that_of_the_line(
    filled: Server, anas: str, scratch: Scratch
):
    old = tip = repository(filled).tip(REF) or ""
    for turn, year in enumerate((2100, 1970, 2030)):
        when = f"@{(year - 1970) * 31_557_600 + 86_400} +0000"
        tip = scratch.commit(
            tip, {"a/clock.prompt.yml": prompt(str(year))}, f"Turn {turn}",
            GIT_AUTHOR_DATE=when, GIT_COMMITTER_DATE=when,
        )  # fmt: skip
    assert f"ok {REF}" in push(filled, anas, scratch.body(old, tip))
    made = rows(filled, Version, Version.name == "a/clock")
    found = [(one.number, one.message, one.created_at.year) for one in made]
    assert found == [(1, "Turn 0", 2100), (2, "Turn 1", 1970), (3, "Turn 2", 2030)]
    cookies = {"__Host-session": filled.cast.cookies["ana"]}
    page = httpx.get(f"{filled.url}/clinic/history/a/clock", cookies=cookies).text
    assert len(re.findall(r"data-relative>\d* ?\w+ (?:2100|1970|2030)</time>", page)) == 3
    assert "just now" not in page


# --- sizes ---------------------------------------------------------------------------------------


def test_ten_thousand_commits_are_too_many(filled: Server, anas: str, scratch: Scratch):
    old = repository(filled).tip(REF) or ""
    script = [f"commit refs/heads/many\nmark :1\ncommitter A <a@x.org> 1 +0000\ndata 0\nfrom {old}"]
    script += [
        f"commit refs/heads/many\nmark :{n}\ncommitter A <a@x.org> {n} +0000\ndata 0"
        for n in range(2, 10_001)
    ]
    scratch.git("fast-import", "--quiet", stdin="\n".join([*script, "done", ""]).encode())
    made = scratch.git("rev-parse", "refs/heads/many")
    before = repository(filled).packs()
    assert "1,000 commits at most" in push(filled, anas, scratch.body(old, made))
    assert repository(filled).packs() == before
    assert httpx.get(f"{filled.url}/healthz").status_code == 200


def test_a_pack_of_more_than_16_mib(filled: Server, anas: str):
    large = noise(17 << 20).encode()
    body = command("1" * 40) + pack((BLOB, large))
    assert "ng " in push(filled, anas, body) or len(body) < (16 << 20)
    assert httpx.get(f"{filled.url}/healthz").status_code == 200


# --- on the way ----------------------------------------------------------------------------------


def test_a_push_may_be_packed(filled: Server, anas: str, scratch: Scratch):
    old = repository(filled).tip(REF) or ""
    body = scratch.body(old, scratch.commit(old, {"a/zipped.prompt.yml": prompt("Zipped.")}))
    said = push(filled, anas, gzip.compress(body), **{"Content-Encoding": "gzip"})
    assert f"ok {REF}" in said


def test_a_repository_of_another_kind_is_told_apart(filled: Server, anas: str, tmp_path: Path):
    git(tmp_path, "init", "-q", "--object-format=sha256", "other")
    other = tmp_path / "other"
    write(other, "a/x.prompt.yml", prompt("x"))
    address = git(clone(filled, tmp_path, key=anas), "remote", "get-url", "origin").strip()
    said = git(other, "push", address, MAIN, ok=False)
    assert "algorithm" in said


def test_ten_thousand_refs_are_neither_shown_nor_in_the_way(
    filled: Server, anas: str, scratch: Scratch
):
    on = repository(filled)
    old = on.tip(REF) or ""
    packed = on.path / "packed-refs"
    before = (
        packed.read_text() if packed.exists() else "# pack-refs with: peeled fully-peeled sorted\n"
    )
    many = "".join(f"{old} refs/hub/many/{n:05}\n" for n in range(10_000))
    packed.write_text(before + many)
    shown = httpx.get(
        f"{filled.url}/clinic.git/info/refs?service=git-receive-pack", headers=basic(anas)
    )
    assert b"refs/hub" not in shown.content
    assert len(shown.content) < 1000
    body = scratch.body(old, scratch.commit(old, {"a/refs.prompt.yml": prompt("Among many.")}))
    assert f"ok {REF}" in push(filled, anas, body)
    packed.write_text(before)


# --- what else is in the repository --------------------------------------------------------------


def test_planted_hooks_do_not_run(filled: Server, anas: str, scratch: Scratch, tmp_path: Path):
    """Brought by a template or a restored backup."""
    canary, hooks = tmp_path / "canary", repository(filled).path / "hooks"
    hooks.mkdir(exist_ok=True)
    names = (
        "pre-receive update post-receive post-update proc-receive reference-transaction "
        "push-to-checkout pre-auto-gc post-index-change"
    ).split()
    for name in names:
        (hooks / name).write_text(f"#!/bin/sh\necho {name} >> {canary}\n")
        (hooks / name).chmod(0o755)
    old = repository(filled).tip(REF) or ""
    body = scratch.body(old, scratch.commit(old, {"a/hooks.prompt.yml": prompt("Hooked?")}))
    assert f"ok {REF}" in push(filled, anas, body)
    save(filled, "a/saved-with-hooks", "Hooked?")
    clone(filled, tmp_path, key=anas)
    assert not canary.exists()
    for name in names:
        (hooks / name).unlink()

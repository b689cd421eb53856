"""Pushes made by hand, of what stock git would not send: each is refused and changes nothing, and
not one of its objects stays. Bodies that are not even git's words: `test_git_push`."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
import pytest

from hub.registry.git.repository import Repository
from tests.git_people import own_key, push_headers, save
from tests.pushing import (
    BLOB,
    COMMIT,
    NONE,
    PERSON,
    TAG,
    TREE,
    command,
    commit,
    id_of,
    pack,
    packet,
    tree,
)
from tests.serving import Server
from tests.test_git_main import repository
from tests.test_git_push import prompt, proposal

PUSH = "/clinic.git/git-receive-pack"
HUB = "Prompt Hub <hub@localhost> 1700000000 +0000"
MAIN, DEPLOY = "refs/heads/main", "refs/heads/deploy"
TEXT = prompt("Hostile.").encode()


@pytest.fixture(scope="module")
def filled(server: Server) -> Server:
    first = save(server, "support/triage", "Be kind.")
    save(server, "support/triage", "Be brief.", first["hash"])
    where = f"{server.url}/api/v1/labels/production/support/triage"
    httpx.put(where, headers=server.headers("write"), json={"version": 1})
    answer = httpx.post(
        f"{server.url}/api/v1/proposals", headers=server.headers("write"),
        json={"title": "Open", "items": [{"kind": "delete", "name": "support/triage"}]},
    )  # fmt: skip
    assert answer.status_code in {200, 201}, answer.text
    return server


@pytest.fixture(scope="module")
def bens(filled: Server) -> str:
    """He may save and release."""
    return own_key(filled, "ben")


class Made:
    """A commit with its objects, upon main as it is."""

    def __init__(self, on: Repository) -> None:
        self.on = on
        self.tip = on.tip(MAIN) or ""
        self.deploy = on.tip(DEPLOY) or ""
        self.blob = id_of(BLOB, TEXT)

    def commit(
        self, *parents: str, files: bytes | None = None, more: tuple[tuple[int, bytes], ...] = (),
        **said: str,
    ) -> tuple[str, bytes]:  # fmt: skip
        """Its id, and a pack with it."""
        root = tree(("100644", "x.prompt.yml", self.blob)) if files is None else files
        body = commit(id_of(TREE, root), *(parents or (self.tip,)), **said)
        objects = ((BLOB, TEXT), (TREE, root), (COMMIT, body), *more)
        return id_of(COMMIT, body), pack(*objects)

    def push(self, ref: str = MAIN, old: str | None = None, **more: str) -> bytes:
        id, packed = self.commit(**more)
        return command(id, ref, self.tip if old is None else old) + packed

    def file(self, mode: str, name: str) -> bytes:
        """A tree of one entry."""
        target = self.tip if mode == "160000" else self.blob
        id, packed = self.commit(files=tree((mode, name, target)))
        return command(id, MAIN, self.tip) + packed


def alone(made: Made) -> bytes:
    """History put aside: a root, as if forced."""
    root = tree(("100644", "x.prompt.yml", made.blob))
    body = commit(id_of(TREE, root))
    objects = pack((BLOB, TEXT), (TREE, root), (COMMIT, body))
    return command(id_of(COMMIT, body), MAIN, made.tip) + objects


def back(made: Made) -> bytes:
    """main to where it was."""
    parent = made.on.run("rev-parse", f"{made.tip}^").decode().strip()
    return command(parent, MAIN, made.tip) + pack()


def two(made: Made) -> bytes:
    id, packed = made.commit()
    lines = [f"{made.tip} {id} {MAIN}\0 report-status atomic", f"{made.deploy} {NONE} {DEPLOY}"]
    return b"".join(packet(one.encode()) for one in lines) + b"0000" + packed


def without_blob(made: Made) -> bytes:
    root = tree(("100644", "x.prompt.yml", "2" * 40))
    body = commit(id_of(TREE, root), made.tip)
    return command(id_of(COMMIT, body), MAIN, made.tip) + pack((TREE, root), (COMMIT, body))


def without_parent(made: Made) -> bytes:
    id, packed = made.commit(made.tip, "3" * 40)
    return command(id, MAIN, made.tip) + packed


def said_to_be_shallow(made: Made) -> bytes:
    """The missing parent explained away."""
    id, packed = made.commit("3" * 40)
    return packet(b"shallow " + b"3" * 40) + command(id, MAIN, made.tip) + packed


def foxtrot(made: Made) -> bytes:
    """main on the second side, so that its own line would be another."""
    other = commit(id_of(TREE, tree(("100644", "y.prompt.yml", made.blob))))
    side = tree(("100644", "y.prompt.yml", made.blob))
    id, packed = made.commit(id_of(COMMIT, other), made.tip, more=((TREE, side), (COMMIT, other)))
    return command(id, MAIN, made.tip) + packed


def tag(made: Made) -> bytes:
    body = f"object {made.tip}\ntype commit\ntag main\ntagger {PERSON}\n\nx\n".encode()
    return command(id_of(TAG, body), MAIN, made.tip) + pack((TAG, body))


def bare_tree(made: Made) -> bytes:
    root = tree(("100644", "x.prompt.yml", made.blob))
    return command(id_of(TREE, root), MAIN, made.tip) + pack((BLOB, TEXT), (TREE, root))


def revision(made: Made) -> bytes:
    """An open proposal, merged by naming its commit, which lies there."""
    id = made.on.refs("refs/proposals/")["refs/proposals/1/1"]
    return command(id, MAIN, made.tip) + pack()


def forged_merge(made: Made) -> bytes:
    """The same as if the hub had merged it, with an approval that nobody gave."""
    id = made.on.refs("refs/proposals/")["refs/proposals/1/1"]
    said = made.on.run("cat-file", "commit", id).decode()
    digest = re.findall(r"^Digest: (\w+)", said, re.M)[0]
    message = f"Merged\n\nProposal: 1\nRevision: 1\nDigest: {digest}\nReviewed-by: Dora <d@x.org>"
    made_id, packed = made.commit(made.tip, id, committer=HUB, message=message)
    return command(made_id, MAIN, made.tip) + packed


def folders_without_end(made: Made) -> bytes:
    """Fifty folders of the same fifty folders, ten deep: more files than there are atoms."""
    level, trees = tree(("100644", "x.prompt.yml", made.blob)), []
    for _ in range(10):
        trees.append((TREE, level))
        same = id_of(TREE, level)
        level = tree(*(("40000", f"d{n:02}", same) for n in range(50)))
    id, packed = made.commit(files=level, more=tuple(trees))
    return command(id, MAIN, made.tip) + packed


def proposed_without_end(made: Made) -> bytes:
    body = folders_without_end(made)
    id = body.split(b" ")[1].decode()
    return command(id, "refs/for/main") + body[body.index(b"PACK") :]


def twice(made: Made) -> bytes:
    """Two files of one name: git shows the one, another program the other."""
    entry = ("100644", "x.prompt.yml", made.blob)
    id, packed = made.commit(files=tree(entry, entry))
    return command(id, MAIN, made.tip) + packed


def with_options(made: Made) -> bytes:
    id, packed = made.commit()
    head = command(id, MAIN, made.deploy, can="push-options push-cert=x")
    return head + packet(b"--upload-pack=touch /tmp/x") + b"0000" + packed


def spoilt(made: Made) -> bytes:
    return made.push()[:-1] + b"\0"


ATTACKS: dict[str, Callable[[Made], bytes]] = {
    "history put aside": alone,
    "main put back": back,
    "main deleted": lambda m: command(NONE, MAIN, m.tip),
    "deploy deleted": lambda m: command(NONE, DEPLOY, m.deploy),
    "both at once": two,
    "as if main were not there": lambda m: m.push(old=NONE),
    "as if main were elsewhere": lambda m: m.push(old=m.deploy),
    "main's history as deploy": lambda m: m.push(DEPLOY, old=m.deploy),
    "HEAD": lambda m: m.push("HEAD", old=m.tip),
    "a twin in capitals": lambda m: m.push("refs/heads/Main", old=NONE),
    "a branch below main": lambda m: m.push("refs/heads/main/x", old=NONE),
    "main's lock": lambda m: m.push("refs/heads/main.lock", old=NONE),
    "encoded": lambda m: m.push("refs%2Fheads%2Fmain"),
    "a way round": lambda m: m.push("refs/heads/proposals/../main"),
    "a proposal called like a lock": lambda m: m.push("refs/heads/proposals/a.lock"),
    "a proposal called like an option": lambda m: m.push("refs/heads/proposals/--force"),
    "refs/for another": lambda m: m.push("refs/for/deploy", old=NONE),
    "a proposal's revision": lambda m: m.push("refs/proposals/1/2", old=NONE),
    "who pushed what": lambda m: m.push("refs/notes/pushed", old=NONE),
    "one object in place of another": lambda m: m.push(f"refs/replace/{m.tip}", old=NONE),
    "the hub's own": lambda m: m.push("refs/hub/x", old=NONE),
    "a text that is not there": without_blob,
    "a parent that is not there": without_parent,
    "as if shallow": said_to_be_shallow,
    "another first line": foxtrot,
    "a tag": tag,
    "a tree": bare_tree,
    "a proposal without review": revision,
    "a merge that nobody made": forged_merge,
    "a link": lambda m: m.file("120000", "x.prompt.yml"),
    "a submodule": lambda m: m.file("160000", "x.prompt.yml"),
    "modules": lambda m: m.file("100644", ".gitmodules"),
    "a folder above": lambda m: m.file("40000", ".."),
    "git's folder": lambda m: m.file("100644", ".GIT"),
    "a folder in a name": lambda m: m.file("100644", "a/b.prompt.yml"),
    "one name twice": twice,
    "folders without end": folders_without_end,
    "a proposal of folders without end": proposed_without_end,
    "options": with_options,
    "a spoilt pack": spoilt,
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_hostile_push_changes_nothing(filled: Server, bens: str, attack: str):
    on = repository(filled)
    before = (on.refs("refs/"), on.packs(), (on.path / "HEAD").read_text())
    body = ATTACKS[attack](Made(on))
    answer = httpx.post(filled.url + PUSH, headers=push_headers(bens), content=body, timeout=60)
    assert b"ng " in answer.content or answer.status_code == 422, answer.content
    assert not re.search(rb"[0-9a-f]{4}ok ", answer.content)
    assert (on.refs("refs/"), on.packs(), (on.path / "HEAD").read_text()) == before
    assert proposal(filled, 1)["state"] == "open"


def test_the_same_by_hand_is_taken_when_it_is_honest(filled: Server, bens: str):
    """Else the refusals above might be of something that all of them have in common."""
    made = Made(repository(filled))
    files = tree(
        ("40000", "support", made.on.run("rev-parse", f"{made.tip}:support").decode().strip()),
        ("100644", "x.prompt.yml", made.blob),
    )
    id, packed = made.commit(files=files)
    body = command(id, MAIN, made.tip) + packed
    answer = httpx.post(filled.url + PUSH, headers=push_headers(bens), content=body, timeout=60)
    assert b"ok refs/heads/main" in answer.content, answer.content
    assert made.on.tip(MAIN) == id

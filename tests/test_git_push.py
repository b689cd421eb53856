"""Pushing with stock git: a proposal comes of it; no ref moves. What is refused:
`test_git_push_refused`; pushes to main itself: `test_git_main`."""

from __future__ import annotations

import os
import re
import time
import zlib
from collections.abc import Iterator
from hashlib import sha1
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub.registry.git.quarantine import PREFIX, Quarantine
from hub.registry.git.repository import Repository
from hub.registry.writing import recover
from tests.git_people import address, basic, children, clone, git, own_key, save
from tests.serving import Server

FILE = "support/triage.prompt.yml"
FOR_MAIN = "HEAD:refs/for/main"
PUSH = "/clinic.git/git-receive-pack"


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


def bearer(copy: Path) -> dict[str, str]:
    """What the clone signs in with, for REST."""
    address = git(copy, "config", "remote.origin.url")
    return {"Authorization": f"Bearer {re.findall(r'ph_[^@]+', address)[0]}"}


def repository(server: Server) -> Repository:
    return Repository(server.settings.repositories / "clinic.git")


def proposal(server: Server, number: int) -> dict[str, Any]:
    answer = httpx.get(
        f"{server.url}/api/v1/proposals/{number}", headers=server.headers("write"), timeout=60
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
    opened = git(copy, "push", "origin", FOR_MAIN)
    number = number_in(opened)
    write(copy, "a/revised.prompt.yml", prompt("Two."), "Shorter")
    again = f"HEAD:refs/heads/proposals/{number}"
    assert f"another revision of it: git push origin {again}" in opened
    said = git(copy, "push", "origin", again)
    assert number_in(said) == number
    assert f"Proposal {number} has revision 2" in said
    assert "says that already" in git(copy, "push", "origin", again)
    assert proposal(filled, number)["revision"] == 2


def test_a_push_that_is_sent_again_opens_no_other_proposal(filled: Server, copy: Path):
    """Its answer was lost on the way, so git, or who pushed, tries once more."""
    write(copy, "a/again.prompt.yml", prompt("One."))
    number = number_in(git(copy, "push", "origin", FOR_MAIN))
    assert number_in(git(copy, "push", "origin", FOR_MAIN)) == number
    withdrawn = httpx.post(
        f"{filled.url}/api/v1/proposals/{number}/withdraw",
        headers=bearer(copy),
        json={},
        timeout=60,
    )
    assert withdrawn.status_code < 300, withdrawn.text
    anew = number_in(git(copy, "push", "origin", FOR_MAIN))
    assert anew > number
    assert number_in(git(copy, "push", "origin", FOR_MAIN)) == anew


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
        json={"verdict": "approve", "digest": made["digest"]}, timeout=60,
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

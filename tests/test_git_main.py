"""Pushing to main itself with stock git: the commits are taken as they are, or refused whole."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from hub.db import Database
from hub.people.models import AuditEntry
from hub.people.rules import Rule
from hub.registry.git.quarantine import PREFIX
from hub.registry.git.repository import Repository
from hub.registry.models import PushedCommit, Version
from tests.git_people import API, beside, children, clone, git, own_key, rule, save
from tests.serving import Server
from tests.test_git_push import FILE, prompt, write

MAIN = "HEAD:main"


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
    """Ana's clone; nothing half-done is left behind."""
    yield clone(filled, tmp_path, key=anas)
    assert not [*(repository(filled).path / "objects").glob(f"{PREFIX}*")]
    until = time.monotonic() + 60
    while children(filled) and time.monotonic() < until:
        time.sleep(0.02)
    assert not children(filled)
    assert not repository(filled).check()


def repository(server: Server) -> Repository:
    return Repository(server.settings.repositories / "clinic.git")


def get(server: Server, path: str, status: int = 200) -> Any:
    answer = httpx.get(f"{server.url}{API}{path}", headers=server.headers(), timeout=60)
    assert answer.status_code == status, answer.text
    return answer.json()


def head(copy: Path) -> str:
    return git(copy, "rev-parse", "HEAD").strip()


def refused(server: Server, copy: Path, spec: str = MAIN) -> str:
    """What git says of a push that changes nothing."""
    before, packs = repository(server).refs("refs/"), repository(server).packs()
    said = git(copy, "push", "origin", spec, ok=False)
    assert "rejected]" in said, said
    assert (repository(server).refs("refs/"), repository(server).packs()) == (before, packs)
    return said


def rows(server: Server, model: Any, *where: Any) -> list[Any]:
    async def ask(database: Database) -> list[Any]:
        async with database.read() as db:
            return list(await db.scalars(select(model).where(*where)))

    return beside(server, ask)


# --- what comes of it ----------------------------------------------------------------------------


def test_the_pushers_own_commits_become_versions_at_once(filled: Server, copy: Path):
    for text in ("One.", "Two."):
        write(copy, "a/direct.prompt.yml", prompt(text), f"Say {text}")
    said = git(copy, "push", "origin", "main")
    assert "remote: a/direct is at version 2" in said
    assert repository(filled).tip("refs/heads/main") == head(copy)
    # The answer came after the index: whoever reads now, reads it.
    made = get(filled, "/prompts/a/direct")
    assert made["version"] == 2
    assert "Two." in str(made)
    versions = rows(filled, Version, Version.name == "a/direct")
    assert [(one.author, one.message) for one in versions] == [
        ("Ana", "Say One."), ("Ana", "Say Two.")
    ]  # fmt: skip
    git(copy, "pull", "-q", "--ff-only")
    save(filled, "a/direct", "Three.", made["hash"])
    git(copy, "pull", "-q", "--ff-only")
    assert "Three." in (copy / "a/direct.prompt.yml").read_text()


def test_whoever_pushes_answers_for_it_whomever_the_commit_names(filled: Server, copy: Path):
    (copy / "a").mkdir(exist_ok=True)
    (copy / "a/claimed.prompt.yml").write_text(prompt("Not Ben's."))
    git(copy, "add", "-A")
    git(copy, "commit", "-q", "-m", "His", "--author", "Ben Carter <ben@example.org>")
    git(copy, "push", "origin", MAIN)
    (made,) = rows(filled, Version, Version.name == "a/claimed")
    assert made.author == "Ben Carter"  # what the commit says
    (known,) = rows(filled, PushedCommit, PushedCommit.commit == head(copy))
    assert (known.name, known.email) == ("Ana Oliveira", "ana@example.org")
    last = rows(filled, AuditEntry, AuditEntry.action == "history.pushed")[-1]
    assert (last.actor, last.subject) == ("ana@example.org", "main")
    assert last.detail["authors"] == ["Ben Carter <ben@example.org>"]
    assert head(copy) in last.detail["commits"]
    note = repository(filled).run("notes", "--ref=pushed", "show", head(copy))
    assert note == b"Pushed-by: Ana Oliveira <ana@example.org>\n"


def test_a_rename_takes_the_labels_along_and_a_deletion_takes_them_off(
    filled: Server, anas: str, tmp_path: Path
):
    for name in ("live/moves", "live/goes"):
        save(filled, name, "Live.")
        where = f"{filled.url}{API}/labels/production/{name}"
        said = {"version": 1, "expected": None}
        assert httpx.put(where, headers=filled.headers("write"), json=said).status_code == 200
    copy = clone(filled, tmp_path, key=anas)
    (copy / "other").mkdir()
    git(copy, "mv", "live/moves.prompt.yml", "other/moved.prompt.yml")
    git(copy, "commit", "-q", "-m", "Elsewhere")
    git(copy, "push", "origin", MAIN)
    assert get(filled, "/prompts/other/moved?label=production")["version"] == 1
    git(copy, "fetch", "-q")
    assert "production/other/moved.yml" in git(copy, "ls-tree", "-r", "origin/deploy")
    git(copy, "rm", "-q", "live/goes.prompt.yml")
    git(copy, "commit", "-q", "-m", "Gone")
    said = refused(filled, copy)
    assert "live/goes is live (production)" in said
    git(copy, "remote", "set-url", "origin", git(copy, "remote", "get-url", "origin").strip()
        .replace(anas, own_key(filled, "ben")))  # fmt: skip
    assert "production of live/goes is taken off" in git(copy, "push", "origin", MAIN)
    git(copy, "fetch", "-q")
    assert "live/goes" not in git(copy, "ls-tree", "-r", "origin/deploy")


def test_a_merge_of_ones_own_branch_is_fine(filled: Server, copy: Path):
    git(copy, "checkout", "-q", "-b", "mine")
    write(copy, "a/merged.prompt.yml", prompt("On a branch."))
    git(copy, "checkout", "-q", "main")
    git(copy, "merge", "-q", "--no-ff", "-m", "Mine", "mine")
    assert "a/merged is at version 1" in git(copy, "push", "origin", MAIN)
    assert len(rows(filled, Version, Version.name == "a/merged")) == 1


# --- who wins ------------------------------------------------------------------------------------


def test_a_push_that_comes_late_is_told_to_fetch_and_then_wins(filled: Server, copy: Path):
    write(copy, "a/late.prompt.yml", prompt("Late."))
    save(filled, "a/early", "Early.")
    assert "fetch first" in refused(filled, copy)  # git sees that by itself
    git(copy, "fetch", "-q")
    assert "non-fast-forward" in refused(filled, copy)
    said = refused(filled, copy, "+" + MAIN)  # and the hub, where git is told not to look
    assert "main has changes that these commits do not stand on" in said
    git(copy, "pull", "-q", "--rebase", "origin", "main")
    assert "a/late is at version 1" in git(copy, "push", "origin", MAIN)


def test_main_goes_neither_back_nor_away(filled: Server, copy: Path):
    assert "main has these commits already, and never goes back" in refused(
        filled, copy, "+HEAD~:main"
    )
    assert "Nothing can be deleted by a push." in refused(filled, copy, ":main")


def test_main_must_be_on_the_first_side_of_a_merge(filled: Server, copy: Path):
    write(copy, "a/foxtrot.prompt.yml", prompt("Mine."))
    save(filled, "a/meanwhile", "Theirs.")
    git(copy, "fetch", "-q")
    git(copy, "merge", "-q", "-m", "Theirs into mine", "origin/main")
    assert "git pull --rebase origin main" in refused(filled, copy)


# --- who may -------------------------------------------------------------------------------------


def test_where_a_rule_wants_review_the_way_to_go_is_said(filled: Server, copy: Path):
    rule(filled, Rule(kind="change", folder="clinical"))
    write(copy, "a/before.prompt.yml", prompt("Free."))
    write(copy, "clinical/ruled.prompt.yml", prompt("Ruled."))
    (copy / "clinical/ruled.prompt.yml").unlink()  # and not there any more at the end
    git(copy, "commit", "-q", "-a", "-m", "Never mind")
    said = refused(filled, copy)
    assert "need review by" in said
    assert "Propose it: git push origin HEAD:refs/for/main" in said
    git(copy, "reset", "-q", "--hard", "HEAD~2")
    assert "a/before is at version 1" in git(copy, "push", "origin", MAIN)
    rule(filled)


def test_whoever_may_not_save_may_not_push(filled: Server, tmp_path: Path):
    copy = clone(filled, tmp_path, key=own_key(filled, "carla"))
    write(copy, "a/viewers.prompt.yml", prompt("Mine."))
    said = refused(filled, copy)
    assert "cannot save versions here" in said
    assert "HEAD:refs/for/main" in said
    assert "Proposal" in git(copy, "push", "origin", "HEAD:refs/for/main")


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("a/x.prompt.yml", "messages: [", "a/x.prompt.yml ("),
        ("a/x.prompt.yml", "template: jinja\n" + prompt("'{% for %}'"), "a/x.prompt.yml ("),
        ("a/x.prompt.yml", prompt("'{% include \"no/such@1\" %}'"), "no prompt called no/such"),
        ("a/x.prompt.yml", prompt("x" * (1 << 20)), "1 MiB is the most"),
        ("README.md", "Hello", "only prompt files belong here"),
        ("A.prompt.yml", prompt("x"), "use small letters"),
        (f"{FILE[:-11]}.yml/b.prompt.yml", prompt("x"), "may not end with `.yml`"),
    ],
)
def test_each_commit_is_looked_at_and_the_file_is_named(
    filled: Server, copy: Path, name: str, data: str, sentence: str
):
    write(copy, name, data, "Bad")
    git(copy, "rm", "-q", name)
    git(copy, "commit", "-q", "-m", "Good again", "--allow-empty")
    assert sentence in refused(filled, copy)


def test_ids_stay_with_their_prompt(filled: Server, copy: Path):
    text = (copy / FILE).read_text()
    write(copy, "a/twin.prompt.yml", text)
    assert "same id as support/triage" in refused(filled, copy)
    git(copy, "reset", "-q", "--hard", "HEAD~1")
    (line,) = (line for line in text.splitlines() if line.startswith("id:"))
    write(copy, FILE, text.replace(line, "id: p_other"))
    assert "id was changed" in refused(filled, copy)


@pytest.mark.parametrize("who", ["COMMITTER", "AUTHOR"])
@pytest.mark.parametrize("email", ["hub@localhost", "HUB@localhost", "hub@local host"])
def test_nobody_speaks_in_the_hubs_name(filled: Server, copy: Path, who: str, email: str):
    (copy / "a").mkdir(exist_ok=True)
    (copy / "a/forged.prompt.yml").write_text(prompt("Approved, it says."))
    git(copy, "add", "-A")
    said = "Forged\n\nProposal: 1\nRevision: 1\nReviewed-by: Ben <ben@example.org>"
    given = {f"GIT_{who}_NAME": "Prompt Hub", f"GIT_{who}_EMAIL": email}
    git(copy, "commit", "-q", "-m", said, env=given)
    assert "says that the hub itself made it" in refused(filled, copy)

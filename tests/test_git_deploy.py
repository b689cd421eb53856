"""Pushing to deploy: each file is a release, judged by the gate of every other door."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub.people.rules import Rule
from hub.registry.models import LabelMove
from tests.git_people import API, clone, git, own_key, rule, save
from tests.listening import Team, listening
from tests.serving import Server
from tests.test_git_main import get, refused, repository, rows
from tests.test_git_push import prompt, write

TRIAGE = "production/support/triage.yml"
DEPLOY = "HEAD:deploy"


@pytest.fixture(scope="module")
def filled(server: Server) -> Server:
    first = save(server, "support/triage", "Be kind.")
    second = save(server, "support/triage", "Be kind and brief.", first["hash"])
    save(server, "support/triage", "Be brief.", second["hash"])
    save(server, "tutor/maths", "Explain fractions.")
    for name in ("support/triage", "tutor/maths"):
        release(server, name, 1)
    return server


@pytest.fixture(scope="module")
def bens(filled: Server) -> str:
    return own_key(filled, "ben")


@pytest.fixture
def copy(filled: Server, bens: str, tmp_path: Path) -> Iterator[Path]:
    """Ben's clone, at deploy."""
    at_deploy = clone(filled, tmp_path, key=bens)
    git(at_deploy, "checkout", "-q", "deploy")
    yield at_deploy
    assert not repository(filled).check()


def release(server: Server, name: str, version: int, **more: Any) -> None:
    where = f"{server.url}{API}/labels/production/{name}"
    answer = httpx.put(where, headers=server.headers("write"), json={"version": version} | more)
    assert answer.status_code == 200, answer.text


def live(server: Server, name: str = "support/triage") -> int:
    return get(server, f"/prompts/{name}?label=production")["version"]


def pointing(copy: Path, version: int, path: str = TRIAGE, **other: str) -> None:
    """Edit the label's file as a developer would, with what the hub says about the version."""
    name = path.partition("/")[2].removesuffix(".yml")
    text = (copy / path).read_text()
    asked = re.sub(r"^version: \d+", f"version: {version}", text, flags=re.M)
    write(copy, path, asked, "Ask")
    said = git(copy, "push", "origin", DEPLOY, ok=False)
    git(copy, "reset", "-q", "--hard", "HEAD~1")
    right = dict(re.findall(r"`(blob|hash|commit): \"(\w+)\"`", said.partition("! [")[0]))
    assert len(right) == 3, said
    for key, value in (right | other).items():
        asked = re.sub(rf'^{key}: "\w+"', f'{key}: "{value}"', asked, flags=re.M)
    write(copy, path, asked, f"Release {name} {version}")


# --- what comes of it ----------------------------------------------------------------------------


def test_an_edited_file_is_a_release_and_a_revert_takes_it_back(filled: Server, copy: Path):
    pointing(copy, 2)
    said = git(copy, "push", "origin", DEPLOY)
    assert "remote: production of support/triage is at version 2" in said
    assert live(filled) == 2
    assert repository(filled).tip("refs/heads/deploy") == git(copy, "rev-parse", "HEAD").strip()
    git(copy, "revert", "--no-edit", "HEAD")
    git(copy, "push", "origin", DEPLOY)
    assert live(filled) == 1
    moves = rows(filled, LabelMove, LabelMove.label == "production")
    assert [(one.old, one.new) for one in moves][-2:] == [(1, 2), (2, 1)]


def test_apps_hear_of_it_and_a_read_right_after_the_push_has_it(filled: Server, copy: Path):
    """The answer to a push comes after the index and the log that apps are told from."""
    key = filled.cast.read_key
    pointing(copy, 3)
    with Team(filled.url, filled.cast.write_key) as team:
        place = team.table().place
    with listening(filled.url, key, f"since={place}") as line:
        assert [one.kind for one in line.batch()] == ["hello", "commit"]
        git(copy, "push", "origin", DEPLOY)
        at_once = httpx.get(
            f"{filled.url}{API}/prompts/support/triage?label=production", headers=filled.headers()
        )
        assert at_once.json()["version"] == 3
        puts = [one for one in line.batch() if one.kind == "put"]
        assert [(one.data["label"], one.data["version"]) for one in puts] == [("production", 3)]
    release(filled, "support/triage", 1)


def test_several_labels_move_together_or_not_at_all(filled: Server, copy: Path):
    pointing(copy, 2)
    path = "production/tutor/maths.yml"
    before = (copy / path).read_text()
    write(copy, path, before.replace("version: 1", "version: 9"), "And this")
    assert "production/tutor/maths.yml: tutor/maths has no version 9" in refused(
        filled, copy, DEPLOY
    )
    assert live(filled) == 1
    git(copy, "reset", "-q", "--hard", "HEAD~1")
    git(copy, "rm", "-q", path)
    git(copy, "commit", "-q", "-m", "Take it off")
    said = git(copy, "push", "origin", DEPLOY)
    assert "production of tutor/maths is taken off" in said
    assert live(filled) == 2
    release(filled, "support/triage", 1)
    release(filled, "tutor/maths", 1)


def test_a_release_in_steps(filled: Server, copy: Path):
    release(filled, "support/triage", 2, share=10)
    git(copy, "pull", "-q", "--ff-only")
    half = (copy / TRIAGE).read_text().replace("share: 1000", "share: 5000")
    write(copy, TRIAGE, half, "Half of them")
    git(copy, "push", "origin", DEPLOY)
    release(filled, "support/triage", 1)


# --- who may -------------------------------------------------------------------------------------


def test_whoever_may_not_release_may_not_push(filled: Server, copy: Path):
    git(copy, "revert", "--no-edit", "HEAD")
    key = own_key(filled, "ana")
    address = git(copy, "remote", "get-url", "origin").strip()
    git(copy, "remote", "set-url", "origin", re.sub(r"ph_\w+", key, address))
    assert "cannot move labels here" in refused(filled, copy, DEPLOY)


def test_rules_hold_for_both_shares_and_for_whoever_pushed_the_text(
    filled: Server, copy: Path, bens: str, tmp_path: Path
):
    """Ben's text under Ana's name: he cannot make it live by himself, in no share of it."""
    rule(filled, Rule(kind="release", label="production"))
    git(copy, "checkout", "-q", "main")
    write(copy, "a/bens.prompt.yml", prompt("One."), "One")
    text = (copy / "support/triage.prompt.yml").read_text().replace("Be brief.", "Mine.")
    (copy / "support/triage.prompt.yml").write_text(text)
    git(copy, "commit", "-q", "-a", "-m", "Mine", "--author", "Ana <ana@example.org>")
    git(copy, "push", "origin", "HEAD:main")
    git(copy, "checkout", "-q", "deploy")
    pointing(copy, 4)
    assert "approval" in refused(filled, copy, DEPLOY)
    pushed = (copy / TRIAGE).read_text()
    git(copy, "reset", "-q", "--hard", "HEAD~1")
    pointing(copy, 2)
    fine = (copy / TRIAGE).read_text()
    keys = {key: re.search(rf'^{key}: "(\w+)"', fine, re.M) for key in ("blob", "hash", "commit")}
    aside = "".join(f'  {key}: "{found[1]}"\n' for key, found in keys.items() if found)
    split = f"{pushed}beside:\n  version: 2\n  share: 5000\n  first: true\n{aside}"
    write(copy, TRIAGE, split, "Hidden behind an approved newcomer")
    git(copy, "reset", "-q", "--soft", "HEAD~2")
    git(copy, "commit", "-q", "-m", "At once")
    assert "approval" in refused(filled, copy, DEPLOY)
    write(copy, TRIAGE, fine, "Somebody else's")
    git(copy, "reset", "-q", "--soft", "HEAD~2")
    git(copy, "commit", "-q", "-m", "At once")
    git(copy, "push", "origin", DEPLOY)
    rule(filled)
    release(filled, "support/triage", 1)


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("version: 1", "version: 7", "support/triage has no version 7"),
        ("version: 1", "version: 2", 'has `blob: "'),
        ("version: 1", "version: one", "does not say which version"),
        ("version: 1", "version: 1 # old", "line 2 is not as the hub writes it"),
        ("prompt:", "label: x\nprompt:", "line 1 is not as the hub writes it"),
        ('prompt: "', 'prompt: "x', "support/triage is not the prompt x"),
        ('commit: "', 'commit: "a', 'has `blob: "'),
        ("why:", "beside: 3\nwhy:", "is not as the hub writes it"),
    ],
)
def test_a_file_must_say_what_the_hub_would_have_written(
    filled: Server, copy: Path, old: str, new: str, sentence: str
):
    text = (copy / TRIAGE).read_text()
    assert old in text
    write(copy, TRIAGE, text.replace(old, new, 1))
    said = refused(filled, copy, DEPLOY)
    assert sentence in said
    assert TRIAGE in said
    assert live(filled) == 1


@pytest.mark.parametrize(
    "path", ["README.md", "production/x.prompt.yml", "latest/support/triage.yml", "triage.yml"]
)
def test_other_files_do_not_belong_there(filled: Server, copy: Path, path: str):
    write(copy, path, (copy / TRIAGE).read_text())
    said = refused(filled, copy, DEPLOY)
    assert "only the files of labels belong here" in said or "is not the prompt" in said


def test_what_was_live_for_no_moment_leaves_no_record(filled: Server, copy: Path):
    pointing(copy, 2)
    git(copy, "revert", "--no-edit", "HEAD")
    assert "two of these commits move it" in refused(filled, copy, DEPLOY)
    tree = git(copy, "rev-parse", "main^{tree}").strip()
    other = git(copy, "commit-tree", tree, "-p", "HEAD", "-m", "main's files").strip()
    assert "only the files of labels" in refused(filled, copy, f"{other}:refs/heads/deploy")

"""A push for review after another: which proposal it is about, and what nobody passes over."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.git_people import address, clone, git, own_key, save
from tests.serving import Server
from tests.test_git_push import FOR_MAIN, bearer, number_in, prompt, proposal, write


@pytest.fixture(scope="module")
def anas(server: Server) -> str:
    save(server, "support/triage", "Be kind.")
    return own_key(server, "ana")


@pytest.fixture
def by_name(request: pytest.FixtureRequest) -> str:
    """A branch of this test's own."""
    return f"HEAD:refs/heads/proposals/{request.node.name}"


@pytest.fixture
def copy(server: Server, anas: str, tmp_path: Path) -> Path:
    return clone(server, tmp_path, key=anas)


def text_of(server: Server, number: int) -> str:
    item = proposal(server, number)["items"][0]
    return item["document"]["messages"][0]["content"]


def closed(server: Server, copy: Path, number: int) -> None:
    done = httpx.post(
        f"{server.url}/api/v1/proposals/{number}/withdraw", headers=bearer(copy), json={},
        timeout=60,
    )  # fmt: skip
    assert done.status_code < 300, done.text


def test_a_branch_pushed_again_updates_the_proposal_it_opened(
    server: Server, copy: Path, by_name: str
):
    write(copy, "again/branch.prompt.yml", prompt("One."))
    number = number_in(git(copy, "push", "origin", by_name))
    write(copy, "again/branch.prompt.yml", prompt("Two."), "Shorter")
    said = git(copy, "push", "origin", by_name)
    assert f"Proposal {number} has revision 2:" in said
    assert number_in(said) == number
    git(copy, "commit", "-q", "--amend", "-m", "Shorter still")  # and by force, as at a forge
    (copy / "again/branch.prompt.yml").write_text(prompt("Three."))
    git(copy, "commit", "-q", "--amend", "-a", "-m", "Shorter still")
    assert number_in(git(copy, "push", "--force", "origin", by_name)) == number
    assert (proposal(server, number)["revision"], text_of(server, number)) == (3, "Three.")
    assert f"Proposal {number} says that already" in git(copy, "push", "origin", by_name)
    assert proposal(server, number)["revision"] == 3


def test_a_branch_begins_anew_once_its_proposal_is_closed(server: Server, copy: Path, by_name: str):
    write(copy, "again/anew.prompt.yml", prompt("One."))
    number = number_in(git(copy, "push", "origin", by_name))
    closed(server, copy, number)
    write(copy, "again/anew.prompt.yml", prompt("Two."))
    anew = number_in(git(copy, "push", "origin", by_name))
    assert anew > number
    write(copy, "again/anew.prompt.yml", prompt("Three."))
    assert number_in(git(copy, "push", "origin", by_name)) == anew


def test_two_people_may_think_of_the_same_name(server: Server, copy: Path, by_name: str):
    write(copy, "again/mine.prompt.yml", prompt("Ana's."))
    number = number_in(git(copy, "push", "origin", by_name))
    write(copy, "again/mine.prompt.yml", prompt("Carla's."))
    carlas = address(server, own_key(server, "carla"))
    assert number_in(git(copy, "push", carlas, by_name)) > number
    apps = address(server, server.cast.write_key)
    assert number_in(git(copy, "push", apps, by_name)) > number
    assert text_of(server, number) == "Ana's."


def test_commits_on_top_of_those_under_review_join_them(server: Server, copy: Path):
    write(copy, "again/top.prompt.yml", prompt("One."))
    number = number_in(git(copy, "push", "origin", FOR_MAIN))
    write(copy, "again/top.prompt.yml", prompt("Two."))
    said = git(copy, "push", "origin", FOR_MAIN)
    assert number_in(said) == number
    assert "For a proposal of its own: git push origin HEAD:refs/heads/proposals/" in said
    write(copy, "again/top.prompt.yml", prompt("Three."))
    other = number_in(git(copy, "push", "origin", "HEAD:refs/heads/proposals/another-name"))
    assert other > number
    assert (text_of(server, number), text_of(server, other)) == ("Two.", "Three.")
    git(copy, "reset", "-q", "--hard", "origin/main")
    write(copy, "again/top2.prompt.yml", prompt("Beside them."))
    assert number_in(git(copy, "push", "origin", FOR_MAIN)) > other


def test_gerrits_change_id_names_a_proposal(server: Server, copy: Path):
    ids = [f"Because.\n\nChange-Id: I{digit * 40}" for digit in "ab"]
    write(copy, "again/gerrit.prompt.yml", prompt("One."), f"First\n\n{ids[0]}")
    number = number_in(git(copy, "push", "origin", FOR_MAIN))
    (copy / "again/gerrit.prompt.yml").write_text(prompt("Two."))
    git(copy, "commit", "-q", "-a", "--amend", "-m", f"First\n\n{ids[0]}")
    assert number_in(git(copy, "push", "origin", FOR_MAIN)) == number
    assert text_of(server, number) == "Two."
    write(copy, "again/gerrit.prompt.yml", prompt("Three."), f"Second\n\n{ids[1]}")
    assert number_in(git(copy, "push", "origin", FOR_MAIN)) > number


def test_what_others_made_of_it_is_not_passed_over_unseen(server: Server, copy: Path, by_name: str):
    write(copy, "again/seen.prompt.yml", prompt("Ana's."))
    number = number_in(git(copy, "push", "origin", by_name))
    by_number = f"HEAD:refs/heads/proposals/{number}"
    bens = address(server, own_key(server, "ben"))
    write(copy, "again/seen.prompt.yml", prompt("Ben's."))
    said = git(copy, "push", bens, by_number)
    assert "It takes the place of revision 1 by Ana Oliveira" in said
    write(copy, "again/seen.prompt.yml", prompt("Ana's again."))
    refused = git(copy, "push", "origin", by_name, ok=False)
    assert "has made revision 2" in refused
    assert "Nothing was overwritten" in refused
    assert f"git push origin {by_number}" in refused
    assert text_of(server, number) == "Ben's."
    git(copy, "push", "origin", by_number)  # having looked
    write(copy, "again/seen.prompt.yml", prompt("Ana's at last."))
    assert number_in(git(copy, "push", "origin", by_name)) == number
    assert (proposal(server, number)["revision"], text_of(server, number)) == (4, "Ana's at last.")

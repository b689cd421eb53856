"""The operator checks and exports the audit log, makes personal keys, and unlocks rules."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.cast import copy_template
from tests.commands import prompthub


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Path:
    """A data folder with the workspace `main` and somebody in it."""
    folder = tmp_path_factory.mktemp("filled") / "data"
    copy_template(migrated, folder)
    at = ("--data", str(folder))
    assert prompthub("init", *at).returncode == 0
    for name in ("ana", "ben", "carla"):
        added = prompthub("user", "add", f"{name}@example.org", *at, "--workspace", "main")
        assert added.returncode == 0
    return folder


@pytest.fixture
def data(tmp_path: Path, filled: Path) -> Path:
    """The same for a test alone."""
    return shutil.copytree(filled, tmp_path / "data")


def audit(data: Path, *words: str) -> CompletedProcess[str]:
    return prompthub("audit", *words, "--data", str(data))


def change(data: Path, statement: str, *given: object) -> None:
    with closing(sqlite3.connect(data / "hub.db")) as db:
        db.execute(statement, given)
        db.commit()


def test_the_audit_log_is_checked_and_exported(data: Path) -> None:
    sound = audit(data, "verify")
    assert sound.returncode == 0, sound.stdout
    chains = [line.split(":")[0] for line in sound.stdout.splitlines()]
    assert chains == ["main", "accounts and sign-ins"]
    exported = audit(data, "export", "--workspace", "main")
    rows = [json.loads(line) for line in exported.stdout.splitlines()]
    assert rows[-1]["subject"] == "carla@example.org"
    assert rows[-1]["hash"] in sound.stdout

    only = ("verify", "--workspace", "main")
    for row in (rows[0], rows[len(rows) // 2], rows[-1]):
        assert audit(data, *only, "--expect", row["hash"]).returncode == 0
    change(data, "DELETE FROM audit WHERE id = ?", rows[-1]["id"])
    assert audit(data, *only).returncode == 0, "a chain alone cannot show that its end is gone"
    cut = audit(data, *only, "--expect", rows[-1]["hash"])
    assert cut.returncode == 1
    assert "rows at the end were taken out" in cut.stdout
    change(data, "UPDATE audit SET actor = 'nobody' WHERE id = ?", rows[1]["id"])
    broken = audit(data, "verify")
    assert broken.returncode == 1
    assert f"main: Row {rows[1]['id']} " in broken.stdout
    assert "accounts and sign-ins: " in broken.stdout
    assert audit(data, "verify", "--workspace", "nowhere").returncode == 1


def test_a_key_for_a_person_acts_as_them(data: Path) -> None:
    words = ("key", "create", "--data", str(data), "--workspace", "main", "--scope", "write")
    made = prompthub(*words, "--name", "laptop", "--as", "ana@example.org")
    assert re.fullmatch(r"ph_\w+\n", made.stdout), made.stderr
    with closing(sqlite3.connect(data / "hub.db")) as db:
        query = "SELECT k.name, a.email FROM api_keys k JOIN accounts a ON a.id = k.account_id"
        assert db.execute(query).fetchall() == [("laptop – ana", "ana@example.org")]
    stranger = prompthub(*words, "--as", "x@example.org")
    assert stranger.returncode == 1
    assert "Nobody here has the address x@example.org." in stranger.stderr


def test_rules_that_too_few_can_change_are_unlocked(data: Path) -> None:
    at = ("--data", str(data), "--workspace", "main")
    free = prompthub("rules", "show", *at)
    assert free.stdout == "Nothing needs review: whoever may save or release does so at once.\n"
    policy = {"rules": [{"kind": "change", "folder": "clinical"}], "change_needs": 2}
    change(
        data,
        "INSERT INTO policy_changes (workspace_id, policy, why, by, at, approvals, accepted_at) "
        "VALUES (1, ?, '', 'x', '2026-01-01 00:00:00', '[]', '2026-01-01 00:00:00')",
        json.dumps(policy),
    )
    assert len(prompthub("rules", "show", *at).stdout.splitlines()) == 2
    assert prompthub("rules", "unlock", *at, "--because", " ").returncode == 1
    done = prompthub("rules", "unlock", *at, "--because", "Two have left.")
    assert done.returncode == 0, done.stderr
    assert prompthub("rules", "show", *at).stdout == (
        "Changes under clinical/ need 1 approval from reviewers other than the authors.\n"
    )
    log = audit(data, "export", "--workspace", "main").stdout
    assert [json.loads(line)["action"] for line in log.splitlines()][-2:] == [
        "glass.broken", "policy.changed",
    ]  # fmt: skip
    assert prompthub("rules", "unlock", *at, "--because", "Again.").returncode == 1

"""The operator at the command line: set up, people, keys, import, mending, and plain refusals.

Most commands run in this process, on real folders; where processes meet, they are real ones.
"""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import click
import httpx
import pytest
from click.testing import CliRunner, Result

from hub import cli
from tests.cast import copy_template
from tests.commands import Hub, prompthub, serving

Command = Callable[..., Result]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs `prompthub …` here; the environment holds no setting of ours."""
    import os

    for name in [name for name in os.environ if name.startswith("PROMPTHUB_")]:
        monkeypatch.delenv(name)
    return lambda *words, **more: CliRunner().invoke(
        cli.prompthub, [str(one) for one in words], **more
    )


def done(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(result: Result, *said: str) -> None:
    """Exit code 1 and sentences, no trace."""
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit), result.exception
    for one in said:
        assert one in result.output
    assert "Traceback" not in result.output


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Path:
    """A data folder with the demo workspace; only looked at."""
    data = tmp_path_factory.mktemp("told") / "data"
    copy_template(migrated, data)
    done(CliRunner().invoke(cli.prompthub, ["init", "--data", str(data), "--demo"]))
    return data


@pytest.fixture
def data(tmp_path: Path, migrated: Path, command: Command) -> Path:
    """A data folder with the empty workspace `main`."""
    folder = tmp_path / "data"
    copy_template(migrated, folder)
    done(command("init", "--data", folder))
    return folder


def rows(data: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(data / "hub.db")) as db:
        return db.execute(query).fetchall()


def git(data: Path, workspace: str, *words: str) -> str:
    folder = data / "repositories" / f"{workspace}.git"
    run = subprocess.run(["git", "-C", folder, *words], capture_output=True, text=True, check=True)
    return run.stdout.strip()


# ── setting up ──────────────────────────────────────────────────────────────────────────────────


def test_a_new_folder_gets_everything_and_a_link_that_signs_in_once(
    tmp_path: Path, command: Command
):
    data = tmp_path / "new" / "data"
    said = done(command("init", "--data", data))
    assert re.search(r"/sign-in/[\w-]{40,}", said)
    assert git(data, "main", "config", "core.fsync") == "all"
    before = rows(data, "select slug from workspaces")
    done(command("init", "--data", data))
    assert rows(data, "select slug from workspaces") == before == [("main",)]
    assert rows(data, "select email, role from accounts join members") == [
        ("admin@localhost", "admin")
    ]


def test_the_demo_tells_a_story_once(told: Path, command: Command):
    names = [name for (name,) in rows(told, "select name from prompts")]
    assert len(names) >= 12
    assert len({name.split("/")[0] for name in names}) >= 4
    long = rows(told, "select prompt_id from versions group by prompt_id having count(*) > 2")
    assert len(long) >= 4
    assert len(rows(told, "select distinct prompt_id from labels where label = 'production'")) >= 6
    assert len(rows(told, "select distinct prompt_id from examples")) >= 12
    assert "ignor" in git(told, "demo", "log", "--format=%s", "main").lower()
    people = set(git(told, "demo", "log", "--format=%an", "main").splitlines())
    assert len(people) >= 3
    assert rows(told, "select state, author, target from proposals") == [
        ("open", "Ana Ruiz", "production")
    ]
    assert rows(told, "select author, quote from comments") == [
        ("Carla Lind", "Begin with whom to call, day and night")
    ]
    assert len(rows(told, "select 1 from policy_changes where accepted_at is not null")) == 1

    def all_of_it() -> tuple[object, ...]:
        counted = (
            "versions", "label_moves", "examples", "prompts", "proposals", "comments", "members",
            "policy_changes", "group_members", "audit",
        )  # fmt: skip
        sums = [rows(told, f"select count(*) from {table}") for table in counted]
        return git(told, "demo", "for-each-ref"), *sums

    before = all_of_it()
    done(command("init", "--data", told, "--demo"))
    assert all_of_it() == before


# ── people and keys ─────────────────────────────────────────────────────────────────────────────


def test_ana_is_added_and_her_link_is_all_that_is_printed(data: Path, command: Command):
    at = ["--data", data, "--workspace", "main"]
    words = ["user", "add", "ana@example.org", *at, "--name", "Ana Oliveira", "--role", "reviewer"]
    assert re.fullmatch(r"http://127\.0\.0\.1:8321/sign-in/\S+\n", done(command(*words)))
    found = rows(data, "select name, role from accounts join members on account_id = accounts.id")
    assert ("Ana Oliveira", "reviewer") in found
    refused(command(*words), "ana@example.org is in main already. `prompthub user link")
    refused(command("user", "add", "ana", *at), "e-mail address")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[Hub]:
    data = tmp_path_factory.mktemp("running") / "data"
    copy_template(migrated, data)
    with serving(data) as hub:
        yield hub


def test_a_key_made_beside_a_running_hub_works_at_once(running: Hub):
    words = ["--data", str(running.data), "--workspace", "main"]
    made = prompthub("key", "create", *words, "--scope", "write", "--name", "triage service")
    assert re.fullmatch(r"ph_\S+\n", made.stdout), made
    assert made.stderr == ""
    headers = {"Authorization": f"Bearer {made.stdout.strip()}"}
    answer = httpx.get(f"{running.url}/api/v1/prompts", headers=headers)
    assert answer.status_code == 200

    added = prompthub("user", "add", "ben@example.org", *words)
    assert added.stdout.startswith(f"{running.url}/sign-in/"), "where the hub really is"
    assert httpx.get(added.stdout.strip()).status_code == 200
    healthy = prompthub("doctor", "--data", str(running.data))
    assert (healthy.returncode, healthy.stdout) == (0, "Everything is in order.\n")


def test_a_second_hub_on_the_same_folder_is_refused(running: Hub):
    second = prompthub("serve", "--data", str(running.data), "--port", "1")
    assert second.returncode == 1
    assert "A hub is already running on the data folder" in second.stderr
    assert httpx.get(f"{running.url}/healthz").status_code == 200


# ── import ──────────────────────────────────────────────────────────────────────────────────────


def test_a_folder_comes_in_as_one_commit_with_a_report(
    data: Path, command: Command, tmp_path: Path
):
    folder = tmp_path / "prompts"
    (folder / "support").mkdir(parents=True)
    (folder / "support" / "triage.prompt.yml").write_text(
        "name: Triage\nmessages:\n  - role: system\n    content: Be calm, {{ name }}.\n"
    )
    (folder / "letter.md").write_text("# A letter\n\nDear {{ patient }},\n")
    (folder / "code.txt").write_text("Braces of others: {{ vm.$store }} and { these }\n")
    (folder / "broken.prompt.yml").write_text("messages: 3\n")
    (folder / "Übung Nr. 1 (alt).md").write_text("Practise.\n")
    (folder / "--upload-pack=touch x.md").write_text("Hostile.\n")
    commits = ["rev-list", "--count", "main"]
    words = ["import", folder, "--data", data, "--workspace", "main", "--folder", "old"]
    report = done(command(*words, "--message", "Out of the wiki"))
    assert git(data, "main", *commits) == "1"
    assert git(data, "main", "log", "-1", "--format=%s", "main") == "Out of the wiki"
    assert "jinja     support/triage.prompt.yml → old/support/triage" in report
    assert "plain     code.txt → old/code: It holds braces that are not ours" in report
    assert re.search(r"left out  broken\.prompt\.yml: .*messages", report)
    assert report.endswith("5 prompts read, 5 new or changed, 0 as they were, 1 left out.\n")
    names = {str(name) for (name,) in rows(data, "select name from prompts")}
    assert {"old/support/triage", "old/letter", "old/code"} < names
    assert all(re.fullmatch(r"old(/[a-z0-9][a-z0-9._-]*)+", name) for name in names)
    assert not (Path.cwd() / "x").exists()

    again = done(command(*words))
    assert "0 new or changed, 5 as they were" in again
    assert git(data, "main", *commits) == "1"


def test_an_import_of_nothing_says_so(data: Path, command: Command, tmp_path: Path):
    words = ["--data", data, "--workspace", "main"]
    refused(command("import", tmp_path / "nowhere", *words), "There is no such folder")
    (tmp_path / "empty").mkdir()
    refused(command("import", tmp_path / "empty", *words), "0 prompts read")


# ── mending ─────────────────────────────────────────────────────────────────────────────────────


def test_the_index_is_built_anew_just_as_it_was(told: Path, command: Command):
    tables = {
        "prompts": "id, name, title, description, tags, head, hash, change, deleted_at",
        "versions": 'prompt_id, number, hash, "commit", author, message, created_at',
        "labels": "prompt_id, label, version, hash, moved_at, moved_by, reason",
        "label_moves": "prompt_id, label, old, new, author, reason, at",
    }

    def dump() -> str:
        queries = [f"select {what} from {table} order by {what}" for table, what in tables.items()]
        return json.dumps([rows(told, query) for query in queries], default=str)

    before = dump()
    assert len(before) > 4_000
    assert done(command("reindex", "--data", told)) == "demo: built anew from git.\n"
    assert dump() == before
    refused(command("reindex", "--data", told, "--workspace", "nope"), "There are: demo.")


def test_the_doctor_finds_nothing_in_a_healthy_folder(told: Path, command: Command):
    assert done(command("doctor", "--data", told)) == "Everything is in order.\n"


def test_the_doctor_says_what_is_wrong_and_mends_nothing(data: Path, command: Command):
    import os

    folder = data / "repositories" / "main.git"
    lock = folder / "refs" / "heads" / "main.lock"
    lock.touch()
    os.utime(lock, (time.time() - 3_600,) * 2)
    said = done(command("doctor", "--data", data))
    assert said.startswith("warning: main: A lock was left behind")
    assert "Restarting the hub clears it." in said
    assert lock.exists()
    done(command("init", "--data", data))
    assert not lock.exists()

    git(data, "main", "config", "core.fsync", "none")
    refused(command("doctor", "--data", data), "error: main: Its git setting core.fsync is none")
    git(data, "main", "config", "core.fsync", "all")
    (folder / "refs" / "heads" / "main").write_text("1" * 40 + "\n")
    refused(command("doctor", "--data", data), "error: main: ", "backup")


# ── help and refusals ───────────────────────────────────────────────────────────────────────────


def every_command(group: click.Command, *words: str) -> Iterator[tuple[str, ...]]:
    yield words
    for name, one in getattr(group, "commands", {}).items():
        yield from every_command(one, *words, name)


@pytest.mark.parametrize("words", list(every_command(cli.prompthub)), ids=" ".join)
def test_every_command_explains_itself(words: tuple[str, ...], command: Command):
    said = done(command(*words, "--help"))
    usage, about = said.split("\n\n")[:2]
    assert usage.startswith("Usage: prompthub")
    assert re.search(r"\w\.$", about.strip()), "a sentence about what it does"


def test_what_does_not_exist_is_refused_and_not_made(tmp_path: Path, data: Path, command: Command):
    nowhere = tmp_path / "nowhere"
    scope = ["--scope", "read"]
    for words in (["doctor"], ["reindex"], ["key", "create", "--workspace", "main", *scope]):
        refused(command(*words, "--data", nowhere), "There is no hub in the folder", "init --data")
        assert not nowhere.exists()
    words = ["key", "create", "--data", data, "--workspace", "mane", *scope]
    refused(command(*words), "There is no workspace mane. There are: main.")
    refused(command("workspace", "create", "A b", "--data", data), "small letters")
    (tmp_path / "file").touch()
    refused(command("init", "--data", tmp_path / "file" / "data"), "Not a directory")


def test_a_setting_that_cannot_be_used_is_named(data: Path, command: Command):
    words = ["doctor", "--data", data]
    refused(command(*words, env={"PROMPTHUB_PORT": "high"}), "PROMPTHUB_PORT cannot be used")
    refused(command(*words, env={"PROMPTHUB_PROT": "80"}), "PROMPTHUB_PROT is no", "PROMPTHUB_PORT")

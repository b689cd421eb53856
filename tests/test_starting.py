"""A hub at a terminal: an address that is taken, Ctrl+C, a database that cannot be used."""

from __future__ import annotations

import signal
import socket
import subprocess
from pathlib import Path

from tests.cast import copy_template
from tests.commands import COMMAND, prompthub
from tests.forked import surroundings
from tests.serving import free_port, wait_until_ready


def test_nobody_is_sent_to_an_address_that_the_hub_cannot_have(tmp_path: Path, migrated: Path):
    copy_template(migrated, tmp_path / "data")
    where = ("serve", "--data", str(tmp_path / "data"))
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = prompthub(*where, "--port", str(other.getsockname()[1]))
    nowhere = prompthub(*where, "--host", "192.0.2.1")
    assert (taken.returncode, nowhere.returncode) == (1, 1)
    assert "Another program, perhaps another hub, listens on 127.0.0.1" in taken.stderr
    assert "This machine has no address 192.0.2.1" in nowhere.stderr
    assert taken.stdout == nowhere.stdout == "", "no link, no address"
    assert not (tmp_path / "data" / "hub.url").exists()


def test_ctrl_c_is_a_way_to_stop_it(tmp_path: Path, migrated: Path):
    copy_template(migrated, tmp_path / "data")
    port = free_port()
    command = [*COMMAND, "serve", "--data", str(tmp_path / "data"), "--port", str(port)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, env=surroundings(), **pipes) as hub:
        wait_until_ready(f"http://127.0.0.1:{port}", hub)
        hub.send_signal(signal.SIGINT)
        said, _ = hub.communicate(timeout=60)
    assert hub.returncode == 0, said
    assert said.startswith("Prompt Hub is at")
    assert "Abort" not in said


def test_a_database_that_cannot_be_used_is_a_sentence(tmp_path: Path, migrated: Path):
    data = tmp_path / "data"
    copy_template(migrated, data)
    look = ("doctor", "--data", str(data))
    (data / "hub.url").write_text("http://127.0.0.1:8321")
    unsigned = prompthub(*look)
    assert (unsigned.returncode, unsigned.stderr) == (1, "")
    assert "secret.key is gone. Restore it from a backup" in unsigned.stdout

    (data / "hub.db").write_bytes((data / "hub.db").read_bytes()[:5_000])
    nobody = f"postgresql://hub:secret@127.0.0.1:{free_port()}/prompts"
    for said, environment in {
        "hub.db is damaged: ": {},
        "The database prompts at 127.0.0.1:": {"PROMPTHUB_DATABASE_URL": nobody},
        "has to look like postgresql://": {"PROMPTHUB_DATABASE_URL": "mysql://hub:secret@h/x"},
    }.items():
        refused = prompthub(*look, **environment)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert said in refused.stderr
        assert refused.stderr.startswith("Error: ")
        assert len(refused.stderr.splitlines()) == 1
        assert "secret@" not in refused.stderr


def test_lost_tables_are_said_and_what_git_holds_comes_back(tmp_path: Path, migrated: Path):
    data = tmp_path / "data"
    copy_template(migrated, data)
    where = ("--demo", "--data", str(data))
    assert prompthub("init", *where).returncode == 0
    mine = ("--workspace", "demo", "--data", str(data))
    plain = tmp_path / "own.md"
    plain.write_text("Be calm.")
    assert prompthub("import", str(plain), *mine).returncode == 0
    ward = ("--workspace", "ward", "--data", str(data))
    assert prompthub("workspace", "create", "ward", *mine[2:]).returncode == 0
    assert prompthub("import", str(plain), *ward).returncode == 0
    (data / "repositories" / "not a name.git").mkdir()

    (data / "hub.url").write_text("http://127.0.0.1:8321")  # it was served
    (data / "secret.key").write_text("5" * 64)
    (data / "hub.db").unlink()
    for command in (("serve", *where), ("key", "create", "--scope", "read", *mine)):
        refused = prompthub(*command)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert "its tables are not there. If they are in Postgres, set" in refused.stderr
        assert "PROMPTHUB_DATABASE_URL" in refused.stderr
        assert not (data / "hub.db").exists(), "nothing was begun beside the tables elsewhere"

    again, once_more = prompthub("init", *where), prompthub("init", *where)
    for said in (again, once_more):
        assert (said.returncode, said.stderr) == (0, "")
    assert "The workspace ward was read back from its repository.\n" in again.stdout
    assert "not a name.git was left as it is." in again.stdout
    assert "read back" not in once_more.stdout
    (data / "repositories" / "not a name.git").rmdir()
    exported = prompthub("export", str(tmp_path / "ward"), "--format", "prompt.yml", *ward)
    assert exported.returncode == 0, exported.stderr
    assert (tmp_path / "ward" / "own.prompt.yml").exists()
    exported = prompthub("export", str(tmp_path / "out"), "--format", "prompt.yml", *mine)
    assert exported.returncode == 0, exported.stderr
    assert (tmp_path / "out" / "own.prompt.yml").exists()
    assert (tmp_path / "out" / "support" / "triage.prompt.yml").exists()
    assert prompthub("doctor", "--data", str(data)).stdout == "Everything is in order.\n"


def test_a_workspace_of_ones_own_says_how_to_get_in(tmp_path: Path, migrated: Path):
    copy_template(migrated, tmp_path / "data")
    made = prompthub("workspace", "create", "ward", "--data", str(tmp_path / "data"))
    assert made.stdout == "http://127.0.0.1:8321/ward\n"
    assert "prompthub user add EMAIL --workspace ward --role admin" in made.stderr

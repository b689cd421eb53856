"""What forges say when they say no, word for word, and what people read of it; a real gitolite."""

from __future__ import annotations

import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.registry.labels import labels
from hub.sync.remotes import linking
from hub.sync.remotes.addresses import read
from hub.sync.remotes.troubles import told
from tests.forge import Forge, Linked, need, prompt, room_for
from tests.serving import free_port
from tests.shelf import Shelf, git
from tests.test_remotes_hosts import shelf
from tests.test_remotes_ssh import confirm, host_key, ssh_server

__all__ = ["shelf"]

SSH, HTTPS = "git@github.com:acme/prompts.git", "https://github.com/acme/prompts.git"
DAEMON = "git://github.com/acme/prompts.git"
END = (
    "\nfatal: Could not read from remote repository.\n\n"
    "Please make sure you have the correct access rights\nand the repository exists.\n"
)


def http(status: int) -> str:
    return f"\nfatal: unable to access '{HTTPS}/': The requested URL returned error: {status}\n"


@pytest.mark.parametrize(
    ("url", "said", "sentence"),
    [
        (SSH, "ERROR: The key you are authenticating with has been marked as read only." + END,
         "Add the deploy key to the repository there, with the right to write."),
        (SSH, "ERROR: Permission to acme/prompts.git denied to deploy key" + END, "deploy key."),
        (SSH, "git@github.com: Permission denied (publickey)." + END, "Add the deploy key"),
        (SSH, "ERROR: Repository not found." + END, "There is no repository at"),
        (SSH, "ERROR: This repository was archived so it is read-only." + END, "Unarchive it"),
        (HTTPS, "remote: This repository was archived so it is read-only." + http(403),
         "Unarchive it"),
        (HTTPS, "remote: Write access to repository not granted." + http(403),
         "the hub's token (Write access to repository not granted). Make a token that"),
        (DAEMON, "fatal: remote error: access denied or repository not exported: /a", "is no repo"),
        (DAEMON, "fatal: remote error: service not enabled: /a", "does not let the hub push to"),
        (HTTPS, "remote: Repository not found.\nfatal: repository 'x' not found", "no repository"),
        (HTTPS, "! HEAD:refs/heads/main [remote rejected] (push declined due to repository rule "
                "violations)\nerror: failed to push some refs", "does not let the hub push to it"),
        (HTTPS, "remote: error: GH006: Protected branch update failed for refs/heads/main.",
         "Allow the hub's account to do so"),
        (SSH, "remote: ERROR: This deploy key does not have write access to this project." + END,
         "with the right to write"),
        (SSH, "remote: ERROR: The project you were looking for could not be found or you don't "
              "have permission to view it." + END, "There is no repository at"),
        (HTTPS, "remote: GitLab: You are not allowed to push code to protected branches on this "
                "project.", "Allow the hub's account to do so"),
        (SSH, "Gitea: Unauthorized" + END, "Add the deploy key"),
        (SSH, "error: remote unpack failed: unable to create temporary object directory\nTo x\n!\t"
              "HEAD:refs/heads/main\t[remote rejected] (unpacker error)\nerror: failed to push",
         "push to its branch main (unable to create temporary object directory). Allow"),
        (SSH, "!\tx:refs/heads/main\t[remote rejected] (atomic push failure)\n"
              "!\tx:refs/heads/deploy\t[remote rejected] (hook declined)\nerror: failed to push",
         "does not let the hub push to its branch deploy (hook declined)"),
        (SSH, "".join(f"!\tx:refs/heads/proposals/{n}\t[remote rejected] (no)\n" for n in range(9)),
         "to its branches proposals/0, proposals/1, proposals/2 and others (no)."),
        (HTTPS, "fatal: unable to access 'x': Could not resolve host: x", "reached just now"),
        (SSH, "ssh: connect to host github.com port 22: Connection refused" + END,
         "just now; it is tried again by itself. git says: ssh: connect to host github.com"),
        (SSH, END, "just now; it is tried again by itself."),
        (HTTPS, "fatal: the remote end hung up unexpectedly" + http(502), "cannot be reached"),
    ],
)  # fmt: skip
def test_what_a_forge_says_becomes_what_to_do(url: str, said: str, sentence: str):
    assert sentence in told(read(url), said).sentence


# ── gitolite ────────────────────────────────────────────────────────────────────────────────────

SHELL = "/usr/share/gitolite3/gitolite-shell"


class Gitolite(Forge):
    """gitolite's own home; `hub` comes in by the key that the hub made."""

    def run(self, *words: str) -> None:
        env = {"PATH": os.environ["PATH"], "HOME": str(self.folder.parent), "USER": "git"}
        env |= {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
        subprocess.run(["gitolite", *words], env=env, check=True, capture_output=True)

    def allow(self, *lines: str) -> None:
        """What its configuration says of the repository."""
        conf = self.folder.parent / ".gitolite" / "conf" / "gitolite.conf"
        conf.write_text("\n".join(["repo acme/prompts", *(f"    {one}" for one in lines), ""]))
        self.run("compile")
        self.run("trigger", "POST_COMPILE")


@pytest.fixture
async def linked(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Linked]:
    need("gitolite", "gitolite3")
    if os.geteuid() != 0:
        need("no-sshd-without-root", "openssh-server, and run as root")
    home, port = tmp_path / "home", free_port()
    home.mkdir()
    host_key(home)
    user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    forge = Gitolite(home / "repositories", f"ssh://{user}@127.0.0.1:{port}/acme/prompts")
    forge.run("setup", "-a", "admin")
    forge.allow("RW+ = hub")
    room = room_for(shelf.database, shelf.publisher, tmp_path, "127.0.0.1")
    linked = Linked(shelf, forge, room)
    with ssh_server(home, port):
        row = await linked.link(mirror="on")
        entry = f'restrict,command="env HOME={home} {SHELL} hub" {row.public_key}\n'
        (home / "authorized_keys").write_text(entry)
        await shelf.save("support/triage", "Be kind.")
        await confirm(linked)
        yield linked


async def test_gitolite_both_ways_and_what_its_rules_refuse(linked: Linked):
    shelf, forge = linked.shelf, linked.forge
    assert isinstance(forge, Gitolite)
    await linked.in_step(rebuilds=False)
    theirs = forge.folder.parent / "theirs"
    git(forge.folder.parent, "clone", "-q", "-b", "main", str(forge.bare), "theirs")
    (theirs / "a.prompt.yml").write_text(prompt("Theirs."))
    git(theirs, "add", "-A")
    git(theirs, "commit", "-q", "-m", "Theirs")
    git(forge.bare, "fetch", "-q", str(theirs), "main:main")
    await linked.in_step(rebuilds=False)
    assert "Theirs." in linked.text("a")

    forge.allow("RW main = hub")  # releases may not go there
    await labels.move(
        shelf.publisher, shelf.workspace, "production", "support/triage", 1, actor=shelf.ben,
        reason="Ready",
    )  # fmt: skip
    row = await linked.sync()
    assert "does not let the hub push to its branch deploy (hook declined)" in row.trouble
    forge.allow("R = hub")
    row = await linked.sync()
    assert "Add the deploy key to the repository there, with the right to write." in row.trouble
    forge.allow("R = somebody")
    row = await linked.sync()
    assert "or the hub's deploy key may not see it" in row.trouble
    forge.allow("RW = hub")
    await linked.in_step()
    assert linking.ready(await linked.row())

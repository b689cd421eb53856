"""Repositories elsewhere over SSH: a key of ours, hosts that somebody confirmed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hub.errors import Conflict
from hub.sync.remotes import linking, ssh
from hub.sync.remotes.view import view
from tests.forge import Forge, Linked, make_bare, need, prompt, room_for, wait_for
from tests.serving import free_port
from tests.shelf import Shelf
from tests.test_remotes_hosts import shelf

__all__ = ["shelf"]


# ── ssh ─────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def ssh_server(folder: Path, port: int) -> Iterator[None]:
    """`sshd` with host keys of its own, that lets in whoever `authorized_keys` names."""
    sshd = need("sshd", "openssh-server")
    need("ssh-keyscan", "openssh-client")
    user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    (folder / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\n"
        f"AuthorizedKeysFile {folder}/authorized_keys\nStrictModes no\nUsePAM no\n"
        f"PasswordAuthentication no\nKbdInteractiveAuthentication no\nAllowUsers {user}\n"
        "PermitRootLogin prohibit-password\nLogLevel QUIET\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True)
    process = subprocess.Popen(
        [sshd, "-D", "-e", "-f", str(folder / "config")], stderr=subprocess.DEVNULL
    )
    try:
        wait_for(port)
        yield
    finally:
        process.kill()
        process.wait()


def host_key(folder: Path) -> None:
    for name in ("host", "host.pub"):
        (folder / name).unlink(missing_ok=True)
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "host")]
    subprocess.run(words, check=True)


@pytest.fixture
async def by_ssh(shelf: Shelf, tmp_path: Path) -> AsyncIterator[Linked]:
    """A link over ssh whose host was shown and that nobody has confirmed yet."""
    need("sshd", "openssh-server")
    if os.geteuid() != 0:
        need("no-sshd-without-root", "openssh-server, and run as root")
    folder, port = tmp_path / "forge", free_port()
    make_bare(folder)
    host_key(folder)
    user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    url = f"ssh://{user}@127.0.0.1:{port}{folder}/acme/prompts.git"
    linked = Linked(
        shelf, Forge(folder, url),
        room_for(shelf.database, shelf.publisher, tmp_path, "127.0.0.1"),
    )  # fmt: skip
    with ssh_server(folder, port):
        row = await linked.link()
        (folder / "authorized_keys").write_text(row.public_key + "\n")
        yield linked


async def confirm(linked: Linked) -> None:
    prints = " ".join(linking.shown((await linked.row()).offered_keys))
    await linking.confirm_keys(linked.room, linked.shelf.workspace, prints, linked.admin)


async def test_ssh_with_a_key_of_ours_and_a_host_that_was_confirmed(by_ssh: Linked):
    row = await by_ssh.row()
    assert view(row).state == "setting up"
    assert not linking.ready(row)
    shown = subprocess.run(
        ["ssh-keygen", "-lf", str(by_ssh.forge.folder / "host.pub")], capture_output=True,
        text=True, check=True,
    ).stdout.split()[1]  # fmt: skip
    assert shown in [print for _, print in view(row).prints]
    with pytest.raises(Conflict):
        await linking.confirm_keys(
            by_ssh.room, by_ssh.shelf.workspace, "SHA256:other", by_ssh.admin
        )  # fmt: skip
    await by_ssh.shelf.save("support/triage", "Be kind.")
    await confirm(by_ssh)
    await by_ssh.in_step()
    by_ssh.forge.pull()
    by_ssh.forge.commit({"a/b.prompt.yml": prompt("Theirs.")})
    await by_ssh.in_step()
    assert not list(by_ssh.room.folder.glob("*"))  # no key is left in a file


async def test_a_host_with_other_keys_gets_nothing(by_ssh: Linked):
    await by_ssh.shelf.save("support/triage", "Be kind.")
    await confirm(by_ssh)
    row = await by_ssh.row()
    async with by_ssh.shelf.database.write() as db:
        kept = await db.merge(row)
        kind, key = row.host_keys.split(" ")
        kept.host_keys = f"{kind} {key[:-8]}AAAAAAA{key[-1]}"  # as if others had been confirmed
    row = await by_ssh.sync()
    assert "another host key" in row.trouble
    assert view(row).another_host
    assert row.failures == 1
    assert by_ssh.forge.tip() is None
    await linking.ask_for_keys(by_ssh.room, by_ssh.shelf.workspace, by_ssh.admin)
    shown = view(await by_ssh.row())
    assert shown.changed
    assert shown.prints_before == ssh.prints(row.host_keys) != shown.prints  # side by side
    await confirm(by_ssh)
    await by_ssh.in_step()
    shown = view(await by_ssh.row())
    assert (shown.another_host, shown.prints_before) == (False, [])


async def test_a_host_that_comes_back_to_its_keys_is_not_called_another(by_ssh: Linked):
    """Else the page goes on offering the keys of whoever stood in its place."""
    await confirm(by_ssh)
    await by_ssh.in_step()
    async with by_ssh.shelf.database.write() as db:
        kept = await db.merge(await by_ssh.row())
        kind, key = kept.host_keys.split(" ")
        kept.offered_keys = f"{kind} {key[:-8]}AAAAAAA{key[-1]}"  # what another showed meanwhile
    assert view(await by_ssh.row()).changed
    await by_ssh.in_step()
    assert not view(await by_ssh.row()).changed
    assert view(await by_ssh.row()).prints == ssh.prints((await by_ssh.row()).host_keys)


async def test_a_key_that_was_not_added_says_where_to_add_it(by_ssh: Linked):
    (by_ssh.forge.folder / "authorized_keys").write_text("")
    await by_ssh.shelf.save("support/triage", "Be kind.")
    await confirm(by_ssh)
    row = await by_ssh.sync()
    assert "Add the deploy key" in row.trouble
    (by_ssh.forge.folder / "authorized_keys").write_text(row.public_key + "\n")
    await by_ssh.in_step()  # what was wrong is gone with it

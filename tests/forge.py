"""Another place for a workspace's history: a bare repository behind a stock git server."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub.db import Database
from hub.outbound import Outbound
from hub.people.accounts import OPERATOR
from hub.people.policy import Actor
from hub.registry.writing.publish import Publisher
from hub.settings import Secret
from hub.sync.remotes import linking
from hub.sync.remotes.linking import Fields, Room
from hub.sync.remotes.models import Remote
from hub.sync.remotes.watch import once
from tests.cast import make_cast
from tests.clinic_story import Story
from tests.serving import free_port
from tests.shelf import Shelf, git


def prompt(text: str, more: str = "") -> str:
    return f"{more}messages:\n  - role: system\n    content: {text}\n"


@dataclass
class Forge:
    """A repository elsewhere, and a developer's clone of it."""

    folder: Path
    url: str

    @property
    def bare(self) -> Path:
        return self.folder / "acme" / "prompts.git"

    @property
    def clone(self) -> Path:
        return self.folder / "clone"

    def git(self, *args: str) -> str:
        """In the bare repository."""
        return git(self.bare, *args)

    def dev(self, *args: str, **more: Any) -> str:
        """In the clone."""
        return git(self.clone, *args, **more)

    def pull(self, branch: str = "main") -> None:
        if not self.clone.exists():
            git(self.folder, "clone", "-q", str(self.bare), "clone")
        self.dev("fetch", "-q", "--prune", "origin")
        self.dev("checkout", "-q", "-B", branch, f"origin/{branch}")

    def begin(self, files: dict[str, str], message: str = "Begin") -> None:
        """Commits in a forge that is empty."""
        git(self.folder, "clone", "-q", str(self.bare), "clone")
        self.dev("checkout", "-q", "-B", "main")
        self.commit(files, message)

    def commit(
        self, files: dict[str, str | None], message: str = "Say it better", branch: str = "main",
        push: bool = True,
    ) -> str:  # fmt: skip
        """What a developer changes, and pushes."""
        for name, text in files.items():
            path = self.clone / name
            if text is None:
                path.unlink()
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
        self.dev("add", "-A")
        self.dev("commit", "-q", "-m", message)
        if push:
            self.dev("push", "-q", "origin", f"HEAD:{branch}")
        return self.dev("rev-parse", "HEAD")

    def tip(self, branch: str = "main") -> str | None:
        found = self.git("for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}")
        return found or None

    def file(self, path: str, branch: str = "main") -> str:
        return self.git("show", f"{branch}:{path}")


def make_bare(folder: Path) -> None:
    bare = folder / "acme" / "prompts.git"
    bare.mkdir(parents=True)
    git(bare, "init", "-q", "--bare", "--initial-branch=main")


@contextmanager
def git_daemon(folder: Path) -> Iterator[Forge]:
    """`git daemon`, which anybody may push to."""
    make_bare(folder)
    port = free_port()
    process = subprocess.Popen(
        ["git", "daemon", "--reuseaddr", "--export-all", "--enable=receive-pack",
         "--listen=127.0.0.1", f"--port={port}", f"--base-path={folder}"],
        env={"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null"},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        wait_for(port)
        yield Forge(folder, f"git://127.0.0.1:{port}/acme/prompts.git")
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_for(port: int) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError("the git server did not start")


@dataclass
class Linked:
    """A workspace and the forge that it is linked to."""

    shelf: Shelf
    forge: Forge
    room: Room
    admin: Actor = OPERATOR
    """Who links it."""

    async def link(self, **more: Any) -> Remote:
        given = {"url": self.forge.url, "deploy": "on"} | more
        return await linking.link(self.room, self.shelf.workspace, Fields(**given), self.admin)

    async def row(self) -> Remote:
        async with self.shelf.database.read() as db:
            return await linking.get(db, self.shelf.workspace.id)

    async def sync(self) -> Remote:
        """One round; how it stands afterwards."""
        await once(self.room, self.shelf.workspace, await self.row())
        return await self.row()

    def main(self) -> str | None:
        return self.shelf.repository.tip("refs/heads/main")

    def text(self, name: str) -> str:
        return self.shelf.git("show", f"main:{name}.prompt.yml")

    async def in_step(self, *, rebuilds: bool = True) -> None:
        """Nothing is wrong, and both sides hold the same; git alone would tell the same story."""
        row = await self.sync()
        wrong = (row.trouble, row.stopped, row.waiting, row.note)
        assert wrong == ("", None, None, ""), wrong
        assert (row.ahead, row.behind) == (0, 0)
        assert self.forge.tip() == self.main()
        if rebuilds:
            await self.shelf.assert_rebuilds()


def room_for(
    database: Database, publisher: Publisher, folder: Path, private: str, ca_file: str = ""
) -> Room:
    out = Outbound(private, ca_file)
    return Room(database, publisher, out, folder / "sync", Secret("0" * 64))


async def clinic(database: Database, folder: Path) -> Shelf:
    """The cast's workspace, below the web."""
    cast = await make_cast(database)
    publisher = Publisher(database, folder / "repositories")
    await publisher.ensure(cast.workspace)
    story = Story(publisher, database, cast)
    ana, ben = await story.actor("ana"), await story.actor("ben")
    return Shelf(database, publisher, cast.workspace, ana, ben)


@contextmanager
def linked_to_daemon(shelf: Shelf, folder: Path) -> Iterator[Linked]:
    """A workspace beside an empty forge; nobody has linked them yet."""
    with git_daemon(folder / "forge") as forge:
        yield Linked(shelf, forge, room_for(shelf.database, shelf.publisher, folder, "127.0.0.1"))


def need(program: str, package: str) -> str:
    """A program of the system; without it the test is skipped, but never where all must run."""
    import pytest

    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        reason = f"no {program} on this machine (Debian: apt-get install {package})"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    return found

"""A workspace below the web: database, publisher and repository, with people who may write."""

from __future__ import annotations

import asyncio
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub.db import Database, now
from hub.people.models import Workspace
from hub.people.policy import Actor, WorkspaceRef
from hub.registry import versions
from hub.registry.git.repository import Repository
from hub.registry.indexing import index
from hub.registry.prompt.document import Document, Message
from hub.registry.writing.asks import Saved
from hub.registry.writing.publish import Publisher


def somebody(name: str, role: str, workspace_id: int, *, account_id: int = 1) -> Actor:
    email = f"{name.split()[0].lower()}@example.org"
    return Actor(
        kind="person", name=name, email=email, account_id=account_id, workspace_id=workspace_id,
        role=role,
    )  # fmt: skip


def saying(text: str, **more: Any) -> Document:
    """A prompt with one message."""
    return Document(messages=(Message(role="system", content=text),), **more)


@dataclass
class Shelf:
    """What these tests work with."""

    database: Database
    publisher: Publisher
    workspace: WorkspaceRef
    ana: Actor
    """Editor."""
    ben: Actor
    """Reviewer."""

    @property
    def repository(self) -> Repository:
        return self.publisher.repository(self.workspace.slug)

    async def save(self, name: str, text: str, base: str | None = None, **more: Any) -> Saved:
        given: dict[str, Any] = {"actor": self.ana, "message": "Say it better", "base": base}
        return await versions.save(
            self.publisher, self.workspace, name, saying(text), **(given | more)
        )

    async def dump(self) -> str:
        async with self.database.read() as db:
            return await index.dump(db, self.workspace.id)

    async def assert_rebuilds(self) -> str:
        """The index, after making sure that git alone would give the same."""
        before = await self.dump()
        await index.reindex(self.database, self.repository, self.workspace.id)
        assert await self.dump() == before
        return before

    def git(self, *args: str, stdin: bytes = b"") -> str:
        """Plain git, as a stranger would use it on the repository."""
        return git(self.repository.path, *args, stdin=stdin)

    def log(self, *args: str) -> list[str]:
        return self.git("log", *args).splitlines()


def git(
    folder: Path, *args: str, stdin: bytes = b"", by: tuple[str, str] = ("Dev", "dev@example.org")
) -> str:
    name = {"GIT_AUTHOR_NAME": by[0], "GIT_COMMITTER_NAME": by[0]}
    mail = {"GIT_AUTHOR_EMAIL": by[1], "GIT_COMMITTER_EMAIL": by[1]}
    nobody = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"}
    done = subprocess.run(
        ["git", *args], cwd=folder, input=stdin, capture_output=True, check=False,
        env={"PATH": os.environ["PATH"]} | name | mail | nobody,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().rstrip("\n")


async def make_shelf(database: Database, folder: Path, slug: str = "ward") -> Shelf:
    async with database.write() as db:
        row = Workspace(slug=slug, name=slug.title(), created_at=now())
        db.add(row)
        await db.flush()
        workspace = WorkspaceRef(row.id, slug, row.name)
    shelf = Shelf(
        database,
        Publisher(database, folder / "repositories"),
        workspace,
        somebody("Ana Oliveira", "editor", workspace.id),
        somebody("Ben Carter", "reviewer", workspace.id),
    )
    await shelf.publisher.ensure(workspace)
    return shelf


class Clone:
    """A developer's clone, who pushes to the repository past the hub."""

    def __init__(self, shelf: Shelf, folder: Path) -> None:
        self.shelf, self.folder = shelf, folder
        git(folder.parent, "clone", "-q", str(shelf.repository.path), folder.name)

    def git(self, *args: str) -> str:
        return git(self.folder, *args)

    def write(self, path: str, text: str | bytes) -> None:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode() if isinstance(text, str) else text)

    def push(self, message: str, branch: str = "main") -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        self.git("push", "-q", "origin", f"HEAD:{branch}")

    async def arrives(self) -> None:
        """The hub takes notice."""
        await index.catch_up(self.shelf.database, self.shelf.repository, self.shelf.workspace.id)

    def pull(self) -> None:
        self.git("pull", "-q", "--ff-only")


async def all_of(*jobs: Any) -> list[Any]:
    """Run them at once; what failed comes back as the exception."""
    return await asyncio.gather(*jobs, return_exceptions=True)

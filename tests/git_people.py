"""Stock git in people's hands, against a running hub."""

from __future__ import annotations

import asyncio
import base64
import os
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx
import msgspec

from hub.db import Database, now
from hub.people import own_keys, rules, rules_store
from hub.people.accounts import OPERATOR
from hub.people.models import Account, PolicyChange
from hub.registry.prompt.document import Document, Message, to_json
from tests.serving import Server

T = TypeVar("T")
API = "/api/v1"
CLEAN = {
    "PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", "HOME": "/nonexistent",
    "GIT_AUTHOR_NAME": "Ana", "GIT_AUTHOR_EMAIL": "ana@example.org",
    "GIT_COMMITTER_NAME": "Ana", "GIT_COMMITTER_EMAIL": "ana@example.org",
}  # fmt: skip


def address(server: Server, key: str, slug: str = "clinic") -> str:
    return server.url.replace("http://", f"http://anybody:{key}@") + f"/{slug}.git"


def basic(key: str, user: str = "anybody") -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{key}".encode()).decode()}


def push_headers(key: str) -> dict[str, str]:
    """As git's own client sends what it pushes."""
    return basic(key) | {"Content-Type": "application/x-git-receive-pack-request"}


def git(where: Path, *words: str, ok: bool = True, **more: Any) -> str:
    """What git says, both ways; `ok`: whether it is to go well."""
    env = CLEAN | more.pop("env", {})
    done = subprocess.run(
        ["git", *words], cwd=where, env=env, capture_output=True, timeout=60, check=False, **more
    )
    said = (done.stdout + done.stderr).decode("utf-8", "replace")
    assert (done.returncode == 0) == ok, said
    return said


def clone(server: Server, where: Path, *more: str, key: str | None = None) -> Path:
    git(where, "clone", "-q", *more, address(server, key or server.cast.read_key), "copy")
    return where / "copy"


def save(server: Server, name: str, text: str, base: str | None = None) -> dict[str, Any]:
    """A version, by an app."""
    document = to_json(Document(messages=(Message(role="system", content=text),)))
    answer = httpx.post(
        f"{server.url}{API}/versions/{name}", headers=server.headers("write"),
        json={"document": document, "base": base, "message": "Say it better"},
    )  # fmt: skip
    assert answer.status_code in {200, 201}, answer.text
    return answer.json()


def beside(server: Server, doing: Callable[[Database], Awaitable[T]]) -> T:
    """Do something in the running hub's database."""

    async def work() -> T:
        database = Database(server.settings.database, guest=True)
        try:
            return await doing(database)
        finally:
            await database.close()

    return asyncio.run(work())


def own_key(server: Server, who: str, scope: str = "write", name: str = "laptop") -> str:
    async def make(database: Database) -> str:
        async with database.write() as db:
            account = await db.get_one(Account, server.cast.account_ids[who])
            made = await own_keys.create(
                db, server.cast.workspace, name, scope, account=account, actor=OPERATOR
            )
        return made.token

    return beside(server, make)


def rule(server: Server, *made: rules.Rule) -> None:
    """Put these rules in force, in place of those before."""

    async def put(database: Database) -> None:
        policy = msgspec.to_builtins(rules.Policy(rules=made))
        async with database.write() as db:
            db.add(
                PolicyChange(
                    workspace_id=server.cast.workspace.id, base_id=None, policy=policy, why="",
                    by="tests", account_id=None, at=now(), approvals=[], accepted_at=now(),
                    declined_at=None,
                )
            )  # fmt: skip
            await rules_store.bump(db, server.cast.workspace.id)

    beside(server, put)


def children(server: Server) -> list[str]:
    """Gits of that hub, whoever is their parent."""
    found = subprocess.run(
        ["ps", "-ww", "-eo", "pid,args"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return [line for line in found if str(server.data) in line and "git" in line.split()[1]]

"""Every door that exists, in the hands of a person: forms, REST, both kinds of commands.

A door does one deed and says what came of it as text; what happened is asked of git.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from hub import cli, remote
from hub.front import Front
from hub.people import own_keys, rules
from hub.people.accounts import OPERATOR
from hub.people.models import Account
from hub.people.policy import Actor
from hub.registry import labels, versions
from hub.registry.document import Document
from hub.registry.review import proposals
from tests.cast import NAMES, ROLES, Browser, Cast
from tests.offered import set_rules, text

API = "/api/v1"
PROMPT = "clinical/triage"
CHANGE = rules.Rule(kind="change", folder="clinical")
RELEASE = rules.Rule(kind="release", folder="clinical", label="production", approvals=2)
UNREVIEWED = "need review by reviewers. Propose it instead."


@dataclass
class Doors:
    """The clinic under its rules: `clinical/triage` has two versions, 1 is live in staging;
    proposal 1 is Ben's, for production, and nobody has approved it."""

    hub: Front
    cast: Cast
    client: Browser
    browsers: dict[str, Browser]
    data: Path
    keys: dict[str, str] = field(default_factory=dict[str, str])
    offered: proposals.Made = field(init=False)
    hash: str = ""

    def actor(self, who: str) -> Actor:
        return Actor(
            kind="person", name=NAMES[who], email=f"{who}@example.org", role=ROLES[who],
            account_id=self.cast.account_ids[who], workspace_id=self.cast.workspace.id,
        )  # fmt: skip

    async def save(self, name: str, document: Document, base: str | None = None) -> str:
        saved = await versions.save(
            self.hub.state.publisher, self.cast.workspace, name, document, base=base,
            actor=self.actor("ben"), message="",
        )  # fmt: skip
        return saved.hash

    def git(self) -> dict[str, str]:
        """Where main and deploy stand."""
        return self.hub.state.publisher.repository(self.cast.workspace.slug).tips()

    # --- the doors ---------------------------------------------------------------------------

    async def form(self, who: str, path: str, **fields: str) -> str:
        """A page's form; where it leads to somewhere else, what is said there, too."""
        answer = await self.browsers[who].post_form(f"/clinic/{path}", fields)
        assert answer.status_code < 500, answer.text
        if answer.status_code == 303:
            answer = await self.browsers[who].get(answer.headers["location"])
        return _plain(answer.text)

    async def api(self, who: str, method: str, path: str, body: Any = None, **more: str) -> str:
        """The REST interface, with somebody's own key, or an app's (`app`)."""
        headers = {"Authorization": f"Bearer {self.keys[who]}"} | more
        answer = await self.client.request(method, f"{API}/{path}", json=body, headers=headers)
        assert answer.status_code < 500, answer.text
        return answer.text

    async def command(self, who: str, *words: str) -> str:
        """A command over HTTP, with somebody's key."""
        return await self._run([*words, "--key", self.keys[who]])

    async def operator(self, *words: str) -> str:
        """A command at the machine itself, beside the running hub."""
        return await self._run([*words, "--data", str(self.data), "--workspace", "clinic"])

    async def _run(self, words: list[str]) -> str:
        done = await asyncio.to_thread(CliRunner().invoke, cli.prompthub, words)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.output


def _plain(page: str) -> str:
    from html import unescape

    return unescape(page)


Deed = Callable[[Doors], Coroutine[Any, Any, str]]


def commands_reach(hub_client: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands over HTTP come to the hub of this process."""
    loop = asyncio.get_running_loop()

    def request(method: str, url: str, **more: Any) -> httpx.Response:
        more.pop("timeout")
        path = url.removeprefix("http://127.0.0.1:8321")
        asked = hub_client.request(method, path, **more)
        return asyncio.run_coroutine_threadsafe(asked, loop).result(30)

    monkeypatch.setattr(remote.httpx, "request", request)


async def open_doors(
    hub: Front, cast: Cast, client: Browser, browsers: dict[str, Browser], data: Path
) -> Doors:
    doors = Doors(hub, cast, client, browsers, data)
    async with hub.state.database.write() as db:
        for who in ROLES:
            account = await db.get_one(Account, cast.account_ids[who])
            made = await own_keys.create(
                db, cast.workspace, "doors", "write", account=account, actor=OPERATOR
            )
            doors.keys[who] = made.token
    doors.keys |= {"app": cast.write_key, "rival": cast.rival_key}
    place = (hub.state.publisher, cast.workspace)
    first = await doors.save(PROMPT, text("One"))
    doors.hash = await doors.save(PROMPT, text("Two"), base=first)
    await doors.save("clinical/gone", text("One"))
    await versions.delete(*place, "clinical/gone", actor=doors.actor("ben"))
    await doors.save("free/letter", text("One"))
    await labels.move(*place, "staging", PROMPT, 1, actor=doors.actor("ben"), reason="")
    await set_rules(hub.state.database, cast.workspace.id, CHANGE, RELEASE)
    wanted = proposals.Wanted(kind="change", name=PROMPT, document=text("Evil"))
    doors.offered = await proposals.propose(
        hub.state.publisher, hub.state.database, cast.workspace, actor=doors.actor("ben"),
        title="Say it better", why="It was unclear.", items=[wanted], target="production",
    )  # fmt: skip
    return doors

"""A hub with its people for a whole module of tests, and its first door: the REST interface.

The other doors, and how a test is put behind them, are in `tests.over_doors`.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from click.testing import CliRunner
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub import cli
from hub.front import Front
from hub.people import accounts, keys, own_keys, sign_ins, workspaces
from hub.people.models import Account, AuditEntry
from hub.people.policy import Actor
from hub.registry.prompt.document import Document, serialise, to_json
from hub.registry.review import proposals
from hub.registry.review.drawing import Wanted
from hub.registry.review.models import Merge, Proposal, Revision
from hub.registry.review.propose import Made
from hub.registry.writing.asks import Saved
from tests.bench_of_review import ROLES, Bench
from tests.cast import BASE, Browser, copy_template, settings_for
from tests.serving import free_port
from tests.shelf import saying


class Refused(Exception):
    """Nothing came of it; what was said."""


async def refused(doing: Awaitable[Any], match: str | None = None) -> None:
    with pytest.raises(Refused, match=match):
        await doing


@dataclass
class House:
    """One hub, in this process and at a port; its people are in every workspace."""

    hub: Front
    url: str
    folder: Path
    nobody: Browser
    browsers: dict[str, Browser] = field(default_factory=dict[str, Browser])
    ids: dict[str, int] = field(default_factory=dict[str, int])

    async def moves_in(self, db: AsyncSession, who: str, name: str, email: str) -> None:
        """Somebody with an account, signed in."""
        account = await accounts.create(db, email, name)
        account.password_hash = "unset"
        self.ids[who] = account.id
        self.browsers[who] = browser = browser_of(self.hub)
        cookie = await sign_ins.start(db, account.id, "tests")
        browser.cookies.set("__Host-session", cookie, domain="hub.test", path="/")


def browser_of(app: Front) -> Browser:
    return Browser(transport=httpx.ASGITransport(app=app), base_url=BASE)


@asynccontextmanager
async def open_house(app: Front, migrated: Path, folder: Path) -> AsyncIterator[House]:
    copy_template(migrated, folder / "data")
    app.state.settings = settings_for(folder / "data")
    async with app.lifespan():
        port = free_port()
        config = uvicorn.Config(app, port=port, lifespan="off", log_level="warning", ws="none")
        server = uvicorn.Server(config)
        server.capture_signals = nullcontext  # type: ignore[method-assign]  # they are pytest's
        serving = asyncio.ensure_future(server.serve())
        made = House(app, f"http://127.0.0.1:{port}", folder, browser_of(app))
        async with app.state.database.write() as db:
            for who in ROLES:
                await made.moves_in(db, who, who.title(), f"{who}@example.org")
        while not server.started:
            await asyncio.sleep(0.01)
        yield made
        server.should_exit = True
        await serving
        for browser in (made.nobody, *made.browsers.values()):
            await browser.aclose()


@dataclass
class Api(Bench):
    """REST, each with a key of their own, or an app's."""

    house: House = field(kw_only=True)
    door: str = field(kw_only=True)
    tokens: dict[str, str] = field(kw_only=True, default_factory=dict[str, str])

    async def ask(self, who: str, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {self.tokens[who]}"}
        address = f"/api/v1/{path}"
        answer = await self.house.nobody.request(method, address, json=body, headers=headers)
        assert answer.status_code < 500, answer.text
        if answer.is_error:
            raise Refused(answer.json()["detail"])
        return answer.json() if answer.content else None

    async def propose(self, *items: Wanted, by: str = "ana", **more: Any) -> Made:
        body = {"title": "Say it better", "why": "It was unclear."} | given(more)
        await self.ask(by, "POST", "proposals", body | {"items": [item(one) for one in items]})
        return await self.latest()

    async def revise(self, number: int, *items: Wanted, by: str = "ana", **more: Any) -> Made:
        body = {"message": "As asked"} | given(more) | {"items": [item(one) for one in items]}
        await self.ask(by, "POST", f"proposals/{number}/revisions", body)
        return await self.latest(number)

    async def review(self, made: Made, *who: str, verdict: Any = "approve", **more: Any) -> None:
        for one in who:
            body = {"digest": made.digest, "verdict": verdict} | more
            await self.ask(one, "POST", f"proposals/{made.number}/reviews", body)

    async def merge(self, made: Made, by: str = "ben", **more: Any) -> proposals.Merged:
        more = given(more)
        more["break_glass"] = more.pop("broke_glass", "")
        body = {"digest": made.digest} | more
        await self.ask(by, "POST", f"proposals/{made.number}/merge", body)
        return await self.merged(made.number, "")

    async def move(self, name: str, version: int | None, by: str = "ben", **more: Any) -> Any:
        one = {"label": more.pop("label", "production"), "name": name, "version": version}
        if "expected" in more:
            one["expected"] = more.pop("expected")
        glass = more.pop("broke_glass", "")
        body = {"moves": [one], "reason": more.pop("reason", "Because"), "break_glass": glass}
        return await self.ask(by, "PUT", "releases", body)

    async def save(self, name: str, text: str, base: str | None = None, **more: Any) -> Saved:
        who = self.who(more.pop("actor", self.ana))
        body = {"document": to_json(saying(text)), "base": base}
        body |= {"message": more.pop("message", "Say it better")}
        return saved(await self.ask(who, "POST", f"versions/{name}", body))

    async def import_(self, name: str, text: str | Document) -> None:
        """The operator's command at the data folder, beside the running hub."""
        folder = Path(tempfile.mkdtemp(dir=self.house.folder))
        file = folder / f"{name}.prompt.yml"
        file.parent.mkdir(parents=True)
        file.write_bytes(serialise(saying(text) if isinstance(text, str) else text))
        data, slug = str(self.house.folder / "data"), self.workspace.slug
        await self.run("import", str(folder), "--data", data, "--workspace", slug)

    async def delete(self, name: str, by: str = "ana") -> None:
        await self.ask(by, "DELETE", f"prompts/{name}")

    async def close(self, number: int, deed: str, by: str) -> None:
        """`decline`, `withdraw` or `reopen`."""
        await self.ask(by, "POST", f"proposals/{number}/{deed}", {"reason": "No"})

    async def rename(self, old: str, new: str, by: str = "ana") -> None:
        """REST knows no renaming: by its sheet."""
        await self.form(by, f"rename/{old}", new_name=new, reason="")

    async def restore(self, name: str, version: int, by: str = "ana") -> None:
        await self.form(by, f"restore/{version}/{name}")

    # --- what is the same for all ------------------------------------------------------------

    async def form(self, who: str, path: str, **fields: str | list[str]) -> None:
        """A page's form; `Refused` unless something changed."""
        before = await self.mark()
        browser = self.house.browsers[who]
        answer = await browser.post_form(f"/{self.workspace.slug}/{path}", fields)
        assert answer.status_code < 500, answer.text
        if before != await self.mark():
            return
        if answer.status_code == 303:
            answer = await browser.get(answer.headers["location"])
        raise Refused(unescape(answer.text))

    async def command(self, who: str, *words: str) -> None:
        key = ("--key", self.tokens[who], "--url", self.house.url)
        await self.run(*words, *key)

    async def run(self, *words: str) -> None:
        done = await asyncio.to_thread(CliRunner().invoke, cli.prompthub, [*words])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        if done.exit_code:
            raise Refused(done.output)

    async def mark(self) -> tuple[int | None, ...]:
        """Anything that happens here is in the audit log."""
        async with self.database.read() as db:
            here = AuditEntry.workspace_id == self.workspace.id
            return tuple((await db.execute(select(func.max(AuditEntry.id)).where(here))).one())

    def who(self, actor: Actor) -> str:
        return next(name for name, one in self.people.items() if one is actor)

    async def latest(self, number: int | None = None) -> Made:
        async with self.database.read() as db:
            here = Revision.workspace_id == self.workspace.id
            query = select(Revision).where(here, Revision.number == (number or Revision.number))
            row = (
                await db.scalars(query.order_by(Revision.number.desc(), Revision.revision.desc()))
            ).first()
        assert row is not None
        return Made(number=row.number, revision=row.revision, digest=row.digest)

    async def merged(self, number: int, said: str) -> proposals.Merged:
        async with self.database.read() as db:
            proposal = await db.get_one(Proposal, (self.workspace.id, number))
            here = (Merge.workspace_id == self.workspace.id) & (Merge.number == number)
            commit = await db.scalar(select(Merge.commit).where(here))
        if proposal.state != "merged" or commit is None:
            raise Refused(said)
        return proposals.Merged(number=number, commit=commit)

    async def joins(self, who: str, name: str, email: str, role: str = "reviewer") -> None:
        """Somebody new, with an account and a key of their own."""
        async with self.database.write() as db:
            await self.house.moves_in(db, who, name, email)
            await self.enter(db, who, role)

    async def enter(self, db: AsyncSession, who: str, role: str) -> None:
        """Somebody of the house becomes a member here."""
        place = self.workspace
        account = await db.get_one(Account, self.house.ids[who])
        await workspaces.add(db, place, account.email, "", role, actor=accounts.OPERATOR)
        self.people[who] = Actor(
            kind="person", name=account.name, email=account.email, account_id=account.id,
            workspace_id=place.id, role=role,
        )  # fmt: skip
        operator = accounts.OPERATOR
        scope = "admin" if role == "admin" else "write"
        made = await own_keys.create(db, place, "k", scope, account=account, actor=operator)
        self.tokens[who] = made.token

    async def leaves(self, who: str) -> None:
        async with self.database.write() as db:
            maria, id = self.people["maria"], self.house.ids[who]
            await workspaces.remove(db, self.workspace.id, id, actor=maria)

    async def bot(self, name: str = "ci", maker: str = "ben", scope: str = "write") -> str:
        """An app's key, made by somebody; the name it goes by here."""
        async with self.database.write() as db:
            made = await keys.create(db, self.workspace, name, scope, actor=self.people[maker])
        self.tokens[name] = made.token
        self.people[name] = Actor(
            kind="key", name=f"key {name}", email="", key_id=made.id,
            workspace_id=self.workspace.id, role=f"key:{scope}",
        )  # fmt: skip
        return name


# ── what is sent ────────────────────────────────────────────────────────────────────────────────


def given(more: dict[str, Any]) -> dict[str, Any]:
    """Without what no door can say: when it is."""
    return {name: said for name, said in more.items() if name != "at"}


def texts(fields: dict[str, Any]) -> dict[str, str]:
    return {name: said or "" for name, said in fields.items()}


def item(one: Wanted) -> dict[str, Any]:
    document = to_json(one.document) if one.document else None
    return {
        "name": one.name, "kind": one.kind, "document": document, "base": one.base,
        "new_name": one.new_name, "version": one.version,
    }  # fmt: skip


def saved(answer: dict[str, Any]) -> Saved:
    return Saved(
        name=answer["name"], id=answer["id"], version=answer["version"], hash=answer["hash"],
        commit=answer["commit"], created=True,
    )  # fmt: skip

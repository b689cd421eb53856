"""The bench behind every door: the same deeds by a page's form, REST, a command, `git push`.

Each class is one door, with the deeds that exist over it; for the others it takes the REST
interface. What came of a deed is asked of the hub, never of the page: nothing changed is `Refused`,
with what the door said. All of a module happens in one hub, each test in a workspace of its own:

    pytestmark = pytest.mark.asyncio(loop_scope="module")

    @over("form", "api")
    async def test_…(bench: Api): …
"""

from __future__ import annotations

import asyncio
import itertools
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from hub.db import now
from hub.people import accounts, workspaces
from hub.people.models import Workspace
from hub.registry import drafts
from hub.registry.prompt.document import Document, serialise, to_json
from hub.registry.reading import catalog
from hub.registry.review import proposals
from hub.registry.review.drawing import Wanted
from hub.registry.review.models import Proposal
from hub.registry.review.propose import Made
from tests.bench_of_review import ROLES
from tests.git_people import CLEAN
from tests.rest_door import Api, House, Refused, given, open_house, texts
from tests.serving import one_app
from tests.shelf import git, saying

_numbers = itertools.count(1)


class Form(Api):
    """The pages, as a browser without scripts sends them."""

    async def propose(self, *items: Wanted, by: str = "ana", **more: Any) -> Made:
        wish = items[0]
        if by not in self.house.browsers or "reviewers" in more:
            return await super().propose(*items, by=by, **more)
        fields: dict[str, Any] = {"title": "Say it better", "why": "It was unclear."} | given(more)
        plain = wish.document and wish.document == saying(wish.document.messages[0].content)
        if len(items) == 1 and wish.kind == "change":
            await self._draft(wish, by)
            await self.form(by, f"propose/{wish.name}", **texts(fields), into="new")
        elif len(items) == 1 and wish.kind == "create" and plain and not fields.get("target"):
            text = wish.document.messages[0].content if wish.document else ""
            words = {"title": "", "text": text, "message": fields["why"], "action": "propose"}
            await self.form(by, "new", name=wish.name, **words)
        elif len(items) == 1 and wish.kind in ("rename", "delete") and "target" not in more:
            where = f"{wish.kind}/{wish.name}"
            more = {"new_name": wish.new_name or "", "reason": fields["why"]}
            await self.form(by, where, action="propose", **more)
        else:
            return await super().propose(*items, by=by, **more)
        return await self.latest()

    async def _draft(self, wish: Wanted, by: str) -> None:
        """As it was left by typing."""
        assert wish.document
        async with self.database.write() as db:
            about = await catalog.get(db, self.workspace.id, wish.name)
            base = await catalog.version(db, self.workspace.id, wish.name, None)
            await drafts.put(
                db, self.workspace.id, self.house.ids[by], about.id, to_json(wish.document),
                name=wish.name, base=wish.base or base.hash, base_version=base.number,
            )  # fmt: skip

    async def revise(self, number: int, *items: Wanted, by: str = "ana", **more: Any) -> Made:
        if len(items) > 1 or items[0].kind != "change" or more.keys() - {"title", "why", "target"}:
            return await super().revise(number, *items, by=by, **more)
        await self._draft(items[0], by)
        there = await self.latest(number)
        async with self.database.read() as db:
            held = await db.get_one(Proposal, (self.workspace.id, number))
        kept = {"title": held.title, "why": held.why, "target": held.target or ""}
        which = {"into": str(number), f"revision-{number}": str(there.revision)}
        await self.form(by, f"propose/{items[0].name}", **texts(kept | more), **which)
        return await self.latest(number)

    async def review(self, made: Made, *who: str, verdict: Any = "approve", **more: Any) -> None:
        if more.pop("saw_hidden", False):
            more["saw_hidden"] = "yes"
        for one in who:
            if one not in self.house.browsers:
                await super().review(made, one, verdict=verdict, **more)
                continue
            where = f"proposals/{made.number}/review"
            said = {"body": "Because"} | more if verdict == "changes" else more
            await self.form(one, where, digest=made.digest, verdict=verdict, **said)

    async def merge(self, made: Made, by: str = "ben", **more: Any) -> proposals.Merged:
        if by not in self.house.browsers:
            return await super().merge(made, by=by, **more)
        more = given(more)
        fields = {"digest": made.digest, "reason": more.pop("reason", "")}
        if more.pop("release", False):
            fields |= {"release": "yes", "reason": fields["reason"] or "Because"}
        await self.form(by, f"proposals/{made.number}/merge", **fields, **more)
        return await self.merged(made.number, "a new revision was made")

    async def move(self, name: str, version: int | None, by: str = "ben", **more: Any) -> Any:
        if by not in self.house.browsers or version is None:
            return await super().move(name, version, by=by, **more)
        label, was = more.pop("label", "production"), more.pop("expected", None)
        expected = was or await self.live(name, label)
        await self.form(
            by, f"release/{label}/{name}", version=str(version), expected=str(expected or ""),
            reason=more.pop("reason", "Because"), **more,
        )  # fmt: skip
        return None

    async def close(self, number: int, deed: str, by: str) -> None:
        await self.form(by, f"proposals/{number}/{deed}", reason="No")

    async def delete(self, name: str, by: str = "ana") -> None:
        await self.form(by, f"delete/{name}", reason="", name=name)


class Command(Api):
    """`prompthub …` against the hub's port."""

    async def propose(self, *items: Wanted, by: str = "ana", **more: Any) -> Made:
        if any(one.document is None for one in items) or "reviewers" in more:
            return await super().propose(*items, by=by, **more)
        words = {"title": "Say it better", "why": "It was unclear."} | given(more)
        options = [f"--{name}={said}" for name, said in words.items() if said]
        await self.command(by, "propose", *self._files(items), *options)
        return await self.latest()

    async def revise(self, number: int, *items: Wanted, by: str = "ana", **more: Any) -> Made:
        if any(one.document is None for one in items) or more.keys() - {"title"}:
            return await super().revise(number, *items, by=by, **more)
        title = f"--title={more.get('title', 'Say it better')}"
        await self.command(by, "propose", *self._files(items), title, f"--revise={number}")
        return await self.latest(number)

    def _files(self, items: tuple[Wanted, ...]) -> list[str]:
        root = self.house.folder / f"files-{next(_numbers)}"
        for one in items:
            file = root / f"{one.name}.prompt.yml"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(serialise(one.document or Document()))
        return [*(str(root / f"{one.name}.prompt.yml") for one in items), f"--root={root}"]

    async def review(self, made: Made, *who: str, verdict: Any = "approve", **more: Any) -> None:
        for one in who:
            if verdict == "none" or "body" in more:
                await super().review(made, one, verdict=verdict, **more)
                continue
            flags = ["--ask-for-change"] * (verdict == "changes")
            flags += ["--saw-hidden"] * bool(more.get("saw_hidden"))
            words = ("approve", str(made.number), f"--digest={made.digest}", *flags)
            await self.command(one, *words)

    async def merge(self, made: Made, by: str = "ben", **more: Any) -> proposals.Merged:
        glass, reason = more.pop("broke_glass", ""), more.pop("reason", "")
        flags = [f"--break-glass={glass}"] * bool(glass) + [f"--reason={reason}"] * bool(reason)
        flags += ["--release"] * bool(more.pop("release", False))
        await self.command(by, "merge", str(made.number), f"--digest={made.digest}", *flags)
        return await self.merged(made.number, "")

    async def move(self, name: str, version: int | None, by: str = "ben", **more: Any) -> Any:
        if version is None or "expected" in more:
            return await super().move(name, version, by=by, **more)
        glass = more.pop("broke_glass", "")
        words = [more.pop("label", "production"), f"{name}@{version}"]
        words += [f"--reason={more.pop('reason', 'Because')}"]
        await self.command(by, "release", *words, *([f"--break-glass={glass}"] * bool(glass)))
        return None

    async def close(self, number: int, deed: str, by: str) -> None:
        await self.command(by, "close", str(number), deed, "--reason=No")


class Push(Api):
    """`git push` of a commit upon main, with stock git."""

    async def propose(self, *items: Wanted, by: str = "ana", **more: Any) -> Made:
        if any(one.kind == "release" for one in items) or more.keys() & {"target", "reviewers"}:
            return await super().propose(*items, by=by, **more)
        words = {"title": "Say it better", "why": "It was unclear."} | given(more)
        await self.push(by, items, f"{words['title']}\n\n{words['why']}", "refs/for/main")
        return await self.latest()

    async def revise(self, number: int, *items: Wanted, by: str = "ana", **more: Any) -> Made:
        if any(one.kind == "release" for one in items) or more:
            return await super().revise(number, *items, by=by, **more)
        await self.push(by, items, "As asked", f"refs/heads/proposals/{number}")
        return await self.latest(number)

    async def push(self, by: str, items: tuple[Wanted, ...], message: str, to: str) -> None:
        where = self.house.folder / f"clone-{next(_numbers)}.git"
        git(self.house.folder, "init", "-q", "--bare", where.name)
        objects = self.repository.path / "objects"
        (where / "objects/info/alternates").write_text(f"{objects}\n")
        story = _story(items, message, self.repository.tips().get("refs/heads/main", ""), by)
        git(where, "fast-import", "--quiet", stdin=story)
        address = self.house.url.replace("//", f"//anybody:{self.tokens[by]}@")
        pushed = await asyncio.create_subprocess_exec(
            "git", "push", f"{address}/{self.workspace.slug}.git", f"refs/heads/x:{to}",
            cwd=where, env=CLEAN, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said, _ = await pushed.communicate()
        shutil.rmtree(where)
        if pushed.returncode:
            raise Refused(said.decode())


def _story(items: tuple[Wanted, ...], message: str, tip: str, by: str) -> bytes:
    """For `git fast-import`."""
    said = message.encode()
    who = f"{by.title()} <{by}@example.org> 1700000000 +0000"
    lines = [f"commit refs/heads/x\nauthor {who}\ncommitter {who}\ndata {len(said)}".encode(), said]
    lines += [f"from {tip}".encode()] if tip else []
    for one in items:
        path = f"{one.name}.prompt.yml"
        if one.kind == "delete":
            lines.append(f"D {path}".encode())
        elif one.kind == "rename":
            lines.append(f"R {path} {one.new_name}.prompt.yml".encode())
        else:
            text = serialise(one.document or Document())
            lines += [f"M 100644 inline {path}\ndata {len(text)}".encode(), text]
    return b"\n".join(lines) + b"\n"


DOORS: dict[str, type[Api]] = {"form": Form, "api": Api, "command": Command, "git": Push}
"""`import`, which only makes prompts, is asked for by name."""


def over(*doors: str) -> Callable[[Any], Any]:
    """The test happens behind each of these; without names, behind all."""
    return pytest.mark.parametrize("bench", doors or DOORS, indirect=True)


async def bench_in(made: House, door: str) -> Api:
    """A workspace of its own, with everybody in it."""
    state = made.hub.state
    async with state.database.write() as db:
        row = Workspace(slug=f"ward-{next(_numbers)}", name="Ward", created_at=now())
        db.add(row)
        await db.flush()
        place, nobody = workspaces.ref(row), accounts.OPERATOR
        found = DOORS.get(door, Api)(
            state.database, state.publisher, place, nobody, nobody, house=made, door=door
        )
        for who, role in ROLES.items():
            await found.enter(db, who, role)
    found.ana, found.ben = found.people["ana"], found.people["ben"]
    await state.publisher.ensure(place)
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """One hub for all tests of a module."""
    async with open_house(one_app(), migrated, tmp_path_factory.mktemp("house")) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def bench(request: pytest.FixtureRequest, house: House) -> Api:
    """A workspace behind the door that `@over` says."""
    return await bench_in(house, getattr(request, "param", "api"))

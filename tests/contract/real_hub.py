"""A real hub at the far end: its own process, database, git and sockets, and a workspace of its own
for each test. Everything it says comes through `relay.py`, where a test may have it cut, replaced
or rewritten.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from itertools import count
from typing import Any

import httpx

from hub.parts import Parts, open_parts
from hub.people import keys, workspaces
from hub.people.accounts import OPERATOR
from hub.registry import versions
from hub.registry.indexing import index
from hub.registry.prompt.document import from_json
from tests.contract.far import Far, content, digest_of
from tests.contract.relay import Relay
from tests.serving import Server

_numbers = count(1)


class Beside:
    """A command beside the running hub, as an operator's: it makes workspaces and saves texts."""

    def __init__(self, real: Server) -> None:
        self._loop = asyncio.new_event_loop()
        self._ready, self._end = threading.Event(), asyncio.Event()
        self._thread = threading.Thread(target=self._run, args=(real,), daemon=True)
        self._thread.start()
        assert self._ready.wait(60)

    def _run(self, real: Server) -> None:
        async def stay() -> None:
            async with open_parts(real.settings, guest=True) as self.parts:
                self._ready.set()
                await self._end.wait()

        self._loop.run_until_complete(stay())

    def do(self, work: Callable[[Parts], Coroutine[Any, Any, Any]]) -> Any:
        return asyncio.run_coroutine_threadsafe(work(self.parts), self._loop).result(60)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(20)
        self._loop.close()


class RealHub(Far):
    """One workspace of the real hub."""

    answers = Relay

    def __init__(self, real: Server, beside: Beside) -> None:
        self.real, self._beside = real, beside
        self.future = False
        """Whether what it says holds events and fields that nobody knows yet."""
        self.forged: dict[tuple[str, int], str] = {}
        """Name and version → the object that is named in the place of the hub's."""
        self.texts: dict[str, str] = {}
        """Forged objects."""
        self._forgotten = 0
        self._made: dict[str, list[str]] = {}
        self._batching: dict[tuple[str, str], int | None] | None = None
        self._workspace, self.read_key, write_key = beside.do(self._open)
        headers = {"Authorization": f"Bearer {write_key}"}
        self._http = httpx.Client(base_url=real.url, headers=headers, timeout=60)
        super().__init__()

    @staticmethod
    async def _open(parts: Parts) -> Any:
        slug = f"far-{next(_numbers)}"
        async with parts.database.write() as db:
            made = await workspaces.create(db, slug, slug, actor=OPERATOR, account_id=None)
        await parts.publisher.ensure(made)
        async with parts.database.write() as db:
            tokens = [(await keys.create(db, made, one, one, actor=OPERATOR)).token
                      for one in ("read", "write")]  # fmt: skip
        return made, *tokens

    def another(self) -> RealHub:
        return RealHub(self.real, self._beside)

    def close(self) -> None:
        super().close()
        self._http.close()

    # ── what it holds ───────────────────────────────────────────────────────────────────────────

    @property
    def changes(self) -> bool:
        """Whether anything is to be rewritten on the way."""
        return bool(self.forged or self.future or not self.inline)

    def document(self, labels: list[str], names: list[str]) -> dict[str, Any]:
        answer = self._http.get("/api/v1/snapshot", params={"label": labels, "name": names})
        assert answer.status_code == 200, answer.text
        return answer.json()

    @property
    def epoch(self) -> str:
        return self.document(["production"], [])["epoch"]

    @property
    def revision(self) -> int:
        return self.document(["production"], [])["revision"]

    def release(
        self, name: str, text: str, version: int = 1, label: str = "production", **document: Any
    ) -> None:
        """Save what is not there yet, and move the label."""
        made = self._made.setdefault(name, [])
        wanted = content(text, **document)
        if version > len(made):
            assert version == len(made) + 1, "versions are numbered one by one"
            made.append(wanted)
            self._save({name: _document(text, **document)})
        assert made[version - 1] == wanted, "a version is immutable"
        self._move({(label, name): version})

    def release_many(self, texts: dict[str, str]) -> None:
        """New prompts, in one step."""
        self._save({name: _document(text) for name, text in texts.items()})
        self._made |= {name: [content(text)] for name, text in texts.items()}
        self._move({("production", name): 1 for name in texts})

    def split(self, name: str, *parts: tuple[int, str, int], label: str = "production") -> None:
        """A gradual release: (version, text, share) each, the newcomer first."""
        (new, text, share), (old, before, _) = parts
        if len(self._made.get(name, [])) < new:
            self.release(name, before, old, label)
            self._save({name: _document(text)})
            self._made[name].append(content(text))
        self._move({(label, name): new}, share // 100)

    def id_of(self, name: str) -> str:
        return self._http.get(f"/api/v1/prompts/{name}").json()["id"]

    def release_refused(self, name: str, text: str, version: int = 1) -> None:
        """A text that the real hub never lets in: put in the place of another one on the way."""
        body = {"document": _document(text), "base": None, "message": "Because"}
        answer = self._http.post(f"/api/v1/versions/{name}", json=body)
        assert answer.status_code in (400, 409, 422), answer.text
        forged = content(text)
        self.texts[digest_of(forged)] = forged
        self.forged[name, version] = digest_of(forged)
        self.release(name, f"In the place of what is refused, {name} {version}", version)

    def remove(self, name: str, label: str = "production") -> None:
        self._move({(label, name): None})

    def batch(self, work: Callable[[], object]) -> None:
        """All changes that `work` makes, in one step."""
        self._batching = {}
        work()
        moves, self._batching = self._batching, None
        self._move(moves)

    def forget_log(self) -> None:
        """The hub is asked for places from now on that no log of it ever held."""
        self._forgotten = self.revision

    def known_place(self, place: str) -> str:
        """What a client says where it is, or something that means nothing to the hub."""
        epoch, _, revision = place.partition(":")
        forgotten = revision.isdecimal() and int(revision) < self._forgotten
        return f"{epoch}:1" if forgotten else place

    def new_epoch(self) -> None:
        """The index is built anew from git."""

        async def rebuild(parts: Parts) -> None:
            repository = parts.publisher.repository(self._workspace.slug)
            await index.reindex(parts.database, repository, self._workspace.id)

        self._beside.do(rebuild)

    def _save(self, documents: dict[str, Any]) -> None:
        async def save(parts: Parts) -> None:
            await versions.save_many(
                parts.publisher, self._workspace,
                [(name, from_json(one)) for name, one in documents.items()], actor=OPERATOR,
                message="Because",
            )  # fmt: skip

        self._beside.do(save)

    def _move(self, moves: dict[tuple[str, str], int | None], share: int = 100) -> None:
        if self._batching is not None:
            self._batching |= moves
            return
        asked = [{"label": label, "name": name, "version": version, "share": share}
                 for (label, name), version in moves.items()]  # fmt: skip
        body = {"moves": asked, "reason": "It is better", "despite_programs": "A test"}
        answer = self._http.put("/api/v1/releases", json=body)
        assert answer.status_code == 200, answer.text


def _document(text: str, **more: Any) -> dict[str, Any]:
    return {"template": "jinja", "messages": [{"role": "user", "content": text}], **more}

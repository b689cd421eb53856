"""One call of a program: the prompt filled in, a model asked, and what it used written down."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from hub.errors import HubError, Invalid, NotFound, Unavailable
from hub.people.policy import Actor, WorkspaceRef
from hub.playground import targets
from hub.playground.calls import Call, Endpoint, Route
from hub.playground.filling import Filling
from hub.playground.relay import budget
from hub.playground.relay.asked import Asked
from hub.playground.relay.budget import Held
from hub.playground.relay.sizes import Fits, fits, limited
from hub.playground.room import Playground
from hub.playground.runs import perform
from hub.playground.wire.events import Called, Delta, Event, Finish
from hub.registry.prompt.tokens import estimate
from hub.registry.reading import catalog
from hub.registry.reading.aside import LONG, aside
from hub.registry.reading.record import VersionView

log = logging.getLogger("hub")

LIVE = "production"
COUNTED = 512
"""Characters of an answer that are counted together: some servers send letter by letter."""
TIDY_EVERY = 500
"""Calls between two looks at what is old."""
Json = dict[str, Any]
Noted = Callable[[str, Actor, WorkspaceRef, VersionView, Iterable[str]], None]


@dataclass(slots=True)
class Relayed(Call):
    """A call whose events somebody else hears too, in order; None comes last."""

    heard: asyncio.Queue[Event | None] = field(default_factory=asyncio.Queue[Event | None])
    cut_at: int = 0
    """Tokens, by our count, after which the answer is cut."""
    cut: bool = False
    task: asyncio.Task[None] | None = None
    _went: int = 0
    _uncounted: str = ""

    def take(self, event: Event) -> None:
        if self.cut:
            return
        Call.take(self, event)
        self.heard.put_nowait(event)
        if isinstance(event, Delta):
            self._uncounted += event.text + event.reasoning
        elif isinstance(event, Called):
            self._uncounted += event.arguments
        if len(self._uncounted) >= COUNTED:
            self._went, self._uncounted = self._went + estimate(self._uncounted), ""
        if self._went > self.cut_at and self.task is not None:
            self.cut, self.finish_reason = True, "length"
            self.heard.put_nowait(Finish("length"))
            self.task.cancel()


class Prepared(msgspec.Struct, frozen=True):
    """A call that may be made."""

    view: VersionView
    request: Json
    target: Endpoint | Route
    fits: Fits
    passed: list[str]
    """The variables that came with it."""


class Relaying:
    """What calls have in common, in this process."""

    def __init__(self, playground: Playground, noted: Noted) -> None:
        """`noted`: told of each call, so that pages show who uses a prompt."""
        self._playground, self._noted = playground, noted
        self._filling = Filling(playground.database, playground.renderer)
        self._held = Held()
        self._tasks: set[asyncio.Task[None]] = set()
        self._made = 0

    def goodbye(self) -> None:
        """The hub ends: stop every call, so that no open answer keeps it."""
        for task in list(self._tasks):
            task.cancel()

    async def prepare(self, asked: Asked, workspace: WorkspaceRef) -> Prepared:
        """Find the prompt, fill it in, and settle who is asked.

        Raises:
            Closed, NotFound, Invalid, Unavailable: with a sentence.
        """
        async with self._playground.database.read() as db:
            limits = await budget.settings(db, workspace.id)
            budget.must_be_open(limits)
            view = await _view(db, workspace.id, asked)
        made = await self._filling.given(view, asked.variables, asked.pictures)
        request = {**made, **asked.settings}
        if "max_tokens" in asked.settings or "max_completion_tokens" in asked.settings:
            for name in {"max_tokens", "max_completion_tokens"} - set(asked.settings):
                request.pop(name, None)  # the prompt's own, under its other name
        request = limited(request)
        request["messages"] = [*asked.before, *made["messages"], *asked.turns]
        model = asked.model or request.get("model") or ""
        async with self._playground.database.read() as db:
            target = await self._target(db, workspace.id, model)
        size = sum(_size(one.get("content")) for one in request["messages"])
        return Prepared(
            view, request, target, await aside(size, lambda: fits(target, request, limits)),
            sorted(asked.variables),
        )  # fmt: skip

    @asynccontextmanager
    async def call(
        self, one: Prepared, workspace: WorkspaceRef, actor: Actor
    ) -> AsyncGenerator[Relayed]:
        """Make the call while this is open; leaving before it has ended stops it.

        Raises:
            Closed, UsedUp, Busy: before anybody is asked.
        """
        key_id = actor.key_id or ""
        self._held.take(key_id)
        try:
            async with self._playground.database.write() as db:
                note = await budget.reserve(db, workspace, key_id, one.view, one.fits)
        except BaseException:
            self._held.give_back(key_id)
            raise
        self._noted("OpenAI client", actor, workspace, one.view, one.passed)
        call = Relayed(_nobody, cut_at=one.fits.cut_at)
        task = call.task = asyncio.create_task(self._perform(call, one, note, workspace.id, key_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            yield call
        finally:
            task.cancel()

    async def models(self, workspace_id: int) -> list[tuple[str, str]]:
        """Names that can be asked for, and where each answers."""
        async with self._playground.database.read() as db:
            limits = await budget.settings(db, workspace_id)
            budget.must_be_open(limits)
            found = await targets.offered(db, self._playground, workspace_id)
        where: dict[str, str] = {}
        for one in found:
            where.setdefault(one.model, one.where)
        return list(where.items())

    async def _perform(
        self, call: Relayed, one: Prepared, note: int, workspace_id: int, key_id: str
    ) -> None:
        """What was used is written down before anybody hears of the end."""
        try:
            await perform(call, one.target, one.request)
        except asyncio.CancelledError:
            call.end("stopped", None if call.cut else "It was stopped before its end.")
        except Exception:
            log.exception("a relayed call broke")
            call.end("failed", "Something broke on our side; ask again.")
        finally:
            # Whoever cancels a second time waits for this no longer, but it is done.
            writing = asyncio.ensure_future(self._settle(workspace_id, note, one.fits, call))
            try:
                await asyncio.shield(writing)
            finally:
                self._held.give_back(key_id)
                call.heard.put_nowait(None)

    async def _target(self, db: AsyncSession, workspace_id: int, wanted: str) -> Endpoint | Route:
        """By what the page of models calls it: an alias, a model, or a connection's (`3:gpt-5`)."""
        if not wanted:
            raise Invalid("This prompt names no model. Name one as `model`.")
        offered = await targets.offered(db, self._playground, workspace_id)
        found = [one for one in offered if wanted in (one.value, one.model)]
        found.sort(key=lambda one: (one.value != wanted, not one.value.startswith("alias:")))
        if not found:
            some = ", ".join(dict.fromkeys(one.model for one in offered[:8]))
            raise NotFound(f"There is no model {wanted[:80]} here; there are {some or 'none'}.")
        target = await targets.target(db, self._playground, workspace_id, found[0], None)
        if isinstance(target, str):
            raise Unavailable(target)
        return target

    async def _settle(self, workspace_id: int, note: int, one: Fits, call: Call) -> None:
        self._made += 1
        try:
            async with self._playground.database.write() as db:
                await budget.settle(db, note, one, call)
                if self._made % TIDY_EVERY == 0:
                    await budget.forget_old(db, workspace_id)
        except Exception:
            log.exception("a relayed call could not be written down")


def _size(content: Any) -> int:
    """About how much there is to look at; parts may be pictures."""
    return len(content) if isinstance(content, str) else LONG if content else 0


async def _view(db: AsyncSession, workspace_id: int, asked: Asked) -> VersionView:
    """By name, also a former one, or by the id that stays through renames."""
    label = asked.label or (LIVE if asked.version is None else None)
    try:
        return await catalog.version(db, workspace_id, asked.name, asked.version, label)
    except catalog.Moved as moved:
        return await catalog.version(db, workspace_id, moved.name, asked.version, label)
    except catalog.NoSuchPrompt as refused:
        try:
            about = await catalog.get_by_id(db, workspace_id, asked.name)
        except catalog.NoSuchPrompt:
            raise refused from None
        return await catalog.version(db, workspace_id, about.name, asked.version, label)


class Failed(HubError):
    """The model gave no answer, or not the whole of it."""

    status = 502


def outcome(call: Call) -> None:
    """Raises:
    Failed: the call came to nothing.
    """
    if call.error:
        raise Failed(call.error)


def _nobody() -> None:
    """Nobody looks at these calls while they run."""

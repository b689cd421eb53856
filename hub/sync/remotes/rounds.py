"""One round of sync: look there, take in what is new, send what is ours. Every step can be the
last one: the next round begins by asking both sides how they stand, and goes on from there.

    heads --> fetch into a quarantine --> judged, brought together --> a commit on both --> push
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import msgspec
from sqlalchemy import select

from hub.errors import Conflict, HubError, Invalid, NotFound
from hub.people.policy import Actor
from hub.registry.git.git_terms import DEPLOY, MAIN, RefMove
from hub.registry.git.line import Overtaken, read_line
from hub.registry.git.quarantine import Quarantine
from hub.registry.git.repository import Repository
from hub.registry.review.guard import NeedsReview
from hub.registry.review.models import Proposal
from hub.registry.writing.arrivals import arrive
from hub.registry.writing.arriving import Arrived, bring_together
from hub.registry.writing.joining import Join, MainMoved, Told
from hub.sync.remotes import merged
from hub.sync.remotes.offers import Place, known_here, linked_by, offer
from hub.sync.remotes.reading import base_of, check_whole, milestones, told_by
from hub.sync.remotes.sending import apart, count, mirror, send, tell_put_back
from hub.sync.remotes.sides import Again, Sides, Stop

KEPT = "kept/"


@dataclass
class Round(Sides):
    """See the top of the file."""

    @property
    def actor(self) -> Actor:
        """In whose name things arrive: nobody's, so the rules hold in full."""
        return Actor(kind="operator", name=self.name[:120], email="")

    async def run(self) -> None:
        """Raises:
        HubError: it could not be done; it is tried again.
        """
        self.heads = await self.wire.heads()
        self.state.note, self.state.held, self.state.even = "", False, ""
        try:
            may_send = await self._take_in()
            self.state.stopped = None
        except Stop as stop:
            # What was chosen was about another state, or did not help.
            self.state.stopped, self.state.chosen, may_send = stop.facts, None, False
        if self.state.deploy and self.state.takes_releases:
            await self._take_releases()
        if not self.state.one_way:
            await send(self, main=may_send)
            await mirror(self)
        await count(self)

    # ── what is new there ───────────────────────────────────────────────────────────────────

    async def _take_in(self) -> bool:
        """Whether main may be sent: it holds all that is there."""
        state, tip = self.state, self.heads.tips.get(self.state.main)
        if tip is None:
            return await self._without_branch()
        if not await self._waited():
            return False
        if tip == state.agreed.get("main") or await self._holds(tip):
            await tell_put_back(self, tip)
            state.agreed["main"] = tip
            return True
        self._still_stopped(tip)
        with await asyncio.to_thread(Quarantine, self.repository) as quarantine:
            if not await asyncio.to_thread(self.repository.contains, tip, tip):
                await self.wire.fetch(self.repository, quarantine, [tip])
            ours = self.ours
            try:
                return await self._arrive(quarantine, tip)
            except Stop as stop:  # counted now: nothing of it is kept
                judged = Repository(self.repository.path, quarantine.given)
                stop.facts |= {"ours": ours, "apart": await apart(judged, ours, tip)}
                raise

    async def _holds(self, tip: str) -> bool:
        return await asyncio.to_thread(self.repository.contains, MAIN, tip)

    def _still_stopped(self, tip: str) -> None:
        """Nothing is fetched again to find the same."""
        stopped, chosen = self.state.stopped, self.state.chosen
        decided = chosen is not None and chosen["tip"] == tip
        if not stopped or stopped.get("tip") != tip or decided:
            return
        if stopped["why"] != "refused" or stopped.get("ours") == self.ours:
            raise Stop(**stopped)

    async def _arrive(self, quarantine: Quarantine, tip: str) -> bool:
        ours = self.ours
        judged = Repository(self.repository.path, quarantine.given)
        await asyncio.to_thread(check_whole, judged, tip, ours)
        agreed, chosen = self.state.agreed.get("main"), self._choice(tip)
        if chosen == "ours":
            await self._restore(quarantine, tip)
            return True
        base = await asyncio.to_thread(base_of, judged, ours, tip)
        if chosen != "together":
            if agreed and not await asyncio.to_thread(judged.contains, tip, agreed):
                raise Stop("rewritten", tip=tip, old=agreed)
            if ours and base is None:
                raise Stop("unrelated", tip=tip)
        try:
            landed = await self._land(quarantine, judged, base, tip)
        except (Invalid, Conflict, NotFound) as refused:
            raise Stop("refused", tip=tip, said=refused.sentence) from None
        if landed:
            self.state.agreed["main"], self.state.chosen = tip, None
        return landed

    def _choice(self, tip: str) -> str:
        chosen = self.state.chosen
        return str(chosen["do"]) if chosen and chosen["tip"] == tip else ""

    async def _land(
        self, quarantine: Quarantine, judged: Repository, base: str | None, tip: str
    ) -> bool:
        """Put it on main, or up for review; whether it is on main.

        Raises:
            Invalid: it is nothing that a workspace may hold.
            Again: main moved.
        """
        await self.check_linked()
        ours = self.ours
        there = await merged.found(self, judged, base, ours, tip)
        if await merged.land(self, there):
            raise Again  # what else arrived stands beside that now
        if not there and base == ours and await self._as_they_are(quarantine, judged, ours, tip):
            return True
        arrived = await asyncio.to_thread(bring_together, judged, base, ours, tip)
        told = await known_here(self, await asyncio.to_thread(told_by, judged, tip, ours))
        await asyncio.to_thread(quarantine.keep)
        if base == ours and not (arrived.pieces or arrived.others):
            # Another hub brought ours in, by a commit of its own: answering would never end.
            self.state.even = tip
            return False
        if not arrived.clashes:
            try:
                await self._join(tip, arrived, told)
                return True
            except NeedsReview:
                pass
        place = Place(self.publisher, self.publisher.database, self.workspace, self.actor)
        others = msgspec.structs.replace(arrived, pieces=merged.rest(arrived, there))
        numbers = await merged.carry(self, there)
        if others.pieces or not there:
            numbers += await offer(place, others, told, tip)
        self.state.waiting = {"tip": tip, "proposals": sorted(numbers)}
        self.state.chosen = None
        return await self._waited()

    async def _as_they_are(
        self, quarantine: Quarantine, judged: Repository, ours: str | None, tip: str
    ) -> bool:
        """Nothing happened here: take their commits themselves, where nothing speaks against it;
        a long history part by part.

        Raises:
            Again: main moved.
        """
        try:
            await self._take(quarantine, judged, ours, tip)
            return True
        except Invalid:  # too many at once, or in the hub's name
            parts = await asyncio.to_thread(milestones, judged, ours, tip)
        except (NeedsReview, Conflict):
            return False  # as one change they may do, or become a proposal
        try:
            for part in parts:
                await self._take(quarantine, judged, self.ours, part)
        except (NeedsReview, Invalid, Conflict):
            if self.ours != ours:
                raise Again from None  # the others stand on these now
            return False
        return bool(parts)

    async def _take(
        self, quarantine: Quarantine, judged: Repository, ours: str | None, tip: str
    ) -> None:
        """Raises:
        Again: main moved.
        Invalid, Conflict, NeedsReview: not like this.
        """
        try:
            line = await asyncio.to_thread(read_line, judged, MAIN, ours, tip, strict=False)
            await arrive(
                self.publisher, self.workspace, line, actor=self.actor, bring=quarantine.keep,
                answers=False, strict=False, others=await linked_by(self),
            )  # fmt: skip
        except Overtaken:
            if self.ours != ours:
                raise Again from None
            raise  # main is on the second side of a merge

    async def _join(self, tip: str, arrived: Arrived, told: Told) -> None:
        one = told.subjects[0] if len(told.subjects) == 1 else ""
        count = len(told.subjects)
        many = f"Take in {count} change{'' if count == 1 else 's'} from {self.name}"
        if not arrived.pieces and not arrived.others:
            one, many = "", f"Settle what came from {self.name}"
        ask = Join(
            actor=self.actor, message=one or many, tip=tip, pieces=arrived.pieces,
            others=arrived.others, told=told,
        )  # fmt: skip
        try:
            await self.publisher.publish(self.workspace, ask)
        except MainMoved:
            raise Again from None

    async def _waited(self) -> bool:
        """Whether nothing waits for people (any more); what they decided stands on both then."""
        waiting = self.state.waiting
        if waiting is None:
            return True
        tip, numbers = str(waiting["tip"]), list(waiting["proposals"])
        if await self._open(numbers):
            return False
        if not await self._holds(tip):
            ours = self.ours
            base = await asyncio.to_thread(base_of, self.repository, ours, tip)
            arrived = await asyncio.to_thread(bring_together, self.repository, base, ours, tip)
            decided = msgspec.structs.replace(arrived, pieces=())
            await self._join(tip, decided, Told((f"Settle what came from {self.name}",), ()))
        self.state.agreed["main"], self.state.waiting = tip, None
        return True

    async def _open(self, numbers: list[int]) -> list[int]:
        query = select(Proposal.number).where(
            Proposal.workspace_id == self.workspace.id, Proposal.number.in_(numbers),
            Proposal.state == "open",
        )  # fmt: skip
        async with self.publisher.database.read() as db:
            return list(await db.scalars(query))

    async def _take_releases(self) -> None:
        """Their commits on deploy, as they are, if they stand on ours and the rules allow it."""
        ours, tip = self.repository.tip(DEPLOY), self.heads.tips.get(self.state.deploy)
        if not tip or (ours and await asyncio.to_thread(self.repository.contains, DEPLOY, tip)):
            return
        with await asyncio.to_thread(Quarantine, self.repository) as quarantine:
            judged = Repository(self.repository.path, quarantine.given)
            await self.wire.fetch(self.repository, quarantine, [tip])
            await self.check_linked()
            try:
                line = await asyncio.to_thread(read_line, judged, DEPLOY, ours, tip, strict=False)
                await arrive(
                    self.publisher, self.workspace, line, actor=self.actor,
                    bring=quarantine.keep, answers=False, others=await linked_by(self),
                )  # fmt: skip
            except HubError as refused:
                self.state.held = True
                self.state.note = (
                    f"Releases that were made at {self.name} are not taken in, and ours are not "
                    f"sent. {refused.sentence}"
                )

    # ── what is wrong there ─────────────────────────────────────────────────────────────────

    async def _without_branch(self) -> bool:
        """Our branch is not there: at first we make it; later, somebody took it away."""
        state = self.state
        agreed, chosen = state.agreed.get("main"), self._choice("")
        if agreed is None or chosen == "fill":
            state.agreed.pop("main", None)
            state.chosen = None
            return await self._waited()
        if chosen == "follow" and self.heads.default:
            state.main, state.chosen = self.heads.default, None
            raise Again
        if not self.heads.tips:
            raise Stop("emptied", tip="", old=agreed)
        raise Stop("renamed", tip="", old=agreed, default=self.heads.default)

    async def _restore(self, quarantine: Quarantine, tip: str) -> None:
        """Our history in place of theirs, which stays there under a name of its own."""
        await asyncio.to_thread(quarantine.keep)
        keep = RefMove(f"refs/keep/{tip}", None, tip)
        if self.repository.tip(keep.ref) is None:
            await asyncio.to_thread(self.repository.move, [keep])
        kept = f"{KEPT}{tip[:12]}"
        if self.heads.tips.get(kept) != tip:
            await self.push({kept: (self.heads.tips.get(kept), tip)})
        ours = self.ours or ""
        await self.push({self.state.main: (tip, ours)}, force=True)
        self.sent({self.state.main: ours})
        self.state.agreed["main"], self.state.chosen = ours, None

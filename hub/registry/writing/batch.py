"""One batch of asks: settled against the index, intended, and written down."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, bindparam, delete, update

from hub.db import Database, now
from hub.errors import Conflict, Unavailable
from hub.executemany import insert_many
from hub.people import audit, rules_store
from hub.registry.git import deploy_file
from hub.registry.git.commits import Plan
from hub.registry.git.git_terms import DEPLOY, MAIN, PROPOSALS, REFS, RefMove, RefMoved
from hub.registry.indexing import index
from hub.registry.indexing.ledger import Ledger
from hub.registry.models import Intent
from hub.registry.review import guard
from hub.registry.writing.answered import answered_before
from hub.registry.writing.asks import Ask, Later, Settled
from hub.registry.writing.pinned import pinned
from hub.registry.writing.saves import holders

Answer = dict[str, Any]
Waiting = tuple[Ask, "asyncio.Future[Answer]"]


@dataclass
class Batch:
    """What the asks of one batch come to."""

    ledger: Ledger
    tips: dict[str, str]
    seen: guard.Seen
    """What the asks are judged by."""
    id: str = ""
    settled: list[tuple[Waiting, Settled]] = field(default_factory=list[tuple[Waiting, Settled]])
    twins: list[tuple[asyncio.Future[Answer], Settled]] = field(
        default_factory=list[tuple["asyncio.Future[Answer]", Settled]]
    )
    """The same request sent twice at once: one deed, two answers."""
    later: list[Waiting] = field(default_factory=list[Waiting])

    @property
    def plans(self) -> list[Plan]:
        """All commits, main's before deploy's: a label may only name what is there."""
        plans = [plan for _, settled in self.settled for plan in settled.plans]
        return sorted(plans, key=lambda plan: plan.ref != MAIN)

    @property
    def open(self) -> list[Waiting]:
        """Who still waits for an answer, in the order they came."""
        twins = [(one[0][0], done) for done, s in self.twins for one in self.settled if one[1] is s]
        return [*(waiting for waiting, _ in self.settled), *twins]

    @property
    def asks(self) -> list[Ask]:
        return [waiting[0] for waiting, _ in self.settled]

    def moves(self) -> list[RefMove]:
        last = {plan.ref: plan.commit.id for plan in self.plans}
        return [RefMove(ref, self.tips.get(ref), new) for ref, new in last.items()]

    def answer_all(self) -> None:
        done = [(waiting[1], settled) for waiting, settled in self.settled]
        for future, settled in [*done, *self.twins]:
            if not future.done():
                future.set_result(settled.answer())


class RulesMoved(RefMoved):
    """Roles, rules, reviews or checks changed since the asks were judged; judge again."""


class IndexBehind(Exception):
    """Git is elsewhere than the index; follow it first."""


async def settle(
    database: Database, workspace_id: int, taken: list[Waiting], tips: dict[str, str]
) -> Batch:
    """Find out what each ask comes to; those refused or done before are answered here."""
    asks = [ask for ask, _ in taken]

    def look(db: Connection) -> tuple[Batch, dict[str, tuple[str | None, Answer | None]]]:
        known, ledger = index.tips(db, workspace_id), Ledger(workspace_id)
        if known != tips:
            raise IndexBehind
        ledger.tips = dict(known)
        before = answered_before(db, workspace_id, asks)
        _load(db, ledger, asks)
        return Batch(ledger, known, guard.look(db, ledger, asks)), before

    made, before = await database.read_at_once(look)
    requests: dict[str, tuple[str, Settled]] = {}
    for ask, done in taken:
        if done.done():  # nobody waits for it any more, and nothing of it has begun
            continue
        try:
            _take(made, ask, done, before, requests)
        except Later:
            made.later.append((ask, done))
        except Exception as refused:  # of this ask alone; the others go on
            done.set_exception(refused)
    _chain(made)
    return made


def _chain(made: Batch) -> None:
    """Each commit after the one before it on its ref; git is told of the first one's parent."""
    ends, begun = dict(made.tips), set[str]()
    for plan in made.plans:
        if plan.there:
            ends[plan.ref] = plan.commit.id
            continue
        from_ = MAIN if plan.ref.startswith(PROPOSALS) else plan.ref
        plan.parent = plan.commit.parent = None if plan.ref in begun else ends.get(from_)
        begun.add(plan.ref)


def _take(
    made: Batch, ask: Ask, done: asyncio.Future[Answer],
    before: dict[str, tuple[str | None, Answer | None]],
    requests: dict[str, tuple[str, Settled]],
) -> None:  # fmt: skip
    """Settle one ask, or answer it as the same request was answered before."""
    known = before.get(ask.request_id or "")
    if known is not None:
        _check_same(ask, known[0])
        if known[1] is None:
            raise Unavailable("This request is being worked on. Ask again in a moment.")
        done.set_result(known[1])
    elif ask.request_id in requests:
        print_, settled = requests[ask.request_id]
        _check_same(ask, print_)
        made.twins.append((done, settled))
    else:
        settled = _settle(made, ask)
        made.settled.append(((ask, done), settled))
        if ask.request_id is not None:
            requests[ask.request_id] = (ask.fingerprint(), settled)


def _settle(made: Batch, ask: Ask) -> Settled:
    settled = ask.settle(made.ledger)
    if settled.plans:
        guard.check(made.seen, made.ledger, ask, settled)
    for plan in settled.plans:
        index.follow(made.ledger, plan.ref, plan.commit)
        made.ledger.tips[plan.ref] = plan.commit.id
    return settled


def _check_same(ask: Ask, print_: str | None) -> None:
    if print_ is not None and print_ != ask.fingerprint():
        raise Conflict(
            "This Idempotency-Key was used for another request before. Use a new key for each "
            "change; repeat a key only to repeat the same request."
        )


def _load(db: Connection, ledger: Ledger, asks: list[Ask]) -> None:
    """Fill the ledger with all that the asks will look at."""
    for ask in asks:
        ask.look(db, ledger)
    workspace_id = ledger.workspace_id
    wanted_names = set[str]().union(*(ask.names for ask in asks))
    ledger.load_prompts(db, wanted_names, set[str]().union(*(ask.ids for ask in asks)))
    unknown = {name for name in wanted_names if name not in ledger.live}
    if unknown:
        ledger.load_former(db, names=unknown)
        ledger.load_prompts(db, (), set(ledger.former.values()))
        passing = {name for name in unknown if holders(ledger, name)}
        included = pinned(db, workspace_id, passing)
        ledger.pinned |= {name: name in included for name in passing}
    labelled = {
        held.id for ask in asks if ask.labelled for name in ask.names if (held := ledger.at(name))
    }
    if labelled:
        ledger.load_labels(db, labelled)
        ledger.load_former_names(db, labelled)
    if bases := set[tuple[str, str]]().union(*(ask.bases_wanted(ledger) for ask in asks)):
        ledger.load_versions_by_hash(db, bases)
    ledger.load_versions(
        db, set[tuple[str, int]]().union(*(ask.versions_wanted(ledger) for ask in asks))
    )
    ledger.load_contents(db, set[str]().union(*(ask.contents_wanted(ledger) for ask in asks)))


async def write_intents(
    database: Database, workspace_id: int, made: Batch, moves: list[RefMove]
) -> None:
    """Note what is about to happen, with the answers, before any ref moves."""
    refs = [[move.ref, move.old or "", move.new] for move in moves]
    at = now()
    rows = [
        {
            "workspace_id": workspace_id, "batch": made.id, "request_id": ask.request_id,
            "request_hash": ask.fingerprint() if ask.request_id else None, "refs": refs,
            "commits": [plan.commit.id for plan in settled.plans],
            "answer": settled.answer() if ask.request_id else None, "state": "open", "at": at,
        }
        for (ask, _), settled in made.settled if settled.plans and ask.request_id
    ]  # fmt: skip
    # One row stands for all who sent no key: nobody will ask for their answers. It says which
    # proposals are being changed, so that nobody closes one of them just now.
    held = [ask.proposal for ask in made.asks if ask.proposal is not None]
    rows.append(
        {
            "workspace_id": workspace_id, "batch": made.id, "request_id": None,
            "request_hash": None, "refs": refs, "commits": [],
            "answer": {PROPOSALS: held} if held else None, "state": "open", "at": at,
        }
    )  # fmt: skip
    keys = [row["request_id"] for row in rows if row["request_id"]]
    cancelled = delete(Intent).where(
        Intent.workspace_id == workspace_id, Intent.request_id.in_(keys),
        Intent.state == "cancelled",
    )  # fmt: skip

    def write(db: Connection) -> None:
        if rules_store.epoch_of(db, workspace_id, lock=True) != made.seen.rules.epoch:
            raise RulesMoved
        if keys:
            db.execute(cancelled)
        insert_many(db, Intent, rows)

    await database.write_at_once(write)


async def write_down(
    database: Database, workspace_id: int, made: Batch, moves: list[RefMove],
    moving: Future[None],
) -> None:  # fmt: skip
    """The index, the outbox, the audit log and the end of the intents, in one transaction.

    It is committed once the refs have moved, and rolled back if they have not: raises whatever
    `moving` came to.
    """
    if not database.sqlite:  # the work would hold the event loop while it waits
        await asyncio.wrap_future(moving)

    def write(db: Connection) -> None:
        known = index.tips(db, workspace_id, lock=True)
        if any(known.get(move.ref) != move.old for move in moves):
            raise IndexBehind
        index.apply(db, made.ledger, {m.ref: m.new for m in moves if m.ref in REFS})
        audit.rows(db, workspace_id, _audit(workspace_id, made))
        close_intents(db, workspace_id, made.id, keyed=any(ask.request_id for ask in made.asks))
        moving.result()

    await database.write_at_once(write)


def in_turn(plans: list[Plan]) -> Iterator[list[Plan]]:
    """All at once, but that a label's file can name a commit only once that has its id."""
    changes = [change for plan in plans for change in plan.commit.changes]
    if not any(change.awaits for change in changes):
        yield plans
        return
    yield [plan for plan in plans if plan.ref != DEPLOY]
    for change in changes:
        if change.awaits and change.data:
            change.data = deploy_file.with_commit(change.data, change.awaits.id)
    yield [plan for plan in plans if plan.ref == DEPLOY]


def _audit(workspace_id: int, made: Batch) -> list[dict[str, Any]]:
    """A row for each ask, and a second one where the glass was broken for it."""
    return [
        {
            "workspace_id": workspace_id, "at": now(), "actor": ask.actor.said,
            "action": action, "subject": ", ".join(ask.subjects())[:255],
            "detail": {"commits": [plan.commit.id for plan in settled.plans]} | ask.detail(),
        }
        for (ask, _), settled in made.settled if settled.plans
        for action in (ask.action, *(["glass.broken"] * ask.breaks_glass))
    ]  # fmt: skip


def close_intents(db: Connection, workspace_id: int, batch: str, *, keyed: bool = True) -> None:
    """Done. Rows with a key stay, for whoever asks again."""
    mine = {"workspace": workspace_id, "its_batch": batch}
    db.execute(_FORGOTTEN, mine)
    if keyed:
        db.execute(_DONE, mine)


_MINE = (Intent.workspace_id == bindparam("workspace"), Intent.batch == bindparam("its_batch"))
_FORGOTTEN = delete(Intent).where(*_MINE, Intent.request_id.is_(None))
_DONE = update(Intent).where(*_MINE).values(state="done")

"""Hands the messages in, beside everything else: no save and no page waits for this."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from functools import partial
from time import monotonic
from typing import Any

from sqlalchemy import Connection, delete, or_, select, update

from hub.db import Database, now
from hub.outbound import Outbound
from hub.outbox import Tail, Watch
from hub.people.policy import Actor, WorkspaceRef
from hub.sealed import KeyLost
from hub.settings import Secret, Settings
from hub.sync.webhooks import deliveries, messages, sending, store, turn
from hub.sync.webhooks.collecting import CONCERNS, collect, waiting
from hub.sync.webhooks.kinds import TEST
from hub.sync.webhooks.models import Arrival, Delivery, Webhook
from hub.sync.webhooks.sending import Attempt
from hub.sync.webhooks.turn import Message, Result

log = logging.getLogger("hub.webhooks")

EVERY = 5.0
"""Seconds after which we look even if nothing was heard."""
AT_ONCE = 32
"""Webhooks that are served at the same time."""
BREATH = 0.1
"""Seconds in which events gather, so that a hundred saves are not a hundred transactions more."""
ENOUGH = 5.0
"""Seconds of sending after which the results are written down, though more waits."""
SWEEP_EVERY = 3600.0
KEPT = timedelta(days=14)
MOST_KEPT = 5000
"""Done messages in the log of one webhook."""
ARRIVALS_KEPT = timedelta(days=90)


class Worker:
    """One per process. Senders only send; what came of it is written down by one hand, for all
    webhooks in one transaction, so that many of them cost the database no more than one."""

    def __init__(self, database: Database, outbound: Outbound, *, url: str, secret: Secret) -> None:
        """`url`: of the hub. `secret`: what the secrets of webhooks are sealed with."""
        self._database, self.outbound, self.secret = database, outbound, secret
        self.url, self.patience = url, sending.PATIENCE
        self._tail = Tail(database, "webhooks", CONCERNS, partial(collect, url=url))
        self._poked = asyncio.Event()
        self._senders: dict[int, asyncio.Task[None]] = {}
        self._finished: dict[int, list[Result]] = {}
        """What came of the messages of webhooks whose sender is done; not written down yet."""
        self._swept = -SWEEP_EVERY
        self._begun = False

    def on_event(self, _: str, __: str, ___: Mapping[str, Any]) -> None:
        """A listener for `hub.outbox.Watch`."""
        self._poked.set()

    def poke(self) -> None:
        """Something can go out now that could not before."""
        self._poked.set()

    async def run(self) -> None:
        """Look, wait, look again, until cancelled."""
        try:
            while True:
                self._poked.clear()
                try:
                    await self.look()
                except Exception:
                    log.exception("webhooks could not be looked after; trying again")
                with suppress(TimeoutError):
                    async with asyncio.timeout(EVERY):
                        await self._poked.wait()
                await asyncio.sleep(BREATH)
        finally:
            await self._stop()

    async def look(self) -> None:
        """Write down what is new and what came of the last messages; send the next ones."""
        if not self._begun and self._database.sqlite:
            # Nobody else serves this file: leases that are found are those of a dead process.
            await self._database.write_at_once(_forget_leases)
        self._begun = True
        await self._tail.look()
        finished = self._finished
        due = await self._database.read_at_once(_due)
        due = [one for one in due if one not in self._senders and one not in finished]
        due = due[: max(AT_ONCE - len(self._senders), 0)]
        if finished or due:
            given = {one: list(results) for one, results in finished.items()}
            settle = partial(turn.settle, finished=given, due=due)
            taken = await self._database.write_at_once(settle)
            for one in given:
                del finished[one]
            for one, waits in taken.items():
                self._senders[one] = asyncio.create_task(self._send(one, waits))
        if monotonic() - self._swept > SWEEP_EVERY:
            self._swept = monotonic()
            await self._database.write_at_once(sweep)

    async def _send(self, webhook_id: int, waits: list[Message]) -> None:
        """One after the other, until one is not taken or it is time to write things down."""
        begun, results = monotonic(), list[Result]()
        try:
            for message in waits:
                async with self._database.read() as db:
                    hook = await db.get(Webhook, webhook_id)  # somebody may have paused it
                if hook is None or hook.state != "active" or monotonic() - begun > ENOUGH:
                    return
                attempt = await self._attempt(hook, message.message_id, message.body)
                results.append((message.id, attempt))
                if not attempt.good:
                    return
        finally:
            del self._senders[webhook_id]
            self._finished[webhook_id] = results
            self._poked.set()

    async def _stop(self) -> None:
        """What was handed in is known, and other processes may go on."""
        senders = [*self._senders.values()]
        for task in senders:
            task.cancel()
        await asyncio.gather(*senders, return_exceptions=True)
        if self._finished:
            release = partial(turn.release, finished=self._finished)
            await asyncio.shield(self._database.write_at_once(release))

    async def _attempt(self, hook: Webhook, message_id: str, body: str) -> Attempt:
        try:
            target = store.target_of(hook, self.secret)
            return await sending.send(
                self.outbound, target, message_id, body.encode(), patience=self.patience
            )
        except KeyLost as lost:
            return Attempt(at=now(), good=False, said=lost.sentence, ms=0, gone=True)
        except Exception:
            log.exception("a message of webhook %s could not be sent", hook.id)
            said = "Something broke on our side; the operator finds it in the hub's log."
            return Attempt(at=now(), good=False, said=said, ms=0)

    # ── at somebody's press of a button ─────────────────────────────────────────────────────────

    async def test(self, workspace: WorkspaceRef, webhook_id: int, actor: Actor) -> Attempt:
        """Send a message that tells of nothing, at once and out of order; it stays in the log."""
        async with self._database.write() as db:
            hook = await store.to_change(db, workspace, webhook_id, actor)
        told = messages.Happened(
            kind=TEST, subject=hook.name, payload={}, at=now(), workspace=workspace.slug,
            url=self.url,
        )  # fmt: skip
        row = waiting(hook.id, hook.form, told, event_id=None)
        attempt = await self._attempt(hook, row["message_id"], row["body"])
        row |= {
            "state": "taken" if attempt.good else "missed", "attempts": [attempt.kept()],
            "tries": 1, "done_at": now(),
        }  # fmt: skip
        async with self._database.write() as db:
            db.add(Delivery(**row))
            await _note_by_hand(db, workspace.id, webhook_id, attempt)
        return attempt

    async def again(
        self, workspace: WorkspaceRef, webhook_id: int, delivery_id: int, actor: Actor
    ) -> Attempt:
        """Send a message that is done once more, at once: the same id, the same text.

        Raises:
            Conflict: it waits for its turn.
        """
        async with self._database.write() as db:
            hook = await store.to_change(db, workspace, webhook_id, actor)
            kept = await deliveries.get(db, hook, delivery_id)
        deliveries.require_done(kept)
        attempt = await self._attempt(hook, kept.message_id, kept.body)
        await self._database.write_at_once(
            partial(turn.note, delivery_id=delivery_id, attempt=attempt)
        )
        async with self._database.write() as db:
            await _note_by_hand(db, workspace.id, webhook_id, attempt)
        return attempt


@asynccontextmanager
async def open_webhooks(
    settings: Settings, database: Database, watch: Watch
) -> AsyncGenerator[Worker]:
    """The worker, at work until the end."""
    outbound = Outbound(settings.private_hosts, settings.ca_file)
    worker = Worker(database, outbound, url=settings.url, secret=settings.secret())
    watch.listen(worker.on_event)
    task = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await outbound.close()


async def _note_by_hand(db: Any, workspace_id: int, webhook_id: int, attempt: Attempt) -> None:
    """Shown as its state, unless something waits that says more of it."""
    quiet = (Webhook.state == "active") & (Webhook.tries == 0)
    values = {"good": attempt.good, "said": attempt.said, "last_at": attempt.at}
    mine = (Webhook.id == webhook_id) & (Webhook.workspace_id == workspace_id)
    await db.execute(update(Webhook).where(mine, quiet).values(values))


def _forget_leases(db: Connection) -> None:
    db.execute(update(Webhook).values(leased_until=None))


def _due(db: Connection) -> list[int]:
    """Webhooks with something to send, and nothing in the way."""
    moment = now()
    waits = (
        select(Delivery.id)
        .where(Delivery.webhook_id == Webhook.id, Delivery.state == "waiting")
        .exists()
    )
    query = select(Webhook.id).where(
        Webhook.state == "active", waits,
        or_(Webhook.next_at.is_(None), Webhook.next_at <= moment),
        or_(Webhook.leased_until.is_(None), Webhook.leased_until <= moment),
    )  # fmt: skip
    return list(db.scalars(query.order_by(Webhook.id)))


def sweep(db: Connection) -> None:
    """What is long done leaves the log; what waits never does."""
    done = Delivery.state != "waiting"
    db.execute(delete(Delivery).where(done, Delivery.done_at < now() - KEPT))
    for webhook_id in list(db.scalars(select(Webhook.id))):
        mine = (Delivery.webhook_id == webhook_id) & done
        last = select(Delivery.id).where(mine).order_by(Delivery.id.desc())
        if (number := db.scalar(last.offset(MOST_KEPT).limit(1))) is not None:
            db.execute(delete(Delivery).where(mine, Delivery.id <= number))
    db.execute(delete(Arrival).where(Arrival.at < now() - ARRIVALS_KEPT))

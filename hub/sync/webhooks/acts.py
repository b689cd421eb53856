"""What administrators do with webhooks, from a page or over REST: checked, written, poked."""

from __future__ import annotations

from hub.db import Database
from hub.people.policy import Actor, WorkspaceRef
from hub.settings import Secret
from hub.sync.webhooks import deliveries, store
from hub.sync.webhooks.bodies import ChangeWebhook
from hub.sync.webhooks.deliveries import Standing
from hub.sync.webhooks.messages import SLACK
from hub.sync.webhooks.models import Webhook
from hub.sync.webhooks.store import Fields
from hub.sync.webhooks.worker import Worker


async def add(
    worker: Worker, database: Database, workspace: WorkspaceRef, actor: Actor, fields: Fields
) -> tuple[Webhook, Secret | None]:
    """Keep a new one; the secret is to be shown once.

    Raises:
        Wrong: a field cannot be used.
        Conflict: there are too many, or one of that name.
    """
    checked = await store.check(fields, worker.outbound)
    async with database.write() as db:
        return await store.add(db, workspace, checked, secret=worker.secret, actor=actor)


async def change(
    worker: Worker, database: Database, workspace: WorkspaceRef, actor: Actor, webhook_id: int,
    fields: Fields,
) -> Webhook:  # fmt: skip
    """Other values; raises as `add` does."""
    async with database.read() as db:
        kept = await store.get(db, workspace.id, webhook_id)
    checked = await store.check(fields, worker.outbound, kept)
    async with database.write() as db:
        hook = await store.change(
            db, workspace, webhook_id, checked, secret=worker.secret, actor=actor
        )
    worker.poke()
    return hook


async def change_some(
    worker: Worker, database: Database, workspace: WorkspaceRef, actor: Actor, webhook_id: int,
    given: ChangeWebhook,
) -> Standing:  # fmt: skip
    """What is given; the rest stays."""
    async with database.read() as db:
        kept = await store.get(db, workspace.id, webhook_id)
    address = "" if kept.form == SLACK else kept.address
    fields = Fields(
        name=kept.name if given.name is None else given.name, token=given.token,
        address=address if given.address is None else given.address,
        events=kept.events if given.events is None else given.events,
    )  # fmt: skip
    if given != ChangeWebhook(state=given.state):
        await change(worker, database, workspace, actor, webhook_id, fields)
    if given.state is not None:
        deed = store.pause if given.state == "paused" else store.resume
        async with database.write() as db:
            await deed(db, workspace, webhook_id, actor=actor)
        worker.poke()
    async with database.read() as db:
        hook = await store.get(db, workspace.id, webhook_id)
        return Standing(hook=hook, waiting=await deliveries.waiting(db, webhook_id))


async def renew(
    worker: Worker, database: Database, workspace: WorkspaceRef, actor: Actor, webhook_id: int
) -> Secret:
    """A new signing secret, to be shown once."""
    async with database.write() as db:
        return await store.renew(db, workspace, webhook_id, secret=worker.secret, actor=actor)


async def end_overlap(
    _: Worker, database: Database, workspace: WorkspaceRef, actor: Actor, webhook_id: int
) -> None:
    """The signing secret before is good no more."""
    async with database.write() as db:
        await store.end_overlap(db, workspace, webhook_id, actor=actor)

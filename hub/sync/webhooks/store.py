"""Webhooks of a workspace: kept, changed, their secrets made anew, paused and taken up again; by
whoever is an administrator at the moment of writing, not only when they came in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta

import msgspec
from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import now
from hub.errors import Conflict, Invalid, NotFound, WrongField
from hub.outbound import Outbound
from hub.outbox import Event
from hub.people import audit, guarded
from hub.people.policy import Actor, WorkspaceRef
from hub.sealed import seal, unseal
from hub.settings import Secret
from hub.sync.webhooks import signing
from hub.sync.webhooks.kinds import KINDS
from hub.sync.webhooks.messages import FORMS, GITHUB, SLACK, STANDARD
from hub.sync.webhooks.models import Delivery, Webhook
from hub.sync.webhooks.sending import Target

MOST = 20
OVERLAP = timedelta(hours=24)
"""How long the secret before goes on being good."""
PURPOSE = "prompthub webhooks v1"
LOST = (
    "The secret of this webhook cannot be read any more; the hub's own secret has changed. "
    "Make a new one on its page, or enter it again."
)
_REPOSITORY = re.compile(r"(?:https://github\.com/)?([\w.-]+)/([\w.-]+?)(?:\.git)?/?", re.ASCII)


class Fields(msgspec.Struct, frozen=True, kw_only=True):
    """What a form or a request says, as typed."""

    name: str = ""
    form: str = STANDARD
    address: str = ""
    token: str = ""
    """GitHub's."""
    events: Sequence[str] = ()
    """Empty: all."""
    some: bool = False
    """Only `events` are wanted, which may then not be empty."""


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """The same, usable. An empty address or token of a webhook that is kept: as it was."""

    name: str
    form: str
    address: str
    token: str
    events: list[str]


async def check(fields: Fields, outbound: Outbound, kept: Webhook | None = None) -> Checked:
    """The fields, each looked at; asks for the address of the host, so hold no transaction.

    Raises:
        WrongField: names the field and says what to change.
    """
    form = kept.form if kept else fields.form
    name, token = " ".join(fields.name.split()), fields.token.strip()
    if not 0 < len(name) <= 80 or not name.isprintable():
        raise WrongField("name", "Give the webhook a name of up to 80 characters.")
    if form not in FORMS:
        raise WrongField("form", "Choose what the other side understands.")
    if fields.some and not fields.events:
        raise WrongField("events", "Tick at least one event, or choose everything.")
    if unknown := [kind for kind in fields.events if kind not in KINDS]:
        raise WrongField("events", f"There is no event {unknown[0]}.")
    if len(token) > 1000 or not token.isascii() or not token.isprintable():
        raise WrongField(
            "token", "This does not look like a token: it holds signs that tokens lack."
        )
    address = await _address(form, fields.address.strip(), outbound, kept)
    if form == GITHUB and not token and (kept is None or kept.address != address):
        raise WrongField("token", "Enter a token that may write to the repository's contents.")
    events = [kind for kind in sorted(KINDS) if kind in fields.events]
    return Checked(name=name, form=form, address=address, token=token, events=events)


async def _address(form: str, typed: str, outbound: Outbound, kept: Webhook | None) -> str:
    if form == SLACK and kept is not None and not typed:
        return ""
    if form == GITHUB and (found := _REPOSITORY.fullmatch(typed)):
        typed = f"https://api.github.com/repos/{found[1]}/{found[2]}/dispatches"
    if len(typed) > 500:
        raise WrongField(
            "address", "This address is longer than 500 characters. Enter a shorter one."
        )
    try:
        return await outbound.check_address(typed)
    except Invalid as refusal:
        raise WrongField("address", refusal.sentence) from None


async def add(
    db: AsyncSession, workspace: WorkspaceRef, checked: Checked, *, secret: Secret, actor: Actor
) -> tuple[Webhook, Secret | None]:
    """Keep a new webhook; with the signing secret that was made for it, to be shown once.

    Raises:
        Conflict: there are too many, or one of that name.
    """
    await guarded.confirm(db, workspace.id, actor)
    mine = Webhook.workspace_id == workspace.id
    if (await db.scalar(select(func.count()).where(mine)) or 0) >= MOST:
        raise Conflict(f"A workspace has at most {MOST} webhooks. Remove one first.")
    made = signing.mint() if checked.form == STANDARD else None
    hook = Webhook(
        workspace_id=workspace.id, name=checked.name, form=checked.form, address="",
        sealed=b"", sealed_old=None, old_until=None, events=checked.events,
        since_id=await db.scalar(select(func.max(Event.id))) or 0, state="active", good=None,
        said="", tries=0, next_at=None, leased_until=None, last_at=None,
        created_by=actor.said, created_at=now(),
    )  # fmt: skip
    _fill(hook, checked, secret)
    if made:
        _seal(hook, secret, made)
    db.add(hook)
    await _flush(db, checked.name)
    audit.record(db, actor, "webhook.added", hook.name, workspace.id, webhook=hook.id)
    return hook, made


async def change(
    db: AsyncSession, workspace: WorkspaceRef, webhook_id: int, checked: Checked, *,
    secret: Secret, actor: Actor,
) -> Webhook:  # fmt: skip
    """Another name, address, token or choice of events; what waits goes to the new address."""
    hook = await to_change(db, workspace, webhook_id, actor)
    moved = bool(checked.address) and hook.address != _shown(checked)
    _fill(hook, checked, secret)
    hook.events, hook.next_at = checked.events, None
    await _flush(db, checked.name)
    audit.record(db, actor, "webhook.changed", hook.name, workspace.id, moved_to_other=moved)
    return hook


def _fill(hook: Webhook, checked: Checked, secret: Secret) -> None:
    hook.name = checked.name
    if checked.address:
        hook.address = _shown(checked)
    if checked.form == SLACK and checked.address:
        _seal(hook, secret, checked.address)
    if checked.form == GITHUB and checked.token:
        _seal(hook, secret, checked.token)


def _shown(checked: Checked) -> str:
    """Slack's addresses are the secret themselves: what is shown is where they begin."""
    if checked.form != SLACK:
        return checked.address
    return "/".join(checked.address.partition("?")[0].split("/")[:3]) + "/…"


async def remove(
    db: AsyncSession, workspace: WorkspaceRef, webhook_id: int, *, actor: Actor
) -> str:
    """Forget it, what waits for it and its log; returns its name."""
    hook = await to_change(db, workspace, webhook_id, actor)
    await db.execute(delete(Delivery).where(Delivery.webhook_id == hook.id))
    await db.delete(hook)
    audit.record(db, actor, "webhook.removed", hook.name, workspace.id)
    return hook.name


async def renew(
    db: AsyncSession, workspace: WorkspaceRef, webhook_id: int, *, secret: Secret, actor: Actor
) -> Secret:
    """A new signing secret, to be shown once; the one before stays good for `OVERLAP`.

    Raises:
        Conflict: this form is not signed.
    """
    hook = await to_change(db, workspace, webhook_id, actor)
    if hook.form != STANDARD:
        raise Conflict("Messages of this form are not signed. Enter another token or address.")
    made = signing.mint()
    hook.sealed_old, hook.old_until = hook.sealed, now() + OVERLAP
    _seal(hook, secret, made)
    audit.record(db, actor, "webhook.secret", hook.name, workspace.id)
    return made


async def end_overlap(
    db: AsyncSession, workspace: WorkspaceRef, webhook_id: int, *, actor: Actor
) -> None:
    """The secret before is good no more."""
    hook = await to_change(db, workspace, webhook_id, actor)
    hook.sealed_old = hook.old_until = None
    audit.record(db, actor, "webhook.secret-ended", hook.name, workspace.id)


async def pause(
    db: AsyncSession, workspace: WorkspaceRef, webhook_id: int, *, actor: Actor
) -> Webhook:
    """No message goes out until it is taken up again; what happens meanwhile is kept."""
    hook = await to_change(db, workspace, webhook_id, actor)
    if hook.state != "paused":
        hook.state, hook.said = "paused", f"{actor.name} paused it."
        audit.record(db, actor, "webhook.paused", hook.name, workspace.id)
    return hook


async def resume(
    db: AsyncSession, workspace: WorkspaceRef, webhook_id: int, *, actor: Actor
) -> Webhook:
    """What waits goes out, in order and at once."""
    hook = await to_change(db, workspace, webhook_id, actor)
    if hook.state == "paused":
        audit.record(db, actor, "webhook.resumed", hook.name, workspace.id)
        hook.said = ""
    hook.state, hook.tries, hook.next_at = "active", 0, None
    return hook


async def get(db: AsyncSession, workspace_id: int, webhook_id: int) -> Webhook:
    """One webhook of this workspace."""
    found = await db.get(Webhook, webhook_id)
    if found is None or found.workspace_id != workspace_id:
        raise NotFound("There is no such webhook; somebody may have removed it.")
    return found


async def to_change(
    db: AsyncSession, workspace: WorkspaceRef, webhook_id: int, actor: Actor
) -> Webhook:
    """The same, for whoever may change it now.

    Raises:
        Forbidden: they are no administrator any more.
    """
    await guarded.confirm(db, workspace.id, actor)
    return await get(db, workspace.id, webhook_id)


def target_of(hook: Webhook, secret: Secret) -> Target:
    """Where its messages go, and with what.

    Raises:
        KeyLost: what it kept cannot be read any more.
    """
    kept = [_open(hook, secret, hook.sealed)]
    if hook.sealed_old is not None and hook.old_until is not None and hook.old_until > now():
        kept.append(_open(hook, secret, hook.sealed_old))
    url = kept[0] if hook.form == SLACK else hook.address
    return Target(form=hook.form, url=url, secrets=kept)


def _seal(hook: Webhook, secret: Secret, text: str) -> None:
    hook.sealed = seal(secret, text, purpose=PURPOSE, bound=_bound(hook))


def _open(hook: Webhook, secret: Secret, sealed: bytes) -> Secret:
    return unseal(secret, sealed, purpose=PURPOSE, bound=_bound(hook), lost=LOST)


def _bound(hook: Webhook) -> str:
    """A token goes to its own address and nowhere else; a signing secret goes nowhere."""
    return f"{hook.workspace_id}\n{hook.form}\n{hook.address if hook.form == GITHUB else ''}"


async def _flush(db: AsyncSession, name: str) -> None:
    try:
        await db.flush()
    except IntegrityError:
        raise Conflict(f"There is a webhook called {name} already. Choose another name.") from None

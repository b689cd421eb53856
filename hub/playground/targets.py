"""From what somebody picked, "Acme · gpt-5-mini" or an alias, to the endpoints that are asked."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import now
from hub.errors import HubError, NotFound, Unavailable
from hub.people import audit
from hub.people.policy import Actor, WorkspaceRef
from hub.playground import aliases, connections, offers
from hub.playground.calls import THIS_MACHINE, Endpoint, Route
from hub.playground.models import Machine
from hub.playground.room import ALIASES, Choice, Playground


async def offered(db: AsyncSession, playground: Playground, workspace_id: int) -> list[Choice]:
    """Everything that can be picked: this machine's, the connections', the aliases."""
    found = await playground.choices(await connections.listing(db, workspace_id))
    return found + [
        Choice(f"alias:{one.name}", one.name, ALIASES)
        for one in await aliases.listing(db, workspace_id)
    ]


async def priced(db: AsyncSession, playground: Playground, workspace_id: int) -> list[Choice]:
    """The same for people who choose: each with the line about where it is and what it costs."""
    kept = await connections.listing(db, workspace_id)
    price = await hour_price(db, workspace_id)
    found = offers.told(await playground.choices(kept), kept, price, now())
    known = {one.value: one for one in found}
    return found + [
        Choice(f"alias:{one.name}", one.name, ALIASES, offers.alias(one, known))
        for one in await aliases.listing(db, workspace_id)
    ]


async def target(
    db: AsyncSession, playground: Playground, workspace_id: int, chosen: Choice, owner: int | None
) -> Endpoint | Route | str:
    """Whom to ask for a choice; a sentence if nobody can be asked any more."""
    try:
        if chosen.value.startswith("alias:"):
            return await _route(db, playground, workspace_id, chosen.model, owner)
        return await _endpoint(db, playground, workspace_id, chosen.value, owner)
    except NotFound:
        kind = "alias" if chosen.value.startswith("alias:") else "connection"
        name = chosen.model if kind == "alias" else chosen.where
        return f"The {kind} {name} was removed. Choose another model."
    except HubError as refusal:
        return refusal.sentence


async def hour_price(db: AsyncSession, workspace_id: int) -> float | None:
    """What an hour of this machine costs, if the workspace says so."""
    machine = await db.get(Machine, workspace_id)
    return machine.hour_price if machine else None


async def set_hour_price(
    db: AsyncSession, workspace: WorkspaceRef, typed: str, *, actor: Actor
) -> float | None:
    """Write it down, or forget it; runs that were made keep the price they had.

    Raises:
        Wrong: it is no price.
    """
    price = connections.hour_price(typed)
    await db.merge(Machine(workspace_id=workspace.id, hour_price=price))
    audit.record(db, actor, "machine.priced", THIS_MACHINE, workspace.id, hour_price=price)
    return price


async def _endpoint(
    db: AsyncSession, playground: Playground, workspace_id: int, choice: str, owner: int | None
) -> Endpoint:
    where, _, model = choice.partition(":")
    if where == "local":
        price = await hour_price(db, workspace_id)
        return playground.local(model, owner=owner, hour_price=price)
    try:
        connection = await connections.get(db, workspace_id, int(where))
    except (NotFound, ValueError):
        raise NotFound("The connection of this column was removed. Choose another model.") from None
    return playground.remote(connection, model, owner=owner)


async def _route(
    db: AsyncSession, playground: Playground, workspace_id: int, name: str, owner: int | None
) -> Route:
    alias = await aliases.named(db, workspace_id, name)
    if alias is None:
        raise NotFound("There is no such alias; somebody may have removed it.")
    found: list[Endpoint] = []
    lost = ""
    for choice in alias.targets:
        try:
            found.append(await _endpoint(db, playground, workspace_id, choice, owner))
        except HubError as refusal:  # the others may still be there
            lost = refusal.sentence
    if not found:
        raise Unavailable(f"None of the models behind {name} can be asked: {lost}")
    known = await aliases.speeds(db, workspace_id) if alias.rule == "latency" else {}
    return Route(name=name, endpoints=aliases.ordered(alias.rule, found, known))

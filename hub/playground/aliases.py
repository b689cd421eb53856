"""A name over several models: an administrator says which, and how one of them is chosen.

Whoever runs "fast" gets the first that answers: in the order given, the cheapest first, or the
quickest of late first. The run says which one it was.
"""

from __future__ import annotations

from statistics import median
from typing import Any, Literal, cast, get_args

import msgspec
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import now
from hub.errors import Conflict, NotFound, WrongField
from hub.people import audit
from hub.people.policy import Actor, WorkspaceRef
from hub.playground.calls import Endpoint
from hub.playground.models import Alias, Run

Rule = Literal["order", "price", "latency"]
RULES: dict[str, str] = {
    "order": "In this order",
    "price": "The cheapest first",
    "latency": "The quickest of late first",
}
MOST_TARGETS = 8
LOOKED_BACK = 200
"""Runs of the workspace that say how quick a model has been of late."""
FURTHEST_BACK = 10_000
"""Runs of the whole hub that are looked through for them; the rest is not of late."""
Speeds = dict[tuple[str, str], float]
"""Connection and model → median seconds to the first word."""


class Fields(msgspec.Struct, frozen=True, kw_only=True):
    """What the form of an alias says."""

    name: str = ""
    rule: str = "order"
    targets: list[str] = []
    """Values of choices, `3:gpt-5-mini`; empty ones are rows left open."""


async def listing(db: AsyncSession, workspace_id: int) -> list[Alias]:
    """The workspace's aliases, by name."""
    query = select(Alias).where(Alias.workspace_id == workspace_id)
    return list(await db.scalars(query.order_by(Alias.name)))


async def get(db: AsyncSession, workspace_id: int, alias_id: int) -> Alias:
    found = await db.get(Alias, alias_id)
    if found is None or found.workspace_id != workspace_id:
        raise NotFound("There is no such alias; somebody may have removed it.")
    return found


async def named(db: AsyncSession, workspace_id: int, name: str) -> Alias | None:
    query = select(Alias).where(Alias.workspace_id == workspace_id, Alias.name == name)
    return await db.scalar(query)


def check(fields: Fields, known: set[str]) -> Fields:
    """The fields, each looked at; `known`: the choices there are.

    Raises:
        WrongField: names the field and says what to change.
    """
    name = fields.name.strip()
    if not 0 < len(name) <= 80 or not name.isprintable():
        raise WrongField("name", "Give the alias a name of up to 80 characters.")
    if fields.rule not in get_args(Rule):
        raise WrongField("rule", "Choose how one of the models is chosen.")
    targets = list(dict.fromkeys(filter(None, fields.targets)))
    if not targets:
        raise WrongField("targets", "Choose at least one model.")
    if len(targets) > MOST_TARGETS:
        raise WrongField("targets", f"An alias stands for at most {MOST_TARGETS} models.")
    if any(one not in known or one.startswith("alias:") for one in targets):
        raise WrongField("targets", "One of these models is not there any more. Choose another.")
    return Fields(name=name, rule=fields.rule, targets=targets)


async def save(
    db: AsyncSession, workspace: WorkspaceRef, checked: Fields, *, actor: Actor,
    alias_id: int | None = None,
) -> Alias:  # fmt: skip
    """Keep a new alias, or change one."""
    if alias_id is None:
        alias = Alias(workspace_id=workspace.id, created_by=actor.said, created_at=now())
    else:
        alias = await get(db, workspace.id, alias_id)
    alias.name, alias.rule, alias.targets = checked.name, checked.rule, checked.targets
    db.add(alias)
    try:
        await db.flush()
    except IntegrityError:
        raise Conflict(
            f"There is an alias called {checked.name} already. Choose another name."
        ) from None
    deed = "alias.changed" if alias_id else "alias.added"
    audit.record(db, actor, deed, alias.name, workspace.id, targets=len(alias.targets))
    return alias


async def remove(db: AsyncSession, workspace: WorkspaceRef, alias_id: int, *, actor: Actor) -> str:
    """Forget an alias; the models behind it, and what was run with it, stay."""
    alias = await get(db, workspace.id, alias_id)
    await db.delete(alias)
    audit.record(db, actor, "alias.removed", alias.name, workspace.id)
    return alias.name


async def speeds(db: AsyncSession, workspace_id: int) -> Speeds:
    """How quick each model has been lately, from runs that were answered."""
    query = (
        select(Run.connection, Run.model, Run.first_token_s)
        .where(
            Run.id > select(func.coalesce(func.max(Run.id), 0)).scalar_subquery() - FURTHEST_BACK,
            Run.workspace_id == workspace_id,
            Run.state == "done",
            Run.first_token_s.is_not(None),
            Run.cached.is_(False),
        )
        .order_by(Run.id.desc())
        .limit(LOOKED_BACK)
    )
    seen: dict[tuple[str, str], list[float]] = {}
    for connection, model, first in await db.execute(query):
        seen.setdefault((connection, model), []).append(first or 0.0)
    return {who: median(firsts) for who, firsts in seen.items()}


def ordered(rule: str, endpoints: list[Endpoint], known: Speeds) -> list[Endpoint]:
    """Whom to ask first; who is not known to be cheap or quick comes last, in the order given."""
    if rule == "price":
        return sorted(endpoints, key=_price)
    if rule == "latency":
        unknown = float("inf")
        return sorted(endpoints, key=lambda one: known.get((one.name, one.model), unknown))
    return endpoints


def _price(endpoint: Endpoint) -> float:
    """Dollars for a million tokens in and as many out; this machine's own are paid for already."""
    if endpoint.price is not None:
        return endpoint.price.input + endpoint.price.output
    return 0.0 if endpoint.local else float("inf")


def fields_of(alias: Alias) -> Fields:
    """A kept alias as its form shows it."""
    return Fields(name=alias.name, rule=alias.rule, targets=cast("list[Any]", alias.targets))

"""Configured model endpoints: who may be asked, with which key, at which price."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import now
from hub.errors import Conflict, Invalid, NotFound, WrongField
from hub.outbound import Outbound
from hub.people import audit
from hub.people.policy import Actor, WorkspaceRef
from hub.playground.calls import THIS_MACHINE
from hub.playground.models import Connection
from hub.playground.prices import Price
from hub.playground.secrets_box import seal, unseal
from hub.playground.wire.dialects import DIALECTS, OPENAI
from hub.playground.wire.reading import Listed
from hub.settings import Secret

MOST_MODELS = 500
MOST_AT_ONCE = 64
RESERVED = frozenset({THIS_MACHINE.casefold(), "aliases"})


class Fields(msgspec.Struct, frozen=True, kw_only=True):
    """What the form of a connection says, as typed."""

    name: str = ""
    base_url: str = ""
    key: str = ""
    models: str = ""
    """One per line: the name and, if wanted, dollars per million tokens in, out and from cache."""
    concurrency: str = "8"
    hour_price: str = ""
    kind: str = OPENAI
    forget_key: str = ""


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """The same, usable."""

    name: str
    base_url: str
    key: str
    models: list[dict[str, Any]]
    concurrency: int
    hour_price: float | None
    kind: str
    forget_key: bool


async def listing(db: AsyncSession, workspace_id: int) -> list[Connection]:
    """The workspace's connections, by name."""
    query = select(Connection).where(Connection.workspace_id == workspace_id)
    return list(await db.scalars(query.order_by(Connection.name)))


async def get(db: AsyncSession, workspace_id: int, connection_id: int) -> Connection:
    """One connection of this workspace."""
    found = await db.get(Connection, connection_id)
    if found is None or found.workspace_id != workspace_id:
        raise NotFound("There is no such connection; somebody may have removed it.")
    return found


async def check(fields: Fields, outbound: Outbound) -> Checked:
    """The fields, each looked at; asks for the address of the host, so hold no transaction.

    Raises:
        WrongField: names the field and says what to change.
    """
    name, key = fields.name.strip(), fields.key.strip()
    if not 0 < len(name) <= 80 or not name.isprintable():
        raise WrongField("name", "Give the connection a name of up to 80 characters.")
    if name.casefold() in RESERVED:
        raise WrongField(
            "name", f"{name} is what the hub calls something else. Choose another name."
        )
    if fields.kind not in DIALECTS:
        raise WrongField("kind", "Choose the language that the endpoint speaks.")
    if len(fields.base_url) > 500:
        raise WrongField(
            "base_url", "This address is longer than 500 characters. Enter a shorter one."
        )
    try:
        base_url = await outbound.check(fields.base_url)
    except Invalid as refusal:
        raise WrongField("base_url", refusal.sentence) from None
    at_once = int(fields.concurrency) if re.fullmatch(r"\d{1,4}", fields.concurrency) else 0
    if not 1 <= at_once <= MOST_AT_ONCE:
        raise WrongField("concurrency", f"Choose a number from 1 to {MOST_AT_ONCE}.")
    if len(key) > 1000 or not key.isascii() or not key.isprintable():
        raise WrongField(
            "key", "This does not look like a key: it holds signs that keys do not have."
        )
    return Checked(
        name=name, base_url=base_url, key=key, models=parse_models(fields.models),
        concurrency=at_once, hour_price=hour_price(fields.hour_price), kind=fields.kind,
        forget_key=bool(fields.forget_key),
    )  # fmt: skip


async def add(
    db: AsyncSession, workspace: WorkspaceRef, checked: Checked, *, secret: Secret, actor: Actor
) -> Connection:
    """Keep a new connection; its key is sealed and never shown again."""
    connection = Connection(
        workspace_id=workspace.id, sealed_key=None, base_url="", created_by=actor.said,
        created_at=now(), state="", reachable=None, checked_at=None,
    )  # fmt: skip
    _fill(connection, checked, secret)
    db.add(connection)
    await _flush(db, checked.name)
    audit.record(db, actor, "connection.added", connection.name, workspace.id)
    return connection


async def change(
    db: AsyncSession, workspace: WorkspaceRef, connection_id: int, checked: Checked, *,
    secret: Secret, actor: Actor,
) -> tuple[Connection, bool]:  # fmt: skip
    """Change a connection. The second value: its key was forgotten, because the address changed."""
    connection = await get(db, workspace.id, connection_id)
    had_key, old_url = connection.sealed_key is not None, connection.base_url
    old_kind, tested = connection.kind, asked_of(connection)
    _fill(connection, checked, secret)
    moved = connection.base_url != old_url
    if moved or connection.kind != old_kind:
        connection.checked_at = None
    if asked_of(connection) != tested:
        outdate(connection)
    await _flush(db, checked.name)
    audit.record(db, actor, "connection.changed", connection.name, workspace.id, moved=moved)
    return connection, moved and had_key and not checked.key


async def remove(
    db: AsyncSession, workspace: WorkspaceRef, connection_id: int, *, actor: Actor
) -> str:
    """Forget a connection and its key; what was run with it stays."""
    connection = await get(db, workspace.id, connection_id)
    await db.delete(connection)
    audit.record(db, actor, "connection.removed", connection.name, workspace.id)
    return connection.name


def key_of(connection: Connection, secret: Secret) -> Secret | None:
    """The key, to be sent to its own address and nowhere else."""
    if connection.sealed_key is None:
        return None
    return unseal(
        secret,
        connection.sealed_key,
        workspace_id=connection.workspace_id,
        base_url=connection.base_url,
    )


def asked_of(connection: Connection) -> tuple[object, ...]:
    """What the outcome of a test hangs on; where one of it is another, the test says nothing."""
    first = connection.models[0]["id"] if connection.models else ""
    return connection.base_url, connection.kind, connection.sealed_key, first


def outdate(connection: Connection) -> None:
    """Its test was of something else than it is now; only when that was is kept."""
    connection.state, connection.reachable = "", None


def own_price(connection: Connection, model: str) -> Price | None:
    """What the workspace itself says a model costs there."""
    told = next((one for one in connection.models if one["id"] == model), None)
    if told is None or told.get("input_price") is None or told.get("output_price") is None:
        return None
    return Price(told["input_price"], told["output_price"], told.get("cached_price"))


def hour_price(text: str) -> float | None:
    """Dollars an hour, as typed; None: nothing was.

    Raises:
        WrongField: it is no price.
    """
    text = text.strip().lstrip("$").replace(",", ".")
    if not text:
        return None
    price = float(text) if re.fullmatch(r"\d{1,6}(\.\d{1,6})?", text) else 0.0
    if not price:
        raise WrongField("hour_price", "Write the dollars for an hour as a number such as 2.50.")
    return price


def with_listed(models: list[dict[str, Any]], listed: list[Listed]) -> list[dict[str, Any]]:
    """The models, and behind them those the endpoint names that are not among them yet."""
    known = {str(one["id"]) for one in models}
    fresh = [
        {"id": one.id, "input_price": one.input_price, "output_price": one.output_price}
        for one in listed
        if one.id not in known
    ]
    return [*models, *fresh][:MOST_MODELS]


def parse_models(text: str) -> list[dict[str, Any]]:
    """`[{id, input_price, output_price, cached_price}]` from one model a line."""
    models: dict[str, dict[str, Any]] = {}
    for line in text.splitlines():
        name, *prices = line.replace(";", " ").replace(",", " ").split() or [""]
        if not name:
            continue
        if len(name) > 200:
            raise WrongField("models", f"The name `{name[:40]}…` is longer than 200 characters.")
        models[name] = {"id": name} | _prices(name, prices)
    if len(models) > MOST_MODELS:
        raise WrongField("models", f"These are {len(models)} models; {MOST_MODELS} is the most.")
    return list(models.values())


def models_text(models: list[dict[str, Any]]) -> str:
    """The inverse of `parse_models`, for the form."""
    return "\n".join(
        " ".join(
            [one["id"]]
            + [
                f"{one[key]:g}"
                for key in ("input_price", "output_price", "cached_price")
                if one.get(key) is not None
            ]
        )
        for one in models
    )


def _prices(name: str, texts: list[str]) -> dict[str, float | None]:
    if len(texts) not in (0, 2, 3):
        raise WrongField(
            "models",
            f"After `{name}` write two prices, dollars per million tokens in and out, or none. "
            "A third is for what a cache gives.",
        )
    try:
        numbers = [float(text.lstrip("$")) for text in texts]
    except ValueError:
        numbers = [-1.0]
    if any(not 0 <= number <= 1_000_000 for number in numbers):
        raise WrongField(
            "models", f"The prices after `{name}` are not numbers. Write them like 0.15."
        )
    given = numbers or [None, None]
    prices = {"input_price": given[0], "output_price": given[1]}
    return prices | ({"cached_price": given[2]} if len(given) > 2 else {})


def _fill(connection: Connection, checked: Checked, secret: Secret) -> None:
    """Put the values in; a new address takes the old key away."""
    if checked.base_url != connection.base_url or checked.forget_key:
        connection.sealed_key = None
    connection.kind, connection.hour_price = checked.kind, checked.hour_price
    connection.name, connection.base_url = checked.name, checked.base_url
    connection.models, connection.concurrency = checked.models, checked.concurrency
    if checked.key:
        connection.sealed_key = seal(
            secret,
            checked.key,
            workspace_id=connection.workspace_id,
            base_url=checked.base_url,
        )


async def _flush(db: AsyncSession, name: str) -> None:
    try:
        await db.flush()
    except IntegrityError:
        raise Conflict(
            f"There is a connection called {name.strip()} already. Choose another name."
        ) from None

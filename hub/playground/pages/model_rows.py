"""What the Models page shows of this machine, each connection and each alias."""

from __future__ import annotations

import asyncio
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import now
from hub.people import keys
from hub.playground import aliases, connections, machine, prices, targets
from hub.playground.aliases import RULES, Speeds
from hub.playground.calls import THIS_MACHINE
from hub.playground.cells import seconds
from hub.playground.connections import own_price
from hub.playground.engine.folders import BUILTIN_NAME, Found
from hub.playground.machine import Machine
from hub.playground.models import Alias, Connection
from hub.playground.providers import LANGUAGES
from hub.playground.relay import budget
from hub.playground.room import Choice, Playground

SHOWN = 12
"""Models of a connection before the rest folds away."""
Row = dict[str, Any]


async def everything(db: AsyncSession, playground: Playground, workspace_id: int) -> dict[str, Any]:
    """All that can be run from a workspace, with prices and how quick it has been of late."""
    fleet = playground.fleet
    found = await asyncio.gather(*map(machine.look, fleet.engines if fleet else ()))
    here = machine.together(found)
    speeds = await aliases.speeds(db, workspace_id)
    kept = await connections.listing(db, workspace_id)
    choices = await playground.choices(kept)
    return {
        "machine": machine_row(here),
        "devices": _device_rows(fleet.devices, found) if fleet and len(found) > 1 else [],
        "local": [local_row(found, here, speeds) for found in await playground.local_models()],
        "connections": [connection_row(one, speeds) for one in kept],
        "aliases": [alias_row(one, choices) for one in await aliases.listing(db, workspace_id)],
        "hour_price": await targets.hour_price(db, workspace_id),
        "list_date": prices.table().date,
    }


async def relay_row(db: AsyncSession, workspace_id: int) -> dict[str, Any]:
    """Whether programs may run prompts, and what their keys have used of this day."""
    known = {one.id: one.name for one in await keys.listed(db, workspace_id)}
    used = [
        {"name": known.get(one.key_id, one.key_id), "calls": one.calls, "tokens": one.tokens,
         "usd": one.usd, "held": one.held_tokens}
        for one in await budget.used_today(db, workspace_id)
    ]  # fmt: skip
    return {"relay": await budget.settings(db, workspace_id), "relayed": used}


def machine_row(here: Machine | None) -> Row:
    if here is None:
        return {"state": "", "sentence": "", "memory": "", "free": "", "busy": 0}
    return {
        "state": here.state,
        "sentence": here.sentence,
        "memory": _bytes(here.memory),
        "free": _bytes(here.free),
        "busy": here.busy,
    }


def _device_rows(devices: list[str], found: list[Machine]) -> list[Row]:
    return [
        machine_row(one)
        | {
            "device": _said(device),
            "held": [f"{name} ({_bytes(size)})" for name, size in one.held.items()],
        }
        for device, one in zip(devices, found, strict=True)
    ]


def _said(device: str) -> str:
    kind, _, number = device.partition(":")
    return f"GPU {number}" if kind == "cuda" else "Processor"


def local_row(found: Found, here: Machine | None, speeds: Speeds) -> Row:
    return {
        "name": found.name,
        "built_in": found.name == BUILTIN_NAME,
        "problem": found.problem,
        "size": _bytes(found.bytes),
        "large": _too_large(found, here),
        "held": _bytes(here.held.get(found.name, 0)) if here else "",
        "context": found.context,
        "speed": _speed(speeds, THIS_MACHINE, found.name),
    }


def _too_large(found: Found, here: Machine | None) -> bool:
    """Larger than all that is free, and all that other models hold; a GPU's go through it, too."""
    return here is not None and found.bytes > here.free + sum(here.held.values())


def connection_row(connection: Connection, speeds: Speeds) -> Row:
    """`models` is what shows at once, `more` what folds away."""
    rows = [_model_row(connection, str(one["id"]), speeds) for one in connection.models]
    return {
        "kept": connection,
        "language": LANGUAGES.get(connection.kind, connection.kind),
        "models": rows[:SHOWN],
        "more": rows[SHOWN:],
        "listed": any(one["listed"] for one in rows),
    }


def alias_row(alias: Alias, choices: list[Choice]) -> Row:
    known = {one.value: one for one in choices}
    return {
        "kept": alias,
        "rule": RULES.get(alias.rule, alias.rule),
        "targets": [
            {"model": found.model, "where": found.where}
            if (found := known.get(value))
            else {"model": value.partition(":")[2], "where": ""}
            for value in alias.targets
        ],
    }


def _model_row(connection: Connection, model: str, speeds: Speeds) -> Row:
    own = own_price(connection, model)
    price = own or prices.of(connection.base_url, model, now())
    return {
        "id": model,
        "input": price.input if price else None,
        "output": price.output if price else None,
        "listed": price is not None and own is None,
        "speed": _speed(speeds, connection.name, model),
    }


def _speed(speeds: Speeds, connection: str, model: str) -> str:
    found = speeds.get((connection, model))
    return seconds(found) if found is not None else ""


def _bytes(size: int) -> str:
    if not size:
        return ""
    if size >= 1e9:
        return f"{size / 1e9:.1f} GB"
    return f"{size / 1e6:.0f} MB" if size >= 1e7 else f"{size / 1e6:.1f} MB"

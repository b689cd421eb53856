"""The one gate: whatever is about to be written is judged by the rules, whichever door it came by.

It asks the commits themselves what they touch, not the request: no door can forget to say so.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection

from hub.people import rules_store
from hub.people.rules import Person
from hub.registry.asks import Ask, Settled
from hub.registry.ledger import Ledger


class Seen(msgspec.Struct, frozen=True):
    """What judging rests on, read in the snapshot that the asks are settled by."""

    rules: rules_store.Loaded
    people: dict[int, Person] = {}


def look(db: Connection, ledger: Ledger, asks: Sequence[Ask]) -> Seen:
    """Read it; one small statement where a workspace has no rules."""
    return Seen(rules_store.load(db, ledger.workspace_id))


def check(seen: Seen, ledger: Ledger, ask: Ask, settled: Settled) -> None:
    """Raise unless the rules allow it."""

"""What somebody said, quoted in a letter.

Read when the letter goes, not when it is due: what was mended meanwhile is sent as it stands, and
only to whoever is a member then. Never a word of a prompt, and plain text alone: every line of it
begins with `>`, so that nothing that was typed can pass for the hub's own words.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from hub.outbox import Event
from hub.registry.prompt.unseen import find_unseen, pieces
from hub.registry.review.models import Comment, Review

LONGEST = 1_000
"""Characters of one remark; the rest is read where the letter leads."""
MOST_LINES = 20
_WIDEST = 400
"""Bytes of a line in UTF-8: mail servers cut lines of about a thousand."""
_HOLDS = {
    "proposal.commented": (Comment, "comment"), "proposal.reviewed": (Review, "review"),
}  # fmt: skip
_REASONS = frozenset({"proposal.declined", "proposal.withdrawn", "review.dismissed"})


class Said(msgspec.Struct, frozen=True):
    """Where the words of an event stand."""

    workspace_id: int
    number: int
    id: int


def words_of(db: Connection, event_ids: Sequence[int]) -> dict[int, str]:
    """What was said in these events, as it stands now; those in which nothing was are left out."""
    query = select(Event.id, Event.workspace_id, Event.kind, Event.payload)
    found: dict[int, str] = {}
    wanted: defaultdict[type[Any], dict[int, Said]] = defaultdict(dict)
    for row in db.execute(query.where(Event.id.in_(event_ids))):
        payload: Mapping[str, Any] = row.payload
        if row.kind in _REASONS:
            found[row.id] = str(payload.get("reason") or "")
        elif row.kind in _HOLDS and row.workspace_id is not None:
            model, name = _HOLDS[row.kind]
            held = Said(row.workspace_id, payload.get("number", 0), payload.get(name) or 0)
            wanted[model][row.id] = held
    for model, events in wanted.items():
        bodies = _bodies(db, model, {one.id for one in events.values()})
        found |= {event: bodies.get(said, "") for event, said in events.items()}
    return {event: body for event, body in found.items() if body.strip()}


def _bodies(db: Connection, model: type[Any], ids: set[int]) -> dict[Said, str]:
    query = select(model.workspace_id, model.number, model.id, model.body).where(model.id.in_(ids))
    return {Said(row.workspace_id, row.number, row.id): row.body for row in db.execute(query)}


def quoted(body: str) -> str:
    """The remark for a letter: what it quotes itself is left out, hidden characters are named.

    >>> quoted("> what you said\\nNo.")
    '> No.'
    """
    own = [line for line in body.splitlines() if not line.startswith(">")]
    text = "\n".join(own).strip() or body.strip()
    lines = _visible(text[:LONGEST]).splitlines()
    cut = [part for line in lines for part in _narrow(line)]
    more = len(text) > LONGEST or len(cut) > MOST_LINES
    return "\n".join(f"> {line}".rstrip() for line in [*cut[:MOST_LINES], *["…"] * more])


def _visible(text: str) -> str:
    """What cannot be seen or would turn the line around is written out: `[U+202E]`."""
    return "".join(
        one if isinstance(one, str) else f"[{one.code}]" for one in pieces(text, find_unseen(text))
    )


def _narrow(line: str) -> list[str]:
    if len(line.encode()) <= _WIDEST:
        return [line]
    wide = _WIDEST // 4  # no character has more bytes
    return [line[at : at + wide] for at in range(0, len(line), wide)]

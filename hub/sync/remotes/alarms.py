"""Whether sync needs a person, and that administrators hear of it: once, until it is well again."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from hub.errors import HubError, Invalid
from hub.outbox import announce
from hub.registry.review import notices
from hub.sealed import KeyLost
from hub.sync.remotes import addresses
from hub.sync.remotes.models import Remote
from hub.sync.remotes.troubles import Trouble
from hub.sync.remotes.view import view

STOPPED = "sync.stopped"
_PASSING = frozenset({"away", "moved", "atomic"})
"""Troubles that end by themselves, unless they last."""
SURE, LASTING = 2, 8
"""Rounds that fail in a row before somebody is told: of what only a person can mend (a forge that
has a bad minute refuses a good token, too), and of what should have passed within the hour."""


def kind_of(failed: HubError | None) -> str:
    """What went wrong, in a word; anything that is not known to need a person is `away`."""
    if isinstance(failed, Trouble):
        return failed.kind
    if isinstance(failed, KeyLost):
        return "secret"
    return "address" if isinstance(failed, Invalid) else "away"


async def ring(db: AsyncSession, row: Remote, kind: str, held: bool) -> None:
    """Tell of how `row` stands now, if that is news. `held`: releases wait for a person."""
    needed, sentence = _needed(row, kind, held)
    if needed and needed != row.told and not (row.told and kind in _PASSING):
        row.told = needed
        _announce(db, row, STOPPED, sentence=sentence)
    elif not needed and not row.trouble:
        await clear(db, row)


async def clear(db: AsyncSession, row: Remote) -> None:
    """It is well, or nobody's business any more: nobody need read of it."""
    if row.told:
        row.told = ""
        _announce(db, row, "sync.mended")
        await notices.settle(db, row.workspace_id, STOPPED)


def _needed(row: Remote, kind: str, held: bool) -> tuple[str, str]:
    if row.trouble:
        enough = LASTING if kind in _PASSING else SURE
        return (kind, row.trouble) if row.failures >= enough else ("", "")
    if row.stopped and not row.chosen:
        return str(row.stopped["why"]), view(row).sentence
    return ("releases", row.note) if held else ("", "")


def _announce(db: AsyncSession, row: Remote, kind: str, **more: str) -> None:
    name = addresses.read(row.url).name
    announce(db, kind, workspace_id=row.workspace_id, subject=name[:255], name=name, **more)

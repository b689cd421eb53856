"""What would break running programs is refused, whichever door it comes by: a release that they
could not fill in, and taking away or renaming what they read just now.

Programs say what they read and which variables they pass (`registry/reading/callers.py`); a version
says which it needs, its snippets included. Somebody who gives a reason may do it all the same: the
reason stands in the commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

import msgspec
from sqlalchemy import Connection

from hub.errors import Conflict
from hub.registry.git.git_terms import MAIN
from hub.registry.indexing.ledger import Ledger
from hub.registry.indexing.reading import blob_id, read
from hub.registry.reading import callers
from hub.registry.reading.callers import Key, Passing, Running
from hub.registry.reading.snippets import Snippets, may_include, texts_now
from hub.registry.review.follow_proposals import DESPITE
from hub.registry.review.needs import unconditional
from hub.registry.review.touched import Placed
from hub.registry.writing.asks import Ask, Settled
from sdk.errors import TemplateError
from sdk.variables import by_name, needed

MOST_NAMED = 5


def _said(apps: list[str]) -> str:
    """Names of programs in a sentence; of very many, some and how many more."""
    if len(apps) > MOST_NAMED:
        apps = [*apps[: MOST_NAMED - 1], f"{len(apps) - MOST_NAMED + 1} more"]
    return " and ".join(filter(None, [", ".join(apps[:-1]), apps[-1]]))


class BreaksPrograms(Conflict):
    """Programs that run now do not pass what the version needs; `facts["programs"]` lists them."""

    def __init__(self, label: str, name: str, version: int, broken: list[Broken]) -> None:
        first, apps = broken[0], list(dict.fromkeys(one.said for one in broken))
        shown = _said(apps)
        what = ", ".join(f"`{one}`" for one in first.missing)
        super().__init__(
            f"Version {version} of {name} needs {what}, which {shown} "
            f"{'does' if len(apps) == 1 else 'do'} not pass. Nothing was moved. Change the program "
            "first, make the variable optional, or give a reason to release it all the same.",
            label=label, name=name, version=version,
            programs=[msgspec.to_builtins(one) for one in broken],
        )  # fmt: skip


class TakenFromPrograms(BreaksPrograms):
    """Programs read it just now, and would find nothing; `facts["programs"]` lists them."""

    def __init__(self, label: str, name: str, readers: list[Running], *, renamed: bool) -> None:
        several = len(readers) > 1
        shown = _said([one.said for one in readers])
        find = "not find it by its new name" if renamed else "find nothing"
        Conflict.__init__(
            self,
            f"{shown} {'read' if several else 'reads'} {name} as {label} just now, and would "
            f"{find}. Nothing was changed. Change the program{'s' if several else ''} first, or "
            "give a reason to do it all the same.",
            label=label, name=name, programs=[msgspec.to_builtins(one) for one in readers],
        )  # fmt: skip


class Programs(msgspec.Struct, frozen=True):
    """What is known of running programs, by prompt and label."""

    passing: dict[Key, list[Passing]] = {}
    running: dict[Key, list[Running]] = {}
    snippets: Snippets = {}
    """Texts that versions which are about to be released include."""


class Broken(Running, frozen=True):
    """A program, and what it does not pass."""

    missing: list[str]


def look(db: Connection, ledger: Ledger, asks: Sequence[Ask]) -> Programs:
    """What programs do with the prompts whose labels these asks may move."""
    asked = [ask for ask in asks if ask.labelled]
    names = set[str]().union(*(ask.names for ask in asked))
    ids = {held.id for name in names if (held := ledger.at(name))}
    running = callers.running(db, ledger.workspace_id, ids)
    passing = callers.passing(db, ledger.workspace_id, ids)
    if not passing:
        return Programs(running=running)
    concerned = {id for id, _ in passing}
    wanted = {key for ask in asked for key in ask.versions_wanted(ledger) if key[0] in concerned}
    known = [ledger.versions[key] for key in wanted if key in ledger.versions]
    ledger.load_contents(db, {one.hash for one in known})
    snippets: Snippets = {}
    for data in ledger.contents.values():
        if may_include(data) and (reading := read(data)).problem is None:
            snippets |= texts_now(db, ledger.workspace_id, reading.json)
    return Programs(passing, running, snippets)


def check(
    found: Programs, ledger: Ledger, ask: Ask, settled: Settled, placed: Iterable[Placed]
) -> None:
    """Raise if running programs could not go on.

    Raises:
        BreaksPrograms: a label would move to a version that programs under it cannot fill in.
        TakenFromPrograms: what they read would be gone, or have another name.
    """
    ask.despite_programs = False
    for one in placed:
        if (refusal := _refusal(found, ledger, settled, one)) is None:
            continue
        if not ask.despite:
            raise refusal
        ask.despite_programs = True
    if ask.despite_programs:
        for plan in settled.plans:
            plan.commit.trailers[DESPITE] = ask.despite


def _refusal(
    found: Programs, ledger: Ledger, settled: Settled, one: Placed
) -> BreaksPrograms | None:
    key = (one.prompt_id, one.label)
    held = ledger.prompts.get(one.prompt_id)
    renamed = one.new is not None and one.along and held is not None and held.name not in one.after
    if one.new is None or renamed:
        name = held.name if held else sorted(one.names)[-1]
        readers = found.running.get(key)
        return TakenFromPrograms(one.label, name, readers, renamed=renamed) if readers else None
    programs = found.passing.get(key)
    if one.along or not programs:
        return None
    broken = _broken(programs, one.new, _needed(found.snippets, ledger, settled, one))
    return BreaksPrograms(one.label, sorted(one.names)[-1], one.new, broken) if broken else None


def _broken(programs: list[Passing], version: int, names: tuple[str, ...]) -> list[Broken]:
    """One that has filled in this very version before can do it again."""
    found: dict[tuple[str, str], set[str]] = {}
    for one in programs:
        missing = set(names) - one.variables
        if missing and version not in one.versions:
            found.setdefault((one.app, one.environment), set()).update(missing)
    return [Broken(app, place, sorted(missing)) for (app, place), missing in found.items()]


def _needed(snippets: Snippets, ledger: Ledger, settled: Settled, one: Placed) -> tuple[str, ...]:
    """The variables that the version cannot do without."""
    data = _data(ledger, settled, one)
    reading = read(data) if data is not None else None
    if reading is None or reading.problem is not None:
        return ()
    document = cast("dict[str, Any]", msgspec.json.decode(reading.json))
    declared = by_name(document.get("variables"))
    used: dict[str, None] = {}
    try:
        for message in document["messages"]:
            if message.get("role") != "placeholder" and document.get("template") != "plain":
                used |= dict.fromkeys(
                    sorted(unconditional(str(message.get("content") or ""), snippets))
                )
    except TemplateError:
        return ()
    return (*(name for name in used if name not in declared), *needed((), declared))


def _data(ledger: Ledger, settled: Settled, one: Placed) -> bytes | None:
    """The version's file: from the tables, or from the commits that are about to make it."""
    for plan in settled.plans:
        if plan.ref == MAIN:
            for change in plan.commit.changes:
                if change.data is not None and blob_id(change.data) == one.blob:
                    return change.data
    known = ledger.versions.get((one.prompt_id, one.new or 0))
    if known is not None:
        return ledger.contents.get(known.hash)
    # A merge brings a text that is there already, in its revision.
    return next((data for data in ledger.contents.values() if blob_id(data) == one.blob), None)

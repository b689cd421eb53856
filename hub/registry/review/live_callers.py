"""A release that running programs could not fill in is refused, whichever door it comes by.

Programs say which variables they pass (`hub.registry.callers`); a version says which it needs.
Somebody who gives a reason may do it all the same: the reason stands in the commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

import msgspec
from sqlalchemy import Connection

from hub.errors import Conflict
from hub.registry import callers
from hub.registry.asks import Ask, Settled
from hub.registry.callers import Key, Passing
from hub.registry.git_terms import MAIN
from hub.registry.ledger import Ledger
from hub.registry.reading import blob_id, read
from hub.registry.review.touched import Placed
from sdk.errors import TemplateError
from sdk.template import compile_text
from sdk.variables import by_name, needed

DESPITE = "Despite-Programs"
"""The trailer with the reason."""


class BreaksPrograms(Conflict):
    """Programs that run now do not pass what the version needs; `facts["programs"]` lists them."""

    def __init__(self, label: str, name: str, version: int, broken: list[Broken]) -> None:
        first, apps = broken[0], list(dict.fromkeys(one.said for one in broken))
        shown = ", ".join(apps[:3]) + (f" and {len(apps) - 3} more" if len(apps) > 3 else "")
        what = ", ".join(f"`{one}`" for one in first.missing)
        super().__init__(
            f"Version {version} of {name} needs {what}, which {shown} "
            f"{'does' if len(apps) == 1 else 'do'} not pass. Nothing was moved. Change the program "
            "first, make the variable optional, or give a reason to release it all the same.",
            label=label, name=name, version=version,
            programs=[msgspec.to_builtins(one) for one in broken],
        )  # fmt: skip


class Broken(msgspec.Struct, frozen=True):
    """A program, and what it does not pass."""

    app: str
    environment: str
    missing: list[str]

    @property
    def said(self) -> str:
        return f"{self.app} ({self.environment})" if self.environment else self.app


def look(db: Connection, ledger: Ledger, asks: Sequence[Ask]) -> dict[Key, list[Passing]]:
    """What programs pass to the prompts whose labels these asks may move."""
    asked = [ask for ask in asks if ask.labelled]
    names = set[str]().union(*(ask.names for ask in asked))
    ids = {held.id for name in names if (held := ledger.at(name))}
    found = callers.passing(db, ledger.workspace_id, ids)
    concerned = {id for id, _ in found}
    wanted = {key for ask in asked for key in ask.versions_wanted(ledger) if key[0] in concerned}
    known = [ledger.versions[key] for key in wanted if key in ledger.versions]
    ledger.load_contents(db, {one.hash for one in known})
    return found


def check(
    found: dict[Key, list[Passing]], ledger: Ledger, ask: Ask, settled: Settled,
    placed: Iterable[Placed],
) -> None:  # fmt: skip
    """Raise if a label would move to a version that programs under it cannot fill in.

    Raises:
        BreaksPrograms: the sentence says which, and what they lack.
    """
    ask.despite_programs = False
    for one in placed:
        programs = found.get((one.prompt_id, one.label))
        if one.new is None or one.along or not programs:
            continue
        if broken := _broken(programs, one.new, _needed(ledger, settled, one)):
            if not ask.despite:
                name = sorted(one.names)[-1]
                raise BreaksPrograms(one.label, name, one.new, broken)
            ask.despite_programs = True
    if ask.despite_programs:
        for plan in settled.plans:
            plan.commit.trailers[DESPITE] = ask.despite


def _broken(programs: list[Passing], version: int, names: tuple[str, ...]) -> list[Broken]:
    """One that has filled in this very version before can do it again."""
    found: dict[tuple[str, str], set[str]] = {}
    for one in programs:
        missing = set(names) - one.variables
        if missing and version not in one.versions:
            found.setdefault((one.app, one.environment), set()).update(missing)
    return [Broken(app, place, sorted(missing)) for (app, place), missing in found.items()]


def _needed(ledger: Ledger, settled: Settled, one: Placed) -> tuple[str, ...]:
    """The variables that the version cannot do without."""
    data = _data(ledger, settled, one)
    reading = read(data) if data is not None else None
    if reading is None or reading.problem is not None:
        return ()
    document = cast("dict[str, Any]", msgspec.json.decode(reading.json))
    kind = "plain" if document.get("template") == "plain" else "jinja"
    try:
        texts = tuple(
            None if message.get("role") == "placeholder"
            else compile_text(str(message.get("content") or ""), kind)
            for message in document["messages"]
        )  # fmt: skip
    except TemplateError:
        return ()
    return needed(texts, by_name(document.get("variables")))


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

"""The columns of the Try page: from its fields, and from a grid that ran. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, cast

import msgspec

from hub.playground import guards
from hub.playground.columns import Column, vary
from hub.playground.pages.common import Fields
from hub.playground.room import Choice
from hub.playground.sources import DRAFT, Source

_SAID = {DRAFT: "Draft"}
_GUARDS = {guards.IN: "in", guards.OUT: "out"}


def column_of(kept: dict[str, Any]) -> Column:
    """A column as it was typed, from what a grid keeps of it."""
    settings = {key: str(value) for key, value in kept["settings"].items()}
    judging = cast("dict[str, dict[str, Any]]", kept.get("guards", {}))
    named = {f"guard_{at}": judging[way]["name"] for way, at in _GUARDS.items() if way in judging}
    model = next((str(one["choice"]) for one in judging.values()), "")
    return Column(
        source=kept["source"], model=kept["choice"], guard_model=model, **settings, **named
    )


def columns(fields: Fields) -> list[Column]:
    """Each field once for every column, in their order; guards may be left out."""
    names = Column.__struct_fields__
    lists = {name: [value for key, value in fields if key == name] for name in names}
    return [
        Column(**{name: values[at] for name, values in lists.items() if at < len(values)})
        for at in range(len(lists["model"]))
    ]


def numbers(text: str) -> list[str]:
    """`0, 0.5, 1` or `0,5 1`: a comma alone divides only where nothing else does."""
    parts = re.split(r"[;\s]+", text.strip())
    return text.split(",") if len(parts) == 1 else [part.strip(",") for part in parts]


_VARIED = ("source", "model", "temperature", "seed")
"""What may differ from column to column. Wordings of one model stand side by side."""


def ticked(fields: Fields) -> dict[str, list[str]]:
    """What was chosen to differ; commas or spaces divide typed values. `all`: in every column."""
    found = {one: [value for name, value in fields if name == f"vary-{one}"] for one in _VARIED}
    typed = {one: numbers(" ".join(found[one])) for one in ("temperature", "seed")}
    return found | typed | {"all": [value for name, value in fields if name == "vary-all"]}


def spread(chosen: list[Column], values: Mapping[str, list[str]], what: str) -> list[Column]:
    """The first column, or every one, once for each value: of `what`, and of whatever else was
    chosen beside it, so that five models and two versions are ten columns by one press.

    Raises:
        Invalid: nothing to vary, or more columns than a grid can have.
    """
    made = chosen if values["all"] else chosen[:1]
    for one in _VARIED:
        kept = [value for value in values[one] if value.strip()]
        if len(kept) > 1 and one != what:
            made = vary(made, one, kept)
        elif kept and one != what:
            made = list(dict.fromkeys(msgspec.structs.replace(it, **{one: kept[0]}) for it in made))
        elif one == what:
            made = vary(made, one, kept)
    return made if what in _VARIED else vary(made, what, [])


class Lost(msgspec.Struct, frozen=True, kw_only=True):
    """What columns name and the menus do not hold; as pairs for them.

    A menu without the value that is chosen shows its first one, and that would be run.
    """

    sources: list[tuple[str, str]]
    models: list[tuple[str, str]]
    guards: list[tuple[str, str]]


def lost(
    chosen: list[Column], choices: Iterable[Choice], sources: Iterable[tuple[str, str]],
    loaded: Mapping[str, Source], guards: Iterable[str],
) -> Lost:  # fmt: skip
    """An old version is there and only not offered; what was removed says so."""

    def missing(named: Iterable[str], offered: Iterable[str]) -> list[str]:
        return [one for one in dict.fromkeys(named) if one and one not in {*offered}]

    wanted = missing([one.source for one in chosen], [value for value, _ in sources])
    models = [one.model for one in chosen] + [one.guard_model for one in chosen]
    judging = [one.guard_in for one in chosen] + [one.guard_out for one in chosen]
    return Lost(
        sources=[
            (one, loaded[one].title if one in loaded else _gone(_SAID.get(one, one)))
            for one in wanted
        ],
        models=[
            (one, _gone(one.partition(":")[2] or one))
            for one in missing(models, [choice.value for choice in choices])
        ],
        guards=[(one, _gone(one)) for one in missing(judging, guards)],
    )  # fmt: skip


def _gone(name: str) -> str:
    return f"{name} · not there any more"


def landing(did: str, columns: int) -> str:
    """Where the keyboard goes on after a change of the form: a column's id, or the value of the
    button that was pressed; empty: at the top of the page. Not a menu: it would take the keys."""
    what, _, number = did.partition(":")
    if what == "tick":
        return did
    at = int(number) if number.isdecimal() and len(number) < 3 else 0
    places = {"add": columns - 1, "copy": at + 1, "remove": at, "vary": 0}
    return f"column-{min(places[what], columns - 1)}" if what in places else ""

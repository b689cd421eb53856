"""The columns of a grid: from what is typed to what is kept with the grid. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec

from hub.errors import Invalid
from hub.playground.calls import THIS_MACHINE
from hub.playground.room import ALIASES, Choice
from hub.playground.sources import Source

MOST_COLUMNS = 10
"""Five models, each with two wordings."""
Json = dict[str, Any]


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One column of the form, as typed; empty settings mean: as the prompt says."""

    source: str = ""
    """`draft` or `v7`."""
    model: str = ""
    """`local:prompthub/tiny`, `3:gpt-5-mini` or `alias:fast`."""
    temperature: str = ""
    max_tokens: str = ""
    seed: str = ""
    guard_in: str = ""
    guard_out: str = ""
    """Names of the prompts that judge what goes in and what comes out; empty: none."""
    guard_model: str = ""
    """Which model answers as the guard; empty: the column's own."""


class Wrong(Invalid):
    """A column cannot be used; `column` counts from 0."""

    def __init__(self, column: int, sentence: str) -> None:
        super().__init__(sentence, column=column)
        self.column = column


def plan(
    columns: list[Column], sources: Mapping[str, Source], choices: list[Choice],
    guards: Mapping[str, Json] | None = None,
) -> list[Json]:  # fmt: skip
    """The columns as a grid keeps them. `guards`: by name, see `guards.planned`.

    Raises:
        Wrong: a setting is no number, a version or a model is not there (any more).
    """
    if not 1 <= len(columns) <= MOST_COLUMNS:
        raise Invalid(f"A grid has from 1 to {MOST_COLUMNS} columns.")
    known = {choice.value: choice for choice in choices}
    return [
        _plan_one(at, column, sources, known.get(column.model))
        | _guarded(at, column, guards or {}, known.get(column.guard_model or column.model))
        for at, column in enumerate(columns)
    ]


def vary(columns: Sequence[Column], what: str, values: Sequence[str]) -> list[Column]:
    """Each of the columns once for each value of one thing: `source`, `model`, `temperature`,
    `seed`. Those of one value stand side by side; columns that differ in nothing else are one.

    Raises:
        Invalid: nothing to vary, or more columns than a grid can have.
    """
    kept = list(dict.fromkeys(value.strip() for value in values if value.strip()))
    if what not in ("source", "model", "temperature", "seed"):
        raise Invalid("Choose what shall differ from column to column.")
    if not 2 <= len(kept) <= MOST_COLUMNS:
        raise Invalid(f"Choose from 2 to {MOST_COLUMNS} values, one for each column.")
    made = [msgspec.structs.replace(one, **{what: value}) for value in kept for one in columns]
    made = list(dict.fromkeys(made))
    if len(made) > MOST_COLUMNS:
        raise Invalid(
            f"That would be {len(made)} columns, and a grid has at most {MOST_COLUMNS}. Choose "
            "fewer values, untick “In every column”, or remove columns first."
        )
    return made


def note(column: Json) -> str:
    """The second line of a column's head: "this machine · temperature 0.2"."""
    shown = settings(column)
    shown += [f"{which} guard {one['name']}" for which, one in column.get("guards", {}).items()]
    where: str = column["where"]
    called = {THIS_MACHINE: "this machine", ALIASES: "alias"}.get(where, where)
    return " · ".join([called, *shown])


def settings(column: Json) -> list[str]:
    """What it was run with, of the prompt's or of its own: "temperature 0.2", "seed 7"."""
    saved = column["document"].get("modelParameters")
    known = cast("Json", saved) if isinstance(saved, dict) else {}
    said = {key: known[key] for key in ("temperature", "seed") if key in known} | column["settings"]
    return [f"{key.replace('_', ' ')} {value}" for key, value in said.items()]


def _plan_one(
    at: int, column: Column, sources: Mapping[str, Source], choice: Choice | None
) -> Json:
    source = sources.get(column.source)
    if source is None:
        raise Wrong(at, f"Column {at + 1}: choose a version; this one is not there any more.")
    if choice is None:
        raise Wrong(at, f"Column {at + 1}: choose a model; this one is not there any more.")
    typed = {
        "temperature": _number(at, "temperature", column.temperature, 0, 2),
        "max_tokens": _whole(at, "the longest answer", column.max_tokens, 1, 1_000_000),
        "seed": _whole(at, "the seed", column.seed, 0, 2**31 - 1),
    }
    return {
        "source": source.value,
        "version": source.version,
        "base": source.base,
        "title": source.title,
        "choice": choice.value,
        "model": choice.model,
        "where": choice.where,
        "settings": {key: value for key, value in typed.items() if value is not None},
        "document": source.document,
        "snippets": source.snippets,
    }


def _guarded(at: int, column: Column, guards: Mapping[str, Json], choice: Choice | None) -> Json:
    named = {"input": column.guard_in, "output": column.guard_out}
    wanted = {which: name for which, name in named.items() if name}
    if not wanted:
        return {}
    if choice is None or any(name not in guards for name in wanted.values()):
        raise Wrong(
            at, f"Column {at + 1}: choose a guard and its model; one is not there any more."
        )
    asked = {"choice": choice.value, "model": choice.model, "where": choice.where}
    return {"guards": {which: guards[name] | asked for which, name in wanted.items()}}


def _number(at: int, what: str, text: str, least: float, most: float) -> float | None:
    if not text.strip():
        return None
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        number = -1.0
    if not least <= number <= most:
        raise Wrong(at, f"Column {at + 1}: {what} has to be a number from {least:g} to {most:g}.")
    return int(number) if number == int(number) else number


def _whole(at: int, what: str, text: str, least: int, most: int) -> int | None:
    if not text.strip():
        return None
    if not text.strip().isdecimal() or len(text) > 20 or not least <= int(text) <= most:
        raise Wrong(
            at, f"Column {at + 1}: {what} has to be a whole number from {least} to {most:,}."
        )
    return int(text)

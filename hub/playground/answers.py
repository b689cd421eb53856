"""What a proposal does to the answers: the same examples, before and after, on the same models.

It is a grid like any other, run for a proposal's digest: two columns for each model, what is live
(or what was edited) and what is proposed. Here it is read row by row, as a reviewer asks: better,
worse, different, the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import Any, Literal

import msgspec
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import now
from hub.errors import Invalid
from hub.people.policy import Actor
from hub.playground import columns, grid
from hub.playground.calls import Call
from hub.playground.cells import dollars, seconds
from hub.playground.expected import judgeable, right
from hub.playground.live import Place
from hub.playground.models import Example, Grid, Run
from hub.playground.options import Options
from hub.playground.room import Choice, Playground
from hub.playground.sources import AFTER, BEFORE, Source
from hub.registry.prompt.document import Document, to_json
from hub.registry.prompt.segments import Segment, segments
from hub.registry.reading import catalog
from hub.registry.reading.snippets import may_include, texts_for
from hub.registry.review.views import ItemView, View

MOST_MODELS = columns.MOST_COLUMNS // 2

Outcome = Literal["same", "different", "better", "worse", "unfinished"]
Cells = Mapping[Place, Run | Call]


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """One example on one model, before and after."""

    example: str
    expected: str | None
    before: Run | Call
    after: Run | Call
    outcome: Outcome
    words: tuple[Segment, ...]
    """The change from one answer to the other, when both are there and differ."""


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """One model's answers."""

    model: str
    where: str
    pairs: list[Pair]
    summary: str
    """`19 → 20 of 24 right · median 0.41 s → 0.44 s to the first word · $2.00 → $2.20 …`"""

    @property
    def shown(self) -> list[Pair]:
        """What a reviewer has to look at; the same answers are only counted."""
        order: list[Outcome] = ["worse", "better", "different", "unfinished"]
        kept = [one for one in self.pairs if one.outcome != "same"]
        return sorted(kept, key=lambda one: order.index(one.outcome))

    @property
    def same(self) -> int:
        return sum(1 for one in self.pairs if one.outcome == "same")


def tried(view: View) -> list[ItemView]:
    """The items whose answers can be compared: there is a text, and it is another."""
    return [one for one in view.items if one.kind in ("create", "change") and one.new]


async def latest(db: AsyncSession, view: View, item: ItemView) -> Grid | None:
    """The last grid that was run for this proposal and prompt, whatever revision it tried."""
    query = (
        select(Grid)
        .where(
            Grid.workspace_id == view.workspace_id, Grid.proposal == view.number,
            Grid.prompt_id == item.prompt_id,
        )
        .order_by(Grid.id.desc())
    )  # fmt: skip
    return await db.scalar(query.limit(1))


async def count(db: AsyncSession, view: View) -> int:
    """How many answers there are to the latest revision, for the tab."""
    query = (
        select(func.count())
        .select_from(Run)
        .join(Grid, Grid.id == Run.grid_id)
        .where(
            Grid.workspace_id == view.workspace_id, Grid.proposal == view.number,
            Grid.digest == view.digest, Run.state == "done",
        )
    )  # fmt: skip
    return await db.scalar(query) or 0


async def run(
    playground: Playground, db: AsyncSession, view: View, item: ItemView, models: list[Choice],
    chosen: list[Example], *, actor: Actor,
) -> int:  # fmt: skip
    """Ask the models the same questions with both texts; the number of the grid.

    Raises:
        Invalid: no model or too many, no example.
    """
    if not 1 <= len(models) <= MOST_MODELS:
        raise Invalid(f"Tick from 1 to {MOST_MODELS} models.")
    sources = await _sources(db, view, item)
    planned = columns.plan(
        [columns.Column(source=one, model=model.value) for model in models for one in sources],
        sources, models,
    )  # fmt: skip
    # Without a variable there is one question to ask, and no example is needed for it.
    asks_nothing = not (item.new and item.new.variables)
    rows = grid.rows_of(chosen, {} if asks_nothing and not chosen else None)
    return await grid.create(
        playground, view.workspace_id, (item.prompt_id, item.new_name or item.name), planned, rows,
        actor=actor, options=Options(keep=True), proposal=(view.number, view.digest),
    )  # fmt: skip


async def _sources(db: AsyncSession, view: View, item: ItemView) -> dict[str, Source]:
    assert item.new is not None
    found: dict[str, Source] = {}
    if item.kind == "change":
        about = await catalog.get(db, view.workspace_id, item.name, deleted=True)
        live = about.live("production")
        if live is not None:
            old = await catalog.version(db, view.workspace_id, item.name, live.version)
            found[BEFORE] = Source(
                value=BEFORE, title=f"Live v{live.version}", version=live.version,
                document=old.tree, snippets=old.snippets,
            )  # fmt: skip
        elif item.old is not None:
            title = f"v{item.base_version}" if item.base_version else "Before"
            found[BEFORE] = await _source(db, view, BEFORE, title, item.old)
    found[AFTER] = await _source(db, view, AFTER, f"Proposed, revision {view.revision}", item.new)
    return found


async def _source(
    db: AsyncSession, view: View, value: str, title: str, document: Document
) -> Source:
    tree: dict[str, Any] = to_json(document)
    raw = msgspec.json.encode(tree)
    texts = await texts_for(db, view.workspace_id, raw, now()) if may_include(raw) else {}
    return Source(value=value, title=title, version=None, document=tree, snippets=texts)


def compared(found: Grid, cells: Cells) -> list[Compared]:
    """The grid read model by model; one without a before (a new prompt) has nothing to compare."""
    made: list[Compared] = []
    kept = found.columns
    for at, column in enumerate(kept):
        if column["source"] != AFTER:
            continue
        old = at - 1 if at and kept[at - 1]["source"] == BEFORE else at
        pairs = [
            _pair(row, cells[place, old, 0], cells[place, at, 0])
            for place, row in enumerate(found.rows)
            if (place, old, 0) in cells and (place, at, 0) in cells
        ]
        made.append(
            Compared(
                model=column["model"], where=column["where"], pairs=pairs,
                summary=_summary(pairs, new=old == at),
            )
        )  # fmt: skip
    return made


def _pair(row: dict[str, Any], before: Run | Call, after: Run | Call) -> Pair:
    expected = row.get("expected")
    outcome = _outcome(expected, before, after)
    differs = outcome in ("different", "better", "worse") and before.output != after.output
    return Pair(
        example=row["name"], expected=expected, before=before, after=after, outcome=outcome,
        words=segments(before.output, after.output) if differs else (),
    )  # fmt: skip


def _outcome(expected: str | None, before: Run | Call, after: Run | Call) -> Outcome:
    if before.state != "done" or after.state != "done":
        return "unfinished"
    was, is_now = right(expected, before.output), right(expected, after.output)
    if was != is_now and judgeable(expected):
        return "better" if is_now else "worse"
    return "same" if before.output.strip() == after.output.strip() else "different"


def _summary(pairs: list[Pair], *, new: bool) -> str:
    said: list[str] = []
    judged = [one for one in pairs if judgeable(one.expected) and one.outcome != "unfinished"]
    sides = [[one.after for one in pairs]] if new else [
        [one.before for one in pairs], [one.after for one in pairs],
    ]  # fmt: skip
    if judged:
        counts = [
            sum(
                judgeable(one.expected) and right(one.expected, cell.output)
                for one, cell in zip(pairs, side, strict=True)
            )
            for side in sides
        ]
        said.append(f"{' → '.join(map(str, counts))} of {len(judged)} right")
    for words, show, values in (
        ("to the first word", seconds, [_firsts(side) for side in sides]),
        ("an answer", dollars, [_costs(side) for side in sides]),
    ):
        if all(values):
            said.append(f"{' → '.join(show(median(one)) for one in values)} {words}")
    return " · ".join(said)


def _firsts(side: list[Run | Call]) -> list[float]:
    return [one.first_token_s for one in side if one.first_token_s is not None]


def _costs(side: list[Run | Call]) -> list[float]:
    return [one.cost_usd for one in side if one.cost_usd is not None]

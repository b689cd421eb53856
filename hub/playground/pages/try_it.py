"""Try a prompt: choose columns and rows, then run."""

from __future__ import annotations

from typing import Any, cast

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template

from hub.db import Database
from hub.errors import Invalid
from hub.people.policy import Actor, Need, WorkspaceRef
from hub.playground import examples, grid, guards, sources, targets
from hub.playground.columns import MOST_COLUMNS, Column, plan
from hub.playground.models import Example
from hub.playground.options import Options, options_of, read_options
from hub.playground.pages import try_columns, uploads
from hub.playground.pages.common import (
    Fields,
    form_of,
    grouped,
    may_run,
    playground_of,
    preview,
    typed_values,
)
from hub.playground.pages.crowd import in_turn
from hub.playground.room import THIS_MACHINE, Choice
from hub.playground.values import Field, merged, read, show
from hub.registry.pages.common import Heading, heading, named, prompt_page
from hub.web import Ask, as_refusal, go


class Bench(msgspec.Struct, kw_only=True):
    """Everything the page of one prompt needs, and what is chosen on it."""

    about: Heading
    choices: list[Choice]
    offer: sources.Offer
    examples: list[Example]
    guards: list[str]
    loaded: dict[str, sources.Source] = {}
    fields: list[Field] = []
    columns: list[Column] = []
    chosen: list[int] = []
    own: bool = False
    typed: dict[str, str] = {}
    wrong: dict[str, str] = {}
    options: Options = Options()
    samples: str = "1"
    """As typed."""
    error: str = ""
    ticked: dict[str, list[str]] = {}
    """What shall differ from column to column, as it was chosen; kept when it cannot be done."""
    did: str = ""
    """What was just changed."""


@get("/{slug:str}/try/{name:path}", needs=Need.READ, name="try", middleware=[in_turn])
async def try_page(
    request: Ask,
    name: FromPath[str],
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    database: NamedDependency[Database],
    again: FromQuery[int | None] = None,
    more: FromQuery[int | None] = None,
) -> Template:
    """The form, with the draft beside what is live; `again`: as in that grid, `more`: and a
    column."""
    bench = await _bench(request, database, workspace, actor, named(name))
    if again is not None:
        async with database.read() as db:
            _as_in(bench, await grid.get(db, workspace.id, again))
    if more:
        _change(bench, "add")
        bench.did = "add"
    await _load(bench, database, workspace, actor)
    return _page(request, bench)


@post(
    "/{slug:str}/try/{name:path}", needs=Need.DRAFT, name="try:run", status_code=200,
    middleware=[in_turn], request_max_body_size=uploads.LARGEST_FORM,
)  # fmt: skip
async def try_form(
    request: Ask,
    name: FromPath[str],
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    database: NamedDependency[Database],
) -> Template | Redirect:
    """Run, or change the form (add, copy, remove a column; keep the values as an example)."""
    bench = await _bench(request, database, workspace, actor, named(name))
    fields = await form_of(request)
    _take(bench, fields)
    do = dict(fields).get("do", "run")
    try:
        async with database.write() as db:
            bench.typed |= await uploads.taken(request, db, workspace, actor)
        if do.startswith("vary:"):
            bench.ticked = try_columns.ticked(fields)
            bench.columns = try_columns.spread(bench.columns, bench.ticked, do[len("vary:") :])
            bench.ticked = {}
        await _load(bench, database, workspace, actor)
        bench.options = read_options(dict(fields))
        if do == "run" or do.startswith("only:"):
            return await _run(request, bench, actor, workspace, do.removeprefix("only:"))
        if do == "keep":
            await _keep(bench, actor, workspace, database)
        else:
            _change(bench, do)
    except Exception as error:
        # Also a full disk: what was typed stays on the page.
        refusal = as_refusal(error)
        if refusal is None:
            raise
        if not bench.loaded:
            await _load(bench, database, workspace, actor)
        bench.error = refusal.sentence
        return _page(request, bench, status=refusal.status)
    bench.did = do
    return _page(request, bench)


async def _bench(
    request: Ask, database: Database, workspace: WorkspaceRef, actor: Actor, name: str
) -> Bench:
    playground = playground_of(request)
    async with database.read() as db:
        about = await heading(db, workspace, actor, name)
        offer = await sources.offer(db, workspace.id, about.id, actor.account_id)
        choices = await targets.priced(db, playground, workspace.id)
        kept = await examples.listing(db, workspace.id, about.id)
        guarding = await guards.offered(db, workspace.id)
    bench = Bench(
        about=about, choices=choices, offer=offer, examples=kept,
        guards=[name for name in guarding if name != about.name],
    )  # fmt: skip
    bench.columns = [Column(source=offer.first)]
    if offer.live:
        bench.columns.append(Column(source=offer.live))
    bench.chosen = [one.id for one in kept[:5]]
    bench.own = not kept
    return bench


async def _load(bench: Bench, database: Database, workspace: WorkspaceRef, actor: Actor) -> None:
    """The texts of the chosen columns: they say which values there are, and which model fits."""
    values = [column.source for column in bench.columns]
    prompt = bench.about.name, bench.about.id, actor.account_id
    async with database.read() as db:
        bench.loaded = await sources.load(db, workspace.id, *prompt, values)
        # None of them is there any more: the form still shows the fields of what is.
        shown = bench.loaded or await sources.load(db, workspace.id, *prompt, [bench.offer.first])
    documents = [source.document for source in shown.values()]
    bench.fields = merged(documents)
    bench.typed = {field.name: field.example for field in bench.fields} | bench.typed
    wanted = str(documents[0].get("model") or "") if documents else ""
    bench.columns = [
        column if column.model else msgspec.structs.replace(column, model=_model(bench, wanted))
        for column in bench.columns
    ]


def _model(bench: Bench, wanted: str) -> str:
    """The model the prompt was written for, if somebody here has it; else the first."""
    named_so = [one.value for one in bench.choices if one.model == wanted]
    return next(iter([*named_so, *(one.value for one in bench.choices)]), "")


def _as_in(bench: Bench, old: Any) -> None:
    bench.columns = [try_columns.column_of(one) for one in old.columns]
    bench.options = options_of(old.options)
    bench.samples = str(bench.options.samples)
    bench.chosen = [row["example_id"] for row in old.rows if row.get("example_id")]
    own = next((row for row in old.rows if not row.get("example_id")), None)
    bench.own = own is not None
    if own is not None:
        bench.typed = {name: show(value) for name, value in own["variables"].items()}


def _take(bench: Bench, fields: Fields) -> None:
    """What the form says takes the place of the defaults."""
    bench.columns = try_columns.columns(fields) or bench.columns
    ticked = [value for name, value in fields if name == "example"]
    bench.chosen = [int(value) for value in ticked if value.isdecimal() and len(value) < 12]
    bench.own = any(name == "own" for name, _ in fields)
    bench.typed = typed_values(fields)
    named_so = dict(fields)
    bench.samples = named_so.get("samples", "1")
    chosen = {name: name in named_so for name in ("solo", "keep", "blind", "cache")}
    bench.options = Options(title=named_so.get("title", ""), **chosen)


def _change(bench: Bench, do: str) -> None:
    what, _, number = do.partition(":")
    at = int(number) if number.isdecimal() and len(number) < 3 else 0
    columns = bench.columns
    if what == "add" and len(columns) < MOST_COLUMNS:
        columns.append(columns[-1])
    elif what == "copy" and at < len(columns) < MOST_COLUMNS:
        columns.insert(at + 1, columns[at])
    elif what == "remove" and at < len(columns) > 1:
        columns.pop(at)
    elif what == "tick":
        most = grid.MOST_ROWS - bench.own if number == "all" else 0
        bench.chosen = [one.id for one in bench.examples[:most]]


async def _run(
    request: Ask, bench: Bench, actor: Actor, workspace: WorkspaceRef, only: str
) -> Redirect:
    """`only`: the one column that is asked, from 0; anything else: all of them."""
    own, bench.wrong = read(bench.fields, bench.typed) if bench.own else (None, {})
    if bench.wrong:
        raise Invalid("Some of the values cannot be used; see below.")
    judging = await _judging(bench, playground_of(request).database, workspace)
    columns = plan(bench.columns, bench.loaded, bench.choices, judging)
    if only.isdecimal() and len(only) < 3:
        columns = columns[int(only) : int(only) + 1] or columns
    rows = grid.rows_of([one for one in bench.examples if one.id in bench.chosen], own)
    prompt = bench.about.id, bench.about.name
    made = await grid.create(
        playground_of(request), workspace.id, prompt, columns, rows, actor=actor,
        options=bench.options,
    )  # fmt: skip
    return go(f"/{workspace.slug}/grid/{made}")


async def _judging(bench: Bench, database: Database, workspace: WorkspaceRef) -> dict[str, Any]:
    """The guards of all columns, by name, as a grid keeps them."""
    names = {name for one in bench.columns for name in (one.guard_in, one.guard_out) if name}
    async with database.read() as db:
        return {name: await guards.planned(db, workspace.id, name) for name in names}


async def _keep(bench: Bench, actor: Actor, workspace: WorkspaceRef, database: Database) -> None:
    values, bench.wrong = read(bench.fields, bench.typed)
    if bench.wrong:
        raise Invalid("Some of the values cannot be used; see below.")
    if not values:
        raise Invalid("Fill in at least one value before you keep this as an example.")
    async with database.write() as db:
        kept = await examples.add(
            db, workspace.id, bench.about.id, name="", variables=values, expected=None, actor=actor
        )
    bench.examples.append(kept)
    bench.chosen.append(kept.id)
    bench.own = False


def _page(request: Ask, bench: Bench, status: int = 200) -> Template:
    workspace, actor = request.state.workspace, request.state.actor
    first = next((one.document for one in bench.loaded.values()), {})
    wanted, saved = str(first.get("model") or ""), first.get("modelParameters")
    offered = any(choice.model == wanted for choice in bench.choices)
    saved = cast("dict[str, Any]", saved) if isinstance(saved, dict) else {}
    shown = prompt_page(
        request, "playground/try.html", bench.about, tab="try",
        may_run=may_run(actor, workspace), choices=grouped(bench.choices),
        about_models={one.value: one.about for one in bench.choices},
        local=[one.value for one in bench.choices if one.where == THIS_MACHINE],
        sources=bench.offer.options, guards=bench.guards, columns=bench.columns,
        lost=try_columns.lost(
            bench.columns, bench.choices, bench.offer.options, bench.loaded, bench.guards
        ),
        fields=bench.fields, typed=bench.typed, wrong=bench.wrong, own=bench.own,
        ticked=bench.ticked, chosen=bench.chosen, most_rows=grid.MOST_ROWS,
        error=bench.error, options=bench.options, samples=bench.samples, most=MOST_COLUMNS,
        unknown_model="" if offered else wanted,
        focus=try_columns.landing(bench.did, len(bench.columns)),
        examples=[
            {"id": one.id, "name": one.name, "preview": preview(one.variables)}
            for one in bench.examples
        ],
        saved={
            "temperature": _said(saved, "temperature"),
            "max_tokens": _said(saved, "maxTokens", "max_tokens", "max_completion_tokens"),
            "seed": _said(saved, "seed"),
        },
    )  # fmt: skip
    shown.status_code = status
    return shown


def _said(saved: dict[str, Any], *keys: str) -> str:
    return next((str(saved[key]) for key in keys if saved.get(key) is not None), "")


ROUTES = [try_page, try_form]

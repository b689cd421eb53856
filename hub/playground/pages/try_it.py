"""Try a prompt: choose columns and rows, then run."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template

from hub.db import Database
from hub.errors import HubError
from hub.people.policy import Actor, Need, WorkspaceRef
from hub.playground import connections, examples, grid, sources
from hub.playground.grid import Column
from hub.playground.models import Example
from hub.playground.pages.common import (
    Fields,
    form_of,
    grouped,
    may_run,
    playground_of,
    preview,
    typed_values,
)
from hub.playground.room import Choice
from hub.playground.values import Field, fields_of, read, show
from hub.registry.pages.common import Heading, heading, named, prompt_page
from hub.web import Ask, go


class Bench(msgspec.Struct, kw_only=True):
    """Everything the page of one prompt needs, and what is chosen on it."""

    about: Heading
    choices: list[Choice]
    offer: sources.Offer
    document: dict[str, Any]
    fields: list[Field]
    examples: list[Example]
    columns: list[Column] = []
    chosen: list[int] = []
    own: bool = False
    typed: dict[str, str] = {}
    wrong: dict[str, str] = {}
    error: str = ""


@get("/{slug:str}/try/{name:path}", needs=Need.READ, name="try")
async def try_page(
    request: Ask,
    name: FromPath[str],
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    database: NamedDependency[Database],
    again: FromQuery[int | None] = None,
) -> Template:
    """The form, with the draft beside what is live; `again`: as in that grid."""
    bench = await _bench(request, database, workspace, actor, named(name))
    if again is not None:
        async with database.read() as db:
            _as_in(bench, await grid.get(db, workspace.id, again))
    return _page(request, bench)


@post("/{slug:str}/try/{name:path}", needs=Need.DRAFT, name="try:run", status_code=200)
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
        if do == "run":
            return await _run(request, bench, actor, workspace, database)
        if do == "keep":
            await _keep(bench, actor, workspace, database)
        else:
            _change(bench, do)
    except HubError as refusal:
        bench.error = refusal.sentence
        return _page(request, bench, status=refusal.status)
    return _page(request, bench)


async def _bench(
    request: Ask, database: Database, workspace: WorkspaceRef, actor: Actor, name: str
) -> Bench:
    playground = playground_of(request)
    async with database.read() as db:
        about = await heading(db, workspace, actor, name)
        offer = await sources.offer(db, workspace.id, about.id, actor.account_id)
        loaded = await sources.load(
            db, workspace.id, about.name, about.id, actor.account_id, [offer.first]
        )
        choices = await playground.choices(await connections.listing(db, workspace.id))
        kept = await examples.listing(db, workspace.id, about.id)
    document = loaded[offer.first].document if offer.first in loaded else {}
    bench = Bench(
        about=about, choices=choices, offer=offer, document=document,
        fields=fields_of(document), examples=kept,
    )  # fmt: skip
    model = _model(bench, str(document.get("model") or ""))
    bench.columns = [Column(source=offer.first, model=model)]
    if offer.live:
        bench.columns.append(Column(source=offer.live, model=model))
    bench.chosen = [one.id for one in kept[:5]]
    bench.own = not kept
    bench.typed = {field.name: field.example for field in bench.fields}
    return bench


def _model(bench: Bench, wanted: str) -> str:
    """The model the prompt was written for, if somebody here has it; else the first."""
    named_so = [one.value for one in bench.choices if one.model == wanted]
    return next(iter([*named_so, *(one.value for one in bench.choices)]), "")


def _as_in(bench: Bench, old: Any) -> None:
    bench.columns = [
        Column(
            source=one["source"],
            model=one["choice"],
            **{key: str(value) for key, value in one["settings"].items()},
        )
        for one in old.columns
    ]
    bench.chosen = [row["example_id"] for row in old.rows if row.get("example_id")]
    own = next((row for row in old.rows if not row.get("example_id")), None)
    bench.own = own is not None
    if own is not None:
        bench.typed = {name: show(value) for name, value in own["variables"].items()}


def _take(bench: Bench, fields: Fields) -> None:
    """What the form says takes the place of the defaults."""
    lists = {
        key: [value for name, value in fields if name == key]
        for key in ("source", "model", "temperature", "max_tokens", "seed")
    }
    rows = zip(*lists.values(), strict=False)
    bench.columns = [
        Column(source=source, model=model, temperature=heat, max_tokens=most, seed=seed)
        for source, model, heat, most, seed in rows
    ] or bench.columns
    ticked = [value for name, value in fields if name == "example"]
    bench.chosen = [int(value) for value in ticked if value.isdecimal() and len(value) < 12]
    bench.own = any(name == "own" for name, _ in fields)
    bench.typed = typed_values(fields)


def _change(bench: Bench, do: str) -> None:
    what, _, number = do.partition(":")
    at = int(number) if number.isdecimal() and len(number) < 3 else 0
    columns = bench.columns
    if what == "add" and len(columns) < grid.MOST_COLUMNS:
        columns.append(columns[-1])
    elif what == "copy" and at < len(columns) < grid.MOST_COLUMNS:
        columns.insert(at + 1, columns[at])
    elif what == "remove" and at < len(columns) > 1:
        columns.pop(at)


async def _run(
    request: Ask, bench: Bench, actor: Actor, workspace: WorkspaceRef, database: Database
) -> Redirect:
    own, bench.wrong = read(bench.fields, bench.typed) if bench.own else (None, {})
    if bench.wrong:
        raise grid.Invalid("Some of the values cannot be used; see below.")
    async with database.read() as db:
        loaded = await sources.load(
            db, workspace.id, bench.about.name, bench.about.id, actor.account_id,
            [column.source for column in bench.columns],
        )  # fmt: skip
    columns = grid.plan(bench.columns, loaded, bench.choices)
    rows = grid.rows_of([one for one in bench.examples if one.id in bench.chosen], own)
    prompt = bench.about.id, bench.about.name
    made = await grid.create(
        playground_of(request), workspace.id, prompt, columns, rows, actor=actor
    )
    return go(f"/{workspace.slug}/grid/{made}")


async def _keep(bench: Bench, actor: Actor, workspace: WorkspaceRef, database: Database) -> None:
    values, bench.wrong = read(bench.fields, bench.typed)
    if bench.wrong:
        raise grid.Invalid("Some of the values cannot be used; see below.")
    if not values:
        raise grid.Invalid("Fill in at least one value before you keep this as an example.")
    async with database.write() as db:
        kept = await examples.add(
            db, workspace.id, bench.about.id, name="", variables=values, expected=None, actor=actor
        )
    bench.examples.append(kept)
    bench.chosen.append(kept.id)
    bench.own = False


def _page(request: Ask, bench: Bench, status: int = 200) -> Template:
    workspace, actor = request.state.workspace, request.state.actor
    saved: dict[str, Any] = bench.document.get("modelParameters") or {}
    shown = prompt_page(
        request, "playground/try.html", bench.about, tab="try",
        may_run=may_run(actor, workspace), choices=grouped(bench.choices),
        sources=bench.offer.options, columns=bench.columns, fields=bench.fields,
        typed=bench.typed, wrong=bench.wrong, own=bench.own, chosen=bench.chosen,
        error=bench.error,
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

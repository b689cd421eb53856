"""Examples of a prompt: sets of variables that a run can be given."""

from __future__ import annotations

from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from hub.errors import HubError, Invalid
from hub.people.policy import Actor, Need, WorkspaceRef
from hub.playground import examples, sources, tables
from hub.playground.pages import uploads
from hub.playground.pages.common import (
    Fields,
    form_of,
    may_run,
    plural,
    preview,
    typed_values,
)
from hub.playground.values import Field, fields_of, read, show
from hub.registry.pages.common import Heading, heading, named, prompt_page
from hub.registry.reading.aside import aside
from hub.web import Ask, go


class Sheet:
    """The prompt, its fields and its examples."""

    def __init__(
        self, about: Heading, document: dict[str, Any], kept: list[examples.Example]
    ) -> None:
        self.about = about
        self.document = document
        self.fields: list[Field] = fields_of(document)
        self.examples = kept


@get("/{slug:str}/examples/{name:path}", needs=Need.READ, name="examples")
async def examples_page(
    request: Ask,
    name: FromPath[str],
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
    edit: FromQuery[int | None] = None,
) -> Template:
    """The list, and a form for a new one or for the one to `edit`."""
    sheet = await _sheet(db, workspace, actor, named(name))
    typed: dict[str, str] = {}
    if edit is not None:
        one = await examples.get(db, workspace.id, sheet.about.id, edit)
        typed = {key: show(value) for key, value in one.variables.items()}
        typed |= {"@name": one.name, "@expected": one.expected or ""}
    return _page(request, sheet, typed=typed, edit=edit)


@post(
    "/{slug:str}/examples/{name:path}", needs=Need.DRAFT, name="examples:do", status_code=200,
    request_max_body_size=uploads.LARGEST_FORM,
)  # fmt: skip
async def examples_form(
    request: Ask,
    name: FromPath[str],
    actor: NamedDependency[Actor],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
) -> Template | Redirect:
    """Add, change, remove, put back, or bring in what the prompt's file holds."""
    sheet = await _sheet(db, workspace, actor, named(name))
    fields = await form_of(request)
    form = dict(fields)
    address = f"/{workspace.slug}/examples/{sheet.about.name}"
    match form.get("do", ""):
        case "remove":
            gone = await examples.take_away(db, workspace.id, sheet.about.id, _id(form))
            undo = f"{address}?do=put-back&id={gone.id}"
            return go(address, f"“{gone.name}” was removed.", undo=undo)
        case "import":
            data = sheet.document.get("testData")
            made = await examples.bring_in(db, workspace.id, sheet.about.id, data, actor=actor)
            return go(
                address, f"{made} examples came in." if made else "All of them are here already."
            )
        case "table":
            return await _bring_table(request, sheet, form, actor, workspace, db)
        case _ if request.query_params.get("do") == "put-back":
            number = _id({"id": request.query_params.get("id", "")})
            back = await examples.put_back(db, workspace.id, sheet.about.id, number)
            return go(address, f"“{back.name}” is back.")
        case _:
            return await _save(request, sheet, fields, actor, workspace, db)


async def _save(
    request: Ask, sheet: Sheet, fields: Fields, actor: Actor, workspace: WorkspaceRef,
    db: AsyncSession,
) -> Template | Redirect:  # fmt: skip
    form = dict(fields)
    typed = typed_values(fields)
    wrong: dict[str, str] = {}
    edit = _id(form) if form.get("id") else None
    given: dict[str, Any] = {
        "name": form.get("example_name", ""),
        "expected": form.get("expected", "").strip() or None,
    }
    try:
        typed |= await uploads.taken(request, db, workspace, actor)
        values, wrong = read(sheet.fields, typed)
        given["variables"] = values
        if wrong:
            raise Invalid("Some of the values cannot be used; see below.")
        if not values:
            raise Invalid("Fill in at least one value.")
        if edit is None:
            kept = await examples.add(db, workspace.id, sheet.about.id, **given, actor=actor)
        else:
            old = await examples.get(db, workspace.id, sheet.about.id, edit)
            known = {field.name for field in sheet.fields}
            # Values of variables that the prompt no longer has are not in the form; keep them.
            kept_values = {k: v for k, v in old.variables.items() if k not in known}
            given["variables"] = kept_values | values
            kept = await examples.change(db, workspace.id, sheet.about.id, edit, **given)
    except HubError as refusal:
        typed |= {"@name": given["name"], "@expected": form.get("expected", "")}
        return _page(
            request, sheet, typed=typed, wrong=wrong, edit=edit, error=refusal.sentence,
            status=refusal.status,
        )  # fmt: skip
    return go(f"/{workspace.slug}/examples/{sheet.about.name}", f"“{kept.name}” is kept.")


async def _bring_table(
    request: Ask, sheet: Sheet, form: dict[str, str], actor: Actor, workspace: WorkspaceRef,
    db: AsyncSession,
) -> Template | Redirect:  # fmt: skip
    """All rows of a table, or none of them."""
    try:
        text = await uploads.text(request, "file") or form.get("table", "")
        table = await aside(len(text), lambda: tables.read_table(text, sheet.fields))
        async with db.begin_nested():
            where = workspace.id, sheet.about.id
            made = await examples.bring_in(db, *where, table.rows, actor=actor)
    except HubError as refusal:
        return _page(
            request, sheet, typed={"@table": form.get("table", "")}, table_error=refusal.sentence,
            status=refusal.status,
        )  # fmt: skip
    return go(f"/{workspace.slug}/examples/{sheet.about.name}", _came_in(made, table))


def _came_in(made: int, table: tables.Table) -> str:
    said = f"{plural(made, 'example')} came in." if made else "All of them are here already."
    if here := len(table.rows) - made if made else 0:
        said += f" {here:,} had come before."
    return f"{said} Left out: {', '.join(table.left_out)}." if table.left_out else said


async def _sheet(db: AsyncSession, workspace: WorkspaceRef, actor: Actor, name: str) -> Sheet:
    about = await heading(db, workspace, actor, name)
    offer = await sources.offer(db, workspace.id, about.id, actor.account_id)
    loaded = await sources.load(
        db, workspace.id, about.name, about.id, actor.account_id, [offer.first]
    )
    document = loaded[offer.first].document if offer.first in loaded else {}
    return Sheet(about, document, await examples.listing(db, workspace.id, about.id))


def _page(
    request: Ask, sheet: Sheet, *, typed: dict[str, str], wrong: dict[str, str] | None = None,
    edit: int | None = None, error: str = "", table_error: str = "", status: int = 200,
) -> Template:  # fmt: skip
    workspace, actor = request.state.workspace, request.state.actor
    waiting = len(examples.new_in(sheet.document.get("testData"), sheet.examples))
    shown = prompt_page(
        request, "playground/examples.html", sheet.about, tab="examples",
        examples=[
            {"id": one.id, "name": one.name, "preview": preview(one.variables),
             "expected": one.expected, "by": one.created_by, "at": one.created_at}
            for one in sheet.examples
        ],
        fields=sheet.fields, typed=typed, wrong=wrong or {}, edit=edit, error=error,
        table_error=table_error, may_edit=may_run(actor, workspace), in_file=waiting,
    )  # fmt: skip
    shown.status_code = status
    return shown


def _id(form: dict[str, str]) -> int:
    text = form.get("id", "")
    if not text.isdecimal() or len(text) > 12:
        raise Invalid("This form is incomplete. Reload the page and try again.")
    return int(text)


ROUTES = [examples_page, examples_form]

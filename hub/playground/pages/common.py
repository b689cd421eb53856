"""What the playground's pages share."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar.response import Template

from hub.errors import HubError, WrongField
from hub.people.policy import Actor, Need, WorkspaceRef, allows
from hub.playground import connections
from hub.playground.models import Connection
from hub.playground.providers import LANGUAGES, Provider
from hub.playground.room import Choice, Playground
from hub.playground.values import picture_in
from hub.web import Ask, page

Fields = list[tuple[str, str]]


def playground_of(request: Ask) -> Playground:
    return request.app.state.playground


async def form_of(request: Ask) -> Fields:
    """The form's fields in order; names may repeat, line ends are plain."""
    form = await request.form()
    return [
        (key, value.replace("\r\n", "\n"))
        for key, value in form.multi_items()
        if isinstance(value, str)
    ]


def typed_values(fields: Fields) -> dict[str, str]:
    """What was typed for each variable: fields called `v.<name>`."""
    return {key[2:]: value for key, value in fields if key.startswith("v.")}


def grouped(choices: list[Choice]) -> list[tuple[str, list[Choice]]]:
    """Models by where they are, for the select."""
    groups: dict[str, list[Choice]] = {}
    for choice in choices:
        groups.setdefault(choice.where, []).append(choice)
    return list(groups.items())


def may_run(actor: Actor, workspace: WorkspaceRef) -> bool:
    return allows(actor, Need.DRAFT, workspace.id)


def plural(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def preview(variables: dict[str, Any]) -> str:
    """A set of variables in one line."""
    shown = "; ".join(
        f"{name}: {'a picture' if picture_in(value) else value}"
        for name, value in variables.items()
    )
    return shown if len(shown) <= 160 else shown[:159] + "…"


def fields_of(connection: Connection) -> connections.Fields:
    """A kept connection as its form shows it."""
    return connections.Fields(
        name=connection.name,
        base_url=connection.base_url,
        models=connections.models_text(connection.models),
        concurrency=str(connection.concurrency),
        kind=connection.kind,
        hour_price="" if connection.hour_price is None else f"{connection.hour_price:g}",
    )


def connection_form(
    request: Ask, typed: connections.Fields, *, connection: Connection | None = None,
    testing: str = "", refusal: HubError | None = None, news: str = "",
    provider: Provider | None = None,
) -> Template:  # fmt: skip
    """The form with what was typed; a key that was typed is not sent back, only asked again.

    `testing` stands where the lines of a test go.
    """
    field = refusal.field if isinstance(refusal, WrongField) else "name"
    return page(
        request, "playground/connection.html", section="models",
        status=refusal.status if refusal else 200, typed=msgspec.structs.asdict(typed),
        connection=connection, has_key=connection is not None and connection.sealed_key is not None,
        testing=testing, errors={field: refusal.sentence} if refusal else {}, news=news,
        provider=provider, languages=list(LANGUAGES.items()),
    )  # fmt: skip

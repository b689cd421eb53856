"""What the playground's pages share."""

from __future__ import annotations

from typing import Any

from hub.people.policy import Actor, Need, WorkspaceRef, allows
from hub.playground.room import Choice, Playground
from hub.web import Ask

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
    shown = "; ".join(f"{name}: {value}" for name, value in variables.items())
    return shown if len(shown) <= 160 else shown[:159] + "…"

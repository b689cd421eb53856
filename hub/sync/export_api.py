"""A prompt as files of another program over REST, with what they lack."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from hub.errors import Invalid
from hub.people.policy import Need, WorkspaceRef
from hub.registry.reading.record import VersionView
from hub.registry.rest.api import Label, Version
from hub.registry.rest.api_parts import as_json, named, view_of
from hub.registry.rest.api_schema import described
from hub.sync import export
from hub.sync.formats.known import FORMATS

As = Annotated[str, QueryParameter(description=f"One of: {', '.join(FORMATS)}.")]


class ExportedFile(msgspec.Struct, frozen=True):
    """One file, as `prompthub export` writes it; UTF-8."""

    path: str
    text: str


class ExportNote(msgspec.Struct, frozen=True):
    """A field of the prompt that is not in the files, or not as it was."""

    what: Literal["lost", "changed"]
    key: str
    why: str


class ExportedPrompt(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a prompt as files of another program."""

    name: str
    version: int
    format: str
    files: list[ExportedFile]
    report: list[ExportNote]
    """Everything that is lost or changed in them; empty: they hold the whole prompt."""


class ExportRefused(msgspec.Struct, frozen=True):
    """A prompt that the format cannot hold at all."""

    name: str
    why: str


class ExportedPrompts(msgspec.Struct, frozen=True):
    """Several prompts as files of another program."""

    prompts: list[ExportedPrompt]
    refused: list[ExportRefused]
    beside: str
    """About prompts below the folder that have no such version; empty: there are none."""


@get(
    "/api/v1/export", needs=Need.READ, name="api:exports", include_in_schema=True,
    operation_id="exportPrompts", summary="Export a folder to another program", tags=["prompts"],
    operation_class=described(ExportedPrompts),
)  # fmt: skip
async def export_prompts(
    db: NamedDependency[AsyncSession], workspace: NamedDependency[WorkspaceRef],
    folder: Annotated[str, QueryParameter(description="Left out: all prompts.")] = "",
    label: Label = None, format: As = "prompt.yml",
) -> Response[bytes]:  # fmt: skip
    """Of every prompt below `folder` that has `label`, what it points at; without a label, the
    latest of each. At most 300 at once."""
    chosen = export.format_of(format)
    found = await export.choose(db, workspace, folder, label or "", export.AT_ONCE)
    made = await asyncio.to_thread(export.written, chosen, found.views)
    pairs = list(zip(found.views, made, strict=True))
    return as_json(
        ExportedPrompts(
            [_told(view, format, one) for view, one in pairs if not one.refused],
            [ExportRefused(view.name, one.refused) for view, one in pairs if one.refused],
            found.beside,
        )
    )


@get(
    "/api/v1/export/{name:path}", needs=Need.READ, name="api:export", include_in_schema=True,
    operation_id="exportPrompt", summary="Export a prompt to another program", tags=["prompts"],
    operation_class=described(ExportedPrompt),
)  # fmt: skip
async def export_prompt(
    db: NamedDependency[AsyncSession], workspace: NamedDependency[WorkspaceRef],
    name: FromPath[str], label: Label = None, version: Version = None, format: As = "prompt.yml",
) -> Response[bytes]:  # fmt: skip
    """What `label` points at, or one `version`; with neither, the latest. Nothing is left out
    unsaid: `report` names each field. A prompt that the format cannot hold at all: 422."""
    chosen = export.format_of(format)
    view = await view_of(db, workspace, named(name), version, label)
    (made,) = await asyncio.to_thread(export.written, chosen, [view])
    return as_json(_told(view, format, made))


def _told(view: VersionView, format_: str, made: export.Written) -> ExportedPrompt:
    if made.refused:
        raise Invalid(made.refused)
    return ExportedPrompt(
        name=view.name, version=view.number, format=format_,
        files=[ExportedFile(path, data.decode()) for path, data in made.files.items()],
        report=[
            ExportNote("lost" if what == "Lost" else "changed", key, why)
            for what, key, why in made.notes.found
        ],
    )  # fmt: skip


ROUTES: list[Any] = [export_prompts, export_prompt]

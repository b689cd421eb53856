"""What the handlers of the REST interface share: names in addresses, pointers, answers."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, cast

import msgspec
from litestar import Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from hub.errors import Invalid
from hub.people.policy import WorkspaceRef
from hub.registry.prompt import names
from hub.registry.prompt.document import Document, from_json, parse
from hub.registry.reading import catalog
from hub.registry.reading.aside import aside
from hub.registry.reading.catalog import About, Moved
from hub.registry.reading.record import VersionView
from hub.registry.rest.bodies import SaveVersion, decode
from hub.registry.writing.publish import Publisher

Ask = Request[Any, Any, Any]
FRESH = {"Cache-Control": "private, no-cache", "Vary": "Authorization"}


def named(path: str) -> str:
    """The name in the address.

    Raises:
        InvalidName: it cannot be a prompt's.
    """
    name = path.removeprefix("/")
    names.check_name(name)
    return name


async def about_prompt(db: AsyncSession, workspace: WorkspaceRef, path: str) -> About:
    """The prompt, also by a name it once had."""
    try:
        return await catalog.get(db, workspace.id, named(path))
    except Moved as moved:
        return await catalog.get(db, workspace.id, moved.name)


async def view_of(
    db: AsyncSession, workspace: WorkspaceRef, name: str, number: int | None, label: str | None
) -> VersionView:
    """One version, also by a name the prompt once had."""
    try:
        return await catalog.version(db, workspace.id, name, number, label)
    except Moved as moved:
        return await catalog.version(db, workspace.id, moved.name, number, label)


async def pointed(
    db: AsyncSession, workspace: WorkspaceRef, name: str, pointer: str
) -> VersionView:
    """By number or by label."""
    number = int(pointer) if pointer.isascii() and pointer.isdigit() and len(pointer) < 10 else None
    return await view_of(db, workspace, name, number, pointer if number is None else None)


def document_of(given: dict[str, Any] | str) -> Document:
    """The document, from its JSON form or from the text of its file.

    What is made here is a template unless it says otherwise; of a file the text decides.
    """
    if isinstance(given, str):
        return parse(given.encode("utf-8", "replace"))
    return from_json({"template": "jinja"} | given)


async def read_save(body: bytes) -> tuple[SaveVersion, Document]:
    """What is to be saved."""

    def read() -> tuple[SaveVersion, Document]:
        given = decode(body, SaveVersion)
        return given, document_of(given.document)

    return await aside(len(body), read)


def moment_of(typed: str) -> datetime:
    """A moment as people write it; UTC if it names no zone."""
    try:
        # A plus sign in a query arrives as a space.
        typed = re.sub(r" (?=\d\d:?\d\d$)", "+", typed.strip()) if "T" in typed else typed
        moment = datetime.fromisoformat(typed)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Invalid("`at` must be a moment such as 2026-05-03T14:00:00Z.") from None


def has_tag(if_none_match: str, etag: str) -> bool:
    """Whether the header `If-None-Match` names the entity tag."""
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag in tags or "*" in tags


def request_id(request: Ask) -> str | None:
    """What makes it safe to send a request again."""
    return request.headers.get("Idempotency-Key")


def publisher_of(request: Ask) -> Publisher:
    return cast("Publisher", request.app.state.publisher)


def as_json(value: Any) -> Response[bytes]:
    """An answer that is not to be kept without asking again."""
    return Response(msgspec.json.encode(value), headers=FRESH, media_type="application/json")

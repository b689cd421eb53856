"""Pictures and tables as a browser sends them, and pictures as it is shown them."""

from __future__ import annotations

from litestar import Response, get
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from hub.errors import Invalid
from hub.people.policy import Actor, Need, WorkspaceRef
from hub.playground import pictures, tables
from hub.web import Ask
from sdk.pictures import LARGEST_PICTURE

LARGEST_FORM = 2 * LARGEST_PICTURE + (2 << 20)
"""Bytes of a form with pictures: two large ones and what is typed."""
SHOWN_WITH = {
    "Cache-Control": "private, max-age=31536000, immutable",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Content-Disposition": "inline",
}


async def taken(
    request: Ask, db: AsyncSession, workspace: WorkspaceRef, actor: Actor
) -> dict[str, str]:
    """Keep the pictures a form brings (`f.<name>`): their hashes by variable; empty: taken off.

    Raises:
        Invalid: one of them is no picture, or too large; the sentence names the variable.
    """
    found: dict[str, str] = {}
    form = await request.form()
    for key, one in form.multi_items():
        if isinstance(one, UploadFile) and one.filename and key.startswith("f."):
            try:
                data = await one.read(LARGEST_PICTURE + 1)
                found[key[2:]] = await pictures.keep(db, workspace.id, data, actor=actor)
            except Invalid as refusal:
                raise Invalid(f"{key[2:]}: {refusal.sentence}") from None
        elif key.startswith("x."):
            found.setdefault(key[2:], "")
    return found


async def text(request: Ask, key: str) -> str:
    """The text of a file that a form brings; empty: it brings none.

    Raises:
        Invalid: it is too large.
    """
    one = (await request.form()).get(key)
    if not isinstance(one, UploadFile) or not one.filename:
        return ""
    return tables.text_of(await one.read(tables.LARGEST + 1))


@get("/{slug:str}/pictures/{digest:str}", needs=Need.READ, name="picture")
async def picture(
    digest: FromPath[str],
    workspace: NamedDependency[WorkspaceRef],
    db: NamedDependency[AsyncSession],
) -> Response[bytes]:
    """A picture of this workspace; nothing in it can run, and no script reads it as a page."""
    found = await pictures.get(db, workspace.id, digest)
    return Response(found.data, media_type=found.kind, headers=SHOWN_WITH)


ROUTES = [picture]

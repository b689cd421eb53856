"""Pictures that prompts are tried with: kept once, in SQL, by the hash of what they hold.

Among an example's values a picture is `{"picture": "3f9c…"}`, and in a request that was filled in
an address of ours that leads nowhere. Its bytes are put in only when the request goes out, so that
hundreds of cells that wait do not each hold them. Addresses that people give are never fetched.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any, cast

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database, now
from hub.errors import Invalid, NotFound
from hub.people.policy import Actor
from hub.playground.models import Picture
from hub.playground.values import dicts, picture_in
from sdk.errors import InvalidVariable
from sdk.pictures import LARGEST_PICTURE, WANTED, address_of, kind_of

Json = dict[str, Any]
MOST_BYTES = 500 * 1000 * 1000
"""Of all pictures of a workspace together."""
_KEPT = "https://picture.invalid/"
_ADDRESS = re.compile(re.escape(_KEPT) + "([0-9a-f]{64})")
IN_WHOLE = "The picture itself, as data:image/png;base64,…"
GONE = "A picture of this example is not here any more. Choose it again."


async def keep(db: AsyncSession, workspace_id: int, data: bytes, *, actor: Actor) -> str:
    """The picture's hash; one that is here already is not kept twice.

    Raises:
        Invalid: it is no picture that models take, too large, or there are too many.
    """
    if len(data) > LARGEST_PICTURE:
        raise Invalid("The picture is larger than 5 MB. Make it smaller and choose it again.")
    if not (kind := kind_of(data)):
        raise Invalid(f"This file is no picture that models take: {WANTED}.")
    digest = hashlib.sha256(data).hexdigest()
    if (here := await db.get(Picture, (workspace_id, digest))) is not None:
        here.created_at = now()  # the sweep spares what was chosen lately: see `unused`
        return digest
    of_ours = select(func.sum(Picture.size)).where(Picture.workspace_id == workspace_id)
    if (await db.scalar(of_ours) or 0) + len(data) > MOST_BYTES:
        raise Invalid("The workspace's pictures take 500 MB, and there is no room for more.")
    db.add(
        Picture(
            workspace_id=workspace_id, hash=digest, kind=kind, size=len(data), data=data,
            created_by=actor.name, created_at=now(),
        )
    )  # fmt: skip
    await db.flush()
    return digest


async def get(db: AsyncSession, workspace_id: int, digest: str) -> Picture:
    """One of this workspace's pictures."""
    found = await db.get(Picture, (workspace_id, digest))
    if found is None:
        raise NotFound(GONE)
    return found


def by_address(variables: Mapping[str, Any]) -> Json:
    """The values with each picture by its address, as a prompt is filled in. Pure."""
    return {
        name: _KEPT + digest if (digest := picture_in(value)) else value
        for name, value in variables.items()
    }


def among(request: Mapping[str, Any]) -> bool:
    """Whether a request holds a picture. Pure."""
    return bool(_parts(request))


async def put_in(database: Database, workspace_id: int, request: Json) -> Json:
    """The request with the bytes of its pictures in the place of our addresses.

    Raises:
        NotFound: one is not here any more.
    """
    wanted = {found[1] for part in _parts(request) if (found := _ADDRESS.fullmatch(_url(part)))}
    whole: dict[str, str] = {}
    async with database.read() as db:
        for digest in wanted:
            found = await get(db, workspace_id, digest)
            data = b64encode(found.data).decode()
            whole[_KEPT + digest] = f"data:{found.kind};base64,{data}"
    return with_bytes(request, whole)


def aside(addresses: Mapping[str, str]) -> tuple[Json, dict[str, str]]:
    """Pictures in whole, by name, each by an address that leads nowhere; and by that, in whole.
    Pure."""
    found = {
        name: _KEPT + hashlib.sha256(whole.encode()).hexdigest()
        for name, whole in addresses.items()
    }
    return dict(found), {found[name]: whole for name, whole in addresses.items()}


def with_bytes(request: Json, whole: Mapping[str, str]) -> Json:
    """The request with each picture in the place of its address. Pure."""
    messages = [_filled(one, whole) for one in dicts(request.get("messages"))]
    return request | {"messages": messages}


def data_address(name: str, said: object) -> str:
    """A picture that came as a `data:` address, checked by its first bytes. Pure.

    Raises:
        Invalid: it is none that models take, too large, or stands elsewhere: nothing is fetched.
    """
    head, _, coded = said.partition(";base64,") if isinstance(said, str) else ("", "", "")
    if not head.startswith("data:image/") or not coded:
        raise Invalid(f"{name}: {IN_WHOLE} Nothing is fetched from an address here.")
    try:
        return address_of(name, b64decode(coded, validate=True))
    except InvalidVariable as error:
        raise Invalid(str(error)) from error
    except ValueError as error:
        raise Invalid(f"{name}: the picture's base64 cannot be read.") from error


def _filled(message: Json, whole: Mapping[str, str]) -> Json:
    if not isinstance(message.get("content"), list):
        return message
    parts = [
        part | {"image_url": {"url": whole.get(_url(part), _url(part))}}
        if "image_url" in part
        else part
        for part in dicts(message["content"])
    ]
    return message | {"content": parts}


def _parts(request: Mapping[str, Any]) -> list[Json]:
    return [
        part
        for message in dicts(request.get("messages"))
        for part in dicts(message.get("content"))
        if "image_url" in part
    ]


def _url(part: Json) -> str:
    held = part["image_url"]
    return str(cast("Json", held).get("url", "") if isinstance(held, dict) else held)

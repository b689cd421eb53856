"""The texts that a version's texts include, so that it renders the same for ever.

A pin names a prompt and a version number. Names can pass from one prompt to another; the pin means
the prompt that had the name when the including version was made.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import now
from hub.registry.models import Content, OldName, Prompt, PromptEvent, Version
from sdk.errors import TemplateError
from sdk.template import DEEPEST_INCLUDES, compile_text

Snippets = dict[str, str]


class _Message(msgspec.Struct):
    role: str = ""
    content: str = ""


class _Texts(msgspec.Struct):
    template: str = "jinja"
    messages: list[_Message] = []


_TEXTS = msgspec.json.Decoder(_Texts)


def may_include(raw: bytes) -> bool:
    """Whether the document (as JSON) could include something: cheap, and never wrongly False."""
    return b"{%" in raw and b"include" in raw


async def texts_for(db: AsyncSession, workspace_id: int, raw: bytes, made_at: datetime) -> Snippets:
    """Every snippet that the document's texts include, and those that these include."""
    found: Snippets = {}
    wanted = _pins(_TEXTS.decode(raw))
    for _ in range(DEEPEST_INCLUDES):
        inner: set[str] = set()
        for pin in sorted(wanted - set(found)):
            document = await _resolve(db, workspace_id, pin, made_at)
            if document is not None:
                texts = _TEXTS.decode(document)
                found[pin] = _text(texts)
                inner |= _pins(texts)
        wanted = inner
    return found


def pins_of(raw: bytes) -> set[str]:
    """What the document (as JSON) includes itself, as `name@version`."""
    return _pins(_TEXTS.decode(raw))


def _pins(texts: _Texts) -> set[str]:
    if texts.template == "plain":
        return set()
    return set(_included(message.content for message in texts.messages))


def _included(contents: Iterable[str]) -> Iterable[str]:
    for content in contents:
        if "{%" in content:
            try:
                yield from compile_text(content, "jinja").includes
            except TemplateError:  # pushed past the hub; rendering it says what is wrong
                continue


def _text(texts: _Texts) -> str:
    """What stands in place of the include: the snippet's messages, as one text."""
    text = "\n\n".join(one.content for one in texts.messages if one.role != "placeholder")
    if texts.template == "plain" and "{" in text and "endraw" not in text:
        return f"{{% raw %}}{text}{{% endraw %}}"  # its braces are not ours to read
    return text


def texts_now(db: Connection, workspace_id: int, raw: bytes) -> Snippets:
    """`texts_for` a document that is about to be a version, in a transaction of a thread."""
    found: Snippets = {}
    at, wanted = now(), _pins(_TEXTS.decode(raw))
    for _ in range(DEEPEST_INCLUDES):
        inner: set[str] = set()
        for pin in sorted(wanted - set(found)):
            rows = list(db.execute(_candidates(workspace_id, pin)))
            if rows:
                texts = _TEXTS.decode(_best(rows, pin, at))
                found[pin] = _text(texts)
                inner |= _pins(texts)
        wanted = inner
    return found


async def _resolve(
    db: AsyncSession, workspace_id: int, pin: str, made_at: datetime
) -> bytes | None:
    rows: list[Any] = list(await db.execute(_candidates(workspace_id, pin)))
    return _best(rows, pin, made_at) if rows else None


def _best(rows: list[Any], pin: str, made_at: datetime) -> bytes:
    """Named so then and made before; of several, the last such: the one its author could see."""
    name = pin.rpartition("@")[0]
    best = max(rows, key=lambda row: (row[1] <= made_at, row[0] == name, row[1].timestamp()))
    return bytes(best[2])


def _candidates(workspace_id: int, pin: str) -> Select[str, datetime, bytes]:
    name, _, number = pin.rpartition("@")
    folder = name.rpartition("/")[0]
    had_it = or_(
        Version.prompt_id.in_(
            select(Prompt.id).where(
                Prompt.workspace_id == workspace_id, Prompt.folder == folder, Prompt.name == name
            )
        ),
        Version.prompt_id.in_(
            select(OldName.prompt_id).where(
                OldName.workspace_id == workspace_id, OldName.name == name
            )
        ),
        Version.prompt_id.in_(
            select(PromptEvent.prompt_id).where(
                PromptEvent.workspace_id == workspace_id, PromptEvent.old == name
            )
        ),
    )
    return (
        select(Version.name, Version.created_at, Content.document)
        .join(
            Content,
            (Content.workspace_id == Version.workspace_id) & (Content.hash == Version.hash),
        )
        .where(Version.workspace_id == workspace_id, Version.number == int(number), had_it)
    )

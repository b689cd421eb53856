"""Between what REST sends and what review takes and gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from litestar import Response
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.errors import Invalid
from hub.people.models import Account, Member
from hub.people.policy import WorkspaceRef
from hub.registry.prompt import names
from hub.registry.prompt.document import to_json
from hub.registry.reading.aside import aside
from hub.registry.rest import proposal_bodies as given
from hub.registry.rest.api_parts import as_json, document_of
from hub.registry.rest.proposal_bodies import CommentBody, ItemBody
from hub.registry.review import record
from hub.registry.review.comments import On
from hub.registry.review.drawing import Wanted
from hub.registry.review.views import ItemView, ProposalLine, View


async def wanted_of(items: Sequence[ItemBody], size: int) -> list[Wanted]:
    """The wishes, each with what its kind needs; `size` of the request they came with.

    Raises:
        Invalid: something is missing or too much; the sentence names the prompt.
    """
    return await aside(size, lambda: [_wanted(one) for one in items])


def _wanted(item: ItemBody) -> Wanted:
    names.check_name(item.name)
    texts = item.kind in ("create", "change")
    for needs, field in ((texts, "document"), (item.kind == "rename", "new_name"),
                         (item.kind == "release", "version")):  # fmt: skip
        there = getattr(item, field) is not None
        if needs and not there:
            raise Invalid(f"To {item.kind} {item.name}, send its `{field}`.")
        if there and not needs:
            raise Invalid(f"To {item.kind} {item.name}, leave `{field}` out.")
    return Wanted(
        kind=item.kind, name=item.name, base=item.base, new_name=item.new_name,
        version=item.version,
        document=document_of(item.document) if item.document is not None else None,
    )  # fmt: skip


async def members_of(
    database: Database, workspace: WorkspaceRef, emails: Sequence[str]
) -> list[int]:
    """The accounts behind the addresses.

    Raises:
        Invalid: one of them is no member.
    """
    if not emails:
        return []
    wanted = {email.strip().lower() for email in emails}
    query = (
        select(func.lower(Account.email), Account.id)
        .join(Member, Member.account_id == Account.id)
        .where(Member.workspace_id == workspace.id, func.lower(Account.email).in_(wanted))
    )
    async with database.read() as db:
        found = {row[0]: row[1] for row in await db.execute(query)}
    if missing := sorted(wanted - set(found)):
        raise Invalid(f"{missing[0][:100]} is not a member here, and cannot be asked to review.")
    return sorted(found.values())


async def comment_of(
    db: AsyncSession, workspace_id: int, number: int, said: CommentBody
) -> On | None:
    """What a remark is about; None: the whole proposal.

    Raises:
        Invalid: the proposal does not touch a prompt of that name.
    """
    if said.name is None:
        return None
    view = await record.get(db, workspace_id, number)
    for one in view.items:
        if said.name in (one.name, one.new_name):
            return On(prompt_id=one.prompt_id, place=said.place, quote=said.quote, start=said.start)
    raise Invalid(f"Proposal {number} does not change {said.name[:100]}.")


async def answer(database: Database, workspace_id: int, number: int) -> Response[bytes]:
    """The proposal as it stands."""
    async with database.read() as db:
        return as_json(_out(await record.get(db, workspace_id, number)))


def line(one: ProposalLine) -> dict[str, Any]:
    """The fields of a proposal in a list."""
    return {
        "number": one.number, "title": one.title, "why": one.why, "state": one.state_now,
        "sentence": one.sentence, "target": one.target, "revision": one.revision,
        "digest": one.digest, "author": one.author, "names": one.names, "comments": one.comments,
        "created_at": one.created_at, "updated_at": one.updated_at,
    }  # fmt: skip


def _out(view: View) -> given.ProposalOut:
    words = [
        given.WordOut(**{n: getattr(one, n) for n in given.WordOut.__struct_fields__})
        for one in view.words
    ]
    found = [
        given.CheckOut(**{n: getattr(one, n) for n in given.CheckOut.__struct_fields__})
        for one in view.checks
    ]
    return given.ProposalOut(
        **line(view), items=[_item(one) for one in view.items], words=words, checks=found,
        allowed=view.verdict.allowed, missing=list(view.verdict.missing),
        mergeable=view.mergeable, commit=view.merge_commit,
    )  # fmt: skip


def _item(one: ItemView) -> given.ItemOut:
    return given.ItemOut(
        kind=one.kind, name=one.name, id=one.prompt_id, new_name=one.new_name,
        version=one.version, base=one.base_hash, base_version=one.base_version, hash=one.hash,
        document=to_json(one.new) if one.new else None,
    )  # fmt: skip

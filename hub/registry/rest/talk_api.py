"""What goes on around a proposal, over REST: remarks, who is asked, what main brings, following.

A remark is posted in `reviewing_api`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, RawBody

from hub.db import Database
from hub.people.policy import Need
from hub.registry.rest.api import Db, Place, Who
from hub.registry.rest.api_parts import Ask, as_json, publisher_of
from hub.registry.rest.api_schema import WRITES, described
from hub.registry.rest.bodies import decode
from hub.registry.rest.proposal_bodies import ProposalOut
from hub.registry.rest.proposal_parts import answer, members_of
from hub.registry.review import checks, comments, proposals, record, threads

Data = NamedDependency[Database]
Number = FromPath[int]


class RemarkOut(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that somebody said."""

    id: int
    author: str
    body: str
    at: datetime
    edited_at: datetime | None


class ThreadOut(msgspec.Struct, frozen=True, kw_only=True):
    """A remark with its answers, and where its words are in the latest revision."""

    id: int
    revision: int
    """That it was made on."""
    name: str | None
    """The prompt; null: the proposal as a whole."""
    place: str | None
    quote: str
    """The words as they are now; of those that are gone, as they were."""
    state: Literal["here", "moved", "reworded", "gone"] | None
    """Null: it is about no words."""
    start: int | None
    length: int | None
    resolved_by: str | None
    resolved_at: datetime | None
    said: list[RemarkOut]


class Talk(msgspec.Struct, frozen=True):
    """On words in the order of the texts, then on the whole."""

    items: list[ThreadOut]


class ResolveBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether it is settled."""

    resolved: bool = True


class ReviewersBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is asked to review, besides those who were asked before."""

    reviewers: list[str]
    """E-mail addresses of members."""


class RebaseBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nothing needs to be said."""


class FollowBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether you want to hear of it."""

    follow: bool = True


@get(
    "/api/v1/proposals/{number:int}/comments", needs=Need.READ, name="api:comments",
    include_in_schema=True, operation_id="listComments", summary="What was said",
    tags=["proposals"], operation_class=described(Talk),
)  # fmt: skip
async def list_comments(db: Db, actor: Who, workspace: Place, number: Number) -> Response[bytes]:
    """Every thread at its words in the latest revision."""
    view = await record.get(db, workspace.id, number)
    talk = await threads.of(db, view, actor=actor)
    return as_json(Talk([_thread(one) for one in talk.threads]))


def _thread(one: threads.Thread) -> ThreadOut:
    words = one.words
    return ThreadOut(
        id=one.id, revision=one.revision, name=one.prompt_name,
        place=words.place if words else None, quote=words.quote if words else "",
        state=words.state if words else None, start=words.start if words else None,
        length=words.length if words else None, resolved_by=one.resolved_by,
        resolved_at=one.resolved_at,
        said=[
            RemarkOut(
                id=said.id, author=said.author, body=said.body, at=said.created_at,
                edited_at=said.edited_at,
            )
            for said in one.said
        ],
    )  # fmt: skip


@post(
    "/api/v1/proposals/{number:int}/comments/{comment:int}/resolve", needs=Need.READ,
    name="api:resolve", include_in_schema=True, operation_id="resolveComment",
    summary="Settle a thread, or open it again", tags=["proposals"], status_code=204,
    operation_class=described(None, body=ResolveBody, status=204, errors=WRITES),
)  # fmt: skip
async def resolve(
    body: RawBody, actor: Who, workspace: Place, database: Data, number: Number,
    comment: FromPath[int],
) -> None:  # fmt: skip
    """By whoever began it, the proposal's author, or somebody who may save."""
    asked = decode(body, ResolveBody)
    async with database.write() as db:
        await comments.resolve(
            db, workspace.id, number, comment, actor=actor, resolved=asked.resolved
        )


@post(
    "/api/v1/proposals/{number:int}/reviewers", needs=Need.PROPOSE, name="api:reviewers",
    include_in_schema=True, operation_id="askReviewers", summary="Ask people to review",
    tags=["proposals"], status_code=200,
    operation_class=described(ProposalOut, body=ReviewersBody, errors=WRITES),
)  # fmt: skip
async def ask_reviewers(
    body: RawBody, actor: Who, workspace: Place, database: Data, number: Number
) -> Response[bytes]:
    """They find it among what waits for them."""
    asked = decode(body, ReviewersBody)
    ids = await members_of(database, workspace, asked.reviewers)
    await proposals.request_reviewers(database, workspace, number, ids, actor=actor)
    return await answer(database, workspace.id, number)


@post(
    "/api/v1/proposals/{number:int}/rebase", needs=Need.PROPOSE, name="api:rebase",
    include_in_schema=True, operation_id="rebase", summary="Bring a proposal up to date",
    tags=["proposals"], status_code=200,
    operation_class=described(ProposalOut, body=RebaseBody, errors=WRITES),
)  # fmt: skip
async def rebase(
    request: Ask, body: RawBody, actor: Who, workspace: Place, database: Data, number: Number
) -> Response[bytes]:
    """With what was saved since; 409 where a person must choose between two texts."""
    decode(body or b"{}", RebaseBody)
    await proposals.rebase(publisher_of(request), workspace, number, actor=actor)
    await checks.refresh(database, workspace, number)
    return await answer(database, workspace.id, number)


@post(
    "/api/v1/proposals/{number:int}/follow", needs=Need.READ, name="api:follow",
    include_in_schema=True, operation_id="followProposal", summary="Follow a proposal, or no more",
    tags=["proposals"], status_code=204,
    operation_class=described(None, body=FollowBody, status=204, errors=WRITES),
)  # fmt: skip
async def follow(
    body: RawBody, actor: Who, workspace: Place, database: Data, number: Number
) -> None:
    """For people: in the inbox, and by e-mail as they chose."""
    listen = proposals.subscribe if decode(body, FollowBody).follow else proposals.mute
    await listen(database, workspace, number, actor=actor)


ROUTES = [list_comments, resolve, ask_reviewers, rebase, follow]

"""What is decided about a proposal, over REST: words, merges, remarks, machines' checks.

To give a word or a remark takes a person's own key; checks take a key made for them.
"""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Response, post
from litestar.di import NamedDependency
from litestar.params import FromPath, RawBody

from hub.db import Database
from hub.people.policy import Need
from hub.registry.rest import proposal_bodies as given
from hub.registry.rest.api import Place, Who
from hub.registry.rest.api_parts import Ask, publisher_of, request_id
from hub.registry.rest.api_schema import WRITES, described
from hub.registry.rest.bodies import decode
from hub.registry.rest.proposal_parts import answer, comment_of
from hub.registry.review import checks, comments, dismissing, proposals

Data = NamedDependency[Database]
Number = FromPath[int]


@post(
    "/api/v1/proposals/{number:int}/reviews", needs=Need.REVIEW, name="api:review",
    include_in_schema=True, operation_id="review", summary="Approve, or ask for a change",
    tags=["proposals"], status_code=200,
    operation_class=described(given.ProposalOut, body=given.ReviewBody, errors=WRITES),
)  # fmt: skip
async def review(
    request: Ask, body: RawBody, actor: Who, workspace: Place, database: Data, number: Number
) -> Response[bytes]:
    """Names the digest that was read: 409 if the proposal has moved on since."""
    asked = decode(body, given.ReviewBody)
    await proposals.review(
        publisher_of(request), workspace, number, actor=actor, digest=asked.digest,
        verdict=asked.verdict, body=asked.body, saw_hidden=asked.saw_hidden,
    )  # fmt: skip
    return await answer(database, workspace.id, number)


@post(
    "/api/v1/proposals/{number:int}/reviews/{review:int}/dismiss", needs=Need.ADMIN,
    name="api:dismiss", include_in_schema=True, operation_id="dismissReview",
    summary="Dismiss a request for a change", tags=["proposals"], status_code=200,
    operation_class=described(given.ProposalOut, body=given.CloseBody, errors=WRITES),
)  # fmt: skip
async def dismiss(
    request: Ask,
    body: RawBody,
    actor: Who,
    workspace: Place,
    database: Data,
    number: Number,
    review: Number,
) -> Response[bytes]:
    """Takes a reason, which stands on the proposal for good; not by its authors. A word's `id` says
    which."""
    why, publisher = decode(body, given.CloseBody).reason, publisher_of(request)
    await dismissing.dismiss(publisher, workspace, number, review, actor=actor, reason=why)
    return await answer(database, workspace.id, number)


@post(
    "/api/v1/proposals/{number:int}/merge", needs=Need.SAVE, name="api:merge",
    include_in_schema=True, operation_id="merge", summary="Merge, and release",
    tags=["proposals"], status_code=200,
    operation_class=described(given.ProposalOut, body=given.MergeBody, errors=WRITES),
)  # fmt: skip
async def merge(
    request: Ask, body: RawBody, actor: Who, workspace: Place, database: Data, number: Number
) -> Response[bytes]:
    """The rules are asked at that moment; 403 says what is missing."""
    asked = decode(body, given.MergeBody)
    await checks.refresh(database, workspace, number)
    await proposals.merge(
        publisher_of(request), workspace, number, actor=actor, digest=asked.digest,
        release=asked.release, reason=asked.reason, broke_glass=asked.break_glass,
        despite=asked.despite_programs,
        request_id=request_id(request),
    )  # fmt: skip
    return await answer(database, workspace.id, number)


def _closing(deed: str, summary: str) -> dict[str, Any]:
    """What the three ways of opening and closing have in common."""
    return {
        "path": f"/api/v1/proposals/{{number:int}}/{deed}", "needs": Need.PROPOSE,
        "name": f"api:{deed}", "include_in_schema": True, "operation_id": f"{deed}Proposal",
        "summary": summary, "tags": ["proposals"], "status_code": 200,
        "operation_class": described(given.ProposalOut, body=given.CloseBody, errors=WRITES),
    }  # fmt: skip


@post(**_closing("decline", "Decline a proposal"))
async def decline(
    request: Ask, body: RawBody, actor: Who, workspace: Place, database: Data, number: Number
) -> Response[bytes]:
    """Takes a reason; it can be reopened."""
    reason = decode(body, given.CloseBody).reason
    publisher = publisher_of(request)
    await proposals.decline(publisher, workspace, number, actor=actor, reason=reason)
    return await answer(database, workspace.id, number)


@post(**_closing("withdraw", "Withdraw a proposal"))
async def withdraw(
    request: Ask, body: RawBody, actor: Who, workspace: Place, database: Data, number: Number
) -> Response[bytes]:
    """For its authors; it can be reopened."""
    reason = decode(body, given.CloseBody).reason
    publisher = publisher_of(request)
    await proposals.withdraw(publisher, workspace, number, actor=actor, reason=reason)
    return await answer(database, workspace.id, number)


@post(**_closing("reopen", "Reopen a proposal"))
async def reopen(
    request: Ask, body: RawBody, actor: Who, workspace: Place, database: Data, number: Number
) -> Response[bytes]:
    """With its reviews as they were; not of a merged one."""
    decode(body, given.CloseBody)
    await proposals.reopen(publisher_of(request), workspace, number, actor=actor)
    return await answer(database, workspace.id, number)


@post(
    "/api/v1/proposals/{number:int}/comments", needs=Need.READ, name="api:comment",
    include_in_schema=True, operation_id="comment", summary="Say something", tags=["proposals"],
    operation_class=described(given.CommentMade, body=given.CommentBody, status=201, errors=WRITES),
)  # fmt: skip
async def comment(
    body: RawBody, actor: Who, workspace: Place, database: Data, number: Number
) -> Response[bytes]:
    """On the whole, or on words of a text; people alone."""
    asked = decode(body, given.CommentBody)
    async with database.write() as db:
        made = await comments.add(
            db, workspace.id, number, actor=actor, body=asked.body, parent_id=asked.parent,
            on=await comment_of(db, workspace.id, number, asked),
        )  # fmt: skip
    return Response(
        msgspec.json.encode(given.CommentMade(made)), status_code=201, media_type="application/json"
    )


@post(
    "/api/v1/proposals/{number:int}/checks", needs=Need.CHECK, name="api:check",
    include_in_schema=True, operation_id="postCheck", summary="Post a check", tags=["proposals"],
    status_code=200,
    operation_class=described(given.ProposalOut, body=given.CheckBody, errors=WRITES),
)  # fmt: skip
async def post_check(
    body: RawBody, actor: Who, workspace: Place, database: Data, number: Number
) -> Response[bytes]:
    """A machine's verdict on one digest, by a key for checks; the latest counts."""
    asked = decode(body, given.CheckBody)
    posted = checks.Posted(
        name=asked.name, state=asked.state, summary=asked.summary, link=asked.link
    )
    await checks.post(database, workspace, number, posted, digest=asked.digest, actor=actor)
    return await answer(database, workspace.id, number)


ROUTES = [review, dismiss, merge, decline, withdraw, reopen, comment, post_check]

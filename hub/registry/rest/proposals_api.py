"""Proposals over REST: offered and read. The key says which workspace.

An app's key may propose; what is decided about a proposal is in `reviewing_api`.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter, RawBody

from hub.db import Database
from hub.people.policy import Need
from hub.registry.rest import proposal_bodies as given
from hub.registry.rest.api import Db, Place, Who
from hub.registry.rest.api_parts import Ask, as_json, publisher_of, request_id
from hub.registry.rest.api_schema import WRITES, described
from hub.registry.rest.bodies import decode
from hub.registry.rest.diff_bodies import ProposalDiff, item_diff
from hub.registry.rest.proposal_parts import answer, line, members_of, wanted_of
from hub.registry.review import checks, proposals, record
from hub.registry.review.propose import Made

Data = NamedDependency[Database]
Number = FromPath[int]


@get(
    "/api/v1/proposals", needs=Need.READ, name="api:proposals", include_in_schema=True,
    operation_id="listProposals", summary="List proposals", tags=["proposals"],
    operation_class=described(given.ProposalList),
)  # fmt: skip
async def list_proposals(
    db: Db,
    workspace: Place,
    which: Annotated[
        str,
        QueryParameter(
            name="state", description="open, approved, merged, declined, withdrawn, all."
        ),
    ] = "open",
    q: Annotated[str, QueryParameter(description="Words in titles and names.")] = "",
    cursor: Annotated[str, QueryParameter(description="`next` of the page before.")] = "",
    limit: Annotated[int, QueryParameter(description="1 to 200.")] = 50,
) -> Response[bytes]:
    """What changed last comes first."""
    found = await record.listed(
        db, workspace.id, state=which, q=q, limit=limit, cursor=cursor or None
    )
    lines = [given.ProposalLineOut(**line(one)) for one in found.items]
    return as_json(given.ProposalList(lines, found.next, found.total))


@post(
    "/api/v1/proposals", needs=Need.PROPOSE, name="api:propose", include_in_schema=True,
    operation_id="propose", summary="Propose a change", tags=["proposals"],
    operation_class=described(
        given.MadeOut, body=given.ProposeBody, status=201, errors=WRITES, said="It is offered."
    ),
)  # fmt: skip
async def propose(
    request: Ask, body: RawBody, actor: Who, workspace: Place, database: Data
) -> Response[bytes]:
    """One prompt or several together; an `Idempotency-Key` makes it safe to send again."""
    asked = decode(body, given.ProposeBody)
    made = await proposals.propose(
        publisher_of(request), database, workspace, actor=actor, title=asked.title, why=asked.why,
        items=await wanted_of(asked.items, len(body)), target=asked.target,
        reviewers=await members_of(database, workspace, asked.reviewers),
        request_id=request_id(request),
    )  # fmt: skip
    await checks.refresh(database, workspace, made.number)
    return _made(request, workspace.slug, made)


@get(
    "/api/v1/proposals/{number:int}", needs=Need.READ, name="api:proposal",
    include_in_schema=True, operation_id="getProposal", summary="Get a proposal",
    tags=["proposals"], operation_class=described(given.ProposalOut),
)  # fmt: skip
async def get_proposal(database: Data, workspace: Place, number: Number) -> Response[bytes]:
    """With its texts, people's words and checks; `digest` is what an approval names."""
    await checks.refresh(database, workspace, number)
    return await answer(database, workspace.id, number)


@get(
    "/api/v1/proposals/{number:int}/diff", needs=Need.READ, name="api:proposal-diff",
    include_in_schema=True, operation_id="diffProposal", summary="What a proposal changes",
    tags=["proposals"], operation_class=described(ProposalDiff),
)  # fmt: skip
async def diff_proposal(
    db: Db, workspace: Place, number: Number,
    old: Annotated[
        int | None, QueryParameter(name="from", ge=1, description="A revision; none: the base.")
    ] = None,
    new: Annotated[
        int | None, QueryParameter(name="to", ge=1, description="A revision; none: the latest.")
    ] = None,
) -> Response[bytes]:  # fmt: skip
    """Prompt by prompt, message by message; hidden characters are listed."""
    view = await record.get(db, workspace.id, number)
    after = await record.items_of(db, workspace.id, number, new or view.revision)
    before = await record.items_of(db, workspace.id, number, old) if old else []
    texts = {one.prompt_id: one.new for one in before}
    items = [
        item_diff(
            one.kind, one.name, one.new_name, texts.get(one.prompt_id) if old else one.old, one.new
        )
        for one in after
    ]
    return as_json(ProposalDiff(number=number, old=old, new=new or view.revision, items=items))


@post(
    "/api/v1/proposals/{number:int}/revisions", needs=Need.PROPOSE, name="api:revise",
    include_in_schema=True, operation_id="revise", summary="Make another revision",
    tags=["proposals"],
    operation_class=described(
        given.MadeOut, body=given.ReviseBody, status=201, errors=WRITES, said="It is offered."
    ),
)  # fmt: skip
async def revise(
    request: Ask, body: RawBody, actor: Who, workspace: Place, database: Data, number: Number
) -> Response[bytes]:
    """Approvals of the revision before do not count for it."""
    asked = decode(body, given.ReviseBody)
    made = await proposals.revise(
        publisher_of(request), database, workspace, number, actor=actor,
        items=await wanted_of(asked.items, len(body)), message=asked.message,
        expected_revision=asked.expected_revision, title=asked.title, why=asked.why,
        target=asked.target, request_id=request_id(request),
    )  # fmt: skip
    await checks.refresh(database, workspace, number)
    return _made(request, workspace.slug, made)


def _made(request: Ask, slug: str, made: Made) -> Response[bytes]:
    url = f"{request.app.state.settings.url}/{slug}/proposals/{made.number}"
    body = given.MadeOut(
        number=made.number, revision=made.revision, digest=made.digest, created=made.created,
        url=url,
    )  # fmt: skip
    headers = {"Location": f"/api/v1/proposals/{made.number}"}
    return Response(
        msgspec.json.encode(body), status_code=201 if made.created else 200, headers=headers,
        media_type="application/json",
    )  # fmt: skip


ROUTES = [list_proposals, propose, get_proposal, diff_proposal, revise]

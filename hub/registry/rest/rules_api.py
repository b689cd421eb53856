"""The rules of review over REST: read by whoever may read, changed with an administrator's own key.

A change is the one that the page makes: recorded, and waiting for other administrators where the
rules in force ask for that.
"""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Response, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, QueryParameter, RawBody
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.people import policy_changes, policy_history, rule_edits, rules_store
from hub.people.policy import Need
from hub.people.rules import Kind, Owners, Policy, Rule
from hub.registry.rest import policy_bodies as given
from hub.registry.rest.api import Db, Place, Who
from hub.registry.rest.api_parts import as_json
from hub.registry.rest.api_schema import WRITES, described
from hub.registry.rest.bodies import decode

Data = NamedDependency[Database]
RULES = "/api/v1/policy/rules"
OWNERS = "/api/v1/policy/owners"
CHANGE = "/api/v1/policy/changes/{change:int}"


def _edit(name: str, summary: str, body: Any = None) -> dict[str, Any]:
    """What routes that change rules have in common."""
    return {
        "needs": Need.ADMIN, "name": f"api:{name}", "include_in_schema": True,
        "operation_id": name, "summary": summary, "tags": given.RULES_TAG, "status_code": 200,
        "operation_class": described(given.ChangeMade, body=body, errors=WRITES),
    }  # fmt: skip


@get(
    "/api/v1/policy", needs=Need.READ, name="api:policy", include_in_schema=True,
    operation_id="getPolicy", summary="The rules of review", tags=given.RULES_TAG,
    operation_class=described(given.PolicyOut),
)  # fmt: skip
async def get_policy(db: Db, workspace: Place) -> Response[bytes]:
    """In sentences, and as they are kept."""
    return as_json(given.policy_out(await rules_store.read(db, workspace.id)))


@put("/api/v1/policy", **_edit("setPolicy", "Change the rules", given.PolicyBody))
async def set_policy(
    body: RawBody, actor: Who, workspace: Place, database: Data
) -> Response[bytes]:
    """All of them; where the rules are guarded, it waits for other administrators."""
    asked = decode(body, given.PolicyBody)
    given.check_many(asked)
    async with database.write() as db:
        policy = await _policy(db, workspace.id, asked)
        made = await policy_changes.propose(
            db, workspace.id, policy, base_id=asked.base, why=asked.why, actor=actor
        )
    return as_json(given.made_out(made))


@post(RULES, **_edit("addRule", "Add a rule", given.RuleEdited))
async def add_rule(body: RawBody, actor: Who, workspace: Place, database: Data) -> Response[bytes]:
    """409 if there is one about the same kind, folder and label."""
    asked = decode(body, given.RuleEdited)
    async with database.write() as db:
        rule = await _rule(db, workspace.id, asked.rule)
        made = await rule_edits.add(db, workspace.id, rule, why=asked.why, actor=actor)
    return as_json(given.made_out(made))


@put(RULES, **_edit("changeRule", "Change a rule", given.RuleEdited))
async def change_rule(
    body: RawBody, actor: Who, workspace: Place, database: Data
) -> Response[bytes]:
    """The one about the same kind, folder and label; 404 if there is none."""
    asked = decode(body, given.RuleEdited)
    async with database.write() as db:
        rule = await _rule(db, workspace.id, asked.rule)
        made = await rule_edits.change(db, workspace.id, rule, why=asked.why, actor=actor)
    return as_json(given.made_out(made))


@delete(RULES, **_edit("removeRule", "Take a rule out"))
async def remove_rule(
    actor: Who, workspace: Place, database: Data,
    kind: Annotated[Kind, QueryParameter(description="`change` or `release`.")],
    folder: Annotated[str, QueryParameter(description="Its folder; empty: everywhere.")] = "",
    label: Annotated[str, QueryParameter(description="Its label; empty: any.")] = "",
    why: FromQuery[str] = "",
) -> Response[bytes]:  # fmt: skip
    """The one about that kind, folder and label."""
    place = (kind, folder.strip("/"), label)
    async with database.write() as db:
        made = await rule_edits.remove(db, workspace.id, place, why=why, actor=actor)
    return as_json(given.made_out(made))


@put(OWNERS, **_edit("setOwners", "Say who owns a folder", given.OwnersEdited))
async def set_owners(
    body: RawBody, actor: Who, workspace: Place, database: Data
) -> Response[bytes]:
    """In place of whoever owned it."""
    asked = decode(body, given.OwnersEdited)
    async with database.write() as db:
        owners = await _owners(db, workspace.id, asked)
        made = await rule_edits.own(db, workspace.id, owners, why=asked.why, actor=actor)
    return as_json(given.made_out(made))


@delete(OWNERS, **_edit("removeOwners", "A folder without owners"))
async def remove_owners(
    actor: Who, workspace: Place, database: Data,
    folder: Annotated[str, QueryParameter(description="The folder; empty: everywhere.")] = "",
    why: FromQuery[str] = "",
) -> Response[bytes]:  # fmt: skip
    """Those of a folder above it count then; 404 if it has none of its own."""
    async with database.write() as db:
        made = await rule_edits.disown(db, workspace.id, folder.strip("/"), why=why, actor=actor)
    return as_json(given.made_out(made))


@get(
    "/api/v1/policy/changes", needs=Need.READ, name="api:changes", include_in_schema=True,
    operation_id="listPolicyChanges", summary="Changes of the rules", tags=given.RULES_TAG,
    operation_class=described(given.ChangeList),
)  # fmt: skip
async def list_changes(db: Db, workspace: Place) -> Response[bytes]:
    """Those that wait, those in force, and what was before."""
    loaded = await rules_store.read(db, workspace.id)
    found = await policy_history.lines(db, workspace.id, loaded)
    return as_json(given.ChangeList([given.change_out(one) for one in found]))


@post(f"{CHANGE}/approve", **_edit("approveRules", "Agree to a change", given.Nothing))
async def approve(
    body: RawBody, actor: Who, workspace: Place, database: Data, change: FromPath[int]
) -> Response[bytes]:
    """Of the rules that somebody else proposed; with the last approval needed it is in force."""
    decode(body or b"{}", given.Nothing)
    async with database.write() as db:
        made = await policy_changes.approve(db, workspace.id, change, actor=actor)
    return as_json(given.made_out(made))


@post(f"{CHANGE}/decline", **_edit("declineRules", "Put a change away", given.Nothing))
async def decline(
    body: RawBody, actor: Who, workspace: Place, database: Data, change: FromPath[int]
) -> Response[bytes]:
    """Any administrator may, whoever proposed it too; the rules stay as they are."""
    decode(body or b"{}", given.Nothing)
    async with database.write() as db:
        await policy_changes.decline(db, workspace.id, change, actor=actor)
    return as_json(given.ChangeMade(accepted=False, waits_for=0, change=change))


async def _policy(db: AsyncSession, workspace_id: int, asked: given.PolicyBody) -> Policy:
    rules = [await _rule(db, workspace_id, one) for one in asked.rules]
    if asked.owners is None:  # `base` says that they are those of the rules that were looked at
        owners = (await rules_store.read(db, workspace_id)).policy.owners
    else:
        owners = [await _owners(db, workspace_id, one) for one in asked.owners]
    return given.policy_of(rules, owners, asked.change_needs)


async def _owners(db: AsyncSession, workspace_id: int, body: given.OwnersBody) -> Owners:
    return given.owners_of(body, await rule_edits.whom(db, workspace_id, body.who))


async def _rule(db: AsyncSession, workspace_id: int, body: given.RuleBody) -> Rule:
    who = await rule_edits.whom(db, workspace_id, body.who)
    return given.rule_of(body, who, await rule_edits.whom(db, workspace_id, body.may_release))


ROUTES = [
    get_policy, set_policy, add_rule, change_rule, remove_rule, set_owners, remove_owners,
    list_changes, approve, decline,
]  # fmt: skip

"""People of a workspace and their groups, over REST: what the pages of the settings do, with an
administrator's own key for administering."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, RawBody
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.errors import Forbidden, Invalid
from hub.people import (
    accounts,
    appointing,
    groups,
    policy_changes,
    rule_edits,
    rules_store,
    workspaces,
)
from hub.people.policy import Actor, Need
from hub.people.rules import GroupEdit
from hub.registry.rest import policy_bodies as given
from hub.registry.rest.api import Db, Place, Who
from hub.registry.rest.api_parts import Ask, as_json
from hub.registry.rest.api_schema import WRITES, described
from hub.registry.rest.bodies import decode

Data = NamedDependency[Database]
PERSON, GROUP = "/api/v1/people/{account:int}", "/api/v1/groups/{group:int}"
READS = (400, 401, 403, 404, 422)


def _deed(name: str, summary: str, answer: Any, body: Any = None, status: int = 200) -> Any:
    """What routes that change people and groups have in common."""
    return {
        "needs": Need.ADMIN, "name": f"api:{name}", "include_in_schema": True,
        "operation_id": name, "summary": summary, "tags": given.PEOPLE_TAG, "status_code": status,
        "operation_class": described(answer, body=body, status=status, errors=WRITES),
    }  # fmt: skip


@get(
    "/api/v1/people", needs=Need.READ, name="api:people", include_in_schema=True,
    operation_id="listPeople", summary="Who belongs to the workspace", tags=given.PEOPLE_TAG,
    operation_class=described(given.PeopleList, errors=READS),
)  # fmt: skip
async def list_people(db: Db, actor: Who, workspace: Place) -> Response[bytes]:
    """For people's own keys: an app has no business with addresses."""
    _for_people(actor)
    found = await workspaces.people(db, workspace.id)
    return as_json(given.PeopleList([given.person_out(one) for one in found]))


@post("/api/v1/people", **_deed("invite", "Make somebody a member", given.Invited,
                                given.InviteBody, 201))  # fmt: skip
async def invite(
    request: Ask, body: RawBody, actor: Who, workspace: Place, database: Data
) -> Response[bytes]:
    """Whoever has no account gets one, and a link that signs them in once."""
    asked = decode(body, given.InviteBody)
    async with database.write() as db:
        one = await appointing.invite(
            db, workspace, asked.email, asked.name, asked.role, actor=actor
        )
        person = await _person(db, workspace.id, one.account.id)
    made = given.made_out(one.made)
    told = given.Invited(person=person, link=_link(request, one.token), made=made)
    return _fresh(told, status=201)


@put(f"{PERSON}/role", **_deed("setRole", "Change a role", given.ChangeMade, given.RoleBody))
async def set_role(
    body: RawBody, actor: Who, workspace: Place, database: Data, account: FromPath[int]
) -> Response[bytes]:
    """Where the rules are guarded, more of a word waits for another administrator."""
    asked = decode(body, given.RoleBody)
    if account == actor.account_id and not asked.sure:
        raise Invalid("That is your own role. Send `sure` as well, if you mean it.")
    async with database.write() as db:
        _, made = await appointing.change_role(db, workspace.id, account, asked.role, actor=actor)
    return as_json(given.made_out(made))


@delete(PERSON, **_deed("removePerson", "Take a member out", None, status=204))
async def remove(actor: Who, workspace: Place, database: Data, account: FromPath[int]) -> None:
    """What they saved stays; their keys end."""
    async with database.write() as db:
        await workspaces.remove(db, workspace.id, account, actor=actor)


@post(f"{PERSON}/back", **_deed("putBack", "Undo a removal", given.PersonOut, given.Nothing))
async def put_back(
    body: RawBody, actor: Who, workspace: Place, database: Data, account: FromPath[int]
) -> Response[bytes]:
    """With the same role."""
    decode(body or b"{}", given.Nothing)
    async with database.write() as db:
        await workspaces.put_back(db, workspace.id, account, actor=actor)
        person = await _person(db, workspace.id, account)
    return as_json(person)


@post(f"{PERSON}/link", **_deed("makeLink", "Make a link to sign in", given.LinkOut,
                                given.Nothing))  # fmt: skip
async def make_link(
    request: Ask, body: RawBody, actor: Who, workspace: Place, database: Data,
    account: FromPath[int],
) -> Response[bytes]:  # fmt: skip
    """It signs a member in once. Not for whoever's word counts where the rules are guarded, nor for
    members of workspaces that this key is not for."""
    decode(body or b"{}", given.Nothing)
    async with database.write() as db:
        token = await appointing.link(db, workspace.id, account, actor=actor)
    return _fresh(given.LinkOut(link=_link(request, token) or ""))


@get(
    "/api/v1/groups", needs=Need.READ, name="api:groups", include_in_schema=True,
    operation_id="listGroups", summary="Groups that rules can name", tags=given.PEOPLE_TAG,
    operation_class=described(given.GroupList, errors=READS),
)  # fmt: skip
async def list_groups(db: Db, actor: Who, workspace: Place) -> Response[bytes]:
    """With who is in them; for people's own keys."""
    _for_people(actor)
    named = (await rules_store.read(db, workspace.id)).policy.named("group")
    found = await groups.listed(db, workspace.id)
    return as_json(given.GroupList([given.group_out(one, named) for one in found]))


@post("/api/v1/groups", **_deed("makeGroup", "Make a group", given.GroupOut, given.NewGroup, 201))
async def make_group(
    body: RawBody, actor: Who, workspace: Place, database: Data
) -> Response[bytes]:
    """No rule names it yet, so it needs nobody's approval."""
    asked = decode(body, given.NewGroup)
    async with database.write() as db:
        inside = await rule_edits.members(db, workspace.id, asked.members)
        made = await policy_changes.make_group(db, workspace.id, asked.name, inside, actor=actor)
        found = {one.id: one for one in await groups.listed(db, workspace.id)}
    return _fresh(given.group_out(found[made.id], frozenset()), status=201)


@put(GROUP, **_deed("changeGroup", "Change a group", given.ChangeMade, given.GroupBody))
async def change_group(
    body: RawBody, actor: Who, workspace: Place, database: Data, group: FromPath[int]
) -> Response[bytes]:
    """Where the rules are guarded and name it, that waits for another administrator."""
    asked = decode(body, given.GroupBody)
    async with database.write() as db:
        edit = GroupEdit(
            group_id=group, name=asked.name,
            add=await rule_edits.members(db, workspace.id, asked.add),
            remove=await rule_edits.members(db, workspace.id, asked.remove),
        )  # fmt: skip
        made = await policy_changes.edit_group(db, workspace.id, edit, actor=actor, why=asked.why)
    return as_json(given.made_out(made))


@delete(GROUP, **_deed("deleteGroup", "Delete a group", None, status=204))
async def delete_group(actor: Who, workspace: Place, database: Data, group: FromPath[int]) -> None:
    """409 while a rule names it, in force or waiting."""
    async with database.write() as db:
        await policy_changes.delete_group(db, workspace.id, group, actor=actor)


def _for_people(actor: Actor) -> None:
    if actor.kind == "key":
        raise Forbidden(
            "An app's key does not read who belongs here. Use a key of your own, from your account "
            "page."
        )


async def _person(db: AsyncSession, workspace_id: int, account_id: int) -> given.PersonOut:
    await db.flush()
    found = await workspaces.people(db, workspace_id)
    return next(given.person_out(one) for one in found if one.account_id == account_id)


def _link(request: Request[Any, Any, Any], token: str | None) -> str | None:
    return accounts.link_at(request.app.state.settings.url, token) if token else None


def _fresh(value: Any, *, status: int = 200) -> Response[bytes]:
    """An answer that nobody may keep: links are in it."""
    answer = as_json(value)
    answer.status_code = status
    answer.headers["Cache-Control"] = "no-store"
    return answer


ROUTES = [
    list_people, invite, set_role, remove, put_back, make_link, list_groups, make_group,
    change_group, delete_group,
]  # fmt: skip

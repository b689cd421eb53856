"""Personal keys: a person's own door, with the rights they have at that moment."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import select

from hub.errors import Conflict, Forbidden, NotFound
from hub.front import Front
from hub.people import accounts, keys, own_keys, workspaces
from hub.people.accounts import OPERATOR
from hub.people.models import Account, ApiKey, AuditEntry
from hub.people.policy import MAY, Actor, Need
from tests.cast import Browser, Cast

KEYS = "/account/keys"
TOKEN = re.compile(r"ph_[a-z2-7]{10}_[a-z2-7]{32}[0-9a-f]{8}")


async def make(browser: Browser, name: str = "laptop", **more: str) -> str:
    form = {"name": name, "workspace": "clinic", "scope": "write"} | more
    answer = await browser.post_form(KEYS, form)
    assert answer.status_code == 200, answer.text
    found = TOKEN.search(answer.text)
    assert found
    return found[0]


async def actor_of(hub: Front, token: str) -> Actor | None:
    grant = await hub.state.key_table.find(token)
    return grant.actor if grant else None


def headers(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_a_personal_key_acts_as_its_owner(hub: Front, ana: Browser, cast: Cast) -> None:
    actor = await actor_of(hub, await make(ana))
    assert actor == Actor(
        kind="person", name="Ana Oliveira", email="ana@example.org", role="editor",
        account_id=cast.account_ids["ana"], workspace_id=cast.workspace.id,
        key_id=actor.key_id if actor else "",
    )  # fmt: skip
    page = await ana.get(KEYS)
    assert "laptop – Ana Oliveira" in page.text
    assert not TOKEN.search(page.text), "shown once"


async def test_its_scope_can_narrow_it_to_reading(
    hub: Front, maria: Browser, client: Browser
) -> None:
    token = await make(maria, scope="read")
    actor = await actor_of(hub, token)
    assert actor
    assert MAY[actor.role] == MAY["key:read"]
    assert (await client.get("/api/v1/prompts", headers=headers(token))).status_code == 200
    refused = await client.put(
        "/api/v1/labels/production/a", json={"version": 1}, headers=headers(token)
    )
    assert refused.status_code == 403
    assert "may only read" in refused.text


async def test_the_role_is_that_of_the_moment(hub: Front, ben: Browser, cast: Cast) -> None:
    token, number = await make(ben), cast.account_ids["ben"]
    for role in ("viewer", "reviewer", "editor"):
        async with hub.state.database.write() as db:
            await workspaces.change_role(db, cast.workspace.id, number, role, actor=OPERATOR)
        actor = await actor_of(hub, token)
        assert actor
        assert actor.role == role
        assert hub.state.key_table.peek(token) is None, "no quick way with an old role"
    async with hub.state.database.write() as db:
        await workspaces.remove(db, cast.workspace.id, number, actor=OPERATOR)
    assert await actor_of(hub, token) is None
    async with hub.state.database.write() as db:
        await workspaces.put_back(db, cast.workspace.id, number, actor=OPERATOR)
        (await db.get_one(Account, number)).disabled_at = accounts.now()
    assert await actor_of(hub, token) is None


async def test_administering_takes_a_scope_of_its_own(
    hub: Front, maria: Browser, cast: Cast
) -> None:
    doing = await make(maria, "doing")
    token = await make(maria, "deciding", scope="admin")
    found = [await actor_of(hub, one) for one in (doing, token)]
    assert [one and one.role for one in found] == ["key:own", "admin"]
    assert MAY["admin"] - MAY["key:own"] == {Need.ADMIN}
    async with hub.state.database.write() as db:
        for who, role in (("ben", "admin"), ("maria", "viewer")):
            id = cast.account_ids[who]
            await workspaces.change_role(db, cast.workspace.id, id, role, actor=OPERATOR)
    found = [await actor_of(hub, one) for one in (doing, token)]
    assert [one and one.role for one in found] == ["viewer", "viewer"]
    page = await maria.get(KEYS)
    assert "acts as you, also as an administrator" in page.text


async def test_who_administers_nothing_makes_no_such_key(
    ana: Browser, ben: Browser, maria: Browser
) -> None:
    for browser in (ana, ben):
        form = {"name": "x", "workspace": "clinic", "scope": "admin"}
        refused = await browser.post_form(KEYS, form)
        assert refused.status_code == 422
        assert "Only an administrator" in refused.text
    app = await maria.post_form("/clinic/settings/keys", {"name": "x", "scope": "admin"})
    assert app.status_code == 422
    assert "An app does not administer" in app.text


async def test_a_viewer_s_key_saves_nothing(
    hub: Front, carla: Browser, ana: Browser, client: Browser
) -> None:
    name = "letters"
    document: dict[str, Any] = {"messages": [{"role": "user", "content": "Hello"}]}
    for browser, expected in ((carla, 403), (ana, 201)):
        answer = await client.post(
            f"/api/v1/versions/{name}", json={"document": document, "message": "First"},
            headers=headers(await make(browser)),
        )  # fmt: skip
        assert answer.status_code == expected, answer.text


async def test_only_oneself_and_the_operator_make_personal_keys(hub: Front, cast: Cast) -> None:
    maria = Actor(
        kind="person", name="Maria", email="maria@example.org", role="admin",
        account_id=cast.account_ids["maria"], workspace_id=cast.workspace.id,
    )  # fmt: skip

    async def made(who: str, actor: Actor) -> keys.NewKey:
        async with hub.state.database.write() as db:
            account = await db.get_one(Account, cast.account_ids[who])
            return await own_keys.create(
                db, cast.workspace, "k", "write", account=account, actor=actor
            )

    with pytest.raises(Forbidden):
        await made("ben", maria)
    with pytest.raises(Forbidden):  # a key makes no keys
        await made("maria", Actor(**{**_plain(maria), "key_id": "abc"}))
    with pytest.raises(NotFound):
        await made("mallory", OPERATOR)
    assert (await made("ben", OPERATOR)).name == "k – Ben Carter"
    with pytest.raises(Conflict):
        await made("ben", OPERATOR)


def _plain(actor: Actor) -> dict[str, Any]:
    return {name: getattr(actor, name) for name in actor.__struct_fields__}


async def test_strangers_and_wrong_forms_are_refused(
    ana: Browser, mallory: Browser, client: Browser
) -> None:
    assert (await mallory.post_form(KEYS, {"name": "x", "workspace": "clinic"})).status_code == 404
    for wrong in ({"name": ""}, {"name": "x" * 41}, {"name": "x", "scope": "admin"}):
        answer = await ana.post_form(KEYS, {"workspace": "clinic"} | wrong)
        assert answer.status_code == 422
    assert (await client.get(KEYS)).status_code in (303, 401)


async def test_one_s_own_key_is_revoked_at_once_and_nobody_else_s(
    hub: Front, ana: Browser, ben: Browser, maria: Browser
) -> None:
    token = await make(ana)
    number = keys.id_of(token)
    assert (await ben.post_form(f"{KEYS}/{number}/revoke")).status_code == 404
    assert await actor_of(hub, token)
    assert (await ana.post_form(f"{KEYS}/{number}/revoke")).status_code == 303
    assert await actor_of(hub, token) is None
    again = await make(ana)
    assert "Personal: acts as its owner" in (await maria.get("/clinic/settings/keys")).text
    await maria.post_form(f"/clinic/settings/keys/{keys.id_of(again)}/revoke")
    assert await actor_of(hub, again) is None


async def test_who_made_a_key_is_written_down(hub: Front, ana: Browser, cast: Cast) -> None:
    await make(ana)
    async with hub.state.database.read() as db:
        rows = {row.name: row for row in await db.scalars(select(ApiKey))}
        told = await db.scalars(select(AuditEntry).where(AuditEntry.action == "key.created"))
        last = list(told)[-1]
    ids = cast.account_ids
    assert (rows["writer"].maker_id, rows["writer"].account_id) == (ids["maria"], None)
    mine = rows["laptop – Ana Oliveira"]
    assert (mine.maker_id, mine.account_id) == (ids["ana"], ids["ana"])
    assert (last.actor, last.detail["account"]) == ("ana@example.org", ids["ana"])

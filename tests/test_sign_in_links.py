"""Links that sign in: made by the operator and by administrators, used once."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select, update

from hub.db import now
from hub.front import Front
from hub.people import accounts
from hub.people.models import Account, Member, SignIn, SignInLink
from tests.cast import BASE, Browser, Cast, on_both_engines, title


async def link_for(hub: Front, email: str) -> str:
    async with hub.state.database.write() as db:
        account = await accounts.find(db, email)
        assert account
        return await accounts.make_link(db, account)


# ── links ───────────────────────────────────────────────────────────────────────────────────────


@on_both_engines
async def test_a_link_signs_in_once(hub: Front, cast: Cast, browsers):
    token = await link_for(hub, "carla@example.org")
    previewer, carla, late = browsers(), browsers(), browsers()
    for _ in range(3):  # programs that preview links open them; that uses nothing up
        assert (await previewer.get(f"/sign-in/{token}")).status_code == 200
    form = {"name": "Carla R.", "password": "a sentence of hers"}
    answer = await carla.post_form(f"/sign-in/{token}", form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "Carla R." in (await carla.get("/account")).text
    again = await late.post_form(f"/sign-in/{token}", form)
    assert again.status_code == 404
    assert "was used already or is older than 24 hours" in again.text
    assert (await late.get("/account")).status_code == 303


async def test_a_link_may_be_tried_again_after_a_poor_password(hub: Front, cast: Cast, client):
    token = await link_for(hub, "carla@example.org")
    for poor in ("short", "password123", "x" * 201):
        answer = await client.post_form(f"/sign-in/{token}", {"name": "Carla", "password": poor})
        assert answer.status_code == 422
        assert 'value="Carla"' in answer.text
    good = {"name": "Carla", "password": "a sentence of hers"}
    assert (await client.post_form(f"/sign-in/{token}", good)).status_code == 303


async def test_old_and_invented_links_are_refused_alike(hub: Front, cast: Cast, client: Browser):
    token = await link_for(hub, "carla@example.org")
    async with hub.state.database.write() as db:
        await db.execute(update(SignInLink).values(expires_at=now() - timedelta(seconds=1)))
    old, invented = await client.get(f"/sign-in/{token}"), await client.get("/sign-in/nonsense")
    assert old.status_code == invented.status_code == 404
    assert title(old) == title(invented)


async def test_only_hashes_are_kept(hub: Front, cast: Cast):
    token = await link_for(hub, "carla@example.org")
    async with hub.state.database.read() as db:
        kept = [*await db.scalars(select(SignInLink.token_hash))]
        kept += await db.scalars(select(SignIn.token_hash))
    assert token not in kept
    assert not set(cast.cookies.values()) & set(kept)


async def test_the_first_administrator_comes_by_a_link_and_nobody_by_being_first(
    hub: Front, client: Browser
):
    from hub.people import workspaces

    answer = await client.get("/")
    assert answer.headers["location"].startswith("/sign-in")
    async with hub.state.database.write() as db:
        assert await accounts.first_link(db) is None  # nobody to give it to
        account = await accounts.create(db, "admin@localhost", accounts.FIRST_ADMIN_NAME)
        await workspaces.create(db, "main", "Main", actor=accounts.OPERATOR, account_id=account.id)
        token = await accounts.first_link(db)
    assert 'value="Admin' not in (await client.get(f"/sign-in/{token}")).text  # no stand-in's name
    form = {"name": "Maria", "password": "a sentence of hers"}
    assert (await client.post_form(f"/sign-in/{token}", form)).status_code == 303
    assert (await client.get("/main/settings/keys")).status_code == 200
    async with hub.state.database.write() as db:
        assert await accounts.first_link(db) is None  # never again


# ── links made by administrators ────────────────────────────────────────────────────────────────


async def test_maria_invites_dora_who_comes_in(maria: Browser, browsers):
    form = {"email": "Dora@Example.org", "name": "Dora Lind", "role": "reviewer"}
    page = await maria.post_form("/clinic/settings/people", form)
    assert page.status_code == 200
    link = page.text.split(f"{BASE}/sign-in/")[1].split("<")[0]
    assert f"/sign-in/{link}" not in (await maria.get("/clinic/settings")).text  # shown once
    dora = browsers()
    assert 'value="Dora Lind"' in (await dora.get(f"/sign-in/{link}")).text
    mine = {"name": "Dora Lind", "password": "a sentence of hers"}
    assert (await dora.post_form(f"/sign-in/{link}", mine)).status_code == 303
    assert (await dora.get("/")).headers["location"] == "/clinic"


async def test_mallory_cannot_enter_the_clinic_through_a_link_for_ana(
    hub: Front, mallory: Browser, cast: Cast
):
    """Ana belongs to a workspace that is not Mallory's: no link of his may open her account."""
    answer = await mallory.post_form(
        "/rival/settings/people", {"email": "ana@example.org", "role": "viewer"}
    )
    assert answer.status_code == 200
    assert "/sign-in/" not in answer.text
    ana = cast.account_ids["ana"]
    refused = await mallory.post_form(f"/rival/settings/people/{ana}/link")
    assert refused.status_code == 403
    async with hub.state.database.read() as db:
        assert list(await db.scalars(select(SignInLink))) == []


async def test_mallory_cannot_claim_somebody_the_clinic_invited(
    hub: Front, maria: Browser, mallory: Browser
):
    form = {"email": "dora@example.org", "role": "admin"}
    await maria.post_form("/clinic/settings/people", form)
    answer = await mallory.post_form("/rival/settings/people", form)
    assert answer.status_code == 409
    assert 'value="dora@example.org"' in answer.text
    async with hub.state.database.read() as db:
        query = select(Member.workspace_id).join(Account).where(Account.email == "dora@example.org")
        assert len(list(await db.scalars(query))) == 1

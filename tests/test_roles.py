"""Who belongs to a workspace, as what, and who may change that."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import select

from hub.errors import Conflict
from hub.front import Front
from hub.people import accounts, workspaces
from hub.people.models import AuditEntry, Member, Workspace
from hub.people.policy import MAY, Actor, Need, allows
from tests.cast import BASE, Browser, Cast, on_both_engines, title

PEOPLE = "/clinic/settings/people"


async def role_of(hub: Front, account_id: int, workspace_id: int) -> str | None:
    async with hub.state.database.read() as db:
        member = await db.get(Member, (workspace_id, account_id))
        return member.role if member else None


def test_the_table_of_who_may_what():
    """Written out, so that a change to the policy shows up in review."""
    assert {role: sorted(MAY[role]) for role in MAY if role != "operator"} == {
        "viewer": ["propose", "read", "review"],
        "editor": ["draft", "propose", "read", "review", "save"],
        "reviewer": ["draft", "propose", "read", "release", "review", "save"],
        "admin": ["admin", "draft", "propose", "read", "release", "review", "save"],
        "key:read": ["read"],
        "key:write": ["propose", "read", "release", "save"],
        "key:checks": ["check", "read"],
        "key:run": ["read", "run"],
        "key:own": ["draft", "propose", "read", "release", "review", "save"],
    }


def test_a_role_counts_only_in_its_own_workspace():
    admin = Actor(kind="person", name="M", email="m@x", workspace_id=1, role="admin")
    assert allows(admin, Need.ADMIN, 1)
    assert not any(allows(admin, need, 2) for need in Need)


@on_both_engines
async def test_maria_changes_a_role_and_it_counts_at_once(
    hub: Front, maria: Browser, carla: Browser, cast: Cast
):
    one = cast.account_ids["carla"]
    assert (await carla.get("/clinic/settings/keys")).status_code == 403
    answer = await maria.post_form(f"{PEOPLE}/{one}/role", {"role": "admin"})
    assert answer.headers["location"] == "/clinic/settings"
    assert (await carla.get("/clinic/settings/keys")).status_code == 200
    assert (await maria.post_form(f"{PEOPLE}/{one}/role", {"role": "owner"})).status_code == 422


async def test_maria_is_warned_before_she_changes_her_own_role(
    hub: Front, maria: Browser, cast: Cast
):
    me, ana = cast.account_ids["maria"], cast.account_ids["ana"]
    await maria.post_form(f"{PEOPLE}/{ana}/role", {"role": "admin"})
    page = await maria.post_form(f"{PEOPLE}/{me}/role", {"role": "viewer"})
    assert page.status_code == 422
    assert "You are about to change your own role to viewer" in page.text
    assert await role_of(hub, me, cast.workspace.id) == "admin"
    await maria.post_form(f"{PEOPLE}/{me}/role", {"role": "viewer", "sure": "yes"})
    assert await role_of(hub, me, cast.workspace.id) == "viewer"


async def test_the_last_administrator_stays(hub: Front, maria: Browser, cast: Cast):
    me = cast.account_ids["maria"]
    for url, form in ((f"{PEOPLE}/{me}/remove", {}), (f"{PEOPLE}/{me}/role", {"role": "viewer"})):
        answer = await maria.post_form(url, {**form, "sure": "yes"})
        assert answer.status_code == 409
        assert "last administrator" in answer.text
    assert await role_of(hub, me, cast.workspace.id) == "admin"


@on_both_engines
async def test_two_administrators_cannot_remove_each_other_at_once(hub: Front, cast: Cast):
    maria, ana = cast.account_ids["maria"], cast.account_ids["ana"]
    async with hub.state.database.write() as db:
        by = accounts.OPERATOR
        await workspaces.change_role(db, cast.workspace.id, ana, "admin", actor=by)

    async def remove(one: int) -> None:
        async with hub.state.database.write() as db:
            await workspaces.remove(db, cast.workspace.id, one, actor=accounts.OPERATOR)

    results = await asyncio.gather(remove(maria), remove(ana), return_exceptions=True)
    assert sum(isinstance(one, Conflict) for one in results) == 1


async def test_removing_somebody_can_be_undone(
    hub: Front, maria: Browser, ben: Browser, cast: Cast
):
    one = cast.account_ids["ben"]
    await maria.post_form(f"{PEOPLE}/{one}/remove")
    assert (await ben.get("/clinic/settings")).status_code == 404
    page = await maria.get("/clinic/settings")
    assert f'action="{PEOPLE}/{one}/back"' in page.text  # the flash's Undo
    assert "Undo" not in (await maria.get("/clinic/settings")).text  # once
    await maria.post_form(f"{PEOPLE}/{one}/back")
    assert await role_of(hub, one, cast.workspace.id) == "reviewer"


async def test_nobody_is_put_back_who_was_never_here(hub: Front, maria: Browser, cast: Cast):
    one = cast.account_ids["mallory"]
    assert (await maria.post_form(f"{PEOPLE}/{one}/back")).status_code == 404
    assert (await maria.post_form(f"{PEOPLE}/{one}/role", {"role": "admin"})).status_code == 404


async def test_somebody_is_added_once_and_what_was_typed_is_kept(maria: Browser):
    form = {"email": "ben@example.org", "name": "Benny", "role": "viewer"}
    answer = await maria.post_form(PEOPLE, form)
    assert answer.status_code == 409
    assert 'value="ben@example.org"' in answer.text
    assert 'value="Benny"' in answer.text
    for wrong in ("no address", "a@b@c", "<b>@x", "x" * 300 + "@example.org", ""):
        answer = await maria.post_form(PEOPLE, {**form, "email": wrong})
        assert answer.status_code == 422, wrong


async def test_people_without_rights_see_who_can_grant_them(carla: Browser):
    page = await carla.get("/clinic/settings")
    assert page.status_code == 200
    assert "An administrator of this workspace can add people and change roles: Maria Santos" in (
        page.text
    )
    assert "<select" not in page.text
    refused = await carla.get("/clinic/settings/audit")
    assert (refused.status_code, title(refused)) == (403, "Not yours to do")
    assert "You are a viewer here and cannot change this workspace" in refused.text


# ── workspaces ──────────────────────────────────────────────────────────────────────────────────


async def test_maria_opens_a_workspace_with_a_repository(hub: Front, maria: Browser):
    answer = await maria.post_form("/workspaces", {"name": "Clinical Leads", "slug": ""})
    assert answer.headers["location"] == "/clinical-leads/prompts"
    assert (hub.state.settings.repositories / "clinical-leads.git" / "HEAD").is_file()
    page = await maria.get("/clinical-leads/settings")
    assert page.status_code == 200
    assert 'href="/clinic"' in page.text  # the switcher


@pytest.mark.parametrize("slug", ["api", "Ärzte", "a/b", "-x", "x" * 41, "sign-in", "static", ".."])
async def test_some_addresses_are_refused(hub: Front, maria: Browser, slug: str):
    answer = await maria.post_form("/workspaces", {"name": "Leads", "slug": slug})
    assert answer.status_code == 422
    assert 'value="Leads"' in answer.text
    async with hub.state.database.read() as db:
        assert len(list(await db.scalars(select(Workspace)))) == 2


def test_no_workspace_can_hide_a_page_of_the_hub(hub_routes: set[str]):
    taken = {part for part in hub_routes if workspaces.SLUG.fullmatch(part)}
    assert taken <= workspaces.RESERVED


async def test_only_administrators_open_workspaces(hub: Front, ana: Browser):
    assert "Administrators open workspaces" in (await ana.get("/workspaces/new")).text
    assert (await ana.post_form("/workspaces", {"name": "Mine"})).status_code == 403


async def test_a_workspace_whose_repository_fails_is_not_made(hub: Front, maria: Browser):
    async def full(slug: str) -> None:
        raise OSError(28, "No space left on device")

    hub.state.make_repository = full
    answer = await maria.post_form("/workspaces", {"name": "Leads"})
    assert answer.status_code == 507
    async with hub.state.database.read() as db:
        assert await workspaces.find(db, "leads") is None


# ── the rest of the settings ────────────────────────────────────────────────────────────────────


async def test_every_settings_page_opens(maria: Browser, cast: Cast):
    for path in ("", "/keys", "/labels", "/about", "/audit"):
        page = await maria.get(f"/clinic/settings{path}")
        assert (page.status_code, title(page)) == (200, "Settings"), path
    about = (await maria.get("/clinic/settings/about")).text
    assert f"git clone {BASE}/clinic.git" in about


async def test_what_was_done_is_on_record(hub: Front, maria: Browser, cast: Cast):
    await maria.post_form(PEOPLE, {"email": "dora@example.org", "role": "viewer"})
    await maria.post_form("/clinic/settings/keys", {"name": "<b>ci</b>", "scope": "read"})
    page = (await maria.get("/clinic/settings/audit")).text
    assert "<strong>Maria Santos</strong> added <strong>dora</strong>" in page  # by name,
    assert "dora@example.org" in page  # and whose name that is
    assert "made the key <strong>&lt;b&gt;ci&lt;/b&gt;</strong>" in page
    assert "rival" not in page


async def test_the_audit_log_goes_back_page_by_page(hub: Front, maria: Browser, cast: Cast):
    async with hub.state.database.write() as db:
        from hub.people import audit

        for number in range(150):
            audit.record(db, accounts.OPERATOR, "test", f"deed {number}", cast.workspace.id)
    page = (await maria.get("/clinic/settings/audit")).text
    assert "deed 149<" in page
    assert "deed 50<" in page
    assert "deed 49<" not in page
    async with hub.state.database.read() as db:
        middle = await db.scalar(select(AuditEntry.id).where(AuditEntry.subject == "deed 50"))
    older = (await maria.get(f"/clinic/settings/audit?before={middle}")).text
    assert "deed 49<" in older


@pytest.fixture
async def hub_routes(hub: Front) -> set[str]:
    """The first part of every address that the hub itself answers."""
    return {route.path.split("/")[1] for route in hub.litestar.routes} | {"static"} - {""}

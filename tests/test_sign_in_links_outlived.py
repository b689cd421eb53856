"""A link that signs in is worth no more than whoever made it could do at the moment of its use."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from hub.front import Front
from hub.people import own_keys, policy_changes, workspaces
from hub.people.accounts import OPERATOR
from hub.people.models import Account
from hub.people.policy import Actor
from hub.people.rules import Policy
from tests.cast import BASE, Browser, Cast

FORM = {"name": "Ana", "password": "a sentence of hers"}


async def link_for_ana(maria: Browser, cast: Cast) -> str:
    ana = cast.account_ids["ana"]
    page = await maria.post_form(f"/clinic/settings/people/{ana}/link")
    return page.text.split(f"{BASE}/sign-in/")[1].split("<")[0]


async def ana_joins_the_rival(hub: Front, cast: Cast, mallory: Browser) -> None:
    form = {"email": "ana@example.org", "role": "editor"}
    assert (await mallory.post_form("/rival/settings/people", form)).status_code == 200


async def maria_administers_no_more(hub: Front, cast: Cast, mallory: Browser) -> None:
    await _role(hub, cast, "ben", "admin")
    await _role(hub, cast, "maria", "reviewer")


async def anas_word_counts(hub: Front, cast: Cast, mallory: Browser) -> None:
    await _role(hub, cast, "ben", "admin")
    async with hub.state.database.write() as db:
        by = Actor(
            kind="person", name="Ben", email="ben@example.org", role="admin",
            account_id=cast.account_ids["ben"], workspace_id=cast.workspace.id,
        )  # fmt: skip
        rules = Policy(change_needs=1)
        await policy_changes.propose(
            db, cast.workspace.id, rules, base_id=None, why="", actor=by
        )  # fmt: skip
    await _role(hub, cast, "ana", "reviewer")


async def ana_is_removed(hub: Front, cast: Cast, mallory: Browser) -> None:
    async with hub.state.database.write() as db:
        await workspaces.remove(db, cast.workspace.id, cast.account_ids["ana"], actor=OPERATOR)


async def _role(hub: Front, cast: Cast, who: str, role: str) -> None:
    async with hub.state.database.write() as db:
        await workspaces.change_role(
            db, cast.workspace.id, cast.account_ids[who], role, actor=OPERATOR, agreed=True
        )


@pytest.mark.parametrize(
    "meanwhile", [ana_joins_the_rival, maria_administers_no_more, anas_word_counts, ana_is_removed]
)
async def test_a_link_kept_back_opens_nothing_that_came_since(
    meanwhile: Callable[[Front, Cast, Browser], Awaitable[None]],
    hub: Front, cast: Cast, maria: Browser, mallory: Browser, client: Browser,
):  # fmt: skip
    token = await link_for_ana(maria, cast)
    assert (await client.get(f"/sign-in/{token}")).status_code == 200
    await meanwhile(hub, cast, mallory)
    assert (await client.get(f"/sign-in/{token}")).status_code == 404
    assert (await client.post_form(f"/sign-in/{token}", FORM)).status_code == 404
    assert (await client.get("/account")).status_code == 303


async def test_a_link_ends_with_the_key_that_made_it(
    hub: Front, cast: Cast, maria: Browser, client: Browser
):
    async with hub.state.database.write() as db:
        account = await db.get_one(Account, cast.account_ids["maria"])
        key = await own_keys.create(
            db, cast.workspace, "script", "admin", account=account, actor=OPERATOR
        )
    bearer = {"Authorization": f"Bearer {key.token}"}
    path = f"/api/v1/people/{cast.account_ids['ana']}/link"
    answer = await client.post(path, json={}, headers=bearer)
    token = answer.json()["link"].rpartition("/")[2]
    assert (await client.get(f"/sign-in/{token}")).status_code == 200
    await maria.post_form(f"/account/keys/{key.id}/revoke")
    assert (await client.get(f"/sign-in/{token}")).status_code == 404


async def test_whoever_was_invited_and_taken_out_again_brings_no_link_along(
    maria: Browser, mallory: Browser, client: Browser
):
    """The rival's invitation is worth nothing once Dora belongs to the clinic."""
    form = {"email": "dora@example.org", "role": "viewer"}
    page = (await mallory.post_form("/rival/settings/people", form)).text
    token = page.split(f"{BASE}/sign-in/")[1].split("<")[0]
    dora = page.split("dora@example.org")[-1].split("/settings/people/")[1].split("/")[0]
    assert (await mallory.post_form(f"/rival/settings/people/{dora}/remove")).status_code == 303
    page = (await maria.post_form("/clinic/settings/people", form)).text
    good = page.split(f"{BASE}/sign-in/")[1].split("<")[0]
    assert (await client.post_form(f"/sign-in/{token}", FORM)).status_code == 404
    assert (await client.post_form(f"/sign-in/{good}", FORM)).status_code == 303

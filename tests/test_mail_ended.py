"""Letters that somebody wants no more."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hub.front import Front
from hub.people.mail import opt_out_token
from hub.people.models import Account
from tests.cast import Browser, Cast


async def link_of(hub: Front, cast: Cast, who: str) -> str:
    key = hub.state.settings.derive("mail-opt-out")
    return f"/mail/off/{opt_out_token(key, cast.account_ids[who])}"


async def mail_of(hub: Front, cast: Cast, who: str) -> str:
    async with hub.state.database.read() as db:
        return (await db.get_one(Account, cast.account_ids[who])).mail


async def test_a_mail_program_ends_the_letters_with_one_request(
    hub: Front, cast: Cast, client: Browser
):
    link = await link_of(hub, cast, "ana")
    looked = await client.get(link)
    assert "ana@example.org then gets no more" in looked.text
    assert await mail_of(hub, cast, "ana") == "each"  # looking ends nothing
    answer = await client.post(link, data={"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200
    assert await mail_of(hub, cast, "ana") == "off"
    assert await mail_of(hub, cast, "ben") == "each"
    assert "gets no more e-mail" in (await client.get(link)).text


@pytest.mark.parametrize(
    "spoil",
    [lambda one: one + "0", lambda one: "1" + one, lambda one: one.partition(".")[0],
     lambda one: one.replace(".", ".0", 1), lambda _: "x", lambda _: "9" * 40 + ".ab"],
)  # fmt: skip
async def test_a_link_that_is_not_ours_ends_nothing(
    hub: Front, cast: Cast, client: Browser, spoil: Callable[[str], str]
):
    link = spoil(await link_of(hub, cast, "ana"))
    link = link if link.startswith("/") else f"/mail/off/{link}"
    assert (await client.get(link)).status_code == 404
    assert (await client.post(link)).status_code == 404
    assert await mail_of(hub, cast, "ana") == "each"


async def test_on_the_account_page_everybody_chooses(hub: Front, cast: Cast, ana: Browser):
    assert "This hub sends no e-mail yet" in (await ana.get("/account")).text
    for wish in ("digest", "off", "each", "nonsense"):
        assert (await ana.post_form("/account/mail", {"mail": wish})).status_code == 303
        assert await mail_of(hub, cast, "ana") == (wish if wish != "nonsense" else "each")

"""What the Models page says of a connection's test is true of the connection as it is now."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from hub.playground import probe
from hub.playground.calls import Patience
from tests.endpoint import KEY
from tests.test_connections import fake, kept, settings, vendors
from tests.vendors import KEY as VENDOR_KEY

__all__ = ["fake", "settings", "vendors"]
FAILED, OLD, NEVER = "does not work", "test out of date", "not tested yet"


async def add(maria: Any, base_url: str, **more: str) -> dict[str, str]:
    form = {"name": "Acme", "base_url": base_url, "key": KEY} | more
    assert (await maria.post_form("/clinic/models", form)).status_code == 200
    return form | {"key": ""}


async def chips(maria: Any) -> list[str]:
    page = (await maria.get("/clinic/models")).text
    return [said for said in (FAILED, OLD, NEVER, ">answers<") if said in page]


async def test_models_that_came_after_a_failed_test_do_not_stand_beside_it(
    maria: Any, fake: Any, hub: Any
):
    await add(maria, fake.base_url, models="e401")
    (one,) = await kept(hub)
    assert await chips(maria) == [FAILED]
    await maria.post_form(f"/clinic/models/{one.id}/fetch")
    assert await chips(maria) == [OLD]
    page = (await maria.get("/clinic/models")).text
    assert "no 401" not in page
    assert "tested" in page.split(OLD)[1].split("</p>")[0], "when that was is still told"


async def test_another_key_or_first_model_needs_another_test(maria: Any, fake: Any, hub: Any):
    form = await add(maria, fake.base_url, models="echo\nno-usage")
    (one,) = await kept(hub)
    address = f"/clinic/models/{one.id}"
    assert await chips(maria) == [">answers<"]
    await maria.post_form(address, form | {"models": "echo 1 2", "name": "Acme 2"})
    assert await chips(maria) == [">answers<"], "a name or a price is no matter of the test"
    await maria.post_form(address, form | {"models": "shout\necho"})
    assert await chips(maria) == [OLD]
    await maria.post_form(f"{address}/test")
    await maria.post_form(address, form | {"models": "shout\necho", "key": "sk-another"})
    assert await chips(maria) == [OLD]
    await maria.post_form(address, form | {"base_url": fake.base_url + "/elsewhere"})
    assert await chips(maria) == [NEVER]


async def test_a_key_that_is_refused_when_models_are_fetched_is_told(
    maria: Any, vendors: Any, hub: Any
):
    form = await add(maria, vendors.address("openai"), key=VENDOR_KEY, models="plain")
    (one,) = await kept(hub)
    await maria.post_form(f"/clinic/models/{one.id}", form | {"models": "plain", "key": "sk-old"})
    await maria.post_form(f"/clinic/models/{one.id}/fetch")
    assert await chips(maria) == [FAILED]
    assert "sk-old" not in (await maria.get("/clinic/models")).text


async def test_what_was_tested_before_it_was_changed_is_not_said_of_what_it_is_now(
    maria: Any, fake: Any, hub: Any, monkeypatch: Any
):
    form = await add(maria, fake.base_url, models="echo")
    (one,) = await kept(hub)
    await maria.post_form(f"/clinic/models/{one.id}", form | {"models": "hang"})
    quick = msgspec.structs.replace(probe.PATIENCE, first_byte=2)
    assert isinstance(quick, Patience)
    monkeypatch.setattr(probe, "PATIENCE", quick)
    testing = asyncio.create_task(maria.post_form(f"/clinic/models/{one.id}/test"))
    while not any(asked["model"] == "hang" for asked in fake.asked):
        await asyncio.sleep(0.01)
    await maria.post_form(f"/clinic/models/{one.id}", form | {"models": "echo"})
    assert "did not begin to answer" in (await testing).text
    assert await chips(maria) == [OLD]

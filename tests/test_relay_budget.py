"""Who may run prompts through the hub, and how much of a day."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from hub.front import Front
from hub.people.policy import WorkspaceRef
from hub.playground.relay import budget
from hub.playground.relay.budget import Busy, Fits, Held, UsedUp
from hub.playground.relay.models import Relay, RelayDay
from tests.cast import Browser, Cast, on_both_engines
from tests.endpoint import FakeEndpoint
from tests.serving import Server
from tests.test_relay import endpoint, filled, new_key, run, set_up

__all__ = ["endpoint", "filled"]
ASK = {"prompt": {"id": "mail/silent"}, "model": "echo"}


def ask(server: Server, key: str, **more: Any) -> tuple[int, str]:
    answer = httpx.post(
        f"{server.url}/v1/responses", json=ASK | more, timeout=20,
        headers={"Authorization": f"Bearer {key}"},
    )  # fmt: skip
    return answer.status_code, (answer.json()["error"] or {}).get("message", "")


def test_it_is_off_until_somebody_opens_it(filled: Server):
    key = new_key(filled, "early")
    set_up(filled, open=False)
    status, said = ask(filled, key)
    assert status == 403
    assert "switched off in this workspace" in said
    set_up(filled, tokens="1000000")
    assert ask(filled, key)[0] == 200


def test_only_a_key_made_for_it_may(filled: Server):
    for key in (filled.cast.read_key, filled.cast.write_key, filled.cast.check_key):
        status, said = ask(filled, key)
        assert status == 403
        assert "cannot run prompts" in said
    assert ask(filled, filled.cast.rival_key)[0] == 403
    assert ask(filled, "ph_nonsense")[0] == 401
    # And that key does nothing else.
    headers = {"Authorization": f"Bearer {new_key(filled, 'narrow')}"}
    answer = httpx.put(
        f"{filled.url}/api/v1/labels/production/mail/silent", json={"version": 1}, headers=headers
    )
    assert answer.status_code == 403


def test_a_key_that_has_used_its_tokens_is_refused_and_not_tried_again(
    filled: Server, endpoint: FakeEndpoint
):
    set_up(filled, tokens="30")
    script = """
ask = lambda: tried(lambda: hub.responses.create(model="echo", prompt={"id": "mail/silent"}))
say([ask(), ask(), ask(), ask()])
"""
    before = len(endpoint.asked)
    found = run(filled, "tokens", script)
    assert found[:3] == [None, None, None]  # 11 tokens each, which nobody knew before
    assert found[3][:3] == ["RateLimitError", 429, "insufficient_quota"]
    assert found[3][3].startswith("This key may use 30 tokens a day and has used 33;")
    assert len(endpoint.asked) - before == 3
    # Another key has its own; a call that would not fit is not begun.
    other = new_key(filled, "tokens too")
    assert ask(filled, other)[0] == 200
    status, said = ask(filled, other, max_output_tokens=1000)
    assert status == 429
    assert "would come to about 1,00" in said
    set_up(filled, tokens="1000000")


def test_a_key_that_has_spent_its_dollars_is_refused(filled: Server):
    set_up(filled, usd="0.01")
    key = new_key(filled, "dollars")
    assert ask(filled, key, model="many")[0] == 200  # 1,500 in, 3,000 out: $0.0075
    assert ask(filled, key, model="many")[0] == 200  # what it comes to nobody knew
    status, said = ask(filled, key, model="many")
    assert status == 429
    assert "may spend $0.01 a day and has spent $0.02" in said or "$0.01;" in said
    # Without a price nothing can be counted in dollars.
    status, said = ask(filled, new_key(filled, "unpriced"), model="whole")
    assert status == 400
    assert "has no price" in said
    set_up(filled, tokens="1000000")
    assert ask(filled, new_key(filled, "unpriced too"), model="whole")[0] == 200


def test_calls_that_run_count_with_their_estimate():
    held = Held()
    for _ in range(budget.MOST_AT_ONCE):
        held.take("a", Fits(10, 0.5))
    assert held.of("a") == Fits(160, 8.0)
    with pytest.raises(Busy, match="16 calls running"):
        held.take("a", Fits(1, 0))
    held.take("b", Fits(1, 0))
    for _ in range(budget.MOST_AT_ONCE):
        held.give_back("a", Fits(10, 0.5))
    assert held.of("a") == Fits(0, 0)


@on_both_engines
async def test_what_several_add_at_once_is_all_there(hub: Front, workspace: WorkspaceRef):
    database = hub.state.database

    async def add() -> None:
        async with database.write() as db:
            await budget._add(db, workspace.id, "akey", 10, 0.25)

    await asyncio.gather(*(add() for _ in range(8)))
    async with database.read() as db:
        (day,) = await budget.used_today(db, workspace.id)
        assert (day.key_id, day.calls, day.tokens, day.usd) == ("akey", 8, 80, 2.0)
        limits = Relay(workspace_id=workspace.id, open=True, tokens_a_day=100, usd_a_day=None)
        await budget.check(db, limits, "akey", Fits(5, 0), Fits(15, 0))
        with pytest.raises(UsedUp, match="has used 80; this call would come to about 16"):
            await budget.check(db, limits, "akey", Fits(5, 0), Fits(16, 0))
    async with database.write() as db:
        await budget.forget_old(db, workspace.id)
        assert await db.get(RelayDay, ("akey", budget._today()))


async def test_an_administrator_opens_it_on_the_page_of_models(
    maria: Browser, ana: Browser, cast: Cast
):
    assert "Programs may run prompts" not in (await ana.get("/clinic/models")).text
    page = (await maria.get("/clinic/models")).text
    assert "https://hub.test/v1" in page
    where = "/clinic/models/relay"
    for wrong, said in (
        ({"open": "on"}, "in tokens or in dollars"), ({"open": "on", "tokens": "x"}, "a number"),
        ({"open": "on", "usd": "-1"}, "a number above 0"),
    ):  # fmt: skip
        answer = await maria.post_form(where, wrong, follow_redirects=True)
        assert said in answer.text, wrong
    answer = await maria.post_form(
        where, {"open": "on", "tokens": "50,000", "usd": "$2.50"}, follow_redirects=True
    )
    assert "Programs may run prompts now." in answer.text
    assert 'value="50,000"' in answer.text
    assert "50,000 tokens and $2.5 of a day" in (await ana.get("/clinic/models")).text
    assert (await ana.post_form(where, {})).status_code == 403
    await maria.post_form(where, {"tokens": "50,000"})
    assert "50,000" not in (await ana.get("/clinic/models")).text
    log = (await maria.get("/clinic/settings/audit")).text
    assert "let programs run prompts in" in log

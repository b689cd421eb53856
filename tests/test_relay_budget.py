"""Who may run prompts through the hub, and how much of a day."""

from __future__ import annotations

from typing import Any

import httpx

from hub.playground.relay.sizes import ANSWER
from tests.cast import Browser, Cast
from tests.endpoint import FakeEndpoint
from tests.serving import Server
from tests.test_relay import endpoint, filled, new_key, run, set_up

__all__ = ["endpoint", "filled"]
ASK = {"prompt": {"id": "mail/silent"}, "model": "echo"}


def ask(server: Server, key: str, **more: Any) -> tuple[int, str]:
    answer = httpx.post(
        f"{server.url}/v1/responses", json=ASK | more, timeout=60,
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
    set_up(filled, tokens="190")
    script = """
ask = lambda: tried(lambda: hub.responses.create(
    model="echo", max_output_tokens=20, prompt={"id": "mail/silent"}))
say([ask(), ask(), ask(), ask()])
"""
    before = len(endpoint.asked)
    found = run(filled, "tokens", script)
    assert found[:3] == [None] * 3  # 11 tokens each; 166 were set aside
    assert found[3][:3] == ["RateLimitError", 429, "insufficient_quota"]
    assert found[3][3].startswith("This key may use 190 tokens a day and has used 33;")
    assert "about 166, up to 20 of them its answer" in found[3][3]
    assert len(endpoint.asked) - before == 3
    # Another key has its own; without a limit of its own a call is given one, and told.
    other = new_key(filled, "tokens too")
    assert ask(filled, other, max_output_tokens=20)[0] == 200
    status, said = ask(filled, other)
    assert status == 429
    assert "up to 4,096 of them its answer" in said
    set_up(filled, tokens="1000000")
    assert ask(filled, other)[0] == 200
    assert endpoint.asked[-1]["max_tokens"] == ANSWER


def test_a_limit_that_cannot_be_counted_with_is_refused(filled: Server, endpoint: FakeEndpoint):
    key = new_key(filled, "odd limits")
    before = len(endpoint.asked)
    for odd in (0, -1, 1e9, 2.5, "9", True, 10**7, [1]):
        status, said = ask(filled, key, max_output_tokens=odd)
        assert status == 400, odd
        assert "must be a whole number of tokens above 0" in said
    assert len(endpoint.asked) == before


def test_a_key_that_has_spent_its_dollars_is_refused(filled: Server):
    set_up(filled, usd="0.01")
    key = new_key(filled, "dollars")
    assert ask(filled, key, model="many")[0] == 200  # 1,500 in, 3,000 out: $0.0075
    status, said = ask(filled, key, model="many")
    assert status == 429
    assert "may spend $0.01 a day and has spent $0.01; this call could come to $0.0083" in said
    # Without a price nothing can be counted in dollars.
    status, said = ask(filled, new_key(filled, "unpriced"), model="whole")
    assert status == 400
    assert "has no price" in said
    set_up(filled, tokens="1000000")
    assert ask(filled, new_key(filled, "unpriced too"), model="whole")[0] == 200


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

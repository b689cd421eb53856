"""What the grid is for: many models by one press, samples, money, comparing, stopping."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from hub.playground import live
from hub.playground.models import Connection
from hub.registry import versions
from hub.registry.labels import labels
from hub.registry.prompt.document import from_json
from hub.settings import Settings
from tests.endpoint import KEY, running_endpoint
from tests.test_playground import _actor, over, run

DOCUMENT: dict[str, Any] = {
    "name": "Triage",
    "model": "echo",
    "modelParameters": {"temperature": 0.2},
    "messages": [{"role": "user", "content": "{{ complaint }}"}],
    "variables": [{"name": "complaint", "example": "chest pain"}],
}
TRY = "/clinic/try/support/triage"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """The hub of these tests may talk to the endpoint on loopback."""
    return msgspec.structs.replace(settings, private_hosts="127.0.0.1")


@pytest.fixture
async def fake():
    async with running_endpoint() as endpoint:
        yield endpoint


@pytest.fixture
async def acme(hub, cast, fake, maria):
    models = "echo 15 60\nshout 1 2\nslow\nmany 15 60\ncounts\ne401\nnames\njudge\nthinks\nnotes"
    form = {"name": "Acme", "base_url": fake.base_url, "key": KEY, "models": models}
    assert (await maria.post_form("/clinic/models", form)).status_code == 200
    fake.asked.clear()
    async with hub.state.database.read() as db:
        return (await db.scalars(select(Connection))).one()


@pytest.fixture
async def triage(hub, cast):
    place = (hub.state.publisher, cast.workspace)
    saved = await versions.save(
        *place, "support/triage", from_json(DOCUMENT), base=None, actor=_actor(cast), message="1st"
    )
    await labels.move(
        *place, "production", "support/triage", 1, expected=None, actor=_actor(cast), reason="Go"
    )
    return saved


def form(acme: Connection, *models: str, **more: Any) -> dict[str, Any]:
    columns = {
        "source": ["v1"] * len(models),
        "model": [f"{acme.id}:{model}" for model in models],
        "temperature": [""] * len(models),
        "max_tokens": [""] * len(models),
        "seed": [""] * len(models),
    }
    return columns | {"own": "yes", "v.complaint": "pain", "keep": "yes", "do": "run"} | more


async def add_examples(who, *values: str) -> list[str]:
    for value in values:
        await who.post_form(
            "/clinic/examples/support/triage", {"name": value, "v.complaint": value, "do": "add"}
        )
    page = await who.get(TRY)
    return [part.split('"')[0] for part in page.text.split('name="example" value="')[1:]]


async def test_the_same_prompt_on_several_models_by_one_press(ana, acme, triage):
    ticked = [f"{acme.id}:{name}" for name in ("echo", "shout", "counts")]
    data = form(acme, "echo") | {"do": "vary:model", "vary-model": ticked}
    page = await ana.post_form(TRY, data)
    assert page.text.count('name="source"') == 3
    heat = form(acme, "echo") | {"do": "vary:temperature", "vary-temperature": "0, 0.5, 1"}
    page = await ana.post_form(TRY, heat)
    assert page.text.count('name="source"') == 3
    assert [f'value="{one}"' in page.text for one in ("0", "0.5", "1")] == [True] * 3
    none = await ana.post_form(TRY, form(acme, "echo") | {"do": "vary:model"})
    assert (none.status_code, "from 2 to 10 values" in none.text) == (422, True)
    assert "pain" in none.text, "what was typed is still there"


async def test_two_wordings_on_five_models_are_ten_columns_by_one_press(ana, acme, triage):
    two = form(acme, "echo", "echo") | {"source": ["v2", "v1"], "do": "vary:model"}
    models = [f"{acme.id}:{name}" for name in ("echo", "shout", "counts", "slow", "drops")]
    page = await ana.post_form(TRY, two | {"vary-all": "on", "vary-model": models})
    assert page.text.count('name="source"') == 10
    assert page.text.count('<option value="v1" selected>') == 5
    heat = {"do": "vary:temperature", "vary-all": "on", "vary-temperature": "0 1 2 1.1 1.2 1.3"}
    refused = await ana.post_form(TRY, two | heat)
    assert refused.status_code == 422
    assert "That would be 12 columns, and a grid has at most 10." in refused.text
    assert refused.text.count('name="source"') == 2, "they are as they were"
    assert 'value="0, 1, 2, 1.1, 1.2, 1.3"' in refused.text, "and so is what was typed"
    assert '<details class="vary" open>' in refused.text


async def test_what_else_is_ticked_counts_too_whichever_button_is_pressed(ana, acme, triage):
    models = [f"{acme.id}:{name}" for name in ("echo", "shout")]
    chosen = {"vary-model": models, "vary-source": ["v1", "v2"], "vary-seed": "7"}
    for pressed in ("model", "source"):
        page = await ana.post_form(TRY, form(acme, "slow") | chosen | {"do": f"vary:{pressed}"})
        assert page.text.count('name="source"') == 4
        assert page.text.count('name="seed" type="text" value="7"') == 4


async def test_a_second_column_is_not_dropped_unless_somebody_says_so(ana, acme, triage):
    page = (await ana.post_form(TRY, form(acme, "echo", "shout") | {"do": "tick:none"})).text
    assert re.search(r'name="vary-all" value="yes" checked', page)


async def test_where_a_model_is_and_what_it_costs_stands_under_its_menu(maria, ana, acme, triage):
    async def lines(column: dict[str, Any]) -> list[str]:
        page = await ana.post_form(TRY, column | {"do": "vary:"})
        return re.findall(r'<p class="help model-about"[^>]*>(.*?)</p>', page.text)

    assert await lines(form(acme, "echo", "shout", "slow")) == [
        "Acme · $15 in, $60 out per million tokens", "Acme · $1 in, $2 out per million tokens",
        "Acme · price not known",
    ]  # fmt: skip
    local = form(acme, "echo") | {"model": ["local:prompthub/tiny"]}
    assert await lines(local) == ["This machine · no charge per call"]
    await maria.post_form("/clinic/models/machine", {"hour_price": "2.5"})
    assert await lines(local) == ["This machine · $2.50 for an hour of the machine"]
    fast = {"name": "fast", "rule": "price", "target": [f"{acme.id}:echo", f"{acme.id}:shout"]}
    assert (await maria.post_form("/clinic/models/aliases", fast)).status_code == 303
    named = form(acme, "echo") | {"model": ["alias:fast"]}
    assert await lines(named) == ["The cheapest first of echo at Acme, shout at Acme"]


async def test_samples_that_are_equal_are_one_answer(ana, acme, triage, fake):
    address = await run(ana, form(acme, "echo", "counts", samples="5"))
    page = await over(ana, address)
    assert "5 of 5 the same" in page
    assert page.count("1 of 5") == 5, "a model that never says the same twice"
    assert len(fake.asked) == 10
    seeded = await run(ana, form(acme, "echo", samples="3") | {"seed": ["7"]})
    await over(ana, seeded)
    assert sorted(asked["seed"] for asked in fake.asked[-3:]) == [7, 8, 9]
    for typed in ("0", "21", "many"):
        refused = await ana.post_form(TRY, form(acme, "echo", samples=typed))
        assert (refused.status_code, "from 1 to 20 times" in refused.text) == (422, True)
        assert f'value="{typed}"' in refused.text


async def test_more_calls_than_a_grid_makes_are_refused(ana, acme, triage):
    ids = await add_examples(ana, *(f"case {n}" for n in range(16)))
    data = form(acme, *["echo"] * 8, samples="20") | {"example": ids, "own": []}
    refused = await ana.post_form(TRY, data)
    assert (refused.status_code, "2,560 calls" in refused.text) == (422, True)


async def test_a_month_of_it_with_the_formula(ana, acme, triage):
    """The arithmetic of an agent: 15 model calls in each of 3,000 calls a day."""
    address = await run(ana, form(acme, "many"))
    await over(ana, address)
    page = (await ana.get(f"{address}?calls=3000&each=15")).text
    assert "$273,375.00" in page
    assert (
        "1,500 tokens in and 3,000 out: $0.2025 an answer × 15 = $3.0375 a call × 3,000 a day = "
        "$9,112.50 a day × 30 days"
    ) in page
    wrong = (await ana.get(f"{address}?calls=lots")).text
    assert "whole numbers from 1" in wrong


async def test_the_others_are_compared_with_one_column(ana, acme, triage):
    address = await run(ana, form(acme, "echo", "shout"))
    await over(ana, address)
    page = (await ana.get(f"{address}?base=1")).text
    assert "<ins>PAIN</ins>" in page
    assert "differs" in page
    alone = (await ana.get(f"{address}?only=2")).text
    assert ">PAIN<" in alone
    assert ">pain<" not in alone


async def test_a_column_is_stopped_and_a_page_that_is_left_stops_all(
    ana, acme, triage, hub, monkeypatch
):
    monkeypatch.setattr(live, "LEFT_AFTER", 0.2)
    data = form(acme, "slow", "slow")
    del data["keep"]
    address = await run(ana, data)
    grid = hub.state.playground.live.get(int(address.rsplit("/", 1)[1]))
    watcher = asyncio.create_task(ana.get(f"{address}/events"))
    while not (grid.watchers and grid.calls[0, 0, 0].output):
        await asyncio.sleep(0.01)
    await ana.post_form(f"{address}/stop", {"column": "0"})
    while not grid.calls[0, 0, 0].over:
        await asyncio.sleep(0.01)
    assert not grid.calls[0, 1, 0].over
    watcher.cancel()
    while not grid.over:
        await asyncio.sleep(0.01)
    page = (await ana.get(address)).text
    assert live.LEFT in page
    assert "and" in page, "what came is kept"


async def test_one_call_at_a_time(ana, acme, triage, fake):
    data = form(acme, "echo", "shout", samples="3", solo="yes")
    await over(ana, await run(ana, data))
    assert fake.most_at_once == 1


async def test_kept_answers_are_taken_only_where_they_are_bound_to_be_the_same(
    ana, acme, triage, fake
):
    cold = form(acme, "echo", cache="yes") | {"temperature": ["0"]}
    await over(ana, await run(ana, cold))
    again = await over(ana, await run(ana, cold))
    assert (len(fake.asked), ">cached<" in again) == (1, True)
    warm = form(acme, "echo", cache="yes")
    await over(ana, await run(ana, warm))
    await over(ana, await run(ana, warm))
    assert len(fake.asked) == 3
    await over(ana, await run(ana, cold | {"v.complaint": "another"}))
    assert len(fake.asked) == 4


async def test_another_server_behind_the_same_connection_is_asked_anew(
    ana, acme, triage, fake, hub
):
    cold = form(acme, "echo", cache="yes") | {"temperature": ["0"]}
    await over(ana, await run(ana, cold))
    async with running_endpoint() as other:
        async with hub.state.database.write() as db:
            moved = await db.get(Connection, acme.id)
            moved.base_url, moved.sealed_key = other.base_url, None
        page = await over(ana, await run(ana, cold))
        assert (len(fake.asked), len(other.asked), ">cached<" in page) == (1, 1, False)


async def test_new_seeds_are_other_seeds(ana, acme, triage, fake):
    address = await run(ana, form(acme, "echo") | {"seed": ["7"]})
    await over(ana, address)
    same = (await ana.post_form(f"{address}/again")).headers["location"]
    await over(ana, same)
    other = (await ana.post_form(f"{address}/again", {"seeds": "new"})).headers["location"]
    await over(ana, other)
    seeds = [asked["seed"] for asked in fake.asked]
    assert seeds[:2] == [7, 7]
    assert seeds[2] != 7

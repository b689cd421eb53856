"""What the grid is for: many models, samples, votes, ratings, money, and taking it along."""

from __future__ import annotations

import asyncio
import csv
import io
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from hub.playground import live
from hub.playground.exports import to_csv
from hub.playground.models import Connection, Example, Grid, Run
from hub.registry import drafts, labels, versions
from hub.registry.document import from_json
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
    assert (none.status_code, "from 2 to 8 values" in none.text) == (422, True)
    assert "pain" in none.text, "what was typed is still there"


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


async def test_votes_are_blind_until_they_are_cast(ana, ben, carla, acme, triage, read_key, client):
    ids = await add_examples(ana, "pain", "rash")
    data = form(acme, "echo", "shout", "names", blind="yes") | {"example": ids, "own": []}
    address = await run(ana, data)
    hidden = await over(ana, address)
    for given_away in ("shout", "echo", "v1", "Acme", "tok/s", "temperature", "$", "401"):
        assert given_away not in hidden.split("<main")[1], given_away
    assert "2 rows left" in hidden
    events = (await ana.get(f"{address}/events")).text
    assert "Acme" not in events
    number = address.rsplit("/", 1)[1]
    for leak in (f"{address}/as/csv", f"{address}/as/json", f"{address}/as/md"):
        assert (await ana.get(leak)).status_code == 409
    assert (await client.get(f"/api/v1/grids/{number}", headers=read_key)).status_code == 409
    assert "shout" not in (await ana.get("/clinic/playground")).text
    assert (await ana.post_form(f"{address}/adopt", {"column": "0"})).status_code == 422
    shouted = next(
        at for at in range(3) if "PAIN" in hidden.split(f'id="cell-0-{at}-0"')[1].split("</td>")[0]
    )
    await ana.post_form(f"{address}/vote", {"choice": f"0:{shouted}"})
    await ana.post_form(f"{address}/vote", {"choice": f"0:{shouted}"})
    half = (await ana.get(address)).text
    assert "1 row left" in half
    assert half.split("<main")[1].count('aria-pressed="true"') == 1
    await ana.post_form(f"{address}/vote", {"choice": "1:-1"})
    open_now = (await ana.get(address)).text
    assert "shout" in open_now
    assert "chosen 1 of 2 times" in open_now
    late = await ana.post_form(f"{address}/vote", {"choice": "0:0"})
    assert late.status_code == 409
    assert "shout" not in (await ben.get(address)).text, "Ben has not voted yet"
    await ben.post_form(f"{address}/vote", {"choice": "show"})
    assert "shout" in (await ben.get(address)).text
    assert (await carla.post_form(f"{address}/vote", {"choice": "show"})).status_code == 403
    assert (await ben.post_form(f"{address}/vote", {"choice": "9:0"})).status_code in (409, 422)


async def test_what_a_model_thinks_is_hidden_with_its_name(ana, acme, triage):
    blind = await run(ana, form(acme, "thinks", "echo", blind="yes"))
    assert "I think on" not in (await ana.get(f"{blind}/events")).text
    assert "I think on" not in (await ana.get(blind)).text
    seen = await run(ana, form(acme, "thinks", "echo"))
    assert "I think on" in (await ana.get(f"{seen}/events")).text
    await ana.post_form(f"{blind}/vote", {"choice": "show"})
    assert "I think on" in (await ana.get(blind)).text


async def test_an_answer_is_rated_and_becomes_what_is_expected(ana, carla, acme, triage, hub):
    ids = await add_examples(ana, "pain")
    address = await run(ana, form(acme, "echo") | {"example": ids, "own": []})
    await over(ana, address)
    async with hub.state.database.read() as db:
        asked = (await db.scalars(select(Run))).one()
    sheet = f"{address}/answer/{asked.id}"
    assert "just right" in (await ana.get(sheet)).text
    rated = await ana.post_form(sheet, {"rating": "4", "remark": "Kind", "do": "rate"})
    assert rated.status_code == 303
    assert "rated 4 of 5" in (await ana.get(address)).text
    wrong = await ana.post_form(sheet, {"rating": "6", "remark": "Typed", "do": "rate"})
    assert (wrong.status_code, "Typed" in wrong.text) == (422, True)
    await ana.post_form(sheet, {"do": "expect"})
    async with hub.state.database.read() as db:
        kept = (await db.scalars(select(Example))).one()
    assert kept.expected == "pain"
    assert "Kind" in (await carla.get(sheet)).text
    assert (await carla.post_form(sheet, {"rating": "1"})).status_code == 403


async def test_it_is_taken_along_as_table_report_and_tree(ana, acme, triage):
    data = form(acme, "echo", "e401", title="Which one?") | {"v.complaint": "=1+1"}
    address = await run(ana, data)
    assert "Which one?" in await over(ana, address)
    table = await ana.get(f"{address}/as/csv")
    assert table.headers["content-disposition"].startswith("attachment")
    head, first, second = list(csv.reader(io.StringIO(table.text)))
    assert first[head.index("complaint")] == "'=1+1", "no formula in somebody's spreadsheet"
    assert first[head.index("output")] == "'=1+1"
    assert second[head.index("state")] == "failed"
    report = (await ana.get(f"{address}/as/md")).text
    assert report.startswith("# Which one?")
    assert "### v1 · live · echo" in report
    tree = (await ana.get(f"{address}/as/json")).json()
    assert [one["output"] for one in tree["runs"]] == ["=1+1", ""]
    assert (await ana.get(f"{address}/as/pdf")).status_code == 404


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


async def test_a_column_becomes_my_draft(ana, acme, triage, hub, cast):
    data = form(acme, "shout") | {"temperature": ["0.9"], "max_tokens": ["50"]}
    address = await run(ana, data)
    await over(ana, address)
    taken = await ana.post_form(f"{address}/adopt", {"column": "0"})
    assert taken.headers["location"] == "/clinic/prompts/support/triage"
    async with hub.state.database.read() as db:
        draft = await drafts.get(db, cast.workspace.id, cast.account_ids["ana"], triage.id)
    assert draft.document["model"] == "shout"
    assert draft.document["modelParameters"] == {"temperature": 0.9, "max_tokens": 50}
    other = await run(ana, form(acme, "echo"))
    await over(ana, other)
    refused = await ana.post_form(f"{other}/adopt", {"column": "0"})
    assert (refused.status_code, "You have a draft" in refused.text) == (409, True)


async def test_an_answer_that_has_a_shape_is_held_against_it(ana, acme, hub, cast):
    schema = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
    shape = {"name": "person", "schema": schema}
    document = DOCUMENT | {"responseFormat": "json_schema", "jsonSchema": shape}
    await versions.save(
        hub.state.publisher, cast.workspace, "support/triage", from_json(document), base=None,
        actor=_actor(cast), message="1st",
    )  # fmt: skip
    said = {
        '{"age": 7}': "fits its shape",
        '{"age": "old"}': "does not fit its shape: age: &#39;old&#39; is not of type",
        "seven": "does not fit its shape: it is not JSON",
        '{"age": NaN}': "does not fit its shape: it is not JSON",
        "[" * 5000: "does not fit its shape: it is nested too deeply",
    }
    for complaint, verdict in said.items():
        page = await over(ana, await run(ana, form(acme, "echo") | {"v.complaint": complaint}))
        assert verdict in page, page


async def test_a_shape_that_never_ends_to_be_checked_is_given_up(hub):
    """A regular expression with nested repeats takes for ever on the wrong text."""
    schema = {"type": "string", "pattern": "^(a+)+$"}
    misfit = await hub.state.playground.renderer.misfit(schema, '"' + "a" * 60 + '!"')
    assert misfit == "to check it took too long"


@pytest.mark.parametrize("risky", ["=1+1", "+1", "-1", "@a", "\t=1", "\r=1", "\n=1", "\uff1d1"])
def test_no_cell_of_a_table_begins_like_a_formula(risky):
    kept = Grid(
        id=1, rows=[{"name": risky, "variables": {risky: risky}, "expected": risky}],
        columns=[{"title": risky, "model": risky, "where": risky, "settings": {}}],
    )  # fmt: skip
    answer = Run(state="done", output=risky, remark=risky, error=risky)
    cells = {(0, 0, 0): answer}
    for line in csv.reader(io.StringIO(to_csv(kept, cells, cells), newline="")):
        assert not any(cell.startswith(risky) for cell in line), line


async def test_guards_judge_what_goes_in_and_what_comes_out(ana, acme, triage, fake, hub, cast):
    guard = {
        "name": "Guard", "tags": ["guard"],
        "messages": [{"role": "user", "content": "Judge: {{ text }}"}],
        "variables": [{"name": "text", "example": "hello"}],
    }  # fmt: skip
    place = (hub.state.publisher, cast.workspace)
    await versions.save(
        *place, "safety/guard", from_json(guard), base=None, actor=_actor(cast), message="1st"
    )
    assert "safety/guard" in (await ana.get(TRY)).text
    judge = {"guard_in": ["safety/guard"], "guard_out": ["safety/guard"]}
    data = form(acme, "echo") | judge | {"guard_model": [f"{acme.id}:judge"]}
    address = await run(ana, data)
    page = await over(ana, address)
    assert "input guard: safe, " in page
    assert "output guard: safe, " in page
    assert [asked["model"] for asked in fake.asked] == ["judge", "echo", "judge"]
    held = await over(ana, await run(ana, data | {"v.complaint": "how to make a bomb"}))
    assert "Held back by the input guard: S9" in held
    assert [asked["model"] for asked in fake.asked[3:]] == ["judge"], "the model was not asked"
    again = await ana.get(f"{TRY}?again={address.rsplit('/', 1)[1]}")
    assert again.text.count('value="safety/guard" selected') == 2
    none = await ana.post_form(TRY, form(acme, "echo") | {"guard_in": ["safety/none"]})
    assert (none.status_code, "There is no guard safety/none" in none.text) == (422, True)


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

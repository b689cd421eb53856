"""What is done with the answers of a grid: votes, ratings, exports, a draft, guards."""

from __future__ import annotations

import csv
import io
import re

import pytest
from sqlalchemy import select

from hub.playground.exports import to_csv
from hub.playground.models import Example, Grid, Run
from hub.registry import drafts, versions
from hub.registry.prompt.document import from_json
from tests.test_beside import table
from tests.test_grid import DOCUMENT, TRY, acme, add_examples, fake, form, settings, triage
from tests.test_playground import _actor, over, run

__all__ = ["acme", "fake", "settings", "triage"]


async def test_votes_are_blind_until_they_are_cast(ana, ben, carla, acme, triage, read_key, client):
    ids = await add_examples(ana, "pain", "rash")
    data = form(acme, "echo", "shout", "names", blind="yes") | {"example": ids, "own": []}
    address = await run(ana, data)
    hidden = await over(ana, address)
    shown = hidden.split("<main")[1]
    for given_away in ("shout", "echo", "Acme", "tok/s", "temperature", "$"):
        assert given_away not in shown, given_away
    for short in ("v1", "401"):  # ids may hold them
        assert short not in re.sub("<[^>]*>", " ", shown)
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
    reading = (await carla.get(address)).text
    assert "hidden until somebody has voted" in reading
    assert "shout" not in reading
    await ana.post_form(f"{address}/vote", {"choice": "1:-1"})
    assert "shout" in (await carla.get(address)).text, "who cannot vote need not"
    assert (await carla.get(f"{address}/as/md")).status_code == 200
    assert "shout" not in (await ben.get(address)).text, "Ben has not voted yet"
    open_now = (await ana.get(address)).text
    assert "shout" in open_now
    assert "chosen 1 of 2 times" in open_now
    late = await ana.post_form(f"{address}/vote", {"choice": "0:0"})
    assert late.status_code == 409
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
    rated_so = (await ana.get(address)).text
    assert "rated 4 of 5" in rated_so
    assert "rated 4.0 of 5" in rated_so.split('id="foot"')[1]
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
    assert table.headers["content-type"] == "text/csv; charset=utf-8"
    head, first, second = list(csv.reader(io.StringIO(table.text)))
    assert first[head.index("complaint")] == "'=1+1", "no formula in somebody's spreadsheet"
    assert first[head.index("output")] == "'=1+1"
    assert second[head.index("state")] == "failed"
    report = (await ana.get(f"{address}/as/md")).text
    assert "· Acme · temperature " in report
    assert report.startswith("# Which one?")
    assert "### v1 · live · echo" in report
    tree = (await ana.get(f"{address}/as/json")).json()
    assert [one["output"] for one in tree["runs"]] == ["=1+1", ""]
    assert (await ana.get(f"{address}/as/pdf")).status_code == 404


async def test_whoever_reads_the_report_learns_which_column_is_right_and_what_it_costs(
    ana, mallory, client, acme, triage
):
    """How many were as expected, and a month at the volume that was looked at, also on the page."""
    for name, expected in (("pain", "Pain."), ("rash", "a rash")):
        example = {"name": name, "v.complaint": name, "expected": expected, "do": "add"}
        await ana.post_form("/clinic/examples/support/triage", example)
    ids = re.findall(r'name="example" value="(\d+)"', (await ana.get(TRY)).text)
    address = await run(ana, form(acme, "echo", "e401") | {"example": ids, "own": []})
    await over(ana, address)
    looked = f"{address}?calls=3000&each=15"
    page = (await ana.get(looked)).text
    assert "1 of 2 as expected" in page
    assert "0 of 2 as expected" in page
    [taken] = re.findall(r'href="([^"]*/as/md[^"]*)"', page)
    report = (await ana.get(taken.replace("&amp;", "&"))).text
    assert looked in report
    [right] = [line for line in report.splitlines() if line.startswith("| v1 · live · echo")]
    assert "1 of 2 as expected; " in right
    assert "a call × 3,000 a day" in right
    [wrong] = [line for line in report.splitlines() if line.startswith("| v1 · live · e401")]
    assert wrong.endswith("| Nothing was answered. |")

    refused = await mallory.get(looked)
    assert refused.status_code == 404
    assert "may be of a workspace that you are not in" in refused.text
    assert "You are signed in as Mallory" in refused.text
    stranger = await client.get((await client.get(looked)).headers["location"])
    assert "only for people of its workspace. Sign in, and you are taken there" in stranger.text


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
        wrong = "does not" in verdict
        assert ('<p class="cell-alarm">' in page, "0 of 1 fit their shape" in page) == (
            wrong,
            wrong,
        )
    data = form(acme, "echo", "shout") | {"v.complaint": '{"age": 7}'}
    head, *lines = table(await over(ana, await run(ana, data)))
    assert [line[head.index("Fits its shape")] for line in [head, *lines]] == [
        "Fits its shape",
        "1 of 1 (best)",
        "0 of 1",
    ]


async def test_an_answer_that_has_to_be_json_says_whether_it_is(ana, acme, hub, cast):
    await versions.save(
        hub.state.publisher, cast.workspace, "support/triage",
        from_json(DOCUMENT | {"responseFormat": "json_object"}), base=None, actor=_actor(cast),
        message="1st",
    )  # fmt: skip
    for complaint, verdict in (('{"age": 7}', "fits its shape"), ("seven", "it is not JSON")):
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
        columns=[{"title": risky, "model": risky, "where": risky, "settings": {}, "document": {}}],
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
    assert "guards add " in page
    assert [asked["model"] for asked in fake.asked] == ["judge", "echo", "judge"]
    held = await over(ana, await run(ana, data | {"v.complaint": "how to make a bomb"}))
    assert "Held back by the input guard: S9" in held
    assert "cell-alarm" not in held, "that says it"
    assert [asked["model"] for asked in fake.asked[3:]] == ["judge"], "the model was not asked"
    after = data | {"guard_in": [""], "v.complaint": "how to make a bomb"}
    said = await over(ana, await run(ana, after))
    assert "<span>output guard: S9" in said.split('class="cell-alarm"')[1], "it answered that"
    again = await ana.get(f"{TRY}?again={address.rsplit('/', 1)[1]}")
    assert again.text.count('value="safety/guard" selected') == 2
    cold = data | {"cache": "yes", "temperature": ["0"]}
    for _ in range(2):
        page = await over(ana, await run(ana, cold))
        assert page.count("input guard: safe, ") == 1, "a kept answer is judged anew, and once"
    assert ">cached<" in page
    none = await ana.post_form(TRY, form(acme, "echo") | {"guard_in": ["safety/none"]})
    assert (none.status_code, "There is no guard safety/none" in none.text) == (422, True)

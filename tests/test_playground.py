"""People try prompts: side by side, streaming, stopping; on endpoints that behave and do not."""

import asyncio
import re

import httpx
import msgspec
import pytest
from sqlalchemy import select, update

from hub.playground.live import RESTARTED, settle
from hub.playground.models import Connection, Grid, Run
from hub.registry import labels, versions
from hub.registry.document import from_json
from tests.cast import on_both_engines
from tests.endpoint import KEY, running_endpoint

DOCUMENT = {
    "name": "Triage",
    "modelParameters": {"temperature": 0.2},
    "messages": [
        {"role": "system", "content": "Sort the call."},
        {"role": "user", "content": "{{ complaint }}"},
    ],
    "variables": [{"name": "complaint", "example": "chest pain"}],
}


@pytest.fixture
def settings(settings):
    """The hub of these tests may talk to the endpoint on loopback."""
    return msgspec.structs.replace(settings, private_hosts="127.0.0.1")


@pytest.fixture
async def fake():
    async with running_endpoint() as endpoint:
        yield endpoint


@pytest.fixture
async def acme(hub, cast, fake, maria):
    """A connection to the endpoint, made by Maria at the front door."""
    models = "echo 200 1000\nslow\ndies\nno-usage\ne401\nhang"
    answer = await maria.post_form(
        "/clinic/models", {"name": "Acme", "base_url": fake.base_url, "key": KEY, "models": models}
    )
    assert answer.status_code == 200
    assert "echo answers" in answer.text
    async with hub.state.database.read() as db:
        return (await db.scalars(select(Connection))).one()


@pytest.fixture
async def triage(hub, cast):
    """`support/triage`: v1 in production, v2 the latest."""
    publisher, actor = hub.state.publisher, _actor(cast)
    first = await versions.save(
        publisher, cast.workspace, "support/triage", from_json(DOCUMENT),
        base=None, actor=actor, message="First",
    )  # fmt: skip
    await labels.move(
        publisher, cast.workspace, "production", "support/triage", 1,
        expected=None, actor=actor, reason="Go",
    )  # fmt: skip
    changed = DOCUMENT | {
        "messages": [*DOCUMENT["messages"][:1], {"role": "user", "content": "Now: {{ complaint }}"}]
    }
    return await versions.save(
        publisher, cast.workspace, "support/triage", from_json(changed | {"id": first.id}),
        base=first.hash, actor=actor, message="Say now",
    )  # fmt: skip


def _actor(cast):
    from hub.people.policy import Actor

    return Actor(kind="operator", name="Maria Santos", email="maria@example.org")


def form(acme, *models: str, source="v2", complaint="pain since noon", **more) -> dict:
    columns = {
        "source": [source] * len(models),
        "model": [f"{acme.id}:{model}" for model in models],
        "temperature": [""] * len(models),
        "max_tokens": [""] * len(models),
        "seed": [""] * len(models),
    }
    return columns | {"own": "yes", "v.complaint": complaint, "do": "run"} | more


async def run(who, data) -> str:
    answer = await who.post_form("/clinic/try/support/triage", data)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


async def over(who, address) -> str:
    """The page once every cell is over: the stream ends then, and the page is static."""
    await who.get(f"{address}/events")
    page = await who.get(address)
    assert "hx-sse:connect" not in page.text
    return page.text


@on_both_engines
async def test_ana_compares_what_is_live_with_the_latest_on_a_remote_model(ana, acme, triage, fake):
    page = await ana.get("/clinic/try/support/triage")
    assert page.status_code == 200
    assert page.text.count('name="source"') == 2  # the latest, and what is live beside it
    assert "chest pain" in page.text
    data = form(acme, "echo", "echo") | {"source": ["v2", "v1"], "seed": ["7", ""]}
    address = await run(ana, data)
    text = await over(ana, address)
    assert "Now: pain since noon" in text
    assert "v1 · live" in text
    assert "this machine" not in text
    assert "temperature 0.2 · seed 7" in text
    assert re.search(r"\d s first", text)
    assert "4 tokens" in text
    assert "$0.0060" in text
    assert fake.asked[-1]["messages"][0]["content"] == "Sort the call."
    assert {asked.get("seed") for asked in fake.asked[-2:]} == {7, None}
    assert fake.headers[-1]["authorization"] == f"bearer {KEY}"


async def test_a_run_is_kept_listed_and_can_be_run_again(ana, carla, acme, triage, fake, hub):
    address = await run(ana, form(acme, "echo"))
    await over(ana, address)
    assert "support/triage" in (await ana.get("/clinic/playground")).text
    again = await ana.post_form(f"{address}/again")
    assert again.status_code == 303
    assert "pain since noon" in await over(ana, again.headers["location"])
    changed = await ana.get(f"/clinic/try/support/triage?again={address.rsplit('/', 1)[1]}")
    assert "pain since noon" in changed.text
    seen = await carla.get(address)  # a viewer sees what was run
    assert "pain since noon" in seen.text
    assert "Run again" not in seen.text


async def test_who_may_run(ana, carla, mallory, client, acme, triage, read_key, rival_key):
    refused = await carla.post_form("/clinic/try/support/triage", form(acme, "echo"))
    assert refused.status_code == 403
    assert "viewer" in (await carla.get("/clinic/try/support/triage")).text
    assert (await mallory.get("/clinic/try/support/triage")).status_code == 404
    address = await run(ana, form(acme, "echo"))
    number = address.rsplit("/", 1)[1]
    await over(ana, address)
    for url in (
        address,
        f"{address}/events",
        f"/rival/grid/{number}",
        f"/rival/grid/{number}/events",
    ):
        assert (await mallory.get(url)).status_code == 404
    assert (await mallory.post_form(f"/rival/grid/{number}/again")).status_code == 404
    assert (await mallory.post_form(f"/rival/grid/{number}/stop")).status_code == 404
    assert (await carla.post_form(f"{address}/stop")).status_code == 403
    assert (await client.get(address)).status_code in (303, 401)
    told = await client.get(f"/api/v1/grids/{number}", headers=read_key)
    assert told.json()["runs"][0]["output"] == "Now: pain since noon"
    assert (await client.get(f"/api/v1/grids/{number}", headers=rival_key)).status_code == 404


@on_both_engines
async def test_stopping_one_cell_reaches_the_endpoint_and_keeps_what_came(
    ana, acme, triage, fake, hub
):
    address = await run(ana, form(acme, "slow", "slow"))
    live = hub.state.playground.live.get(int(address.rsplit("/", 1)[1]))
    while not all("and" in call.output for call in live.calls.values()):
        await asyncio.sleep(0.01)
    page = (await ana.get(address)).text  # reload while it runs: what came so far, and a stream
    assert "Well, then" in page
    assert "hx-sse:connect" in page
    head = await asyncio.wait_for(ana.head(f"{address}/events"), 5)  # the runs go on meanwhile
    assert (head.content, head.headers["content-type"][:17]) == (b"", "text/event-stream")
    stopped = await ana.post_form(f"{address}/stop", {"cell": "0-0-0"})
    assert stopped.status_code == 303
    while not live.calls[0, 0, 0].over:
        await asyncio.sleep(0.01)
    assert live.calls[0, 1, 0].state == "running"
    quiet = await ana.post_form(f"{address}/stop", headers={"HX-Request": "true"})
    assert quiet.status_code == 204
    text = await over(ana, address)
    assert text.count(">stopped<") == 2
    assert "Well, then" in text
    async with asyncio.timeout(2):
        while len(fake.hung_up) < 2:
            await asyncio.sleep(0.01)


async def test_an_endpoint_that_dies_keeps_the_text_and_says_so(ana, acme, triage):
    text = await over(ana, await run(ana, form(acme, "dies", "e401", "no-usage")))
    assert "Well, then" in text
    assert "broke in the middle" in text
    assert "does not accept the key" in text
    assert "about" in text  # estimated tokens
    assert KEY not in text


async def test_the_stream_carries_text_and_ends(ana, acme, triage):
    address = await run(ana, form(acme, "echo", complaint="<b>&\n\n bold\r\n line"))
    stream = await ana.get(f"{address}/events")
    assert stream.headers["content-type"].startswith("text/event-stream")
    assert "&lt;b&gt;&amp;" in stream.text
    assert "<b>" not in stream.text
    assert stream.text.endswith("event: done\ndata: done\n\n")
    for line in stream.text.splitlines():
        assert line == "" or line.startswith(("data: ", "event: ", ":"))
    over_already = await ana.get(f"{address}/events")
    assert "&lt;b&gt;&amp;" in over_already.text
    assert over_already.text.endswith("event: done\ndata: done\n\n")


async def test_what_was_typed_is_kept_when_it_cannot_run(ana, acme, triage):
    for change, sentence in (
        ({"temperature": ["hot"]}, "Column 1: temperature has to be a number from 0 to 2."),
        ({"max_tokens": ["0"]}, "whole number from 1"),
        ({"seed": ["x"]}, "the seed has to be"),
        ({"model": ["99:gone"]}, "choose a model"),
        ({"source": ["v99"]}, "choose a version"),
        ({"own": None}, "Choose at least one example"),
    ):
        data = {key: value for key, value in (form(acme, "echo") | change).items() if value}
        answer = await ana.post_form("/clinic/try/support/triage", data)
        assert answer.status_code == 422
        assert sentence in answer.text.replace("&#39;", "'")
        assert "pain since noon" in answer.text


async def test_columns_are_added_copied_and_removed_without_javascript(ana, acme, triage):
    data = form(acme, "echo")
    more = await ana.post_form("/clinic/try/support/triage", data | {"do": "copy:0"})
    assert more.text.count('name="source"') == 2
    two = {key: value * 2 if isinstance(value, list) else value for key, value in data.items()}
    fewer = await ana.post_form("/clinic/try/support/triage", two | {"do": "remove:1"})
    assert fewer.text.count('name="source"') == 1
    assert "pain since noon" in fewer.text


async def test_a_variable_without_a_value_is_named(ana, acme, triage):
    data = form(acme, "echo", complaint="")
    text = await over(ana, await run(ana, data))
    assert "no value yet: complaint" in text


async def test_six_columns_by_five_rows(ana, acme, triage, hub, cast):
    ids = []
    for number in range(5):
        await ana.post_form(
            "/clinic/examples/support/triage", {"do": "save", "v.complaint": f"case {number}"}
        )
    page = (await ana.get("/clinic/try/support/triage")).text
    ids = re.findall(r'name="example" value="(\d+)"', page)
    data = form(acme, *["echo"] * 6) | {"example": ids}
    del data["own"]
    text = await over(ana, await run(ana, data))
    assert text.count('data-state="done"') == 30
    assert all(f"Now: case {number}" in text for number in range(5))
    async with hub.state.database.read() as db:
        assert len(set(await db.scalars(select(Run.state)))) == 1


async def test_a_hostile_template_does_not_block_the_hub(ana, acme, triage, hub, cast, fake):
    bomb = "{% for a in r %}{% for b in r %}{% for c in r %}x{% endfor %}{% endfor %}{% endfor %}"
    await versions.save(
        hub.state.publisher, cast.workspace, "support/bomb",
        from_json({"name": "B", "messages": [{"role": "user", "content": bomb}],
                   "variables": [{"name": "r", "type": "list"}]}),
        base=None, actor=_actor(cast), message="Boom",
    )  # fmt: skip
    data = form(acme, "echo", source="v1") | {"v.r": str(list(range(900)))}
    asking = asyncio.create_task(ana.post_form("/clinic/try/support/bomb", data))
    answers = [await ana.get("/healthz") for _ in range(5)]
    assert {answer.status_code for answer in answers} == {200}
    address = (await asking).headers["location"]
    text = await over(ana, address)
    assert 'data-state="failed"' in text
    assert not [asked for asked in fake.asked if asked["messages"][-1]["content"] == bomb]


async def test_a_draft_is_run_before_it_is_a_version(ana, acme, triage, hub, cast):
    from hub.registry import drafts

    async with hub.state.database.write() as db:
        tree = DOCUMENT | {"messages": [{"role": "user", "content": "Draft says {{ complaint }}"}]}
        await drafts.put(
            db, cast.workspace.id, cast.account_ids["ana"], triage.id, tree,
            name="support/triage", base=triage.hash, base_version=2,
        )  # fmt: skip
    assert "Your draft" in (await ana.get("/clinic/try/support/triage")).text
    text = await over(ana, await run(ana, form(acme, "echo", source="draft")))
    assert "Draft says pain since noon" in text


async def test_a_draft_that_is_not_valid_yet_breaks_no_page(ana, acme, triage, hub, cast):
    from hub.registry import drafts

    nonsense = (
        {"messages": [{"role": "user"}, {"content": 3}, "x"], "variables": ["y", {"type": "text"}]},
        {"messages": None, "modelParameters": [1], "variables": {"a": {}}},
    )
    for tree in nonsense:
        async with hub.state.database.write() as db:
            await drafts.put(
                db, cast.workspace.id, cast.account_ids["ana"], triage.id, tree,
                name="support/triage", base=triage.hash, base_version=2,
            )  # fmt: skip
        for page in ("try", "examples"):
            assert (await ana.get(f"/clinic/{page}/support/triage")).status_code == 200
        text = await over(ana, await run(ana, form(acme, "echo", source="draft")))
        assert 'data-state="failed"' in text
        assert "on our side" not in text


async def test_the_form_asks_for_what_any_chosen_version_needs(ana, acme, triage, hub, cast):
    changed = DOCUMENT | {"id": triage.id, "model": "gpt-nobody-has", "variables": []}
    changed["messages"] = [{"role": "user", "content": "{{ language }}: {{ complaint }}"}]
    await versions.save(
        hub.state.publisher, cast.workspace, "support/triage", from_json(changed),
        base=triage.hash, actor=_actor(cast), message="In a language",
    )  # fmt: skip
    page = (await ana.get("/clinic/try/support/triage")).text
    assert 'name="v.language"' in page
    assert 'name="v.complaint"' in page
    assert "gpt-nobody-has" in page  # nothing here offers it, and the page says so


async def test_what_ran_when_the_hub_was_killed_is_marked(ana, acme, triage, hub, monkeypatch):
    monkeypatch.setattr("hub.playground.live.LINGERS", 0)
    address = await run(ana, form(acme, "echo"))
    await over(ana, address)
    async with hub.state.database.write() as db:  # as a killed hub leaves it
        await db.execute(update(Grid).values(state="running", finished_at=None))
        await db.execute(update(Run).values(state="running", output="Half an"))
    assert await settle(hub.state.database) == 1
    text = (await ana.get(address)).text
    assert RESTARTED.split(".")[0] in text
    assert "Half an" in text


async def test_a_connection_that_was_removed_fails_its_column_with_a_sentence(
    ana, maria, acme, triage
):
    address = await run(ana, form(acme, "echo"))
    await over(ana, address)
    await maria.post_form(f"/clinic/models/{acme.id}/remove")
    again = await ana.post_form(f"{address}/again")
    assert "connection Acme was removed" in await over(ana, again.headers["location"])


async def test_a_grid_stopped_at_once_is_stopped(ana, acme, triage, hub):
    live = hub.state.playground.live
    started, live.start = live.start, lambda *given: (started(*given), live.stop(given[0]))
    text = await over(ana, await run(ana, form(acme, "slow", "echo")))
    assert text.count('data-state="stopped"') == 2


async def test_three_pages_watch_one_grid_and_the_late_one_misses_nothing(ana, acme, triage, hub):
    address = await run(ana, form(acme, "slow"))
    grid = hub.state.playground.live.get(int(address.rsplit("/", 1)[1]))
    watchers = [asyncio.create_task(ana.get(f"{address}/events")) for _ in range(2)]
    while grid.calls[0, 0, 0].output.count("and") < 5:
        await asyncio.sleep(0.01)
    watchers.append(asyncio.create_task(ana.get(f"{address}/events")))
    await asyncio.sleep(0.1)
    await ana.post_form(f"{address}/stop")
    texts = [_text(await watcher) for watcher in watchers]
    assert texts[0] == texts[1] == texts[2] == grid.calls[0, 0, 0].output


def _text(stream: httpx.Response) -> str:
    """What a browser would show in the one cell."""
    shown = ""
    for event in stream.text.split("\n\n"):
        html = "\n".join(line[6:] for line in event.split("\n") if line.startswith("data: "))
        whole = re.search(r'id="answer-0-0-0"[^>]*>(.*?)</div>', html, re.S)
        more = re.search(r'hx-target="#answer-0-0-0"[^>]*>(.*?)</hx-partial>', html, re.S)
        shown = whole[1] if whole else shown + (more[1] if more else "")
    return shown

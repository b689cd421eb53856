"""What happens to a run: it is stopped, its hub is killed, several watch it, it is a draft's."""

import asyncio
import re

import httpx
from sqlalchemy import update

from hub.playground.live import RESTARTED, settle
from hub.playground.models import Grid, Run
from hub.registry import versions
from hub.registry.prompt.document import from_json
from tests.cast import on_both_engines
from tests.endpoint import KEY
from tests.test_playground import DOCUMENT, _actor, acme, fake, form, over, run, settings, triage

__all__ = ["acme", "fake", "settings", "triage"]


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
    head = await asyncio.wait_for(ana.head(f"{address}/events"), 60)  # the runs go on meanwhile
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
    async with asyncio.timeout(60):
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

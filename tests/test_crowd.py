"""Many press Run at once, and large grids are opened: everybody else's pages go on."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import insert

from hub.front import Front
from hub.playground.courtesy import Courtesy
from hub.playground.models import Grid, Run
from hub.playground.room import CROWD
from tests.cast import Browser, Cast

ROWS, SAMPLES = 30, 20


@pytest.fixture
async def large(hub: Front, cast: Cast) -> int:
    """A grid of six hundred answers, as it was run last week."""
    from hub.db import now

    column = {
        "source": "v1", "version": 1, "title": "v1", "choice": "1:m", "model": "m",
        "where": "Acme", "settings": {}, "document": {"messages": []}, "snippets": {},
    }  # fmt: skip
    rows = [{"name": f"case {at}", "variables": {}, "expected": None} for at in range(ROWS)]
    async with hub.state.database.write() as db:
        grid = Grid(
            workspace_id=cast.workspace.id, prompt_id="p", prompt_name="support/triage",
            columns=[column], rows=rows, state="done", created_by="Ana", created_at=now(),
            options={"samples": SAMPLES},
        )  # fmt: skip
        db.add(grid)
        await db.flush()
        shared = {"grid_id": grid.id, "workspace_id": cast.workspace.id, "column": 0,
                  "state": "done", "request": {}, "model": "m", "connection": "Acme"}  # fmt: skip
        runs = [
            shared | {"row": row, "sample": sample, "output": f"answer {sample} " * 40}
            for row in range(ROWS)
            for sample in range(SAMPLES)
        ]
        await db.execute(insert(Run), runs)
        return grid.id


async def worked(work: Any) -> tuple[float, float, Any]:
    """The longest stretch without others, and all of it, in processor time; and what came of it."""
    task, first = asyncio.ensure_future(work), time.thread_time()
    most = 0.0
    gc.disable()  # it takes its time when it likes, from whoever is at it
    try:
        while not task.done():
            begun = time.thread_time()
            await asyncio.sleep(0)
            most = max(most, time.thread_time() - begun)
    finally:
        gc.enable()
    return most, time.thread_time() - first, await task


async def leaves_turns(ana: Browser, address: str) -> Any:
    """What it answered. What keeps others waiting does so each time, a busy machine once."""
    for _ in range(4):
        held, took, answer = await worked(ana.get(address))
        if held < took / 4:
            return answer
    pytest.fail(f"{address}: {held} s of {took} s in one go")


async def test_who_opens_six_hundred_answers_leaves_others_their_turn(
    ana: Browser, large: int
) -> None:
    await ana.get(f"/clinic/grid/{large}")  # templates are compiled
    page = await leaves_turns(ana, f"/clinic/grid/{large}")
    assert page.text.count('class="cell"') == ROWS * SAMPLES
    told = await leaves_turns(ana, f"/clinic/grid/{large}/events")
    assert told.text.count('class="cell"') == ROWS * SAMPLES
    assert told.text.rstrip().endswith("data: done")


async def test_two_at_a_time_and_who_sends_slowly_keeps_nobody_waiting(
    hub: Front, ana: Browser, large: int
) -> None:
    crowd: asyncio.Semaphore = hub.state.playground.crowd
    token, sent = await ana.token(), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield b"seeds=old&_csrf_"
        await sent.wait()
        yield f"token={token}".encode()

    headers = {
        "Origin": "https://hub.test", "Content-Type": "application/x-www-form-urlencoded",
        "X-CSRFToken": token,
    }  # fmt: skip
    slow = [
        asyncio.create_task(
            ana.post(f"/clinic/grid/{large}/again", content=slowly(), headers=headers)
        )
        for _ in range(CROWD)
    ]
    await asyncio.sleep(0.1)
    assert not crowd.locked(), "nobody holds a place while their form is on its way"
    assert (await ana.get(f"/clinic/grid/{large}")).status_code == 200
    for _ in range(CROWD):
        await crowd.acquire()
    waiting = asyncio.create_task(ana.get(f"/clinic/grid/{large}"))
    await asyncio.sleep(0.1)
    assert (await ana.get("/clinic/playground")).status_code == 200
    assert not waiting.done()
    for _ in range(CROWD):
        crowd.release()
    assert (await waiting).status_code == 200
    sent.set()
    assert [one.status_code for one in await asyncio.gather(*slow)] == [303, 303]
    nobody = await ana.get("/clinic/grid/999999")
    assert (nobody.status_code, crowd.locked()) == (404, False)


async def test_what_waits_behind_pages_goes_one_by_one_and_is_never_stopped_by_them() -> None:
    courtesy, begun = Courtesy(), []

    async def behind(name: int) -> None:
        await courtesy.turn()
        begun.append(name)

    tasks = [asyncio.create_task(behind(name)) for name in range(40)]
    most = 0
    async with asyncio.timeout(60):
        while len(begun) < 20:
            before = len(begun)
            await asyncio.sleep(0)
            most = max(most, len(begun) - before)
        assert most == 1, "each in a round of the loop of its own"
        done = courtesy.page()
        tasks[30].cancel()  # somebody leaves the line
        await asyncio.wait(tasks)
    assert begun == [name for name in range(40) if name != 30], "in the order they came"
    done()
    assert not courtesy.waited_for


async def test_a_page_counts_as_waited_for_until_its_answer_begins(
    hub: Front, ana: Browser, large: int
) -> None:
    courtesy: Courtesy = hub.state.playground.courtesy

    async def look(address: str) -> int:
        """How many rounds of the loop found somebody waiting."""
        found, task = 0, asyncio.create_task(ana.get(address))
        while not task.done():
            await asyncio.sleep(0)
            found += courtesy.waited_for
        await task
        assert not courtesy.waited_for, address
        return found

    assert await look("/clinic/prompts") > 0
    assert await look("/clinic/prompts/support/nothing-here") > 0
    assert await look("/clinic/nothing-here") == 0
    assert await look("/api/v1/prompts") == 0, "programs are not people"
    assert await look(f"/clinic/grid/{large}") < 20, "it steps aside itself"
    assert await look(f"/clinic/grid/{large}/events") < 20

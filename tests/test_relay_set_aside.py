"""What calls may come to is set aside before they begin: together they never pass the limit."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub.db import Database, now
from hub.front import Front
from hub.people.accounts import OPERATOR
from hub.people.policy import WorkspaceRef
from hub.playground.calls import Call
from hub.playground.relay import budget
from hub.playground.relay.budget import Busy, Held, UsedUp
from hub.playground.relay.models import RelayDay
from hub.playground.relay.sizes import Fits
from hub.registry.reading.record import VersionView
from tests.cast import copy_template, on_both_engines
from tests.endpoint import FakeEndpoint
from tests.git_people import beside
from tests.serving import Server, free_port, serve, start, wait_until_ready
from tests.test_mcp_door import move, save
from tests.test_relay import calls, connect, endpoint, new_key, set_up

__all__ = ["endpoint"]
ROOT = Path(__file__).resolve().parent.parent
ASK = {"prompt": {"id": "mail/silent"}, "model": "slow", "stream": True}
RESERVING = """
import asyncio, json, sys
from hub.db import Database, now
from hub.errors import HubError
from hub.people.policy import WorkspaceRef
from hub.playground.relay import budget
from hub.playground.relay.sizes import Fits
from hub.registry.reading.record import VersionView

def view():
    return VersionView(
        prompt_id="p_aaaaaaaaaaaa", name="mail/silent", number=1, head=1, hash="", commit="",
        author="Ana", author_email="", message="", created_at=now(), label=None, labels=[],
        raw=b"{}", snippets={})

async def main(url, workspace_id, times):
    database = Database(url, guest=True)
    place, taken = WorkspaceRef(id=workspace_id, slug="clinic", name="Clinic"), 0
    for _ in range(times):
        try:
            async with database.write() as db:
                await budget.reserve(db, place, "akey", view(), Fits(10, 0.001, 5))
            taken += 1
        except HubError:
            pass
    await database.close()
    print(json.dumps(taken))

asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
"""


def view() -> VersionView:
    return VersionView(
        prompt_id="p_aaaaaaaaaaaa", name="mail/silent", number=1, head=1, hash="", commit="",
        author="Ana", author_email="", message="", created_at=now(), label=None, labels=[],
        raw=b"{}", snippets={},
    )  # fmt: skip


async def opened(database: Database, workspace: WorkspaceRef, **limits: str) -> None:
    async with database.write() as db:
        given = {"tokens": "", "usd": ""} | limits
        await budget.set_up(db, workspace, open=True, actor=OPERATOR, **given)


@on_both_engines
async def test_processes_that_reserve_at_once_share_out_what_is_left(
    hub: Front, workspace: WorkspaceRef
):
    database: Database = hub.state.database
    await opened(database, workspace, tokens="305")
    command = [sys.executable, "-c", RESERVING, database.url, str(workspace.id), "20"]
    running = [
        await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=subprocess.PIPE)
        for _ in range(3)
    ]
    said = [json.loads((await one.communicate())[0]) for one in running]
    assert sum(said) == 30  # of 60; ten tokens each
    async with database.read() as db:
        (day,) = await budget.used_today(db, workspace.id)
    assert (day.tokens, day.held_tokens, day.calls) == (0, 300, 0)
    async with database.write() as db:
        with pytest.raises(Busy, match="set aside for calls that have begun"):
            await budget.reserve(db, workspace, "akey", view(), Fits(10, 0, 5))
    async with database.write() as db:
        with pytest.raises(UsedUp, match="may use 305 tokens a day and has used 0"):
            await budget.reserve(db, workspace, "other", view(), Fits(306, 0, 5))


@on_both_engines
async def test_what_was_used_takes_the_place_of_what_was_set_aside(
    hub: Front, workspace: WorkspaceRef
):
    database: Database = hub.state.database
    await opened(database, workspace, usd="1")
    one = Fits(100, 0.25, 90)

    async def call(came: int) -> None:
        async with database.write() as db:
            id = await budget.reserve(db, workspace, "akey", view(), one)
        over = Call(lambda: None, model="echo", connection="Acme")
        over.tokens_in, over.tokens_out, over.cost_usd = came, 5, 0.125
        over.end("done")
        async with database.write() as db:
            await budget.settle(db, id, one, over)

    await asyncio.gather(*(call(came) for came in (1, 2, 3, 4)))
    async with database.write() as db:
        (day,) = await budget.used_today(db, workspace.id)
        assert (day.calls, day.tokens, day.usd) == (4, 30, 0.5)
        assert (day.held_tokens, day.held_usd) == (0, 0)
        await budget.forget_old(db, workspace.id)
        assert await db.get(RelayDay, ("akey", day.day))


def test_a_process_has_so_many_calls_of_a_key():
    held = Held()
    for _ in range(budget.MOST_AT_ONCE):
        held.take("a")
    with pytest.raises(Busy, match="16 calls running"):
        held.take("a")
    held.take("b")
    held.give_back("a")
    held.take("a")


@pytest.fixture
def data(tmp_path: Path, migrated: Path) -> Path:
    copy_template(migrated, tmp_path / "data")
    return tmp_path / "data"


def prepare(server: Server, endpoint: FakeEndpoint) -> None:
    save(server, "mail/silent", {"messages": [{"role": "user", "content": "Hi"}]})
    move(server, "mail/silent", 1)
    beside(server, lambda database: connect(database, server, endpoint))


def used(server: Server) -> RelayDay:
    async def work(database: Database) -> RelayDay:
        async with database.read() as db:
            (day,) = await budget.used_today(db, server.cast.workspace.id)
        return day

    return beside(server, work)


def all_at_once(server: Server, key: str, stack: ExitStack, count: int, **more: Any) -> list[Any]:
    """Calls that stay open, begun in the same moment; the answers, errors read."""
    found: list[Any] = []
    ready = threading.Barrier(count)

    def ask() -> None:
        client = stack.enter_context(httpx.Client(timeout=60))
        request = client.build_request(
            "POST", f"{server.url}/v1/responses", json=ASK | more,
            headers={"Authorization": f"Bearer {key}"},
        )  # fmt: skip
        ready.wait()
        answer = client.send(request, stream=True)
        if answer.status_code != 200:
            answer.read()
        stack.callback(answer.close)
        found.append(answer)

    threads = [threading.Thread(target=ask) for _ in range(count)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return found


def test_calls_at_once_do_not_pass_the_limit_nor_does_a_kill_forget_them(
    data: Path, endpoint: FakeEndpoint
):
    allowed = f"127.0.0.1:{endpoint.port}"
    with serve(data, free_port(), private_hosts=allowed) as server, ExitStack() as stack:
        prepare(server, endpoint)
        set_up(server, tokens="3700")
        key = new_key(server, "many")
        found = all_at_once(server, key, stack, 12, max_output_tokens=1000)
        assert sorted(one.status_code for one in found) == [200] * 3 + [429] * 9
        refused = next(one for one in found if one.status_code == 429)
        assert "is set aside for calls that have begun" in refused.json()["error"]["message"]
        assert "x-should-retry" not in refused.headers  # a moment later there may be room
        held = used(server).held_tokens
        assert 3000 <= held <= 3500
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
        with start(server.settings) as again:
            wait_until_ready(server.url, again)
            # Nobody knows what they cost: they count with what was set aside, until midnight.
            assert used(server).held_tokens == held
            assert [one.state for one in calls(server)] == ["running"] * 3
            (refused,) = all_at_once(server, key, stack, 1, max_output_tokens=1000)
            assert refused.status_code == 429
            # What is left beside them can be used.
            (fitting,) = all_at_once(
                server, key, stack, 1, max_output_tokens=20, model="echo", stream=False
            )
            assert fitting.status_code == 200
            assert (used(server).tokens, used(server).held_tokens) == (11, held)


def test_who_leaves_in_the_middle_pays_what_was_set_aside_and_an_endless_answer_is_cut(
    data: Path, endpoint: FakeEndpoint
):
    allowed = f"127.0.0.1:{endpoint.port}"
    with serve(data, free_port(), private_hosts=allowed) as server:
        prepare(server, endpoint)
        set_up(server, tokens="100000")
        key = new_key(server, "leaves")
        with ExitStack() as stack:
            (answer,) = all_at_once(server, key, stack, 1, max_output_tokens=1000)
            next(line for line in answer.iter_lines() if "delta" in line)
        settled(server, 1)
        assert 1000 <= used(server).tokens <= 1200
        # This endpoint talks for ever, whatever limit it is given.
        with ExitStack() as stack:
            (answer,) = all_at_once(server, key, stack, 1, max_output_tokens=20)
            last = [json.loads(one[6:]) for one in answer.iter_lines() if one.startswith("data:")]
        assert last[-1]["type"] == "response.incomplete"
        assert last[-1]["response"]["incomplete_details"] == {"reason": "max_output_tokens"}
        settled(server, 2)
        assert calls(server)[-1].finish_reason == "length"


def settled(server: Server, count: int) -> None:
    deadline = time.monotonic() + 60
    while used(server).calls < count:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert used(server).held_tokens == 0

"""More of the list with the real hub at the other end, everything through the bad wire."""

import asyncio
import threading
import time

import pytest

import sdk
from hub.people import keys
from hub.people.accounts import OPERATOR
from hub.registry import index
from tests.contract.proxy import Proxy
from tests.contract.real import QUICK, release, released, until
from tests.contract.running import PRELUDE, run
from tests.listening import beside

STATUSES = [400, 401, 403, 404, 408, 429, 500, 503]


@pytest.fixture
def wire(server):
    with Proxy(server.settings.port) as proxy:
        yield proxy


@pytest.fixture
def live(api, wire, real):
    """A client that is live, its wire between."""

    def live(name, **more):
        released(api, name, "One {{ name }}", "Two {{ name }}")
        hub = real(wire.url, **more)
        assert hub.get_prompt(name).version == 1
        until(lambda: hub.status().state == "live")
        return hub

    return live


def test_04_a_hundred_cold_readers_make_one_request(api, wire, real):
    released(api, "more/herd", "One")
    hub, found, gate = real(wire.url, stream=False), [], threading.Barrier(100)

    def read():
        gate.wait()
        found.append(hub.get_prompt("more/herd").version)

    threads = [threading.Thread(target=read) for _ in range(100)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert (found, wire.snapshots) == ([1] * 100, 1)


@pytest.mark.parametrize("mood", ["refuse", "hang", "page", "status 500"])
def test_06_09_a_start_without_the_hub(live, wire, real, tmp_path, mood):
    name = f"more/start-{mood.replace(' ', '-')}"
    first = live(name, snapshot=tmp_path)
    until(lambda: list(tmp_path.glob("*.json")))
    first.close(2)
    wire.mood = mood
    began = time.monotonic()
    second = real(wire.url, snapshot=tmp_path, boot_wait=1)
    assert (second.get_prompt(name).version, second.get_prompt(name).source) == (1, "snapshot")
    assert time.monotonic() - began < 0.5
    bare = real(wire.url, boot_wait=0.3)
    began = time.monotonic()
    with pytest.raises(sdk.PromptUnavailable, match="nothing was kept"):
        bare.get_prompt(name)
    assert time.monotonic() - began < 0.3 + 0.5
    wire.mood = "pass"
    wire.cut()
    until(lambda: second.status().state == "live")


def test_17_it_comes_back_to_its_place_and_gets_the_gap(live, wire, api):
    hub, asked = live("more/gap"), wire.snapshots
    wire.mood = "refuse"
    release(api, "more/gap", 2)
    released(api, "more/gap-new", "New")
    wire.mood = "pass"
    until(lambda: hub.get_prompt("more/gap").version == 2)
    assert hub.get_prompt("more/gap-new").version == 1
    assert hub.get_prompt("more/gap").source == "stream" or wire.snapshots > asked


def test_19_a_rebuilt_hub_is_another_epoch(live, server, api):
    hub = live("more/epoch")
    before = hub.status().epoch

    async def rebuild(parts, workspace):
        repository = parts.publisher.repository(workspace.slug)
        await index.reindex(parts.database, repository, workspace.id)

    beside(server.settings, "clinic", rebuild)
    until(lambda: hub.status().epoch != before)
    assert hub.get_prompt("more/epoch").version == 1
    release(api, "more/epoch", 2)
    until(lambda: hub.get_prompt("more/epoch").version == 2)


@pytest.mark.parametrize("status", STATUSES)
def test_27_29_no_status_takes_anything_away(live, wire, api, status):
    name = f"more/status-{status}"
    hub = live(name)
    wire.mood = f"status {status}"
    release(api, name, 2)
    until(lambda: hub.status().state != "live")
    ends = time.monotonic() + 0.5
    while time.monotonic() < ends:
        assert hub.get_prompt(name).version == 1
        time.sleep(0.01)
    wire.mood = "pass"
    wire.cut()
    until(lambda: hub.get_prompt(name).version == 2)
    until(lambda: hub.status().state == "live")


def test_28_a_revoked_key_keeps_what_there_is_until_there_is_another(api, server, wire):
    released(api, "more/key", "One", "Two")
    made = []

    async def issue(parts, workspace):
        async with parts.database.write() as db:
            made.append(await keys.create(db, workspace, f"k{len(made)}", "read", actor=OPERATOR))

    async def revoke(parts, workspace):
        async with parts.database.write() as db:
            await keys.revoke(db, workspace.id, made[0].id, actor=OPERATOR)

    beside(server.settings, "clinic", issue)
    hub = sdk.Hub(wire.url, lambda: made[-1].token, snapshot=None, boot_wait=20, timing=QUICK)
    assert hub.get_prompt("more/key").version == 1
    until(lambda: hub.status().state == "live")
    beside(server.settings, "clinic", revoke)
    until(lambda: hub.status().state == "refused")
    release(api, "more/key", 2)
    assert hub.get_prompt("more/key").version == 1
    beside(server.settings, "clinic", issue)
    until(lambda: hub.get_prompt("more/key").version == 2)
    hub.close(2)


def test_31_a_child_of_a_fork_follows(live, server, api, wire):
    live("more/fork")
    code = PRELUDE + (
        "assert hub.get_prompt('more/fork').version == 1 and hub.wait_ready(20)\n"
        "pid = os.fork()\n"
        "if not pid:\n"
        "    os._exit(0 if until(lambda: hub.get_prompt('more/fork').version == 2) else 1)\n"
        "print(os.waitpid(pid, 0)[1], until(lambda: hub.get_prompt('more/fork').version == 2))\n"
    )
    threading.Timer(2.5, release, (api, "more/fork", 2)).start()
    assert run(code, wire.url, server.cast.read_key).split() == ["0", "True"]


@pytest.mark.parametrize("mood", ["pass", "hang", "half", "status 503"])
def test_32_33_loops_and_ends(live, wire, mood):
    name = f"more/end-{mood.replace(' ', '-')}"
    hub = live(name)

    async def read():
        return [(await hub.aget_prompt(name)).version for _ in range(100)]

    wire.mood = mood
    began = time.monotonic()
    assert asyncio.run(read()) == [1] * 100
    assert asyncio.run(read()) == [1] * 100  # another loop
    hub.close(0.5)
    assert time.monotonic() - began < 2
    assert hub.get_prompt(name).version == 1


def test_35_too_old_is_raised_and_comes_back(live, wire):
    hub = live("more/old", max_stale=0.5, on_stale="raise")
    wire.mood = "refuse"

    def raises():
        try:
            hub.get_prompt("more/old")
        except sdk.PromptUnavailable as error:
            return "max_stale" in str(error)
        return False

    until(raises)
    wire.mood = "pass"
    until(lambda: not raises())


def test_36_37_wrong_names_and_variables(live, wire):
    hub = live("more/names")
    asked = wire.snapshots
    for _ in range(50):
        with pytest.raises(sdk.PromptNotFound, match=r"Did you mean more/names\?"):
            hub.get_prompt("more/nmaes")
    assert wire.snapshots == asked
    with pytest.raises(sdk.MissingVariables) as caught:
        hub.get_prompt("more/names").text()
    assert caught.value.names == ("name",)


def test_a_split_gives_a_key_the_same_version_in_every_program(live, api, real):
    first, second = live("more/split"), real()
    body = {"version": 2, "share": 30, "reason": "Some first"}
    assert api.put("/api/v1/labels/production/more/split", json=body).status_code == 200
    until(lambda: len(first.get_prompt("more/split").shares) == 2)
    users = [f"user-{number}" for number in range(200)]
    found = [first.get_prompt("more/split", key=one).version for one in users]
    assert 30 < found.count(2) < 90
    second.get_prompt("more/split")
    until(lambda: len(second.get_prompt("more/split").shares) == 2)
    assert [second.get_prompt("more/split", key=one).version for one in users] == found
    assert first.get_prompt("more/split").version == 1

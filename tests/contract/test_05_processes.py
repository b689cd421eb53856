"""31–34: forks, event loops, ends."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

import httpx
import pytest

import sdk
from tests.contract.fake_hub import KEY
from tests.contract.faults import hang
from tests.contract.proxy import FAULTS
from tests.contract.running import PRELUDE, ROOT, beats, run, until
from tests.serving import free_port


def test_31_a_plain_fork_with_a_lock_held(far):
    code = PRELUDE + (
        "handle = hub.prompt('a/b')\n"
        "assert handle.current.version >= 1 and hub.wait_ready(60)\n"
        "hub.shelf.lock.acquire()\n"
        "pid = os.fork()\n"
        "if not pid:\n"
        "    ok = handle.current.version >= 1 and hub.get_prompt('a/b').version >= 1\n"
        "    os._exit(0 if ok and until(lambda: hub.get_prompt('a/b').version == 2\n"
        "        and handle.current.version == 2) else 1)\n"
        "hub.shelf.lock.release()\n"
        "print('forked', flush=True)\n"
        "_, status = os.waitpid(pid, 0)\n"
        "assert until(lambda: hub.get_prompt('a/b').version == 2)\n"
        "print(status, until(lambda: hub.status().state == 'live'))\n"
    )
    threading.Timer(1.5, far.release, ("a/b", "Two", 2)).start()
    assert run(code, far.url, KEY).split() == ["forked", "0", "True"]


@pytest.mark.parametrize("method", ["fork", "forkserver"])
def test_31_worker_processes_of_multiprocessing(far, tmp_path, method):
    program = tmp_path / "program.py"
    program.write_text(
        "import multiprocessing, sys, time, warnings\n"
        "warnings.simplefilter('ignore', DeprecationWarning)\n"
        "import sdk\n"
        "hub = sdk.Hub(sys.argv[1], sys.argv[2], snapshot=None, boot_wait=60)\n"
        "def work(number):\n"
        "    end = time.monotonic() + 60\n"
        "    while hub.get_prompt('a/b').version != 2 and time.monotonic() < end:\n"
        "        time.sleep(0.01)\n"
        "    return hub.get_prompt('a/b').version\n"
        "if __name__ == '__main__':\n"
        "    hub.get_prompt('a/b')\n"
        f"    with multiprocessing.get_context({method!r}).Pool(2) as pool:\n"
        "        print(pool.map(work, range(4)))\n"
    )
    threading.Timer(1.5, far.release, ("a/b", "Two", 2)).start()
    done = subprocess.run(
        [sys.executable, program, far.url, KEY], capture_output=True, text=True, timeout=110,
        env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False,
    )  # fmt: skip
    assert done.stdout.strip() == "[2, 2, 2, 2]", done.stderr


def test_31_workers_of_a_preloading_server_each_follow(far):
    """As gunicorn --preload does: load the program, fork workers, replace those that die."""
    code = PRELUDE + (
        "hub.get_prompt('a/b'); hub.wait_ready(60)\n"
        "def worker():\n"
        "    pid = os.fork()\n"
        "    if pid: return pid\n"
        "    sys.stdout.flush()\n"
        "    os._exit(0 if until(lambda: hub.get_prompt('a/b').version == 2) else 1)\n"
        "pids = [worker() for _ in range(3)]\n"
        "print('forked', flush=True)\n"
        "codes = [os.waitpid(pid, 0)[1] for pid in pids]\n"
        "codes.append(os.waitpid(worker(), 0)[1])\n"
        "print(codes, hub.get_prompt('a/b').version)\n"
    )
    threading.Timer(1.5, far.release, ("a/b", "Two", 2)).start()
    assert run(code, far.url, KEY).splitlines() == ["forked", "[0, 0, 0, 0] 2"]


GUNICORN = """
import os, sys
import sdk
hub = sdk.Hub(os.environ["HUB"], os.environ["KEY"], snapshot=None, boot_wait=60)
assert hub.get_prompt("a/b").version == 1 and hub.wait_ready(60)  # in the master, before any fork
MASTER = os.getpid()
def app(environ, start_response):
    made = f"{os.getpid()} {MASTER} {hub.get_prompt('a/b').version}".encode()
    start_response("200 OK", [("Content-Length", str(len(made)))])
    return [made]
"""


def test_31_gunicorn_with_its_program_preloaded(far, tmp_path):
    (tmp_path / "program.py").write_text(GUNICORN)
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "--preload", "--workers", "3", "--bind",
         f"127.0.0.1:{port}", "--log-level", "warning", "--no-control-socket",
         "program:app"],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": f"{ROOT}:{tmp_path}", "HUB": far.url,
                                        "KEY": KEY},
    )  # fmt: skip
    said: dict[str, str] = {}
    roots: set[str] = set()

    def ask() -> bool:
        """Ask until three workers have answered with the version."""
        with suppress(httpx.TransportError):
            pid, master, version = httpx.get(f"http://127.0.0.1:{port}", timeout=60).text.split()
            said[pid] = version
            roots.add(master)
        return len(said) >= 3 and len(set(said.values())) == 1

    try:
        until(ask)
        assert roots == {str(process.pid)}
        assert set(said.values()) == {"1"}
        far.release("a/b", "Two", 2)
        until(lambda: ask() and set(said.values()) == {"2"})
        killed = said.popitem()[0]
        os.kill(int(killed), signal.SIGKILL)  # the master forks another one, hours later perhaps
        far.release("a/b", "Three", 3)
        until(lambda: ask() and set(said.values()) == {"3"} and killed not in said)
    finally:
        process.terminate()
        process.wait(60)


async def test_32_an_event_loop_never_waits(far, make):
    far.faults["snapshot"] = hang

    async def read():
        hub = make(boot_wait=0.3)
        with pytest.raises(sdk.PromptUnavailable):
            await hub.aget_prompt("a/b")
        first = asyncio.create_task(make().aget_prompt("a/b"))
        await asyncio.sleep(0.05)
        first.cancel()
        hub.close()

    gaps = await beats(read, enough=200)
    assert max(gaps) < 200  # blocked, one gap would be 300; 5 cannot show on a busy machine
    assert sorted(gaps)[len(gaps) // 2] < 20


async def test_32_who_is_cancelled_takes_nothing_from_the_others(far, make):
    go = threading.Event()
    far.faults["snapshot"] = lambda _: go.wait(60) and False
    hub = make()
    tasks = [asyncio.create_task(hub.aget_prompt("a/b")) for _ in range(100)]
    await asyncio.sleep(0.05)
    tasks[0].cancel()
    go.set()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert {one.version for one in found[1:]} == {1}
    assert far.asked["snapshot"] == 1


def test_32_two_loops_one_after_the_other(make):
    hub = make()
    assert asyncio.run(hub.aget_prompt("a/b")).version == 1
    assert asyncio.run(hub.aget_prompt("a/c")).version == 1
    with pytest.raises(sdk.PromptNotFound):
        asyncio.run(hub.aget_prompt("no/such"))


def ours():
    return [one for one in threading.enumerate() if "prompthub" in one.name]


@pytest.mark.parametrize("mood", ["pass", *FAULTS])
def test_33_closing_is_bounded_and_reads_go_on(make, wire, mood):
    until(lambda: not ours())
    hub = make(wire.url)
    assert hub.get_prompt("a/b").version == 1
    until(lambda: hub.status().state == "live")
    wire.mood = mood
    time.sleep(0.05)
    began = time.monotonic()
    hub.close(1)
    assert time.monotonic() - began < 30  # what hangs does so for a minute
    assert hub.get_prompt("a/b").version == 1
    assert hub.get_prompt("a/c").version == 1
    assert hub.status().state == "closed"
    until(lambda: not ours())  # a report under way is cut off, and its thread ends


@pytest.mark.parametrize("route", ["snapshot", "stream"])
def test_34_the_program_ends_at_once_while_the_hub_hangs(far, route):
    far.faults[route] = hang
    code = PRELUDE + (
        "print(hub.get_prompt('a/b', default='Mine').version)\n"
        "print(time.time(), flush=True)"
    )  # fmt: skip
    if route == "snapshot":
        code = code.replace("boot_wait=60", "boot_wait=0.2")
    out = run(code, far.url, KEY).split()
    assert out[0] == ("0" if route == "snapshot" else "1")
    assert time.time() - float(out[1]) < 30  # what hangs does so for a minute

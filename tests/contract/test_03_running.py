"""31–45: what a program does around its reads: forks, loops, ends; and what it tells the hub."""

import asyncio
import json
import logging
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sdk
from sdk.states import Timing
from tests.contract.conftest import Refused
from tests.contract.fake_hub import KEY, FakeHub, hang
from tests.contract.proxy import FAULTS

QUICK = Timing(
    silence=1, greeting=1, polls_after=0.3, stale_after=0.3, first_retry=0.05, longest_retry=0.3,
    healthy=0.5, refused=0.3, longest_refused=0.5, look_at_key=0.05, save_after=0.05, report=0.2,
    report_soon=0.1, miss=0.2,
)  # fmt: skip
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def make(fake):
    made = []

    def make(url="", **more):
        more = {"snapshot": None, "timing": QUICK, "refresh": 0.1, "boot_wait": 5} | more
        made.append(sdk.Hub(url or fake.url, KEY, **more))
        return made[-1]

    yield make
    for hub in made:
        hub.close(2)


def until(true, seconds=8.0):
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            pytest.fail("waited in vain")
        time.sleep(0.005)


def run(code, *arguments, python=sys.executable, timeout=40):
    done = subprocess.run(
        [python, "-c", code, *arguments], capture_output=True, text=True, timeout=timeout,
        cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert KEY not in done.stdout + done.stderr
    return done.stdout.strip()


PRELUDE = """
import os, sys, time, json, warnings
warnings.simplefilter("ignore", DeprecationWarning)
import sdk
hub = sdk.Hub(sys.argv[1], sys.argv[2], snapshot=None, boot_wait=15)
def until(true):
    end = time.monotonic() + 8
    while not true() and time.monotonic() < end:
        time.sleep(0.01)
    return bool(true())
"""

# ── 31: fork ────────────────────────────────────────────────────────────────────────────────────


def test_31_a_plain_fork_with_a_lock_held(fake):
    code = PRELUDE + (
        "handle = hub.prompt('a/b')\n"
        "assert handle.current.version >= 1 and hub.wait_ready(20)\n"
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
        "print(status, hub.status().state)\n"
    )
    threading.Timer(1.5, fake.release, ("a/b", "Two", 2)).start()
    assert run(code, fake.url, KEY).split() == ["forked", "0", "live"]


@pytest.mark.parametrize("method", ["fork", "forkserver"])
def test_31_worker_processes_of_multiprocessing(fake, tmp_path, method):
    program = tmp_path / "program.py"
    program.write_text(
        "import multiprocessing, sys, time, warnings\n"
        "warnings.simplefilter('ignore', DeprecationWarning)\n"
        "import sdk\n"
        "hub = sdk.Hub(sys.argv[1], sys.argv[2], snapshot=None, boot_wait=15)\n"
        "def work(number):\n"
        "    end = time.monotonic() + 8\n"
        "    while hub.get_prompt('a/b').version != 2 and time.monotonic() < end:\n"
        "        time.sleep(0.01)\n"
        "    return hub.get_prompt('a/b').version\n"
        "if __name__ == '__main__':\n"
        "    hub.get_prompt('a/b')\n"
        f"    with multiprocessing.get_context({method!r}).Pool(2) as pool:\n"
        "        print(pool.map(work, range(4)))\n"
    )
    threading.Timer(1.5, fake.release, ("a/b", "Two", 2)).start()
    done = subprocess.run(
        [sys.executable, program, fake.url, KEY], capture_output=True, text=True, timeout=60,
        env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False,
    )  # fmt: skip
    assert done.stdout.strip() == "[2, 2, 2, 2]", done.stderr


def test_31_workers_of_a_preloading_server_each_follow(fake):
    """As gunicorn --preload does: load the program, fork workers, replace those that die."""
    code = PRELUDE + (
        "hub.get_prompt('a/b'); hub.wait_ready()\n"
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
    threading.Timer(1.5, fake.release, ("a/b", "Two", 2)).start()
    assert run(code, fake.url, KEY).splitlines() == ["forked", "[0, 0, 0, 0] 2"]


# ── 32–34: loops, close, exit ───────────────────────────────────────────────────────────────────


async def test_32_an_event_loop_never_waits(fake, make):
    fake.faults["snapshot"] = hang
    gaps = []

    async def beat():
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0.001)
            now = time.perf_counter()
            gaps.append(now - last)
            last = now

    beating = asyncio.create_task(beat())
    hub = make(boot_wait=0.3)
    with pytest.raises(sdk.PromptUnavailable):
        await hub.aget_prompt("a/b")
    first = asyncio.create_task(make(boot_wait=5).aget_prompt("a/b"))
    await asyncio.sleep(0.05)
    first.cancel()
    hub.close()
    await asyncio.sleep(0.02)
    beating.cancel()
    assert max(gaps) < 0.2  # blocked, one gap would be 0.3 s; 5 ms cannot show on a busy machine
    assert sorted(gaps)[len(gaps) // 2] < 0.02


async def test_32_who_is_cancelled_takes_nothing_from_the_others(fake, make):
    go = threading.Event()
    fake.faults["snapshot"] = lambda _: go.wait(3) and False
    hub = make(boot_wait=5)
    tasks = [asyncio.create_task(hub.aget_prompt("a/b")) for _ in range(100)]
    await asyncio.sleep(0.05)
    tasks[0].cancel()
    go.set()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert {one.version for one in found[1:]} == {1}
    assert fake.asked["snapshot"] == 1


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
    assert time.monotonic() - began < 1.2
    assert hub.get_prompt("a/b").version == 1
    assert hub.get_prompt("a/c").version == 1
    assert hub.status().state == "closed"
    until(lambda: not ours())  # a report under way is cut off, and its thread ends


@pytest.mark.parametrize("route", ["snapshot", "stream"])
def test_34_the_program_ends_at_once_while_the_hub_hangs(fake, route):
    fake.faults[route] = hang
    code = PRELUDE + (
        "print(hub.get_prompt('a/b', default='Mine').version)\n"
        "print(time.time(), flush=True)"
    )  # fmt: skip
    if route == "snapshot":
        code = code.replace("boot_wait=15", "boot_wait=0.2")
    out = run(code, fake.url, KEY).split()
    assert out[0] == ("0" if route == "snapshot" else "1")
    assert time.time() - float(out[1]) < 1.5


# ── 35–39: what is too old, wrong or missing ────────────────────────────────────────────────────


@pytest.mark.parametrize("on_stale", ["serve", "bundled", "raise"])
def test_35_what_is_too_old(connect, fake, tmp_path, on_stale):
    lock = tmp_path / "prompts.lock.json"
    lock.write_text(json.dumps(fake.document(["production"], [])))
    fake.release("a/b", "Newer", 2)
    client = connect(max_stale=0.6, on_stale=on_stale, boot_wait=5, bundled=str(lock))
    assert client.version() == 2
    client.state("live")
    time.sleep(0.7)
    assert client.get("a/b")["stale"] is False  # heartbeats keep it young
    fake.stop()
    if on_stale == "serve":
        client.until(lambda: client.get("a/b")["stale"])
        assert client.version() == 2
        assert client.get("a/b")["age"] > 0.6
    elif on_stale == "bundled":
        client.until(lambda: client.version() == 1)
        assert client.get("a/b")["source"] == "bundled"
    else:
        client.until(lambda: client.get("a/b", default="Mine")["source"] == "default")
        with pytest.raises(Refused, match="max_stale") as caught:
            client.get("a/b")
        assert caught.value.kind == "PromptUnavailable"
    fake.start()
    client.until(lambda: client.version(default="Mine") == 2)
    client.until(lambda: client.get("a/b")["stale"] is False)


def test_37_an_unknown_variable_is_said_once_and_by_what_it_looks_like(make, fake, caplog):
    fake.release("v/w", "{{ name }}")
    hub = make()
    for _ in range(3):
        assert hub.get_prompt("v/w").text(name="Ada", nmae="Bo") == "Ada"
    said = [one.getMessage() for one in caplog.records if one.name == "prompthub"]
    assert said == ["Prompt Hub: v/w v1 has no variable `nmae`. Did you mean `name`?"]


def test_35_the_wall_clock_does_not_matter(make, monkeypatch):
    hub = make(max_stale=30, on_stale="raise")
    hub.get_prompt("a/b")
    monkeypatch.setattr(time, "time", lambda: 4e9)
    time.sleep(0.2)
    assert hub.get_prompt("a/b").age() < 5


def test_36_a_wrong_name_is_said_at_once_with_what_looks_like_it(connect, fake):
    fake.release("support/triage", "x")
    client = connect()
    assert client.version() == 1
    client.state("live")
    asked = fake.asked["snapshot"] + fake.asked["prompts"]
    for wrong in ("support/triag", "support/trigae", "triage"):
        with pytest.raises(Refused, match=r"Did you mean support/triage\?") as caught:
            client.get(wrong)
        assert caught.value.kind == "PromptNotFound"
        assert caught.value.ms < 100
    for _ in range(50):
        with pytest.raises(Refused):
            client.get("nothing/like-it")
    assert fake.asked["snapshot"] + fake.asked["prompts"] == asked


def test_37_variables_missing_wrong_or_unknown(connect, fake):
    fake.release(
        "v/v", "{{ name }} {{ count }}", 1,
        variables=[{"name": "name", "type": "text"}, {"name": "count", "type": "integer",
                   "default": 3}, {"name": "note", "required": False}],
    )  # fmt: skip
    client = connect()
    ok = [{"role": "user", "content": "Ada 3"}]
    assert client.render("v/v", variables={"name": "Ada"}) == ok
    assert client.render("v/v", variables={"name": "Ada", "unknown": 1}) == ok
    with pytest.raises(Refused) as caught:
        client.render("v/v", variables={})
    assert (caught.value.kind, caught.value.names) == ("MissingVariables", ["name"])
    with pytest.raises(Refused) as caught:
        client.render("v/v", variables={"name": "Ada", "count": "many"})
    assert (caught.value.kind, caught.value.names) == ("InvalidVariable", ["count"])


@pytest.mark.parametrize(
    "text",
    [
        "{{ x.__class__ }}", "{{ ''.__class__.__mro__ }}", "{{ x | attr('y') }}", "{{ f() }}",
        "{% import 'os' as os %}", "{{ self }}", "{% set a = 1 %}", "{{ x['__class__'].y }}" * 9000,
    ],
)  # fmt: skip
def test_38_a_template_that_reaches_out_is_refused(connect, fake, text):
    fake.release("bad/one", text)
    client = connect()
    with pytest.raises(Refused) as caught:
        client.get("bad/one")
    assert caught.value.kind == "PromptUnavailable"
    assert client.version() == 1


def test_38_output_and_time_are_bounded(connect, fake):
    loop = (
        "{% for a in xs %}{% for b in xs %}{% for c in xs %}x{% endfor %}{% endfor %}{% endfor %}"
    )
    fake.release("bad/two", loop)
    client = connect()
    began = time.monotonic()
    with pytest.raises(Refused) as caught:
        client.render("bad/two", variables={"xs": list(range(1000))})
    assert caught.value.kind == "TemplateError"
    assert time.monotonic() - began < 3


@given(
    parts=st.lists(st.text(st.characters(exclude_characters="{}", exclude_categories=["Cs"]),
                           max_size=20), min_size=1, max_size=4),
    values=st.lists(st.one_of(st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
                              st.integers(-9, 9), st.booleans(), st.none()), min_size=3,
                    max_size=3),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_39_both_ways_of_rendering_give_the_same_text(parts, values):
    text = "".join(f"{part}{{{{ v{number} }}}}" for number, part in enumerate(parts))
    names = {f"v{number}": values[number % 3] for number in range(len(parts))}

    def prompt(content):
        document = {"messages": [{"role": "user", "content": content}]}
        return sdk.Prompt.from_record({"name": "a", "version": 1, "document": document})

    plain, jinja = prompt(text), prompt("{% if true %}{% endif %}" + text)
    assert plain.text(**names) == jinja.text(**names)
    assert plain.fill(names) == jinja.fill(names)


# ── 40–42: telemetry, secrets, imports ──────────────────────────────────────────────────────────


def test_40_every_read_of_eight_threads_is_counted_once(fake, make):
    fake.release("a/t", "Hello {{ name }}")
    hub = make()
    hub.get_prompt("a/b")
    hub.wait_ready()

    def read():
        for _ in range(5000):
            hub.get_prompt("a/b")
            hub.get_prompt("a/t").text(name="Ada")

    threads = [threading.Thread(target=read) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    hub.get_prompt("a/t").render(name="Bo")
    with pytest.raises(sdk.MissingVariables):
        hub.get_prompt("a/t").text()

    def counted(name, what="calls"):
        rows = [row for report in fake.reports for row in report["prompts"] if row["name"] == name]
        return sum(row[what] for row in rows)

    until(lambda: counted("a/b") == 40_001 and counted("a/t") == 40_002)
    assert counted("a/t", "errors") == 1
    rows = [row for report in fake.reports for row in report["prompts"] if row["name"] == "a/t"]
    assert {tuple(row["variables"]) for row in rows if "variables" in row} == {("name",)}
    until(lambda: fake.reports[-1]["state"] == "live")
    report = fake.reports[-1]
    assert report["sdk"].startswith("prompthub-python/")
    assert {"schema", "app", "instance", "epoch", "revision", "age", "seconds"} <= set(report)


def test_40_it_is_bounded_never_blocks_and_can_be_off(fake, make):
    from sdk.usage import LARGEST, MOST_PROMPTS

    fake.faults["usage"] = hang
    hub, silent = make(), make(telemetry=False)
    hub.get_prompt("a/b")
    silent.get_prompt("a/b")
    until(lambda: fake.asked["usage"] >= 1)
    fake.release("a/b", "Two", 2)
    until(lambda: hub.get_prompt("a/b").version == 2)
    for number in range(3000):
        hub.get_prompt(f"none/{number}", default="x")
    body = hub._upkeep._usage.report(hub.status())
    assert len(body) <= LARGEST
    assert len(json.loads(body)["prompts"]) <= MOST_PROMPTS
    instances = {headers.get("x-prompthub-instance") for path, headers in fake.requests
                 if "usage" in path}  # fmt: skip
    assert len(instances) == 1


def test_40_a_handle_and_a_default_are_told_of(fake, make):
    hub = make(app="triage-bot", environment="staging")
    handle = hub.prompt("a/b")
    assert handle.current.version == 1
    hub.get_prompt("no/such", default="Mine")
    hub.wait_ready()
    found = lambda: {(r["name"], r["source"]) for one in fake.reports for r in one["prompts"]}  # noqa: E731
    until(lambda: {("a/b", "stream"), ("no/such", "default")} <= found())
    assert (fake.reports[-1]["app"], fake.reports[-1]["environment"]) == ("triage-bot", "staging")


def test_40_what_is_left_is_told_at_the_end(fake, make):
    hub = make(timing=QUICK._replace(report=60, report_soon=60))
    for _ in range(7):
        hub.get_prompt("a/b")
    assert not fake.reports
    hub.close(3)
    assert sum(one["calls"] for one in fake.reports[-1]["prompts"]) == 7


@pytest.mark.parametrize("trouble", ["none", "refused", "garble"])
def test_41_the_key_is_nowhere(fake, make, wire, tmp_path, caplog, trouble):
    caplog.set_level(logging.DEBUG)
    seen = []
    hub = make(wire.url, snapshot=str(tmp_path), on_change=lambda event: seen.append(repr(event)))
    hub.get_prompt("a/b")
    until(lambda: list(tmp_path.iterdir()))
    if trouble == "refused":
        fake.keys = set()
    elif trouble == "garble":
        wire.mood = "garble"
    wire.cut()
    time.sleep(0.5)
    with pytest.raises(sdk.PromptHubError) as caught:
        hub.get_prompt("no/such", version=3)
    seen += [str(caught.value), repr(caught.value), repr(hub), repr(hub.status()), caplog.text]
    seen += [repr(vars(one)) for one in (hub, hub.feed, hub.keeper, hub._finding, hub._upkeep)]
    seen += [path for path, _ in fake.requests]
    for path in tmp_path.iterdir():
        seen += [path.name, path.read_text()]
    assert not [one for one in seen if KEY in one]
    assert "httpx" not in {r.name for r in caplog.records if r.levelno >= logging.INFO}


def test_42_importing_it_loads_nothing_heavy():
    code = (
        "import sys\nbefore = set(sys.modules)\nimport sdk\n"
        "heavy = 'httpx jinja2 asyncio logging ssl email concurrent urllib http random'.split()\n"
        "print(sorted(set(heavy) & (set(sys.modules) - before)))\n"
        "sdk.Hub('http://127.0.0.1:9', snapshot=None)\n"
        "print(sorted(set(heavy) & (set(sys.modules) - before)))\n"
    )
    assert run(code).split() == ["[]", "[]"]


# ── 44–45: other Pythons, other versions ────────────────────────────────────────────────────────


def pythons():
    """Other interpreters that can be had; httpx comes from ours, it is plain Python."""
    found = sorted(Path.home().glob(".pyenv/versions/3.1[2-9]*/bin/python"))
    return [pytest.param(str(one), id=one.parents[1].name) for one in found]


@pytest.mark.parametrize("python", pythons())
def test_44_other_pythons(fake, python):
    packages = Path(pytest.__file__).parents[1]
    code = (
        f"import sys; sys.path.append({str(packages)!r})\n"
        + PRELUDE
        + (
            "import threading\n"
            "a = hub.get_prompt('a/b')\n"
            "assert hub.wait_ready()\n"
            "with hub.shelf.lock:\n"
            "    hub.get_prompt('a/b')\n"
            "def read():\n"
            "    for _ in range(5000): hub.get_prompt('a/b')\n"
            "threads = [threading.Thread(target=read) for _ in range(8)]\n"
            "[one.start() for one in threads]; [one.join() for one in threads]\n"
            "body = json.loads(hub._upkeep._usage.report(hub.status()))\n"
            "print(sum(one['calls'] for one in body['prompts']))\n"
            "print('ready', flush=True)\n"
            "arrived = until(lambda: hub.get_prompt('a/c').version == 2)\n"
            "print(arrived, hub.get_prompt('a/b').version)\n"
        )
    )

    def both():
        fake.release("a/b", "Two", 2)
        fake.release("a/c", "Two", 2)

    threading.Timer(1.5, fake.batch, (both,)).start()
    assert run(code, fake.url, KEY, python=python).split() == ["40002", "ready", "True", "2"]


def test_45_a_new_sdk_at_an_old_hub(connect):
    old = FakeHub(old=True)
    old.release("a/b", "One")
    try:
        client = connect(old.url)
        assert client.version() == 1
        assert client.status()["one_by_one"] is True
        old.release("a/b", "Two", 2)
        client.until(lambda: client.version() == 2)
        assert client.version(version=2) == 2
        with pytest.raises(Refused, match="There is no prompt no/such here"):
            client.get("no/such")
        old.old = False  # the hub is brought up to date
        client.state("live")
        old.release("a/b", "Three", 3)
        client.until(lambda: client.version() == 3)
    finally:
        old.stop()


def test_45_a_hub_that_was_put_back_to_an_old_one(connect, tmp_path):
    hub = FakeHub()
    hub.release("a/b", "One")
    try:
        first = connect(hub.url, snapshot=str(tmp_path))
        assert first.version() == 1
        first.until(lambda: list(tmp_path.glob("*.json")))
        first.close(timeout=1)
        hub.old = True
        hub.release("a/b", "Two", 2)
        client = connect(hub.url, snapshot=str(tmp_path))
        assert client.version() in (1, 2)
        client.until(lambda: client.version() == 2)
    finally:
        hub.stop()


def test_a_split_gives_each_key_its_version(connect, fake):
    fake.split("a/b", (8, "New", 1000), (7, "Old", 9000))
    fake.pointers["production", "a/b"]["id"] = "p_demo"
    client = connect()
    assert client.version() == 7
    # Buckets of docs/protocol.md: user-1 7401, user-2 1348, 用户 1994.
    assert {client.version(key=key) for key in ("user-1", "user-2", "用户", "")} == {7}
    found = [client.version(key=f"u{number}") for number in range(100)]
    assert 2 <= found.count(8) <= 25
    again = connect()
    assert [again.version(key=f"u{number}") for number in range(100)] == found
    fake.split("a/b", (8, "New", 2000), (7, "Old", 8000))
    fake.pointers["production", "a/b"]["id"] = "p_demo"
    fake.release("a/x", "x")
    third = connect()
    more = [third.version(key=f"u{number}") for number in range(100)]
    assert all(b == 8 for a, b in zip(found, more, strict=True) if a == 8)

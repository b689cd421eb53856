"""The SDK in a program of its own: what it loads, how it ends, what its children see."""

import subprocess
import sys
import time

import pytest

from tests.stand_in import KEY, StandIn

PRELUDE = "import sys, sdk\nhub = sdk.Hub(sys.argv[1], sys.argv[2], refresh=0.05, boot_wait=0.3)\n"


@pytest.fixture
def stand_in():
    hub = StandIn()
    hub.put("a/b", 1, "One")
    yield hub
    hub.stop()


ENDS_WITHIN = 30  # seconds; the stand-in hangs for ninety


def run(code: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert KEY not in done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout.strip()


def test_import_loads_nothing_heavy_and_nothing_of_the_hub():
    code = """
import sys
heavy = set("httpx jinja2 asyncio hub logging concurrent ssl random urllib".split())
heavy -= set(sys.modules)
import sdk
print(sorted(heavy.intersection(sys.modules)))
prompt = sdk.Prompt.from_record({"name": "a", "version": 1, "document":
    {"messages": [{"role": "user", "content": "Hi {{ name }}"}]}})
assert prompt.text(name="Bo") == "Hi Bo"
print(sorted(heavy.intersection(sys.modules)))
"""
    assert run(code) == "[]\n[]"


def test_the_program_ends_at_once_while_the_hub_hangs(stand_in):
    stand_in.mood = "hang"
    code = PRELUDE + (
        "import time\n"
        "print(hub.get_prompt('a/b', default='Mine').text())\n"
        "print(time.time(), flush=True)"
    )
    out = run(code, stand_in.url, KEY).split()
    assert out[0] == "Mine"
    assert time.time() - float(out[1]) < ENDS_WITHIN


def test_so_does_one_with_an_event_loop(stand_in):
    stand_in.mood = "hang"
    code = PRELUDE + (
        "import asyncio, time\n"
        "print(asyncio.run(hub.aget_prompt('a/b', default='Mine')).text())\n"
        "print(time.time(), flush=True)"
    )
    out = run(code, stand_in.url, KEY).split()
    assert out[0] == "Mine"
    assert time.time() - float(out[1]) < ENDS_WITHIN


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_worker_processes_of_multiprocessing(stand_in, tmp_path, method):
    program = tmp_path / "program.py"
    program.write_text(
        "import multiprocessing, sys, warnings\n"
        "warnings.simplefilter('ignore', DeprecationWarning)\n"
        "import sdk\n"
        "hub = sdk.Hub(sys.argv[1], sys.argv[2], refresh=0.05, boot_wait=60)\n"
        "def work(number):\n"
        "    return hub.get_prompt('a/b').text()\n"
        "def shown(prompt):\n"
        "    return prompt.text()\n"
        "if __name__ == '__main__':\n"
        f"    context = multiprocessing.get_context({method!r})\n"
        "    mine = hub.get_prompt('a/b')\n"
        "    with context.Pool(2) as pool:\n"
        "        print(pool.map(work, range(4)), pool.apply(shown, (mine,)))\n"
    )
    done = subprocess.run(
        [sys.executable, program, stand_in.url, KEY],
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.stdout.strip() == "['One', 'One', 'One', 'One'] One", done.stderr

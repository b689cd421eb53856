"""44–45: other Pythons, other hubs; and gradual releases."""

import os
import threading
from pathlib import Path

import pytest

from tests.contract.conftest import Refused
from tests.contract.fake_hub import KEY, FakeHub
from tests.contract.running import PRELUDE, run


def pythons():
    """Other interpreters that can be had; httpx comes from ours, it is plain Python."""
    found = sorted(Path.home().glob(".pyenv/versions/3.1[2-9]*/bin/python"))
    found += [Path(one) for one in os.environ.get("PYTHONS", "").split(":") if one]
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

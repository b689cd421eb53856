"""44–45: other Pythons, other hubs; and gradual releases."""

import hashlib
import os
import threading
from pathlib import Path

import httpx
import pytest

from tests.contract.conftest import Refused
from tests.contract.far import KEY
from tests.contract.running import PRELUDE, run


def pythons():
    """Other interpreters that can be had; httpx comes from ours, it is plain Python."""
    found = sorted(Path.home().glob(".pyenv/versions/3.1[2-9]*/bin/python"))
    found += [Path(one) for one in os.environ.get("PYTHONS", "").split(":") if one]
    return [pytest.param(str(one), id=one.parents[1].name) for one in found]


@pytest.mark.parametrize("python", pythons())
def test_44_other_pythons(far, python):
    packages = Path(pytest.__file__).parents[1]
    code = (
        f"import sys; sys.path.append({str(packages)!r})\n"
        + PRELUDE
        + (
            "import threading\n"
            "a = hub.get_prompt('a/b')\n"
            "assert hub.wait_ready(60)\n"
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
        far.release("a/b", "Two", 2)
        far.release("a/c", "Two more", 2)

    threading.Timer(1.5, far.batch, (both,)).start()
    assert run(code, far.url, KEY, python=python).split() == ["40002", "ready", "True", "2"]


def test_43_tags_are_exact_and_packed_and_plain_are_the_same(far):
    """What a server does; so the fake one does it too, and tests with it mean something."""
    key, url = {"Authorization": f"Bearer {KEY}"}, f"{far.url}/api/v1/snapshot"
    far.release("a/long", "x" * 1000)
    plain = httpx.get(url, headers=key | {"Accept-Encoding": "identity"})
    packed = httpx.get(url, headers=key | {"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert plain.content == packed.content
    held = key | {"If-None-Match": packed.headers["etag"]}
    again = httpx.get(url, headers=held)
    assert (again.status_code, again.content) == (304, b"")
    assert httpx.get(f"{url}?name=a/c", headers=held).status_code == 200  # another filter
    digest = next(iter(plain.json()["objects"]))
    text = httpx.get(f"{far.url}/api/v1/objects/{digest}", headers=key)
    assert (text.status_code, text.text) == (200, plain.json()["objects"][digest])
    far.release("a/long", "y" * 1000, 2)
    assert httpx.get(url, headers=held).status_code == 200
    routes = ("snapshot", "stream?since=a:1", f"objects/{digest}", "prompts/a/b?label=production")
    for route in routes:
        assert httpx.get(f"{far.url}/api/v1/{route}").status_code == 401
    other = far.another()
    try:
        found = httpx.get(f"{other.url}/api/v1/snapshot", headers=key).json()
        assert found["pointers"] == []
        assert httpx.get(f"{other.url}/api/v1/objects/{digest}", headers=key).status_code == 404
    finally:
        other.close()


def test_45_a_new_sdk_at_an_old_hub(connect, far):
    far.old = True
    client = connect()
    assert client.version() == 1
    assert client.status()["one_by_one"] is True
    far.release("a/b", "Two", 2)
    client.until(lambda: client.version() == 2)
    assert client.version(version=2) == 2
    with pytest.raises(Refused, match=r"There is no prompt .*no/such here"):
        client.get("no/such")
    far.old = False  # the hub is brought up to date
    client.state("live")
    far.release("a/b", "Three", 3)
    client.until(lambda: client.version() == 3)


def test_45_a_hub_that_was_put_back_to_an_old_one(connect, far, tmp_path):
    first = connect(snapshot=str(tmp_path))
    assert first.version() == 1
    first.until(lambda: list(tmp_path.glob("*.json")))
    first.close(timeout=1)
    far.old = True
    far.release("a/b", "Two", 2)
    client = connect(snapshot=str(tmp_path))
    assert client.version() in (1, 2)
    client.until(lambda: client.version() == 2)


def bucket(far, key):
    """By the words of docs/protocol.md."""
    text = f"production/{far.id_of('a/b')}/{key}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") % 10_000


def test_a_split_gives_each_key_its_version(connect, far):
    far.split("a/b", (2, "New", 1000), (1, "One", 9000))
    client = connect()
    assert (client.version(), client.version(key="")) == (1, 1)
    keys = [f"u{number}" for number in range(100)] + ["用户", "Zoë/42"]
    buckets = [bucket(far, one) for one in keys]
    client.until(lambda: 2 in {client.version(key=one) for one in keys})
    assert [client.version(key=one) for one in keys] == [2 if at < 1000 else 1 for at in buckets]
    far.split("a/b", (2, "New", 2000), (1, "One", 8000))
    other = connect()
    assert [other.version(key=one) for one in keys] == [2 if at < 2000 else 1 for at in buckets]

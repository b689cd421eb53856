"""6–13: how a program starts without a hub, and what it keeps for that."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import sdk
from tests.contract.conftest import PATIENCE, Refused
from tests.contract.far import KEY
from tests.contract.faults import answer, hang
from tests.contract.running import until

OTHER = "ph_another_key"


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.json"))


def kept(connect, far, folder, **more):
    """Fill the disk snapshot, and stop the hub."""
    client = connect(snapshot=str(folder), **more)
    assert client.version() == 1
    client.until(lambda: files(folder))
    client.close(timeout=1)
    far.stop()


@pytest.mark.parametrize("mood", ["refuse", "hang"])
def test_06_it_starts_from_the_disk(connect, far, wire, tmp_path, mood):
    given = {"url": wire.url, "snapshot": str(tmp_path)}
    kept(connect, far, tmp_path, url=wire.url)
    wire.mood = mood
    client = connect(**given)
    prompt = client.get("a/b")
    assert client.ms < PATIENCE * 500, "it did not wait for the hub"
    assert (prompt["version"], prompt["source"]) == (1, "snapshot")
    far.start()
    far.release("a/b", "Newer", 2)
    wire.mood = "pass"
    client.until(lambda: client.version() == 2)
    assert client.get("a/b")["source"] in ("poll", "stream")


def test_06_those_who_come_while_the_disk_is_read_wait_for_it(connect, far, tmp_path):
    far.release_many({f"many/p{number}": "x" * 2000 + str(number) for number in range(300)})
    kept(connect, far, tmp_path)
    client = connect(snapshot=str(tmp_path), boot_wait=0)
    assert set(client.many("many/p7", count=50)) == {1}


def lock_file(folder: Path, far) -> str:
    path = folder / "prompts.lock.json"
    document = far.document(["production"], [])
    path.write_text(json.dumps({key: document[key] for key in ("schema", "pointers", "objects")}))
    return str(path)


def test_07_it_starts_from_what_came_along(connect, far, tmp_path):
    bundled = lock_file(tmp_path, far)
    far.stop()
    client = connect(bundled=bundled, boot_wait=0.2)
    assert client.get("a/b")["source"] == "bundled"
    assert client.get("a/c")["version"] == 1
    far.start()
    client.until(lambda: client.get("a/b")["source"] == "stream")


def test_08_a_default_is_used_and_called_only_when_needed(connect, far):
    assert connect().get("a/b", default="Mine")["source"] != "default"
    far.stop()
    prompt = connect(boot_wait=0.1).get("a/b", default="Mine {{ x }}")
    assert (prompt["source"], prompt["version"]) == ("default", 0)
    called = []
    hub = sdk.Hub(far.url, KEY, snapshot=None, boot_wait=0.1)
    hub.get_prompt("a/b", default=lambda: called.append(1) or "made")
    assert called == [1]
    far.start()
    assert hub.wait_ready(60)
    hub.get_prompt("a/b", default=lambda: called.append(1) or "made")
    assert called == [1]
    hub.close(1)


@pytest.mark.parametrize("mood", ["refuse", "hang", "half", "page", "away", "reset"])
def test_09_with_nothing_at_hand_it_says_so_in_time(connect, wire, mood, tmp_path):
    wire.mood = mood
    client = connect(wire.url, boot_wait=0.4, snapshot=str(tmp_path))
    with pytest.raises(Refused, match=r"a/b .*hub.*nothing was kept.*no default") as caught:
        client.get("a/b")
    assert caught.value.kind == "PromptUnavailable"
    assert caught.value.ms < 400 + 10_000
    took: list[float] = []
    for _ in range(15):
        with pytest.raises(Refused) as caught:
            client.get("a/other")
        took.append(caught.value.ms)
    assert sorted(took)[7] < 300, "the wait is one for all reads, or each would take 400"


@pytest.mark.parametrize(("do", "version"), [("get", None), ("aget", None), ("get", 1)])
@pytest.mark.parametrize("mood", ["refuse", "reset", "drop", "status 503"])
def test_09_what_is_over_in_a_moment_is_no_error(connect, wire, mood, version, do):
    """A hub that is starting, say: a first read asks again as long as it may wait."""
    wire.mood = mood
    client = connect(wire.url)
    threading.Timer(0.2, setattr, (wire, "mood", "pass")).start()
    prompt = getattr(client, do)("a/b", version=version)
    assert prompt["version"] == 1
    assert client.ms < PATIENCE * 500


@pytest.mark.parametrize("version", [None, 1])
@pytest.mark.parametrize(
    "no", [answer(401), answer(403), answer(503, Retry_After="60"), answer(429, Retry_After="60")]
)
def test_09_what_will_not_be_over_is_said_at_once(connect, far, no, version):
    far.faults["*"] = no
    client = connect()
    with pytest.raises(Refused, match="the hub answered") as caught:
        client.get("a/b", version=version)
    assert caught.value.ms < PATIENCE * 500
    assert far.asked["snapshot"] + far.asked["prompts"] <= 3


def test_09_asking_again_is_no_hammering(connect, far):
    far.faults["*"] = answer(503)
    client = connect(boot_wait=1.5)
    assert set(client.many("a/b", count=50)) == {"PromptUnavailable"}
    assert 2 <= far.asked["snapshot"] <= 12  # 0.4 s apart at last, and the dice halve that


def damage(path: Path, how: str) -> None:
    raw = path.read_bytes()
    head, _, body = raw.partition(b"\n")
    about = json.loads(head)
    if how == "truncated":
        path.write_bytes(raw[: len(raw) // 2])
    elif how == "bit":
        path.write_bytes(raw[:-20] + bytes([raw[-20] ^ 1]) + raw[-19:])
    elif how == "schema":
        path.write_bytes(json.dumps(about | {"format": 99}).encode() + b"\n" + body)
    elif how == "of another":
        path.write_bytes(json.dumps(about | {"of": "0" * 64}).encode() + b"\n" + body)
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "nonsense":
        path.write_bytes(os.urandom(5000))
    elif how == "folder":
        path.unlink()
        path.mkdir()


@pytest.mark.parametrize(
    "how", ["truncated", "bit", "schema", "of another", "empty", "nonsense", "folder"]
)
def test_10_a_file_that_is_not_what_it_says_is_not_looked_at(connect, far, tmp_path, how):
    kept(connect, far, tmp_path)
    damage(files(tmp_path)[0], how)
    client = connect(snapshot=str(tmp_path), boot_wait=0.1)
    with pytest.raises(Refused, match="not at hand"):
        client.get("a/b")
    far.start()
    client.until(lambda: client.get("a/b", default="x")["version"] == 1)


def test_11_a_folder_that_cannot_be_written_is_said_once(far, tmp_path, caplog):
    place = tmp_path / "a file"
    place.write_text("not a folder")
    hub = sdk.Hub(far.url, KEY, snapshot=place / "below", boot_wait=PATIENCE,
                  timing=sdk.states.Timing(save_after=0.01))  # fmt: skip
    assert hub.get_prompt("a/b").version == 1
    for version in range(2, 5):
        far.release("a/b", f"Text {version}", version)
        until(lambda version=version: hub.get_prompt("a/b").version == version)
        time.sleep(0.05)
    said = [one.getMessage() for one in caplog.records if one.name == "prompthub"]
    assert len(said) == 1
    assert "cannot be kept on disk" in said[0]
    assert hub.get_prompt("a/b").version == 4
    hub.close(1)


WRITER = """
import sys
from sdk.disk import Disk
from sdk.table import Table
from sdk.wire import Who, document
who = Who("http://hub", ("production",), None, "", "", "")
disk = Disk(sys.argv[1], who, "key", print)
table = document(open(sys.argv[2], "rb").read())
disk.save(table)
print("ready", flush=True)
for number in range(1, 10**9):
    disk.save(table._replace(revision=number))
"""


def test_12_a_kill_while_it_is_written_leaves_the_old_or_the_new_one(far, tmp_path):
    from sdk.disk import Disk
    from sdk.wire import Who

    far.release_many({f"many/p{number}": "x" * 500 + str(number) for number in range(200)})
    document = tmp_path / "document.json"
    document.write_text(json.dumps(far.document(["production"], [])))
    who = Who("http://hub", ("production",), None, "", "", "")
    for attempt in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(document)], stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.03 + attempt * 0.013)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        found = Disk(str(tmp_path), who, "key", print).load()
        assert found is not None
        assert len(found.table.pointers) == 202


def test_13_others_cannot_read_it_and_two_may_write_it(far, tmp_path):
    from sdk.disk import Disk
    from sdk.wire import Who, document

    who = Who("http://hub", ("production",), None, "", "", "")
    table = document(json.dumps(far.document(["production"], [])).encode())
    disk = Disk(str(tmp_path / "made"), who, "key", print)

    def write(number: int) -> None:
        for step in range(10):
            disk.save(table._replace(revision=number * 100 + step))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert os.stat(disk.path).st_mode & 0o777 == 0o600
    assert os.stat(disk.folder).st_mode & 0o777 == 0o700
    found = disk.load()
    assert found is not None
    assert found.table.revision % 100 == 9
    assert [one.name for one in Path(disk.folder).iterdir()] == [Path(disk.path).name]


def test_the_hang_of_the_fake_hub_hangs(connect, far):
    """A test of the tester: what is called hanging does."""
    far.faults["snapshot"] = hang
    client = connect(boot_wait=0.3)
    with pytest.raises(Refused, match=r"within 0\.3 s"):
        client.get("a/b")

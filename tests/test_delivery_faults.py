"""What goes wrong between apps and the hub: readers that stall, noise, crashes, several nodes."""

import os
import re
import resource
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.cast import copy_template
from tests.delivering import kinds
from tests.listening import Ended, Line, Table, Team, listening, until
from tests.serving import ended_by_itself, free_port, serve, start, wait_until_ready


@pytest.fixture
def running(tmp_path, migrated):
    """A server of one's own, to be killed."""
    data = tmp_path / "data"
    copy_template(migrated, data)
    said = tmp_path / "said.txt"
    with serve(data, free_port(), said) as server, Team(server.url, server.cast.write_key) as team:
        team.put_live("support/triage", "Sort: {{ text }}")
        yield server, team


def puts_in(line):
    """How many `put`s come next; a heartbeat may have moved the place in between."""
    return next(count for _ in range(5) if (count := kinds(line.batch()).count("put")))


def memory(process):
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) * 1024


def test_an_app_that_stops_reading_holds_up_nobody_and_little_memory(running):
    server, team = running
    names = [f"large/p{number}" for number in range(10)]
    for name in names:
        for version in (1, 2):
            assert team.save(name, f"{'x' * 60_000} {version}")["version"] == version
    key, place = server.cast.read_key, f"since={team.table().place}"
    with listening(server.url, key, place) as stuck, listening(server.url, key, place) as good:
        good.batch()
        team.release_all(dict.fromkeys(names, 1))
        assert puts_in(good) == 10
        before = memory(server.process)
        for number in range(30):  # 18 MB, far more than sockets hold
            team.release_all(dict.fromkeys(names, 2 - number % 2))
            assert puts_in(good) == 10
        assert memory(server.process) - before < 12_000_000
        # When it reads again, it is led to the present, not through all that was.
        table, batches = Table(), 0
        while table.revision < team.table().revision:
            table.apply(stuck.batch())
            batches += 1
        assert batches < 20
        assert set(table.versions().values()) == {1}


def test_noise_on_the_line_harms_nobody(running):
    server, team = running
    place = urlsplit(server.url)
    wrong = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01", b"GET /api/v1/stream", b"\r\n\r\n\r\n",
        os.urandom(512),
        b"POST /api/v1/usage HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n{",
        b"GET /api/v1/snapshot?label=%ff%fe HTTP/1.1\r\nHost: " + place.netloc.encode()
        + b"\r\nAuthorization: Bearer \xff\xfe\r\n\r\n",
        b"GET /api/v1/stream?since=" + b"9" * 4000 + b":1 HTTP/1.1\r\nHost: "
        + place.netloc.encode() + b"\r\n\r\n",
    ]  # fmt: skip
    for data in wrong:
        with socket.create_connection((place.hostname, place.port), timeout=60) as sock:
            sock.sendall(data)
            sock.settimeout(0.3)
            try:
                said = sock.recv(4096)
            except (TimeoutError, ConnectionError):
                continue
            assert b" 500 " not in said
            assert b" 503 " not in said
    with listening(server.url, server.cast.read_key, f"since={team.table().place}") as line:
        assert kinds(line.batch()) == ["hello", "commit"]


def test_after_kill_9_and_a_restart_an_app_goes_on_where_it_was(running):
    server, team = running
    table = team.table()
    with listening(server.url, server.cast.read_key, f"since={table.place}") as line:
        table.apply(line.batch())
        version = team.put_live("support/triage", "The last one heard")
        while table.revision < team.table().revision:
            table.apply(line.batch())
        server.process.kill()
        server.process.wait()
        with pytest.raises((Ended, ConnectionError)):
            line.next()
    with start(server.settings) as process:
        wait_until_ready(server.url, process)
        with listening(server.url, server.cast.read_key, last=table.place) as line:
            assert kinds(line.batch()) == ["hello", "commit"]  # the epoch is the same
            team.release("support/triage", 1)
            table.apply(line.batch())
        assert (version, table.versions()) == (2, {"support/triage": 1})
        object = table.pointers["production", "support/triage"]["object"]
        assert team.http.get(f"/api/v1/objects/{object}").text == table.objects[object]


def test_an_object_told_of_before_a_crash_is_there_after_it(running):
    server, team = running
    table = team.table()
    old = table.pointers["production", "support/triage"]["object"]
    team.put_live("support/triage", "Newer")
    new = team.table().pointers["production", "support/triage"]["object"]
    time.sleep(1)
    server.process.kill()
    server.process.wait()
    with start(server.settings) as process:
        wait_until_ready(server.url, process)
        for object in (old, new):
            assert team.http.get(f"/api/v1/objects/{object}").status_code == 200


def test_at_the_end_everybody_is_sent_away_and_not_back_at_one_moment(running, tmp_path):
    server, team = running
    query = f"since={team.table().place}"
    with ThreadPoolExecutor(10) as pool:
        lines = list(pool.map(lambda _: Line(server.url, server.cast.read_key, query), range(50)))
    try:
        for line in lines:
            line.batch()
        server.process.send_signal(signal.SIGTERM)
        waits = []
        for line in lines:
            (event,) = line.batch()  # without the heartbeats that came meanwhile
            assert event.kind == "goodbye"
            waits.append(event.data["retry_ms"])
            with pytest.raises(Ended):
                line.next()
        assert ended_by_itself(server.process, tmp_path / "said.txt")
        assert min(waits) >= 500
        assert len(set(waits)) > 25
        assert max(waits) - min(waits) > 1000
    finally:
        for line in lines:
            line.close()


def test_two_nodes_on_one_postgres_tell_the_same(tmp_path, postgres_url):
    first, second = tmp_path / "one", tmp_path / "two"
    first.mkdir()
    second.mkdir()
    with serve(first, free_port(), database_url=postgres_url) as one:
        (second / "repositories").symlink_to(first / "repositories")
        port = free_port()
        import msgspec

        settings = msgspec.structs.replace(one.settings, data=second, port=port)
        url = f"http://127.0.0.1:{port}"
        with (
            start(settings) as process, Team(one.url, one.cast.write_key) as team,
            httpx.Client(base_url=url, headers=one.headers()) as other,
        ):  # fmt: skip
            wait_until_ready(url, process)
            team.put_live("support/triage", "Sort: {{ text }}")
            table = team.table()
            with listening(url, one.cast.read_key, f"since={table.place}") as line:
                assert kinds(line.batch()) == ["hello", "commit"]
                team.put_live("support/triage", "Sort well: {{ text }}")
                table.apply(line.batch())
                assert table.text("support/triage") == "Sort well: {{ text }}"
                team.put_live("care/new", "New")
                table.apply(line.batch())
            # Either node answers any place the other gave out, with the same bytes and tags.
            with listening(one.url, one.cast.read_key, last=table.place) as line:
                assert kinds(line.batch()) == ["hello", "commit"]
            there = other.get("/api/v1/snapshot")
            assert there.content == team.snapshot().content
            same = {"If-None-Match": team.snapshot().headers["etag"]}
            assert other.get("/api/v1/snapshot", headers=same).status_code == 304
            object = table.pointers["production", "care/new"]["object"]
            assert other.get(f"/api/v1/objects/{object}").text == table.objects[object]


@pytest.mark.soak
def test_a_thousand_apps_hear_of_a_release_within_a_second(running):
    server, team = running
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    query = f"since={team.table().place}"
    with ThreadPoolExecutor(50) as pool:
        lines = list(pool.map(lambda _: Line(server.url, server.cast.read_key, query), range(1000)))
    try:
        for line in lines:
            assert kinds(line.batch()) == ["hello", "commit"]
        team.put_live("support/triage", "To a thousand")
        begun = time.monotonic()
        for line in lines:
            assert kinds(line.batch()) == ["put", "commit"]
        assert time.monotonic() - begun < 1
    finally:
        for line in lines:
            line.close()
    until(lambda: team.snapshot().status_code == 200)

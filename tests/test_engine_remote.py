"""`prompthub engine`: the engine for other machines, over TCP with a key."""

from __future__ import annotations

import asyncio
import gc
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import httpx
import pytest
from click.testing import CliRunner

from hub.cli import prompthub
from hub.errors import Invalid
from hub.playground.engine import serving
from hub.playground.engine.child import Listen
from hub.playground.engine.process import Engine
from tests.engine_child import body
from tests.serving import free_port

BUILTIN = "prompthub/tiny"


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, int]]:
    """The command as an operator runs it: address, key, pid."""
    port = free_port()
    command = [sys.executable, "-m", "hub.cli", "engine", "--port", str(port), "--threads", "1"]
    command = [sys.executable, "-c", "from hub.cli import main; main()", *command[3:]]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=tmp_path_factory.mktemp("engine")
    ) as process:
        assert process.stdout is not None
        told = "".join(_lines_until(process.stdout, "key"))
        address = re.findall(r"address  (\S+)", told)[0]
        key = re.findall(r"key      (\S+)", told)[0]
        assert "prompthub/tiny" in told
        yield address, key, process.pid
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def _lines_until(stream: IO[str], word: str) -> Iterator[str]:
    for line in stream:
        yield line
        if line.strip().startswith(word):
            return


def children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(one) for one in found]


def test_it_answers_who_has_the_key_and_nobody_else(started: tuple[str, str, int]) -> None:
    address, key, _ = started
    bearer = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=address, timeout=60) as client:
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": key}):
            for path in ("/models", "/chat/completions"):
                answer = client.request("GET", path, headers=headers)
                assert answer.status_code == 401
                assert "wants its key" in answer.json()["error"]["message"]
        listed = client.get("/models", headers=bearer).json()["data"]
        assert BUILTIN in [one["id"] for one in listed]
        answer = client.post("/chat/completions", headers=bearer, json=body(model=BUILTIN))
        assert answer.status_code == 200
        assert answer.json()["choices"][0]["message"]["content"].strip()


def test_the_key_is_nowhere_where_others_on_the_machine_could_read_it(
    started: tuple[str, str, int],
) -> None:
    _, key, pid = started
    for one in [pid, *children(pid)]:
        for file in ("cmdline", "environ"):
            assert key.encode() not in Path(f"/proc/{one}/{file}").read_bytes()


def test_a_crash_is_over_in_a_moment_and_the_address_stays(started: tuple[str, str, int]) -> None:
    address, key, pid = started
    [child] = children(pid)
    os.kill(child, signal.SIGSEGV)
    bearer = {"Authorization": f"Bearer {key}"}
    deadline = time.monotonic() + 60
    while True:
        try:
            answer = httpx.get(f"{address}/models", headers=bearer, timeout=60)
            if answer.status_code == 200 and children(pid) != [child]:
                break
        except httpx.HTTPError:
            assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    port = free_port()

    async def twice() -> None:
        listen = Listen("127.0.0.1", port, "k" * 20)
        server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", port)
        said: list[str] = []
        async with server:
            engine = Engine(tmp_path, threads=1, listen=listen)
            code = await serving._until_ended(engine, [], said.append)
            assert not Path(engine._socket).parent.exists(), "its folder stays behind"
        assert code == 1
        assert "does not start" in said[0]
        assert "address already in use" in said[0]

    asyncio.run(twice())
    gc.collect()  # what was left open is said now, and not in another test


def test_the_key_file_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "key"
    made = serving.key_from(file)
    assert serving.key_from(file) == made
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert serving.key_from(None) != serving.key_from(None)
    file.write_text("short\n")
    with pytest.raises(Invalid, match="holds no key"):
        serving.key_from(file)
    refused = CliRunner().invoke(prompthub, ["engine", "--key-file", str(file)])
    assert refused.exit_code == 1
    assert "holds no key" in refused.output
    elsewhere = CliRunner().invoke(prompthub, ["engine", "--key-file", str(tmp_path / "no/key")])
    assert elsewhere.exit_code == 1
    assert "No such file" in elsewhere.output


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--host", "300.1.1.1"], "Nothing can listen at 300.1.1.1, port 8322: "),
        (["--host", "a" * 70], "Nothing can listen at aaa"),
        (["--port", "99999"], "99999 is not in the range"),
        (["--memory", "-5"], "-5.0 is not in the range"),
        (["--model", __file__], "is a file."),
        (["--model", "/nowhere"], "does not exist."),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(given: list[str], said: str) -> None:
    refused = CliRunner().invoke(prompthub, ["engine", *given])
    assert (refused.exit_code in (1, 2), said in refused.output) == (True, True), refused.output
    assert isinstance(refused.exception, SystemExit), "no error of ours"


def test_a_taken_port_is_said_before_anything_is_started() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = CliRunner().invoke(prompthub, ["engine", "--port", str(port)])
    assert refused.exit_code == 1
    assert f"port {port}: Address already in use" in refused.output
    assert "does not start" not in refused.output


def test_what_the_operator_reads(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    lines = serving.told([tmp_path], Listen("0.0.0.0", 8322, "secret"))
    assert any("photos" in line and "no config.json" in line for line in lines)
    assert "  address  http://HOST:8322/v1" in lines
    assert "  prompthub/tiny (3.1 MB)" in lines
    assert serving.IN_THE_CLEAR in lines
    assert serving.IN_THE_CLEAR not in serving.told([], Listen("127.0.0.1", 8322, "secret"))
    assert Listen("::", 1, "").url == "http://[::1]:1"

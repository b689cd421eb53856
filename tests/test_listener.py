"""Clients that never finish what they began to say, on real sockets."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from hub import listener
from tests.cast import copy_template
from tests.forked import surroundings
from tests.serving import free_port, wait_until_ready

GET = b"GET / HTTP/1.1\r\nhost: hub\r\n"
POST = b"POST / HTTP/1.1\r\nhost: hub\r\ncontent-length: 20\r\n\r\n"


STREAM = {"type": "http.response.start", "status": 200, "headers": []}
go_on = asyncio.Event()
poured: list[int] = []


async def pour(send: Any) -> None:
    """Without end, and without ever waiting for anything but the one who reads."""
    await send(STREAM)
    while len(poured) < 2_000:
        await send({"type": "http.response.body", "body": b"." * 65_000, "more_body": True})
        poured.append(65_000)


async def drip(send: Any) -> None:
    await send(STREAM)
    await send({"type": "http.response.body", "body": b"first", "more_body": True})
    await go_on.wait()
    await send({"type": "http.response.body", "body": b"second"})


async def echo(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["path"] in ("/pour", "/drip"):
        await (pour if scope["path"] == "/pour" else drip)(send)
        return
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body, more = body + message["body"], message["more_body"]
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[int]:
    monkeypatch.setattr(listener, "HEAD_SECONDS", 0.4)
    monkeypatch.setattr(listener, "BODY_SECONDS", 0.4)
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            echo, http=listener.Listener, lifespan="off", log_level="critical",
            timeout_keep_alive=5,
        )  # fmt: skip
        server = uvicorn.Server(config)
        running = asyncio.create_task(server.serve([door]))
        while not server.started:
            await asyncio.sleep(0.01)
        yield door.getsockname()[1]
        server.should_exit = True
        await running


async def said(port: int, *pieces: bytes, pause: float = 0.0, patience: float = 60) -> bytes:
    """Everything the server answers until it hangs up, or for so long after the last piece."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    got = b""
    try:
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(pause)
        async with asyncio.timeout(patience):
            while more := await reader.read(4096):
                got += more
    except TimeoutError:
        got += b"<still open>"
    except ConnectionError:
        pass
    writer.close()
    return got


def is_cut_off(answer: bytes, code: bytes) -> bool:
    """Hung up on, with that answer; it gets lost on the way when the client talks on."""
    return answer == b"" or answer.startswith(b"HTTP/1.1 " + code)


async def test_headers_that_never_end_are_not_waited_for(port: int):
    assert (await said(port, GET)).startswith(b"HTTP/1.1 408 ")
    dripping = [GET, *[b"x-%d: y\r\n" % n for n in range(10)]]
    assert is_cut_off(await said(port, *dripping, pause=0.1), b"408")
    assert (await said(port)).startswith(b"HTTP/1.1 408 ")


async def test_headers_without_end_are_not_kept(port: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(listener, "HEAD_SECONDS", 60)
    pieces = [GET, *[b"x-%d: %s\r\n" % (n, b"y" * 8000) for n in range(20)]]
    assert is_cut_off(await said(port, *pieces, pause=0.01), b"431")


async def test_a_body_may_come_slowly_but_not_pause(port: int, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as slowly:
        slowly.setattr(listener, "BODY_SECONDS", 2.5)
        letters = [b"%c" % one for one in b"0123456789012345678"]
        slow = await said(port, POST + b"x", *letters, pause=0.15)
    assert slow.startswith(b"HTTP/1.1 200 ")
    assert b"x0123456789012345678" in slow
    assert await said(port, POST, b"0123456789") == b""


async def test_a_kept_alive_connection_is_as_before(port: int):
    whole = await said(port, GET + b"\r\n", GET + b"\r\n", pause=0.6, patience=1)
    assert whole.count(b"HTTP/1.1 200 ") == 2
    assert whole.endswith(b"<still open>")
    broken_off = await said(port, GET + b"\r\n", GET, pause=0.1)
    assert broken_off.count(b"HTTP/1.1 200 ") == 1
    assert b"HTTP/1.1 408 " in broken_off


async def test_a_large_answer_comes_whole_also_when_the_connection_ends_with_it(port: int):
    body = bytes(range(256)) * 12_000
    asks = b"POST / HTTP/1.1\r\nhost: hub\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"
    head, _, got = (await said(port, asks % len(body), body)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert got == body


async def test_what_streams_comes_piece_by_piece(port: int):
    go_on.clear()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /drip HTTP/1.1\r\nhost: hub\r\n\r\n")
    async with asyncio.timeout(60):
        await reader.readuntil(b"first")
        go_on.set()
        await reader.readuntil(b"second")
    writer.close()


async def test_who_does_not_read_is_not_written_to_without_end(port: int):
    poured.clear()
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    writer.write(b"GET /pour HTTP/1.1\r\nhost: hub\r\n\r\n")
    async with asyncio.timeout(60):
        await reader.readuntil(b"200 OK")
        before = -1
        while before != len(poured):  # until it stands still
            before = len(poured)
            await asyncio.sleep(0.3)
    assert sum(poured) < 40_000_000, "what nobody reads is kept in memory"
    writer.close()


def test_an_asgi_server_of_ones_own_serves_the_hub(tmp_path: Path, migrated: Path):
    """As docs/operating.md says it; elsewhere a hub is forked off a process that has it loaded."""
    port = free_port()
    copy_template(migrated, tmp_path)
    command = [sys.executable, "-m", "uvicorn", "--factory", "hub.app:from_environment"]
    process = subprocess.Popen(
        [*command, "--port", str(port)], env=surroundings(PROMPTHUB_DATA=str(tmp_path))
    )
    try:
        wait_until_ready(f"http://127.0.0.1:{port}", process)
    finally:
        process.terminate()
        assert process.wait(60) in (0, -signal.SIGTERM)

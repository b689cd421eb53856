"""Getting in: our own door over HTTP with a token, and where the hub does not go at all."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from hub.db import Database, now
from hub.errors import HubError
from hub.sync.remotes import linking
from tests.forge import Forge, Linked, clinic, prompt, room_for
from tests.http_backend import http_backend
from tests.serving import free_port
from tests.shelf import Shelf


@pytest.fixture
async def shelf(database: Database, tmp_path: Path) -> Shelf:
    return await clinic(database, tmp_path)


# ── over HTTP ───────────────────────────────────────────────────────────────────────────────────


async def test_both_ways_over_http_with_a_token_that_expires(shelf: Shelf, tmp_path: Path):
    with http_backend(tmp_path / "forge") as (forge, tokens):
        host = forge.url.removeprefix("http://").partition("/")[0]
        linked = Linked(shelf, forge, room_for(shelf.database, shelf.publisher, tmp_path, host))
        await shelf.save("support/triage", "Be kind.")
        for token, said in (
            ("", "asks for a token. Make"),
            ("ghp_x", "not accept the hub's token"),
        ):
            with pytest.raises(HubError, match=said):
                await linked.link(token=token)
        tokens[:] = ["ghp_first", "ghp_reads"]
        await linked.link(token="ghp_reads")
        row = await linked.sync()
        assert "lets the hub read, but not write" in row.trouble
        assert row.ahead == 1  # it waits here, and the page says so
        await linking.renew(
            linked.room, shelf.workspace, linking.Fields(token="ghp_first", deploy="on"),
            linked.admin,
        )  # fmt: skip
        await linked.in_step()
        forge.pull()
        big = prompt("word " * 100_000)
        forge.commit({"a/b.prompt.yml": big}, "A long one")
        await linked.in_step()
        await shelf.save("a/c", "word " * 150_000)
        await linked.in_step()
        tokens[:] = ["ghp_second"]
        await shelf.save("tutor/maths", "Explain sums.")
        for failures in (1, 2):
            row = await linked.sync()
            assert "does not accept the hub's token" in row.trouble
            assert (row.failures, row.ahead, row.behind) == (failures, 1, 0)
            assert "ghp_first" not in row.trouble
        assert row.due_at - now() > timedelta(seconds=20)
        wish = linking.Fields(token="ghp_second", deploy="on")
        await linking.renew(linked.room, shelf.workspace, wish, linked.admin)
        await linked.in_step()
        await linked.room.outbound.close()


class _Elsewhere(BaseHTTPRequestHandler):
    """Hands everybody over to another address."""

    def do_GET(self) -> None:
        self.send_response(302)
        self.send_header("Location", f"{self.server.target}{self.path}")  # type: ignore[attr-defined]
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


class _Web(BaseHTTPRequestHandler):
    """A web server that says the same to everybody."""

    said = (200, "text/html", b"")

    def do_GET(self) -> None:
        status, kind, body = self.said
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextmanager
def web(kind: type[BaseHTTPRequestHandler], port: int = 0) -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", port), kind)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def canary() -> Iterator[tuple[int, list[bytes]]]:
    """A listener that nobody may reach; what came in."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.1)
        done = threading.Event()

        def listen() -> None:
            while not done.is_set():
                try:
                    line, _ = listener.accept()
                except TimeoutError:
                    continue
                with line:
                    heard.append(b"connected")

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield listener.getsockname()[1], heard
        finally:
            done.set()
            thread.join()


async def test_no_redirect_is_followed(shelf: Shelf, tmp_path: Path):
    port = free_port()
    with canary() as (target, heard):
        with web(_Elsewhere, port) as other:
            other.target = f"http://127.0.0.1:{target}"  # type: ignore[attr-defined]
            room = room_for(shelf.database, shelf.publisher, tmp_path, f"127.0.0.1:{port}")
            linked = Linked(shelf, Forge(tmp_path, f"http://127.0.0.1:{port}/a/b.git"), room)
            with pytest.raises(HubError, match="sends the hub to another address"):
                await linked.link(token="ghp_secret")
        assert heard == []
        await room.outbound.close()


FILES = b"95d09f2b10159347eece71399a7e2e907ea3df4f\trefs/heads/main\n"
"""What `git update-server-info` writes, for web servers that know nothing of git."""


@pytest.mark.parametrize(
    "said",
    [
        (200, "text/plain", b""),
        (204, "text/plain", b""),
        (200, "text/html", b"<!doctype html>\n<html><body>Welcome\tto acme</body></html>\n"),
        (200, "application/json", b'{"status": "ok"}'),
        (200, "text/plain", FILES),
    ],
    ids=["nothing", "no content", "a page", "json", "plain files"],
)
async def test_a_web_server_is_not_taken_for_an_empty_repository(
    shelf: Shelf, tmp_path: Path, said: tuple[int, str, bytes], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(_Web, "said", said)
    with web(_Web) as server:
        host = f"127.0.0.1:{server.server_port}"
        room = room_for(shelf.database, shelf.publisher, tmp_path, host)
        linked = Linked(shelf, Forge(tmp_path, f"http://{host}/a/b.git"), room)
        with pytest.raises(HubError, match="is a web server, but no git repository"):
            await linked.link(token="ghp_secret")
        await room.outbound.close()


async def test_a_repository_that_a_web_page_took_the_place_of_was_not_emptied(
    shelf: Shelf, tmp_path: Path
):
    port = free_port()  # nobody gets it between the one and the other
    with http_backend(tmp_path / "forge", port=port) as (forge, _):
        host = f"127.0.0.1:{port}"
        linked = Linked(shelf, forge, room_for(shelf.database, shelf.publisher, tmp_path, host))
        await shelf.save("support/triage", "Be kind.")
        await linked.link(token="ghp_first")
        await linked.in_step()
    await linked.room.outbound.close()
    with web(_Web, port):
        row = await linked.sync()
        assert "is a web server, but no git repository" in row.trouble
        assert row.stopped is None
        await linked.room.outbound.close()


ADDRESSES = """
http://127.0.0.1:PORT/a/b.git
https://127.0.0.1:PORT/a/b.git
https://localhost:PORT/a/b.git
https://localhost.:PORT/a/b.git
https://LOCALHOST:PORT/a/b.git
https://127.1:PORT/a/b.git
https://127.0.1:PORT/a/b.git
https://2130706433:PORT/a/b.git
https://0x7f000001:PORT/a/b.git
https://0x7f.0.0.1:PORT/a/b.git
https://0177.0.0.1:PORT/a/b.git
https://017700000001:PORT/a/b.git
https://0:PORT/a/b.git
https://0.0.0.0:PORT/a/b.git
https://127.0.0.1.:PORT/a/b.git
https://[::1]:PORT/a/b.git
https://[::]:PORT/a/b.git
https://[::ffff:127.0.0.1]:PORT/a/b.git
https://[::ffff:7f00:1]:PORT/a/b.git
https://[0:0:0:0:0:ffff:127.0.0.1]:PORT/a/b.git
https://[64:ff9b::7f00:1]:PORT/a/b.git
https://[::127.0.0.1]:PORT/a/b.git
https://[fe80::1%25lo]:PORT/a/b.git
https://169.254.169.254/latest/meta-data
https://[fd00:ec2::254]/latest
https://100.100.100.200/latest
https://10.0.0.1:PORT/a/b.git
https://192.168.0.1/a/b.git
https://user@127.0.0.1:PORT/a/b.git
https://user:token@github.com/a/b.git
https://github.com@127.0.0.1:PORT/a/b.git
https://127.0.0.1:PORT\\@github.com/a/b.git
https://127.0.0.1:PORT#@github.com/a/b.git
https://github.com:PORT@127.0.0.1:PORT/a/b.git
https://127.0.0.1:PORT/a/b.git?x=1
https://127.0.0.1:99999/a/b.git
https:127.0.0.1:PORT/a/b.git
https:///127.0.0.1:PORT/a/b.git
ssh://git@127.0.0.1:PORT/a/b.git
ssh://git@localhost:PORT/a/b.git
ssh://-oProxyCommand=id@github.com/a/b.git
ssh://-oProxyCommand=touch%20x/a/b.git
ssh://git@-oProxyCommand=id/a/b.git
git@127.0.0.1:a/b.git
-oProxyCommand=id:a/b.git
git://127.0.0.1:PORT/a/b.git
git://localhost:PORT/a/b.git
file:///etc
file://127.0.0.1/etc
/etc/passwd
../../repositories/rival.git
ext::sh -c id
ext::nc% 127.0.0.1% PORT
fd::7
ftp://127.0.0.1:PORT/a/b.git
http+unix://%2Ftmp%2Fx/a
https://github.com/a/../../b.git
https://github.com/-upload-pack=id/b.git
https://github.com/a b.git
https://git\u04bbub.com/a/b.git
--upload-pack=id
""".strip().splitlines()


async def test_addresses_that_are_never_spoken_to(shelf: Shelf, tmp_path: Path):
    with canary() as (port, heard):
        room = room_for(shelf.database, shelf.publisher, tmp_path, "")
        for one in ADDRESSES:
            linked = Linked(shelf, Forge(tmp_path, one.replace("PORT", str(port))), room)
            with pytest.raises(HubError) as refused:
                await linked.link(token="ghp_secret")
            assert "ghp_secret" not in refused.value.sentence, one
        assert heard == []
    assert len(ADDRESSES) >= 50

"""Stock `git http-backend` behind a small web server that asks for a token."""

from __future__ import annotations

import base64
import os
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.forge import Forge, make_bare


class _Backend(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    root: Path
    tokens: list[str]

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._serve(body)

    def _serve(self, body: bytes) -> None:
        given = self.headers.get("Authorization", "").removeprefix("Basic ")
        token = base64.b64decode(given).decode().partition(":")[2]
        if token.endswith("_reads") and "receive-pack" in self.path and token in self.tokens:
            self.send_error(403)
            return
        if token not in self.tokens:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="x"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        path, _, query = self.path.partition("?")
        env = {
            "PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": str(self.root), "PATH_INFO": path,
            "GIT_HTTP_EXPORT_ALL": "1", "REMOTE_USER": "hub", "QUERY_STRING": query,
            "REQUEST_METHOD": self.command, "CONTENT_LENGTH": str(len(body)),
            "CONTENT_TYPE": self.headers.get("Content-Type", ""), "REMOTE_ADDR": "127.0.0.1",
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }  # fmt: skip
        done = subprocess.run(
            ["git", "http-backend"], input=body, env=env, capture_output=True, check=False
        )
        head, _, out = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send_response(int(fields.pop("Status", "200").split()[0]))
        for name, value in fields.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(out)))
        self.end_headers()
        self.wfile.write(out)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextmanager
def http_backend(
    folder: Path, context: ssl.SSLContext | None = None, port: int = 0
) -> Iterator[tuple[Forge, list[str]]]:
    """A forge, and the tokens that it takes (`…_reads`: for reading); with a context, over TLS."""
    make_bare(folder)
    tokens = ["ghp_first"]
    kind = type("Backend", (_Backend,), {"root": folder, "tokens": tokens})
    server = ThreadingHTTPServer(("127.0.0.1", port), kind)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        url = (
            f"http{'s' if context else ''}://127.0.0.1:{server.server_address[1]}/acme/prompts.git"
        )
        yield Forge(folder, url), tokens
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

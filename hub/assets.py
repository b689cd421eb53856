"""Static files from memory: those that are named by their content may be kept for ever.

Fonts keep their names, so they are asked for again after a day.
"""

from __future__ import annotations

import gzip
import mimetypes
import re
from functools import cache
from hashlib import sha256
from pathlib import Path

import msgspec
from litestar.types import HTTPScope, Receive, Send

FOREVER = "public, max-age=31536000, immutable"
A_DAY = "public, max-age=86400"
RECHECK = "public, no-cache"
HASHED = re.compile(r"\.[A-Z0-9]{8}\.[a-z]+$")
MIME = {".woff2": "font/woff2", ".js": "text/javascript", ".mjs": "text/javascript"}
SQUEEZED = (".js", ".css", ".svg", ".json", ".txt", ".mjs")


class _File(msgspec.Struct, frozen=True):
    body: bytes
    squeezed: bytes | None
    etag: bytes
    headers: tuple[tuple[bytes, bytes], ...]


class Assets:
    """The folder `static/`, read when the hub starts (with `fresh`, at every request)."""

    def __init__(self, folder: Path, *, fresh: bool = False) -> None:
        self._folder = folder
        self._fresh = fresh
        self._files = self._read()

    async def __call__(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        """Answer a request below `/static/`; the caller has checked that it is one."""
        files = self._read() if self._fresh else self._files
        file = files.get(scope["path"])
        if file is None or scope["method"] not in {"GET", "HEAD"}:
            status, headers, body = 404, [(b"content-type", b"text/plain")], b"No such file.\n"
        else:
            status, headers, body = _answer(file, dict(scope["headers"]))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        sent = b"" if scope["method"] == "HEAD" else body
        await send({"type": "http.response.body", "body": sent, "more_body": False})

    def _read(self) -> dict[str, _File]:
        found = [path for path in self._folder.rglob("*") if path.is_file()]
        names = (path.relative_to(self._folder).as_posix() for path in found)
        return {
            f"/static/{name}": _load(path, path.stat().st_mtime)
            for name, path in zip(names, found, strict=True)
        }


@cache
def _load(path: Path, _changed: float) -> _File:
    body = path.read_bytes()
    kind = MIME.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    if kind.startswith("text/"):
        kind += "; charset=utf-8"
    kept = A_DAY if path.suffix == ".woff2" else RECHECK
    if HASHED.search(path.name):
        kept = FOREVER
    etag = f'"{sha256(body).hexdigest()[:20]}"'.encode()
    return _File(
        body=body,
        squeezed=gzip.compress(body, 6, mtime=0) if path.suffix in SQUEEZED else None,
        etag=etag,
        headers=(
            (b"content-type", kind.encode()),
            (b"cache-control", kept.encode()),
            (b"etag", etag),
            (b"vary", b"Accept-Encoding"),
        ),
    )


def _answer(file: _File, asked: dict[bytes, bytes]) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    headers = list(file.headers)
    if asked.get(b"if-none-match") == file.etag:
        return 304, headers, b""
    body = file.body
    if file.squeezed and b"gzip" in asked.get(b"accept-encoding", b""):
        headers.append((b"content-encoding", b"gzip"))
        body = file.squeezed
    return 200, [*headers, (b"content-length", str(len(body)).encode())], body

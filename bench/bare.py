"""The floor: an ASGI app that answers every request with the same bytes."""

from __future__ import annotations

import os
from typing import Any

BODY = b"x" * int(os.environ.get("BENCH_BODY", "1400"))
HEADERS = [
    (b"content-type", b"application/json"),
    (b"content-length", str(len(BODY)).encode()),
]


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await send({"type": "http.response.body", "body": BODY, "more_body": False})

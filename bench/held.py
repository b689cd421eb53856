"""The hub with a meter on its event loop, for benchmarks: `uvicorn --factory bench.held:app`.

`GET /held` says for how long the loop did nothing but one thing since it was last asked, on the
clock and in processor time of its thread. On a machine that others use too, the second one counts.
Of requests with the header `X-Measured` it also says what the loop's thread worked, on them and on
others, from their coming to their end: what they would take on a core of their own.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from litestar.types import ASGIApp, Receive, Scope, Send

from hub.app import from_environment

BEAT = 0.002


class Meter:
    """Notes how late a beat comes, and what the loop's thread has worked meanwhile."""

    def __init__(self) -> None:
        self._late: list[float] = []
        self._worked: list[float] = []
        self._pages: list[float] = []

    def page(self, worked: float) -> None:
        self._pages.append(worked)

    async def beat(self) -> None:
        while True:
            clock, work = time.perf_counter(), time.thread_time()
            await asyncio.sleep(BEAT)
            self._late.append(max(0.0, time.perf_counter() - clock - BEAT))
            self._worked.append(time.thread_time() - work)

    def told(self) -> dict[str, Any]:
        """In ms, since it was last asked."""
        late, worked, pages = sorted(self._late), sorted(self._worked), sorted(self._pages)
        self._late, self._worked, self._pages = [], [], []
        return {
            "beats": len(late),
            **{
                f"{what} {name} ms": round(values[int(len(values) * share)] * 1000, 1)
                for what, values in (("late", late), ("worked", worked), ("pages worked", pages))
                for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
                if values
            },
            "late most ms": round(max(late, default=0.0) * 1000, 1),
            "worked most ms": round(max(worked, default=0.0) * 1000, 1),
        }


def app() -> ASGIApp:
    hub, meter = from_environment(), Meter()
    beating: list[asyncio.Task[None]] = []

    async def metered(scope: Scope, receive: Receive, send: Send) -> None:
        if not beating:
            beating.append(asyncio.create_task(meter.beat()))
        if scope["type"] != "http" or scope["path"] != "/held":
            begun = time.thread_time()
            await hub(scope, receive, send)
            if scope["type"] == "http" and any(key == b"x-measured" for key, _ in scope["headers"]):
                meter.page(time.thread_time() - begun)
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps(meter.told()).encode()})

    return metered

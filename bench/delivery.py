"""How soon do apps hear of a release? `python -m bench.delivery [--streams 1000] [--prompts 10000]`

A real uvicorn with one worker. Apps are sockets of one other process that wait on the stream; a
release is made by the API, and each app notes when the whole batch has come. Then the snapshot of
all prompts, gzip from ready bytes and as 304, asked by `wrk`.

Needs `wrk` (Debian: `apt-get install wrk`) and as many open files as streams, twice.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import resource
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import uvloop

from bench.filled import Filled, fill
from bench.serving import HUB, rss, uvicorn, wrk
from hub.settings import Secret, Settings

RESULTS = Path(__file__).parent / "results" / "delivery.json"
SNAPSHOT = "/api/v1/snapshot?label=latest"
BARS = {
    "all notified ms": 1000.0, "notified p50 ms": 50.0, "kB a stream": 50.0,
    "snapshot gzip /s": 200.0, "snapshot 304 /s": 10_000.0,
}  # fmt: skip
AT_LEAST = {"snapshot gzip /s", "snapshot 304 /s"}


class App:
    """One that listens; notes when a commit has come."""

    def __init__(self) -> None:
        self.heard = asyncio.Event()
        self.at = 0.0

    async def listen(self, port: int, ask: bytes, live: asyncio.Semaphore) -> None:
        async with live:
            reader, self.writer = await asyncio.open_connection("127.0.0.1", port, limit=65536)
            self.writer.write(ask)
            await reader.readuntil(b"event: commit")
        self.task = asyncio.create_task(self._wait(reader))

    async def _wait(self, reader: asyncio.StreamReader) -> None:
        while True:
            await reader.readuntil(b"event: commit")
            self.at = time.perf_counter()
            self.heard.set()


async def streams(made: Filled, count: int, releases: int, server: Any) -> dict[str, Any]:
    """Idle streams, and how long releases take to reach all of them."""
    port = made.settings.port
    headers = {"Authorization": f"Bearer {made.key}"}
    name = made.names[0]
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60
    ) as client:
        place = (await client.get("/api/v1/snapshot?label=production")).json()
        await _new_version(client, name)
        ask = (
            f"GET /api/v1/stream?since={place['epoch']}:{place['revision']} HTTP/1.1\r\n"
            f"Host: 127.0.0.1:{port}\r\nAuthorization: Bearer {made.key}\r\n\r\n"
        ).encode()
        apps, live = [App() for _ in range(count)], asyncio.Semaphore(50)
        await asyncio.sleep(2)
        before, begun = rss(server), time.perf_counter()
        await asyncio.gather(*(app.listen(port, ask, live) for app in apps))
        connected = time.perf_counter() - begun
        await asyncio.sleep(20)  # each has had a heartbeat
        after = rss(server)
        rounds = [
            await _release(client, name, 1 + (1 + number) % 2, apps) for number in range(releases)
        ]
        for app in apps:
            app.task.cancel()
            app.writer.close()
    middle = {what: round(statistics.median(one[what] for one in rounds), 1) for what in rounds[0]}
    return {
        "streams": count, "connected in s": round(connected, 2),
        "kB a stream": round((after - before) * 1024 / count, 1),
        **middle, "rounds": rounds,
    }  # fmt: skip


async def _new_version(client: httpx.AsyncClient, name: str) -> None:
    there = (await client.get(f"/api/v1/prompts/{name}")).json()
    document = there["document"] | {"messages": [{"role": "user", "content": "Another {{ q }}"}]}
    body = {"document": document, "base": there["hash"], "message": "Another"}
    answer = await client.post(f"/api/v1/versions/{name}", json=body)
    assert answer.is_success, answer.text


async def _release(
    client: httpx.AsyncClient, name: str, version: int, apps: list[App]
) -> dict[str, float]:
    for app in apps:
        app.heard.clear()
    body = {"version": version, "reason": "Measured"}
    answer = await client.put(f"/api/v1/labels/production/{name}", json=body)
    answered = time.perf_counter()
    assert answer.is_success, answer.text
    await asyncio.wait_for(asyncio.gather(*(app.heard.wait() for app in apps)), 30)
    took = sorted((app.at - answered) * 1000 for app in apps)
    await asyncio.sleep(1)
    return {
        "notified p50 ms": round(statistics.median(took), 1),
        "notified p99 ms": round(took[int(len(took) * 0.99)], 1),
        "all notified ms": round(took[-1], 1),
    }


def snapshots(made: Filled, folder: Path, seconds: int, rounds: int) -> dict[str, Any]:
    """The largest snapshot there is, whole and unchanged."""
    url = f"http://127.0.0.1:{made.settings.port}"
    headers = {"Authorization": f"Bearer {made.key}", "Accept-Encoding": "gzip"}
    begun = time.perf_counter()
    first = httpx.get(url + SNAPSHOT, headers=headers, timeout=60)
    built = time.perf_counter() - begun
    whole, same = folder / "whole.txt", folder / "same.txt"
    whole.write_text(f"{SNAPSHOT}\n")
    same.write_text(f"{SNAPSHOT}\t{first.headers['etag']}\n")
    lua = folder / "gzip.lua"
    text = (Path(__file__).parent / "fetch.lua").read_text()
    lua.write_text(text.replace("Authorization =", '["Accept-Encoding"] = "gzip", Authorization ='))
    found: dict[str, list[float]] = {"snapshot gzip /s": [], "snapshot 304 /s": []}
    for _ in range(rounds):
        for what, asks in (("snapshot gzip /s", whole), ("snapshot 304 /s", same)):
            said = wrk(url, asks, made.key, seconds, script=lua)
            assert not said["wrong"], said
            found[what].append(round(said["rps"], 1))
    return {
        "prompts": len(first.json()["pointers"]), "first answer s": round(built, 2),
        "bytes plain": len(first.content),
        "bytes gzip": int(first.headers["content-length"]),
        **{what: statistics.median(several) for what, several in found.items()},
        "rounds": found,
    }  # fmt: skip


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--streams", type=int, default=1000)
    asked.add_argument("--prompts", type=int, default=10_000)
    asked.add_argument("--releases", type=int, default=10)
    asked.add_argument("--rounds", type=int, default=3)
    asked.add_argument("--seconds", type=int, default=3)
    given = asked.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory(prefix="bench-delivery-") as name:
        folder = Path(name)
        settings = Settings(data=folder / "data", port=8488, secret_key=Secret("0" * 64))
        settings.data.mkdir()
        made = asyncio.run(fill(settings, given.prompts))
        env = {
            "PROMPTHUB_DATA": str(settings.data), "PROMPTHUB_SECRET_KEY": "0" * 64,
            "PROMPTHUB_PORT": str(settings.port),
        }  # fmt: skip
        start = ("hub.app:from_environment", settings.port, env, *HUB)
        with uvicorn(*start) as server:
            listening = uvloop.run(streams(made, given.streams, given.releases, server))
        with uvicorn(*start) as server:
            loading = snapshots(made, folder, given.seconds, given.rounds)
    tell(listening, loading)


def tell(listening: dict[str, Any], loading: dict[str, Any]) -> None:
    got = listening | loading
    result = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"), "cores": os.cpu_count(),
        "python": platform.python_version(), "load": os.getloadavg()[0],
        "streams": listening, "snapshot": loading,
        "bars": {
            what: {
                "bar": bar, "got": got[what],
                "met": got[what] >= bar if what in AT_LEAST else got[what] <= bar,
            }
            for what, bar in BARS.items()
        },
    }  # fmt: skip
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()

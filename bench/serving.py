"""How fast are fetches and lists? `python -m bench.serving [--prompts 10000] [--rounds 5]`

The hub as `prompthub serve` runs it, on a workspace made through the write side, asked by `wrk`
over 32 connections in short rounds taken in turns, so that a noisy machine is noisy for all. The
floor, in the same run: an ASGI app under uvicorn that always answers the same bytes. Lists and
searches are also timed inside a process of ours, as server time.

Needs `wrk` (Debian: `apt-get install wrk`).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import insert

from bench.filled import LIVE, Filled, fill
from hub.db import Database, now
from hub.outbox import Event
from hub.registry.reading import catalog
from hub.settings import Secret, Settings

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "serving.json"
BARS = {
    "cached 200": 12_000, "cached 304": 12_000, "uncached 200": 8_000, "list 50 ms": 1.0,
    "search ms": 2.0, "page ms": 100.0, "idle RSS MiB": 150.0,
}  # fmt: skip
SEARCHES = ("tri", "zeb", "refund pol", "clinical/ha", "kindly", "the", "a", "nobody writes this")
HUB = ("--factory", "--http", "hub.listener:Listener")  # as hub/operating.py runs it


@contextmanager
def uvicorn(
    app: str, port: int, env: dict[str, str], *more: str
) -> Generator[subprocess.Popen[bytes]]:
    command = [
        sys.executable, "-m", "uvicorn", app, "--port", str(port), "--loop", "uvloop",
        "--no-access-log", "--log-level", "warning", *more,
    ]  # fmt: skip
    process = subprocess.Popen(command, env=os.environ | env, cwd=HERE.parent)
    try:
        for _ in range(400):
            try:
                httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=2)
                break
            except httpx.TransportError:
                time.sleep(0.05)
        yield process
    finally:
        process.terminate()
        process.wait(20)


def wrk(
    url: str, asks: Path, key: str, seconds: int, connections: int = 32,
    script: Path = HERE / "fetch.lua",
) -> dict[str, float]:  # fmt: skip
    """Requests per second, latency in ms, and how many answers were errors."""
    done = subprocess.run(
        [
            "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s",
            str(script), url, "--", str(asks), key,
        ],
        capture_output=True, text=True, check=True, timeout=120,
    ).stdout  # fmt: skip
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done)
    wrong = re.search(r"Non-2xx or 3xx responses: (\d+)", done)
    assert rate, done
    p50, p99 = (re.search(rf"\b{p}%\s+([\d.]+)(us|ms|s)\b", done) for p in (50, 99))
    scale = {"us": 0.001, "ms": 1.0, "s": 1000.0}
    return {
        "rps": float(rate[1]),
        "p50": float(p50[1]) * scale[p50[2]] if p50 else 0.0,
        "p99": float(p99[1]) * scale[p99[2]] if p99 else 0.0,
        "wrong": float(wrong[1]) if wrong else 0.0,
    }


def rss(process: subprocess.Popen[bytes]) -> float:
    """MiB of the process alone; the engine is a child, and not started."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else 0.0


def cpu(process: subprocess.Popen[bytes]) -> float:
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def forget(settings: Settings) -> None:
    """Have the server's table emptied, by an event as a rebuild of the index writes it."""
    database = Database(settings.database, guest=True)
    async with database.write() as db:
        told = {"workspace_id": None, "kind": "index.rebuilt", "subject": "", "payload": {}}
        await db.execute(insert(Event).values(**told, at=now()))
    await database.close()


async def in_process(made: Filled) -> dict[str, Any]:
    """Server time of lists and searches, in ms."""
    database = Database(made.settings.database, guest=True)
    asks: dict[str, dict[str, Any]] = {
        "list 50": {}, "list 50, second page": {}, "list 50 of a folder": {"folder": "support"},
        "list 50 with a label": {"label": "production"},
        **{f"search “{typed}”": {"q": typed} for typed in SEARCHES},
    }  # fmt: skip
    timed: dict[str, Any] = {}
    async with database.read() as db:
        first = await catalog.find(db, made.workspace.id)
        asks["list 50, second page"] = {"cursor": first.next}
        for what, asked in asks.items():
            took: list[float] = []
            for _ in range(60):
                begun = time.perf_counter()
                await catalog.find(db, made.workspace.id, **asked)
                took.append((time.perf_counter() - begun) * 1000)
            total = (await catalog.find(db, made.workspace.id, **asked)).total
            timed[what] = _summed(took) | {"total": total}
    timed["list 50, first after a commit, with its session"] = await _after_commits(made, database)
    await database.close()
    return timed


async def _after_commits(made: Filled, database: Database) -> dict[str, Any]:
    """What is kept between commits is of no use here: the worst that a list can be."""
    took: list[float] = []
    for _ in range(60):
        await forget(made.settings)
        begun = time.perf_counter()
        async with database.read() as db:
            await catalog.find(db, made.workspace.id)
        took.append((time.perf_counter() - begun) * 1000)
    return _summed(took)


def _summed(took: list[float]) -> dict[str, Any]:
    took = sorted(took)
    return {
        "p50": round(statistics.median(took), 2), "best": round(took[0], 2),
        "p95": round(took[-4], 2),
    }  # fmt: skip


def paths(made: Filled, folder: Path, url: str) -> dict[str, Path]:
    """What `wrk` asks for, written down: few paths again and again, or each only once."""
    address = "/api/v1/prompts/{}?{}"
    some = made.names[:500]
    warm = [address.format(name, "label=production") for name in some]
    once = [
        address.format(name, f"{asked}")
        for asked in ("version=1", "label=latest", "label=production")
        for name in (made.names[:LIVE] if "production" in asked else made.names)
    ]
    random.Random(1).shuffle(once)
    headers = {"Authorization": f"Bearer {made.key}"}
    with httpx.Client(base_url=url, headers=headers) as client:
        tags = [client.get(path).headers["etag"] for path in warm]
    written = {
        "cached 200": warm,
        "cached 304": [f"{path}\t{tag}" for path, tag in zip(warm, tags, strict=True)],
        "uncached 200": once,
    }
    files: dict[str, Path] = {}
    for what, lines in written.items():
        files[what] = folder / f"{what.replace(' ', '-')}.txt"
        files[what].write_text("\n".join(lines) + "\n")
    return files


def over_http(made: Filled, folder: Path, rounds: int, seconds: int) -> dict[str, Any]:
    url, bare_url = f"http://127.0.0.1:{made.settings.port}", "http://127.0.0.1:8489"
    env = {
        "PROMPTHUB_DATA": str(made.settings.data), "PROMPTHUB_SECRET_KEY": "0" * 64,
        "PROMPTHUB_PORT": str(made.settings.port),
    }  # fmt: skip
    port = made.settings.port
    with (
        uvicorn("hub.app:from_environment", port, env, *HUB) as server,
        uvicorn("bench.bare:app", 8489, {"BENCH_BODY": "1700"}) as bare,
    ):
        time.sleep(1)
        idle = rss(server)
        files = paths(made, folder, url)
        found: dict[str, list[dict[str, float]]] = {}
        for _ in range(rounds):
            for what, asks in [("floor: bare ASGI", files["cached 200"]), *files.items()]:
                process = bare if "bare" in what else server
                if "uncached" in what:
                    asyncio.run(forget(made.settings))
                begun = cpu(process)
                one = wrk(bare_url if process is bare else url, asks, made.key, seconds)
                one["cpu_us"] = (cpu(process) - begun) / (one["rps"] * seconds) * 1e6
                found.setdefault(what, []).append(one)
        floor = statistics.median(one["rps"] for one in found["floor: bare ASGI"])
        for one in (one for several in found.values() for one in several):
            one["of the floor"] = one["rps"] / floor
        alone = wrk(url, files["cached 200"], made.key, seconds, connections=1)
        return {
            **{what: summed(several) for what, several in found.items()},
            "cached 200, one connection": {k: round(v, 3) for k, v in alone.items()},
            "pages ms": asyncio.run(pages(made, url)),
            "RSS MiB": {"idle": round(idle, 1), "after": round(rss(server), 1)},
        }


def summed(several: list[dict[str, float]]) -> dict[str, Any]:
    rates = [one["rps"] for one in several]
    middle = {key: round(statistics.median(one[key] for one in several), 2) for key in several[0]}
    return middle | {"best": round(max(rates)), "rounds": [round(rate) for rate in rates]}


async def pages(made: Filled, url: str) -> dict[str, float]:
    """Whole pages as a browser gets them, one after the other; median of 20, in ms."""
    some = made.names[3]
    addresses = {
        "list": "/clinic/prompts", "search": "/clinic/prompts?q=triage",
        "write": f"/clinic/prompts/{some}", "history": f"/clinic/history/{some}",
        "REST list": "/api/v1/prompts?limit=50", "REST search": "/api/v1/prompts?q=triage",
    }  # fmt: skip
    took: dict[str, float] = {}
    cookies = {"__Host-session": made.cookie}
    async with httpx.AsyncClient(base_url=url, cookies=cookies) as client:
        for what, address in addresses.items():
            headers = {"Authorization": f"Bearer {made.key}"} if "REST" in what else {}
            times: list[float] = []
            for _ in range(20):
                begun = time.perf_counter()
                answer = await client.get(address, headers=headers)
                times.append((time.perf_counter() - begun) * 1000)
                assert answer.status_code == 200, (address, answer.status_code, answer.text[:300])
            took[what] = round(statistics.median(times), 1)
    return took


def verdicts(http: dict[str, Any], inside: dict[str, Any]) -> dict[str, Any]:
    searches = [one["p50"] for what, one in inside.items() if what.startswith("search")]
    got = {
        **{what: http[what]["rps"] for what in ("cached 200", "cached 304", "uncached 200")},
        "list 50 ms": inside["list 50"]["p50"],
        "search ms": round(statistics.median(searches), 2),
        "page ms": max(ms for what, ms in http["pages ms"].items() if "REST" not in what),
        "idle RSS MiB": http["RSS MiB"]["idle"],
    }
    return {
        what: {
            "bar": bar, "got": got[what],
            "met": got[what] >= bar if bar > 1000 else got[what] <= bar,
        }
        for what, bar in BARS.items()
    }  # fmt: skip


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--prompts", type=int, default=10_000)
    ask.add_argument("--rounds", type=int, default=5)
    ask.add_argument("--seconds", type=int, default=2, help="of each round")
    given = ask.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is not installed (Debian: apt-get install wrk)")
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data=Path(folder) / "data", port=8488, secret_key=Secret("0" * 64))
        begun = time.perf_counter()
        made = asyncio.run(fill(settings, given.prompts))
        filled = time.perf_counter() - begun
        inside = asyncio.run(in_process(made))
        http = over_http(made, Path(folder), given.rounds, given.seconds)
    result = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"), "prompts": given.prompts,
        "cores": os.cpu_count(), "load": os.getloadavg()[0], "python": platform.python_version(),
        "filled in s": round(filled, 1), "server time ms": inside, "over http": http,
        "bars": verdicts(http, inside),
    }  # fmt: skip
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    print(json.dumps(result, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()

"""Thousands of requests, and the hub holds no more files and children than before.

300 requests in the ordinary suite, `REQUESTS=10000` for the long run.
"""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.git_people import API, basic, own_key, push_headers, save
from tests.pushing import Scratch
from tests.serving import Server
from tests.test_git_main import repository
from tests.test_mcp_streams import HELLO, TAKES, megabytes

REQUESTS = int(os.environ.get("REQUESTS", "300"))
MAIN = "refs/heads/main"
Deed = Callable[[int], httpx.Response]


def counted(server: Server) -> tuple[int, list[str]]:
    """Open files, and children of any depth."""
    own = Path(f"/proc/{server.process.pid}")
    return len(os.listdir(own / "fd")), _children(server.process.pid)


def _children(pid: int) -> list[str]:
    found: list[str] = []
    gone = suppress(FileNotFoundError, ProcessLookupError)  # it ended while we looked
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with gone:
            for child in task.read_text().split():
                with gone:
                    args = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ")
                    found += [args.decode(errors="replace"), *_children(int(child))]
    return found


def settled(server: Server) -> tuple[int, list[str]]:
    """The same once nothing ends any more."""
    seen = counted(server)
    until = time.monotonic() + 60
    while time.monotonic() < until:
        time.sleep(0.5)
        if (now := counted(server)) == seen:
            break
        seen = now
    return seen


@pytest.mark.timeout(REQUESTS // 5 + 300)
def test_files_and_children_stay_as_many_as_they_were(server: Server, tmp_path: Path):
    saved = save(server, "support/triage", "Be kind.")
    where = f"{server.url}{API}/labels/production/support/triage"
    assert httpx.put(where, headers=server.headers("write"), json={"version": 1}).is_success
    anas = own_key(server, "ana")
    scratch = Scratch(repository(server).path, tmp_path / "scratch.git")
    dice = random.Random(5)
    with httpx.Client(base_url=server.url, timeout=60) as line:
        deeds = _deeds(server, line, anas, scratch, saved["hash"])
        ask(deeds, dice, 60)
        files, children = settled(server)
        held = megabytes(server.process.pid)
        ask(deeds, dice, REQUESTS)
        after, left = settled(server)
        kept = megabytes(server.process.pid)
    print(
        f"{REQUESTS} requests: {files} files before, {after} after; {len(left)} children; "
        f"{held:.0f} MB before, {kept:.0f} after"
    )
    assert sorted(re.sub(r"\d+", "", one) for one in left) == sorted(
        re.sub(r"\d+", "", one) for one in children
    )
    assert after <= files + 5


def ask(deeds: list[tuple[int, Deed]], dice: random.Random, times: int) -> None:
    weights = [weight for weight, _ in deeds]
    for turn in range(times):
        (_, deed), *_ = dice.choices(deeds, weights)
        answer = deed(turn)
        assert answer.status_code in {200, 201, 404, 503}, answer.text


def _deeds(
    server: Server, line: httpx.Client, key: str, scratch: Scratch, base: str
) -> list[tuple[int, Deed]]:
    """What people, apps and developers ask, and how often."""
    reads, writes = server.headers(), server.headers("write")
    page = {"Cookie": f"__Host-session={server.cast.cookies['ana']}"}
    upload = {"Git-Protocol": "version=2", "Content-Type": "application/x-git-upload-pack-request"}
    listed = b"0014command=ls-refs\n0017object-format=sha1\n00010000"
    document = {"messages": [{"role": "system", "content": "Be brief."}]}

    def get(path: str, headers: dict[str, str]) -> Deed:
        return lambda _: line.get(path, headers=headers)

    def git(path: str, content: bytes) -> Deed:
        return lambda _: line.post(path, headers=basic(key) | upload, content=content)

    def cloning(turn: int) -> httpx.Response:
        tip = (repository(server).tip(MAIN) or "").encode()
        wanted = [b"command=fetch\n", b"object-format=sha1\n", None, b"want %s\n" % tip, b"done\n"]
        lines = [b"0001" if one is None else b"%04x%s" % (len(one) + 4, one) for one in wanted]
        answer = git("/clinic.git/git-upload-pack", b"".join([*lines, b"0000"]))(turn)
        assert b"PACK" in answer.content
        return answer

    def agent(_: int) -> httpx.Response:
        opened = line.post("/mcp", headers=reads | TAKES, json=HELLO)
        session = reads | TAKES | {"Mcp-Session-Id": opened.headers["mcp-session-id"]}
        asked = {"jsonrpc": "2.0", "id": 2, "method": "prompts/list", "params": {}}
        answer = line.post("/mcp", headers=session, json=asked)
        assert line.delete("/mcp", headers=session).is_success
        return answer

    def saving(turn: int) -> httpx.Response:
        said = {"document": document, "base": base if turn % 2 else None, "message": "Again"}
        return line.post(f"{API}/versions/a/p{turn}", headers=writes, json=said)

    def pushing(turn: int) -> httpx.Response:
        old = repository(server).tip(MAIN) or ""
        text = f"messages:\n- role: user\n  content: {turn} {time.time_ns()}\n"
        made = scratch.commit(old, {f"b/p{turn}.prompt.yml": text})
        path, body = "/clinic.git/git-receive-pack", scratch.body(old, made)
        answer = line.post(path, headers=push_headers(key), content=body)
        assert b"ok refs/heads/main" in answer.content
        return answer

    return [
        (30, get(f"{API}/prompts/support/triage?label=production", reads)),
        (15, get(f"{API}/snapshot", reads)),
        (10, get("/clinic/prompts", page)),
        (10, get("/clinic/prompts/support/triage", page)),
        (5, get(f"{API}/prompts/no/such", reads)),
        (8, get("/clinic.git/info/refs?service=git-upload-pack", basic(key) | upload)),
        (8, git("/clinic.git/git-upload-pack", listed)),
        (2, git("/clinic.git/git-upload-pack", b"nonsense")),
        (3, get("/clinic.git/info/refs?service=git-receive-pack", basic(key))),
        (2, cloning),
        (3, agent),
        (5, get("/api/public/v2/prompts/support%2Ftriage", basic(server.cast.read_key))),
        (5, saving),
        (4, pushing),
    ]

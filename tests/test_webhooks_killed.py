"""A hub that is killed in the middle of telling others: nothing is lost, no id is given twice.

More kills: `WEBHOOK_KILLS=200 scripts/test -k webhooks_killed`; `WEBHOOK_SEED` repeats a run.
"""

import asyncio
import os
import random
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from standardwebhooks import Webhook as Reference

from hub.db import Database
from hub.people.policy import Actor
from hub.sync.webhooks import store
from hub.sync.webhooks.store import Checked
from tests.hook_receiver import Receiver, receiving
from tests.serving import Server, free_port, serve, start, wait_until_ready

KILLS = int(os.environ.get("WEBHOOK_KILLS", "2"))
MARIA = Actor(kind="operator", name="Maria Santos", email="maria@example.org")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serve(tmp_path / "data", free_port(), private_hosts="127.0.0.1") as running:
        yield running


@pytest.mark.timeout(KILLS * 40 + 300)
async def test_what_was_saved_is_told_whenever_the_hub_dies(server: Server):
    seed = int(os.environ.get("WEBHOOK_SEED", random.randrange(10**6)))
    print(f"WEBHOOK_SEED={seed} WEBHOOK_KILLS={KILLS}")
    dice = random.Random(seed)
    saved: list[str] = []
    async with receiving() as receiver:
        with ExitStack() as lives:
            secret = await add_hook(server, receiver)
            process = server.process
            for _ in range(KILLS):
                process = await live_and_die(server, process, receiver, saved, dice, lives)
            await receiver.until(lambda r: len({one.id for one in r.heard}) >= len(saved), 60)
    ids: dict[str, set[str]] = {}
    for one in receiver.heard:
        # Not `verify`: of a long run the first messages are older than it allows.
        at = datetime.fromtimestamp(int(one.headers["webhook-timestamp"]), UTC)
        signed = Reference(secret).sign(one.id, at, one.body.decode())
        assert one.headers["webhook-signature"] == signed
        ids.setdefault(one.json["data"]["subject"], set()).add(one.id)
    assert set(saved) <= set(ids)
    assert all(len(several) == 1 for several in ids.values())
    first = list(dict.fromkeys(one.json["data"]["subject"] for one in receiver.heard))
    assert first == sorted(first)
    print(f"{len(saved)} saved, {len(receiver.heard)} messages came")


async def add_hook(server: Server, receiver: Receiver) -> str:
    """Beside the running hub, as a command would."""
    database = Database(server.settings.database, guest=True)
    checked = Checked(name="bot", form="standard", address=receiver.url, token="", events=[])
    async with database.write() as db:
        _, secret = await store.add(
            db, server.cast.workspace, checked, secret=server.settings.secret(), actor=MARIA
        )
    await database.close()
    assert secret
    return secret


async def live_and_die(
    server: Server, process: subprocess.Popen[bytes], receiver: Receiver, saved: list[str],
    dice: random.Random, lives: ExitStack,
) -> subprocess.Popen[bytes]:  # fmt: skip
    """Save for a while, kill the hub at some moment of it, and start the next one."""
    receiver.hold = asyncio.Event() if dice.random() < 0.5 else None  # in the middle of an answer
    until = asyncio.get_running_loop().time() + dice.uniform(0.1, 1.0)
    url, key = server.url, server.headers("write")
    async with httpx.AsyncClient(base_url=url, headers=key, timeout=60) as app:
        while asyncio.get_running_loop().time() < until:
            name = f"a/p{len(saved):05}"
            document = {"messages": [{"role": "user", "content": f"This is {name}."}]}
            answered = await app.post(f"/api/v1/versions/{name}", json={"document": document})
            assert answered.is_success, answered.text
            saved.append(name)
    process.kill()
    await asyncio.to_thread(process.wait)
    if receiver.hold is not None:
        receiver.hold.set()
        receiver.hold = None
    again = lives.enter_context(start(server.settings))
    await asyncio.to_thread(wait_until_ready, url, again, 90)
    return again

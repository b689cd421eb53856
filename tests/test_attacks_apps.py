"""Apps with a good key that ask for more than is good for the hub."""

from __future__ import annotations

import asyncio
import base64
import time
from typing import Any

import pytest
from sqlalchemy import func, select

from hub.front import Front
from hub.people import accounts, keys
from hub.people.keys import KeyGrant
from hub.registry import versions
from hub.registry.prompt.document import from_json
from hub.registry.reading.callers import CallerUse
from hub.sync import filters, snapshot, usage
from hub.sync.git import serving
from hub.sync.picture import Picture
from hub.sync.snapshot import Snapshots
from hub.sync.usage import Inbox, Report, Use
from tests.cast import BASE, Cast


@pytest.fixture
async def grant(hub: Front, cast: Cast) -> KeyGrant:
    found = await hub.state.key_table.find(cast.read_key)
    assert found
    return found


async def test_a_stream_whose_key_is_revoked_while_it_opens_is_sent_away(hub: Front, cast: Cast):
    said: list[bytes] = []
    over = asyncio.Event()

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            await revoke()
            return
        said.append(message["body"])
        if not message["more_body"]:
            over.set()

    async def revoke() -> None:
        async with hub.state.database.write() as db:
            one = keys.id_of(cast.read_key) or ""
            await keys.revoke(db, cast.workspace.id, one, actor=accounts.OPERATOR)
        async with asyncio.timeout(60):
            while hub.state.key_table.peek(cast.read_key):
                await asyncio.sleep(0.02)

    async def receive() -> Any:
        async with asyncio.timeout(60):
            await over.wait()
        return {"type": "http.disconnect"}

    headers = [(b"host", BASE.partition("//")[2].encode()),
               (b"authorization", f"Bearer {cast.read_key}".encode())]  # fmt: skip
    picture = Picture(hub.state.database, cast.workspace.id)
    await picture.refresh(["production"])
    since = f"since={picture.epoch}:{picture.revision}"
    path = "/api/v1/stream"
    scope: Any = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(),
                  "query_string": since.encode(), "headers": headers}  # fmt: skip
    await hub(scope, receive, send)
    assert b"event: goodbye" in b"".join(said)


def many(uses: int, **more: Any) -> Report:
    said = [Use(name="support/triage", version=at, **more) for at in range(uses)]
    return Report(app="flood", instance="one", prompts=said)


async def test_reports_that_wait_have_a_bound_of_what_they_hold(hub: Front, grant: KeyGrant):
    inbox = Inbox(hub.state.database)
    for _ in range(usage.WAITING):
        inbox.put(grant, many(2_000))
    waiting = [report for _, report in inbox._waiting]
    assert 0 < sum(map(usage.weight, waiting)) <= usage.WEIGHT_WAITING
    assert len(waiting) < 200
    await inbox.write()
    inbox.put(grant, many(1))
    assert len(inbox._waiting) == 1, "what was written makes room"


async def test_versions_that_nobody_made_do_not_fill_the_tables(
    hub: Front, cast: Cast, grant: KeyGrant, monkeypatch: pytest.MonkeyPatch
):
    await versions.save(
        hub.state.publisher, cast.workspace, "support/triage",
        from_json({"messages": [{"role": "user", "content": "Hello"}]}), base=None,
        actor=accounts.OPERATOR, message="1st",
    )  # fmt: skip
    monkeypatch.setattr(usage, "MOST_USES", 50)
    inbox = Inbox(hub.state.database)
    for label in ("production", "staging", "a", "b"):
        inbox.put(grant, many(30, label=label, calls=1))
        await inbox.write()
    inbox.put(grant, many(1, label="a", calls=7))
    await inbox.write()
    async with hub.state.database.read() as db:
        assert await db.scalar(select(func.count()).select_from(CallerUse)) == 50
        known = (CallerUse.label == "production", CallerUse.version == 0)
        assert await db.scalar(select(CallerUse.calls).where(*known)) == 1


async def test_any_number_of_filters_takes_no_more_room_than_many(
    hub: Front, cast: Cast, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(snapshot, "MOST_ENTRIES", 20)
    picture = Picture(hub.state.database, cast.workspace.id)
    await picture.refresh(["production"])
    snapshots = Snapshots()
    since = time.process_time()
    for at in range(500):
        filter, _ = filters.parse(f"name=a/b{at}".encode())
        entry = snapshots.entry(picture, filter)
        assert (await snapshots.body(entry, picture, zipped=False)).data.startswith(b'{"schema":1')
    assert len(snapshots._entries) == 20
    assert time.process_time() - since < 30


@pytest.mark.parametrize("service", ["git-upload-pack", "git-receive-pack"])
async def test_a_git_client_that_drips_does_not_keep_its_place(
    hub: Front, cast: Cast, monkeypatch: pytest.MonkeyPatch, service: str
):
    monkeypatch.setattr(serving, "LONGEST", 0.5)

    async def receive() -> Any:
        await asyncio.sleep(0.05)
        return {"type": "http.request", "body": b"0", "more_body": True}

    async def send(message: Any) -> None:
        pass

    packed = base64.b64encode(f"x:{cast.write_key}".encode())
    headers = [
        (b"host", BASE.partition("//")[2].encode()), (b"authorization", b"Basic " + packed),
        (b"content-type", f"application/x-{service}-request".encode()),
    ]  # fmt: skip
    path = f"/clinic.git/{service}"
    scope: Any = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(),
                  "query_string": b"", "headers": headers}  # fmt: skip
    async with asyncio.timeout(60):
        await hub(scope, receive, send)

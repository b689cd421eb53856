"""API keys: made once, shown once, checked without the database, stopped at once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from hub.db import Database
from hub.errors import Conflict
from hub.front import Front
from hub.outbox import Watch, announce
from hub.people import accounts, keys
from hub.people.keys import KeyTable
from hub.people.models import ApiKey, AuditEntry
from tests.cast import Browser, Cast, on_both_engines

ROOT = "/clinic/settings/keys"


async def made_by(maria: Browser, name: str = "triage service", scope: str = "read") -> str:
    page = await maria.post_form(ROOT, {"name": name, "scope": scope})
    assert page.status_code == 201 or page.status_code == 200
    return page.text.split('id="new-key">')[1].split("<")[0]


async def key_id(hub: Front, name: str) -> str:
    async with hub.state.database.read() as db:
        return (await db.scalars(select(ApiKey.id).where(ApiKey.name == name))).one()


@on_both_engines
async def test_maria_makes_a_key_that_is_shown_once(hub: Front, maria: Browser):
    token = await made_by(maria)
    assert keys.id_of(token) == await key_id(hub, "triage service")
    assert token not in (await maria.get(ROOT)).text
    grant = await hub.state.key_table.find(token)
    assert (grant.scope, grant.workspace.slug, grant.actor.role) == ("read", "clinic", "key:read")
    async with hub.state.database.read() as db:
        rows = [str(vars(row)) for row in await db.scalars(select(ApiKey))]
        rows += [str(vars(row)) for row in await db.scalars(select(AuditEntry))]
    assert not any(token.rsplit("_", 1)[1] in row for row in rows)


async def test_a_name_is_needed_and_used_once(maria: Browser):
    assert (await maria.post_form(ROOT, {"name": " ", "scope": "read"})).status_code == 422
    assert (await maria.post_form(ROOT, {"name": "x", "scope": "root"})).status_code == 422
    await made_by(maria, "ci")
    again = await maria.post_form(ROOT, {"name": "ci", "scope": "write"})
    assert again.status_code == 409
    assert 'value="ci"' in again.text


async def test_a_revoked_key_stops_at_once_and_frees_its_name(hub: Front, maria: Browser):
    token = await made_by(maria, "ci")
    table: KeyTable = hub.state.key_table
    assert await table.find(token)
    answer = await maria.post_form(f"{ROOT}/{await key_id(hub, 'ci')}/revoke")
    assert answer.headers["location"] == ROOT
    assert table.peek(token) is None
    assert await table.find(token) is None
    assert (await made_by(maria, "ci")) != token


async def test_a_key_revoked_while_it_is_looked_up_is_not_remembered(
    hub: Front, cast: Cast, monkeypatch: pytest.MonkeyPatch
):
    table = KeyTable(hub.state.database)
    read = keys._read

    async def overtaken(*args: Any) -> keys.KeyGrant | None:
        grant = await read(*args)
        table.on_event(keys.REVOKED, grant.key_id if grant else "", {})
        return grant

    monkeypatch.setattr(keys, "_read", overtaken)
    assert await table.find(cast.read_key)
    assert table.peek(cast.read_key) is None, "the next request asks the database"


async def test_a_key_revoked_by_another_process_stops_within_a_second(hub: Front, cast: Cast):
    table: KeyTable = hub.state.key_table
    assert await table.find(cast.read_key)
    other = Database(hub.state.settings.database, guest=True)
    async with other.write() as db:
        one = keys.id_of(cast.read_key)
        assert one
        await keys.revoke(db, cast.workspace.id, one, actor=accounts.OPERATOR)
    await other.close()
    async with asyncio.timeout(60):
        while table.peek(cast.read_key):
            await asyncio.sleep(0.05)
    assert await table.find(cast.read_key) is None


async def test_peek_knows_only_what_find_has_met(hub: Front, cast: Cast):
    table: KeyTable = hub.state.key_table
    assert table.peek(cast.read_key) is None
    assert await table.find(cast.read_key) is table.peek(cast.read_key)


@pytest.mark.parametrize(
    "wrong", ["", "ph_", "x" * 5000, "ph_aaaaaaaaaa_" + "a" * 40, "ph_\0", "é"]
)
async def test_nonsense_is_refused_without_asking_the_database(settings, wrong: str):
    table = KeyTable(None)  # type: ignore[arg-type]  # there is no database to ask
    assert await table.find(wrong) is None


async def test_a_right_id_with_a_wrong_secret_is_refused(hub: Front, cast: Cast):
    head, _, tail = cast.read_key.rpartition("_")
    key, secret = head.removeprefix("ph_"), ("b" if tail[0] == "a" else "a") + tail[1:32]
    import zlib

    forged = f"ph_{key}_{secret}{zlib.crc32((key + secret).encode()):08x}"
    assert keys.id_of(forged) == key  # well formed
    assert await hub.state.key_table.find(forged) is None


async def test_last_use_is_noted(hub: Front, cast: Cast, maria: Browser):
    assert "never" in (await maria.get(ROOT)).text
    for key in (cast.read_key, cast.write_key, cast.check_key):
        await hub.state.key_table.find(key)
    await hub.state.key_table.note_use()
    page = (await maria.get(ROOT)).text
    assert "never" not in page.split("<tbody>")[1].split("</tbody>")[0]


async def test_mallory_cannot_revoke_a_key_of_the_clinic(hub: Front, mallory: Browser, cast: Cast):
    one = keys.id_of(cast.read_key)
    for slug in ("clinic", "rival"):
        answer = await mallory.post_form(f"/{slug}/settings/keys/{one}/revoke")
        assert answer.status_code == 404
    assert await hub.state.key_table.find(cast.read_key)


async def test_two_keys_of_one_name_at_once_make_one(hub: Front, cast: Cast):
    async def make() -> object:
        async with hub.state.database.write() as db:
            return await keys.create(db, cast.workspace, "twin", "read", actor=accounts.OPERATOR)

    results = await asyncio.gather(make(), make(), return_exceptions=True)
    assert sum(isinstance(one, Conflict) for one in results) == 1


# ── the outbox that tells ───────────────────────────────────────────────────────────────────────


@on_both_engines
async def test_the_watch_tells_each_event_once_and_survives_a_listener_that_fails(
    database: Database, caplog: pytest.LogCaptureFixture
):
    heard: list[str] = []

    def fails(*_: object) -> None:
        raise ValueError("on purpose")

    async def happen(*subjects: str) -> None:
        async with database.write() as db:
            for subject in subjects:
                announce(db, "test", workspace_id=None, subject=subject)

    await happen("before the start")
    watch = Watch(database)
    watch.listen(fails)
    watch.listen(lambda kind, subject, payload: heard.append(subject))
    await watch.start()
    await happen("a", "b")
    await watch.look()
    await watch.look()
    await happen("c")
    await watch.look()
    assert heard == ["a", "b", "c"]
    assert "on purpose" in caplog.text

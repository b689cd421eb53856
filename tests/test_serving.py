"""What apps fetch most: quick, and never older than what was acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from hub.db import Database
from hub.front import Behind, Front
from hub.people import keys
from hub.people.policy import Actor
from hub.registry import versions
from hub.registry.indexing import index
from hub.registry.labels import labels
from hub.registry.prompt.document import Document, Message
from hub.registry.writing.publish import Publisher
from tests.cast import Browser, Cast, on_both_engines

API = "/api/v1"
SAME_HEADERS = ("etag", "content-type", "cache-control", "vary", "x-content-type-options")


@pytest.fixture
def ana(cast: Cast) -> Actor:
    return Actor(
        kind="person", name="Ana", email="ana@example.org", role="reviewer",
        workspace_id=cast.workspace.id,
    )  # fmt: skip


@pytest.fixture
def behind(hub: Front, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How many requests have come to the web framework since the last time."""
    passed = 0
    litestar = hub.litestar

    async def counted(scope: Any, receive: Any, send: Any) -> None:
        nonlocal passed
        passed += 1
        await litestar(scope, receive, send)

    served = hub.state.served
    monkeypatch.setattr(hub, "_behind", Behind(served.before(counted), served.answer))

    def since() -> int:
        nonlocal passed
        number, passed = passed, 0
        return number

    return since


def saying(text: str) -> Document:
    return Document(messages=(Message(role="system", content=text),))


async def save(
    hub: Front, cast: Cast, ana: Actor, name: str, text: str, base: str | None = None
) -> versions.Saved:
    return await versions.save(
        hub.state.publisher, cast.workspace, name, saying(text), base=base, actor=ana, message=""
    )


async def fetch(
    client: Browser, key: dict[str, str], name: str = "a", **asked: Any
) -> httpx.Response:
    return await client.get(f"{API}/prompts/{name}", headers=key, params=asked)


@on_both_engines
async def test_the_quick_way_says_what_the_slow_way_says(
    hub: Front, client: Browser, cast: Cast, ana: Actor, read_key: dict[str, str],
    behind: Callable[[], int],
):  # fmt: skip
    tone = await save(hub, cast, ana, "tone", "Kind.")
    for name, text in (("a", "Plain {{ x }}"), ("b", '{% include "tone@1" %} Now.')):
        await save(hub, cast, ana, name, text)
    for label in ("staging", "production", "canary"):
        await labels.move(
            hub.state.publisher, cast.workspace, label, "a", 1, actor=ana, reason="Go"
        )
    asks: list[tuple[str, dict[str, Any]]] = [
        ("a", {}), ("a", {"label": "latest"}), ("a", {"label": "production"}),
        ("a", {"version": 1}), ("b", {}),
    ]  # fmt: skip
    for name, asked in asks:
        slow = await client.get(
            f"{API}/prompts/{name}", headers=read_key, params=asked | {"unusual": "1"}
        )
        first, second = [await fetch(client, read_key, name, **asked) for _ in range(2)]
        behind()
        third = await fetch(client, read_key, name, **asked)
        assert behind() == 0, "answered without the framework"
        for quick in (first, second, third):
            assert quick.content == slow.content
            for header in SAME_HEADERS:
                assert quick.headers[header] == slow.headers[header]
        tag = {"If-None-Match": third.headers["etag"]}
        same = await client.get(f"{API}/prompts/{name}", headers=read_key | tag, params=asked)
        assert (same.status_code, same.content) == (304, b"")
    assert slow.json()["snippets"] == {"tone@1": "Kind."}
    assert tone.version == 1


@on_both_engines
async def test_who_wrote_reads_what_they_wrote(
    client: Browser, write_key: dict[str, str], read_key: dict[str, str]
):
    base = None
    for number in range(1, 6):
        body = {"document": {"messages": [{"role": "user", "content": f"{number}"}]}, "base": base}
        saved = await client.post(f"{API}/versions/a", headers=write_key, json=body)
        base = saved.json()["hash"]
        read = await fetch(client, read_key)
        assert (read.json()["version"], read.json()["hash"]) == (number, base)
        moved = await client.put(
            f"{API}/labels/production/a", headers=write_key, json={"version": number}
        )
        assert moved.status_code == 200
        assert (await fetch(client, read_key, label="production")).json()["version"] == number
        assert "production" in (await fetch(client, read_key, version=number)).json()["labels"]
    await client.delete(f"{API}/prompts/a", headers=write_key)
    assert (await fetch(client, read_key)).status_code == 404


async def test_a_browser_and_an_app_see_the_same(
    hub: Front, client: Browser, cast: Cast, ana: Actor, read_key: dict[str, str]
):
    await save(hub, cast, ana, "a", "One")
    assert (await fetch(client, read_key)).status_code == 200
    await versions.rename(hub.state.publisher, cast.workspace, "a", "b", actor=ana)
    assert (await fetch(client, read_key)).json()["name"] == "b"
    assert (await fetch(client, read_key, "b")).json()["name"] == "b"
    await save(hub, cast, ana, "a", "Another")
    assert (await fetch(client, read_key)).json()["name"] == "a"


@on_both_engines
async def test_what_another_process_did_is_seen(
    hub: Front, client: Browser, cast: Cast, ana: Actor, read_key: dict[str, str]
):
    settings = hub.state.settings
    other = Database(settings.database, guest=True)
    publisher = Publisher(other, settings.repositories)
    first = await versions.save(
        publisher, cast.workspace, "a", saying("One"), base=None, actor=ana, message=""
    )
    assert (await fetch(client, read_key)).json()["version"] == 1
    await versions.save(
        publisher, cast.workspace, "a", saying("Two"), base=first.hash, actor=ana, message=""
    )
    if not other.sqlite:  # Postgres is asked twice a second
        async with asyncio.timeout(60):
            while (await fetch(client, read_key)).json()["version"] == 1:
                await asyncio.sleep(0.05)
    assert (await fetch(client, read_key)).json()["version"] == 2
    await index.reindex(other, publisher.repository("clinic"), cast.workspace.id)
    assert (await fetch(client, read_key)).json()["version"] == 2
    await publisher.close()
    await other.close()


@on_both_engines
async def test_a_revoked_key_opens_nothing(
    hub: Front, client: Browser, cast: Cast, ana: Actor, read_key: dict[str, str],
    write_key: dict[str, str],
):  # fmt: skip
    await save(hub, cast, ana, "a", "One")
    assert (await fetch(client, read_key)).status_code == 200
    key_id = keys.id_of(cast.read_key)
    assert key_id
    async with hub.state.database.write() as db:
        await keys.revoke(db, cast.workspace.id, key_id, actor=ana)
    if not hub.state.database.sqlite:
        await hub.state.watch.look()
    assert (await fetch(client, read_key)).status_code == 401
    assert (await fetch(client, write_key)).status_code == 200


@on_both_engines
async def test_two_workspaces_with_the_same_name_for_a_prompt(
    client: Browser, write_key: dict[str, str], rival_key: dict[str, str]
):
    for key, text in ((write_key, "Ours"), (rival_key, "Theirs")):
        body = {"document": {"messages": [{"role": "user", "content": text}]}}
        assert (await client.post(f"{API}/versions/a", headers=key, json=body)).status_code == 201
    for _ in range(2):
        for key, text in ((write_key, "Ours"), (rival_key, "Theirs")):
            answer = await fetch(client, key)
            assert answer.json()["document"]["messages"][0]["content"] == text
    mine = await fetch(client, write_key)
    theirs = await client.get(
        f"{API}/prompts/a", headers=rival_key | {"If-None-Match": mine.headers["etag"]}
    )
    assert theirs.status_code == 200


async def test_nothing_read_before_a_change_is_kept_after_it(hub: Front):
    served = hub.state.served
    epoch = served.epoch
    served.on_event("version.saved", "a", {"name": "a"})
    served.keep(1, "a", None, None, '"old"', b"{}", epoch=epoch)
    assert not served._answers
    served.keep(1, "a", None, None, '"new"', b"{}", epoch=served.epoch)
    assert len(served._answers) == 1
    served.on_event("index.rebuilt", "", {})
    assert not served._answers


@pytest.mark.parametrize(
    "headers",
    [
        {}, {"Authorization": "Basic x"}, {"Authorization": "Bearer nonsense"},
        {"Authorization": "Bearer ph_aaaaaaaaaa_" + "a" * 40},
    ],
)  # fmt: skip
async def test_without_a_key(client: Browser, headers: dict[str, str]):
    answer = await client.get(f"{API}/prompts/a", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"


async def test_an_empty_label_is_no_label_for_whoever_asks_next(
    client: Browser, write_key: dict[str, str], read_key: dict[str, str]
):
    document = {"messages": [{"role": "user", "content": "Be calm."}]}
    sent = {"document": document, "base": None, "message": "First"}
    url = f"{API}/versions/support/mood"
    assert (await client.post(url, json=sent, headers=write_key)).status_code == 201
    asked = [
        await client.get(f"{API}/prompts/support/mood{query}", headers=read_key)
        for query in ("?label=", "", "?label=")
    ]
    assert [answer.json()["label"] for answer in asked] == [None] * 3
    assert len({answer.headers["etag"] for answer in asked}) == 1

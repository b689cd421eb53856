"""Releases over REST: several in one step, and what was live when."""

from __future__ import annotations

import pytest

from tests.cast import Browser
from tests.test_writing import make

API = "/api/v1"
NAMES = ("support/triage", "support/mood")


@pytest.fixture
async def shelf(ana: Browser) -> None:
    for name in NAMES:
        await make(ana, name)


def body(*moves: tuple[str, int | None], **more) -> dict:
    asked = [{"label": "production", "name": name, "version": number} for name, number in moves]
    return {"moves": asked, "reason": "From CI"} | more


async def test_an_app_releases_two_prompts_in_one_step(shelf, client, write_key, read_key):
    answer = await client.put(
        f"{API}/releases", headers=write_key, json=body((NAMES[0], 1), (NAMES[1], 1))
    )
    assert answer.status_code == 200
    items = answer.json()["items"]
    assert [(one["name"], one["label"], one["previous"], one["version"]) for one in items] == [
        (NAMES[0], "production", None, 1), (NAMES[1], "production", None, 1),
    ]  # fmt: skip
    assert len({one["commit"] for one in items}) == 1
    live = await client.get(f"{API}/releases", headers=read_key)
    assert [(one["name"], one["version"], one["reason"]) for one in live.json()["items"]] == [
        (NAMES[1], 1, "From CI"), (NAMES[0], 1, "From CI"),
    ]  # fmt: skip
    before = await client.get(f"{API}/releases?at=2001-01-01T00:00:00Z", headers=read_key)
    assert before.json()["items"] == []


async def test_one_that_cannot_be_stops_both_and_is_named(shelf, client, write_key, read_key):
    await client.put(f"{API}/releases", headers=write_key, json=body((NAMES[1], 1)))
    sent = body((NAMES[0], 1), (NAMES[1], 1))
    sent["moves"][1]["expected"] = None
    answer = await client.put(f"{API}/releases", headers=write_key, json=sent)
    assert answer.status_code == 409
    facts = answer.json()
    assert (facts["label"], facts["name"], facts["current"]) == ("production", NAMES[1], 1)
    assert (
        await client.put(f"{API}/releases", headers=write_key, json=body((NAMES[0], 1), ("a/b", 1)))
    ).status_code == 404
    live = await client.get(f"{API}/releases", headers=read_key)
    assert [one["name"] for one in live.json()["items"]] == [NAMES[1]]


async def test_the_same_request_twice_is_done_once(shelf, client, write_key):
    headers = write_key | {"Idempotency-Key": "deploy-7"}
    sent = body((NAMES[0], 1), (NAMES[1], 1))
    first = await client.put(f"{API}/releases", headers=headers, json=sent)
    again = await client.put(f"{API}/releases", headers=headers, json=sent)
    assert first.json() == again.json()


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        ({"reason": "x"}, "`moves` is missing"),
        (body(), "at least one prompt"),
        (body((NAMES[0], 0)), "cannot be used"),
        (body((NAMES[0], 1), (NAMES[0], None)), "asked for 2 times"),
        (body((NAMES[0], 1), more=1), "is not known here"),
        ({"moves": [{"label": "latest", "name": NAMES[0], "version": 1}]}, "latest"),
    ],
)
async def test_what_cannot_be_used_is_said(shelf, client, write_key, sent, says: str):
    answer = await client.put(f"{API}/releases", headers=write_key, json=sent)
    assert answer.status_code == 422
    assert says in answer.json()["detail"]


async def test_only_a_writing_key_of_this_workspace_may(
    shelf, client, write_key, read_key, rival_key
):
    sent = body((NAMES[0], 1))
    for headers, status in (({}, 401), (read_key, 403), (rival_key, 404)):
        answer = await client.put(f"{API}/releases", headers=headers, json=sent)
        assert answer.status_code == status
    assert (await client.get(f"{API}/releases", headers=rival_key)).json()["items"] == []
    schema = (await client.get("/api/openapi.json")).json()
    assert set(schema["paths"][f"{API}/releases"]) >= {"get", "put"}

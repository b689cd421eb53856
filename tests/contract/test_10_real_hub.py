"""The same promises with the real hub at the other end, under uvicorn, through the bad wire."""

import json
import time

import httpx
import pytest

import sdk
from hub.people import keys
from hub.people.accounts import OPERATOR
from tests.contract.proxy import Proxy
from tests.contract.real import QUICK, release, released, save, until
from tests.contract.running import held_up
from tests.listening import beside


def test_14_20_a_release_and_a_rollback_arrive_at_once(api, real):
    released(api, "real/one", "One {{ name }}", "Two {{ name }}")
    hub = real()
    assert hub.get_prompt("real/one").text(name="Bo") == "One Bo"
    until(lambda: hub.status().state == "live")
    for version in (2, 1, 2, 1, 2):
        release(api, "real/one", version)
        until(lambda version=version: hub.get_prompt("real/one").version == version)
    assert hub.get_prompt("real/one").source == "stream"
    assert hub.get_prompt("real/one").text(name="Bo") == "Two Bo"


def test_15_several_prompts_in_one_step(api, real):
    released(api, "real/a", "A1", "A2")
    released(api, "real/b", "B1", "B2")
    hub, wrong = real(), []
    assert hub.get_prompt("real/a").version + hub.get_prompt("real/b").version == 2
    until(lambda: hub.status().state == "live")
    moves = [{"label": "production", "name": f"real/{x}", "version": 2} for x in "ab"]
    answer = api.put("/api/v1/releases", json={"moves": moves, "reason": "Both"})
    assert answer.status_code == 200, answer.text
    end = time.monotonic() + 60
    while hub.get_prompt("real/b").version != 2 and time.monotonic() < end:
        early, late = hub.get_prompt("real/a").version, hub.get_prompt("real/b").version
        if late < early:
            wrong.append((early, late))
    assert not wrong
    assert hub.get_prompt("real/b").version == 2


def test_21_a_deleted_prompt_and_a_label_of_its_own(api, real):
    released(api, "real/gone", "Here")
    hub = real(labels=("production", "staging"))
    handle = hub.prompt("real/gone")
    assert handle.current.version == 1
    until(lambda: hub.status().state == "live")
    release(api, "real/gone", 1, "staging")
    until(lambda: hub.get_prompt("real/gone", "staging", default="x").version == 1)
    insisting = {"despite_programs": "A test of what a program gets then"}
    assert api.delete("/api/v1/prompts/real/gone", params=insisting).status_code == 204
    until(lambda: hub.get_prompt("real/gone", default="Mine").source == "default")
    with pytest.raises(sdk.PromptNotFound):
        assert handle.current


def test_names_and_latest_are_followed(api, real):
    released(api, "real/f/one", "One")
    hub = real(labels=("latest",), names=("real/f/*",))
    assert hub.get_prompt("real/f/one", "latest").version == 1
    until(lambda: hub.status().state == "live")
    base = api.get("/api/v1/prompts/real/f/one").json()["hash"]
    save(api, "real/f/one", "Two", base)
    until(lambda: hub.get_prompt("real/f/one", "latest").version == 2)
    with pytest.raises(sdk.PromptNotFound):
        hub.get_prompt("real/one", "no-such-label")


@pytest.mark.parametrize("mood", ["refuse", "reset", "hang", "half", "drop", "hold streams", "page",
                                  "away", "garble"])  # fmt: skip
def test_22_30_no_fault_of_the_wire_takes_anything_away(api, server, real, mood):
    name = f"wire/{mood.replace(' ', '-')}"
    released(api, name, "One", "Two")
    with Proxy(server.settings.port) as wire:
        hub = real(wire.url)
        assert hub.get_prompt(name).version == 1
        until(lambda: hub.status().state == "live")
        wire.mood = mood
        wire.cut()
        release(api, name, 2)
        seen: set[int] = set()
        assert held_up(lambda: seen.add(hub.get_prompt(name).version), 0.4) < 1_000
        assert seen <= {1, 2}
        wire.mood = "pass"
        wire.cut()
        until(lambda: hub.get_prompt(name).version == 2)
        until(lambda: hub.status().state == "live")
        hub.close(1)


def test_40_the_hub_is_told_what_is_used(api, server, real):
    released(api, "real/used", "Hello {{ name }}")
    timing = QUICK._replace(report=600, report_soon=600)  # here it is told by the test
    hub = real(app="triage-bot", environment="tests", timing=timing)
    with pytest.raises(sdk.MissingVariables):
        hub.get_prompt("real/used").text()
    hub.get_prompt("real/used").text(name="Ada")
    hub.wait_ready(60)
    body = json.loads(hub._upkeep._usage.report(hub.status()))
    headers = server.headers("read")
    answer = httpx.post(f"{server.url}/api/v1/usage", json=body, headers=headers)
    assert answer.status_code == 202, answer.text
    row = next(one for one in body["prompts"] if one["name"] == "real/used")
    assert (row["calls"], row["errors"], row["variables"]) == (2, 1, ["name"])


def test_28_a_revoked_key_keeps_what_there_is_until_there_is_another(api, server):
    released(api, "more/key", "One", "Two")
    made = []

    async def issue(parts, workspace):
        async with parts.database.write() as db:
            made.append(await keys.create(db, workspace, f"k{len(made)}", "read", actor=OPERATOR))

    async def revoke(parts, workspace):
        async with parts.database.write() as db:
            await keys.revoke(db, workspace.id, made[0].id, actor=OPERATOR)

    beside(server.settings, "clinic", issue)
    hub = sdk.Hub(server.url, lambda: made[-1].token, snapshot=None, boot_wait=60, timing=QUICK)
    assert hub.get_prompt("more/key").version == 1
    until(lambda: hub.status().state == "live")
    beside(server.settings, "clinic", revoke)
    until(lambda: hub.status().state == "refused")
    release(api, "more/key", 2)
    assert hub.get_prompt("more/key").version == 1
    beside(server.settings, "clinic", issue)
    until(lambda: hub.get_prompt("more/key").version == 2)
    hub.close(2)


def test_45_an_old_sdk_at_a_new_hub(api, server):
    """What the first SDK asked, as it asked it."""
    released(api, "real/old", "One")
    url = f"{server.url}/api/v1/prompts/real/old?label=production"
    headers = server.headers("read") | {"Accept": "application/json"}
    first = httpx.get(url, headers=headers)
    assert first.status_code == 200
    prompt = sdk.Prompt.from_record(first.json())
    assert (prompt.version, prompt.text()) == (1, "One")
    again = httpx.get(url, headers=headers | {"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304
    gone = httpx.get(f"{server.url}/api/v1/prompts/no/such?label=production", headers=headers)
    assert gone.status_code == 404
    assert gone.headers["content-type"].startswith("application/problem+json")
    assert gone.json()["detail"]

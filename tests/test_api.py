"""The REST interface as an app or a script meets it."""

from __future__ import annotations

from typing import Any

import pytest

from hub.front import Front
from hub.people.policy import Actor
from hub.registry import versions
from tests.cast import Browser, Cast, on_both_engines

API = "/api/v1"


def saying(text: str, **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "system", "content": text}], **more}


async def save(
    client: Browser, key: dict[str, str], name: str, text: str, base: str | None = None, **more: Any
) -> dict[str, Any]:
    body = {"document": saying(text), "base": base, "message": "Say it better"} | more
    answer = await client.post(f"{API}/versions/{name}", headers=key, json=body)
    assert answer.status_code in (200, 201), answer.text
    return answer.json()


@on_both_engines
async def test_from_the_first_save_to_the_app(client: Browser, write_key: dict[str, str]):
    first = await save(client, write_key, "support/triage", "Sort {{ tickets }}.")
    assert (first["version"], first["created"], first["author"]) == (1, True, "key writer")
    second = await save(client, write_key, "support/triage", "Sort them.", first["hash"])
    assert second["version"] == 2
    moved = await client.put(
        f"{API}/labels/production/support/triage", headers=write_key,
        json={"version": 1, "expected": None, "reason": "It reads well"},
    )  # fmt: skip
    assert (moved.status_code, moved.json()["version"], moved.json()["previous"]) == (200, 1, None)
    live = await client.get(f"{API}/prompts/support/triage?label=production", headers=write_key)
    record = live.json()
    assert list(record) == [
        "name", "id", "version", "commit", "hash", "label", "labels", "document", "snippets",
        "author", "message", "created_at",
    ]  # fmt: skip
    assert (record["version"], record["label"]) == (1, "production")
    assert record["labels"] == ["production"]
    assert record["document"]["messages"] == [{"role": "system", "content": "Sort {{ tickets }}."}]
    latest = (await client.get(f"{API}/prompts/support/triage", headers=write_key)).json()
    assert (latest["version"], latest["label"], latest["hash"]) == (2, None, second["hash"])


@on_both_engines
async def test_what_did_not_change_is_not_sent_again(client: Browser, write_key: dict[str, str]):
    first = await save(client, write_key, "a/b", "One")
    address = f"{API}/prompts/a/b"
    answer = await client.get(address, headers=write_key)
    etag = answer.headers["etag"]
    assert answer.headers["cache-control"] == "private, no-cache"
    for sent in (etag, f'"x", W/{etag}', "*"):
        same = await client.get(address, headers=write_key | {"If-None-Match": sent})
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", etag)
    await save(client, write_key, "a/b", "Two", first["hash"])
    changed = await client.get(address, headers=write_key | {"If-None-Match": etag})
    assert (changed.status_code, changed.json()["version"]) == (200, 2)
    assert changed.headers["etag"] != etag


async def test_a_moved_base_names_the_current_version(client: Browser, write_key: dict[str, str]):
    first = await save(client, write_key, "a", "One")
    second = await save(client, write_key, "a", "Two", first["hash"])
    answer = await client.post(
        f"{API}/versions/a", headers=write_key,
        json={"document": saying("3"), "base": first["hash"]},
    )  # fmt: skip
    problem = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (409, "application/problem+json")
    assert problem["current"]["hash"] == second["hash"]
    assert problem["current"]["version"] == 2
    assert "Nothing was overwritten" in problem["detail"]
    assert problem["status"] == 409
    create = await client.post(
        f"{API}/versions/a", headers=write_key, json={"document": saying("4"), "base": None}
    )
    assert create.status_code == 409
    assert "send the hash of its current version as `base`" in create.json()["detail"]
    assert "already" in create.json()["detail"]


async def test_the_same_request_twice_is_done_once(client: Browser, write_key: dict[str, str]):
    headers = write_key | {"Idempotency-Key": "7f9d"}
    body = {"document": saying("One"), "message": "Begin"}
    first = await client.post(f"{API}/versions/a", headers=headers, json=body)
    again = await client.post(f"{API}/versions/a", headers=headers, json=body)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    other = await client.post(
        f"{API}/versions/a", headers=headers, json=body | {"document": saying("Two")}
    )
    assert other.status_code == 409
    listed = await client.get(f"{API}/versions/a", headers=write_key)
    assert listed.json()["total"] == 1


async def test_a_file_as_text_is_taken_as_it_is(client: Browser, write_key: dict[str, str]):
    file = "name: Ticket triage\nmodel: tiny\nmessages:\n- role: system\n  content: |\n    Sort  \n"
    made = await client.post(f"{API}/versions/t", headers=write_key, json={"document": file})
    document = made.json()["document"]
    assert (made.status_code, document["name"], document["model"]) == (201, "Ticket triage", "tiny")
    assert document["messages"][0]["content"] == "Sort  \n"


@on_both_engines
async def test_labels_compare_before_they_move(client: Browser, write_key: dict[str, str]):
    first = await save(client, write_key, "a", "One")
    await save(client, write_key, "a", "Two", first["hash"])
    address = f"{API}/labels/production/a"

    async def move(**body: Any) -> Any:
        return await client.put(address, headers=write_key, json=body)

    assert (await move(version=1, reason="First")).status_code == 200
    refused = await move(version=2, expected=None, reason="Hasty")
    assert (refused.status_code, refused.json()["current"]) == (409, 1)
    assert (await move(version=2, expected=1, reason="Better")).status_code == 200
    missing = await move(version=9)
    assert missing.status_code == 404
    assert "no version 9" in missing.json()["detail"]
    story = (await client.get(address, headers=write_key)).json()
    assert [(one["version"], one["previous"], one["reason"]) for one in story["items"]] == [
        (2, 1, "Better"), (1, None, "First"),
    ]  # fmt: skip
    assert story["version"] == 2
    long_ago = await client.get(f"{address}?at=2020-05-03T14:00:00Z", headers=write_key)
    assert (long_ago.json()["version"], long_ago.json()["items"]) == (None, [])
    now = await client.get(f"{address}?at=2999-01-01T00:00:00+02:00", headers=write_key)
    assert (now.json()["version"], now.json()["items"][0]["reason"]) == (2, "Better")
    assert (await move(version=None, expected=2, reason="Off")).json()["version"] is None
    gone = await client.get(f"{API}/prompts/a?label=production", headers=write_key)
    assert gone.status_code == 404
    assert "no label production" in gone.json()["detail"]


@on_both_engines
async def test_lists_versions_and_differences(client: Browser, write_key: dict[str, str]):
    first = await save(client, write_key, "support/triage", "Sort the tickets of today.")
    await save(client, write_key, "support/triage", "Sort the tickets of the day.", first["hash"])
    await save(client, write_key, "tutor/maths", "Teach fractions.")
    listed = (await client.get(f"{API}/prompts?limit=1", headers=write_key)).json()
    assert ([one["name"] for one in listed["items"]], listed["total"]) == (["support/triage"], 2)
    rest = await client.get(
        f"{API}/prompts", params={"limit": 1, "cursor": listed["next"]}, headers=write_key
    )
    assert [one["name"] for one in rest.json()["items"]] == ["tutor/maths"]
    assert rest.json()["next"] is None
    found = (await client.get(f"{API}/prompts?q=fractions", headers=write_key)).json()
    assert found["items"][0]["hit"] == {"before": "Teach ", "hit": "fractions", "after": "."}
    lines = (await client.get(f"{API}/versions/support/triage", headers=write_key)).json()
    assert [one["version"] for one in lines["items"]] == [2, 1]
    diff = (
        await client.get(f"{API}/diff/support/triage?from=1&to=latest", headers=write_key)
    ).json()
    assert (diff["from"], diff["to"], diff["same"]) == (1, 2, False)
    assert diff["messages"][0]["kind"] == "changed"
    assert (await client.get(f"{API}/diff/support/triage", headers=write_key)).json() == diff


async def test_a_renamed_prompt_still_answers_to_its_old_name(
    hub: Front, client: Browser, cast: Cast, write_key: dict[str, str]
):
    await save(client, write_key, "old/name", "Text")
    ana = Actor(
        kind="person", name="Ana", email="ana@example.org", role="editor",
        workspace_id=cast.workspace.id,
    )  # fmt: skip
    await client.get(f"{API}/prompts/old/name", headers=write_key)
    await versions.rename(hub.state.publisher, cast.workspace, "old/name", "new/name", actor=ana)
    for address in ("prompts/old/name", "versions/old/name", "labels/production/old/name"):
        answer = await client.get(f"{API}/{address}", headers=write_key)
        assert (answer.status_code, answer.json()["name"]) == (200, "new/name")
    old = await client.get(f"{API}/prompts/old/name", headers=write_key)
    assert old.headers["content-location"] == f"{API}/prompts/new/name"


async def test_a_deleted_prompt_is_gone_for_apps(client: Browser, write_key: dict[str, str]):
    await save(client, write_key, "a", "Text")
    answer = await client.delete(f"{API}/prompts/a", headers=write_key)
    assert (answer.status_code, answer.content) == (204, b"")
    for address in ("prompts/a", "versions/a", "diff/a"):
        gone = await client.get(f"{API}/{address}", headers=write_key)
        assert gone.status_code == 404
        assert "deleted" in gone.json()["detail"]
    assert (await client.delete(f"{API}/prompts/a", headers=write_key)).status_code == 404


async def test_who_may_do_what(
    client: Browser, maria: Browser, write_key: dict[str, str], read_key: dict[str, str],
    rival_key: dict[str, str],
):  # fmt: skip
    made = await save(client, write_key, "a", "Ours")
    body = {"document": saying("Theirs"), "base": made["hash"]}
    reads = ["prompts", "prompts/a", "versions/a", "labels/production/a", "diff/a"]
    writes = [
        ("POST", "versions/a", body), ("PUT", "labels/production/a", {"version": 1}),
        ("DELETE", "prompts/a", None),
    ]  # fmt: skip
    for address in reads:
        assert (await client.get(f"{API}/{address}")).status_code == 401
        assert (await maria.get(f"{API}/{address}")).status_code == 401  # a cookie is no key
        assert (await client.get(f"{API}/{address}", headers=read_key)).status_code == 200
        answer = await client.get(f"{API}/{address}", headers=rival_key)
        assert answer.status_code == (200 if address == "prompts" else 404)
        assert "Ours" not in answer.text
    for method, address, sent in writes:
        for headers, status in (({}, 401), (read_key, 403), (rival_key, 404)):
            answer = await client.request(method, f"{API}/{address}", headers=headers, json=sent)
            assert answer.status_code == status, (address, answer.text)
            assert answer.json()["detail"]
    latest = await client.get(f"{API}/prompts/a", headers=read_key)
    assert latest.json()["version"] == 1


async def test_the_interface_describes_itself(client: Browser):
    schema = (await client.get("/api/openapi.json")).json()
    assert {path for path in schema["paths"] if path.startswith(API)} >= {
        f"{API}/prompts", f"{API}/prompts/{{name}}", f"{API}/versions/{{name}}",
        f"{API}/labels/{{label}}/{{name}}", f"{API}/diff/{{name}}",
    }  # fmt: skip
    assert "post" in schema["paths"][f"{API}/versions/{{name}}"]
    shapes = schema["components"]["schemas"]
    assert set(shapes["SaveVersion"]["properties"]) == {"document", "base", "message"}
    assert set(shapes["Record"]["properties"]) >= {"name", "version", "hash", "document"}


@pytest.mark.parametrize("address", ["prompts/a%2Fb", "prompts/a%00", "prompts/a//b"])
async def test_disguised_addresses(client: Browser, read_key: dict[str, str], address: str):
    request = client.build_request("GET", f"{API}/prompts/x", headers=read_key)
    request.url = request.url.copy_with(raw_path=f"{API}/{address}".encode())
    answer = await client.send(request)
    assert answer.status_code == 400
    assert answer.json()["detail"]

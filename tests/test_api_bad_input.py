"""What the REST interface refuses, and that each refusal says what to do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cast import Browser

ADDRESS = "/api/v1/versions/a"
GOOD = {"messages": [{"role": "system", "content": "Hello"}]}


def raw(document: str, **more: str) -> str:
    return '{"document": ' + document + "".join(f', "{k}": {v}' for k, v in more.items()) + "}"


BODIES: dict[str, tuple[str | bytes, int, str]] = {
    "nothing": ("", 400, "not valid JSON"),
    "not JSON": ("{'a': 1}", 400, "not valid JSON"),
    "not UTF-8": (b'{"document": "\xff"}', 400, "UTF-8"),
    "a list": ("[]", 422, "JSON object"),
    "no document": ("{}", 422, "`document` is missing"),
    "unknown key": (raw('"x"', mesage='"typo"'), 422, "`mesage` is not known"),
    "twice": ('{"document": "x", "document": "y"}', 400, "`document` is given twice"),
    "twice inside": (raw('{"messages": [], "messages": []}'), 400, "`messages` is given twice"),
    "NaN": (raw('{"messages": [], "x": NaN}'), 400, "NaN"),
    "infinity": (raw('{"messages": [], "x": 1e999}'), 422, "number"),
    "NUL": (raw('{"messages": [{"role": "user", "content": "a\\u0000b"}]}'), 422, "U+0000"),
    "half a character": (raw('"x"', message='"\\ud83d"'), 422, "half a character"),
    "too deep": (raw("[" * 50_000 + "]" * 50_000), 400, "levels"),
    "deep": (raw('{"messages": [], "x": ' + "[" * 60 + "]" * 60 + "}"), 422, "levels"),
    "wrong type": (raw('"x"', base="7"), 422, "`base` must be text or null"),
    "no messages": (raw("{}"), 422, "no messages"),
    "no text": (raw('{"messages": [{"role": "user", "content": " "}]}'), 422, "Write something"),
    "unknown role": (raw('{"messages": [{"role": "boss", "content": "x"}]}'), 422, "role"),
    "hostile template": (
        raw('{"messages": [{"role": "user", "content": "{{ x.__class__ }}"}]}'), 422, "",
    ),
    "reserved word": (
        raw('{"messages": [{"role": "user", "content": "{{ caller }}"}]}'), 422, "a reserved word",
    ),
    "YAML bomb": (raw(json.dumps("a: &a [x]\nb: *a\n")), 422, "names a place"),
    "YAML nonsense": (raw('"]["'), 422, "Line 1"),
    "a huge number": (raw('{"messages": [], "x": 1' + "0" * 5000 + "}"), 400, "not valid JSON"),
}  # fmt: skip


@pytest.mark.parametrize("what", BODIES)
async def test_bodies(client: Browser, write_key: dict[str, str], what: str):
    body, status, says = BODIES[what]
    headers = write_key | {"Content-Type": "application/json"}
    answer = await client.post(ADDRESS, headers=headers, content=body)
    assert answer.status_code == status, answer.text
    problem = answer.json()
    assert says in problem["detail"]
    assert problem["detail"].endswith((".", ")"))
    assert "Traceback" not in answer.text
    listed = await client.get("/api/v1/prompts", headers=write_key)
    assert listed.json()["total"] == 0


async def test_what_is_too_large(client: Browser, write_key: dict[str, str]):
    body = {"document": {"messages": [{"role": "user", "content": "x" * (3 << 20)}]}}
    answer = await client.post(ADDRESS, headers=write_key, json=body)
    assert answer.status_code == 413
    body["document"]["messages"][0]["content"] = "x" * (1 << 20)
    answer = await client.post(ADDRESS, headers=write_key, json=body)
    assert answer.status_code == 422
    assert "1 MiB" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("method", "address", "body", "status", "says"),
    [
        ("GET", "prompts?cursor=nonsense", None, 422, "cursor"),
        ("GET", "prompts?limit=1000", None, 422, "200"),
        ("GET", "prompts?limit=ten", None, 400, ""),
        ("GET", "prompts/a?version=0", None, 400, ""),
        ("GET", "prompts/a?version=99999999999999999999", None, 400, ""),
        ("GET", "prompts/a?version=1&label=production", None, 422, "not for both"),
        ("GET", "prompts/a?label=nope", None, 404, "no label nope"),
        ("GET", "prompts/a?label=a%0Ab", None, 404, "no label"),
        ("GET", "prompts/Wrong Name", None, 422, "small letters"),
        ("GET", "prompts/missing", None, 404, "no prompt called missing"),
        ("GET", "diff/a?from=7", None, 404, "no version 7"),
        ("GET", "labels/latest/a", None, 422, "latest"),
        ("GET", "labels/production/a?at=yesterday", None, 422, "2026-05-03T14:00:00Z"),
        ("PUT", "labels/latest/a", {"version": 1}, 422, "latest"),
        ("PUT", "labels/Wrong!/a", {"version": 1}, 422, "label"),
        ("PUT", "labels/production/a", {"version": "1"}, 422, "whole number"),
        ("PUT", "labels/production/a", {"version": 0}, 422, ""),
        ("PUT", "labels/production/a", {}, 422, "`version` is missing"),
        ("PUT", "labels/production/missing", {"version": 1}, 404, "missing"),
        ("POST", "versions/missing", {"document": GOOD, "base": "0" * 64}, 404, "missing"),
        ("POST", "versions/UPPER", {"document": GOOD}, 422, "small letters"),
        ("POST", "versions/a.lock", {"document": GOOD}, 422, ".lock"),
        ("DELETE", "prompts/missing", None, 404, "missing"),
        ("PATCH", "prompts/a", None, 405, ""),
        ("GET", "nothing-here", None, 404, ""),
    ],
)
async def test_addresses(
    client: Browser, write_key: dict[str, str], method: str, address: str, body: Any, status: int,
    says: str,
):  # fmt: skip
    made = await client.post(ADDRESS, headers=write_key, json={"document": GOOD})
    assert made.status_code == 201
    answer = await client.request(method, f"/api/v1/{address}", headers=write_key, json=body)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert says in answer.json()["detail"]
    assert answer.json()["detail"]

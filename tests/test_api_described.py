"""The OpenAPI document: complete, valid, and true of what is answered."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from litestar.routes import HTTPRoute

from hub.front import Front
from hub.sync import doors
from tests.cast import Browser

Json = dict[str, Any]
API = "/api/v1"
READS, WRITES = ("get",), ("post", "put", "patch", "delete")
PRIMITIVE: dict[str, tuple[type, ...]] = {
    "string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,),
    "object": (dict,), "array": (list,), "null": (type(None),),
}  # fmt: skip


@pytest.fixture
async def document(client: Browser) -> Json:
    return (await client.get("/api/openapi.json")).json()


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, methods in document["paths"].items():
        for method in (*READS, *WRITES):
            if method in methods:
                yield path, method, methods[method]


async def test_every_route_is_described(hub: Front, document: Json):
    routes = {
        (re.sub(r"{(\w+):\w+}", r"{\1}", route.path_format), method.lower())
        for route in hub.litestar.routes
        if isinstance(route, HTTPRoute) and route.path.startswith(f"{API}/")
        for handler in route.route_handlers
        for method in handler.http_methods
    }
    before_the_framework = {
        (doors.SNAPSHOT, "get"), (doors.STREAM, "get"), (doors.OBJECTS + "{sha256}", "get"),
        (doors.USAGE, "post"),
    }  # fmt: skip
    assert {(path, method) for path, method, _ in operations(document)} == {
        one for one in routes if one[1] in (*READS, *WRITES)
    } | before_the_framework


async def test_every_operation_says_what_it_takes_and_gives(document: Json):
    names: list[str] = []
    for path, method, told in operations(document):
        where = f"{method} {path}"
        names.append(told["operationId"])
        assert told["summary"], where
        assert told["tags"], where
        assert told.get("description"), where
        asked = set(re.findall(r"{(\w+)}", path))
        given = {one["name"] for one in told.get("parameters", []) if one["in"] == "path"}
        assert given == asked, where
        if method in ("post", "put"):
            assert shape_of(told["requestBody"]["content"]["application/json"]), where
        good = {code: one for code, one in told["responses"].items() if code.startswith("2")}
        assert good, where
        for code, one in good.items():
            empty = code in ("202", "204") and "content" not in one
            events = "text/event-stream" in one.get("content", {})
            kind = "application/json"
            if path.endswith(".jsonl"):
                kind = "application/x-ndjson"
            assert empty or events or shape_of(one["content"][kind]), where
        wrong = [one for code, one in told["responses"].items() if code >= "400"]
        assert wrong, where
        assert all(shape_of(one["content"]["application/problem+json"]) for one in wrong), where
    assert len(names) == len(set(names))


def shape_of(media: Json) -> bool:
    return media["schema"].get("$ref", "").startswith("#/components/schemas/")


async def test_every_reference_leads_somewhere_and_every_shape_is_explained(document: Json):
    shapes = document["components"]["schemas"]
    used = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)))
    assert used <= set(shapes)
    assert set(shapes) <= used
    assert not [name for name, shape in shapes.items() if not shape.get("description")]


async def test_answers_are_as_they_are_described(
    document: Json, client: Browser, write_key: dict[str, str]
):
    """Each is read, and held against the shape that the document gives for it."""
    text = {"messages": [{"role": "system", "content": "Sort {{ tickets }}."}]}
    other = {"messages": [{"role": "system", "content": "Sort {{ tickets }} kindly."}]}
    move = {"version": 1, "reason": "It reads well"}
    steps: list[tuple[str, str, str, Json | None]] = [
        ("post", "/versions/{name}", "/versions/a/b", {"document": text}),
        ("put", "/labels/{label}/{name}", "/labels/production/a/b", move),
        ("put", "/releases", "/releases",
         {"moves": [{"label": "staging", "name": "a/b", "version": 1}]}),
        ("post", "/proposals", "/proposals",
         {"title": "Kindly", "items": [{"name": "a/b", "document": other}]}),
        ("post", "/proposals", "/proposals",
         {"title": "Away", "items": [{"name": "a/b", "kind": "delete"}]}),
        *[("get", path, path.replace("{name}", "a/b").replace("{label}", "production")
           .replace("{number}", "1"), None)
          for path in ("/prompts", "/prompts/{name}", "/versions/{name}", "/labels/{label}/{name}",
                       "/releases", "/diff/{name}", "/proposals", "/proposals/{number}",
                       "/proposals/{number}/diff", "/policy", "/snapshot")],
        ("get", "/proposals/{number}/diff", "/proposals/2/diff", None),
    ]  # fmt: skip
    for method, path, address, body in steps:
        answer = await client.request(method.upper(), API + address, headers=write_key, json=body)
        assert answer.is_success, (address, answer.text)
        told = document["paths"][API + path][method]["responses"][str(answer.status_code)]
        schema = told["content"]["application/json"]["schema"]
        assert not list(faults(answer.json(), schema, document, path)), (method, path)


def faults(value: Any, schema: Json, document: Json, at: str) -> Iterator[str]:
    """Where `value` is not what `schema` says: types, names, choices; as far as we use them."""
    if reference := schema.get("$ref"):
        schema = document["components"]["schemas"][reference.rpartition("/")[2]]
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        if all(list(faults(value, one, document, at)) for one in choices):
            yield f"{at} is none of what it may be: {value!r}"
        return
    kind = schema.get("type")
    kinds = [kind] if isinstance(kind, str) else kind or []
    if kinds and not isinstance(value, tuple(t for one in kinds for t in PRIMITIVE[one])):
        yield f"{at} is not {kind}: {value!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at} is not one of {schema['enum']}: {value!r}"
    if isinstance(value, dict):
        known = schema.get("properties", {})
        yield from (
            f"{at} has no {name}" for name in schema.get("required", ()) if name not in value
        )
        if known and set(value) - set(known):
            yield f"{at} has more: {set(value) - set(known)}"
        for name in known.keys() & value.keys():
            yield from faults(value[name], known[name], document, f"{at}.{name}")
    if isinstance(value, list) and "items" in schema:
        for number, one in enumerate(value):
            yield from faults(one, schema["items"] or {}, document, f"{at}[{number}]")

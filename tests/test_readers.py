"""What other tools' clients read stands under *Used by*; and pictures, for agents."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from mcp.shared.exceptions import MCPError

from hub.db import Database
from hub.registry.reading import catalog, used_by
from hub.registry.reading.used_by import Line
from tests.cast import copy_template
from tests.endpoint import FakeEndpoint
from tests.git_people import basic, beside
from tests.serving import Server, free_port, serve
from tests.test_mcp_door import agent, move, save
from tests.test_relay import connect, endpoint, new_key, set_up

__all__ = ["endpoint"]
TEXT = {"messages": [{"role": "user", "content": "Hello {{ name }}"}]}
WOUND = {
    "messages": [
        {"role": "system", "content": "Look closely."},
        {"role": "user", "content": "{{ photo }} What is this? {{ note }}"},
    ],
    "variables": [
        {"name": "photo", "type": "image", "description": "The wound."},
        {"name": "note", "required": False},
    ],
}  # fmt: skip
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(200)).decode()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: Any, migrated: Any, endpoint: FakeEndpoint) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("readers") / "data"
    copy_template(migrated, data)
    allowed = f"127.0.0.1:{endpoint.port}"
    with serve(data, free_port(), private_hosts=allowed) as server:
        first = save(server, "mail/hello", TEXT)
        move(server, "mail/hello", 1)
        save(server, "mail/hello", TEXT | {"tags": ["new"]}, first["hash"])
        save(server, "care/wound", WOUND)
        move(server, "care/wound", 1)
        beside(server, lambda database: connect(database, server, endpoint))
        set_up(server, tokens="1,000,000")
        yield server


def lines(server: Server, name: str) -> list[Line]:
    async def work(database: Database) -> list[Line]:
        async with database.read() as db:
            about = await catalog.get(db, server.cast.workspace.id, name)
            return (await used_by.used_by(db, server.cast.workspace.id, about.id)).lines

    return beside(server, work)


async def test_every_door_says_who_read_which_version(filled: Server):
    bearer = filled.headers()
    with httpx.Client(base_url=filled.url, timeout=60) as http:
        langfuse = "/api/public/v2/prompts/mail%2Fhello"
        for _ in range(3):
            assert http.get(langfuse, headers=basic(filled.cast.read_key)).status_code == 200
        theirs = {"X-API-Key": filled.cast.read_key}
        commit = "/api/langsmith/commits/-/mail~hello/2"
        assert http.get(commit, headers=theirs).status_code == 200
        alias = "/api/mlflow/api/2.0/mlflow/registered-models/alias"
        asked = {"name": "mail~hello", "alias": "latest"}
        assert http.get(alias, params=asked, headers=bearer).status_code == 200
        body = {"prompt": {"id": "mail/hello", "variables": {"name": "Ada"}}, "model": "echo"}
        key = await asyncio.to_thread(new_key, filled, "mailer")
        run = {"Authorization": f"Bearer {key}"}
        assert http.post("/v1/responses", json=body, headers=run).status_code == 200
        # What is refused is not read.
        gone = "/api/public/v2/prompts/mail%2Fgone"
        assert http.get(gone, headers=basic(filled.cast.read_key)).status_code == 404
    async with agent(filled, filled.cast.read_key) as client:
        await client.get_prompt("mail/hello", {"name": "Ada"})
    deadline, found = time.monotonic() + 60, list[Line]()
    while len(found) < 5:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.2)
        found = await asyncio.to_thread(lines, filled, "mail/hello")
    said = {one.app: (one.label, one.servings[0].version, one.servings[0].calls) for one in found}
    assert said == {
        "Langfuse client": ("production", 1, 3), "LangSmith client": ("", 2, 1),
        "MLflow client": ("latest", 2, 1), "MCP client": ("production", 1, 1),
        "OpenAI client": ("production", 1, 1),
    }  # fmt: skip
    assert {one.environment for one in found if one.app == "OpenAI client"} == {"mailer"}
    assert all(one.asks and one.behind is None for one in found)
    page = httpx.get(
        f"{filled.url}/clinic/use-now/mail/hello", timeout=60,
        cookies={"__Host-session": filled.cast.cookies["ana"]},
    ).text  # fmt: skip
    assert "Langfuse client" in page
    assert "counted by its key" in page


async def test_an_agent_gets_pictures_as_pictures(filled: Server):
    async with agent(filled, filled.cast.read_key) as client:
        (wound,) = [
            one for one in (await client.list_prompts()).prompts if one.name == "care/wound"
        ]
        help = {one.name: one.description for one in wound.arguments or []}
        assert help["photo"] == "The wound. The picture itself, as data:image/png;base64,…"
        given = {"photo": f"data:image/png;base64,{PNG}", "note": "It hurts."}
        got: list[Any] = (await client.get_prompt("care/wound", given)).messages
        assert [one.role for one in got] == ["user"] * 3
        assert got[0].content.text == "Look closely."
        assert (got[1].content.mime_type, got[1].content.data) == ("image/png", PNG)
        assert got[2].content.text == " What is this? It hurts."
        for odd, why in (
            ("https://example.org/x.png", "Nothing is fetched from an address here"),
            ("data:text/html;base64,PGI+", "The picture itself"),
            ("data:image/png;base64,AAAA", "no picture that models take"),
            ("", "no value yet: photo"),
        ):
            with pytest.raises(MCPError, match=why):
                await client.get_prompt("care/wound", {"photo": odd})

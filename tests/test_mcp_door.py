"""Agents, by the official client of the Model Context Protocol, over real HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import httpx2
import pytest
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp_types import PromptReference

from tests.git_people import beside, own_key
from tests.serving import Server

ERAS = pytest.mark.parametrize("era", ["auto", "legacy"])
"""As of 2026-07-28, and with the handshake before it."""
TRIAGE = {
    "name": "Triage", "description": "Sorts what comes in.",
    "messages": [
        {"role": "system", "content": "Sort for {{ team }}{% if urgent %}, now{% endif %}."},
        {"role": "placeholder", "name": "history"},
        {"role": "user", "content": "{{ ticket }}"},
    ],
    "variables": [
        {"name": "team", "type": "text", "description": "Who reads it", "default": "the ward"},
        {"name": "urgent", "type": "boolean", "required": False},
    ],
}  # fmt: skip


@asynccontextmanager
async def agent(
    server: Server, key: str, era: str = "auto", query: str = "", **more: Any
) -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
        transport = streamable_http_client(f"{server.url}/mcp{query}", http_client=http)
        async with Client(transport, mode=era, **more) as client:  # type: ignore[arg-type]
            yield client


@pytest.fixture(scope="module")
def filled(server: Server) -> Server:
    save(server, "support/triage", TRIAGE)
    move(server, "support/triage", 1)
    save(server, "mail/draft", {"messages": [{"role": "user", "content": "Not live"}]})
    return server


def save(server: Server, name: str, document: Any, base: str | None = None) -> dict[str, Any]:
    answer = httpx.post(
        f"{server.url}/api/v1/versions/{name}", headers=server.headers("write"),
        json={"document": {"template": "jinja"} | document, "base": base},
    )  # fmt: skip
    assert answer.status_code in (200, 201), answer.text
    return answer.json()


def move(server: Server, name: str, version: int | None) -> None:
    answer = httpx.put(
        f"{server.url}/api/v1/labels/production/{name}", json={"version": version},
        headers=server.headers("write"),
    )  # fmt: skip
    assert answer.status_code == 200, answer.text


@ERAS
async def test_live_prompts_are_listed_filled_in_and_completed(filled: Server, era: str):
    async with agent(filled, filled.cast.read_key, era) as client:
        assert client.server_capabilities.prompts.list_changed  # type: ignore[union-attr]
        (found,) = (await client.list_prompts()).prompts
        assert (found.name, found.title, found.description) == (
            "support/triage", "Triage", "Sorts what comes in.",
        )  # fmt: skip
        asked = {one.name: (one.required, one.description) for one in found.arguments or []}
        assert asked["team"] == (False, "Who reads it")
        assert asked["ticket"] == (True, None)
        assert set(asked) == {"team", "urgent", "history", "ticket"}
        got = await client.get_prompt(
            "support/triage",
            {"ticket": "It hurts", "urgent": "yes", "history": "user: Hi\nassistant: Hello"},
        )
        assert [(one.role, one.content.text) for one in got.messages] == [  # type: ignore[union-attr]
            ("user", "Sort for the ward, now.\n\nHi"), ("assistant", "Hello"),
            ("user", "It hurts"),
        ]  # fmt: skip
        for given, said in (
            ({}, "ticket"), ({"ticket": "x", "colour": "red"}, "colour is not asked for"),
        ):  # fmt: skip
            with pytest.raises(MCPError, match=said):
                await client.get_prompt("support/triage", given)
        with pytest.raises(MCPError, match="no label production"):
            await client.get_prompt("mail/draft")

        async def offered(name: str, begun: str) -> list[str]:
            ref = PromptReference(type="ref/prompt", name="support/triage")
            done = await client.complete(ref, {"name": name, "value": begun})
            return done.completion.values

        assert await offered("urgent", "") == ["yes", "no"]
        assert await offered("urgent", "Y") == ["yes"]
        assert await offered("team", "the") == ["the ward"]
        assert await offered("nothing", "") == []


async def test_another_label_is_asked_for_in_the_address(filled: Server):
    async with agent(filled, filled.cast.read_key, query="?label=latest") as client:
        names = [one.name for one in (await client.list_prompts()).prompts]
        assert names == ["mail/draft", "support/triage"]
        got = await client.get_prompt("mail/draft")
        assert got.messages[0].content.text == "Not live"  # type: ignore[union-attr]
    async with agent(filled, filled.cast.read_key, query="?label=staging") as client:
        assert (await client.list_prompts()).prompts == []


@ERAS
async def test_examples_of_the_playground_are_offered(filled: Server, era: str):
    from hub.people.accounts import OPERATOR
    from hub.playground import examples
    from hub.registry.reading import catalog

    async def add(database: Any) -> None:
        place = filled.cast.workspace.id
        async with database.write() as db:
            about = await catalog.get(db, place, "support/triage")
            await examples.add(
                db, place, about.id, name=f"Fall {era}", expected=None, actor=OPERATOR,
                variables={"ticket": f"A fall, {era}", "team": "night shift"},
            )  # fmt: skip

    await asyncio.to_thread(beside, filled, add)
    async with agent(filled, filled.cast.read_key, era) as client:
        ref = PromptReference(type="ref/prompt", name="support/triage")
        done = await client.complete(ref, {"name": "ticket", "value": "a fall"})
        assert f"A fall, {era}" in done.completion.values


@ERAS
async def test_an_agent_reads_and_what_it_writes_is_a_proposal(filled: Server, era: str):
    async with agent(filled, filled.cast.write_key, era) as client:
        tools = {one.name: one for one in (await client.list_tools()).tools}
        assert set(tools) == {"search_prompts", "read_prompt", "propose_change", "read_proposal"}
        assert tools["search_prompts"].annotations.read_only_hint is True  # type: ignore[union-attr]
        found = await call(client, "search_prompts", query="sorts")
        assert [one["name"] for one in found["prompts"]] == ["support/triage"]
        assert found["prompts"][0]["labels"] == {"production": 1}
        read = await call(client, "read_prompt", name="support/triage", label="production")
        assert read["version"] == 1
        changed = read["file"].replace("Sort for", f"Sort kindly ({era}) for")
        made = await call(
            client, "propose_change", name="support/triage", file=changed, base=read["hash"],
            title=f"Kindly, {era}", why="Complaints.",
        )  # fmt: skip
        assert made["state"] == "open"
        assert made["url"] == f"{filled.url}/clinic/proposals/{made['number']}"
        new = await call(
            client, "propose_change", name=f"mail/{era}", title="Another",
            file="messages:\n  - role: user\n    content: Hello {{ name }}\n",
        )  # fmt: skip
        again = await call(client, "read_proposal", number=new["number"])
        assert again["prompts"] == [f"mail/{era}"]
        # Nothing has been saved.
        assert (await call(client, "read_prompt", name="support/triage"))["newest"] == 1
        refused = await client.call_tool("read_prompt", {"name": f"mail/{era}"})
        assert refused.is_error
        assert "no prompt called" in refused.content[0].text  # type: ignore[union-attr]
        for wrong in ({"name": "Odd Name"}, {"number": "x"}, {"name": "a/b", "file": "not: [yaml"}):
            tool = "propose_change" if "file" in wrong else "read_prompt"
            answer = await client.call_tool(
                tool, {"title": "x"} | wrong if "file" in wrong else wrong
            )
            assert answer.is_error, wrong
        for wrong, said in (
            ({"prompt": "support/triage"}, "`prompt` is not known here; known are label, name"),
            ({"name": 7}, "`name` must be"),
            ({}, "`name` is missing"),
        ):
            answer = await client.call_tool("read_prompt", wrong)
            assert said in answer.content[0].text  # type: ignore[union-attr]


async def call(client: Client, tool: str, **given: Any) -> dict[str, Any]:
    answer = await client.call_tool(tool, given)
    assert not answer.is_error, answer.content
    assert json.loads(answer.content[0].text) == answer.structured_content  # type: ignore[union-attr]
    return answer.structured_content  # type: ignore[return-value]


@ERAS
async def test_a_key_has_the_tools_of_its_scope_and_sees_its_own_workspace(
    filled: Server, era: str
):
    async with agent(filled, filled.cast.read_key, era) as client:
        tools = {one.name for one in (await client.list_tools()).tools}
        assert tools == {"search_prompts", "read_prompt", "read_proposal"}
        with pytest.raises(MCPError, match="no such tool"):
            await client.call_tool(
                "propose_change", {"name": "a/b", "file": "messages: []", "title": "x"}
            )
    carla = await asyncio.to_thread(own_key, filled, "carla", "write", f"agent {era}")
    async with agent(filled, carla, era) as client:  # a viewer may suggest
        assert "propose_change" in {one.name for one in (await client.list_tools()).tools}
    async with agent(filled, filled.cast.rival_key, era) as client:
        assert (await client.list_prompts()).prompts == []
        assert (await call(client, "search_prompts"))["total"] == 0
        with pytest.raises(MCPError, match="no prompt called"):
            await client.get_prompt("support/triage")

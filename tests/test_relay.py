"""OpenAI's own client, pointed at the hub, runs prompts by their names."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub.outbound import Outbound
from hub.people import accounts, keys
from hub.people.accounts import OPERATOR
from hub.people.models import Account
from hub.playground import connections
from hub.playground.connections import Fields
from hub.playground.relay import budget
from hub.playground.relay.models import RelayCall
from tests.cast import copy_template
from tests.clients import in_python
from tests.endpoint import KEY, FakeEndpoint, endpoint_in_a_thread
from tests.git_people import beside
from tests.serving import Server, ended_by_itself, free_port, serve
from tests.test_mcp_door import move, save

PROMPT = {
    "model": "echo", "modelParameters": {"temperature": 0.2, "max_tokens": 50},
    "messages": [
        {"role": "system", "content": "Be kind{% if formal %} and formal{% endif %}."},
        {"role": "placeholder", "name": "history"},
        {"role": "user", "content": "Ticket {{ number }}: {{ ticket }}"},
    ],
    "variables": [{"name": "number", "type": "integer"}, {"name": "ticket"},
                  {"name": "formal", "type": "boolean", "required": False}],
}  # fmt: skip
CLIENT = """
import openai
hub = openai.OpenAI(base_url=given["url"] + "/v1", api_key=given["key"], max_retries=2)
prompt = {"id": "support/triage", "variables": {"number": "7", "ticket": "It hurts"}}
def tried(doing):
    try:
        doing()
    except openai.APIError as error:
        return [type(error).__name__, getattr(error, "status_code", None), error.code,
                (error.body or {}).get("message", error.message)]
"""


@pytest.fixture(scope="module")
def endpoint() -> Iterator[FakeEndpoint]:
    with endpoint_in_a_thread() as one:
        yield one


@pytest.fixture(scope="module")
def filled(tmp_path_factory: Any, migrated: Any, endpoint: FakeEndpoint) -> Iterator[Server]:
    """A prompt that is live, a connection with priced models, the relay open."""
    data = tmp_path_factory.mktemp("relay") / "data"
    copy_template(migrated, data)
    allowed = f"127.0.0.1:{endpoint.port}"
    with serve(data, free_port(), private_hosts=allowed) as server:
        save(server, "support/triage", PROMPT)
        move(server, "support/triage", 1)
        save(server, "mail/silent", {"messages": [{"role": "user", "content": "Hi"}]})
        move(server, "mail/silent", 1)
        beside(server, lambda database: connect(database, server, endpoint))
        set_up(server, tokens="1,000,000")
        yield server


async def connect(database: Any, server: Server, endpoint: FakeEndpoint) -> None:
    typed = Fields(
        name="Acme", kind="openai", base_url=endpoint.base_url, key=KEY,
        models="echo 1 2\nslow 1 2\ndies 1 2\ne401 1 2\ne500\nmany 1 2\nwhole",
    )  # fmt: skip
    outbound = Outbound(server.settings.private_hosts)
    checked = await connections.check(typed, outbound)
    await outbound.close()
    async with database.write() as db:
        maria = await db.get_one(Account, server.cast.account_ids["maria"])
        await connections.add(
            db, server.cast.workspace, checked, actor=accounts.person(maria),
            secret=server.settings.secret(),
        )  # fmt: skip


def set_up(server: Server, *, open: bool = True, tokens: str = "", usd: str = "") -> None:
    async def work(database: Any) -> None:
        async with database.write() as db:
            await budget.set_up(
                db, server.cast.workspace, open=open, tokens=tokens, usd=usd, actor=OPERATOR
            )

    beside(server, work)


def new_key(server: Server, name: str) -> str:
    async def work(database: Any) -> str:
        async with database.write() as db:
            made = await keys.create(db, server.cast.workspace, name, "run", actor=OPERATOR)
        return made.token

    return beside(server, work)


def run(server: Server, name: str, script: str) -> Any:
    return in_python(CLIENT + script, {"url": server.url, "key": new_key(server, name)})


def calls(server: Server) -> list[RelayCall]:
    async def work(database: Any) -> list[RelayCall]:
        from sqlalchemy import select

        async with database.read() as db:
            return list(await db.scalars(select(RelayCall).order_by(RelayCall.id)))

    return beside(server, work)


def test_a_response_of_a_prompt(filled: Server, endpoint: FakeEndpoint):
    script = """
one = hub.responses.create(prompt=prompt | {"version": "1"}, input="And now?")
history = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
two = hub.responses.create(
    model="echo", instructions="Be brief.", temperature=1, max_output_tokens=9,
    prompt={"id": "support/triage", "variables": {
        "number": 8, "ticket": {"type": "input_text", "text": "It itches"}, "history": history,
        "formal": True}})
say([one.output_text, one.status, one.model, one.usage.total_tokens, one.prompt.id,
     one.prompt.version, two.output_text, [item.id for item in hub.models.list()]])
"""
    found = run(filled, "responses", script)
    assert found[:6] == ["And now?", "completed", "echo", 12, "support/triage", "1"]
    assert found[6] == "Ticket 8: It itches"
    assert {"echo", "slow"} <= set(found[7])
    first, second = endpoint.asked[-2:]
    assert [one["content"] for one in first["messages"]] == [
        "Be kind.", "Ticket 7: It hurts", "And now?"
    ]  # fmt: skip
    assert (first["temperature"], first["max_tokens"]) == (0.2, 50)
    assert [one["content"] for one in second["messages"]] == [
        "Be brief.", "Be kind and formal.", "Hi", "Hello", "Ticket 8: It itches"
    ]  # fmt: skip
    assert (second["temperature"], second["max_completion_tokens"]) == (1, 9)
    assert "max_tokens" not in second
    last = calls(filled)[-1]
    assert (last.prompt_name, last.version, last.model, last.connection, last.state) == (
        "support/triage", 1, "echo", "Acme", "done",
    )  # fmt: skip
    assert (last.tokens_in, last.tokens_out) == (10, 4)
    assert last.cost_usd == pytest.approx((10 * 1 + 4 * 2) / 1e6)


def test_a_streamed_response(filled: Server):
    script = """
kinds, text = [], ""
with hub.responses.stream(model="echo", prompt=prompt, input="one two three") as stream:
    for event in stream:
        kinds.append(event.type)
    final = stream.get_final_response()
say([kinds, final.output_text, final.usage.output_tokens])
"""
    kinds, text, tokens = run(filled, "response stream", script)
    assert (text, tokens) == ("one two three", 3)
    assert [one for one in kinds if not one.endswith("delta")] == [
        "response.created", "response.in_progress", "response.output_item.added",
        "response.content_part.added", "response.output_text.done", "response.content_part.done",
        "response.output_item.done", "response.completed",
    ]  # fmt: skip
    assert kinds.count("response.output_text.delta") == 3


def test_a_chat_whole_and_streamed(filled: Server):
    script = """
extra = {"prompt": prompt}
one = hub.chat.completions.create(
    model="echo", messages=[{"role": "user", "content": "Hi there"}], extra_body=extra)
pieces, usage = [], None
for piece in hub.chat.completions.create(
        model="echo", messages=[{"role": "user", "content": "a b c"}], stream=True,
        stream_options={"include_usage": True}, extra_body=extra):
    if piece.choices:
        pieces.append([piece.choices[0].delta.content, piece.choices[0].finish_reason])
    usage = piece.usage or usage
say([one.choices[0].message.content, one.choices[0].finish_reason, one.usage.total_tokens,
     pieces, usage.completion_tokens])
"""
    text, reason, total, pieces, tokens = run(filled, "chat", script)
    assert (text, reason, total, tokens) == ("Hi there", "stop", 12, 3)
    assert "".join(one[0] or "" for one in pieces) == "a b c"
    assert pieces[-1][1] == "stop"


def test_what_goes_wrong_is_said_in_their_words(filled: Server):
    script = """
usual = {"model": "echo", "prompt": prompt}
ask = lambda **more: tried(lambda: hub.responses.create(**usual | more))
p = lambda **more: {"prompt": prompt | more}
say({
    "gone": ask(**p(id="support/gone")), "label": ask(**p(version="staging")),
    "version": ask(**p(version="9")),
    "missing": ask(prompt={"id": "support/triage", "variables": {"number": "1"}}),
    "odd": ask(**p(variables={"number": "seven", "ticket": "x"})),
    "other": ask(**p(variables={"number": 1, "ticket": "x", "colour": "red"})),
    "picture": ask(**p(variables={"ticket": {"type": "input_image", "image_url": "x"}})),
    "model": ask(model="gpt-99"), "none": ask(**p(id="mail/silent", variables={}), model=None),
    "bare": tried(lambda: hub.responses.create(model="echo", input="Hi")),
    "kept": ask(previous_response_id="resp_1"), "tool": ask(tools=[{"type": "web_search"}]),
    "n": tried(lambda: hub.chat.completions.create(
        model="echo", messages=[], n=2, extra_body={"prompt": prompt})),
    "refused": ask(model="e401"), "dies": ask(model="dies"),
    "stream": tried(lambda: list(hub.chat.completions.create(
        model="dies", messages=[], stream=True, extra_body={"prompt": prompt}))),
})
"""
    found = run(filled, "wrong", script)
    assert found["gone"][:2] == ["NotFoundError", 404]
    assert "no prompt called support/gone" in found["gone"][3]
    assert "no label staging" in found["label"][3]
    assert "its newest is 1" in found["version"][3]
    bad = ("missing", "odd", "other", "picture", "none", "bare", "kept", "tool", "n")
    assert {found[one][1] for one in bad} == {400}
    assert "ticket" in found["missing"][3]
    assert "not a number" in found["odd"][3]
    assert "colour is not asked for" in found["other"][3]
    assert "There is no model gpt-99 here; there are" in found["model"][3]
    assert "names no model" in found["none"][3]
    assert "Name a prompt of the hub" in found["bare"][3]
    assert found["refused"][:2] == ["InternalServerError", 502]
    assert KEY not in json.dumps(found)
    assert found["dies"][1] == 502
    assert found["stream"][0] == "APIError"
    assert "broke in the middle" in found["stream"][3]


def leave(ask: httpx.Request, endpoint: FakeEndpoint, stream: bool) -> None:
    """Hang up in the middle of the answer: the program's, or the one that the hub collects."""
    asked = len(endpoint.asked)
    with socket.create_connection((ask.url.host, ask.url.port or 80), timeout=60) as line:
        head = "".join(f"{name}: {value}\r\n" for name, value in ask.headers.items())
        line.sendall(f"POST {ask.url.path} HTTP/1.1\r\n{head}\r\n".encode() + ask.read())
        if stream:
            with line.makefile("rb") as lines:
                next(one for one in lines if b"delta" in one)
            return
        while len(endpoint.asked) == asked:
            time.sleep(0.05)
        time.sleep(3)  # the endpoint speaks at once, and goes on; the hub may be held up


def test_a_call_ends_when_the_program_leaves(filled: Server, endpoint: FakeEndpoint):
    headers = {"Authorization": f"Bearer {new_key(filled, 'leaves')}"}
    body = {"model": "slow", "prompt": {"id": "mail/silent"}}
    for stream in (True, False):
        before, hung = len(calls(filled)), len(endpoint.hung_up)
        ask = httpx.Request("POST", f"{filled.url}/v1/responses", headers=headers,
                            json=body | {"stream": stream})  # fmt: skip
        leave(ask, endpoint, stream)
        for _ in range(1200):
            found = calls(filled)
            over = len(found) > before and found[-1].state != "running"
            if over and len(endpoint.hung_up) > hung:
                break
            time.sleep(0.05)
        last = calls(filled)[-1]
        assert (last.model, last.state) == ("slow", "stopped")
        assert last.tokens_out
        assert len(endpoint.hung_up) == hung + 1


def test_an_answer_that_is_being_written_does_not_keep_the_hub_from_ending(
    tmp_path: Path, migrated: Path, endpoint: FakeEndpoint
):
    copy_template(migrated, tmp_path / "data")
    allowed = f"127.0.0.1:{endpoint.port}"
    said = tmp_path / "said.txt"
    with serve(tmp_path / "data", free_port(), said, private_hosts=allowed) as server:
        save(server, "mail/silent", {"messages": [{"role": "user", "content": "Hi"}]})
        move(server, "mail/silent", 1)
        beside(server, lambda database: connect(database, server, endpoint))
        set_up(server, tokens="10,000")
        headers = {"Authorization": f"Bearer {new_key(server, 'last')}"}
        body = {"model": "slow", "prompt": {"id": "mail/silent"}, "stream": True}
        with httpx.stream(
            "POST", f"{server.url}/v1/responses", headers=headers, json=body, timeout=60
        ) as answer:
            lines = answer.iter_lines()
            next(line for line in lines if "delta" in line)
            server.process.terminate()
            last = [line for line in lines if line.startswith("data: ")][-1]
            assert ended_by_itself(server.process, said)
        assert json.loads(last[6:])["type"] == "response.failed"
        assert calls(server)[-1].state == "stopped"

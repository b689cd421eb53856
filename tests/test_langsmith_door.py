"""LangSmith's own client, pointed at the hub, and LangChain filling in what it pulled."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.clients import in_python
from tests.serving import Server
from tests.test_mcp_door import move, save

TRIAGE = {
    "name": "Triage", "description": "Sorts what comes in.", "tags": ["desk"], "model": "gpt-5",
    "messages": [
        {"role": "system", "content": "Sort {as JSON} for {{ team }}."},
        {"role": "placeholder", "name": "history"},
        {"role": "user", "content": "{{ticket}}"},
    ],
}  # fmt: skip
CLIENT = """
from langsmith import Client
url = given["url"] + "/api/langsmith"
hub = Client(api_url=url, api_key=given["key"], auto_batch_tracing=False)
def tried(doing):
    try:
        doing()
    except Exception as error:
        return [type(error).__name__, str(error)]
"""


@pytest.fixture(scope="module")
def filled(server: Server) -> Server:
    first = save(server, "support/triage", TRIAGE)
    better = {**TRIAGE, "messages": [{"role": "user", "content": "Better: {{ticket}}"}]}
    save(server, "support/triage", better, first["hash"])
    move(server, "support/triage", 1)
    save(server, "plain", {"template": "plain", "messages": [{"role": "user", "content": "{x}"}]})
    remarks = "{# for the desk #}{{- ticket -}} as JSON"
    save(server, "remarks", {"messages": [{"role": "user", "content": remarks}]})
    save(server, "a/b/deep", {"messages": [{"role": "user", "content": "Deep {{ x }}"}]})
    save(server, "mail/looped", {"messages": [
        {"role": "user", "content": "{% for one in rows %}{{ one }}{% endfor %}"}]})  # fmt: skip
    return server


def run(server: Server, script: str, key: str = "read") -> Any:
    given = {"url": server.url, "key": getattr(server.cast, f"{key}_key")}
    return in_python(CLIENT + script, given, LANGSMITH_TRACING="false")


def test_prompts_are_pulled_and_filled_in_by_langchain(filled: Server):
    script = """
one = hub.pull_prompt_commit("support~triage:production")
chat = hub.pull_prompt("support~triage:production")
turns = chat.invoke({"team": "the ward", "ticket": "It {hurts}", "history": [("human", "Hi")]})
latest = hub.pull_prompt("support~triage").invoke({"ticket": "x"})
plain = hub.pull_prompt("plain").invoke({})
say({
    "one": [one.owner, one.repo, one.commit_hash, sorted(chat.input_variables)],
    "turns": [[turn.type, turn.content] for turn in turns.to_messages()],
    "latest": latest.to_messages()[0].content, "plain": plain.to_messages()[0].content,
    "remarks": hub.pull_prompt("remarks").invoke({"ticket": "x"}).to_messages()[0].content,
    "hash": hub.pull_prompt_commit("support~triage:" + one.commit_hash[:8]).commit_hash,
    "number": hub.pull_prompt_commit("support~triage:1").commit_hash,
    "folder": hub.pull_prompt_commit("support/triage:production",
                                     dangerously_pull_public_prompt=True).commit_hash,
    "deep": hub.pull_prompt("a~b~deep").invoke({"x": "down"}).to_messages()[0].content,
})
"""
    found = run(filled, script)
    owner, repo, digest, variables = found["one"]
    assert (owner, repo, variables) == ("-", "support~triage", ["history", "team", "ticket"])
    versions = httpx.get(
        f"{filled.url}/api/v1/versions/support/triage", headers=filled.headers()
    ).json()["items"]  # fmt: skip
    assert digest == versions[1]["commit"]
    assert found["turns"] == [
        ["system", "Sort {as JSON} for the ward."], ["human", "Hi"], ["human", "It {hurts}"],
    ]  # fmt: skip
    assert (found["latest"], found["plain"]) == ("Better: x", "{x}")
    assert found["remarks"] == "xas JSON"
    assert {found["hash"], found["number"], found["folder"]} == {digest}
    assert found["deep"] == "Deep down"


def test_prompts_and_versions_are_listed(filled: Server):
    script = """
listed = hub.list_prompts()
about = hub.get_prompt("support~triage")
say({
    "names": [one.repo_handle for one in listed.repos], "total": listed.total,
    "page": [one.repo_handle for one in hub.list_prompts(limit=2, offset=1).repos],
    "query": [one.repo_handle for one in hub.list_prompts(query="sorts").repos],
    "about": [about.full_name, about.description, about.tags, about.num_commits,
              about.last_commit_hash],
    "commits": [[one.commit_hash, one.parent_commit_hash]
                for one in hub.list_prompt_commits("support~triage")],
    "second": [one.commit_hash for one in hub.list_prompt_commits("support~triage", offset=1)],
    "gone": hub.get_prompt("support~gone"),
})
"""
    found = run(filled, script)
    assert found["names"] == [
        "a~b~deep", "mail~looped", "plain", "remarks", "support~triage",
    ]  # fmt: skip
    assert (found["total"], found["page"]) == (5, ["mail~looped", "plain"])
    assert found["query"] == ["support~triage"]
    (newer, parent), (older, first) = found["commits"]
    assert (parent, first) == (older, None)
    assert found["second"] == [older]
    assert found["about"] == ["-/support~triage", "Sorts what comes in.", ["desk"], 2, newer]
    assert found["gone"] is None


def test_what_cannot_be_pulled_is_refused_with_a_sentence(filled: Server):
    script = """
pull = lambda name: tried(lambda: hub.pull_prompt_commit(name, skip_cache=True))
say({"gone": pull("gone"), "label": pull("support~triage:staging"),
     "hash": pull("support~triage:0123456789"), "loop": pull("mail~looped"),
     "made": tried(lambda: hub.create_prompt("support~fresh", is_public=False)),
     "push": tried(lambda: hub.create_commit("support~triage", {"lc": 1}))})
"""
    found = run(filled, script)
    assert found["gone"][0] == "LangSmithNotFoundError"
    assert "no prompt called gone" in found["gone"][1]
    assert "no label staging" in found["label"][1]
    assert "no label 0123456789" in found["hash"][1]
    assert "conditions, loops or filters" in found["loop"][1]
    assert "Save, propose and release them in the hub" in found["push"][1]
    assert "Save, propose and release them in the hub" in found["made"][1]
    strange = run(filled, "say(tried(lambda: hub.pull_prompt_commit('support~triage')))", "rival")
    assert strange[0] == "LangSmithNotFoundError"


def test_the_key_is_taken_from_its_own_header_alone(filled: Server):
    url = f"{filled.url}/api/langsmith/commits/-/support~triage/latest"
    for headers in ({}, filled.headers(), {"X-API-Key": "ph_nonsense"}):
        assert httpx.get(url, headers=headers).status_code == 401
    headers = {"X-API-Key": filled.cast.read_key}
    assert httpx.get(url, headers=headers).status_code == 200
    prompts = f"{filled.url}/api/v1/prompts"
    assert httpx.get(prompts, headers=headers).status_code == 401
    for odd in ("commits/-", "commits/-/a/b/c", "repos/a", "commits/-/~/latest"):
        answer = httpx.get(f"{filled.url}/api/langsmith/{odd}", headers=headers)
        assert answer.status_code == 404, odd

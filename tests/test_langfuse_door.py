"""Langfuse's own clients, Python and JavaScript, pointed at the hub."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from hub.people.rules import Rule
from tests.clients import in_node, in_python
from tests.git_people import basic, beside, own_key
from tests.offered import set_rules
from tests.serving import Server

API = "/api/public/v2/prompts"


@pytest.fixture(scope="module")
def filled(server: Server) -> Server:
    """A chat in two versions with the first live, a text, one with a snippet, one with a loop."""
    chat = {
        "name": "Triage", "description": "Sorts what comes in.", "model": "gpt-5-mini",
        "modelParameters": {"temperature": 0.2}, "tags": ["desk"],
        "messages": [
            {"role": "system", "content": "Sort for {{ team }}."},
            {"role": "placeholder", "name": "history"},
            {"role": "user", "content": "{{ ticket }}"},
        ],
        "variables": [{"name": "team", "type": "text", "description": "Who reads it"}],
    }  # fmt: skip
    first = save(server, "support/triage", chat)
    chat["messages"][0] = {"role": "system", "content": "Sort kindly for {{ team }}."}  # type: ignore[index]
    save(server, "support/triage", chat, first["hash"])
    release(server, "support/triage", 1)
    save(server, "mail/hello", said("Hello {{name}}, {{ greeting }}"))
    release(server, "mail/hello", 1)
    save(server, "snippets/tone", said("Be kind to {{ name }}."))
    save(server, "mail/toned", said('{% include "snippets/tone@1" %}\nNow: {{ text }}'))
    save(server, "mail/looped", said("{% for one in rows %}{{ one }}{% endfor %}"))
    return server


def said(text: str, role: str = "user") -> dict[str, Any]:
    return {"template": "jinja", "messages": [{"role": role, "content": text}]}


def save(server: Server, name: str, document: Any, base: str | None = None) -> dict[str, Any]:
    answer = httpx.post(
        f"{server.url}/api/v1/versions/{name}", headers=server.headers("write"),
        json={"document": document, "base": base, "message": "Say it better"},
    )  # fmt: skip
    assert answer.status_code in (200, 201), answer.text
    return answer.json()


def release(server: Server, name: str, version: int) -> None:
    answer = httpx.put(
        f"{server.url}/api/v1/labels/production/{name}", json={"version": version},
        headers=server.headers("write"),
    )  # fmt: skip
    assert answer.status_code == 200, answer.text


def given(server: Server, scope: str = "read", **more: Any) -> dict[str, Any]:
    key = getattr(server.cast, f"{scope}_key")
    return {"url": server.url, "public": "pk-lf-anything", "secret": key} | more


PYTHON = """
from langfuse import Langfuse
from langfuse.api import NotFoundError, UnauthorizedError, AccessDeniedError, Error
hub = Langfuse(base_url=given["url"], public_key=given["public"], secret_key=given["secret"],
               tracing_enabled=False, timeout=60)
def tried(doing):
    try:
        doing()
    except Exception as error:
        return [type(error).__name__, getattr(error, "status_code", None),
                (getattr(error, "body", None) or {}).get("message")]
"""
NODE = """
import { LangfuseClient } from "@langfuse/client";
const hub = new LangfuseClient(
    {baseUrl: given.url, publicKey: given.public, secretKey: given.secret});
const tried = async (doing) => {
    try { await doing(); } catch (error) {
        return [error.constructor.name, error.statusCode, (error.body || {}).message];
    }
};
"""
READ = """
chat = hub.get_prompt("support/triage", type="chat")
text = hub.get_prompt("mail/hello")
again = hub.get_prompt("support/triage", label="latest")
second = hub.get_prompt("support/triage", version=2)
toned = hub.get_prompt("mail/toned", label="latest")
listed = hub.api.prompts.list(limit=2, page=2)
say({
    "chat": [chat.name, chat.version, chat.labels, chat.tags, chat.config, chat.commit_message],
    "turns": chat.compile(team="the ward", ticket="It hurts", history=[
        {"role": "user", "content": "Hello"}]),
    "text": text.compile(name="Ada", greeting="good morning"), "variables": text.variables,
    "latest": [again.version, again.labels, second.version],
    "toned": toned.compile(name="Ada", text="well"),
    "ok": hub.auth_check(),
    "page": [[one.name, one.versions, one.labels] for one in listed.data],
    "meta": listed.meta.model_dump(),
    "one": [[one.name, one.type.value, one.versions, one.last_config, one.tags]
            for one in hub.api.prompts.list(name="support/triage").data],
    "live": [[one.name, one.versions] for one in hub.api.prompts.list(label="production").data],
    "tagged": [one.name for one in hub.api.prompts.list(tag="desk").data],
})
"""


def test_the_python_client_reads(filled: Server):
    found = in_python(PYTHON + READ, given(filled))
    config = {"model": "gpt-5-mini", "temperature": 0.2}
    assert found["chat"] == [
        "support/triage", 1, ["production"], ["desk"], config, "Say it better"
    ]  # fmt: skip
    assert [(one["role"], one["content"]) for one in found["turns"]] == [
        ("system", "Sort for the ward."), ("user", "Hello"), ("user", "It hurts"),
    ]  # fmt: skip
    assert found["text"] == "Hello Ada, good morning"
    assert set(found["variables"]) == {"name", "greeting"}
    assert found["latest"] == [2, ["latest"], 2]
    assert found["toned"] == "Be kind to Ada.\nNow: well"
    assert found["ok"] is True
    assert found["page"] == [["mail/toned", [1], ["latest"]], ["snippets/tone", [1], ["latest"]]]
    assert found["meta"] == {"page": 2, "limit": 2, "total_items": 5, "total_pages": 3}
    assert found["one"] == [["support/triage", "chat", [1, 2], config, ["desk"]]]
    assert found["live"] == [["mail/hello", [1]], ["support/triage", [1]]]
    assert found["tagged"] == ["support/triage"]


def test_the_javascript_client_reads(filled: Server):
    script = """
const chat = await hub.prompt.get("support/triage", {type: "chat"});
const text = await hub.prompt.get("mail/hello");
const again = await hub.prompt.get("support/triage", {label: "latest", type: "chat"});
const listed = await hub.api.prompts.list({limit: 2, page: 1});
say({
    chat: [chat.name, chat.version, chat.labels, chat.tags, chat.config, chat.commitMessage],
    turns: chat.compile({team: "the ward", ticket: "It hurts"},
                        {history: [{role: "user", content: "Hello"}]}),
    text: text.compile({name: "Ada", greeting: "good <morning>"}),
    latest: again.version, page: listed.data.map((one) => one.name), meta: listed.meta,
});
"""
    found = in_node(NODE + script, given(filled))
    assert found["chat"][:3] == ["support/triage", 1, ["production"]]
    assert found["chat"][4] == {"model": "gpt-5-mini", "temperature": 0.2}
    assert [one["content"] for one in found["turns"]] == [
        "Sort for the ward.", "Hello", "It hurts"
    ]  # fmt: skip
    assert found["text"] == "Hello Ada, good <morning>"
    assert (found["latest"], found["page"]) == (2, ["mail/hello", "mail/looped"])
    assert found["meta"] == {"page": 1, "limit": 2, "totalItems": 5, "totalPages": 3}


def test_what_is_not_there_or_not_fit_is_refused_and_the_fallback_serves(filled: Server):
    script = """
say({
    "gone": tried(lambda: hub.get_prompt("support/gone", max_retries=0)),
    "label": tried(lambda: hub.get_prompt("support/triage", label="staging", max_retries=0)),
    "version": tried(lambda: hub.get_prompt("support/triage", version=9, max_retries=0)),
    "loop": tried(lambda: hub.get_prompt("mail/looped", label="latest", max_retries=0)),
    "raw": hub.api.prompts.get("mail%2Flooped", label="latest", resolve=False).prompt,
    "odd": hub.get_prompt("Support/Triage").version,
    "fallback": hub.get_prompt("support/gone", fallback="Hi {{name}}").compile(name="Ada"),
    "filter": tried(lambda: hub.api.prompts.list(filter='[{"type":"string"}]')),
})
"""
    found = in_python(PYTHON + script, given(filled))
    assert found["gone"][:2] == ["NotFoundError", 404]
    assert "no prompt called support/gone" in found["gone"][2]
    assert found["label"][2] == "support/triage has no label staging: it has production."
    assert "its newest is 2" in found["version"][2]
    assert found["loop"][1] == 400
    assert "cannot fill in" in found["loop"][2]
    assert found["raw"].startswith("{% for")
    assert (found["odd"], found["fallback"]) == (1, "Hi Ada")
    assert found["filter"][1] == 400


def test_a_wrong_key_and_a_stranger_learn_nothing(filled: Server):
    script = "say(tried(lambda: hub.get_prompt('support/triage', max_retries=0)))"
    wrong = in_python(PYTHON + script, given(filled) | {"secret": "ph_nonsense"})
    assert wrong[:2] == ["UnauthorizedError", 401]
    strange = in_python(PYTHON + script, given(filled, "rival"))
    assert strange[:2] == ["NotFoundError", 404]
    url = f"{filled.url}{API}/support%2Ftriage"
    bearer = httpx.get(url, headers=filled.headers("read"))
    assert bearer.status_code == 401
    assert bearer.headers["www-authenticate"].startswith("Basic")
    pair = basic(filled.cast.read_key)
    assert httpx.get(url, headers=pair).status_code == 200
    assert httpx.get(f"{filled.url}/api/v1/prompts/mail/hello", headers=pair).status_code == 401
    assert httpx.get(f"{filled.url}{API}/a%2F..%2Fb", headers=pair).status_code == 400
    assert httpx.get(f"{filled.url}/api/v1/prompts/mail%2Fhello").status_code == 400


WRITE = """
made = hub.create_prompt(name="shop/offer", prompt="Offer {{ thing }}",
                         labels=["production", "latest"],
                         tags=["shop"], config={"temperature": 1, "mine": {"a": [1]}},
                         commit_message="The first")
cached = hub.get_prompt("shop/offer").version
chat = hub.create_prompt(name="shop/offer", type="chat", labels=["staging"], prompt=[
    {"role": "system", "content": "You offer {{ thing }}."},
    {"type": "placeholder", "name": "history"}])
moved = hub.update_prompt(name="shop/offer", version=chat.version, new_labels=["production"])
now = hub.get_prompt("shop/offer", type="chat")
say({"made": [made.version, made.labels, made.config, made.commit_message], "cached": cached,
     "chat": [chat.version, chat.labels, chat.tags], "moved": sorted(moved.labels),
     "now": [now.version, now.prompt]})
"""


def test_the_python_client_writes_versions_and_labels(filled: Server):
    found = in_python(PYTHON + WRITE, given(filled, "write"))
    config = {"temperature": 1, "mine": {"a": [1]}}
    assert found["made"] == [1, ["production", "latest"], config, "The first"]
    assert found["cached"] == 1
    assert found["chat"] == [2, ["staging", "latest"], ["shop"]]
    assert found["moved"] == ["latest", "production", "staging"]
    assert found["now"][0] == 2
    assert found["now"][1][1] == {"type": "placeholder", "name": "history"}
    kept = httpx.get(
        f"{filled.url}/api/v1/prompts/shop/offer", headers=filled.headers()
    ).json()["document"]  # fmt: skip
    assert kept["messages"][0] == {"role": "system", "content": "You offer {{ thing }}."}
    assert [one["name"] for one in kept["variables"]] == ["thing"]


def test_the_javascript_client_writes_and_what_it_has_no_word_for_stays(filled: Server):
    script = """
const made = await hub.prompt.create({name: "support/triage", type: "chat", labels: [],
    config: {model: "gpt-5"},
    prompt: [{role: "system", content: "Sort for {{ team }} and {{x}}."}]});
const moved = await hub.prompt.update(
    {name: "support/triage", version: made.version, newLabels: ["canary"]});
say([made.version, made.labels, moved.labels]);
"""
    assert in_node(NODE + script, given(filled, "write")) == [3, ["latest"], ["canary", "latest"]]
    kept = httpx.get(
        f"{filled.url}/api/v1/prompts/support/triage", headers=filled.headers()
    ).json()["document"]  # fmt: skip
    assert (kept["name"], kept["description"]) == ("Triage", "Sorts what comes in.")
    assert (kept["model"], kept["tags"], kept.get("modelParameters")) == ("gpt-5", ["desk"], None)
    assert kept["variables"][0]["description"] == "Who reads it"
    assert [one["name"] for one in kept["variables"]] == ["team", "x"]


def test_writes_that_may_not_be_are_refused_with_a_sentence(filled: Server):
    def tried(key: str, method: str, path: str, body: Any) -> tuple[int, str]:
        answer = httpx.request(
            method, f"{filled.url}{API}{path}", headers=basic(key), json=body, timeout=60
        )
        return answer.status_code, answer.json()["message"]

    key, text = filled.cast.write_key, {"name": "free/one", "prompt": "Hi"}
    assert tried(filled.cast.read_key, "POST", "", text)[0] == 403
    label = {"newLabels": ["latest"]}
    assert tried(key, "PATCH", "/mail%2Fhello/versions/1", label)[0] == 400
    assert "small letters" in tried(key, "POST", "", text | {"name": "Free One"})[1]
    reach = text | {"config": {"base_url": "https://evil.example"}}
    assert "base_url" in tried(key, "POST", "", reach)[1]
    part = text | {"prompt": "@@@langfusePrompt:name=x|version=1@@@"}
    assert "snippet" in tried(key, "POST", "", part)[1]
    assert tried(key, "DELETE", "/mail%2Fhello?version=1", None)[0] == 400
    # An editor may save, and not release: nothing of it is done.
    ana = own_key(filled, "ana", name="langfuse")
    assert tried(ana, "POST", "", text | {"labels": ["production"]})[0] == 403
    assert tried(ana, "GET", "/free%2Fone", None)[0] == 404


def test_the_rules_hold_here_too(filled: Server):
    rules = (
        Rule(kind="change", folder="clinical"),
        Rule(kind="release", folder="ward", label="production"),
    )
    beside(filled, lambda database: set_rules(database, filled.cast.workspace.id, *rules))
    script = """
say([tried(lambda: hub.api.prompts.create(request={"type": "text", "name": one, "prompt": "Hi",
     "labels": ["production"]})) for one in ("clinical/a", "ward/b")])
"""
    change, release = in_python(PYTHON + script, given(filled, "write"))
    assert change[1] == 403
    assert "need review" in change[2]
    assert release[1] == 403
    assert "Moving production under ward/ needs one approval" in release[2]
    for name in ("clinical%2Fa", "ward%2Fb"):  # nothing of it was done
        url = f"{filled.url}{API}/{name}?label=latest"
        assert httpx.get(url, headers=basic(filled.cast.write_key)).status_code == 404

"""Webhooks over REST, with Maria's own key; and what is held of every kind of event."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from standardwebhooks import Webhook as Reference

from hub.front import Front
from hub.sync.webhooks import kinds
from tests.cast import Browser
from tests.commands import prompthub
from tests.hook_people import save
from tests.hook_receiver import Receiver, answer
from tests.serving import free_port, serve
from tests.test_api_described import faults

PRIVATE_HOSTS = "127.0.0.1"

API = "/api/v1/webhooks"
ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
async def app(client: Browser, maria: Browser) -> Browser:
    """A script of Maria's: it may what she may."""
    made = await maria.post_form(
        "/account/keys", {"name": "script", "workspace": "clinic", "scope": "admin"}
    )
    key = re.search(r"ph_\w+", re.search(r'id="new-key">([^<]+)<', made.text)[1])[0]
    client.headers["Authorization"] = f"Bearer {key}"
    return client


async def test_all_of_it_over_rest_is_as_it_is_described(app: Browser, receiver: Receiver):
    document = (await app.get("/api/openapi.json")).json()

    async def ask(method: str, path: str, body=None, **filled):
        url = "/api/v1" + path.format(**filled)
        answered = await app.request(method, url, json=body)
        assert answered.is_success, answered.text
        told = document["paths"][f"/api/v1{path}"][method.lower()]["responses"]
        said = told[str(answered.status_code)]
        if answered.status_code == 204:
            return None
        schema = said["content"]["application/json"]["schema"]
        assert not list(faults(answered.json(), schema, document, path)), (method, path)
        return answered.json()

    one = "/webhooks/{webhook}"
    made = await ask("POST", "/webhooks", {"name": "bot", "address": receiver.url})
    id = made["id"]
    sent = await ask("POST", f"{one}/deliveries", {}, webhook=id)
    assert (sent["good"], sent["status"], sent["head"]) == (True, 200, {"status": "200 OK"})
    told = Reference(made["secret"]).verify(receiver.heard[0].body, receiver.heard[0].headers)
    assert told["type"] == "webhook.test"
    log = await ask("GET", f"{one}/deliveries", webhook=id)
    assert [one["kind"] for one in log["items"]] == ["webhook.test"]
    assert log["items"][0]["message_id"] == receiver.heard[0].id
    receiver.answers = [answer(500)]
    again = await ask("POST", f"{one}/deliveries", {"delivery": log["items"][0]["id"]}, webhook=id)
    assert (again["good"], again["status"]) == (False, 500)
    body = {"name": "deploy bot", "events": ["label.moved"], "state": "paused"}
    changed = await ask("PUT", one, body, webhook=id)
    assert changed["name"] == "deploy bot"
    assert (changed["state"], changed["sentence"]) == ("paused", "Maria Santos paused it.")
    assert (await ask("PUT", one, {"state": "active"}, webhook=id))["events"] == ["label.moved"]
    renewed = await ask("POST", f"{one}/secrets", {}, webhook=id)
    assert renewed["secret"] != made["secret"]
    assert (await ask("GET", "/webhooks"))["items"][0]["old_secret_until"]
    ended = await ask("POST", f"{one}/secrets", {"end_overlap": True}, webhook=id)
    assert ended["secret"] is None
    assert (await ask("GET", "/webhooks"))["items"][0]["old_secret_until"] is None
    assert "whsec_" not in (await app.get(API)).text
    await ask("DELETE", one, webhook=id)
    assert (await ask("GET", "/webhooks"))["items"] == []


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"name": "", "address": "https://a.example"}, "Give the webhook a name"),
        ({"name": "b", "address": "http://10.0.0.1/"}, "without encryption"),
        ({"name": "b", "address": "https://a.example", "events": ["no.such"]}, "no event no.such"),
        ({"name": "b", "address": "clinic/apps", "form": "github"}, "Enter a token"),
        ({"name": "b", "address": "https://a.example", "form": "fax"}, "form"),
        ({"name": "b", "address": "https://a.example", "secret": "mine"}, "is not known here"),
    ],
)
async def test_what_cannot_be_used_is_said(app: Browser, body: dict, sentence: str):
    refused = await app.post(API, json=body)
    assert (refused.status_code, sentence in refused.json()["detail"]) == (422, True)


def test_from_a_terminal(tmp_path: Path):
    with serve(tmp_path / "data", free_port()) as server:
        given = {"PROMPTHUB_URL": server.url}
        made = prompthub(
            "key", "create", "--data", str(server.data), "--workspace", "clinic", "--scope",
            "admin", "--as", "maria@example.org",
        )  # fmt: skip
        key = made.stdout.strip()
        said = prompthub("webhooks", PROMPTHUB_KEY=key, **given)
        assert (said.returncode, "There are none" in said.stdout) == (0, True), said.stderr
        body = {"name": "bot", "address": "https://hooks.example.invalid/x"}
        headers = {"Authorization": f"Bearer {key}"}
        assert httpx.post(server.url + API, json=body, headers=headers).status_code == 201
        tested = prompthub("webhooks", "--test", "1", PROMPTHUB_KEY=key, **given)
        assert tested.returncode == 1
        assert "There is no machine called hooks.example.invalid." in tested.stdout
        paused = prompthub("webhooks", "--pause", "1", PROMPTHUB_KEY=key, **given)
        assert "1  paused   bot  (https://hooks.example.invalid/x)" in paused.stdout
        refused = prompthub("webhooks", PROMPTHUB_KEY=server.cast.write_key, **given)
        assert (refused.returncode, "This key may only" in refused.stderr) == (1, True)


async def test_an_apps_key_and_other_workspaces_reach_none(
    app: Browser, receiver: Receiver, write_key: dict[str, str], cast
):
    made = (await app.post(API, json={"name": "bot", "address": receiver.url})).json()
    theirs = {"Authorization": f"Bearer {cast.rival_key}"}
    for method, path in (("GET", ""), ("DELETE", f"/{made['id']}")):
        for key in (write_key, theirs):
            assert (await app.request(method, API + path, headers=key)).status_code == 403
    assert (await app.get(API)).json()["items"]


async def test_what_was_asked_for_too_often_is_refused(app: Browser, receiver: Receiver):
    for count in range(20):
        body = {"name": f"bot {count}", "address": receiver.url}
        assert (await app.post(API, json=body)).status_code == 201
    refused = await app.post(API, json={"name": "one more", "address": receiver.url})
    assert (refused.status_code, "at most 20" in refused.text) == (409, True)


async def test_messages_that_wait_are_not_sent_by_hand(
    hub: Front, app: Browser, receiver: Receiver, write_key: dict[str, str]
):
    made = (await app.post(API, json={"name": "bot", "address": receiver.url})).json()
    one = f"{API}/{made['id']}"
    await app.put(one, json={"state": "paused"})
    await save(app, write_key, "a/one")
    await hub.state.webhooks.look()
    waiting = (await app.get(f"{one}/deliveries")).json()["items"][0]
    assert waiting["state"] == "waiting"
    refused = await app.post(f"{one}/deliveries", json={"delivery": waiting["id"]})
    assert (refused.status_code, "waits for its turn" in refused.text) == (409, True)


def test_every_kind_of_event_that_is_announced_can_be_chosen():
    """Read off the code: what is announced, and what the index tells."""
    told: set[str] = set()
    for room in ("registry", "people", "sync"):
        for path in ROOT.glob(f"hub/{room}/**/*.py"):
            text = path.read_text()
            calls = {"announce", "note"} | ({"_tell"} if "import announce" in text else set())
            told |= set(announced(ast.parse(text), calls))
    assert len(told) > 15
    assert told <= kinds.KINDS, told - kinds.KINDS


def announced(tree: ast.Module, calls: set[str]) -> Iterator[str]:
    for node in ast.walk(tree):
        said: list[ast.expr] = []
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in calls:
            said = node.args
        if isinstance(node, ast.Dict):
            named = zip(node.keys, node.values, strict=True)
            said = [value for key, value in named if getattr(key, "value", None) == "kind"]
        for one in said:
            for part in ast.walk(one):
                text = getattr(part, "value", None)
                if isinstance(text, str) and re.fullmatch(r"[a-z]+\.[a-z][a-z-]+", text):
                    yield text

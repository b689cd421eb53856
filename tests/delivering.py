"""What several tests of delivery use: who saves and releases, who looks, what programs report."""

import re

import httpx
import pytest

from tests.listening import Team, listening, until


@pytest.fixture(scope="module")
def team(server):
    """Saves and releases."""
    with Team(server.url, server.cast.write_key) as made:
        yield made


@pytest.fixture(scope="module")
def stocked(team):
    """The same, and two prompts are live."""
    team.put_live("support/triage", "Sort: {{ text }}")
    team.put_live("support/reply", "Answer")
    return team


@pytest.fixture
def ana(server):
    """Her browser, which reads."""
    cookies = {"__Host-session": server.cast.cookies["ana"]}
    with httpx.Client(base_url=server.url, cookies=cookies) as client:
        yield client


@pytest.fixture
def app(stocked, server):
    """An app that is in step: its table, and its open line."""
    table = stocked.table()
    with listening(server.url, server.cast.read_key, f"since={table.place}") as line:
        greeting = line.batch()
        assert [one.kind for one in greeting] == ["hello", "commit"]
        assert greeting[0].data["schema"] == 1
        assert greeting[0].data["heartbeat"] == 15
        table.apply(greeting)
        yield table, line


def signed_in(server, who="ben"):
    """Somebody's browser; over plain http, so that it carries its cookies by hand."""
    session = f"__Host-session={server.cast.cookies[who]}"
    page = httpx.get(f"{server.url}/clinic/prompts", headers={"Cookie": session})
    token = page.headers["set-cookie"].partition("__Host-csrf=")[2].partition(";")[0]
    headers = {"Cookie": f"{session}; __Host-csrf={token}", "x-csrftoken": token}
    return httpx.Client(base_url=server.url, headers=headers, timeout=60)


def post(client, path, **form):
    return client.post(path, data={"_csrf_token": client.headers["x-csrftoken"], **form})


def seen(page):
    """The page's words."""
    return " ".join(re.sub(r"<[^>]+>", " ", page.text).split())


def page_says(ana, name, words="1 process", path="use-now"):
    """Wait until her page does."""
    return until(lambda: words in seen(ana.get(f"/clinic/{path}/{name}")))


def report(team, name, versions, **more):
    """What a process says; `versions`: number → calls."""
    uses = [
        {"name": name, "label": more.pop("label", "production"), "version": version,
         "source": more.pop("source", "stream"), "calls": calls,
         "errors": more.pop("errors", 0), "variables": more.pop("variables", ["text"])}
        for version, calls in versions.items()
    ]  # fmt: skip
    body = {
        "schema": 1, "app": "triage-bot", "environment": "eu", "sdk": "prompthub-python/0.1",
        "instance": "one", "state": "live", "seconds": 60, "prompts": uses,
    } | more  # fmt: skip
    answer = team.http.post("/api/v1/usage", json=body)
    assert (answer.status_code, answer.content) == (202, b"")


def used(team, name, instance="one", **more):
    """A program renders the live version."""
    report(team, name, {1: 5}, instance=f"{name}-{instance}".replace("/", "."), **more)


def put(team, name, version, **more):
    body = {"version": version, "reason": "Better"} | more
    return team.http.put(f"/api/v1/labels/production/{name}", json=body)


def give(team, name, version, share, **more):
    body = {"version": version, "share": share, "reason": f"To {share} %"} | more
    return team.http.put(f"/api/v1/labels/production/{name}", json=body)


def shares(pointer):
    return [(one["version"], one["share"]) for one in pointer.get("split", [])]


def two_versions(team, name):
    team.put_live(name, "Old")
    team.save(name, "New")


def kinds(batch):
    return [one.kind for one in batch]

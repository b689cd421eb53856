"""People try prompts: side by side, streaming, stopping; on endpoints that behave and do not."""

import re

import msgspec
import pytest
from sqlalchemy import select

from hub.playground.models import Connection, Run
from hub.registry import versions
from hub.registry.labels import labels
from hub.registry.prompt.document import from_json
from tests.cast import on_both_engines
from tests.endpoint import KEY, running_endpoint

DOCUMENT = {
    "name": "Triage",
    "modelParameters": {"temperature": 0.2},
    "messages": [
        {"role": "system", "content": "Sort the call."},
        {"role": "user", "content": "{{ complaint }}"},
    ],
    "variables": [{"name": "complaint", "example": "chest pain"}],
}


@pytest.fixture
def settings(settings):
    """The hub of these tests may talk to the endpoint on loopback."""
    return msgspec.structs.replace(settings, private_hosts="127.0.0.1")


@pytest.fixture
async def fake():
    async with running_endpoint() as endpoint:
        yield endpoint


@pytest.fixture
async def acme(hub, cast, fake, maria):
    """A connection to the endpoint, made by Maria at the front door."""
    models = "echo 200 1000\nslow\ndies\nno-usage\ne401\nhang"
    answer = await maria.post_form(
        "/clinic/models", {"name": "Acme", "base_url": fake.base_url, "key": KEY, "models": models}
    )
    assert answer.status_code == 200
    assert "echo answers" in answer.text
    async with hub.state.database.read() as db:
        return (await db.scalars(select(Connection))).one()


@pytest.fixture
async def triage(hub, cast):
    """`support/triage`: v1 in production, v2 the latest."""
    publisher, actor = hub.state.publisher, _actor(cast)
    first = await versions.save(
        publisher, cast.workspace, "support/triage", from_json(DOCUMENT),
        base=None, actor=actor, message="First",
    )  # fmt: skip
    await labels.move(
        publisher, cast.workspace, "production", "support/triage", 1,
        expected=None, actor=actor, reason="Go",
    )  # fmt: skip
    changed = DOCUMENT | {
        "messages": [*DOCUMENT["messages"][:1], {"role": "user", "content": "Now: {{ complaint }}"}]
    }
    return await versions.save(
        publisher, cast.workspace, "support/triage", from_json(changed | {"id": first.id}),
        base=first.hash, actor=actor, message="Say now",
    )  # fmt: skip


def _actor(cast):
    from hub.people.policy import Actor

    return Actor(kind="operator", name="Maria Santos", email="maria@example.org")


def form(acme, *models: str, source="v2", complaint="pain since noon", **more) -> dict:
    columns = {
        "source": [source] * len(models),
        "model": [f"{acme.id}:{model}" for model in models],
        "temperature": [""] * len(models),
        "max_tokens": [""] * len(models),
        "seed": [""] * len(models),
    }
    return columns | {"own": "yes", "v.complaint": complaint, "do": "run"} | more


async def run(who, data) -> str:
    answer = await who.post_form("/clinic/try/support/triage", data)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


async def over(who, address) -> str:
    """The page once every cell is over: the stream ends then, and the page is static."""
    await who.get(f"{address}/events")
    page = await who.get(address)
    assert "hx-sse:connect" not in page.text
    return page.text


@on_both_engines
async def test_ana_compares_what_is_live_with_the_latest_on_a_remote_model(ana, acme, triage, fake):
    page = await ana.get("/clinic/try/support/triage")
    assert page.status_code == 200
    assert page.text.count('name="source"') == 2  # the latest, and what is live beside it
    assert "chest pain" in page.text
    data = form(acme, "echo", "echo") | {"source": ["v2", "v1"], "seed": ["7", ""]}
    address = await run(ana, data)
    text = await over(ana, address)
    assert "Now: pain since noon" in text
    assert "v1 · live" in text
    assert "this machine" not in text
    assert "temperature 0.2 · seed 7" in text
    assert re.search(r"\d s first", text)
    assert "4 tokens" in text
    assert "$0.0060" in text
    assert fake.asked[-1]["messages"][0]["content"] == "Sort the call."
    assert {asked.get("seed") for asked in fake.asked[-2:]} == {7, None}
    assert fake.headers[-1]["authorization"] == f"bearer {KEY}"


async def test_a_run_is_kept_listed_and_can_be_run_again(ana, carla, acme, triage, fake, hub):
    address = await run(ana, form(acme, "echo"))
    await over(ana, address)
    assert "support/triage" in (await ana.get("/clinic/playground")).text
    again = await ana.post_form(f"{address}/again")
    assert again.status_code == 303
    assert "pain since noon" in await over(ana, again.headers["location"])
    changed = await ana.get(f"/clinic/try/support/triage?again={address.rsplit('/', 1)[1]}")
    assert "pain since noon" in changed.text
    seen = await carla.get(address)  # a viewer sees what was run
    assert "pain since noon" in seen.text
    assert "Run again" not in seen.text


async def test_who_may_run(ana, carla, mallory, client, acme, triage, read_key, rival_key):
    refused = await carla.post_form("/clinic/try/support/triage", form(acme, "echo"))
    assert refused.status_code == 403
    assert "viewer" in (await carla.get("/clinic/try/support/triage")).text
    assert (await mallory.get("/clinic/try/support/triage")).status_code == 404
    address = await run(ana, form(acme, "echo"))
    number = address.rsplit("/", 1)[1]
    await over(ana, address)
    for url in (
        address,
        f"{address}/events",
        f"/rival/grid/{number}",
        f"/rival/grid/{number}/events",
    ):
        assert (await mallory.get(url)).status_code == 404
    assert (await mallory.post_form(f"/rival/grid/{number}/again")).status_code == 404
    assert (await mallory.post_form(f"/rival/grid/{number}/stop")).status_code == 404
    assert (await carla.post_form(f"{address}/stop")).status_code == 403
    assert (await client.get(address)).status_code in (303, 401)
    told = await client.get(f"/api/v1/grids/{number}", headers=read_key)
    assert told.json()["runs"][0]["output"] == "Now: pain since noon"
    assert (await client.get(f"/api/v1/grids/{number}", headers=rival_key)).status_code == 404


async def test_what_was_typed_is_kept_when_it_cannot_run(ana, acme, triage):
    for change, sentence in (
        ({"temperature": ["hot"]}, "Column 1: temperature has to be a number from 0 to 2."),
        ({"max_tokens": ["0"]}, "whole number from 1"),
        ({"seed": ["x"]}, "the seed has to be"),
        ({"model": ["99:gone"]}, "choose a model"),
        ({"source": ["v99"]}, "choose a version"),
        ({"own": None}, "Choose at least one example"),
    ):
        data = {key: value for key, value in (form(acme, "echo") | change).items() if value}
        answer = await ana.post_form("/clinic/try/support/triage", data)
        assert answer.status_code == 422
        assert sentence in answer.text.replace("&#39;", "'")
        assert "pain since noon" in answer.text


async def test_columns_are_added_copied_and_removed_without_javascript(ana, acme, triage):
    data = form(acme, "echo")
    more = await ana.post_form("/clinic/try/support/triage", data | {"do": "copy:0"})
    assert more.text.count('name="source"') == 2
    [focused] = re.findall(r"<[^>]*autofocus[^>]*>", more.text)
    assert "Column 2" in focused, "the keyboard goes on in the column that is new"
    two = {key: value * 2 if isinstance(value, list) else value for key, value in data.items()}
    fewer = await ana.post_form("/clinic/try/support/triage", two | {"do": "remove:1"})
    assert fewer.text.count('name="source"') == 1
    assert "pain since noon" in fewer.text


async def test_a_variable_without_a_value_is_named(ana, acme, triage):
    data = form(acme, "echo", complaint="")
    text = await over(ana, await run(ana, data))
    assert "no value yet: complaint" in text


async def test_six_columns_by_five_rows(ana, acme, triage, hub, cast):
    ids = []
    for number in range(5):
        await ana.post_form(
            "/clinic/examples/support/triage", {"do": "save", "v.complaint": f"case {number}"}
        )
    page = (await ana.get("/clinic/try/support/triage")).text
    ids = re.findall(r'name="example" value="(\d+)"', page)
    data = form(acme, *["echo"] * 6) | {"example": ids}
    del data["own"]
    text = await over(ana, await run(ana, data))
    assert text.count('data-state="done"') == 30
    assert all(f"Now: case {number}" in text for number in range(5))
    async with hub.state.database.read() as db:
        assert len(set(await db.scalars(select(Run.state)))) == 1


async def test_the_form_asks_for_what_any_chosen_version_needs(ana, acme, triage, hub, cast):
    changed = DOCUMENT | {"id": triage.id, "model": "gpt-nobody-has", "variables": []}
    changed["messages"] = [{"role": "user", "content": "{{ language }}: {{ complaint }}"}]
    await versions.save(
        hub.state.publisher, cast.workspace, "support/triage", from_json(changed),
        base=triage.hash, actor=_actor(cast), message="In a language",
    )  # fmt: skip
    page = (await ana.get("/clinic/try/support/triage")).text
    assert 'name="v.language"' in page
    assert 'name="v.complaint"' in page
    assert "gpt-nobody-has" in page  # nothing here offers it, and the page says so

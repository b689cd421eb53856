"""An administrator gives several models one name; people run it, and see who answered."""

import asyncio
import re

import msgspec
import pytest
from sqlalchemy import select

from hub.playground import aliases, targets
from hub.playground.calls import Endpoint, Route
from hub.playground.models import Alias, Connection, Run
from hub.playground.prices import Price
from hub.playground.room import Choice
from hub.playground.turns import Turns
from hub.registry import versions
from hub.registry.prompt.document import from_json
from tests.vendors import KEY, KINDS, WORDS, running_vendors


@pytest.fixture
def settings(settings):
    return msgspec.structs.replace(settings, private_hosts="127.0.0.1")


@pytest.fixture
async def vendors():
    async with running_vendors() as found:
        yield found


@pytest.fixture
async def connected(hub, cast, vendors, maria):
    """A connection to each vendor, by kind."""
    for kind in KINDS:
        form = {
            "name": kind.title(), "kind": kind, "base_url": vendors.address(kind), "key": KEY,
            "models": "plain 1 10\ntool" if kind == "gemini" else "plain 3 30",
        }  # fmt: skip
        assert (await maria.post_form("/clinic/models", form)).status_code == 200
    async with hub.state.database.read() as db:
        return {one.kind: one for one in await db.scalars(select(Connection))}


async def alias_of(maria, name="fast", rule="order", targets=()) -> int:
    form = {"name": name, "rule": rule, "target": list(targets)}
    return (await maria.post_form("/clinic/models/aliases", form)).status_code


@pytest.fixture
async def triage(hub, cast):
    from hub.people.policy import Actor

    document = {
        "name": "Triage", "model": "fast",
        "messages": [{"role": "user", "content": "{{ complaint }}"}],
        "variables": [{"name": "complaint", "example": "pain"}],
    }  # fmt: skip
    actor = Actor(kind="operator", name="Maria Santos", email="maria@example.org")
    return await versions.save(
        hub.state.publisher, cast.workspace, "support/triage", from_json(document),
        base=None, actor=actor, message="First",
    )  # fmt: skip


async def runs(hub, grid: str) -> list[Run]:
    async with asyncio.timeout(60):
        while True:
            async with hub.state.database.read() as db:
                query = select(Run).where(Run.grid_id == int(grid.rpartition("/")[2]))
                found = list(await db.scalars(query))
            if all(run.state in ("done", "failed", "stopped") for run in found):
                return found
            await asyncio.sleep(0.05)


async def test_a_prompt_written_for_an_alias_is_answered_by_the_first_that_can(
    hub, maria, ana, connected, vendors, triage
):
    names = [f"{connected[kind].id}:plain" for kind in ("anthropic", "gemini")]
    assert await alias_of(maria, targets=names) == 303
    vendors.down = {"anthropic"}
    page = (await ana.get("/clinic/try/support/triage")).text
    assert re.search(r'<option value="alias:fast"[^>]* selected>', page)
    form = {"source": "v1", "model": "alias:fast", "temperature": "", "max_tokens": "", "seed": "",
            "own": "yes", "v.complaint": "pain"}  # fmt: skip
    started = await ana.post_form("/clinic/try/support/triage", form)
    (run,) = await runs(hub, started.headers["location"])
    assert (run.state, run.output) == ("done", WORDS)
    assert (run.connection, run.model) == ("Gemini", "plain")
    shown = (await ana.get(started.headers["location"])).text
    assert "answered by plain at Gemini" in shown
    assert "plain at Anthropic did not answer" in shown
    assert "What it thought first" in shown


async def test_an_alias_that_was_removed_fails_its_column_with_a_sentence(
    hub, maria, ana, connected, triage
):
    await alias_of(maria, targets=[f"{connected['gemini'].id}:plain"])
    form = {"source": "v1", "model": "alias:fast", "own": "yes", "v.complaint": "pain",
            "temperature": "", "max_tokens": "", "seed": ""}  # fmt: skip
    first = await ana.post_form("/clinic/try/support/triage", form)
    await runs(hub, first.headers["location"])
    async with hub.state.database.read() as db:
        alias = (await db.scalars(select(Alias))).one()
    assert (await maria.post_form(f"/clinic/models/aliases/{alias.id}/remove")).status_code == 303
    again = await ana.post_form(f"{first.headers['location']}/again")
    (run,) = await runs(hub, again.headers["location"])
    assert run.error == "The alias fast was removed. Choose another model."


async def test_the_order_by_price_and_by_speed(hub, cast, connected):
    """The cheapest first; the quickest of late first; who is not known comes last."""
    place = hub.state.playground
    ids = {kind: one.id for kind, one in connected.items()}
    listed = [f"{ids[kind]}:plain" for kind in ("openai", "gemini", "ollama")]
    async with hub.state.database.write() as db:
        for rule in ("price", "latency"):
            db.add(
                Alias(workspace_id=cast.workspace.id, name=rule, rule=rule, targets=listed,
                      created_by="Maria", created_at=connected["gemini"].created_at)
            )  # fmt: skip
    async with hub.state.database.read() as db:
        chosen = Choice("alias:price", "price", "Aliases")
        found = await targets.target(db, place, cast.workspace.id, chosen, None)
    assert isinstance(found, Route)
    assert [one.name for one in found.endpoints] == ["Gemini", "Openai", "Ollama"]
    known = {("Ollama", "plain"): 0.1, ("Gemini", "plain"): 0.4}
    ordered = aliases.ordered("latency", found.endpoints, known)
    assert [one.name for one in ordered] == ["Ollama", "Gemini", "Openai"]


def test_a_model_without_a_price_comes_last_and_this_machine_first():
    async def client():
        raise AssertionError

    def endpoint(name: str, price: Price | None, local: bool = False) -> Endpoint:
        return Endpoint(name=name, base_url="", client=client, key=None, model="m", local=local,
                        slots=Turns(1), price=price)  # fmt: skip

    found = [endpoint("unknown", None), endpoint("dear", Price(1, 2)),
             endpoint("here", None, local=True)]  # fmt: skip
    assert [one.name for one in aliases.ordered("price", found, {})] == ["here", "dear", "unknown"]


@pytest.mark.parametrize(
    ("name", "rule", "chosen", "sentence"),
    [
        ("", "order", ["ok"], "Give the alias a name"),
        ("fast", "magic", ["ok"], "Choose how one"),
        ("fast", "order", [], "Choose at least one model"),
        ("fast", "order", ["99:gone"], "not there any more"),
        ("fast", "order", ["alias:other"], "not there any more"),
    ],
)
async def test_what_cannot_be_kept_is_said(hub, maria, connected, name, rule, chosen, sentence):
    values = [f"{connected['gemini'].id}:plain" if one == "ok" else one for one in chosen]
    form = {"name": name, "rule": rule, "target": values}
    answer = await maria.post_form("/clinic/models/aliases", form)
    assert answer.status_code == 422
    assert sentence in answer.text
    assert f'value="{name}"' in answer.text
    async with hub.state.database.read() as db:
        assert (await db.scalars(select(Alias))).all() == []


async def test_an_alias_is_changed_and_its_name_is_taken_once(hub, maria, connected):
    gemini, ollama = (f"{connected[kind].id}:plain" for kind in ("gemini", "ollama"))
    assert await alias_of(maria, targets=[gemini]) == 303
    assert await alias_of(maria, targets=[gemini]) == 409
    async with hub.state.database.read() as db:
        alias = (await db.scalars(select(Alias))).one()
    address = f"/clinic/models/aliases/{alias.id}"
    page = (await maria.get(address)).text
    assert re.search(rf'<option value="{gemini}"[^>]* selected>', page)
    form = {"name": "fast", "rule": "price", "target": [ollama, gemini]}
    assert (await maria.post_form(address, form)).status_code == 303
    listed = (await maria.get("/clinic/models")).text
    assert "The cheapest first" in listed


async def test_only_administrators_change_aliases(hub, maria, ana, mallory, connected):
    await alias_of(maria, targets=[f"{connected['gemini'].id}:plain"])
    async with hub.state.database.read() as db:
        alias = (await db.scalars(select(Alias))).one()
    assert "fast" in (await ana.get("/clinic/models")).text
    assert (await ana.get("/clinic/models/aliases/new")).status_code == 403
    for path in ("", f"/{alias.id}", f"/{alias.id}/remove"):
        url = f"models/aliases{path}"
        assert (await ana.post_form(f"/clinic/{url}", {"name": "x"})).status_code == 403
        assert (await mallory.post_form(f"/clinic/{url}", {"name": "x"})).status_code == 404
    for path in (f"/{alias.id}", f"/{alias.id}/remove"):
        answer = await mallory.post_form(f"/rival/models/aliases{path}", {"name": "x"})
        assert answer.status_code in (404, 422)
    async with hub.state.database.read() as db:
        assert len((await db.scalars(select(Alias))).all()) == 1

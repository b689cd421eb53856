"""What a proposal does to the answers: the same examples with both texts, read side by side."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import msgspec
import pytest
from sqlalchemy import select

from hub.front import Front
from hub.people.policy import Actor
from hub.playground.models import Connection, Grid
from hub.registry import versions
from hub.registry.labels import labels
from hub.registry.prompt.document import from_json
from hub.registry.review import proposals
from hub.settings import Settings
from tests.cast import Browser, Cast
from tests.endpoint import KEY, running_endpoint

PAGE = "/clinic/proposals/1/answers"


def prompt(text: str) -> dict[str, Any]:
    return {
        "name": "Triage",
        "model": "echo",
        "messages": [{"role": "user", "content": text}],
        "variables": [{"name": "call", "example": "chest pain"}],
    }


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """The hub of these tests may talk to the endpoint on loopback."""
    return msgspec.structs.replace(settings, private_hosts="127.0.0.1")


@pytest.fixture
async def offered(hub: Front, cast: Cast, maria: Browser):
    """`support/triage` is live; Ana proposes another text; an endpoint repeats what it is told."""
    async with running_endpoint() as endpoint:
        models = "echo 200 1000"
        form = {"name": "Acme", "base_url": endpoint.base_url, "key": KEY, "models": models}
        await maria.post_form("/clinic/models", form)
        place = (hub.state.publisher, cast.workspace)
        actor = Actor(kind="operator", name="Maria Santos", email="maria@example.org")
        saved = await versions.save(
            *place, "support/triage", from_json(prompt("{{ call }}")), base=None, actor=actor,
            message="First",
        )  # fmt: skip
        await labels.move(*place, "production", "support/triage", 1, actor=actor, reason="Go")
        for name, call, expected in (
            ("pain", "chest pain", "now: chest pain"), ("refill", "a refill", "a refill"),
            ("plain", "hello", ""),
        ):  # fmt: skip
            await maria.post_form(
                "/clinic/examples/support/triage",
                {"name": name, "v.call": call, "expected": expected, "do": "add"},
            )
        ana = Actor(
            kind="person", name="Ana Oliveira", email="ana@example.org",
            account_id=cast.account_ids["ana"], workspace_id=cast.workspace.id, role="editor",
        )  # fmt: skip
        document = from_json(prompt("now: {{ call }}") | {"id": saved.id})
        await proposals.propose(
            hub.state.publisher, hub.state.database, cast.workspace, actor=ana, title="Say now",
            why="", items=[proposals.Wanted(kind="change", name="support/triage",
                                            document=document, base=saved.hash)],
        )  # fmt: skip
        yield endpoint


async def compare(hub: Front, browser: Browser, **more: Any) -> httpx.Response:
    """Tick everything, press Compare, wait for the answers."""
    async with hub.state.database.read() as db:
        connection = (await db.scalars(select(Connection))).one()
    page = await browser.get(PAGE)
    ticked = [part.split('"')[0] for part in page.text.split('name="example" value="')[1:]]
    form = {"model": f"{connection.id}:echo", "example": ticked} | more
    answer = await browser.post_form(PAGE, form)
    if answer.status_code != 303:
        return answer
    for _ in range(1200):
        page = await browser.get(PAGE)
        if "coming in" not in page.text:
            return page
        await asyncio.sleep(0.05)
    raise AssertionError("the answers never came")


async def test_a_reviewer_sees_what_got_better_and_worse(hub: Front, ben: Browser, offered: Any):
    empty = await ben.get(PAGE)
    assert "Compare the answers" in empty.text
    assert empty.text.count("checked") >= 4, "the prompt's model and all examples are ticked"
    page = await compare(hub, ben)
    assert "1 → 1 of 2 right" in page.text, page.text
    worse, better = page.text.index(">worse<"), page.text.index(">better<")
    assert worse < better < page.text.index(">different<"), "what got worse comes first"
    assert "<ins" in page.text
    assert "$" in page.text, "what an answer costs, before and after"
    async with hub.state.database.read() as db:
        grid = (await db.scalars(select(Grid))).one()
    assert [column["title"] for column in grid.columns] == ["Live v1", "Proposed, revision 1"]
    assert grid.proposal == 1
    head = await ben.get("/clinic/proposals/1")
    assert "answers" in head.text


async def test_a_long_expected_answer_makes_none_better_or_worse(
    hub: Front, maria: Browser, ben: Browser, offered: Any
):
    letter = "the results are back and all of them are as they should be. " * 2
    example = {"name": "letter", "v.call": letter, "expected": letter, "do": "add"}
    await maria.post_form("/clinic/examples/support/triage", example)
    page = (await compare(hub, ben)).text
    assert "1 → 1 of 2 right" in page, "it is not counted"
    assert (page.count(">worse<"), page.count(">different<")) == (1, 2), "it is only shown"


async def test_a_new_revision_asks_to_compare_again(
    hub: Front, ben: Browser, ana: Browser, cast: Cast, offered: Any
):
    await compare(hub, ben)
    actor = Actor(
        kind="person", name="Ana Oliveira", email="ana@example.org",
        account_id=cast.account_ids["ana"], workspace_id=cast.workspace.id, role="editor",
    )  # fmt: skip
    wanted = proposals.Wanted(
        kind="change", name="support/triage", document=from_json(prompt("at once: {{ call }}"))
    )
    await proposals.revise(
        hub.state.publisher, hub.state.database, cast.workspace, 1, actor=actor, items=[wanted],
        message="Clearer", expected_revision=1,
    )  # fmt: skip
    page = await ben.get(PAGE)
    assert "These answers are to an earlier revision" in page.text


async def test_what_cannot_be_compared_gets_a_sentence(
    hub: Front, ben: Browser, carla: Browser, mallory: Browser, offered: Any
):
    none = await compare(hub, ben, model="")
    assert (none.status_code, "Tick from 1 to 5 models" in none.text) == (422, True)
    bare = await compare(hub, ben, example="")
    assert (bare.status_code, "Choose at least one example" in bare.text) == (422, True)
    viewer = await carla.get(PAGE)
    assert "Nobody has compared the answers yet" in viewer.text
    assert (await carla.post_form(PAGE, {"model": "x"})).status_code == 403
    assert (await mallory.get(PAGE)).status_code == 404

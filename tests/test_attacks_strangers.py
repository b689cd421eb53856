"""Mallory has an account, a workspace and a key of her own, and the ids of what is the clinic's."""

from __future__ import annotations

import msgspec
import pytest
from sqlalchemy import select

from hub.front import Front
from hub.people.models import ApiKey
from hub.playground.models import Connection, Example, Grid
from tests.cast import Browser, Cast
from tests.endpoint import running_endpoint

TEXT = "Only for the clinic: {{ who }}"


@pytest.fixture
def settings(settings):
    return msgspec.structs.replace(settings, private_hosts="127.0.0.1")


@pytest.fixture
async def fake():
    async with running_endpoint() as endpoint:
        yield endpoint


@pytest.fixture
async def ids(hub: Front, cast: Cast, client, maria, mallory, fake, write_key, rival_key):
    """A prompt, a connection, an example and a grid of the clinic; a prompt of Mallory's."""
    document = {"messages": [{"role": "user", "content": TEXT}]}
    body = {"document": document, "base": None, "message": "First"}
    for key in (write_key, rival_key):
        name = "ward/note" if key is write_key else "mal/own"
        made = await client.post(f"/api/v1/versions/{name}", headers=key, json=body)
        assert made.status_code == 201
    form = {"name": "Acme", "base_url": fake.base_url, "key": "sk-clinic", "models": "echo"}
    await maria.post_form("/clinic/models", form)
    await maria.post_form(
        "/clinic/examples/ward/note", {"example_name": "One", "v.who": "Mrs Hill"}
    )
    async with hub.state.database.read() as db:
        connection = (await db.scalars(select(Connection.id))).one()
        run = {"source": "v1", "model": f"{connection}:echo", "own": "1", "v.who": "x"}
        run |= {"temperature": "", "max_tokens": "", "seed": ""}
    started = await maria.post_form("/clinic/try/ward/note", run)
    assert started.status_code == 303, started.text
    async with hub.state.database.read() as db:
        example = (await db.scalars(select(Example.id))).one()
        grid = (await db.scalars(select(Grid.id))).one()
        query = select(ApiKey.id).where(ApiKey.workspace_id == cast.workspace.id)
        key = (await db.scalars(query)).first()
    return {"connection": connection, "example": example, "grid": grid, "key": key,
            "person": cast.account_ids["ana"]}  # fmt: skip


async def test_ids_of_the_clinic_open_nothing_in_her_own_workspace(
    hub: Front, mallory: Browser, fake, ids
):
    for address in (
        "/grid/{grid}", "/grid/{grid}/events", "/models/{connection}", "/prompts/ward/note",
        "/examples/mal/own?edit={example}", "/try/mal/own?again={grid}", "/history/ward/note",
    ):  # fmt: skip
        answer = await mallory.get("/rival" + address.format(**ids))
        assert answer.status_code == 404, address
    edit = {"name": "x", "base_url": "https://evil.example/v1", "models": "", "concurrency": "1"}
    for address, form in (
        ("/grid/{grid}/stop", {}), ("/grid/{grid}/again", {}), ("/models/{connection}/test", {}),
        ("/models/{connection}", edit), ("/models/{connection}/remove", {}),
        ("/settings/keys/{key}/revoke", {}), ("/settings/people/{person}/role", {"role": "admin"}),
        ("/settings/people/{person}/link", {}), ("/settings/people/{person}/back", {}),
        ("/examples/mal/own", {"do": "remove", "id": "{example}"}),
        ("/examples/mal/own?do=put-back&id={example}", {}),
    ):  # fmt: skip
        given = {key: value.format(**ids) for key, value in form.items()}
        answer = await mallory.post_form("/rival" + address.format(**ids), given)
        assert answer.status_code == 404, address
    asked = len(fake.asked)
    run = {"source": "v1", "temperature": "", "max_tokens": "", "seed": "", "own": "1"}
    run |= {"model": f"{ids['connection']}:echo", "example": str(ids["example"]), "v.who": "me"}
    assert (await mallory.post_form("/rival/try/mal/own", run)).status_code == 422
    assert len(fake.asked) == asked


async def test_her_key_is_not_told_what_an_entity_tag_of_the_clinic_means(
    client: Browser, read_key: dict[str, str], rival_key: dict[str, str], ids
):
    for query in ("", "?version=1", "?label=latest"):
        address = f"/api/v1/prompts/ward/note{query}"
        for _ in range(2):  # the second is answered by the quick way
            ours = await client.get(address, headers=read_key)
        assert ours.headers["x-content-type-options"] == "nosniff"
        tag = {"If-None-Match": ours.headers["etag"]}
        assert (await client.get(address, headers=read_key | tag)).status_code == 304
        assert (await client.get(address, headers=rival_key | tag)).status_code == 404
        assert (await client.get(address, headers=tag)).status_code == 401
        two = [("Authorization", one["Authorization"]) for one in (rival_key, read_key)]
        assert (await client.get(address, headers=two)).status_code in (401, 404)
    assert (await client.get(f"/api/v1/grids/{ids['grid']}", headers=rival_key)).status_code == 404


async def test_a_revoked_key_is_out_on_the_quick_way_too(
    client: Browser, maria: Browser, read_key: dict[str, str], ids
):
    address = "/api/v1/prompts/ward/note"
    for _ in range(2):
        assert (await client.get(address, headers=read_key)).status_code == 200
    key_id = read_key["Authorization"].split("_")[1]
    await maria.post_form(f"/clinic/settings/keys/{key_id}/revoke")
    tag = {"If-None-Match": "*"}
    assert (await client.get(address, headers=read_key)).status_code == 401
    assert (await client.get(address, headers=read_key | tag)).status_code == 401


async def test_a_read_key_writes_under_no_other_method(
    client: Browser, read_key: dict[str, str], ids
):
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        override = {"X-HTTP-Method-Override": method, "X-Method-Override": method}
        answer = await client.get("/api/v1/prompts/ward/note", headers=read_key | override)
        assert answer.status_code == 200
        answer = await client.request(
            method, "/api/v1/prompts/ward/note?_method=GET", headers=read_key
        )
        assert answer.status_code in (403, 405)


async def test_layout_headers_give_carla_no_rights(carla: Browser, ids):
    htmx = {"HX-Request": "true", "HX-Request-Type": "partial", "HX-Target": "body"}
    for address in (
        "/clinic/prompts/ward/note", "/clinic/try/ward/note", f"/clinic/grid/{ids['grid']}/again",
        "/clinic/release/production/ward/note", "/clinic/put-back/production/1/ward/note",
        "/clinic/settings/keys", "/clinic/models",
    ):  # fmt: skip
        assert (await carla.post_form(address, {"action": "save"}, headers=htmx)).status_code == 403

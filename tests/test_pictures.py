"""People try prompts with pictures: chosen in the browser, kept with examples, seen by models."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import msgspec
import pytest
from sqlalchemy import func, select

from hub.front import Front
from hub.playground import pictures
from hub.playground.models import Connection, Picture, Run
from hub.registry import versions
from hub.registry.prompt.document import from_json
from hub.settings import Settings
from tests.cast import Browser, Cast
from tests.test_playground import _actor, over
from tests.vendors import KEY, KINDS, WORDS, Vendors, running_vendors

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 30
CODED = base64.b64encode(PNG).decode()
TRY = "/clinic/try/care/wound"
EXAMPLES = "/clinic/examples/care/wound"
DOCUMENT: dict[str, Any] = {
    "messages": [{"role": "user", "content": "What is this? {{ photo }}\n{{ note }}"}],
    "variables": [{"name": "photo", "type": "image"}, {"name": "note", "required": False}],
}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return msgspec.structs.replace(settings, private_hosts="127.0.0.1")


@pytest.fixture
async def vendors():
    async with running_vendors() as found:
        yield found


@pytest.fixture
async def connected(hub: Front, cast: Cast, maria: Browser, vendors: Vendors) -> dict[str, int]:
    """A connection to each vendor; by kind."""
    await versions.save(
        hub.state.publisher, cast.workspace, "care/wound", from_json(DOCUMENT), base=None,
        actor=_actor(cast), message="First",
    )  # fmt: skip
    for kind in KINDS:
        form = {"name": kind.title(), "kind": kind, "base_url": vendors.address(kind), "key": KEY,
                "models": "plain\nblind"}  # fmt: skip
        assert (await maria.post_form("/clinic/models", form)).status_code == 200
    vendors.asked.clear()
    async with hub.state.database.read() as db:
        return {one.kind: one.id for one in await db.scalars(select(Connection))}


def form(*models: str, **more: Any) -> dict[str, Any]:
    empty = [""] * len(models)
    columns = {"source": ["v1"] * len(models), "model": list(models), "temperature": empty,
               "max_tokens": empty, "seed": empty}  # fmt: skip
    return columns | {"own": "yes", "v.note": "Red.", "keep": "yes", "do": "run"} | more


def chosen(data: bytes = PNG, name: str = "wound.png") -> dict[str, Any]:
    return {"files": {"f.photo": (name, data, "image/png")}}


def seen(asked: dict[str, Any]) -> Any:
    """Where each dialect has the picture."""
    match asked["_kind"]:
        case "openai":
            return asked["messages"][0]["content"][1]["image_url"]["url"]
        case "responses":
            return asked["input"][0]["content"][1]["image_url"]
        case "anthropic":
            return asked["messages"][0]["content"][1]["source"]
        case "gemini":
            return asked["contents"][0]["parts"][1]["inlineData"]
        case _:
            return asked["messages"][0]["images"]


async def test_each_vendor_gets_the_picture_in_its_own_language(
    hub: Front, ana: Browser, connected: dict[str, int], vendors: Vendors
) -> None:
    page = await ana.get(TRY)
    assert 'enctype="multipart/form-data"' in page.text
    assert 'type="file"' in page.text
    models = [f"{connected[kind]}:plain" for kind in KINDS]
    answer = await ana.post_form(TRY, form(*models), **chosen())
    assert answer.status_code == 303, answer.text
    shown = await over(ana, answer.headers["location"])
    assert shown.count(WORDS) == len(KINDS)
    whole = f"data:image/png;base64,{CODED}"
    assert {one["_kind"]: seen(one) for one in vendors.asked} == {
        "openai": whole, "responses": whole,
        "anthropic": {"type": "base64", "media_type": "image/png", "data": CODED},
        "gemini": {"mimeType": "image/png", "data": CODED}, "ollama": [CODED],
    }  # fmt: skip
    address = re.search(r'<img src="(/clinic/pictures/[0-9a-f]{64})"', shown)
    assert address, "the row shows what was given"
    async with hub.state.database.read() as db:
        runs = list(await db.scalars(select(Run)))
    assert all(CODED[:4000] not in json.dumps(run.request) for run in runs), "it is kept once"


async def test_a_model_that_takes_no_pictures_says_so_in_a_sentence(
    ana: Browser, connected: dict[str, int], vendors: Vendors
) -> None:
    models = [*(f"{connected[kind]}:blind" for kind in KINDS), "local:prompthub/tiny"]
    answer = await ana.post_form(TRY, form(*models), **chosen())
    shown = await over(ana, answer.headers["location"])
    assert shown.count("Not every model takes pictures") == len(KINDS)
    assert shown.count("image input is not supported") == len(KINDS)
    assert shown.count("The models of this machine take no pictures.") == 1
    assert shown.count('data-state="failed"') == len(models)


async def test_a_picture_is_kept_with_an_example_and_run_from_it(
    hub: Front, ana: Browser, carla: Browser, mallory: Browser, connected: dict[str, int],
    vendors: Vendors,
) -> None:  # fmt: skip
    added = await ana.post_form(
        EXAMPLES, {"example_name": "hand", "v.note": "", "do": "save"}, **chosen()
    )
    assert added.status_code == 303, added.text
    listed = await ana.get(EXAMPLES)
    assert "photo: a picture" in listed.text
    number = re.search(r"\?edit=(\d+)", listed.text)
    assert number
    edit = await ana.get(f"{EXAMPLES}?edit={number[1]}")
    digest = re.search(r'name="v\.photo" value="([0-9a-f]{64})"', edit.text)
    assert digest
    changed = {"id": number[1], "example_name": "my hand", "v.photo": digest[1], "v.note": "Blue."}
    assert (await ana.post_form(EXAMPLES, changed | {"do": "save"})).status_code == 303
    data = form(f"{connected['openai']}:plain", example=number[1])
    data.pop("own")
    answer = await ana.post_form(TRY, data)
    await over(ana, answer.headers["location"])
    assert seen(vendors.asked[-1]) == f"data:image/png;base64,{CODED}"
    file = await carla.get(f"/clinic/pictures/{digest[1]}")
    assert (file.content, file.headers["content-type"]) == (PNG, "image/png")
    assert "sandbox" in file.headers["content-security-policy"]
    assert file.headers["x-content-type-options"] == "nosniff"
    assert (await mallory.get(f"/clinic/pictures/{digest[1]}")).status_code == 404
    assert (await mallory.get(f"/rival/pictures/{digest[1]}")).status_code == 404
    async with hub.state.database.read() as db:
        assert await db.scalar(select(func.count()).select_from(Picture)) == 1


async def test_what_is_no_picture_is_refused_and_the_rest_stays(
    ana: Browser, connected: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = f"{connected['openai']}:plain"
    svg = await ana.post_form(TRY, form(model), **chosen(b"<svg onload='x'/>", "a.png"))
    assert (svg.status_code, "PNG, JPEG, WebP or GIF" in svg.text) == (422, True)
    assert "Red." in svg.text
    large = await ana.post_form(TRY, form(model), **chosen(PNG + bytes(5 << 20)))
    assert (large.status_code, "larger than 5 MB" in large.text) == (422, True)
    monkeypatch.setattr(pictures, "MOST_BYTES", len(PNG))
    one = await ana.post_form(TRY, form(model) | {"do": "add"}, **chosen())
    digest = re.search(r'name="v\.photo" value="([0-9a-f]{64})"', one.text)
    assert digest, "it is kept while the form is changed"
    full = await ana.post_form(TRY, form(model), **chosen(PNG + b"more"))
    assert (full.status_code, "no room for more" in full.text) == (422, True)
    missing = await ana.post_form(TRY, form(model))
    shown = await over(ana, missing.headers["location"])
    assert "This has no value yet: photo." in shown
    forged = await ana.post_form(TRY, form(model) | {"v.photo": "https://example.org/a.png"})
    assert (forged.status_code, "Choose a picture." in forged.text) == (422, True)
    lost = await ana.post_form(TRY, form(model) | {"v.photo": "0" * 64})
    assert pictures.GONE in await over(ana, lost.headers["location"])
    off = await ana.post_form(TRY, form(model) | {"v.photo": digest[1], "x.photo": "yes"})
    assert "This has no value yet: photo." in await over(ana, off.headers["location"])

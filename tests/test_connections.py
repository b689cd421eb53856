"""An administrator connects model endpoints; nobody ever sees the key again."""

import re

import msgspec
import pytest
from sqlalchemy import select, text

from hub.errors import WrongField
from hub.playground import connections
from hub.playground.calls import Call
from hub.playground.connections import models_text, parse_models
from hub.playground.models import Connection
from hub.playground.runs import perform
from hub.playground.secrets_box import KeyLost, seal, unseal
from hub.settings import Secret
from tests.endpoint import KEY, MODELS, running_endpoint
from tests.vendors import KEY as VENDOR_KEY
from tests.vendors import KINDS, running_vendors


@pytest.fixture
def settings(settings):
    return msgspec.structs.replace(settings, private_hosts="127.0.0.1")


@pytest.fixture
async def vendors():
    async with running_vendors() as found:
        yield found


@pytest.fixture
async def fake():
    async with running_endpoint() as endpoint:
        yield endpoint


async def kept(hub) -> list[Connection]:
    async with hub.state.database.read() as db:
        return list(await db.scalars(select(Connection)))


async def test_maria_adds_a_connection_and_sees_line_by_line_what_works(hub, maria, fake):
    form = {"name": "Acme", "base_url": fake.base_url + "/", "key": KEY, "models": ""}
    answer = await maria.post_form("/clinic/models", form)
    assert answer.status_code == 200
    for line in (
        f"Answers at {fake.base_url}", f"Names {len(MODELS)} models", "dies",
    ):  # fmt: skip
        assert line in answer.text
    (connection,) = await kept(hub)
    assert [model["id"] for model in connection.models] == sorted(MODELS)
    page = (await maria.get("/clinic/models")).text
    assert "Acme" in page
    assert "with a key" in page


async def test_the_key_is_nowhere_to_be_read(hub, maria, ana, fake, settings):
    form = {"name": "Acme", "base_url": fake.base_url, "key": KEY, "models": "echo"}
    added = await maria.post_form("/clinic/models", form)
    (connection,) = await kept(hub)
    pages = [
        added,
        *[await maria.get(f"/clinic/models{more}") for more in ("", f"/{connection.id}")],
    ]
    pages.append(await maria.post_form(f"/clinic/models/{connection.id}/test"))
    wrong = form | {"base_url": "nonsense"}
    pages.append(await maria.post_form(f"/clinic/models/{connection.id}", wrong))
    assert all(KEY not in page.text for page in pages)
    data = (settings.data / "hub.db").read_bytes()
    wal = settings.data / "hub.db-wal"
    assert KEY.encode() not in data + (wal.read_bytes() if wal.exists() else b"")


async def test_a_new_address_takes_the_key_away(hub, maria, fake):
    form = {"name": "Acme", "base_url": fake.base_url, "key": KEY, "models": "echo"}
    await maria.post_form("/clinic/models", form)
    (connection,) = await kept(hub)
    elsewhere = {"name": "Acme", "base_url": "http://127.0.0.1:1/v1", "models": "echo"}
    answer = await maria.post_form(f"/clinic/models/{connection.id}", elsewhere)
    assert answer.status_code == 303
    (moved,) = await kept(hub)
    assert moved.sealed_key is None
    assert moved.reachable is None


async def test_the_key_stays_when_the_name_changes(hub, maria, fake):
    form = {"name": "Acme", "base_url": fake.base_url, "key": KEY, "models": "echo"}
    await maria.post_form("/clinic/models", form)
    (connection,) = await kept(hub)
    await maria.post_form(f"/clinic/models/{connection.id}", form | {"name": "Acme 2", "key": ""})
    (renamed,) = await kept(hub)
    assert renamed.name == "Acme 2"
    assert connections.key_of(renamed, hub.state.settings.secret()) == KEY


async def test_only_administrators_change_connections(hub, maria, ana, carla, mallory, fake):
    form = {"name": "Acme", "base_url": fake.base_url, "key": KEY, "models": "echo"}
    assert (await ana.post_form("/clinic/models", form)).status_code == 403
    assert (await ana.get("/clinic/models/new")).status_code == 403
    assert "An administrator can add one." in (await carla.get("/clinic/models")).text
    await maria.post_form("/clinic/models", form)
    (connection,) = await kept(hub)
    for deed in ("", "/test", "/remove"):
        url = f"models/{connection.id}{deed}"
        assert (await ana.post_form(f"/clinic/{url}", form)).status_code == 403
        assert (await mallory.post_form(f"/clinic/{url}", form)).status_code == 404
        assert (await mallory.post_form(f"/rival/{url}", form)).status_code == 404
    assert "Acme" not in (await mallory.get("/rival/models")).text
    assert len(await kept(hub)) == 1


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"name": ""}, "Give the connection a name"),
        ({"base_url": "example"}, "not a web address"),
        ({"base_url": "https://10.0.0.1/v1"}, "PROMPTHUB_PRIVATE_HOSTS=10.0.0.1:443"),
        ({"base_url": "https://169.254.169.254/v1"}, "never connects to"),
        ({"base_url": "https://me:pw@example.org/v1"}, "its own field"),
        ({"models": "gpt 1"}, "two prices"),
        ({"models": "gpt one two"}, "not numbers"),
        ({"concurrency": "0"}, "from 1 to"),
        ({"key": "sk-\u201cquoted\u201d"}, "does not look like a key"),
        ({"kind": "latin"}, "Choose the language"),
        ({"name": "this machine"}, "calls something else"),
        ({"hour_price": "free"}, "such as 2.50"),
    ],
)
async def test_what_cannot_be_kept_is_said_and_what_was_typed_stays(maria, hub, change, sentence):
    form = {"name": "Acme", "base_url": "https://api.example.org/v1", "models": "my-model"} | change
    answer = await maria.post_form("/clinic/models", form)
    assert answer.status_code == 422
    assert sentence in answer.text
    assert form["models"] in answer.text
    assert await kept(hub) == []


async def test_two_connections_cannot_share_a_name(maria, fake, hub):
    form = {"name": "Acme", "base_url": fake.base_url, "models": "echo"}
    await maria.post_form("/clinic/models", form)
    again = await maria.post_form("/clinic/models", form)
    assert again.status_code == 409
    assert "called Acme already" in again.text


async def test_an_endpoint_that_is_not_there_is_kept_and_said(maria, hub):
    form = {"name": "Gone", "base_url": "http://127.0.0.1:9/v1", "models": "m"}
    answer = await maria.post_form("/clinic/models", form)
    assert "Cannot be reached" in answer.text
    assert "does not work" in (await maria.get("/clinic/models")).text


async def test_the_built_in_model_is_explained(carla):
    page = await carla.get("/clinic/models")
    assert "prompthub/tiny" in page.text
    assert (await carla.get("/clinic/models/built-in")).status_code == 200


def test_models_are_read_and_written_as_typed():
    typed = "gpt-5-mini 0.25 2\nqwen"
    assert models_text(parse_models(typed)) == typed
    assert parse_models("a, $1, 2\n\n a;3;4 ") == [{"id": "a", "input_price": 3, "output_price": 4}]
    with pytest.raises(WrongField):
        parse_models("\n".join(f"m{number}" for number in range(501)))


def test_a_sealed_key_opens_only_where_it_belongs():
    secret = Secret("0" * 64)
    sealed = seal(secret, KEY, workspace_id=1, base_url="https://a.example/v1")
    assert KEY.encode() not in sealed
    assert unseal(secret, sealed, workspace_id=1, base_url="https://a.example/v1") == KEY
    for change in ({"workspace_id": 2}, {"base_url": "https://b.example/v1"}):
        place = {"workspace_id": 1, "base_url": "https://a.example/v1"} | change
        with pytest.raises(KeyLost):
            unseal(secret, sealed, **place)
    with pytest.raises(KeyLost):
        unseal(Secret("1" * 64), sealed, workspace_id=1, base_url="https://a.example/v1")


async def test_a_test_tells_line_by_line(hub, maria, fake):
    """What is being asked stands before its finding, and the form comes after the last line."""
    form = {"name": "Acme", "base_url": fake.base_url, "key": KEY, "models": "echo"}
    page = (await maria.post_form("/clinic/models", form)).text
    said = ["Looking for", "Answers at", "Names", "Asking", " answers", "Says how many",
            "Stopping an answer", "too quick to be stopped", "<form"]  # fmt: skip
    places = [page.index(one, page.index("test-lines")) for one in said]
    assert places == sorted(places)
    assert page.count("</html>") == 1
    nameless = form | {"name": "Other", "models": ""}
    page = (await maria.post_form("/clinic/models", nameless)).text
    # The names that the test fetched are in the form already.
    assert "\n".join(sorted(MODELS)) in page[page.index("test-lines") :]


@pytest.mark.parametrize("kind", KINDS)
async def test_each_language_is_tested_line_by_line(hub, maria, vendors, kind):
    """Reach, list, a word, the count, and an answer that is stopped in its middle."""
    form = {"name": "Acme", "kind": kind, "base_url": vendors.address(kind), "key": VENDOR_KEY,
            "models": "plain" if kind != "gemini" else ""}  # fmt: skip
    page = (await maria.post_form("/clinic/models", form)).text
    for line in ("Answers at", "Names 2 models", "plain answers", "Says how many tokens"):
        assert line in page
    (connection,) = await kept(hub)
    assert (connection.kind, connection.reachable) == (kind, True)
    assert connections.key_of(connection, hub.state.settings.secret()) == VENDOR_KEY
    assert VENDOR_KEY not in page


@pytest.mark.parametrize("kind", KINDS)
async def test_a_wrong_key_is_said_in_every_language_and_never_repeated(maria, vendors, kind):
    """The vendor quotes the key in its refusal; neither the test nor the Models page does."""
    form = {"name": "Acme", "kind": kind, "base_url": vendors.address(kind), "key": "sk-wrong"}
    page = (await maria.post_form("/clinic/models", form)).text
    listed = (await maria.get("/clinic/models")).text
    assert "does not accept the key" in page
    assert "bad key" in page
    assert "does not work" in listed
    assert "sk-wrong" not in page + listed


async def test_stopping_is_tried_on_an_answer_that_goes_on(hub, maria, fake):
    """Reached, stopped at once, and free again for the next call."""
    form = {"name": "Acme", "base_url": fake.base_url, "key": KEY, "models": "long"}
    page = (await maria.post_form("/clinic/models", form)).text
    assert re.search(r"Streams, stops within \d\.\d s when asked to, and answers again", page)
    assert fake.hung_up == ["slow"]


async def test_new_models_are_fetched_beside_those_that_are_kept(hub, maria, vendors):
    form = {"name": "Acme", "kind": "gemini", "base_url": vendors.address("gemini"),
            "key": VENDOR_KEY, "models": "plain 1 2 0.5"}  # fmt: skip
    page = (await maria.post_form("/clinic/models", form)).text
    assert "1 of them is not kept here yet" in page
    (connection,) = await kept(hub)
    answer = await maria.post_form(f"/clinic/models/{connection.id}/fetch")
    assert answer.status_code == 303
    (connection,) = await kept(hub)
    assert models_text(connection.models) == "plain 1 2 0.5\nslow"


async def test_an_hour_of_a_rented_machine_prices_its_calls(hub, maria, ana, vendors):
    form = {"name": "Rented", "base_url": vendors.address("responses"), "kind": "responses",
            "key": VENDOR_KEY, "models": "plain", "hour_price": "3600"}  # fmt: skip
    await maria.post_form("/clinic/models", form)
    (connection,) = await kept(hub)
    endpoint = hub.state.playground.remote(connection, "plain")
    call = Call(lambda: None)
    await perform(call, endpoint, {"messages": []})
    assert call.cost_usd == pytest.approx(call.total_s)
    assert "$3600 an hour" in (await ana.get("/clinic/models")).text


async def test_this_machine_has_no_price_until_an_administrator_gives_one(hub, maria, ana):
    url = "/clinic/models/machine"
    assert (await ana.post_form(url, {"hour_price": "2"})).status_code == 403
    assert "An hour of this machine costs $" not in (await ana.get("/clinic/models")).text
    await maria.post_form(url, {"hour_price": "2,50"})
    assert "An hour of this machine costs $2.5;" in (await ana.get("/clinic/models")).text
    await maria.post_form(url, {"hour_price": "a lot"})
    assert "An hour of this machine costs $2.5;" in (await ana.get("/clinic/models")).text
    await maria.post_form(url, {"hour_price": ""})
    assert "An hour of this machine costs $" not in (await ana.get("/clinic/models")).text


async def test_a_form_begins_with_a_provider(maria):
    page = (await maria.get("/clinic/models/new")).text
    for name in ("OpenAI", "Anthropic", "Google Gemini", "OpenRouter", "Ollama"):
        assert name in page
    form = (await maria.get("/clinic/models/new?provider=anthropic")).text
    assert 'value="https://api.anthropic.com/v1"' in form
    assert '<option value="anthropic" selected>' in form


async def test_a_connection_made_before_there_were_languages_still_speaks_openai(hub, cast):
    """Its row has no language; the table gives it the oldest."""
    row = text(
        "INSERT INTO connections (workspace_id, name, base_url, models, concurrency, state,"
        " created_by, created_at) VALUES (:place, 'Old', 'https://a.example/v1', '[]', 8, '',"
        " 'Maria', '2026-01-01 00:00:00')"
    )
    async with hub.state.database.write() as db:
        await db.execute(row, {"place": cast.workspace.id})
    (connection,) = await kept(hub)
    assert connection.kind == "openai"

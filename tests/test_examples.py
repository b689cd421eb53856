"""Examples: kept sets of values, typed as the prompt's variables are."""

import pytest

from hub.playground.examples import in_test_data
from hub.playground.values import fields_of, read, show
from hub.registry import versions
from hub.registry.prompt.document import from_json

DOCUMENT = {
    "name": "Triage",
    "messages": [
        {"role": "placeholder", "name": "history"},
        {"role": "user", "content": "{{ patient }} ({{ age }}): {{ text }} {{ more }}"},
    ],
    "variables": [
        {"name": "patient"},
        {"name": "age", "type": "integer", "required": False},
        {"name": "text", "type": "long text", "example": "pain"},
        {"name": "tags", "type": "list", "required": False},
    ],
    "testData": [
        {"patient": "Ana", "text": "refill", "expected": "This week"},
        {"variables": {"patient": "Ben", "text": "cough"}, "name": "A cough"},
        "no example",
    ],
}
URL = "/clinic/examples/support/triage"


@pytest.fixture
async def triage(hub, cast):
    from hub.people.policy import Actor

    actor = Actor(kind="operator", name="Maria", email="maria@example.org")
    return await versions.save(
        hub.state.publisher, cast.workspace, "support/triage", from_json(DOCUMENT),
        base=None, actor=actor, message="First",
    )  # fmt: skip


def typed(**values: str) -> dict[str, str]:
    return {"do": "save"} | {f"v.{name}": value for name, value in values.items()}


async def test_ana_adds_changes_removes_and_brings_back_an_example(ana, triage):
    assert "No examples yet" in (await ana.get(URL)).text
    added = await ana.post_form(URL, typed(patient="Tom", age="7", text="fever\r\nsince noon"))
    assert added.status_code == 303
    page = (await ana.get(URL)).text
    assert "patient: Tom; age: 7" in page
    number = page.split("?edit=")[1].split('"')[0]
    form = (await ana.get(f"{URL}?edit={number}")).text
    assert "fever\nsince noon" in form
    change = typed(patient="Tomás", age="8", text="fever") | {"id": number, "example_name": "Fever"}
    await ana.post_form(URL, change | {"expected": "Today"})
    page = (await ana.get(URL)).text
    assert "Tomás" in page
    assert "Today" in page
    await ana.post_form(URL, {"do": "remove", "id": number})
    page = (await ana.get(URL)).text  # the flash offers the way back
    assert f"do=put-back&amp;id={number}" in page
    assert "Tomás" not in page
    await ana.post_form(f"{URL}?do=put-back&id={number}")
    assert "Tomás" in (await ana.get(URL)).text


async def test_what_the_file_holds_comes_in_once(ana, triage):
    assert "Bring in 2" in (await ana.get(URL)).text
    await ana.post_form(URL, {"do": "import"})
    page = (await ana.get(URL)).text
    assert "A cough" in page
    assert "This week" in page
    assert "Bring in" not in page
    assert (
        "here already" in (await ana.post_form(URL, {"do": "import"}, follow_redirects=True)).text
    )


async def test_what_cannot_be_kept_keeps_what_was_typed(ana, triage):
    answer = await ana.post_form(URL, typed(patient="Tom", age="seven", tags="[1,"))
    assert answer.status_code == 422
    for text in ("not a number", "not JSON", "Tom", "seven"):
        assert text in answer.text
    assert (await ana.post_form(URL, typed(patient=""))).status_code == 422


async def test_who_may_keep_examples(ana, carla, mallory, triage):
    await ana.post_form(URL, typed(patient="Tom", text="x"))
    page = (await carla.get(URL)).text
    assert "Tom" in page
    assert "A new example" not in page
    assert (await carla.post_form(URL, typed(patient="Eve", text="x"))).status_code == 403
    assert (await mallory.get(URL)).status_code == 404
    assert (await mallory.post_form(URL, {"do": "remove", "id": "1"})).status_code == 404
    assert (await ana.post_form(URL, {"do": "remove", "id": "99"})).status_code == 404
    assert (await ana.post_form(URL, {"do": "remove", "id": "x"})).status_code == 422


def test_fields_say_how_each_variable_is_typed():
    fields = {field.name: field for field in fields_of(DOCUMENT)}
    assert [*fields] == ["history", "patient", "age", "text", "more", "tags"]
    kinds = [field.control for field in fields.values()]
    assert kinds == ["turns", "text", "integer", "long", "text", "json"]
    assert fields["patient"].required
    assert not fields["history"].required
    values, wrong = read(
        list(fields.values()),
        {"history": "user: Hi\nthere\nassistant: Yes?", "age": "7", "tags": '["a"]', "text": " "},
    )
    assert not wrong
    assert values == {
        "history": [
            {"role": "user", "content": "Hi\nthere"}, {"role": "assistant", "content": "Yes?"},
        ],
        "age": 7,
        "tags": ["a"],
    }  # fmt: skip
    assert show(values["history"]) == "user: Hi\nthere\nassistant: Yes?"


def test_test_data_of_any_shape_is_read_or_left_alone():
    assert [row["name"] for row in in_test_data(DOCUMENT["testData"])] == ["", "A cough"]
    for nonsense in (None, 1, {}, [[]], [None, {}], "x"):
        assert in_test_data(nonsense) == []

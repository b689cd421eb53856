"""A prompt in the program's hands: a value that cannot change, filled in or refused by name."""

import copy
import enum
import pickle

import pytest

from sdk import (
    InvalidVariable,
    MissingVariables,
    Prompt,
    TemplateError,
    VariableError,
)

TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}


def prompt(*texts, name="care/note", version=4, **document):
    messages = [one if isinstance(one, dict) else {"role": "user", "content": one} for one in texts]
    document = {"template": "jinja", "messages": messages} | document
    return Prompt.from_record({"name": name, "version": version, "document": document})


def variable(name, type="text", **more):
    return {"name": name, "type": type, **more}


def test_it_renders_messages_a_text_and_a_request():
    made = prompt({"role": "system", "content": "Be {{ how }}."}, "{{ what }}", model="tiny")
    assert made.render(how="kind", what="Hi") == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Hi"},
    ]
    assert made.text(how="kind", what="Hi") == "Be kind.\n\nHi"
    assert made.request(how="kind", what="Hi") == {
        "model": "tiny",
        "messages": made.render(how="kind", what="Hi"),
    }
    assert made.variables == ("how", "what")
    assert repr(made) == "<Prompt care/note v4 from hub>"


def test_what_is_filled_in_is_not_read_as_a_template():
    assert prompt("{{ a }}").text(a="{{ b }}{% if %}") == "{{ b }}{% if %}"


def test_plain_text_keeps_its_braces():
    made = prompt("{{ not ours }} {% nor this %}", template="plain")
    assert made.text() == "{{ not ours }} {% nor this %}"
    assert made.variables == ()


def test_nothing_of_it_can_be_changed():
    record = {
        "name": "a", "version": 1, "labels": ["production"],
        "document": {
            "messages": [{"role": "assistant", "content": "x", "tool_calls": [{"id": "1"}]}],
            "tools": [TOOL], "modelParameters": {"stop": ["END"]},
            "variables": [variable("v", "list", default=["d"])],
        },
    }  # fmt: skip
    made = Prompt.from_record(record)
    before = copy.deepcopy(made.request())
    with pytest.raises(AttributeError, match="immutable"):
        made.version = 2
    with pytest.raises(AttributeError, match="immutable"):
        del made.name
    with pytest.raises(AttributeError):
        made.other = 1
    with pytest.raises(TypeError):
        made.messages[0]["content"] = "y"
    with pytest.raises(TypeError):
        made.messages[0]["tool_calls"][0]["id"] = "2"
    # What it hands out is the caller's own, and what it was made of is no longer looked at.
    given_out = made.request()
    given_out["messages"][0]["tool_calls"][0]["id"] = "2"
    given_out["tools"][0]["function"]["name"] = "delete_all"
    given_out["stop"].append("x")
    made.parameters["stop"].append("x")
    record["document"]["messages"][0]["content"] = "y"
    record["document"]["tools"][0]["function"] = {}
    assert made.request() == before


def test_defaults_are_not_shared_between_renderings():
    made = prompt(
        {"role": "placeholder", "name": "history"},
        variables=[variable("history", "list", default=[{"role": "user", "content": "Hi"}])],
    )
    made.render()[0]["content"] = "changed"
    assert made.render() == [{"role": "user", "content": "Hi"}]


def test_it_can_be_copied_and_sent_to_another_process():
    made = prompt("{{ a }}", tools=[TOOL], model="tiny")
    assert copy.copy(made) is made
    assert copy.deepcopy([made])[0] is made
    again = pickle.loads(pickle.dumps(made))
    assert again.request(a="x") == made.request(a="x")
    assert (again.name, again.version, again.source) == (made.name, made.version, made.source)


def test_every_missing_variable_is_named():
    made = prompt("{{ a }}", "{{ b }} {{ c }}")
    with pytest.raises(MissingVariables, match=r"^care/note v4 needs: a, c$") as caught:
        made.render(b="x")
    assert caught.value.names == ("a", "c")
    assert isinstance(caught.value, VariableError)
    with pytest.raises(MissingVariables, match=r"^care/note v4 needs: name$"):
        prompt("{% for x in xs %}{{ name }}{% endfor %}").text(xs=[1])


@pytest.mark.parametrize(
    ("kind", "good", "bad", "words"),
    [
        ("number", [1, 2.5, -3], ["1", True, None, [1]], "a number"),
        ("integer", [1, -3], [2.5, "1", True], "a whole number"),
        ("boolean", [True, False], [1, "yes"], "true or false"),
        ("list", [[], [1], (1, 2)], ["a", {"a": 1}], "a list"),
        ("object", [{}, {"a": 1}], ["a", [1]], "a dictionary"),
        ("text", ["a", "", 5, 2.5], [None, ["a"], {"a": 1}, True, b"a"], "text"),
        ("long text", ["a"], [["a"]], "text"),
        ("something new", ["a", 1, [1]], [], ""),
    ],
)
def test_a_value_of_the_wrong_kind_is_named(kind, good, bad, words):
    made = prompt("{{ v }}", variables=[variable("v", kind)])
    for value in good:
        made.render(v=value)
    for value in bad:
        with pytest.raises(InvalidVariable, match=f"`v` must be {words}, not ") as caught:
            made.render(v=value)
        assert caught.value.name == "v"


@pytest.mark.parametrize("value", [object(), {1: "a"}, {1, 2}, b"x", lambda: 1, float])
@pytest.mark.parametrize("text", ["{{ v }}", "{% if true %}{{ v }}{% endif %}"])
def test_only_data_goes_into_a_text(value, text):
    with pytest.raises(InvalidVariable, match=r"`v` is an? "):
        prompt(text).text(v=value)


def test_a_members_name_is_not_its_text():
    class Ward(enum.StrEnum):
        A = "ward a"

    assert prompt("{{ v }}").text(v=Ward.A) == "ward a"
    assert prompt("{% if true %}{{ v }}{% endif %}").text(v=Ward.A) == "ward a"


def test_optional_variables_and_defaults():
    made = prompt(
        "{{ greeting }} {{ name }}{{ suffix }}",
        variables=[
            variable("name"),
            variable("greeting", default="Hello"),
            variable("suffix", required=False),
        ],
    )
    assert made.text(name="Bo") == "Hello Bo"
    assert made.text(name="Bo", greeting="Hi", suffix="!") == "Hi Bo!"
    assert made.text(name="Bo", suffix=None) == "Hello Bo"
    with pytest.raises(MissingVariables, match=r"needs: name$"):
        made.text(greeting="Hi")


def test_a_declared_variable_is_needed_even_if_used_under_a_condition_only():
    made = prompt("{% if a %}{{ b }}{% endif %}", variables=[variable("b")])
    with pytest.raises(MissingVariables, match=r"needs: b$"):
        made.text(a=False)
    assert prompt("{% if a %}{{ b }}{% endif %}").text(a=False) == ""


def test_variables_may_be_declared_as_a_mapping():
    made = prompt("{{ n }}", variables={"n": {"type": "integer", "default": 3}, "m": None})
    assert made.variables == ("n", "m")
    with pytest.raises(MissingVariables, match=r"needs: m$"):
        made.text()
    assert made.text(m="x") == "3"


def test_the_conversation_so_far_stands_in_its_place():
    made = prompt("One", {"role": "placeholder", "name": "history"}, "Two")
    turns = ({"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes?"})
    assert [one["content"] for one in made.render(history=turns)] == ["One", "Hi", "Yes?", "Two"]
    assert [one["content"] for one in made.render()] == ["One", "Two"]
    assert [one["content"] for one in made.render(history=[])] == ["One", "Two"]
    assert made.variables == ("history",)
    for wrong in ("Hi", [{"content": "Hi"}], [1], {"role": "user"}):
        with pytest.raises(InvalidVariable, match="`history` must be a list of messages"):
            made.render(history=wrong)


def test_snippets_come_with_the_prompt():
    made = Prompt.from_record(
        {
            "name": "a", "version": 1, "snippets": {"snippets/tone@3": "Be {{ how }}."},
            "document": {"messages": [
                {"role": "user", "content": '{% include "snippets/tone@3" %}'}
            ]},
        }
    )  # fmt: skip
    assert made.variables == ("how",)
    assert made.text(how="kind") == "Be kind."
    assert pickle.loads(pickle.dumps(made)).text(how="kind") == "Be kind."


def test_a_text_that_is_no_template_is_named():
    with pytest.raises(TemplateError, match=r"^Line 2: care/note v4, message 2: ") as caught:
        prompt("fine", "line\n{{ a.b() }}")
    assert caught.value.line == 2


@pytest.mark.parametrize(
    "record",
    [
        {}, {"name": "a"}, {"name": "a", "version": "x", "document": {"messages": []}},
        {"name": "a", "version": 1, "document": {}},
        {"name": "a", "version": 1, "document": {"messages": ["x"]}},
        {"name": "a", "version": 1, "document": {"messages": [{"content": "x"}]}},
        {"name": "a", "version": 1, "document": {"messages": [{"role": "placeholder"}]}},
        {"name": "a", "version": 1, "document": {"messages": [], "variables": [{}]}},
    ],
)  # fmt: skip
def test_a_record_of_another_shape_is_refused_when_it_is_made(record):
    with pytest.raises((KeyError, TypeError, ValueError)):
        Prompt.from_record(record)

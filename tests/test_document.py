"""What goes into a prompt file comes out of it, byte for byte."""

import json

import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hub.registry.prompt.document import (
    Document,
    Message,
    Variable,
    from_json,
    parse,
    serialise,
    to_json,
)

NASTY = (
    " \t\n\r\x00\x07\x1b\x7f\x85\xa0\u00ad\u200b\u202e\u2028\u2029\ufeff\uffff"
    "{}%#-:|>&*!'\"\\?@`~,[]"
)
texts = st.text(
    alphabet=st.one_of(
        st.sampled_from(NASTY + "abc01\U0001f600\U000e0041"),
        st.characters(exclude_categories=("Cs",)),
    ),
    max_size=60,
)
keys = st.one_of(
    st.sampled_from(["x", "yes", "1", "<<", "a b", "a: b", "#", "~", "testData", "é"]),
    st.text(st.characters(exclude_categories=("C", "Zs", "Zl", "Zp")), min_size=1, max_size=9),
).filter(str.isprintable)
leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    texts,
    st.sampled_from(["yes", "no", "1.0", "1:30", "010", "2024-01-01", "null", "", "=", "0x1f"]),
)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=6,
)
KNOWN = (
    {"name", "description", "id", "tags", "template", "model", "modelParameters", "messages"}
    | {"variables", "tools", "responseFormat", "jsonSchema", "role", "content", "type"}
    | {"required", "default", "example"}
)
extras = st.dictionaries(keys.filter(lambda key: key not in KNOWN), values, max_size=2)
filled = texts.filter(bool)
messages = st.builds(
    Message,
    role=st.sampled_from(["system", "user", "assistant", "tool"]),
    content=texts,
    name=st.none() | filled,
    extra=extras,
)
variables = st.builds(
    Variable,
    name=filled,
    type=filled,
    required=st.booleans(),
    default=values,
    description=texts,
    example=values,
    extra=extras,
)
documents = st.builds(
    Document,
    id=st.none() | filled,
    title=texts,
    description=texts,
    template=st.sampled_from(["jinja", "plain"]),
    tags=st.lists(texts, max_size=2).map(tuple),
    model=st.none() | texts,
    parameters=extras,
    messages=st.lists(messages, max_size=3).map(tuple),
    variables=st.lists(variables, max_size=2, unique_by=lambda v: v.name).map(tuple),
    tools=st.none() | st.lists(extras, max_size=2),
    response_format=st.none() | texts,
    json_schema=values,
    extra=extras,
)


def exactly(document: Document) -> str:
    """A form in which `1`, `1.0` and `True` differ."""
    return repr(document)


@settings(max_examples=150, deadline=None)
@given(documents)
def test_any_document_survives_its_file(document: Document):
    data = serialise(document)
    assert exactly(parse(data)) == exactly(document)
    assert serialise(parse(data)) == data
    assert b"\r" not in data


@settings(max_examples=250, deadline=None)
@given(texts)
@example("")
@example("\n")
@example("\n\n\n")
@example("  leads with spaces\n")
@example("\n  \n x")
@example("ends with spaces  \n  ")
@example("\tleads with a tab")
@example("a\r\nb\r\n")
@example("a\rb")
@example("---\nnot a document\n...\n")
@example("# not a comment")
@example("key: value\n- item")
@example("{{ name }} {% if x %}")
@example("next\x85line \u2028 \u2029 \ufeff end")
@example("\x00\x1b[31m\x7f")
@example("\U0001f469\u200d\U0001f680 \U000e0041")
def test_any_text_survives_byte_for_byte(text: str):
    document = Document(
        title=text,
        messages=(Message(role="user", content=text), Message(role="assistant", content="x")),
        extra={"last": text, "list": [text, [text]]},
    )
    assert parse(serialise(document)) == document


def test_a_very_long_text_survives():
    text = ("A line of a long prompt, with {{ braces }}. \n" * 4500)[:200_000]
    for body in (text, text.replace("\n", "\r\n"), "x" * 200_000):
        document = Document(messages=(Message(role="system", content=body),))
        assert parse(serialise(document)) == document


@settings(max_examples=80, deadline=None)
@given(documents)
def test_other_readers_of_yaml_see_the_same(document: Document):
    """PyYAML reads YAML 1.1, where `yes`, `1:30` and `010` are traps; keys stay words too."""
    assert yaml.safe_load(serialise(document)) == to_json(document)


@settings(max_examples=80, deadline=None)
@given(documents)
def test_json_and_file_say_the_same(document: Document):
    assert exactly(from_json(json.loads(json.dumps(to_json(document))))) == exactly(document)


def test_the_file_is_pleasant_to_read():
    document = Document(
        id="p_8",
        title="Support triage",
        tags=("support",),
        model="openai/gpt-4o-mini",
        parameters={"temperature": 0.2},
        messages=(
            Message(role="system", content="You sort mail.\nBe brief.\n"),
            Message(role="placeholder", name="history"),
            Message(role="user", content="{{ mail }}"),
        ),
        variables=(Variable(name="mail", type="long text", description="The customer's words"),),
    )
    assert serialise(document).decode() == (
        "name: Support triage\n"
        "id: p_8\n"
        "tags:\n"
        "  - support\n"
        "template: jinja\n"
        "model: openai/gpt-4o-mini\n"
        "modelParameters:\n"
        "  temperature: 0.2\n"
        "messages:\n"
        "  - role: system\n"
        "    content: |\n"
        "      You sort mail.\n"
        "      Be brief.\n"
        "  - role: placeholder\n"
        "    name: history\n"
        "  - role: user\n"
        "    content: |-\n"
        "      {{ mail }}\n"
        "variables:\n"
        "  - name: mail\n"
        "    type: long text\n"
        "    description: The customer's words\n"
    )


GITHUB = b"""\
name: Text Summarizer
description: Summarizes input text concisely
model: openai/gpt-4o-mini
modelParameters:
  temperature: 0.5
messages:
  - role: system
    content: You are a text summarizer. # a comment
  - role: user
    content: |
      Summarize the given text:
      <text>
      {{input}}
      </text>
testData:
  - input: |
      The quick brown fox jumped over the lazy dog.
    expected: Summary - A fox jumped over a dog.
evaluators:
  - name: Output should start with 'Summary -'
    string:
      startsWith: 'Summary -'
"""


def test_a_file_from_github_models_keeps_all_it_says():
    document = parse(GITHUB)
    assert (document.title, document.parameters) == ("Text Summarizer", {"temperature": 0.5})
    assert document.messages[1].content.endswith("{{input}}\n</text>\n")
    assert document.template == "jinja"
    assert list(document.extra) == ["testData", "evaluators"]
    assert parse(serialise(document)) == document


def test_a_foreign_file_full_of_other_braces_is_taken_as_it_stands():
    vue = b"messages:\n- role: user\n  content: '<p v-for=\"a in b\">{{ a.b(1) }}</p> {% raw'\n"
    assert parse(vue).template == "plain"


def test_a_byte_order_mark_is_no_part_of_the_prompt():
    assert parse(b"\xef\xbb\xbf" + GITHUB) == parse(GITHUB)


def test_bare_words_are_text_where_text_is_wanted():
    document = parse(
        b"name: 1.0\ntags: [yes, 2024-01-01, 1:30]\n"
        b"messages: [{role: user, content: 42}]\n"
        b"variables: [{name: on, required: no, default: 010}]\nmore: {a: no, b: 1e3, c: 0o17}\n"
    )
    assert (document.title, document.tags) == ("1.0", ("yes", "2024-01-01", "1:30"))
    assert document.messages[0].content == "42"
    assert document.variables[0] == Variable(name="on", required=False, default="010")
    assert document.extra == {"more": {"a": "no", "b": 1000.0, "c": "0o17"}}


def test_variables_may_be_written_as_a_group():
    document = from_json({"variables": {"tone": {"type": "text", "default": "warm"}, "mail": None}})
    assert document.variables == (Variable(name="tone", default="warm"), Variable(name="mail"))

"""What goes into a prompt file comes out of it, byte for byte; what is clever is refused."""

import json
import time

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hub.registry.document import (
    Document,
    InvalidDocument,
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


@settings(max_examples=300, deadline=None)
@given(documents)
def test_any_document_survives_its_file(document: Document):
    data = serialise(document)
    assert exactly(parse(data)) == exactly(document)
    assert serialise(parse(data)) == data
    assert b"\r" not in data


@settings(max_examples=400, deadline=None)
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


@settings(max_examples=150, deadline=None)
@given(documents)
def test_other_readers_of_yaml_see_the_same(document: Document):
    """PyYAML reads YAML 1.1, where `yes`, `1:30` and `010` are traps; keys stay words too."""
    assert yaml.safe_load(serialise(document)) == to_json(document)


@settings(max_examples=150, deadline=None)
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


HEAD = "name: x\nmessages:\n  - role: user\n    content: hello\n"


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (HEAD + "modelParameters:\n  temperature: [1]\n",
         "Line 6: `temperature` must be a number, not a list."),
        (HEAD + "modelParameters:\n  temperature: '1'\n",
         "Line 6: `temperature` must be a number, not text."),
        (HEAD + "  - role: user\n    content: [a]\n",
         "Line 6: `content` of message 2 must be text, not a list; pictures and files are not"
         " kept in prompts."),
        (HEAD + "  - role: boss\n    content: a\n",
         "Line 5: `role` of message 2 must be one of system, developer, user, assistant, tool,"
         " placeholder, not `boss`."),
        (HEAD + "  - role: user\n", "Line 5: Message 2 has no `content`."),
        (HEAD + "  - hello\n", "Line 5: Message 2 must be a group of keys, not text."),
        (HEAD + "  - role: placeholder\n",
         "Line 5: Message 2 is a placeholder and needs a `name`, such as history."),
        (HEAD + "tags: [[a]]\n", "Line 5: `tags` must be a list of words, not of a list."),
        (HEAD + "tags: true\n", "Line 5: `tags` must be a list, not true or false."),
        (HEAD + "tools: [1]\n", "Line 5: `tools` must be a list of groups, not of a number."),
        (HEAD + "template: mustache\n",
         "Line 5: `template` must be one of jinja, plain, not `mustache`."),
        (HEAD + "variables:\n  - type: text\n", "Line 6: Variable 1 has no `name`."),
        (HEAD + "variables:\n  - name: a\n  - name: a\n",
         "Line 7: The variable `a` is declared twice. Keep one of the two."),
        (HEAD + "variables:\n  - name: a\n    required: maybe\n",
         "Line 7: `required` of variable 1 must be true or false, not text."),
        (HEAD + "name: y\n", "Line 5: `name` is given twice. Keep one of the two."),
        (HEAD + "a: &b 1\n", "Line 5: `&b` names a place to be repeated. Remove it."),
        (HEAD + "a: *b\n",
         "Line 5: `*b` points to another place in the file. Write the text out instead."),
        (HEAD + "a: !!python/object x\n",
         "Line 5: the type mark `tag:yaml.org,2002:python/object` is not allowed. Remove it."),
        (HEAD + "---\na: b\n",
         "Line 5: a second document begins here (`---`). Keep one prompt per file."),
        (HEAD + "a: " + "[" * 20_000, "Line 5: more than 32 levels inside each other."),
        (HEAD + "a: 1e999\n", "Line 5: The number 1e999 is too large."),
        (HEAD + "a: b\0c\n",
         "Line 5: the character U+0000 may not stand in a file as it is. Remove it, or write it"
         " as an escape inside double quotes."),
        ("", "The file is empty. A prompt needs at least `messages`."),
        ("- a\n", "A prompt is a group of keys such as `messages`, not a list."),
        ("x" * 1_100_000, "A prompt file may have 1 MiB at most; this one is larger. Shorten it."),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_a_sentence(body: str, sentence: str):
    with pytest.raises(InvalidDocument) as refused:
        parse(body.encode())
    assert str(refused.value) == sentence
    if sentence.startswith("Line"):
        assert refused.value.line == int(sentence.split(":")[0][5:])


def test_bytes_that_are_no_text_are_refused():
    with pytest.raises(InvalidDocument, match="Line 2: this is not UTF-8 text"):
        parse(b"name: x\nmodel: \xff\n")


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=80), st.text("abc:-[]{}&*!|>'\"#%@, \n\t\r?", max_size=80)))
def test_garbage_is_refused_or_read_but_never_crashes(body: bytes | str):
    try:
        document = parse(body if isinstance(body, bytes) else body.encode())
    except InvalidDocument:
        pass
    else:
        assert parse(serialise(document)) == document


def test_a_bomb_is_refused_at_once():
    rows = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    for before, name in zip("abcdefgh", "bcdefghi", strict=True):
        rows.append(f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]")
    for bomb in (
        "\n".join(rows),
        "{" * 50_000,
        "- " * 50_000,
        "? " * 50_000,
        "a" * 900_000 + ": b",
    ):
        began = time.perf_counter()
        with pytest.raises(InvalidDocument):
            parse(bomb.encode())
        assert time.perf_counter() - began < 2


def test_json_that_no_file_could_hold_is_refused():
    deep: object = 1
    for _ in range(40):
        deep = [deep]
    for wrong, sentence in (
        ({"messages": [{"role": "user", "content": "\ud83d"}]}, "half a character (U+D83D)"),
        ({"x": float("nan")}, "`x` must be an ordinary number."),
        ({"x": deep}, "more than 32 levels"),
        ({"a\nb": 1}, "A key may not hold control or invisible characters."),
        ([], "not a list"),
        ({"messages": {"a": 1}}, "`messages` must be a list, not a group of keys."),
    ):
        with pytest.raises(InvalidDocument) as refused:
            from_json(wrong)
        assert sentence in str(refused.value)


def test_a_prompt_too_large_for_its_file_is_refused_before_it_is_written():
    with pytest.raises(InvalidDocument, match="1 MiB is the most"):
        serialise(Document(messages=(Message(role="user", content="\r" * 600_000),)))

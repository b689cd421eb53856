"""Prompts of other programs come in and go out without loss, or the report names the loss."""

import json

import jinja2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.registry.prompt.document import (
    Document,
    InvalidDocument,
    Message,
    Variable,
    from_json,
    to_json,
)
from hub.sync.formats import known
from hub.sync.formats.report import Notes, Refused
from sdk import template
from tests.test_document import documents

BOTH_WAYS = [name for name, one in known.FORMATS.items() if one.read is not None]
OTHERS = [name for name in BOTH_WAYS if name != "prompt.yml"]

words = st.text("abc de.,äß\n", min_size=1, max_size=20).map(str.strip).filter(bool)
names = st.sampled_from(["topic", "customer_name", "x1", "Tone"])
texts = st.lists(words | names.map(lambda name: f"{{{{ {name} }}}}"), min_size=1, max_size=5).map(
    " ".join
)
ordinary = st.builds(
    Document,
    title=words.map(lambda text: text.replace("\n", " ")),
    description=words,
    tags=st.lists(words, max_size=2).map(tuple),
    model=st.sampled_from(["gpt-5", "claude-opus-4", "llama3"]),
    parameters=st.fixed_dictionaries({}, optional={
        "temperature": st.floats(0, 2), "max_tokens": st.integers(1, 999), "stop": st.just(["END"]),
    }),
    messages=st.lists(
        st.builds(Message, role=st.sampled_from(["system", "user", "assistant"]), content=texts),
        min_size=1, max_size=3,
    ).map(tuple),
    variables=st.lists(
        st.builds(Variable, name=names, description=words,
                  type=st.sampled_from(["text", "long text"]), required=st.booleans(),
                  default=st.none() | words),
        max_size=3, unique_by=lambda one: one.name,
    ).map(tuple),
    tools=st.none() | st.just([{"type": "function", "function": {
        "name": "look_up",
        "parameters": {"type": "object", "properties": {"url": {"type": "string"}}},
    }}]),
    extra=st.fixed_dictionaries({}, optional={
        "testData": st.just([{"name": "a", "variables": {"topic": "Tea, hot"}, "expected": "yes"}]),
        "owner": words,
    }),
)  # fmt: skip


def again(name: str, document: Document) -> tuple[Document, Notes]:
    """The document after going out and coming in, and what was said on the way out."""
    files, notes = known.write(known.FORMATS[name], "team/letter", document)
    ((path, data),) = files.items()
    format_, (read,) = known.read(path, data.decode()) if name != "prompt.yml" else (
        known.FORMATS[name], known.FORMATS[name].read(data.decode(), "letter"))  # fmt: skip
    assert format_.name == name.removesuffix("2")
    return read.document, notes


def is_a_sentence(refused: Refused) -> None:
    assert len(str(refused).split()) > 2
    assert str(refused).endswith((".", ")"))


def differing(one: Document, other: Document) -> set[str]:
    before, after = to_json(one), to_json(other)
    return {key for key in {**before, **after} if before.get(key) != after.get(key)} - {"id"}


@pytest.mark.parametrize("name", BOTH_WAYS)
@given(document=documents)
@settings(max_examples=30, deadline=None)
def test_every_prompt_goes_out_whole_or_with_each_difference_named(name: str, document: Document):
    try:
        back, notes = again(name, document)
    except Refused as refused:
        is_a_sentence(refused)
        return
    for key in differing(document, back):
        assert notes.about(key), (key, notes.found)


@pytest.mark.parametrize("name", OTHERS)
@given(document=ordinary)
@settings(max_examples=30, deadline=None)
def test_ordinary_prompts_lose_nothing(name: str, document: Document):
    """What each format may lose of an ordinary prompt is this, and no more."""
    known_losses = {"openai": {"extra", "variables", "tags", "testData", "owner"}}
    document = from_json(to_json(document))
    back, _ = again(name, document)
    declared = {one.name for one in document.variables}
    more = tuple(one for one in back.variables if one.name not in declared)
    assert all(one == Variable(name=one.name) for one in more)
    lost = differing(document, back) - known_losses.get(name, set())
    assert lost <= ({"variables"} if more else set())
    if name != "openai":
        assert back.variables[: len(document.variables)] == document.variables


GARBAGE = [
    "---\nname: [\n---\n", "[]", "{}", "[{}]", '[{"name":1,"prompt":"x"}]', '{"lc":1,"kwargs":3}',
    "prompts: 3\ntests: 4", "pmpt_1 create({", "---\nmodel: 3\n---\nx", "[" * 100_000,
    '{"name":"x","template":[3]}', '{"a":' * 5000, '{"prompt":{"id":"pmpt_1"}}',
    "---\ninputs: 3\n---\nx", '[{"name":"x","prompt":[3]}]', "prompts: [[]]\ntests: [3]",
    '{"input":[{"role":3,"content":"x"}]}',
    "---\nname: &a x\nb: *a\n---\nx", "NaN", '{"a":1,"a":2}',
]  # fmt: skip


@given(
    st.sampled_from([".prompty", ".prompt", ".json", ".yaml", ".py", ".js"]),
    st.text(max_size=200)
    | st.binary(max_size=200).map(lambda data: data.decode("latin-1"))
    | st.sampled_from(GARBAGE),
)
@settings(max_examples=200, deadline=None)
def test_garbage_gets_a_sentence(ending: str, text: str):
    try:
        _, found = known.read(f"x{ending}", text)
    except Refused as refused:
        is_a_sentence(refused)
    else:
        assert all(one.document.messages for one in found)


def test_a_refusal_names_the_key():
    for file, text, key in [
        ("a.json", '[{"name":"x","type":"chat","prompt":[{"role":"wizard","content":"x"}]}]',
         "`[0].prompt[0].role`"),
        ("a.json", '[{"name":"x","type":"odd","prompt":"x"}]', "`[0].type`"),
        ("a.prompty", "---\ntemplate: liquid\n---\nx", "`template`"),
        ("a.json", '{"id":"pmpt_12","version":"2","variables":{"city":"x"}}', "`prompt.id`"),
        ("a.json", '{"lc":1,"type":"constructor","id":["os","system"],"kwargs":{}}',
         "`manifest.id`"),
    ]:  # fmt: skip
        with pytest.raises((Refused, InvalidDocument)) as refused:
            known.read(file, text)
        assert key in str(refused.value)


@pytest.mark.parametrize(
    ("text", "loud"),
    [
        ("Hi {{ name }}{% if vip %}, dear{% endif %}", False),
        ("{% if vip %}Dear{% endif %} {{ name }}", False),
        ("{% if vip %}\nDear\n{% endif %}\n{{ name }}", True),
        ("  {% if vip %}Dear{% endif %} {{ name }}", True),
        ("{# who #}\n{{ name }}", True),
    ],
)
def test_a_line_that_jinja_would_leave_is_told_where_there_is_one(text: str, loud: bool):
    """Ours takes a tag's own line with it; Jinja by itself renders differently only there."""
    _, (read,) = known.read("a.prompty", f"---\nname: a\n---\nuser:\n{text}")
    assert read.notes.about("messages[0]") == loud
    values = {"name": "Bo", "vip": True}
    ours = template.compile_text(read.document.messages[0].content).render(values)
    assert (ours == jinja2.Template(text).render(values)) != loud


def test_a_request_to_openai_has_its_words():
    """A schema without a name was taken apart into the format itself, and refused over there."""
    schema = {"title": "An answer", "type": "object", "properties": {"k": {"type": "string"}}}
    document = Document(
        messages=(Message(role="user", content="Hi"),), parameters={"maxTokens": 9, "topP": 0.5},
        response_format="json_schema", json_schema=schema,
    )  # fmt: skip
    read, notes = again("openai", document)
    assert (to_json(read), notes.found) == (to_json(document), [])
    files, _ = known.write(known.FORMATS["openai"], "x", document)
    tree = json.loads(files["x.openai.json"])
    assert tree["text"]["format"] == {
        "type": "json_schema", "name": "An_answer", "schema": schema
    }  # fmt: skip
    assert (tree["max_output_tokens"], tree["top_p"]) == (9, 0.5)
    assert "maxTokens" not in tree


def test_a_request_to_openai_has_no_setting_that_is_refused_there():
    document = Document(
        messages=(Message(role="user", content="Hi"),),
        parameters={"temperature": 0.5, "stop": ["."], "topK": 4},
    )
    files, notes = known.write(known.FORMATS["openai"], "x", document)
    tree = json.loads(files["x.openai.json"])
    assert (tree["temperature"], "stop" in tree, "topK" in tree) == (0.5, False, False)
    assert notes.about("modelParameters.stop")
    assert notes.about("modelParameters.topK")
    assert again("openai", document)[0].parameters == document.parameters

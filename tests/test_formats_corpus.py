"""One file of each program, written from its documented fields, and what becomes of it here."""

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.registry.prompt.document import Document, Message, serialise, to_json
from hub.sync.formats import known
from hub.sync.formats.files import Imported, read_folder
from hub.sync.formats.placeholders import to_ours
from hub.sync.formats.report import Notes
from hub.sync.formats.trees import yaml_of
from sdk import template

CORPUS = Path(__file__).parent / "corpus" / "formats"
HOSTILE = ("169.254", "10.0.0.1", "evil", "://", "OPENAI_API_KEY", "${", "sk-123", "os.environ",
           "exec:", "file:", "httpx", "javascript", "serverUrl", "make_headers")  # fmt: skip


@pytest.fixture(scope="module")
def found() -> dict[str, Imported]:
    return {one.name: one for one in read_folder(CORPUS)}


def document(found: dict[str, Imported], name: str) -> Document:
    made = found[name].document
    assert made is not None, found[name].notes
    return made


def test_every_file_is_recognised(found: dict[str, Imported]):
    read_as = {one.name: one.notes[0] for one in found.values() if one.document}
    assert read_as == {
        "city": "Read as OpenAI reusable prompts.",
        "greeting": "Read as Prompty.",
        "joke": "Read as LangSmith and LangChain Hub.",
        "loops": "Read as Dotprompt.",
        "menu": "Read as Dotprompt.",
        "movies/critic": "Read as Langfuse.",
        "shout": "Read as Langfuse.",
        "snippet": "Read as OpenAI reusable prompts.",
        "summary": "Read as MLflow.",
        "translate/short": "Read as promptfoo.",
        "translate/chat": "Read as promptfoo.",
        "weather": "Read as Prompty.",
    }


def test_nothing_that_reaches_outside_comes_in(found: dict[str, Imported]):
    for one in found.values():
        if one.document is not None:
            text = serialise(one.document).decode()
            assert not [mark for mark in HOSTILE if mark in text], one.source_path


@pytest.mark.parametrize(
    ("name", "lost"),
    [
        ("greeting", ["Lost: model.configuration.azure_endpoint"]),
        ("weather", ["Lost: model.connection", "Lost: tools[1]", "Changed: outputs"]),
        ("menu", ["Lost: tools", "Lost: modelParameters.apiKey", "Lost: config.version"]),
        ("loops", ["Changed: template (text 1 stays plain"]),
        ("movies/critic", ["Lost: [1].version", "Lost: [1].labels", "Lost: config.base_url"]),
        ("joke", ["Lost: manifest.steps[1].kwargs.openai_api_key", "kwargs.http_client",
                  "Lost: modelParameters.openai_api_base"]),
        ("summary", ["Lost: modelParameters.extra_headers", "Lost: [0].aliases", "jsonSchema.$id"]),
        ("translate/short", ["Lost: prompts[2]", "Lost: prompts[3]", "Lost: providers[1]",
                             "Lost: tests[0].assert[1]", "Lost: tests[1].vars.input",
                             "Lost: modelParameters.apiBaseUrl"]),
        ("city", ["Lost: messages[1].content[1]", "Lost: tools[1]"]),
        ("snippet", ["Lost: prompt.variables.who", "Lost: extra_headers"]),
    ],
)  # fmt: skip
def test_what_is_lost_is_named(found: dict[str, Imported], name: str, lost: list[str]):
    notes = "\n".join(found[name].notes)
    for one in lost:
        assert one in notes


def test_what_is_kept(found: dict[str, Imported]):
    critic = document(found, "movies/critic")
    assert [(one.role, one.content or one.name) for one in critic.messages] == [
        ("system", "You are a {{level}} critic."), ("placeholder", "history"),
        ("user", "Was {{movie}} good?"),
    ]  # fmt: skip
    assert (critic.model, critic.parameters, critic.tags) == (
        "gpt-4o", {"temperature": 0.5}, ("movies",),
    )  # fmt: skip
    joke = document(found, "joke")
    assert joke.messages[0].content == 'Be {{ mood }}. Answer as {"joke": …}.'
    assert [(one.name, one.default) for one in joke.variables] == [("mood", "dry"), ("topic", None)]
    menu = document(found, "menu")
    assert [(one.name, one.required, one.default) for one in menu.variables] == [
        ("theme", True, None), ("courses", False, 3),
    ]  # fmt: skip
    assert menu.extra["testData"] == [
        {"name": "spring", "variables": {"theme": "Peas, and more", "courses": "3"}},
        {"expected": '["soup"]', "variables": {"theme": "Winter", "courses": "4"}},
    ]
    assert document(found, "weather").messages[1] == Message(
        role="placeholder", name="conversation"
    )
    assert [one.role for one in document(found, "translate/chat").messages] == ["system", "user"]
    assert document(found, "snippet").messages[0].content == "Where to go in {{city}}?"


def test_a_reference_without_its_wording_says_what_to_do(found: dict[str, Imported]):
    (why,) = found["snippet-bare"].notes
    assert found["snippet-bare"].document is None
    assert "`prompt.id` names pmpt_68a1 version 2 with the variables city" in why


def test_a_table_without_its_prompt_is_left_out(tmp_path: Path):
    shutil.copy(CORPUS / "menu.csv", tmp_path / "other.csv")
    (only,) = read_folder(tmp_path)
    assert only.document is None
    assert "No prompt other lies beside it" in only.notes[0]


PIECES = [
    *"{{{x}}} {x} { } {{ }} {% {# a {{#if_x}} {{/if}} {x!r} \\ {{this}} é {{x}}".split(),
    *("{{ x }}", "{{& x}}", "{{#if x}}", "{% raw %}", "\n", " "),
]


@pytest.mark.parametrize("syntax", ["double", "handlebars", "nunjucks", "mustache", "f-string"])
@given(text=st.lists(st.sampled_from(PIECES), max_size=6).map("".join))
@settings(max_examples=150, deadline=None)
def test_placeholders_are_taken_over_only_when_they_mean_the_same(syntax: str, text: str):
    """A text taken over as a template gives what the other language gives."""
    made = to_ours([text], syntax, Notes())
    if made.template == "plain":
        assert made.texts == [text]
        return
    ours = template.compile_text(made.texts[0]).render({"x": "<V>", "this": "<T>"})
    if syntax == "f-string":
        assert ours == text.format(x="<V>")
    elif syntax == "mustache":
        assert ours == text.replace("{{{x}}}", "<V>").replace("{{& x}}", "<V>")
    else:
        filled = text.replace("{{ x }}", "<V>").replace("{{x}}", "<V>")
        assert ours == filled.replace("{{this}}", "<T>")


def test_a_promptfoo_export_runs_the_prompt_on_its_examples():
    document = Document(
        messages=(Message(role="user", content="Say {{ word }}"),), model="gpt-4o",
        extra={"testData": [{"variables": {"word": "hi"}, "expected": "hi"}]},
    )  # fmt: skip
    files, _ = known.write(known.FORMATS["promptfoo"], "a/say", document)
    tree = yaml_of(files["a/say.promptfoo.yaml"].decode())
    assert tree["prompts"] == [{"id": "a/say", "label": "a/say", "raw": "Say {{ word }}"}]
    assert tree["providers"] == [{"id": "openai:gpt-4o"}]
    assert tree["tests"] == [
        {"vars": {"word": "hi"}, "assert": [{"type": "equals", "value": "hi"}]}
    ]


def test_markdown_and_tables_go_out_and_come_in(tmp_path: Path):
    document = Document(
        title="Say", messages=(Message(role="system", content="Be {{ mood }}.\n"),
                               Message(role="user", content="Hi")),
        extra={"testData": [{"name": "a", "variables": {"mood": "=1,5\n\"x\""}}]},
    )  # fmt: skip
    for name in ("markdown", "csv"):
        files, notes = known.write(known.FORMATS[name], "team/say", document)
        for path, data in files.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(data)
        assert notes.about("testData")
    (back,) = read_folder(tmp_path)
    assert back.document is not None
    assert to_json(back.document)["messages"] == to_json(document)["messages"]
    assert back.document.extra == document.extra


def test_an_imported_group_of_ours_is_judged_like_the_rest():
    row = {"name": "x", "type": "text", "prompt": "Hi", "config": {"promptHub": {
        "id": "stolen", "modelParameters": {"base_url": "http://10.0.0.1", "temperature": 1},
        "tools": [{"type": "mcp", "server_url": "https://x"}], "class": "os.system",
        "owner": "${env:SECRET}", "deep": {"a": [{"endpoint": "http://x"}]}}}}  # fmt: skip
    _, (read,) = known.read("x.json", json.dumps([row]))
    assert to_json(read.document) == {
        "name": "X", "template": "jinja", "modelParameters": {"temperature": 1},
        "messages": [{"role": "user", "content": "Hi"}], "tools": [],
        "deep": {"a": [{}]},
    }  # fmt: skip
    for key in ("config.promptHub.id", "modelParameters.base_url", "tools[0]", "class", "owner",
                "deep.a[0].endpoint"):  # fmt: skip
        assert any(key in one.key for one in read.notes.found), key


def test_what_a_peer_would_read_otherwise_is_said():
    """Seen with the public packages: version 1 of Prompty knows three roles and no threads."""
    document = Document(
        messages=(
            Message(role="developer", content="Be kind."),
            Message(role="placeholder", name="earlier"),
        )
    )
    said = {
        name: " ".join(known.write(known.FORMATS[name], "a", document)[1].sentences())
        for name in ("prompty", "prompty2", "dotprompt", "mlflow", "promptfoo", "openai")
    }
    assert "take developer turns for text" in said["prompty"]
    assert "take placeholder turns for text" in said["prompty"]
    assert said["prompty2"] == ""
    assert "only `history` is known, not earlier" in said["dotprompt"]
    for name in ("mlflow", "promptfoo", "openai"):
        assert "Lost: messages (" in said[name]


def test_version_2_of_prompty_asks_for_those_alone_that_say_so():
    rows = "inputs:\n  - name: a\n  - name: b\n    required: true\n  - name: c\n    default: x\n"
    _, (two,) = known.read("x.prompty", f"---\n{rows}---\nuser:\n{{{{ b }}}}\n")
    assert [one.required for one in two.document.variables] == [False, True, False]
    assert [one.key for one in two.notes.found] == ["inputs.a"]
    _, (one,) = known.read("x.prompty", "---\ninputs:\n  a: {type: string}\n---\nuser:\n{{ a }}\n")
    assert [one.required for one in one.document.variables] == [True]
    assert one.notes.found == []


def test_what_is_dropped_leaves_no_hole():
    """A list with `null` in it is refused by models, and an example of nothing is none."""
    text = (
        "---\nmodel:\n  options:\n    stopSequences: [END, '${env:STOP}']\n"
        "sample: {a: ['x', '${file:y.json}'], b: '${env:B}'}\n---\nuser:\n{{ a }} {{ b }}\n"
    )
    _, (made,) = known.read("x.prompty", text)
    tree = to_json(made.document)
    assert tree["modelParameters"] == {"stop": ["END"]}
    assert tree["testData"] == [{"a": ["x"]}]
    lost = ["modelParameters.stop[1]", "testData[0].a[1]", "testData[0].b"]
    assert [one.key for one in made.notes.found] == lost

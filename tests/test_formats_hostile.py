"""Files made to harm: slow to judge, wrong in any place, or reaching outside."""

import json
import time
from contextlib import suppress
from pathlib import Path

import pytest

from hub.registry.prompt.document import Document, Message, parse, serialise, to_json
from hub.sync.formats import known
from hub.sync.formats.files import read_folder
from hub.sync.formats.report import Refused
from hub.sync.formats.trees import front_matter, yaml_of

CORPUS = Path(__file__).parent / "corpus" / "formats"


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("a.prompty", " " * 500_000 + "x"),
        ("a.prompty", "system" + "[" * 500_000),
        ("a.prompt", "{{" * 250_000),
        ("a.prompt", "{{ x }}" * 70_000),
        ("a.prompt", "\\{{x}}" * 70_000),
        ("a.json", json.dumps({"name": "x", "template": "y", "tags": {"a": "${" * 250_000}})),
        ("a.json", json.dumps({"name": "x", "template": "y", "tags": {"a": "{{ " * 200_000}})),
        ("a.yaml", "tests: []\nprompts: ['" + "a." * 250_000 + "']"),
        ("a.py", "pmpt_1 create(" + "(" * 500_000),
        ("a.py", "pmpt_1 create(a=" + "[" * 500_000),
        ("a.py", "pmpt_1 create(a=f(" + "'a' " * 100_000),
    ],
)
def test_a_hostile_text_is_answered_at_once(file: str, text: str):
    began = time.process_time()
    with suppress(Refused):
        known.read(file, text)
    assert time.process_time() - began < 10


@pytest.mark.parametrize("value", [
    "http://10.0.0.1/v1", " https://evil.example", "file:///etc/passwd", "file:secret.txt",
    "${env:AZURE_KEY}", "python:run.py", "exec:curl x", "{{ env.SECRET }}", "x ${HOME}",
    "ftp://x", "unix://var/run/docker.sock", "https://x/" + "a" * 20_000,
])  # fmt: skip
@pytest.mark.parametrize("place", ["model", "modelParameters", "owner", "tools", "jsonSchema"])
def test_a_reach_outside_is_dropped_wherever_it_stands(value: str, place: str):
    inside = {
        "model": value, "modelParameters": {"user": value}, "owner": {"deep": [value]},
        "tools": [{"type": "function", "function": {"name": "f", "server": value}}],
        "jsonSchema": {"properties": {"title": {"$ref": value}}, "required": [value]},
    }[place]  # fmt: skip
    row = {"name": "x", "type": "text", "prompt": "Hi", "config": {"promptHub": {place: inside}}}
    _, (read,) = known.read("x.json", json.dumps([row]))
    assert value.strip() not in serialise(read.document).decode()
    assert read.notes.about(place)


@pytest.mark.parametrize("value", ["${env:HOME}", "see ${file:/etc/hostname}", "{{ env.HOME }}"])
def test_what_people_read_names_no_environment(value: str):
    """Prompty and promptfoo put something else in its place where such a file is read again."""
    shape = {"type": "object", "description": value}
    function = {"name": "f", "description": value, "parameters": shape}
    ours = {
        "name": value, "description": value, "tags": [value, "kept"], "jsonSchema": shape,
        "variables": [{"name": "q", "description": value}],
        "tools": [{"type": "function", "function": function}],
    }  # fmt: skip
    row = {"name": "x", "type": "text", "prompt": "Hi {{q}}", "config": {"promptHub": ours}}
    _, (read,) = known.read("x.json", json.dumps([row]))
    assert value not in serialise(read.document).decode()
    assert read.document.tags == ("kept",)
    for key in ("name", "description", "tags[0]", "jsonSchema", "variables.q", "tools[0]"):
        assert read.notes.about(key), key


@pytest.mark.parametrize("name", ["prompty", "prompty2", "promptfoo"])
def test_what_somebody_typed_here_is_not_looked_up_by_who_reads_the_export(name: str):
    document = parse(
        b"description: ${env:HOME}\ntags: ['${env:HOME}', kept]\nmodel: exec:id\n"
        b"messages:\n- role: user\n  content: Hi {{q}}\n"
        b"variables:\n- name: q\n  description: ${file:x}\n"
        b"testData:\n- variables:\n    q: file://run.py\n  expected: python:run.py\n"
    )
    files, notes = known.write(known.FORMATS[name], "x", document)
    (text,) = (data.decode() for data in files.values())
    held = json.dumps(yaml_of(text) if name == "promptfoo" else front_matter(text)[0])
    for bad in ("file://", "python:", "exec:") if name == "promptfoo" else ("${",):
        assert bad not in held, bad
    assert name == "promptfoo" or "kept" in held
    said = " ".join(notes.sentences())
    assert ("promptfoo would open or run it" if name == "promptfoo" else "Prompty would") in said


def test_our_own_files_bring_no_address_either(tmp_path: Path):
    text = (
        "messages:\n- role: user\n  content: See https://example.com\n"
        "modelParameters:\n  base_url: http://10.0.0.1\n  temperature: 1\n"
        "api_key: sk-123\nowner: Ana\n"
        "tools:\n- type: mcp\n  server_url: http://10.0.0.1\n"
    )
    (tmp_path / "a.prompt.yml").write_text(text)
    (one,) = read_folder(tmp_path)
    assert one.document is not None
    assert to_json(one.document) == {
        "template": "jinja", "modelParameters": {"temperature": 1},
        "messages": [{"role": "user", "content": "See https://example.com"}],
        "tools": [{"type": "mcp"}], "owner": "Ana",
    }  # fmt: skip
    said = " ".join(one.notes)
    for key in ("modelParameters.base_url", "api_key", "tools[0].server_url"):
        assert f"Lost: {key}" in said


def places(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place of a tree."""
    found = [path]
    if isinstance(value, dict):
        for key, inner in value.items():
            found += places(inner, (*path, key))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            found += places(inner, (*path, at))
    return found


def put(text: str, path: tuple[str | int, ...], value: object) -> str:
    tree = root = json.loads(text)
    for key in path[:-1]:
        tree = tree[key]
    if not path:
        return json.dumps(value)
    tree[path[-1]] = value
    return json.dumps(root)


@pytest.mark.parametrize(
    "text", ["exec:./make.sh", "exec:id", "python:run.py", "file://x.mjs:f", "a.sh", "x.py:f"]
)
def test_what_promptfoo_would_run_never_comes_in_nor_goes_out_as_such(text: str):
    with pytest.raises(Refused):
        known.read("a.promptfoo.yaml", json.dumps({"prompts": [text], "providers": ["openai:x"]}))
    document = Document(messages=(Message(role="user", content=text),))
    files, _ = known.write(known.FORMATS["promptfoo"], "a", document)
    written = files["a.promptfoo.yaml"].decode()
    assert f"raw: {text}" not in written
    assert '"role": "user"' in written  # a chat of one turn, which promptfoo only sends


WRONG = [None, True, 3, "x", [], {}, [[]], {"lc": 1}, ["a", 1], {"a": {"b": [None]}}, {"id": []}]
COLLECTIONS = sorted(CORPUS.glob("*.json"))


@pytest.mark.parametrize("file", COLLECTIONS, ids=lambda file: file.name)
def test_a_wrong_value_anywhere_is_a_sentence_or_a_prompt(file: Path):
    text = file.read_text()
    for path in places(json.loads(text)):
        for value in WRONG:
            with suppress(Refused):
                known.read(file.name, put(text, path, value))


@pytest.mark.parametrize("file", COLLECTIONS, ids=lambda file: file.name)
def test_an_address_anywhere_stays_out_of_everything_but_wording(file: Path):
    text = file.read_text()
    wording = {"messages", "name", "description", "tags", "variables", "testData"}
    for path in places(json.loads(text)):
        for value in ("http://10.9.8.7/v1", "${SECRET}", "file:///etc/10.9.8.7"):
            with suppress(Refused):
                for one in known.read(file.name, put(text, path, value))[1]:
                    tree = to_json(one.document)
                    left = {key: tree[key] for key in tree if key not in wording}
                    for tool in left.get("tools", []):
                        tool["function"].pop("name"), tool["function"].pop("description", None)
                    assert value not in json.dumps(left), (path, left)

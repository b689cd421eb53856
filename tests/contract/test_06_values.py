"""35–39: what is too old, wrong or missing."""

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sdk
from tests.contract.conftest import PATIENCE, STEADY, Refused


@pytest.mark.parametrize("on_stale", ["serve", "bundled", "raise"])
def test_35_what_is_too_old(connect, far, tmp_path, on_stale):
    lock = tmp_path / "prompts.lock.json"
    lock.write_text(json.dumps(far.document(["production"], [])))
    far.release("a/b", "Newer", 2)
    client = connect(max_stale=0.6, on_stale=on_stale, bundled=str(lock))
    assert client.version() == 2
    client.state("live")
    time.sleep(0.7)

    def is_young():
        said = client.get("a/b", default="Mine")
        return said["version"] == 2 and said["stale"] is False

    client.until(is_young)  # heartbeats keep it so
    far.stop()
    if on_stale == "serve":
        client.until(lambda: client.get("a/b")["stale"])
        assert client.version() == 2
        assert client.get("a/b")["age"] > 0.6
    elif on_stale == "bundled":
        client.until(lambda: client.version() == 1)
        assert client.get("a/b")["source"] == "bundled"
    else:
        client.until(lambda: client.get("a/b", default="Mine")["source"] == "default")
        with pytest.raises(Refused, match="max_stale") as caught:
            client.get("a/b")
        assert caught.value.kind == "PromptUnavailable"
    far.start()
    client.until(lambda: client.version(default="Mine") == 2)
    client.until(lambda: client.get("a/b")["stale"] is False)


def test_37_an_unknown_variable_is_said_once_and_by_what_it_looks_like(make, far, caplog):
    prompt = f"v/{type(far).__name__.lower()}"  # once in a process
    far.release(prompt, "{{ name }}")
    hub = make()
    for _ in range(3):
        assert hub.get_prompt(prompt).text(name="Ada", nmae="Bo") == "Ada"
    said = [one.getMessage() for one in caplog.records if one.name == "prompthub"]
    assert said == [f"Prompt Hub: {prompt} v1 has no variable `nmae`. Did you mean `name`?"]


def test_35_the_wall_clock_does_not_matter(make, monkeypatch):
    hub = make(max_stale=3600, on_stale="raise")
    hub.get_prompt("a/b")
    monkeypatch.setattr(time, "time", lambda: 4e9)
    time.sleep(0.2)
    assert hub.get_prompt("a/b").age() < 1e6


def test_36_a_wrong_name_is_said_at_once_with_what_looks_like_it(connect, far):
    far.release("support/triage", "x")
    client = connect(timing=STEADY)
    assert client.version() == 1
    client.state("live")
    asked = far.asked["snapshot"] + far.asked["prompts"]
    for wrong in ("support/triag", "support/trigae", "triage"):
        with pytest.raises(Refused, match=r"Did you mean support/triage\?") as caught:
            client.get(wrong)
        assert caught.value.kind == "PromptNotFound"
        assert caught.value.ms < PATIENCE * 500
    for _ in range(50):
        with pytest.raises(Refused):
            client.get("nothing/like-it")
    assert far.asked["snapshot"] + far.asked["prompts"] == asked


def test_37_variables_missing_wrong_or_unknown(connect, far):
    far.release(
        "v/v", "{{ name }} {{ count }}", 1,
        variables=[{"name": "name", "type": "text"}, {"name": "count", "type": "integer",
                   "default": 3}, {"name": "note", "required": False}],
    )  # fmt: skip
    client = connect()
    ok = [{"role": "user", "content": "Ada 3"}]
    assert client.render("v/v", variables={"name": "Ada"}) == ok
    assert client.render("v/v", variables={"name": "Ada", "unknown": 1}) == ok
    with pytest.raises(Refused) as caught:
        client.render("v/v", variables={})
    assert (caught.value.kind, caught.value.names) == ("MissingVariables", ["name"])
    with pytest.raises(Refused) as caught:
        client.render("v/v", variables={"name": "Ada", "count": "many"})
    assert (caught.value.kind, caught.value.names) == ("InvalidVariable", ["count"])


@pytest.mark.parametrize(
    "text",
    [
        "{{ x.__class__ }}", "{{ ''.__class__.__mro__ }}", "{{ x | attr('y') }}", "{{ f() }}",
        "{% import 'os' as os %}", "{{ self }}", "{% set a = 1 %}", "{{ x['__class__'].y }}" * 9000,
    ],
    ids=["class", "mro", "attr", "call", "import", "self", "set", "long"],
)  # fmt: skip
def test_38_a_template_that_reaches_out_is_refused(connect, far, text):
    far.release_refused("bad/one", text)
    client = connect()
    with pytest.raises(Refused) as caught:
        client.get("bad/one")
    assert caught.value.kind == "PromptUnavailable"
    assert client.version() == 1


def test_38_output_and_time_are_bounded(connect, far):
    loop = (
        "{% for a in xs %}{% for b in xs %}{% for c in xs %}x{% endfor %}{% endfor %}{% endfor %}"
    )
    far.release("bad/two", loop)
    client = connect()
    with pytest.raises(Refused) as caught:
        client.render("bad/two", variables={"xs": list(range(1000))})
    assert caught.value.kind == "TemplateError"
    assert caught.value.ms < 30_000  # all of it would take an hour


@given(
    parts=st.lists(st.text(st.characters(exclude_characters="{}", exclude_categories=["Cs"]),
                           max_size=20), min_size=1, max_size=4),
    values=st.lists(st.one_of(st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
                              st.integers(-9, 9), st.booleans(), st.none()), min_size=3,
                    max_size=3),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_39_both_ways_of_rendering_give_the_same_text(parts, values):
    text = "".join(f"{part}{{{{ v{number} }}}}" for number, part in enumerate(parts))
    names = {f"v{number}": values[number % 3] for number in range(len(parts))}

    def prompt(content):
        document = {"messages": [{"role": "user", "content": content}]}
        return sdk.Prompt.from_record({"name": "a", "version": 1, "document": document})

    plain, jinja = prompt(text), prompt("{% if true %}{% endif %}" + text)
    assert plain.text(**names) == jinja.text(**names)
    assert plain.fill(names) == jinja.fill(names)

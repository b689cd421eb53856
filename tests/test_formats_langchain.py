"""Files of LangChain: what its own `save` wrote, and examples inside a prompt (few-shot)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hub.registry.prompt.document import Document, Message
from hub.sync.formats import known
from hub.sync.formats.files import read_folder
from hub.sync.formats.report import Refused
from sdk import template
from tests.clients import in_python
from tests.test_cli import Command, command, data, done

__all__ = ["command", "data"]

SAVED = """
import warnings; warnings.simplefilter("ignore")
from langchain_core.prompts import FewShotPromptTemplate, PromptTemplate
each = PromptTemplate.from_template("Q: {q}\\nA: {a}")
few = FewShotPromptTemplate(
    examples=[{"q": "2+2", "a": "4"}, {"q": "the set {{1}}", "a": "one"}], example_prompt=each,
    prefix="Be {mood}.", suffix="Q: {asked}", example_separator="\\n--\\n")
for ending in ("json", "yaml"):
    few.save(f"{given}/sums-{ending}.{ending}")
PromptTemplate.from_template("Hello {name}").save(f"{given}/hello.json")
say(few.format(mood="kind", asked="{z}"))
"""


def test_what_langchain_saved_says_here_what_it_says_there(
    data: Path, command: Command, tmp_path: Path
):
    folder = tmp_path / "theirs"
    folder.mkdir()
    theirs = in_python(SAVED, str(folder))
    found = {one.name: one for one in read_folder(folder)}
    assert set(found) == {"hello", "sums-json", "sums-yaml"}
    for name in ("sums-json", "sums-yaml"):
        made = found[name].document
        assert made is not None, found[name].notes
        text = template.compile_text(made.messages[0].content, made.template)
        assert text.render({"mood": "kind", "asked": "{z}"}) == theirs
    report = done(command("import", folder, "--data", data, "--workspace", "main"))
    assert "→ sums-json: Read as LangSmith and LangChain Hub. Changed: examples (" in report


def part(name: str, **kwargs: Any) -> dict[str, Any]:
    return {"lc": 1, "type": "constructor", "id": ["langchain", "prompts", name], "kwargs": kwargs}


def text(words: str) -> dict[str, Any]:
    return part("PromptTemplate", template=words, template_format="f-string")


def chat(*turns: Any) -> dict[str, Any]:
    return part("ChatPromptTemplate", messages=list(turns))


EACH = chat(
    part("HumanMessagePromptTemplate", prompt=text("{q} {{!}}")),
    part("AIMessagePromptTemplate", prompt=text("{a}")),
)


def few(**more: Any) -> dict[str, Any]:
    rows = [{"q": "2+2", "a": "4"}, {"q": "{x}", "a": 7}]
    kwargs = {"examples": rows, "example_prompt": EACH} | more
    return part("FewShotChatMessagePromptTemplate", **kwargs)


def read(manifest: Any) -> Any:
    ((one,),) = known.read("a.json", json.dumps(manifest))[1:]
    return one


def test_examples_of_a_chat_are_turns_of_it():
    asked = part("HumanMessagePromptTemplate", prompt=text("{asked}"))
    made = read(chat(few(), asked))
    said = [(one.role, one.content) for one in made.document.messages]
    assert said == [
        ("user", "2+2 {!}"), ("assistant", "4"), ("user", "{x} {!}"), ("assistant", "7"),
        ("user", "{{ asked }}"),
    ]  # fmt: skip
    assert any("stand in the text itself" in one.why for one in made.notes.found)


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        ({"lc": 1, "type": "not_implemented", "id": ["langchain_core", "FewShotPromptTemplate"]},
         "no FewShotPromptTemplate into a manifest .* Save it with `prompt.save"),
        (chat({"lc": 1, "type": "not_implemented", "repr": "…",
               "id": ["langchain_core", "FewShotChatMessagePromptTemplate"]}),
         r"Put the turns that it makes \(`few_shot.format_messages\(\)`\) in its place"),
        (chat(few(example_selector={"k": 1})), "chooses examples by code at run time"),
        (chat(few(examples="rows.json")), "names another file. Put the examples themselves here"),
        (chat(few(examples=[{"q": "2+2"}])), r"`examples\[0\].a` must be a text or a number"),
        (chat(few(examples=[])), "must be a list of groups"),
        (chat(few(example_prompt=chat(few()))), "FewShotChatMessagePromptTemplate is not a kind"),
        (chat(few(examples=[{"q": "x" * 1000, "a": ""}] * 1100)), "longer than 1 MiB"),
        ({"_type": "prompt", "template_path": "a.txt"}, "`template_path` names another file"),
        ({"_type": "few_shot", "examples": [{"q": "1"}], "example_prompt": {"template": "{q.x}"}},
         "is more than a name"),
        ({"_type": "few_shot", "examples": [{}], "example_prompt": {
            "template": "{{ q }}", "template_format": "jinja2"}}, "that is an f-string"),
        ({"_type": "few_shot", "examples": [{}] * 200_000, "example_separator": "-" * 9_999,
          "example_prompt": {"template": "x"}}, "longer than 1 MiB"),
    ],
)  # fmt: skip
def test_what_cannot_come_in_says_what_to_do(manifest: Any, said: str):
    with pytest.raises(Refused, match=said):
        read(manifest)


def test_remarks_and_raw_do_not_keep_langchain_from_loading_it():
    """It loads no jinja2 by itself; what only fills in names need not be jinja2 there."""
    words = "{# of the desk #}Sort {{- ward }} as {% raw %}{{ JSON }}{% endraw %}."
    made = Document(messages=(Message(role="user", content=words),))
    files, notes = known.write(known.FORMATS["langsmith"], "sort", made)
    script = """
from langchain_core.load import loads
say(loads(given).invoke({"ward": "<3>"}).to_messages()[0].content)
"""
    theirs = in_python(script, files["sort.langsmith.json"].decode())
    assert (
        theirs == template.compile_text(words).render({"ward": "<3>"}) == "Sort<3> as {{ JSON }}."
    )
    assert "remarks, raw and the dashes beside braces are settled" in str(notes.sentences())
    looped = Document(messages=(Message(role="user", content="{% if a %}b{% endif %}"),))
    _, notes = known.write(known.FORMATS["langsmith"], "sort", looped)
    assert "written as jinja2, which LangChain's `load` refuses" in notes.sentences()[0]

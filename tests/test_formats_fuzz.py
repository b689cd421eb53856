"""Any bytes, and any tree of the words that formats know, into every importer: a prompt or a
sentence comes of it, never anything else. What became a prompt goes out in every format, or a
sentence says why not. `FUZZ=2000` for the long run."""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.registry.prompt.document import parse, serialise
from hub.sync.formats import known
from hub.sync.formats.files import Imported, read_folder
from hub.sync.formats.report import Refused
from hub.sync.importing import upload

TIMES = int(os.environ.get("FUZZ", "40"))
fuzz = settings(
    max_examples=TIMES, deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip

ENDINGS = [
    ".prompt.yml", ".prompty", ".prompt", ".json", ".langfuse.json", ".yaml", ".yml", ".py", ".js",
    ".ts", ".txt", ".md", ".csv",
]  # fmt: skip
KEYS = """name title displayName description version authors tags metadata model api configuration
type azure_deployment parameters temperature max_tokens stop tools tool_choice response_format
inputs outputs sample template format kind id options provider connection default example required
variant config input schema output ext properties items enum prompt labels commitMessage content
role messages manifest lc kwargs input_variables template_format optional partial_variables first
middle last steps bound bound_kwargs variable_name prompt_config prompts providers tests vars assert
value threshold metric defaultTest scenarios raw label evaluateOptions pmpt_1 variables
instructions text json_schema strict function arguments aliases model_config is_prompt promptHub
testData modelParameters jsonSchema responseFormat const anyOf $ref additionalProperties
history stopSequences maxOutputTokens top_p type_ handlebars mustache jinja2 f-string _type
examples example_prompt example_separator example_selector prefix suffix template_path""".split()
WORDS = [
    *"chat text placeholder chatmessage system user assistant tool object array string".split(),
    *"number jinja2 mustache f-string handlebars constructor langchain prompts {x}".split(),
    *("{{ x }}", "{{#if a}}b{{/if}}", "{% for a in b %}{% endfor %}"),
    *("system:\nBe kind\nuser:\n{{x}}", "file://a.txt", "${env:KEY}", "pmpt_1", "", " ", "\ud800"),
    *("a/b/../c", "\0", "\x85", "é\u0301", "latest", "---", "x" * 300, "2020-01-01", "~", "on"),
]  # fmt: skip
LANGCHAIN = ["langchain", "prompts", "chat", "ChatPromptTemplate", "langchain_core", "prompt",
             "PromptTemplate", "SystemMessagePromptTemplate", "MessagesPlaceholder",
             "FewShotPromptTemplate", "FewShotChatMessagePromptTemplate", "few_shot",
             "not_implemented"]  # fmt: skip
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from([10**400, 1e308, -0.0, 2**63]),
    st.sampled_from([*WORDS, *LANGCHAIN]), st.text(max_size=8),
)  # fmt: skip
NAMES = st.one_of(st.sampled_from([*KEYS]), st.text(max_size=4))
TREES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(NAMES, inner, max_size=6),
    ),
    max_leaves=25,
)
CODE = st.lists(
    st.sampled_from(
        ["client.responses.create(", ")", "prompt={", "}", '"id"', ":", '"pmpt_1"', ",", "'", '"',
         "prompt=", "variables", "version", "[", "]", "f", "\\", "\n", "input", "=", "const ", "`",
         "await ", "#", "//", "1", "e", "null", "None", '"""', "instructions", "é", "{", "messages"]
    ),
    max_size=30,
).map("".join)  # fmt: skip
FRONT = st.tuples(TREES, st.lists(st.sampled_from([*WORDS, "\n", '{{role "user"}}', "user:\n"]),
                                  max_size=8).map("".join))  # fmt: skip


def files_of(ending: str, data: bytes) -> list[Imported]:
    """What becomes of one file."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        (Path(folder) / f"some{ending}").write_bytes(data)
        found = read_folder(Path(folder))
    for one in found:
        assert one.notes or one.document is not None
        if one.document is not None:
            data = serialise(one.document)
            assert serialise(parse(data)) == data
            upload.as_found(one)
            for format_ in known.FORMATS.values():
                with suppress(Refused):
                    assert known.write(format_, one.name, one.document)[0]
    return found


def dumped(tree: Any, ending: str) -> bytes:
    if ending.endswith("json"):
        return json.dumps(tree).encode()
    text = yaml.dump(tree, allow_unicode=True)
    return text.encode("utf-8", "surrogatepass")


@fuzz
@given(ending=st.sampled_from(ENDINGS), data=st.binary(max_size=200))
def test_any_bytes(ending: str, data: bytes):
    files_of(ending, data)


@fuzz
@given(ending=st.sampled_from(ENDINGS), text=st.one_of(st.text(max_size=80), CODE))
def test_any_text(ending: str, text: str):
    files_of(ending, text.encode("utf-8", "surrogatepass"))


FEW = {
    "_type": "few_shot", "prefix": "Be {mood}.", "suffix": "Q: {x}", "example_separator": "--",
    "examples": [{"q": "1", "a": 2}], "example_prompt": {"template": "{q} {a}"},
}  # fmt: skip


@fuzz
@given(
    ending=st.sampled_from([".json", ".yaml"]),
    spoilt=st.dictionaries(st.sampled_from([*FEW, "template_format", "metadata"]), TREES),
)
def test_any_examples_of_langchain(ending: str, spoilt: Any):
    files_of(ending, dumped(FEW | spoilt, ending))


@fuzz
@given(ending=st.sampled_from([".json", ".yaml", ".prompt.yml"]), tree=TREES)
def test_any_tree(ending: str, tree: Any):
    files_of(ending, dumped(tree, ending))


@fuzz
@given(ending=st.sampled_from([".prompty", ".prompt"]), given_=FRONT)
def test_any_keys_before_any_text(ending: str, given_: tuple[Any, str]):
    tree, text = given_
    data = f"---\n{yaml.dump(tree, allow_unicode=True)}---\n{text}"
    files_of(ending, data.encode("utf-8", "surrogatepass"))

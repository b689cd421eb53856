"""Payloads that attackers publish, and templates that people write: the first get nowhere, the
second render as everywhere else."""

from pathlib import Path

import jinja2
import pytest
import yaml

from sdk.errors import PromptHubError, TemplateError
from sdk.template import compile_text

CORPUS = Path(__file__).parent / "corpus"
ATTACKS = [
    line
    for line in (CORPUS / "template_attacks.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("##")
]
ORDINARY = yaml.safe_load((CORPUS / "template_ordinary.yml").read_text(encoding="utf-8"))
VALUES = {"x": "a text", "y": "b", "user": {"name": "Ada"}, "rows": [1, 2], "a": 1, "b": 2}


def test_the_corpora_are_large_enough_to_mean_something():
    assert len(set(ATTACKS)) >= 200
    assert len({one["text"] + str(one["values"]) for one in ORDINARY}) >= 100


@pytest.mark.parametrize("payload", ATTACKS)
@pytest.mark.timeout(100)  # nothing here takes a tenth of a second
def test_an_attack_is_refused_with_a_sentence_or_stays_text(payload):
    try:
        text = compile_text(payload)
        out = text.render(VALUES)
    except PromptHubError as refusal:
        sentence = str(refusal)
        assert sentence.endswith(".") or "needs: " in sentence
        assert "Traceback" not in sentence
        assert "jinja2" not in sentence
    else:
        assert out == payload, "rendered something of the payload"


@pytest.mark.parametrize("payload", [one for one in ATTACKS if "__" in one])
def test_no_attack_reaches_a_dunder_even_inside_a_condition(payload):
    with pytest.raises(TemplateError):
        compile_text("{% if a %}" + payload + "{% endif %}").render(VALUES)


@pytest.mark.parametrize("one", ORDINARY, ids=lambda one: one["text"][:50])
def test_an_ordinary_template_renders_as_expected(one):
    assert compile_text(one["text"]).render(one["values"]) == one["gives"]
    if "ours" not in one:
        stock = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
        stock.policies["json.dumps_kwargs"] = {"sort_keys": False}
        assert stock.from_string(one["text"]).render(one["values"]) == one["gives"]

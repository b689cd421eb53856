"""Texts for clients that fill in a placeholder and nothing else."""

from __future__ import annotations

import pytest

from hub.registry.document import Document, Message
from hub.sync.foreign.flat import NeedsOurs, flattened
from sdk.template import compile_text

SNIPPETS = {
    "tone@1": "Be kind to {{ name }}.",
    "deep@2": 'Deep: {% include "tone@1" %}',
    "looped@1": "{% for x in rows %}{{ x }}{% endfor %}",
    "braces@1": "{% raw %}A {{ brace }}{% endraw %}",
    "quiet@1": "Nothing to fill in.\n",
}


def flat(text: str, template: str = "jinja") -> str:
    document = Document(messages=(Message(role="user", content=text),), template=template)  # type: ignore[arg-type]
    return flattened("a/b", document, SNIPPETS).messages[0].content


@pytest.mark.parametrize("text", [
    "Hello {{ name }}", "{{name}}{{ name }}", "No names at all", "One { brace } and {one}",
    '{% include "tone@1" %}', '{{ a }}\n{% include "tone@1" %}\n{{ b }}',
    '  {% include "quiet@1" %}  \nend', "{% include 'deep@2' %}, {{ name }}",
])  # fmt: skip
def test_it_renders_to_the_same_text(text: str):
    values = {"name": "Ada <&>", "a": "{{ b }}", "b": "{% x %}"}
    made = flat(text)
    assert "{%" not in made
    assert compile_text(made).render(values) == compile_text(text, snippets=SNIPPETS).render(values)


@pytest.mark.parametrize("text", [
    "{% if name %}x{% endif %}", "{{ name | upper }}", "{{ user.name }}", "{# a remark #}",
    '{% include "looped@1" %}', '{% include "braces@1" %}', '{% include "gone@1" %}',
    '{%- include "tone@1" -%}', '{ {%include "tone@1"%}{{ "{{" }}', "{{ '{{' }}", "{% raw %}{%",
])  # fmt: skip
def test_what_needs_more_is_refused(text: str):
    with pytest.raises(NeedsOurs, match="a/b uses"):
        flat(text)


def test_plain_text_stays_as_it_is():
    assert flat("{% if %} {{ {{ x", "plain") == "{% if %} {{ {{ x"

"""Texts that cannot be rendered: each is refused with a sentence that names its line."""

import pytest

from sdk.errors import TemplateError
from sdk.template import compile_text
from tests.test_template import render

CIRCLE = {"a@1": '{% include "b@1" %}', "b@1": '{% include "a@1" %}'}
CHAIN = {f"a{n}@1": f'{{% include "a{n + 1}@1" %}}' for n in range(9)}
BROKEN = {"s/a@1": "x\n{{ y.z() }}"}


@pytest.mark.parametrize(
    ("source", "snippets", "sentence"),
    [
        ('{% include "s/none@1" %}', {}, "There is no snippet s/none@1"),
        ('x\n{% include "s/a@1" %}', BROKEN, "Line 2: In the snippet s/a@1, line 2"),
        ('{% include "a@1" %}', CIRCLE, "itself"),
        ('{% include "a0@1" %}', CHAIN, "5 deep"),
    ],
)
def test_snippets_that_cannot_be_put_in_are_said(source, snippets, sentence):
    with pytest.raises(TemplateError) as refusal:
        compile_text(source, "jinja", snippets)
    assert sentence in str(refusal.value)


# ── sentences ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("source", "line", "sentence"),
    [
        ("ok\n{{ name", 2, "never closed"),
        ("a\nb\n{% if x %}", 3, "never closed"),
        ("{# ", 1, "comment"),
        ("x\n{#", 2, "comment"),
        ("{% raw %} x", 1, "`{% raw %}` is never closed"),
        ("{{ two words }}", 1, "Between `{{` and `}}` goes one variable"),
        ("\n{{ a | shout }}", 2, "There is no filter `shout`"),
        ("{% if a is nice %}{% endif %}", 1, "There is no test `nice`"),
        ("{{ a.b() }}", 1, "Calling something"),
        ("{% set a = 1 %}", 1, "`{% set %}` is not something a prompt can do"),
        ("{% unknown %}", 1, "`{% unknown %}` is not something a prompt can do"),
        ("{{ a * 2 }}", 1, "`*` cannot be used here"),
        ("{{ a | join(1, 2, 3) }}", 1, "cannot take what stands in its brackets"),
        ("{% for x in a %}{{ loop.size }}{% endfor %}", 1, "A loop has first, index"),
        ("{{ loop.index }}", 1, "between `{% for … %}` and `{% endfor %}` only"),
        ("{{ " + "9" * 5000 + " }}", None, "too long to be read"),
        ("{% include 'tone' %}", 1, "needs its version"),
        ("{%", 1, "cannot be read"),
        (
            "a\n{{ caller }}",
            2,
            "`caller` is a reserved word and cannot be the name of a variable."
            " Choose another, such as `my_caller`.",
        ),
        (
            "{% for self in rows %}{% endfor %}",
            1,
            "`self` is a reserved word and cannot be the name"
            " of a variable. Choose another, such as `my_self`.",
        ),
    ],
)
def test_a_mistake_is_explained_with_its_line(source, line, sentence):
    with pytest.raises(TemplateError) as refusal:
        compile_text(source)
    assert sentence in refusal.value.sentence
    assert refusal.value.line == line


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("\n\n{% if a > 'x' %}{% endif %}", "numbers go with numbers"),
        ("\n\n{% for x in word %}{% endfor %}", "A loop needs a list, and this is a text"),
        ("\n\n{% for x in a %}{% endfor %}", "A list is needed here, not a number"),
        ("\n\n{{ word | round }}", "A number is needed here, not the text “word”"),
        ("\n\n{{ a - word }}", "A number is needed here"),
        ("\n\n{% for x, y in rows %}{% endfor %}", "do not fit"),
        ("\n\n{{ a | items }}", "needs a dictionary"),
    ],
)
def test_values_that_do_not_fit_are_said_with_the_line(source, sentence):
    with pytest.raises(TemplateError) as refusal:
        render(source, a=1, word="word", rows=[1])
    assert sentence in refusal.value.sentence
    assert refusal.value.line == 3


def test_a_list_that_is_left_empty_is_an_empty_list():
    assert render("{% for x in rows %}{{ x }}{% else %}none{% endfor %}", rows=None) == "none"

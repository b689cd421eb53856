"""The template language: what people may write, what it gives, and what it costs at most."""

import enum
from decimal import Decimal
from types import MappingProxyType

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sdk.errors import InvalidVariable, MissingVariables, PromptHubError, TemplateError
from sdk.template import Text, _Full, compile_text

NAMES = ["name", "a", "b2", "long_name"]
MARKS = ["{{ name }}", "{{a}}", "{{\nb2 }}", "{{ long_name}}", "{", "}", "{{", "}}", "{%", "{#"]

scraps = st.sampled_from([*MARKS, " ", "\n", "\r\n", "\r", "x", "🩺", "\\", "%}", "#}", "{{ if }}"])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(
        st.characters(exclude_categories=["Cs"])), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


def render(source: str, /, snippets: dict[str, str] | None = None, **values: object) -> str:
    return compile_text(source, "jinja", snippets).render(values)


def outcome(make, values) -> str:
    try:
        return make().render(values)
    except PromptHubError as error:
        return f"{type(error).__name__}: {error}"


@given(
    st.lists(scraps | st.text(max_size=5), max_size=8).map("".join),
    st.dictionaries(st.sampled_from(NAMES), json_values),
)
@settings(max_examples=300, deadline=None)
@example("{{{ name }}}", {"name": "x"})
@example("{ {{ name }} }", {"name": "x"})
@example("{{ name }}\r\n{{ a }}\r", {"name": "x", "a": "\r\n"})
@example("{{ name }}{", {"name": "{ a }}"})
@example("{{ name }}", {"name": 10**400})
def test_the_fast_way_and_the_slow_way_give_the_same_text_or_the_same_refusal(source, values):
    try:
        fast = compile_text(source)
    except TemplateError:
        return
    if not fast.plain_path:
        return
    slow = _Full(source, None)
    assert (fast.variables, fast.includes) == (slow.variables, slow.includes)
    given = outcome(lambda: fast, values)
    if not given.startswith("MissingVariables"):
        assert given == outcome(lambda: slow, values)
    else:  # Jinja stops at the first one; ours names all
        assert outcome(lambda: slow, values).split(": ")[2] in given


@given(st.text())
@settings(max_examples=200, deadline=None)
def test_plain_text_comes_out_as_it_went_in(source):
    text = compile_text(source, "plain")
    assert text.render({}) == source
    assert text.variables == ()


@given(st.text(st.characters(exclude_characters="{")))
@settings(max_examples=100, deadline=None)
def test_a_template_without_marks_comes_out_as_it_went_in(source):
    assert render(source) == source
    assert _Full(source, None).render({}) == source


@given(st.lists(st.sampled_from([
    "{% if a %}", "{% elif b %}", "{% else %}", "{% endif %}", "{% for x in a %}", "{% endfor %}",
    "{{ x", " | ", "join", "(", ")", "'", '"', ".", "[", "]", "0", "}}", "a", "not", " ", "~", "in",
    "is", "loop.index", "{% raw %}", "{% endraw %}", "{#", "#}", '{% include "s/t@1" %}', "-%}",
    "\r\n", "==", "1e9", "\\ud800", "é",
]), max_size=12).map("".join), json_values)  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_anything_at_all_is_rendered_or_refused_with_a_sentence(source, value):
    def rendered() -> Text:
        text = compile_text(source, "jinja", {"s/t@1": "{{ a }}\n"})
        text.render({"a": value, "b": 1, "x": value}).encode()
        return text

    # Any other exception fails the test.
    assert outcome(rendered, {"a": value, "b": 1, "x": value}) is not None


# ── names ───────────────────────────────────────────────────────────────────────────────────────


def test_variables_are_named_in_order_of_first_use_without_those_of_loops():
    text = compile_text(
        "{{ greeting }} {% for row in rows if row.ok %}{{ row.name }} {{ unit }} {{ loop.index }}"
        "{% else %}{{ row }}{% endfor %}{% if vip %}{{ greeting }}{% endif %}"
    )
    assert text.variables == ("greeting", "rows", "unit", "row", "vip")
    assert text.plain_path is False


def test_what_is_only_asked_for_need_not_be_given():
    text = compile_text(
        "{{ name }}{% if city %}{{ city }}{% endif %}{% if not (old or very) %}!{% endif %}"
        "{{ nick | default('-') }}{{ 'x' if fun else 'y' }}{% if age is defined %}{{ age }}"
        "{% endif %}"
    )
    assert text.optional == {"city", "old", "very", "nick", "fun", "age"}
    assert text.render({"name": "Ada"}) == "Ada!-y"


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("{{ name }} {% if a %}{% endif %}", "name"),
        ("{{ user.city }}", "user.city"),
        ("{{ user.a.b['c'] }}", "user.a.b.c"),
        ("{{ rows[3].n }}", "rows[3].n"),
        ("{{ rows[-3] }}", "rows[-3]"),
        ("{{ city | upper }}", "city"),
        ("{{ 'a' | replace('a', city) }}", "city"),
        ("{% for x in city %}{% endfor %}", "city"),
        ("{{ 'x' ~ city }}", "city"),
        ("{{ city + 1 }}", "city"),
        ("{{ [city] | join }}", "city"),
        ("{% if city > 3 %}{% endif %}", "city"),
        ("{{ city | default(town) }}", "town"),
    ],
)
def test_a_missing_value_is_named_as_the_text_names_it(source, name):
    with pytest.raises(MissingVariables) as refusal:
        render(source, user={"a": {"b": {}}}, rows=[1])
    assert refusal.value.names == (name,)


def test_all_missing_names_are_said_at_once():
    with pytest.raises(MissingVariables) as refusal:
        render("{{ a }} {{ b }} {{ c }}", b="")
    assert refusal.value.names == ("a", "c")


@pytest.mark.parametrize(
    "name", ["self", "loop", "super", "true_", "none", "_x", "__class__", "é", "and", "range"]
)
def test_the_two_ways_agree_on_what_a_name_is(name):
    source = "{{ " + name + " }}"
    slow = outcome(lambda: _Full(source, None), {name: "v"})
    assert outcome(lambda: compile_text(source), {name: "v"}) == slow


# ── values ──────────────────────────────────────────────────────────────────────────────────────


class _Sly(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "secret"

    def upper(self) -> str:
        return "secret"

    __format__ = __repr__ = lambda self, *_: "secret"


class _Colour(enum.StrEnum):
    RED = "red"


class _Rank(enum.IntEnum):
    FIRST = 1


@pytest.mark.parametrize("source", ["{{ v }}", "{{ v | trim }}", "{% if v %}{{ v }}{% endif %}"])
def test_subclasses_bring_their_text_and_nothing_else(source):
    assert render(source, v=_Sly("open")) == "open"
    assert render(source, v=_Colour.RED) == "red"
    assert render(source, v=_Rank.FIRST) == "1"


@pytest.mark.parametrize("source", ["{{ v }}", "{{ v | upper }}"])
@pytest.mark.parametrize(
    "value",
    [object(), Decimal("1"), {1, 2}, b"x", {1: "a"}, [object()], {"a": {"b": len}}, float("nan"),
     float("inf"), 10**5000, "\ud800", {"\udfff": 1}],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_only_data_goes_in(source, value):
    with pytest.raises(InvalidVariable) as refusal:
        render(source, v=value)
    assert refusal.value.name == "v"
    assert "`v`" in str(refusal.value)


def test_values_that_the_text_does_not_use_are_not_looked_at():
    assert render("{{ a }}", a="1", app=object()) == "1"
    assert render("{{ a | trim }}", a="1", app=object()) == "1"


def test_a_value_nested_without_end_is_refused():
    deep: list[object] = []
    deep.append(deep)
    for source in ("{{ v }}", "{{ v | length }}"):
        with pytest.raises(InvalidVariable, match="nested more than 32 deep"):
            render(source, v=deep)


def test_read_only_and_tuple_values_are_as_good_as_lists_and_dictionaries():
    value = MappingProxyType({"rows": (1, 2)})
    assert render("{{ v }}", v=value) == '{"rows": [1, 2]}'
    assert render("{{ v.rows[1] }}", v=value) == "2"


def test_what_was_given_is_not_changed():
    rows = [{"n": 2}, {"n": 1}]
    render("{{ rows | sort(attribute='n') | reverse | tojson }}", rows=rows)
    assert rows == [{"n": 2}, {"n": 1}]


# ── lines and snippets ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_line_ends_stay_and_tags_alone_on_a_line_leave_none(end):
    lines = ["Dear {{ name }},", "{% if a %}", "yes", "{% endif %}", "{# no #}", "Bye", ""]
    assert render(end.join(lines), name="A", a=1) == end.join(["Dear A,", "yes", "Bye", ""])


def test_mixed_line_ends_stay_as_they_are():
    assert render("a\rb\n{% if a %}\r\nc\r\n{% endif %}d\r{{ a\r }}", a="1") == "a\rb\nc\r\nd\r1"


SNIPPETS = {"s/tone@2": "Be {{ tone }}.\n", "s/outer@1": 'Rules: {% include "s/tone@2" %}'}


def test_a_snippet_stands_where_it_is_included():
    text = compile_text('{{ a }} {% include "s/outer@1" %}\nEnd', "jinja", SNIPPETS)
    assert text.includes == ("s/outer@1", "s/tone@2")
    assert text.variables == ("a", "tone")
    assert text.render({"a": "1", "tone": "kind"}) == "1 Rules: Be kind.\nEnd"


def test_a_snippet_keeps_the_line_it_stands_on():
    assert render('A\n{% include "s/tone@2" %}\nB', SNIPPETS, tone="x") == "A\nBe x.\nB"
    assert render('A\r\n{% include "s/tone@2" %}\r\nB', SNIPPETS, tone="x") == "A\r\nBe x.\r\nB"
    assert render('({% include "s/tone@2" %})', SNIPPETS, tone="x") == "(Be x.)"
    assert render('A {%- include "s/tone@2" -%}\n B', SNIPPETS, tone="x") == "ABe x.B"


def test_a_snippet_sees_the_loop_it_stands_in():
    source = '{% for tone in tones %}{% include "s/tone@2" %} {% endfor %}'
    text = compile_text(source, "jinja", SNIPPETS)
    assert text.variables == ("tones",)
    assert text.render({"tones": ["a", "b"]}) == "Be a. Be b. "


def test_a_text_can_be_checked_without_its_snippets_but_not_rendered():
    text = compile_text('{{ a }}{% include "s/tone@2" %}')
    assert text.includes == ("s/tone@2",)
    assert text.variables == ("a",)
    with pytest.raises(TemplateError, match="s/tone@2 is not at hand"):
        text.render({"a": "1"})

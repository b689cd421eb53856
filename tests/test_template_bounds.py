"""What a template may cost: bombs end soon, with a sentence; ordinary texts meet no bound."""

import threading

import pytest

from sdk.errors import PromptHubError
from sdk.filters import FILTERS, FREE, TESTS
from sdk.template import Text, compile_text

ENDS = pytest.mark.timeout(100)  # against what would go on for hours; nothing takes a second
BIG = "x" * 1_000_000
ROWS = list(range(3000))
INCLUDES = {f"s{n}@1": f'{{% include "s{n + 1}@1" %}}' * 10 for n in range(4)} | {"s4@1": "x" * 900}


@pytest.mark.parametrize(
    "source",
    [
        "{{ big }}{{ big }}",
        "{% if a %}{{ big }}{{ big }}{% endif %}",
        "{{ " + "big ~ " * 4000 + "big }}",
        "{{ " + "big + " * 30 + "big }}",
        "{{ [" + "big, " * 4000 + "big] | tojson }}",
        "{{ [" + "big, " * 4000 + "big] }}",
        "{{ big | tojson" + " | tojson" * 35 + " }}",
        "{{ '\"' | tojson" + " | tojson" * 35 + " }}",
        "{{ big | replace('x', big) }}",
        "{{ rows | join(big) }}",
        "{{ big | replace('x', 'x\n') | indent(64) }}",
        "{{ big | escape | escape }}{{ big }}",
        "{% for a in rows %}" * 3 + "x" + "{% endfor %}" * 3,
        "{% for a in rows %}{% for b in rows %}{% endfor %}{% endfor %}",
        "{% for a in rows %}{{ big | upper | length }}{% endfor %}",
        "{% for a in rows %}{{ big | wordcount }}{% endfor %}",
        "{% for a in rows %}{% if big == other %}{% endif %}{% endfor %}",
        "{% for a in rows %}{% if other in big %}{% endif %}{% endfor %}",
        "{% for a in rows %}{{ rows | sort | first }}{% endfor %}",
        "{% for a in rows %}{% for b in rows[0:2] %}{% endfor %}{% endfor %}",
        "{% if a %}" * 200 + "{% endif %}" * 200,
        "{% for x in rows %}" * 4 + "{% endfor %}" * 4,
        "{{ " + "(" * 4000 + "a" + ")" * 4000 + " }}",
        "{{ " + "not " * 6000 + "a }}",
        "{{ " + "- " * 6000 + "a }}",
        "{{ " + "[" * 4000 + "]" * 4000 + " }}",
        "{{ a" + ".b" * 9000 + " }}",
        "{{ a" + "|trim" * 9000 + " }}",
        "{{ " + "a and " * 6000 + "a }}",
        "{{ " + "a if a else " * 4000 + "a }}",
        "{% if a %}{% endif %}" * 3000,
        "{{ a | upper }}" * 4500,
        "{% if a %}x" + "{% elif a %}x" * 4000 + "{% endif %}",
        "{{ a }}" + "{" * 60_000,
        "{%" * 30_000,
        "{{" * 30_000 + "\r",
        "{% if a %}{% endif %}" + "x" * 65_536,
        "{{ a }} {% if a %}" + "\r{%" * 20_000,
        "{% include 's0@1' %}",
        "{{ 1e308 + 1e308 }}",
        "{{ 1e308 | int }}" * 4000,
    ],
    ids=lambda source: source[:40],
)
@ENDS
def test_a_bomb_costs_little_and_says_what_it_was(source):
    values = {"a": 1, "big": BIG, "other": "x" * 999_999 + "y", "rows": ROWS}
    with pytest.raises(PromptHubError):
        assert len(compile_text(source, "jinja", INCLUDES).render(values)) < 0


def test_long_texts_with_names_alone_are_fine():
    source = "{{ a }} and then some\n" * 10_000
    assert len(source) > 200_000
    assert compile_text(source).render({"a": "b"}).startswith("b and then some\nb")


@pytest.mark.parametrize("source", ["{% if a %}x{% endif %}" * 800, "{{ a | upper }}\n" * 1200])
@ENDS
def test_what_people_may_write_renders_even_at_its_largest(source):
    assert compile_text(source).render({"a": "b"})[0] in "xB"


def refusal(text: Text, value: object) -> str:
    try:
        assert isinstance(text.render({"v": value}), str)
    except PromptHubError as error:
        return str(error)
    return ""


def test_every_filter_and_test_answers_any_value_with_a_value_or_a_sentence():
    values = [None, True, -1, 2.5, "", "text", "%0999999999d", "\n" * 9, [], [1, "a", None],
              {"a": 1}, [[1], {"b": 2}], [{"n": 1}, {"n": "x"}, 3], 10**300]  # fmt: skip
    calls = [f"{{{{ v | {name} }}}}" for name in FILTERS if name not in ("map", "replace")]
    calls += [f"{{{{ v is {name} }}}}" for name in TESTS]
    calls += ["{{ v | map(attribute='n') }}", "{{ v | replace(v, v) }}", "{{ v | indent(v) }}",
              "{{ v | truncate(v) }}", "{{ v | round(v) }}", "{{ v | tojson(v) }}",
              "{{ v | join(v, v) }}", "{{ v | sort(v, v, v) }}", "{{ v | default(v, v) }}",
              "{{ v ~ v }}{{ v == v }}", "{{ v + v }}", "{{ v - v }}", "{{ v < v }}",
              "{{ v in v }}", "{{ -v }}", "{{ v.a }}", "{{ v[0] }}"]  # fmt: skip
    for source in calls:
        text = compile_text("{% if v is defined %}" + source + "{% endif %}")
        for value in values:
            said = refusal(text, value)
            assert said == "" or said.endswith(".") or "needs: " in said
    assert set(FILTERS) >= FREE


def test_many_threads_may_render_a_text_for_the_first_time_at_once():
    came: list[str] = []

    def first(text: Text) -> None:
        came.append(text.render({"rows": [{"n": 1}]}))

    for _ in range(20):
        text = compile_text("{% for x in rows %}{{ x.n ~ '-' }}{% endfor %}")
        threads = [threading.Thread(target=first, args=[text]) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert came == ["1-"] * 160


def test_a_long_ward_list_with_many_columns_is_ordinary():
    rows = [{"name": f"Patient {n}", "bed": n, "notes": ["ate", "slept"] * 5} for n in range(400)]
    source = (
        "{% for row in rows | sort(attribute='bed', reverse=true) %}\n"
        "{{ loop.index }}/{{ rows | length }} {{ row.name | upper | truncate(30) }}\n"
        "{% for note in row.notes %}{{ note | capitalize | trim }}"
        "{% if not loop.last %}, {% endif %}{% endfor %}\n"
        "{% endfor %}{{ text | indent(2) }}{{ rows | tojson }}"
    )
    text = compile_text(source).render({"rows": rows, "text": "a long history\n" * 10_000})
    assert text.startswith("1/400 PATIENT 399\nAte, Slept")

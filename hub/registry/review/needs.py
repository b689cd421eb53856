"""Which variables a text cannot do without: those that it uses outside of every condition. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from jinja2 import nodes

from sdk.errors import TemplateError
from sdk.parse import parse

_ASKS = frozenset({"default", "d"})
"""Filters for a value that may be missing."""


def unconditional(text: str, snippets: Mapping[str, str]) -> set[str]:
    """Names that are always looked at; a snippet that is not at hand is left out.

    The text has been checked before.

    >>> sorted(unconditional("{{ a }} {% if b %}{{ c }}{% endif %} {{ d | default('') }}", {}))
    ['a']
    >>> sorted(unconditional("{% include 'tone@1' %}", {"tone@1": "Kindly, {{ ward | upper }}"}))
    ['ward']
    """
    found: set[str] = set()
    _body(parse(text).body, frozenset(), snippets, found)
    return found


def _body(
    body: Iterable[nodes.Node], known: frozenset[str], snippets: Mapping[str, str], found: set[str]
) -> None:
    for node in body:
        if isinstance(node, nodes.If):
            _asked(node.test, known, found)
        elif isinstance(node, nodes.For):
            _names(node.iter, known, found)
            targets = {one.name for one in [node.target, *node.target.find_all(nodes.Name)]
                       if isinstance(one, nodes.Name)}  # fmt: skip
            _body(node.body, known | targets | {"loop"}, snippets, found)
        elif isinstance(node, nodes.Include):
            key = str(node.template.value) if isinstance(node.template, nodes.Const) else ""
            others = {name: text for name, text in snippets.items() if name != key}
            try:
                _body(parse(snippets.get(key, "")).body, known, others, found)
            except TemplateError:  # rendering it says what is wrong
                continue
        else:
            _names(node, known, found)


def _names(node: nodes.Node, known: frozenset[str], found: set[str]) -> None:
    if isinstance(node, nodes.Name):
        found |= {node.name} - known
    elif isinstance(node, nodes.CondExpr):
        _asked(node.test, known, found)
    elif isinstance(node, nodes.Test) or (isinstance(node, nodes.Filter) and node.name in _ASKS):
        return
    else:
        for child in node.iter_child_nodes():
            _names(child, known, found)


def _asked(test: nodes.Node, known: frozenset[str], found: set[str]) -> None:
    """`{% if ward %}` needs no ward; `{% if ward | length > 3 %}` does."""
    if isinstance(test, (nodes.Not, nodes.And, nodes.Or)):
        for child in test.iter_child_nodes():
            _asked(child, known, found)
    elif not isinstance(test, nodes.Name):
        _names(test, known, found)

"""Which part of Jinja a prompt may use: every node of the parsed text is checked against a list.

Loaded when the first text needs more than `{{ name }}`, since importing Jinja takes a while.

    parse ──► Checker: refuses, collects names, puts snippets in ──► Rewriter ──► `sdk.machine` runs

What is not named here is refused, so a new version of Jinja brings nothing in by itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from inspect import signature
from typing import cast

from jinja2 import nodes

from sdk.errors import TemplateError
from sdk.filters import FILTERS, TESTS
from sdk.machine import LOOP, step
from sdk.parse import parse, unknown_tag
from sdk.template import DEEPEST_INCLUDES, RESERVED

MOST_SOURCE = 64 * 1024
MOST_EXPANDED = 256 * 1024
MOST_PARTS = 5_000
DEEPEST_BLOCKS = 8
DEEPEST_LOOPS = 3
DEEPEST_EXPRESSION = 40
_PINNED = re.compile(r"[a-z0-9][a-z0-9._/-]{0,199}@[1-9][0-9]{0,8}", re.ASCII)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)
Known = frozenset[str]


class Checker:
    """Walks a parsed text once: refuses what is not allowed, collects names, puts snippets in."""

    def __init__(self, snippets: Mapping[str, str] | None) -> None:
        self.variables: dict[str, None] = {}
        self.guarded: set[str] = set()
        self.includes: dict[str, None] = {}
        self.unknown: list[str] = []
        self._snippets = snippets
        self._open: list[str] = []
        self._parts = 0
        self._size = 0

    def tree(self, source: str) -> nodes.Template:
        """The checked tree, snippets in place; its loops count their turns."""
        try:
            tree = self._parse(source)
            tree.body = self._body(tree.body, frozenset(), 0, 0)
        except RecursionError:
            raise TemplateError("This is nested too deeply. Make it simpler.") from None
        return tree

    def _parse(self, source: str) -> nodes.Template:
        size = len(source.encode("utf-8", "surrogatepass"))
        self._size += size
        if size > MOST_SOURCE:
            raise TemplateError(
                "A text with conditions, loops or snippets may have 64 kB at the most. Shorten it, "
                "or set “Braces in the text” to “are just text”."
            )
        if self._size > MOST_EXPANDED:
            raise TemplateError("With all its snippets this text is longer than 256 kB. Use fewer.")
        return parse(source)

    def _body(
        self, body: Iterable[nodes.Node], known: Known, blocks: int, loops: int
    ) -> list[nodes.Node]:
        done: list[nodes.Node] = []
        for node in body:
            done += self._statement(node, known, blocks, loops)
        return done

    def _statement(
        self, node: nodes.Node, known: Known, blocks: int, loops: int
    ) -> list[nodes.Node]:
        self._count(node)
        if blocks > DEEPEST_BLOCKS:
            raise refused(node, f"Conditions and loops may be {DEEPEST_BLOCKS} deep, no deeper")
        if isinstance(node, nodes.Output):
            for part in node.nodes:
                if not isinstance(part, nodes.TemplateData):
                    self._expression(part, known, 0)
        elif isinstance(node, nodes.If):
            self._condition(cast("nodes.Expr", node.test), known)
            node.body = self._body(node.body, known, blocks + 1, loops)
            node.elif_ = cast("list[nodes.If]", self._body(node.elif_, known, blocks, loops))
            node.else_ = self._body(node.else_, known, blocks + 1, loops)
        elif isinstance(node, nodes.For):
            self._loop(node, known, blocks, loops)
        elif isinstance(node, nodes.Include):
            return self._include(node, known, blocks, loops)
        else:
            word = _TAGS.get(type(node).__name__, type(node).__name__.lower())
            raise refused(node, unknown_tag(word))
        return [node]

    def _loop(self, node: nodes.For, known: Known, blocks: int, loops: int) -> None:
        if loops >= DEEPEST_LOOPS:
            raise refused(node, f"Loops may be {DEEPEST_LOOPS} deep, no deeper")
        if node.recursive:
            raise refused(node, "A loop may not call itself")
        targets = node.target.items if isinstance(node.target, nodes.Tuple) else [node.target]
        names: set[str] = set()
        for target in targets:
            if not isinstance(target, nodes.Name):
                raise refused(node, "A loop needs a plain name, as in `{% for row in rows %}`")
            _check_name(node, target.name)
            names.add(target.name)
        before = self._parts
        self._expression(node.iter, known, 0)
        if node.test is not None:
            self._expression(node.test, known | names, 0)
        node.body = self._body(node.body, known | names | {"loop"}, blocks + 1, loops + 1)
        weight = nodes.Const(self._parts - before, lineno=node.lineno)
        node.iter = step("_turns", cast("nodes.Expr", node.iter), weight)
        node.else_ = self._body(node.else_, known, blocks + 1, loops)

    def _include(
        self, node: nodes.Include, known: Known, blocks: int, loops: int
    ) -> list[nodes.Node]:
        key = node.template.value if isinstance(node.template, nodes.Const) else None
        if not isinstance(key, str) or not _PINNED.fullmatch(key) or node.ignore_missing:
            raise refused(
                node, 'A snippet needs its version, as in `{% include "snippets/tone@3" %}`'
            )
        self.includes.setdefault(key)
        if key in self._open:
            raise refused(node, f"The snippet {key} includes itself")
        if len(self._open) >= DEEPEST_INCLUDES:
            raise refused(node, f"Snippets may be {DEEPEST_INCLUDES} deep, no deeper")
        if self._snippets is None:
            self.unknown.append(key)
            return []
        if key not in self._snippets:
            raise refused(node, f"There is no snippet {key}. Check its name and its version")
        self._open.append(key)
        try:
            # The line ending that ends a file is not part of what is put in.
            body = self._parse(self._snippets[key].removesuffix("\n").removesuffix("\r")).body
            return self._body(body, known, blocks, loops)
        except TemplateError as error:
            line = f"line {error.line}: " if error.line else ""
            raise TemplateError(
                f"In the snippet {key}, {line}{error.sentence}", node.lineno
            ) from None
        finally:
            self._open.pop()

    def _condition(self, node: nodes.Expr, known: Known) -> None:
        """What is only asked for (`{% if city %}`) need not be given."""
        self._expression(node, known, 0)
        self._guard(node, known)

    def _guard(self, node: nodes.Node, known: Known) -> None:
        if isinstance(node, nodes.Name):
            if node.name not in known:
                self.guarded.add(node.name)
        elif isinstance(node, (nodes.Not, nodes.And, nodes.Or)):
            for child in node.iter_child_nodes():
                self._guard(child, known)

    def _expression(self, node: nodes.Node, known: Known, depth: int) -> None:
        self._count(node)
        if depth > DEEPEST_EXPRESSION:
            raise refused(node, "This expression is nested too deeply")
        if isinstance(node, nodes.Name):
            self._name(node, known)
        elif isinstance(node, (nodes.Getattr, nodes.Getitem)):
            _check_look_up(node)
            if _is_loop(node, known):
                return
            if isinstance(node, nodes.Getitem):
                self._expression(node.node, known, depth + 1)
                return
        elif isinstance(node, (nodes.Filter, nodes.Test)):
            _check_call(node)
            if node.node is not None and node.name in _GUARDS:
                self._guard(node.node, known)
        elif isinstance(node, nodes.CondExpr):
            self._guard(node.test, known)
        elif isinstance(node, nodes.Const):
            _check_constant(node)
        elif type(node) not in _ALLOWED:
            raise refused(node, f"{_WHAT.get(type(node).__name__, 'This')} cannot be used here")
        for child in node.iter_child_nodes():
            self._expression(child, known, depth + 1)

    def _name(self, node: nodes.Name, known: Known) -> None:
        if node.name == "loop" and "loop" in known:
            raise refused(node, "Say which part of the loop, such as `loop.index`")
        if node.name in known:
            return
        if node.name == "loop":
            raise refused(node, "`loop` can be used between `{% for … %}` and `{% endfor %}` only")
        _check_name(node, node.name)
        self.variables.setdefault(node.name)

    def _count(self, node: nodes.Node) -> None:
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise refused(node, f"A text may have {MOST_PARTS:,} variables, conditions and so on")


def refused(node: nodes.Node, sentence: str) -> TemplateError:
    return TemplateError(f"{sentence}.", node.lineno)


def _check_name(node: nodes.Node, name: str) -> None:
    if name in RESERVED:
        raise refused(
            node,
            f"`{name}` is a reserved word and cannot be the name of a variable. Choose another, "
            f"such as `my_{name}`",
        )
    if not _NAME.fullmatch(name):
        raise refused(
            node,
            f"`{name}` cannot be the name of a variable. Use letters a to z, digits and _, and "
            "begin with a letter",
        )


def _is_loop(node: nodes.Getattr | nodes.Getitem, known: Known) -> bool:
    if not isinstance(node.node, nodes.Name) or node.node.name != "loop" or "loop" not in known:
        return False
    part = node.attr if isinstance(node, nodes.Getattr) else None
    if part not in LOOP:
        raise refused(node, f"A loop has {', '.join(sorted(LOOP))}")
    return True


def _check_look_up(node: nodes.Getattr | nodes.Getitem) -> None:
    if isinstance(node, nodes.Getattr):
        if node.attr.startswith("_"):
            raise refused(node, f"`.{node.attr}` cannot be looked up")
        return
    key = node.arg.node if isinstance(node.arg, nodes.Neg) else node.arg
    if not isinstance(key, nodes.Const) or type(key.value) not in (str, int):
        raise refused(
            node, 'In square brackets goes a number or a name in quotes, as in `["city"]`'
        )
    if isinstance(key.value, str) and key.value.startswith("__"):
        raise refused(node, f"`{key.value}` cannot be looked up")
    _check_constant(key)


def _check_constant(node: nodes.Const) -> None:
    value: object = node.value
    if isinstance(value, (int, float)) and not -1e300 < value < 1e300:
        raise refused(node, "This number is too large")
    if isinstance(value, str) and any("\ud800" <= one <= "\udfff" for one in value):
        raise refused(node, "This text holds half a character (a lone surrogate)")


def _check_call(node: nodes.Filter | nodes.Test) -> None:
    """The filter or test exists, and what stands in its brackets fits."""
    known: Mapping[str, Callable[..., object]] = FILTERS
    what = "filter"
    if isinstance(node, nodes.Test):
        known, what = TESTS, "test"
    if node.name not in known:
        raise refused(
            node,
            f"There is no {what} `{node.name}` in prompts; there are: {', '.join(sorted(known))}",
        )
    if node.dyn_args is not None or node.dyn_kwargs is not None:
        raise refused(node, f"Give `{node.name}` its values one by one")
    if not _fits(known[node.name], len(node.args), tuple(str(one.key) for one in node.kwargs)):
        raise refused(node, f"`{node.name}` cannot take what stands in its brackets")


@lru_cache(500)  # a long text asks the same again and again
def _fits(function: Callable[..., object], count: int, names: tuple[str, ...]) -> bool:
    try:
        signature(function).bind(*[None] * (count + 1), **dict.fromkeys(names))
    except TypeError:
        return False
    return True


_GUARDS = frozenset("default d defined undefined none".split())
_ALLOWED: frozenset[type[nodes.Node]] = frozenset(
    (
        nodes.Add, nodes.And, nodes.Compare, nodes.Concat, nodes.Keyword, nodes.List, nodes.Neg,
        nodes.Not, nodes.Operand, nodes.Or, nodes.Sub, nodes.Tuple,
    )
)  # fmt: skip
_TAGS = {"Assign": "set", "AssignBlock": "set", "CallBlock": "call", "FilterBlock": "filter",
         "FromImport": "from", "ScopedEvalContextModifier": "autoescape"}  # fmt: skip
_WHAT = {
    "Call": "Calling something with `( )`", "Mul": "`*`", "Pow": "`**`", "Div": "`/`",
    "FloorDiv": "`//`", "Mod": "`%`", "Pos": "`+` before a value",
    "Slice": "A slice such as `[1:2]`", "Dict": "A dictionary in braces",
}  # fmt: skip

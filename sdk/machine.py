"""Runs a checked text: look-ups in data, counted loops, bounded work and output.

Nothing here decides what a prompt may say (`sdk.grammar` does); it keeps what it says harmless.
Jinja's own ways to reach attributes or call things are closed all the same, as a second wall.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, cast

from jinja2 import Undefined, nodes
from jinja2.environment import Template
from jinja2.exceptions import TemplateError as JinjaError
from jinja2.exceptions import UndefinedError
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import SandboxedEnvironment
from jinja2.utils import pass_context
from jinja2.visitor import NodeTransformer

from sdk.errors import MissingVariables, TemplateError
from sdk.filters import FILTERS, FREE, HEAVY, OURS, TESTS
from sdk.values import MOST_OUTPUT, TOO_LONG, show, weigh

MOST_TURNS = 10_000
MOST_WORK = 8 * 1024 * 1024
LOOP = frozenset("index index0 revindex revindex0 first last length".split())
"""What a loop tells about itself."""
_FILE = "<prompt>"


class _Budget:
    """What one rendering may still spend."""

    __slots__ = ("turns", "work")

    def __init__(self) -> None:
        self.turns = MOST_TURNS
        self.work = MOST_WORK

    def spend(self, work: int) -> None:
        self.work -= work
        if self.work < 0:
            raise TemplateError("Filling in this text takes too much work. Make its loops smaller.")


class Missing(Undefined):
    """A value that is not there: false in a condition, an error that names it anywhere else."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        return str(self._undefined_name)

    def _fail(self, *_: object) -> Any:
        raise UndefinedError(self._undefined_message)

    __str__ = __iter__ = __len__ = _fail


class Environment(SandboxedEnvironment):
    """Jinja's sandbox with its doors to attributes and calls closed."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        raise TemplateError("Attributes cannot be read in a prompt.")

    def getitem(self, obj: Any, argument: Any) -> Any:
        raise TemplateError("Attributes cannot be read in a prompt.")

    def call(self, *_: Any, **__: Any) -> Any:
        raise TemplateError("Nothing can be called in a prompt.")


class _KeepLine(Extension):
    """The line break after `{% include %}` stays: a snippet is text, not a tag without trace."""

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        before, including = "", False
        for token in stream:
            yield token
            if before == "block_begin":
                including = token.value == "include"
            if token.type == "block_end" and including:
                including = False
                if token.value.endswith("\n") and not token.value.startswith("-"):
                    yield Token(token.lineno, "data", "\n")
            before = token.type


def _look_up(value: object, key: object, path: str) -> object:
    """Data only: a key of a dictionary, a place in a list, a part of the loop."""
    if isinstance(value, LoopContext):
        return getattr(value, str(key)) if key in LOOP else Missing(name=path)
    if isinstance(value, dict) and key in value:
        return cast("dict[object, object]", value)[key]
    if isinstance(value, (list, tuple)) and type(key) is int:
        items = cast("list[object]", value)
        if -len(items) <= key < len(items):
            return items[key]
    return Missing(name=path)


@pass_context
def _turns(context: Context, value: object, weight: int) -> list[Any]:
    budget = _budget(context)
    if value is None:
        return []
    if isinstance(value, str):
        raise TemplateError("A loop needs a list, and this is a text.")
    items = list(cast("Any", value)) if isinstance(value, Undefined) else _items(value)
    budget.turns -= len(items)
    if budget.turns < 0:
        raise TemplateError(f"The loops would turn more than {MOST_TURNS:,} times. Shorten them.")
    budget.spend(len(items) * weight)
    return items


def _items(value: object) -> list[Any]:
    return cast("list[Any]", FILTERS["list"](value))


@pass_context
def _weighed(context: Context, value: object) -> object:
    """One side of a comparison: comparing two long texts ten thousand times takes a while."""
    if not isinstance(value, Undefined):
        _budget(context).spend(weigh(value, MOST_WORK) // 16)
    return value


def _budget(context: Context) -> _Budget:
    return cast("_Budget", context.parent["_budget"])


def _counted(name: str, function: Callable[..., object]) -> Callable[..., object]:
    """The filter, paid for, and never handed what is missing."""
    fills_in = name in ("default", "d")
    times = 4 if name in HEAVY else 1

    @pass_context
    def call(context: Context, value: object, *args: object, **kwargs: object) -> object:
        for one in args if fills_in else (value, *args, *kwargs.values()):
            if isinstance(one, Undefined) and not fills_in:
                raise UndefinedError(str(cast("Any", one)._undefined_name))
        _budget(context).spend(1 if name in FREE else times * weigh(value, MOST_WORK))
        return function(value, *args, **kwargs)

    return call


def _finish(value: object) -> str:
    return str(value) if isinstance(value, Undefined) else show(value)


class _Rewriter(NodeTransformer):
    """Puts our own steps where Jinja would read an attribute or join without bound."""

    def visit_Getattr(self, node: nodes.Getattr) -> nodes.Node:
        return self._step(node, "_look_up", node.node, nodes.Const(node.attr), _path(node))

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:
        return self._step(node, "_look_up", node.node, node.arg, _path(node))

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        return self._step(node, "_concat", nodes.List(node.nodes))

    def visit_Add(self, node: nodes.Add) -> nodes.Node:
        return self._step(node, "_add", node.left, node.right)

    def visit_Sub(self, node: nodes.Sub) -> nodes.Node:
        return self._step(node, "_subtract", node.left, node.right)

    def visit_CondExpr(self, node: nodes.CondExpr) -> nodes.Node:
        node.expr2 = node.expr2 or nodes.Const("")
        return self.generic_visit(node)

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:
        node.expr = step("_weighed", node.expr)
        for operand in node.ops:
            operand.expr = step("_weighed", operand.expr)
        return self.generic_visit(node)

    def _step(
        self, node: nodes.Node, name: str, value: nodes.Expr, *args: nodes.Expr
    ) -> nodes.Node:
        made = step(name, value, *args)
        made.set_lineno(node.lineno)
        return self.generic_visit(made)


def step(name: str, value: nodes.Expr, *args: nodes.Expr) -> nodes.Filter:
    """A step of our own in the tree, under a name that nobody can write."""
    return nodes.Filter(value, name, list(args), [], None, None, lineno=value.lineno)


def _path(node: nodes.Getattr | nodes.Getitem) -> nodes.Const:
    """How the text itself names the value: `user.city`, `rows[0]`."""
    parts: list[str] = []
    at: nodes.Node = node
    while isinstance(at, (nodes.Getattr, nodes.Getitem)):
        if isinstance(at, nodes.Getattr):
            parts.append(f".{at.attr}")
        else:
            key = at.arg.node if isinstance(at.arg, nodes.Neg) else at.arg
            shown = key.value if isinstance(key, nodes.Const) else "…"
            sign = "-" if isinstance(at.arg, nodes.Neg) else ""
            parts.append(f".{shown}" if isinstance(shown, str) else f"[{sign}{shown}]")
        at = at.node
    start = at.name if isinstance(at, nodes.Name) else "value"
    return nodes.Const(start + "".join(reversed(parts)))


def _environment() -> Environment:
    environment = Environment(
        undefined=Missing,
        finalize=_finish,
        extensions=[_KeepLine],
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        optimized=False,
        cache_size=0,
    )
    counted = {name: _counted(name, each) for name, each in {**FILTERS, **OURS}.items()}
    steps = {"_look_up": _look_up, "_turns": _turns, "_weighed": _weighed}
    environment.filters = cast("Any", {**counted, **steps})
    environment.tests = cast("Any", dict(TESTS))
    environment.globals = {}
    return environment


ENVIRONMENT = _environment()


def load(tree: nodes.Template) -> Template:
    """Python code for a checked tree."""
    tree = cast("nodes.Template", _Rewriter().visit(tree))
    tree.set_environment(ENVIRONMENT)
    try:
        code = ENVIRONMENT.compile(tree, _FILE, _FILE)
    except (RecursionError, SyntaxError, MemoryError, JinjaError):
        raise TemplateError("This text is too involved. Make it simpler.") from None
    return Template.from_code(ENVIRONMENT, code, {})


def run(template: Template, values: Mapping[str, object]) -> str:
    """The finished text; `values` are checked already.

    Raises:
        MissingVariables: something that is printed has no value.
        TemplateError: too many turns, too much work or output, or values that do not fit.
    """
    out: list[str] = []
    size = 0
    try:
        context = template.new_context({**values, "_budget": _Budget()})
        for piece in template.root_render_func(context):
            size += len(piece)
            if size > MOST_OUTPUT:
                raise TemplateError(TOO_LONG)
            out.append(piece)
    except UndefinedError as error:
        raise MissingVariables("This text", (str(error),)) from None
    except TemplateError as error:
        raise TemplateError(error.sentence, _line(template, error.__traceback__)) from None
    except (JinjaError, TypeError, ValueError, OverflowError, RecursionError) as error:
        line = _line(template, error.__traceback__)
        raise TemplateError(
            "The values do not fit what is done with them here: numbers go with numbers, texts "
            "with texts, lists with loops.",
            line,
        ) from None
    return "".join(out)


def _line(template: Template, trace: TracebackType | None) -> int | None:
    """The line of the prompt in which it happened."""
    line = None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == _FILE:
            line = template.get_corresponding_lineno(trace.tb_lineno)
        trace = trace.tb_next
    return line

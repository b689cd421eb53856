"""The prompts' template language: a small, safe part of Jinja, one file for hub and SDK.

    Hello {{ name }}                            a variable
    {{ user.city }}  {{ rows[0] }}              a look-up in data (never an attribute)
    {% if urgent %}…{% elif …%}…{% else %}…{% endif %}
    {% for row in rows %}{{ loop.index }}. {{ row }}{% endfor %}
    {{ names | join(", ") }}                    a filter, from the list below
    {% include "snippets/tone@3" %}             a snippet, by pinned version
    {# a comment #}   {% raw %}…{% endraw %}

The text is parsed by Jinja and every node checked against a list of what is allowed, when it is
saved and again when it is rendered; Jinja's sandbox is the second wall. Nothing can be called, no
attribute read, and source, nesting, loops and output are bounded. A block tag alone on its line
leaves no empty line behind (`trim_blocks`, `lstrip_blocks`).

Values are JSON: text prints as it is, `None` prints nothing, everything else prints as JSON.
Text with nothing but `{{ name }}` is rendered without Jinja, about twenty times faster, with the
same result.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from json import dumps
from typing import TYPE_CHECKING, Any, Literal, cast

from sdk.errors import InvalidVariable, MissingVariables, TemplateError

if TYPE_CHECKING:
    from jinja2 import nodes
    from jinja2.environment import Template
    from jinja2.runtime import Context
    from jinja2.sandbox import SandboxedEnvironment

Kind = Literal["jinja", "plain"]

MOST_SOURCE = 64 * 1024
MOST_OUTPUT = 1024 * 1024
MOST_TURNS = 10_000
DEEPEST_BLOCKS = 8
DEEPEST_LOOPS = 3
DEEPEST_INCLUDES = 5
DEEPEST_EXPRESSION = 24
DEEPEST_VALUE = 32

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)
_SIMPLE = re.compile(r"\{\{[ \t\n]*([A-Za-z][A-Za-z0-9_]*)[ \t\n]*\}\}", re.ASCII)
_PINNED = re.compile(r"[a-z0-9][a-z0-9._/-]*@[1-9][0-9]*", re.ASCII)
# Words that Jinja reads as values, operators or its own helpers, not as our variables.
_RESERVED = frozenset(
    "true false none True False None and or not in is if else self loop super caller varargs "
    "kwargs range dict lipsum cycler joiner namespace".split()
)


class Text:
    """One text, ready to be rendered.

    Attributes:
        variables: names a caller has to give, in order of first use.
        includes: snippets by pinned version, `snippets/tone@3`.
        plain_path: whether rendering needs no Jinja.
    """

    __slots__ = ("_pieces", "_template", "includes", "plain_path", "variables")

    def __init__(
        self,
        variables: tuple[str, ...],
        includes: tuple[str, ...] = (),
        pieces: tuple[str, ...] | None = None,
        template: Callable[[], Template] | None = None,
    ) -> None:
        self.variables = variables
        self.includes = includes
        self.plain_path = pieces is not None
        self._pieces = pieces or ()
        self._template = template

    def render(self, values: Mapping[str, object]) -> str:
        """The text with `values` filled in.

        Raises:
            MissingVariables: a variable that is used has no value.
            InvalidVariable: a value is not JSON.
            TemplateError: too many turns, too much output, or a snippet whose text is not at hand.
        """
        if self._template is None:
            return self._fill(values)
        return _render(self._template(), self.variables, values)

    def _fill(self, values: Mapping[str, object]) -> str:
        names = self.variables
        if not names:
            return self._pieces[0] if self._pieces else ""
        out: list[str] = []
        for at, piece in enumerate(self._pieces):
            if at % 2 == 0:
                out.append(piece)
                continue
            try:
                value = values[piece]
            except KeyError:
                missing = tuple(name for name in names if name not in values)
                raise MissingVariables("This text", missing) from None
            out.append(value if type(value) is str else _show(_checked(piece, value)))
        text = "".join(out)
        if len(text) > MOST_OUTPUT + sum(map(len, self._pieces)):
            raise _too_long()
        return text


def compile_text(
    source: str, kind: Kind = "jinja", snippets: Mapping[str, str] | None = None
) -> Text:
    """Check `source` and make it ready.

    Args:
        source: the text of one message.
        kind: `plain` text has no template language; braces are just braces.
        snippets: texts of included snippets by `name@version`. Without them the text is checked
            all the same, and can be rendered unless it includes something.

    Raises:
        TemplateError: the text is not a template we render.
    """
    if kind == "plain":
        return Text((), (), (source,))
    pieces = _SIMPLE.split(source)
    rest = "".join(pieces[::2])
    if "{{" not in rest and "{%" not in rest and "{#" not in rest:
        names = tuple(dict.fromkeys(pieces[1::2]))
        if not _RESERVED.intersection(names) and not _joins_a_mark(pieces):
            return Text(names, (), tuple(pieces))
    return _compile(source, snippets)


def _joins_a_mark(pieces: list[str]) -> bool:
    """`{{{ name }}}` looks simple piece by piece, but Jinja reads it otherwise."""
    return any(piece.endswith("{") for piece in pieces[:-1:2]) or any(
        piece.startswith("}") for piece in pieces[2::2]
    )


# ── the slow path: parse, check, compile ────────────────────────────────────────────────────────


def _compile(source: str, snippets: Mapping[str, str] | None) -> Text:
    checker = _Checker(snippets)
    tree = checker.tree(source)
    made: list[Template] = []

    def template() -> Template:
        if checker.unknown:
            raise TemplateError(
                f"The text of the snippet {checker.unknown[0]} is not at hand, so this cannot be "
                "rendered."
            )
        if not made:
            made.append(_load(tree))
        return made[0]

    return Text(tuple(checker.variables), tuple(checker.includes), None, template)


def _load(tree: nodes.Template) -> Template:
    environment = _environment()
    from jinja2.environment import Template

    code = environment.compile(tree, "prompt", "prompt")
    return Template.from_code(environment, code, environment.make_globals(None))


def _parse(source: str) -> nodes.Template:
    from jinja2.exceptions import TemplateSyntaxError

    if len(source.encode("utf-8", "surrogatepass")) > MOST_SOURCE:
        raise TemplateError(
            "A text with conditions, loops or snippets may have 64 kB at the most. Shorten it, or "
            "set “Braces in the text” to “are just text”."
        )
    # Jinja turns CRLF into LF; a prompt keeps its bytes. The mark is put back in `_data`.
    kept = source.replace("\r", _mark(source)) if "\r" in source else source
    try:
        tree = _environment().parse(kept)
    except TemplateSyntaxError as error:
        raise TemplateError(_syntax(error.message or ""), error.lineno) from None
    except RecursionError:
        raise TemplateError("This is nested too deeply.") from None
    if kept is not source:
        _restore(tree, _mark(source))
    return tree


def _mark(source: str) -> str:
    """A private character that the text does not hold."""
    return next(chr(code) for code in range(0xE000, 0xF8FF) if chr(code) not in source)


def _restore(tree: nodes.Node, mark: str) -> None:
    from jinja2 import nodes

    for node in tree.find_all((nodes.TemplateData, nodes.Const)):
        held = node.data if isinstance(node, nodes.TemplateData) else node.value
        if isinstance(held, str) and mark in held:
            setattr(node, node.fields[0], held.replace(mark, "\r"))


def _syntax(message: str) -> str:
    """Jinja's own words, where they would puzzle a person, in ours."""
    if "Encountered unknown tag" in message:
        tag = message.split("'")[1]
        return f"`{{% {tag} %}}` is not something a prompt can do. Known: if, for, include, raw."
    if "Unexpected end of template" in message or "unexpected 'end of template'" in message:
        return "Something that was opened is never closed: look for a missing `}}` or `{% end… %}`."
    if "end of print statement" in message:
        return "Between `{{` and `}}` goes one variable, such as `{{ name }}`."
    return f"The marks cannot be read ({message.rstrip('.')})."


class _Checker:
    """Walks a parsed text once: refuses what is not allowed, collects names, puts snippets in."""

    def __init__(self, snippets: Mapping[str, str] | None) -> None:
        self.snippets = snippets
        self.variables: dict[str, None] = {}
        self.includes: dict[str, None] = {}
        self.unknown: list[str] = []
        self._open: list[str] = []

    def tree(self, source: str) -> nodes.Template:
        tree = _parse(source)
        try:
            tree.body = self._body(tree.body, frozenset(), 0, 0)
        except RecursionError:
            raise TemplateError("This is nested too deeply.") from None
        return tree

    def _body(
        self, body: list[nodes.Node], known: frozenset[str], blocks: int, loops: int
    ) -> list[nodes.Node]:
        done: list[nodes.Node] = []
        for node in body:
            done += self._statement(node, known, blocks, loops)
        return done

    def _statement(
        self, node: nodes.Node, known: frozenset[str], blocks: int, loops: int
    ) -> list[nodes.Node]:
        from jinja2 import nodes

        if blocks > DEEPEST_BLOCKS:
            raise _refused(node, f"Conditions and loops may be {DEEPEST_BLOCKS} deep, no deeper")
        if isinstance(node, nodes.Output):
            for part in node.nodes:
                if not isinstance(part, nodes.TemplateData):
                    self._expression(part, known, 0)
            return [node]
        if isinstance(node, nodes.If):
            self._expression(node.test, known, 0)
            node.body = self._body(node.body, known, blocks + 1, loops)
            node.elif_ = cast("list[nodes.If]", self._body(list(node.elif_), known, blocks, loops))
            node.else_ = self._body(node.else_, known, blocks + 1, loops)
            return [node]
        if isinstance(node, nodes.For):
            return [self._loop(node, known, blocks, loops)]
        if isinstance(node, nodes.Include):
            return self._include(node, known, blocks, loops)
        raise _refused(node, f"`{type(node).__name__.lower()}` is not something a prompt can do")

    def _loop(self, node: nodes.For, known: frozenset[str], blocks: int, loops: int) -> nodes.For:
        from jinja2 import nodes

        if loops >= DEEPEST_LOOPS:
            raise _refused(node, f"Loops may be {DEEPEST_LOOPS} deep, no deeper")
        if node.recursive:
            raise _refused(node, "A loop may not call itself")
        targets = node.target.items if isinstance(node.target, nodes.Tuple) else [node.target]
        names: set[str] = set()
        for target in targets:
            if not isinstance(target, nodes.Name) or not _usable(target.name):
                raise _refused(node, "A loop needs a plain name, as in `{% for row in rows %}`")
            names.add(target.name)
        self._expression(node.iter, known, 0)
        node.iter = nodes.Filter(
            node.iter, "turns", [], [], None, None, lineno=node.lineno, environment=node.environment
        )
        inside = known | names | {"loop"}
        if node.test is not None:
            self._expression(node.test, known | names, 0)
        node.body = self._body(node.body, inside, blocks + 1, loops + 1)
        node.else_ = self._body(node.else_, known, blocks + 1, loops)
        return node

    def _include(
        self, node: nodes.Include, known: frozenset[str], blocks: int, loops: int
    ) -> list[nodes.Node]:
        from jinja2 import nodes

        key = node.template.value if isinstance(node.template, nodes.Const) else None
        if not isinstance(key, str) or not _PINNED.fullmatch(key):
            raise _refused(
                node,
                'A snippet needs its version, as in `{% include "snippets/tone@3" %}`',
            )
        self.includes.setdefault(key)
        if key in self._open:
            raise _refused(node, f"The snippet {key} includes itself")
        if len(self._open) >= DEEPEST_INCLUDES:
            raise _refused(node, f"Snippets may be {DEEPEST_INCLUDES} deep, no deeper")
        if self.snippets is None or key not in self.snippets:
            self.unknown.append(key)
            return []
        self._open.append(key)
        try:
            body = _parse(self.snippets[key]).body
            return self._body(body, known, blocks + 1, loops)
        except TemplateError as error:
            raise TemplateError(f"In the snippet {key}: {error.sentence}", node.lineno) from None
        finally:
            self._open.pop()

    def _expression(self, node: nodes.Node, known: frozenset[str], depth: int) -> None:
        from jinja2 import nodes

        if depth > DEEPEST_EXPRESSION:
            raise _refused(node, "This expression is nested too deeply")
        if isinstance(node, nodes.Name):
            self._name(node, known)
        elif isinstance(node, nodes.Filter):
            _known(node, node.name, FILTERS, "filter")
            _fixed(node)
        elif isinstance(node, nodes.Test):
            _known(node, node.name, TESTS, "test")
            _fixed(node)
        elif isinstance(node, (nodes.Getattr, nodes.Getitem)):
            _look_up(node)
        elif not isinstance(node, _allowed()):
            raise _refused(node, f"{_what(node)} cannot be used in a prompt")
        for child in node.iter_child_nodes():
            self._expression(child, known, depth + 1)

    def _name(self, node: nodes.Name, known: frozenset[str]) -> None:
        if node.name in known:
            return
        if not _usable(node.name):
            raise _refused(node, f"`{node.name}` cannot be the name of a variable")
        self.variables.setdefault(node.name)


def _usable(name: str) -> bool:
    return _NAME.fullmatch(name) is not None and name not in _RESERVED


def _refused(node: nodes.Node, sentence: str) -> TemplateError:
    return TemplateError(f"{sentence}.", node.lineno)


@cache
def _allowed() -> tuple[type[nodes.Node], ...]:
    from jinja2 import nodes

    return (
        nodes.TemplateData,
        nodes.Const,
        nodes.List,
        nodes.Tuple,
        nodes.Compare,
        nodes.Operand,
        nodes.And,
        nodes.Or,
        nodes.Not,
        nodes.CondExpr,
        nodes.Neg,
    )


_WHAT = {
    "Call": "A call such as `f(x)`",
    "Concat": "`~`",
    "Mul": "`*`",
    "Pow": "`**`",
    "Add": "`+`",
    "Sub": "`-`",
    "Div": "`/`",
    "FloorDiv": "`//`",
    "Mod": "`%`",
    "Slice": "A slice such as `[1:2]`",
    "Dict": "A dictionary",
}


def _what(node: nodes.Node) -> str:
    kind = type(node).__name__
    return _WHAT.get(kind, f"`{kind.lower()}`")


def _known(node: nodes.Node, name: str, names: Mapping[str, object], what: str) -> None:
    if name not in names:
        raise _refused(
            node, f"There is no {what} `{name}` in prompts; there are: {', '.join(sorted(names))}"
        )


def _fixed(node: nodes.Filter | nodes.Test) -> None:
    """Arguments of filters and tests are written out, not computed."""
    from jinja2 import nodes

    if node.dyn_args is not None or node.dyn_kwargs is not None or node.kwargs:
        raise _refused(node, f"Give `{node.name}` plain values in brackets")
    simple = (nodes.Const, nodes.Name, nodes.Getattr, nodes.Getitem, nodes.Neg)
    if len(node.args) > 2 or not all(isinstance(one, simple) for one in node.args):
        raise _refused(node, f"Give `{node.name}` plain values in brackets")


def _look_up(node: nodes.Getattr | nodes.Getitem) -> None:
    from jinja2 import nodes

    if isinstance(node, nodes.Getattr):
        if node.attr.startswith("_"):
            raise _refused(node, f"`.{node.attr}` cannot be looked up")
        return
    key = node.arg.node if isinstance(node.arg, nodes.Neg) else node.arg
    if not isinstance(key, nodes.Const) or not isinstance(key.value, (str, int)):
        raise _refused(
            node, 'In square brackets goes a number or a name in quotes, as in `["city"]`'
        )


# ── rendering ───────────────────────────────────────────────────────────────────────────────────


class _Turns:
    """Counts the turns of all loops of one rendering."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = MOST_TURNS


def _render(template: Template, names: tuple[str, ...], values: Mapping[str, object]) -> str:
    from jinja2.exceptions import TemplateError as JinjaError
    from jinja2.exceptions import UndefinedError

    given = {name: _checked(name, values[name]) for name in names if name in values}
    out: list[str] = []
    size = 0
    try:
        for piece in template.generate({**given, "_turns": _Turns()}):
            size += len(piece)
            if size > MOST_OUTPUT:
                raise _too_long()
            out.append(piece)
    except UndefinedError as error:
        missing = tuple(name for name in names if name not in values and name in str(error))
        if missing:
            raise MissingVariables("This text", missing) from None
        raise TemplateError(f"{_sentence(error)}.") from None
    except JinjaError as error:
        raise TemplateError(f"{_sentence(error)}.") from None
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise TemplateError(f"These values cannot be used here ({_sentence(error)}).") from None
    return "".join(out)


def _sentence(error: Exception) -> str:
    return str(error).rstrip(".") or type(error).__name__


def _too_long() -> TemplateError:
    return TemplateError("The finished text would be longer than 1 MiB.")


def _checked(name: str, value: object, depth: int = 0) -> Any:
    """`value` if it is JSON through and through; plain copies of lists and objects."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if depth > DEEPEST_VALUE:
        raise InvalidVariable(name, f"`{name}` is nested more than {DEEPEST_VALUE} deep.")
    if isinstance(value, (list, tuple)):
        return [_checked(name, one, depth + 1) for one in cast("list[object]", value)]
    if isinstance(value, Mapping):
        pairs = cast("Mapping[object, object]", value).items()
        if all(isinstance(key, str) for key, _ in pairs):
            return {key: _checked(name, one, depth + 1) for key, one in pairs}
    raise InvalidVariable(
        name,
        f"`{name}` is a {type(value).__name__}; use text, a number, true or false, a list or a "
        "dictionary with text keys.",
    )


def _show(value: object) -> str:
    if value is None:
        return ""
    # An undefined value is no JSON; `str` of it raises Jinja's own error, which names it.
    return value if isinstance(value, str) else dumps(value, ensure_ascii=False, default=str)


def _grown(size: int) -> None:
    if size > MOST_OUTPUT:
        raise _too_long()


def _join(value: object, between: str = "") -> str:
    items = [_show(one) for one in _listed(value)]
    _grown(sum(map(len, items)) + len(_show(between)) * len(items))
    return _show(between).join(items)


def _replace(value: object, old: str, new: str) -> str:
    text, old, new = _show(value), _show(old), _show(new)
    if old == "":
        return text
    _grown(len(text) + text.count(old) * len(new))
    return text.replace(old, new)


def _indent(value: object, width: int = 4) -> str:
    text, width = _show(value), max(0, min(int(width), 64))
    _grown(len(text) + text.count("\n") * width)
    return text.replace("\n", "\n" + " " * width)


def _truncate(value: object, most: int = 255) -> str:
    text = _show(value)
    return text if len(text) <= int(most) else text[: max(0, int(most) - 1)].rstrip() + "…"


def _listed(value: object) -> list[Any]:
    if isinstance(value, (list, tuple)):
        return cast("list[Any]", value)
    if isinstance(value, dict):
        return list(cast("dict[str, Any]", value))
    raise ValueError(f"a list is needed, not {_show(value)[:40] or 'nothing'!r}")


def _length(value: object) -> int:
    return len(value) if isinstance(value, (str, list, tuple, dict)) else len(_listed(value))


def _default(value: object, other: object = "", empty_too: bool = False) -> object:
    from jinja2 import Undefined

    missing = isinstance(value, Undefined) or value is None or (empty_too and not value)
    return other if missing else value


def _end(at: int) -> Callable[[object], object]:
    def pick(value: object) -> object:
        items = value if isinstance(value, str) else _listed(value)
        return items[at] if items else None

    return pick


def _items(value: object) -> list[tuple[str, Any]]:
    if not isinstance(value, dict):
        raise ValueError("`items` needs a dictionary")
    return list(cast("dict[str, Any]", value).items())


FILTERS: dict[str, Callable[..., object]] = {
    "capitalize": lambda value: _show(value).capitalize(),
    "default": _default,
    "first": _end(0),
    "indent": _indent,
    "items": _items,
    "join": _join,
    "last": _end(-1),
    "length": _length,
    "lower": lambda value: _show(value).lower(),
    "replace": _replace,
    "reverse": lambda value: list(reversed(_listed(value))),
    "round": lambda value, digits=0: round(float(value), min(int(digits), 12)),
    "sort": lambda value: sorted(_listed(value), key=_show),
    "title": lambda value: _show(value).title(),
    "tojson": lambda value: dumps(value, ensure_ascii=False),
    "trim": lambda value: _show(value).strip(),
    "truncate": _truncate,
    "unique": lambda value: list({_show(one): one for one in _listed(value)}.values()),
    "upper": lambda value: _show(value).upper(),
    "wordcount": lambda value: len(_show(value).split()),
}
"""What may stand after `|`."""

TESTS: dict[str, None] = dict.fromkeys(
    "defined undefined none string number mapping sequence true false even odd".split()
)
"""What may stand after `is`; Jinja's own."""

_LOOP = frozenset("index index0 revindex revindex0 first last length".split())


@cache
def _environment() -> SandboxedEnvironment:
    from jinja2 import StrictUndefined, nodes
    from jinja2.runtime import LoopContext
    from jinja2.sandbox import SandboxedEnvironment
    from jinja2.utils import pass_context

    class Environment(SandboxedEnvironment):
        """Looks up data, never attributes; everything printed is printed as `_show` says."""

        def getattr(self, obj: Any, attribute: str) -> Any:
            if isinstance(obj, LoopContext):
                return (
                    getattr(obj, attribute) if attribute in _LOOP else self._nothing(obj, attribute)
                )
            return self.getitem(obj, attribute)

        def getitem(self, obj: Any, argument: Any) -> Any:
            if isinstance(obj, dict):
                found = cast("dict[Any, Any]", obj)
                return found[argument] if argument in found else self._nothing(obj, argument)
            if isinstance(obj, (list, tuple)) and type(argument) is int:
                items = cast("list[Any]", obj)
                near = -len(items) <= argument < len(items)
                return items[argument] if near else self._nothing(obj, argument)
            return self._nothing(obj, argument)

        def _nothing(self, obj: Any, key: Any) -> Any:
            return self.undefined(f"There is no `{key}` in {_show(_printable(obj))[:60]}")

        def call(self, *_: Any, **__: Any) -> Any:
            raise TemplateError("Nothing can be called in a prompt.")

    def turns(context: Context, value: object) -> Iterator[object]:
        counter = cast("_Turns", context["_turns"])
        items = _listed(value)
        counter.left -= len(items)
        if counter.left < 0:
            raise TemplateError(f"The loops would turn more than {MOST_TURNS:,} times.")
        return cast("Iterator[object]", items)

    environment = Environment(
        undefined=StrictUndefined,
        finalize=_show,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        optimized=False,
        cache_size=0,
    )
    environment.filters = cast("Any", {**FILTERS, "turns": pass_context(turns)})
    environment.tests = {name: environment.tests[name] for name in TESTS}
    environment.globals = {}
    assert nodes
    return environment


def _printable(value: Any) -> object:
    return value if isinstance(value, (dict, list, tuple, str)) else type(value).__name__

"""The prompts' template language: a small, safe part of Jinja, the same for hub and apps.

    Hello {{ name }}                            a variable
    {{ user.city }}  {{ rows[0] }}              a look-up in data (never an attribute)
    {% if urgent %}…{% elif …%}…{% else %}…{% endif %}
    {% for row in rows %}{{ loop.index }}. {{ row }}{% endfor %}
    {{ names | join(", ") }}                    a filter, from a short list
    {% include "snippets/tone@3" %}             a snippet, by pinned version
    {# a comment #}   {% raw %}…{% endraw %}

The text is parsed by Jinja and every node checked against a list of what is allowed, when it is
saved and again when it is rendered (`sdk.grammar`); Jinja's sandbox is the second wall
(`sdk.machine`). Nothing can be called, no attribute read, and source, nesting, loops, work and
output are bounded. A tag alone on its line leaves no empty line behind (`trim_blocks`,
`lstrip_blocks`), the last line break and the kind of line breaks are kept.

Values are JSON: text stands as it is, `None` is nothing, everything else stands as JSON
(`sdk.values`). A value that is missing counts as false in a condition and is an error elsewhere.
Text with nothing but `{{ name }}` is rendered without Jinja, many times faster, to the same text.

>>> text = compile_text("Dear {{ name }}{% if city %} of {{ city }}{% endif %},")
>>> text.variables, text.optional
(('name', 'city'), frozenset({'city'}))
>>> text.render({"name": "Ada", "city": "Bath"})
'Dear Ada of Bath,'
>>> compile_text("{{ name.upper() }}")
Traceback (most recent call last):
sdk.errors.TemplateError: Line 1: Calling something with `( )` cannot be used here.
"""

from __future__ import annotations

import re
from _thread import allocate_lock
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, cast

from sdk.errors import MissingVariables, TemplateError
from sdk.values import MOST_OUTPUT, TOO_LONG, check, show

if TYPE_CHECKING:
    from jinja2 import nodes
    from jinja2.environment import Template

Kind = Literal["jinja", "plain"]

_making = allocate_lock()

DEEPEST_INCLUDES = 5
_SIMPLE = re.compile(r"\{\{[ \t\n]*([A-Za-z][A-Za-z0-9_]*)[ \t\n]*\}\}")
RESERVED = frozenset(
    "true false none True False None and or not in is if else self loop super caller varargs "
    "kwargs range dict lipsum cycler joiner namespace".split()
)
"""Words that Jinja reads as values, operators or its own helpers, not as our variables."""


class Text(ABC):
    """One text, ready to be rendered.

    Attributes:
        variables: names a caller can give, in order of first use.
        optional: those of them that may be left out: they are asked for with `{% if city %}`,
            `is defined` or `default`.
        includes: snippets by pinned version, `snippets/tone@3`.
        plain_path: whether rendering needs no Jinja.
    """

    __slots__ = ("includes", "optional", "plain_path", "variables")

    variables: tuple[str, ...]
    optional: frozenset[str]
    includes: tuple[str, ...]
    plain_path: bool

    @abstractmethod
    def render(self, values: Mapping[str, object]) -> str:
        """The text with `values` filled in; those it does not use are not looked at.

        Raises:
            MissingVariables: a variable that is used has no value.
            InvalidVariable: a value is not JSON.
            TemplateError: too many turns, too much output, or a snippet whose text is not at hand.
        """

    @abstractmethod
    def prepare(self) -> None:
        """Do now what the first `render` would do, up to some milliseconds."""


class Pieces(Text):
    """Pieces of text with names between them: `Hello `, name, `!`."""

    __slots__ = ("_slots", "pieces")

    def __init__(self, pieces: list[str]) -> None:
        self.variables = tuple(dict.fromkeys(pieces[1::2]))
        self.optional = frozenset()
        self.includes = ()
        self.plain_path = True
        self.pieces = pieces
        self._slots = tuple(enumerate(pieces))[1::2]

    def render(self, values: Mapping[str, object]) -> str:
        if not self._slots:
            return self.pieces[0]
        out = self.pieces.copy()
        try:
            for at, name in self._slots:
                value = values[name]
                out[at] = (
                    value
                    if type(value) is str and value.isascii()
                    else show(check(name, value))
                )  # fmt: skip
        except KeyError:
            missing = tuple(name for name in self.variables if name not in values)
            raise MissingVariables("This text", missing) from None
        text = "".join(out)
        if len(text) > MOST_OUTPUT:
            raise TemplateError(TOO_LONG)
        return text

    def prepare(self) -> None:
        pass  # it is ready as it is


class _Full(Text):
    """A checked tree; its code is made when it is first rendered."""

    __slots__ = ("_made", "_tree", "_unknown")

    def __init__(self, source: str, snippets: Mapping[str, str] | None) -> None:
        from sdk.grammar import Checker

        checker = Checker(snippets)
        self._tree: nodes.Template | None = checker.tree(source)
        self._made: Template | None = None
        self._unknown = tuple(checker.unknown)
        self.variables = tuple(checker.variables)
        self.optional = frozenset(checker.guarded)
        self.includes = tuple(checker.includes)
        self.plain_path = False

    def render(self, values: Mapping[str, object]) -> str:
        from sdk.machine import run

        given = {name: check(name, values[name]) for name in self.variables if name in values}
        return run(self._made or self._make(), given)

    def prepare(self) -> None:
        if self._made is None:
            self._make()

    def _make(self) -> Template:
        from sdk.machine import load

        if self._unknown:
            raise TemplateError(
                f"The text of the snippet {self._unknown[0]} is not at hand, so this cannot be "
                "rendered."
            )
        with _making:  # the tree is rewritten on the way, so by one thread only
            made = self._made or load(cast("nodes.Template", self._tree))
            self._made, self._tree = made, None
        return made


def texts_of(document: Mapping[str, Any], snippets: Mapping[str, str]) -> tuple[Text | None, ...]:
    """The texts of a document's messages; None stands for a placeholder.

    Raises:
        TemplateError: names the message whose text is not one we render.
    """
    kind: Kind = "plain" if document.get("template") == "plain" else "jinja"
    texts: list[Text | None] = []
    for number, message in enumerate(document["messages"], 1):
        if message["role"] == "placeholder" and message["name"]:
            texts.append(None)
            continue
        try:
            texts.append(compile_text(str(message.get("content") or ""), kind, snippets))
        except TemplateError as error:
            raise TemplateError(f"message {number}: {error.sentence}", error.line) from None
    return tuple(texts)


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
    if kind == "plain" or "{" not in source:
        return Pieces([source])
    pieces = _SIMPLE.split(source)
    texts = pieces[::2]
    simple = not any("{{" in one or "{%" in one or "{#" in one for one in texts)
    # `{{{ name }}}` looks simple piece by piece, but Jinja reads it otherwise.
    simple = simple and not any(one.endswith("{") for one in texts[:-1])
    if simple and RESERVED.isdisjoint(pieces[1::2]):
        return Pieces(pieces)
    return _Full(source, snippets)

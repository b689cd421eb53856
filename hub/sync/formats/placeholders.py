"""Placeholders of other template languages and ours, where both mean exactly the same.

    double       {{ name }}, nothing else: Langfuse, OpenAI, MLflow
    handlebars   {{name}} without HTML escapes, as dotprompt compiles it
    mustache     {{{name}}} or {{& name}}: LangChain writes the `&<>"` of {{name}} as HTML
    f-string     {name}, and {{ for one brace
    nunjucks     {{ name }}: promptfoo
    jinja        Jinja itself: Prompty, MLflow

A whole prompt is a template or it is not: where one text of it means something else there, all
of them stay as they are and the prompt is `plain`.
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass

from jinja2 import nodes

from hub.registry.prompt.document import Document, Template
from hub.sync.formats.report import Notes, Refused
from sdk import template
from sdk.errors import TemplateError
from sdk.parse import parse

_NAME = r"([ \t]*[A-Za-z][A-Za-z0-9_]*[ \t]*)"
_TAG = {
    "double": re.compile(r"\{\{" + _NAME + r"\}\}"),
    "nunjucks": re.compile(r"\{\{" + _NAME + r"\}\}"),
    "handlebars": re.compile(r"\{\{" + _NAME + r"\}\}"),
    "mustache": re.compile(r"\{\{(?:\{" + _NAME + r"\}|&" + _NAME + r")\}\}"),
}
_MARKS = ("{{", "{%", "{#")
_HELPERS = frozenset(
    "this history role media section json each with unless log lookup undefined".split()
)
"""Words that mean something else than a variable in Handlebars."""
_LINE_OF_A_TAG = re.compile(r"[%#]\}\n|^[ \t]+\{[%#]", re.M)
"""Where Jinja by itself, but not ours (trim_blocks, lstrip_blocks), leaves a line or its margin."""


class _Differs(Exception):
    """The text does not mean the same here."""


@dataclass(frozen=True)
class Texts:
    """Texts in our language, or untouched as `plain`."""

    texts: list[str]
    template: Template
    variables: tuple[str, ...] = ()


def to_ours(texts: Sequence[str], syntax: str, notes: Notes) -> Texts:
    """Every text as a template of ours; when one means something else, all as they are."""
    ours: list[str] = []
    names: dict[str, None] = {}
    for at, text in enumerate(texts):
        try:
            one = text if syntax == "jinja" else _ours(text, syntax)
            made = template.compile_text(one)
            if made.includes:
                raise _Differs("it includes another text, which is not at hand")
            names.update(dict.fromkeys(made.variables))
            ours.append(one)
        except (_Differs, TemplateError) as why:
            notes.change(
                "template", f"text {at + 1} stays plain, its placeholders are not filled in: {why}"
            )
            return Texts(list(texts), "plain")
        if syntax == "jinja" and _LINE_OF_A_TAG.search(text):
            notes.change(
                f"messages[{at}]",
                "a tag alone on its line leaves no empty line behind here",
            )
    if syntax in ("f-string", "mustache") and ours != list(texts):
        notes.change("template", f"its {syntax} placeholders are written as {{{{ name }}}} now")
    return Texts(ours, "jinja", tuple(names))


def _ours(text: str, syntax: str) -> str:
    pieces = _of_format(text) if syntax == "f-string" else _of_tags(text, syntax)
    for at, piece in enumerate(pieces):
        if at % 2 and piece.strip() in template.RESERVED:
            raise _Differs(f"`{piece.strip()}` cannot be the name of a variable")
        if not at % 2 and (mark := next((one for one in _MARKS if one in piece), None)):
            if syntax == "mustache" and re.search(r"\{\{" + _NAME + r"\}\}", piece):
                raise _Differs("LangChain writes the &, < and > of a {{ name }} as HTML")
            raise _Differs(f"it holds `{mark}` that is no plain placeholder")
        if not at % 2 and at + 1 < len(pieces) and piece.endswith("{"):
            raise _Differs("a brace stands right before a placeholder")
    return "".join(f"{{{{{one}}}}}" if at % 2 else one for at, one in enumerate(pieces))


def _of_tags(text: str, syntax: str) -> list[str]:
    """Text, name, text, name, … text."""
    pieces: list[str] = []
    last = 0
    for found in _TAG[syntax].finditer(text):
        name = next(one for one in found.groups() if one is not None)
        if syntax == "handlebars" and name.strip() in _HELPERS:
            raise _Differs(f"`{name.strip()}` is a word of Handlebars")
        if syntax == "handlebars" and text[found.start() - 1 : found.start()] == "\\":
            raise _Differs("a backslash stands right before a placeholder")
        if text[found.end() : found.end() + 1] == "}":
            raise _Differs("a brace stands right behind a placeholder")
        pieces += [text[last : found.start()], name]
        last = found.end()
    return [*pieces, text[last:]]


def _of_format(text: str) -> list[str]:
    pieces = [""]
    try:
        for literal, name, how, convert in string.Formatter().parse(text):
            pieces[-1] += literal
            if name is None:
                continue
            if how or convert or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
                raise _Differs(f"`{{{name[:40]}}}` is more than a name")
            pieces += [f" {name} ", ""]
    except ValueError as error:
        raise _Differs(f"its braces do not match ({error})") from None
    return pieces


def of_format(text: str) -> list[str]:
    """Text, name, text, … of an f-string.

    Raises:
        Refused: it holds more than names.
    """
    try:
        return _of_format(text)
    except _Differs as why:
        raise Refused(f"This text cannot be filled in here: {why}.") from None


def without_doubling(texts: Sequence[str]) -> list[str]:
    """The texts of an f-string that has no placeholders."""
    return [text.replace("{{", "{").replace("}}", "}") for text in texts]


@dataclass(frozen=True)
class Theirs:
    """Texts in another language; `verbatim` when they are ours, letter by letter."""

    texts: list[str]
    verbatim: bool = False


def to_theirs(document: Document, syntax: str, notes: Notes) -> Theirs:
    """The texts of the messages, with every placeholder as the other language writes it."""
    texts = [message.content for message in document.messages]
    if syntax == "f-string" and document.template == "plain":
        return Theirs([_braces(text) for text in texts])
    if document.template == "plain":
        if any("{" in text for text in texts):
            notes.change(
                "template", "the texts are plain here, but their braces may be filled in there"
            )
        return Theirs(texts, verbatim=True)
    if syntax == "jinja":
        if any("{%" in text and "include" in text for text in texts):
            notes.change("template", "snippets that its texts include are not known there")
        return Theirs(texts)
    found: list[str] = []
    for text in texts:
        try:
            one = template.compile_text(text)
        except TemplateError:
            one = None
        pieces = _pieces(text, one, syntax, notes)
        theirs = _written(pieces, text, syntax) if pieces else None
        if theirs is None:
            notes.change("template", "conditions, loops and snippets stand as text: unknown there")
            return Theirs(texts, verbatim=True)
        found.append(theirs)
    return Theirs(found)


def _pieces(
    text: str, made: template.Text | None, syntax: str, notes: Notes
) -> list[str] | None:  # fmt: skip
    """Text, name, text, … where it holds nothing else; of an f-string, which cannot take ours
    letter by letter, also where remarks and marks of Jinja go on the way."""
    if isinstance(made, template.Pieces) or made is None or syntax != "f-string":
        return made.pieces if isinstance(made, template.Pieces) else None
    if (pieces := settled(text)) is not None:
        notes.change("template", "remarks, raw and the dashes beside braces are settled, not kept")
    return pieces


def settled(text: str) -> list[str] | None:
    """Text, name, text, … of a template that fills in names and does nothing else, without its
    remarks and its marks for blanks; nothing if it does more."""
    pieces = [""]
    for node in parse(text).body:
        if not isinstance(node, nodes.Output):
            return None
        for one in node.nodes:
            if isinstance(one, nodes.TemplateData):
                pieces[-1] += one.data
            elif isinstance(one, nodes.Name):
                pieces += [one.name, ""]
            else:
                return None
    return pieces


def _written(pieces: list[str], text: str, syntax: str) -> str | None:
    if syntax == "f-string":
        return "".join(f"{{{one}}}" if at % 2 else _braces(one) for at, one in enumerate(pieces))
    written = text
    if syntax == "mustache":
        written = re.sub(r"\{\{([ \t\n]*[A-Za-z]\w*[ \t\n]*)\}\}", r"{{{\1}}}", text)
    try:
        again = _ours(written, syntax)
    except _Differs:
        return None
    return written if again == text else None


def _braces(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")

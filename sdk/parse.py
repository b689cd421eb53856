"""Reads a text into Jinja's tree: keeps its line endings, and says in plain words what is wrong."""

from __future__ import annotations

import re

from jinja2 import nodes
from jinja2.exceptions import TemplateSyntaxError

from sdk.errors import TemplateError
from sdk.machine import ENVIRONMENT

# Opened by the very last characters: the only unclosed marks that Jinja lets pass, and drops.
_LEFT_OPEN = re.compile(r"(\{#[-+]?|\{%[-+]?\s*raw\s*-?%\}\s*)\Z")
_OPENING = re.compile(r"\{[{%#]")
_CLOSING = {"{": "}}", "%": "%}", "#": "#}"}


def parse(source: str) -> nodes.Template:
    """Jinja's tree of `source`, whose line endings it keeps."""
    crlf = "\r\n" in source and source.count("\r\n") == source.count("\n") == source.count("\r")
    mark = "" if crlf or "\r" not in source else _private(source)
    try:
        # Jinja turns CRLF into LF; a prompt keeps its bytes.
        tree = ENVIRONMENT.parse(_shield(source, mark) if mark else source)
    except TemplateSyntaxError as error:
        raise TemplateError(_syntax(error.message or ""), error.lineno) from None
    except ValueError:
        raise TemplateError("A number in this text is too long to be read.") from None
    if open_end := _LEFT_OPEN.search(source):
        said = "end of comment" if open_end[0].startswith("{#") else "end of raw"
        raise TemplateError(_syntax(said), source.count("\n", 0, open_end.start()) + 1)
    if crlf or mark:
        old, new = (mark, "\r") if mark else ("\n", "\r\n")
        for data in tree.find_all(nodes.TemplateData):
            data.data = data.data.replace(old, new)
    return tree


def _private(source: str) -> str:
    """A private character that the text does not hold."""
    return next(chr(code) for code in range(0xE000, 0x10FFFE) if chr(code) not in source)


def _shield(source: str, mark: str) -> str:
    """Stray carriage returns outside of our marks, as a character that Jinja leaves alone."""
    out: list[str] = []
    at = 0
    while opened := _OPENING.search(source, at):
        kind = opened.group()[1]
        end = source.find(_CLOSING[kind], opened.end())
        if end < 0:
            break
        end += 2
        if kind != "{" and source.startswith("\r\n", end):
            end += 2
        out += source[at : opened.start()].replace("\r", mark), source[opened.start() : end]
        at = end
    return "".join(out) + source[at:].replace("\r", mark)


def unknown_tag(tag: str) -> str:
    """Said of `{% set %}` and the like, whether Jinja knows them or not."""
    return f"`{{% {tag} %}}` is not something a prompt can do. There are: if, for, include, raw"


def _syntax(message: str) -> str:
    """Jinja's own words, where they would puzzle a person, in ours."""
    if "Encountered unknown tag" in message:
        return f"{unknown_tag(message.split(chr(39))[1])}."
    if "nexpected end of template" in message or "'end of template'" in message:
        return "Something that was opened is never closed: look for a missing `}}` or `{% end… %}`."
    if "end of comment" in message:
        return "A comment that begins with `{#` is never closed; it ends with `#}`."
    if "end of raw" in message:
        return "`{% raw %}` is never closed; it ends with `{% endraw %}`."
    if "end of print statement" in message:
        return "Between `{{` and `}}` goes one variable, such as `{{ name }}`."
    return (
        f"The marks cannot be read ({message.rstrip('.')}). If the braces are meant as text, put "
        "`{% raw %}` before and `{% endraw %}` after them."
    )

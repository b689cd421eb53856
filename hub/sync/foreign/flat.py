"""Texts for clients that can fill in a placeholder and nothing else. Pure.

A snippet stands in its place, since its version is pinned. Conditions, loops and filters would be
sent to a model as they are, so a prompt with them is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from hub.errors import Invalid
from hub.registry.prompt.document import Document
from hub.sync.formats.placeholders import settled
from sdk.errors import MissingVariables, TemplateError
from sdk.template import DEEPEST_INCLUDES, Pieces, compile_text

_INCLUDE = re.compile(r"\{%[ \t]*include[ \t]+(?:\"[^\"]*\"|'[^']*')[ \t]*%\}")


class NeedsOurs(Invalid):
    """Only a client that renders our templates gives the right text."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} uses conditions, loops or filters, which this client cannot fill in: it would "
            "send them to the model as they are. Read it with the hub's own SDK, or ask the hub "
            "to render it."
        )


def flattened(name: str, document: Document, snippets: Mapping[str, str]) -> Document:
    """The same with every snippet in its place.

    Raises:
        NeedsOurs: a text asks for more than values to be filled in.
    """
    if document.template == "plain":
        return document
    messages = [
        msgspec.structs.replace(one, content=_text(name, one.content, snippets))
        for one in document.messages
    ]
    return msgspec.structs.replace(document, messages=tuple(messages))


def _text(name: str, text: str, snippets: Mapping[str, str]) -> str:
    try:
        if isinstance(compile_text(text), Pieces):
            return text
        if not _names_alone(text, snippets, DEEPEST_INCLUDES):
            raise NeedsOurs(name)
        # Nothing but names and snippets: each name's value is its own placeholder.
        whole = compile_text(text, snippets=snippets)
        made = whole.render({one: f"{{{{{one}}}}}" for one in whole.variables})
        again = compile_text(made)
        marks = {one: f"<{one}>" for one in whole.variables}
        if not isinstance(again, Pieces) or again.render(marks) != whole.render(marks):
            raise NeedsOurs(name)
    except (TemplateError, MissingVariables):
        raise NeedsOurs(name) from None
    return made


def _names_alone(text: str, snippets: Mapping[str, str], deep: int) -> bool:
    rest = _INCLUDE.sub("", text)
    compile_text(rest)
    if settled(rest) is None or deep == 0:
        return False
    inner = compile_text(text).includes
    return all(pin in snippets and _names_alone(snippets[pin], snippets, deep - 1) for pin in inner)

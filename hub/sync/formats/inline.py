"""Snippets in their places, for programs that know none of ours. Pure.

A version includes them by pinned version, so its text with theirs in it says the same for ever.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from hub.registry.prompt.document import Document
from hub.sync.formats.report import Notes
from sdk.errors import TemplateError
from sdk.template import DEEPEST_INCLUDES, compile_text

_INCLUDE = re.compile(r"(?m)(?:^[ \t]+)?\{%[ \t]*include[ \t]+(?:\"([^\"]*)\"|'([^']*)')[ \t]*%\}")
"""With the space before it on its line, which its rendering leaves out."""
_EDGE = re.compile(r"\A\{%|%\}\Z")
_OTHERWISE = re.compile(r"\r|\{[%{#][-+]|[-+][%}#]\}|\{#|\{%[ \t]*raw\b")
"""Where a tag may be no tag, or may take space from the other side of a snippet's edge, or line
breaks of two kinds may meet."""


def in_place(document: Document, snippets: Mapping[str, str], notes: Notes) -> Document:
    """The same prompt without includes, as far as that can be told for certain."""
    if document.template == "plain":
        return document
    messages = tuple(
        msgspec.structs.replace(one, content=_whole(one.content, snippets))
        for one in document.messages
    )
    if messages == document.messages:
        return document
    notes.change("messages", "snippets stand in their places, as their pinned versions say")
    return msgspec.structs.replace(document, messages=messages)


def _whole(text: str, snippets: Mapping[str, str]) -> str:
    made: str | None = text
    for _ in range(DEEPEST_INCLUDES + 1):
        if made is None or not _INCLUDE.search(made):
            break
        made = _once(made, snippets)
    try:
        return text if made is None or compile_text(made).includes else made
    except TemplateError:
        return text


def _once(text: str, snippets: Mapping[str, str]) -> str | None:
    """With the texts of its own includes; None: it might not say the same."""
    made, end = "", 0
    for found in _INCLUDE.finditer(text):
        if (snippet := snippets.get(found[1] or found[2])) is None:
            return None
        snippet = snippet.removesuffix("\n").removesuffix("\r")
        # A tag alone on its line takes the line with it: edges must be words.
        if not snippet.strip() or snippet != snippet.strip() or _EDGE.search(snippet):
            return None
        made += text[end : found.start()] + snippet
        end = found.end()
    made += text[end:]
    return None if _OTHERWISE.search(made) or _OTHERWISE.search(text) else made

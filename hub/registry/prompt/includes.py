"""What a document's texts include, found while they are checked. Pure."""

from __future__ import annotations

from hub.errors import Invalid
from hub.registry.prompt.document import Document
from hub.registry.prompt.lint import lint, says_something
from sdk.errors import TemplateError
from sdk.template import compile_text


def includes(document: Document) -> frozenset[tuple[str, int]]:
    """The snippets that the texts pin, as name and version number.

    Raises:
        Invalid: a text is not a template we could render, or the document is not a prompt.
    """
    found: set[str] = set()
    named = all(one.name.isidentifier() for one in document.variables)
    sound = says_something(document) and named
    try:
        for message in document.messages:
            if message.role != "placeholder":
                found.update(compile_text(message.content, document.template).includes)
    except TemplateError:
        sound = False
    if not sound:
        # Looked for only now: the whole check costs as much as the rest of a save.
        for finding in lint(document):
            if finding.level == "error":
                raise Invalid(finding.sentence, where=finding.where, line=finding.line)
    return frozenset(map(_pinned, found))


def _pinned(include: str) -> tuple[str, int]:
    name, _, number = include.rpartition("@")
    return name, int(number)

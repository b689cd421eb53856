"""Plain Markdown: one text, or a folder with `system.md` and `user.md`."""

from __future__ import annotations

from hub.registry.prompt.document import Document
from hub.registry.prompt.guess import guess_template
from hub.sync.formats.report import Notes, Refused
from hub.sync.formats.slugs import title_for


def write(name: str, document: Document, notes: Notes) -> dict[str, bytes]:
    """The wording to the letter; all else is lost, and said."""
    roles = [one.role for one in document.messages]
    texts = [one.content for one in document.messages]
    if roles not in (["user"], ["system"], ["system", "user"]):
        raise Refused(
            "Markdown holds one text, or a system text and a user text; this prompt has "
            f"{', '.join(roles) or 'none'}. Export it in another format."
        )
    if not all(text.strip() for text in texts):
        raise Refused("One of its texts is blank, and a blank file is not a prompt.")
    if document.title != title_for(texts[0], name.split("/")[-1]):
        notes.lose("name", "the title is made of the first heading or the file's name again")
    if document.template != guess_template(texts)[0]:
        notes.change("template", "whether its braces are placeholders is guessed again")
    _tell(document, notes)
    if roles == ["user"]:
        return {f"{name}.md": texts[0].encode()}
    return {f"{name}/{role}.md": text.encode() for role, text in zip(roles, texts, strict=True)}


def _tell(document: Document, notes: Notes) -> None:
    """Name everything that is not wording."""
    for key, value in (
        ("description", document.description),
        ("tags", document.tags),
        ("model", document.model),
        ("modelParameters", document.parameters),
        ("tools", document.tools),
        ("responseFormat", document.response_format),
        ("jsonSchema", document.json_schema),
        *document.extra.items(),
    ):
        if value:
            notes.lose(key, "Markdown has no place for it")
    if any(one.name or one.extra for one in document.messages):
        notes.lose("messages", "names and calls in turns have no place in Markdown")
    if any(
        one.description
        or one.type != "text"
        or not one.required
        or one.extra
        or one.default is not None
        or one.example is not None
        for one in document.variables
    ):
        notes.lose("variables", "only their names stand in the text")

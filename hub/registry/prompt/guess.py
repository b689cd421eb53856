"""Decides whether a text that does not say so is a template.

Real prompts hold braces that are not ours: code, LaTeX, another program's templates. A text
counts as a template only if it would pass the check that every template of ours has to pass;
everything else is taken as it stands.
"""

from collections.abc import Iterable
from typing import Literal

from sdk import template
from sdk.errors import TemplateError

_MARKS = ("{{", "{%", "{#")
_UNCHECKED = 10_000  # below this size a text without marks passes the check anyway


def guess_template(texts: Iterable[str]) -> tuple[Literal["jinja", "plain"], str]:
    """`jinja` or `plain`, and the reason as a sentence; none where there was nothing to decide."""
    names: dict[str, None] = {}
    for text in texts:
        if len(text) < _UNCHECKED and not any(mark in text for mark in _MARKS):
            continue
        if "{#" in text:  # would be a comment in ours, and vanish
            return "plain", "It holds `{#`, which our templates leave out, so it is kept as it is."
        try:
            found = template.compile_text(text, "jinja")
        except TemplateError as error:
            first = f" (the first on line {error.line})" if error.line else ""
            return "plain", f"It holds braces that are not ours{first}, so it is kept as it is."
        names.update(dict.fromkeys(found.variables))
    if not names:
        return "jinja", ""
    return "jinja", f"It is a template with the variables {', '.join(names)}."

"""Texts with a heading per turn, as Prompty writes them: `system:` alone on a line."""

from __future__ import annotations

import re
from collections.abc import Iterable

from hub.registry.prompt.document import Message
from hub.sync.formats.report import Refused

_HEADING = re.compile(
    r"^[ \t]{0,8}#?[ \t]{0,8}(system|developer|user|assistant|tool|function)"
    r"(\[[^\]\n]*\])?[ \t]{0,8}:[ \t]*\r?$",
    re.IGNORECASE | re.MULTILINE,
)


def split(body: str, threads: Iterable[str] = ()) -> list[Message]:
    """The turns of a body; text before the first heading is the system's."""
    turns: list[Message] = []
    places = [*_HEADING.finditer(body)]
    first = body[: places[0].start()] if places else body
    if first.strip():
        turns += _with_threads("system", first, threads)
    for place, following in zip(places, [*places[1:], None], strict=False):
        if place[2]:
            raise Refused(f"`{place[0].strip()[:60]}`: marks behind a role are not taken.")
        text = body[place.end() : following.start() if following else len(body)]
        role = "tool" if place[1].lower() == "function" else place[1].lower()
        turns += _with_threads(role, text, threads)
    return turns


def _with_threads(role: str, text: str, threads: Iterable[str]) -> list[Message]:
    """A line with nothing but `{{conversation}}` stands for the turns given at run time."""
    names = "|".join(re.escape(one) for one in threads)
    if not names:
        return [Message(role=role, content=_trimmed(text))]
    pieces = re.split(
        r"^[ \t]*\{\{[ \t]*(" + names + r")[ \t]*\}\}[ \t]*$", text, flags=re.MULTILINE
    )
    found: list[Message] = []
    for at, piece in enumerate(pieces):
        if at % 2:
            found.append(Message(role="placeholder", name=piece))
        elif piece.strip() or len(pieces) == 1:
            found.append(Message(role=role, content=_trimmed(piece)))
    return found


def _trimmed(text: str) -> str:
    """Without the blank lines around it, which the readers of these files drop as well."""
    return text.strip("\r\n").rstrip()


def join(turns: Iterable[tuple[Message, str]]) -> str:
    """The body; what it cannot carry shows when it is read again."""
    parts: list[str] = []
    for one, text in turns:
        if one.role == "placeholder":
            parts.append(f"{{{{{one.name}}}}}")
        else:
            parts.append(f"{one.role}:\n{text}")
    return "\n\n".join(parts) + "\n"

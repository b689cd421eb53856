"""Turns any file path into a name that a prompt may have."""

import re
import unicodedata
from collections.abc import Container, Sequence

from hub.registry.prompt.names import DEEPEST_NAME, LONGEST_NAME, LONGEST_PART, is_name

_LETTERS = str.maketrans(
    {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "þ": "th", "ð": "d", "ı": "i"}
)
_PLAIN = re.compile(r"[a-z0-9._-]+", re.ASCII)
# Headings that say what part of a prompt follows, not what the prompt is about.
_GENERIC = (
    frozenset({"identity", "purpose", "instructions", "instruction", "role", "task", "tasks"})
    | {"goal", "goals", "system", "user", "prompt", "input", "output", "overview", "you", "your"}
    | {"introduction", "background", "context", "about", "description", "usage", "steps"}
)
_HEADING = re.compile(r"^#{1,3}[ \t]+(\S[^\n]{0,120}?)[ \t]*#*[ \t]*$", re.MULTILINE)


def slug(text: str) -> str:
    """One part of a name: small ASCII letters, digits, `.`, `_` and `-`."""
    plain = unicodedata.normalize("NFKD", text.casefold().translate(_LETTERS))
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    plain = re.sub(r"[^a-z0-9._-]+", "-", plain)
    plain = re.sub(r"\.{2,}", ".", re.sub(r"-{2,}", "-", plain))
    plain = plain.lstrip("._-")[:LONGEST_PART]
    while (cut := re.sub(r"(\.(lock|git|prompt))$|[._-]$", "", plain)) != plain:
        plain = cut
    return plain if is_name(plain) else f"prompt-{plain}"[:LONGEST_PART].rstrip("._-")


def name_for(parts: Sequence[str]) -> str:
    """A whole name; folders too deep are joined, and what is too long is shortened."""
    slugs = [slug(part) for part in parts if part]
    if len(slugs) > DEEPEST_NAME:
        over = len(slugs) - DEEPEST_NAME + 1
        slugs = [slug("-".join(slugs[:over])), *slugs[over:]]
    while len("/".join(slugs)) > LONGEST_NAME:
        longest = max(range(len(slugs)), key=lambda at: len(slugs[at]))
        slugs[longest] = slug(slugs[longest][: len(slugs[longest]) - 8])
    return "/".join(slugs)


def why_named(parts: Sequence[str]) -> str:
    """Why `name_for` makes another name of these, to stand behind `since`."""
    given = [part for part in parts if part]
    short = [part for part in given if len(part) <= LONGEST_PART]
    cut = len("/".join(name[:LONGEST_PART] for name in given)) > LONGEST_NAME
    why = {
        "names are small letters and digits": not all(map(_PLAIN.fullmatch, given)),
        f"a part of a name has at most {LONGEST_PART} characters": short != given,
        f"a name has at most {DEEPEST_NAME} parts": len(given) > DEEPEST_NAME,
        f"a name has at most {LONGEST_NAME} characters": cut,
    }
    return " and ".join(reason for reason, holds in why.items() if holds) or (
        "the one it had is kept for other things"
    )


def free_name(name: str, taken: Container[str]) -> str:
    """`name`, or with the first number behind it that nobody has."""
    if name not in taken:
        return name
    folder, dash, last = name.rpartition("/")
    number = 2
    while True:
        ending = f"-{number}"
        room = min(LONGEST_PART, LONGEST_NAME - len(folder) - len(dash)) - len(ending)
        tried = f"{folder}{dash}{last[:room].rstrip('._-')}{ending}"
        if tried not in taken:
            return tried
        number += 1


def title_for(text: str, stem: str) -> str:
    """The first heading, unless it is one that every prompt has; then the file's name."""
    found = _HEADING.search(text[:4000])
    if found:
        heading = found.group(1).strip("*_ :")
        words = re.findall(r"[^\W\d_]+", heading.casefold())
        if words and heading.isprintable() and not _GENERIC.intersection(words):
            return heading
    words = re.sub(r"[\s._-]+", " ", "".join(c if c.isprintable() else " " for c in stem)).strip()
    return words[:1].upper() + words[1:120]

"""What a prompt or a label may be called.

Names are paths in git and in URLs, so they are plain ASCII in one case: two names that look
alike on screen, or that one disk cannot tell apart, cannot both exist.
"""

import re
import unicodedata
from functools import lru_cache

from hub.errors import Invalid

SUFFIX = ".prompt.yml"
LONGEST_NAME = 200
LONGEST_PART = 64
DEEPEST_NAME = 8

_SEGMENT = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}", re.ASCII)
_LABEL = re.compile(r"[a-z0-9][a-z0-9._-]{0,35}", re.ASCII)
# A drive, a device or a git folder on somebody's laptop: a clone there would fail.
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.ASCII)


class InvalidName(Invalid):
    """The name cannot be used; the sentence says what to change."""


def check_name(name: str) -> None:
    """Refuse a prompt name that git, a disk or a reader could misunderstand."""
    if not name:
        raise InvalidName("A prompt needs a name, such as support/triage.")
    if len(name) > LONGEST_NAME:
        raise InvalidName(
            f"This name has {len(name)} characters; {LONGEST_NAME} is the most. Shorten it."
        )
    segments = name.split("/")
    if len(segments) > DEEPEST_NAME:
        raise InvalidName(
            f"This name has {len(segments)} parts; {DEEPEST_NAME} is the most. Use fewer folders."
        )
    for segment in segments:
        _check_segment(segment)
    if segments[-1].endswith(".prompt"):
        raise InvalidName("Leave out `.prompt` at the end of the name; it is added by itself.")


def _check_segment(segment: str) -> None:
    """Refuse one part of a name, and say which part it was."""
    if not segment:
        raise InvalidName("A name may not begin or end with `/` or have two `/` in a row.")
    wrong = _fault(segment)
    if wrong:
        raise InvalidName(wrong.format(f"`{shown(segment)}`"))


@lru_cache(maxsize=4096)
def _fault(segment: str) -> str | None:
    if len(segment) > LONGEST_PART:
        return f"The part {{}} is longer than {LONGEST_PART} characters. Shorten it."
    if not _SEGMENT.fullmatch(segment):
        return (
            "{} cannot be part of a name: use small letters a-z, digits, `.`, `_` and `-`,"
            " beginning with a letter or digit, for example support/triage."
        )
    if segment.endswith((".", ".lock", ".git")):
        return "{} may not end with `.`, `.lock` or `.git`. Choose another."
    if ".." in segment:
        return "{} may not have two dots in a row. Choose another name."
    if _DEVICES.fullmatch(segment):
        return "{} is a reserved word on Windows. Choose another name."
    return None


def is_name(name: str) -> bool:
    """Whether `name` may be used for a prompt."""
    try:
        check_name(name)
    except InvalidName:
        return False
    return True


def path_of(name: str) -> str:
    """Where the prompt lies in the repository."""
    check_name(name)
    return name + SUFFIX


@lru_cache(maxsize=20_000)
def name_of(path: str) -> str | None:
    """The prompt that lies at `path`, or None when the path is not a prompt's."""
    name = path.removesuffix(SUFFIX)
    return name if name != path and is_name(name) else None


def split(name: str) -> tuple[str, str]:
    """Folder and slug: `support/email/triage` is `("support/email", "triage")`."""
    folder, _, slug = name.rpartition("/")
    return folder, slug


def check_label(label: str) -> None:
    """Refuse a label that cannot be a folder on the `deploy` branch."""
    if label == "latest":
        raise InvalidName("`latest` always means the newest version. Choose another label.")
    if not _LABEL.fullmatch(label) or label.endswith((".", ".lock", ".git")) or ".." in label:
        raise InvalidName(
            f"`{shown(label)}` cannot be a label: use up to 36 small letters a-z, digits, `.`,"
            " `_` and `-`, beginning with a letter or digit, for example production."
        )


def shown(text: str) -> str:
    """As it was typed, but short, and with codes for what could disguise the sentence: what
    cannot be seen, marks, and letters that are written from right to left."""
    plain = "".join(c if _is_plain(c) else ascii(c)[1:-1] for c in text[:41])
    return plain if len(plain) <= 40 else plain[:39] + "..."


def _is_plain(character: str) -> bool:
    if character.isascii():
        return character.isprintable()
    return character.isalnum() and unicodedata.bidirectional(character) == "L"

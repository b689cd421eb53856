"""Finds characters that a reader cannot see but a model obeys.

Zero-width and direction characters, tag letters that spell a hidden sentence, control codes,
fillers, and letters of another alphabet posing as Latin ones. Ordinary writing needs some of
them - emoji, flags, Persian, Hindi, Hebrew - and is not accused.
"""

import re
import unicodedata
from collections.abc import Iterator
from itertools import pairwise
from typing import Literal

import msgspec

Kind = Literal["invisible", "direction", "tag", "control", "private", "look-alike"]


class Unseen(msgspec.Struct, frozen=True):
    """`length` characters from `at` on, all alike or all tags; `says` is what the tags spell."""

    at: int
    length: int
    code: str
    name: str
    kind: Kind
    says: str = ""


# All of Cc, Cf, Co, Cn and the blanks that Unicode counts as letters, seen from afar; `_kind`
# decides. A text without any of them, which is nearly every text, costs one quick scan.
_HIDDEN = (
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164\ud800-\uf8ff\ufe00-\ufe0f\ufeff\uffa0"
    "\ufff0-\ufffb\ufffe\uffff\U000e0080-\U0010ffff"
)
_ANY = re.compile(f"[\r{_HIDDEN}\U000e0000-\U000e007f]")
_SUSPECT = re.compile(
    "\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{2,6}\U000e007f"
    "|[\U000e0000-\U000e007f]+"
    f"|([{_HIDDEN}])\\1*"
    "|(?:\r(?!\n))+"
)
_DIRECTION = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_MILD_DIRECTION = frozenset("\u061c\u200e\u200f")
_CONTROL_NAMES = {
    "\0": "NULL", "\x07": "BELL", "\x08": "BACKSPACE", "\x1b": "ESCAPE", "\r": "CARRIAGE RETURN",
    "\x7f": "DELETE", "\x85": "NEXT LINE", "\x0b": "LINE TABULATION", "\x0c": "FORM FEED",
}  # fmt: skip

# Cyrillic and Greek letters that most typefaces draw like a Latin letter.
_TWINS = (
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u04bb\u0501\u051b\u051d\u0410"
    "\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0425\u0406\u0408\u0405\u0423\u03bf"
    "\u03bd\u03b9\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5"
    "\u03a7"
)
_TWIN = re.compile(f"[{_TWINS}]")
_WORD = re.compile(r"[^\W\d_]+")


def find_unseen(text: str) -> tuple[Unseen, ...]:
    """Every hidden or disguised character, in the order of the text."""
    found = [*_hidden(text)] if _ANY.search(text) else []
    if not text.isascii() and _TWIN.search(text):
        found.extend(_look_alikes(text))
        found.sort(key=lambda one: one.at)
    return tuple(found)


def _hidden(text: str) -> Iterator[Unseen]:
    for match in _SUSPECT.finditer(text):
        run, at = match.group(), match.start()
        if run[0] == "\U0001f3f4":
            continue  # the flag of England, Scotland or Wales
        kind = _kind(text, at, len(run))
        if kind is None:
            continue
        says = ""
        if kind == "tag":
            says = "".join(chr(ord(c) - 0xE0000) for c in run if 0xE0020 <= ord(c) <= 0xE007E)
        yield Unseen(at, len(run), f"U+{ord(run[0]):04X}", _name(run[0]), kind, says)


def _kind(text: str, at: int, times: int) -> Kind | None:
    """What is wrong with the suspect at `at`, or None when writing needs it there, once."""
    character = text[at]
    if "\U000e0000" <= character <= "\U000e007f":
        return "tag"
    if character in _DIRECTION:
        mild = character in _MILD_DIRECTION and any(map(_right_to_left, _around(text, at)))
        return None if mild and times == 1 else "direction"
    if character in "\u200c\u200d":
        return None if times == 1 and _joins(text, at) else "invisible"
    if "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef":
        return None if times == 1 and at and _varies(text[at - 1], character) else "invisible"
    category = unicodedata.category(character)
    if category == "Cc":
        return "control"
    return "private" if category in ("Co", "Cn", "Cs") else "invisible"


def _around(text: str, at: int) -> str:
    return text[max(0, at - 2) : at] + text[at + 1 : at + 3]


def _right_to_left(character: str) -> bool:
    return unicodedata.bidirectional(character) in ("R", "AL", "AN")


def _joins(text: str, at: int) -> bool:
    """A joiner between two emoji, or between letters of a script that joins its letters."""
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    if not before or not after:
        return False
    if _is_picture(before) and _is_picture(after):
        return True
    return all(c >= "\u0600" and unicodedata.category(c)[0] in "LM" for c in (before, after))


def _is_picture(character: str) -> bool:
    return (
        "\U0001f000" <= character <= "\U0001faff"
        or "\u2190" <= character <= "\u2bff"
        or character == "\ufe0f"
    )


def _varies(before: str, selector: str) -> bool:
    """Whether a variation selector has something to vary; a run of them carries a message."""
    if selector in "\ufe0e\ufe0f":
        picture = _is_picture(before) and before != "\ufe0f"
        return picture or before in "#*0123456789\u00a9\u00ae\u203c\u2049"
    return unicodedata.category(before) in ("Lo", "Sm")


def _name(character: str) -> str:
    fallback = _CONTROL_NAMES.get(character)
    if fallback is None:
        category = unicodedata.category(character)
        fallback = {"Cc": "CONTROL CHARACTER", "Co": "PRIVATE USE CHARACTER"}.get(
            category, "UNASSIGNED CHARACTER"
        )
    return unicodedata.name(character, fallback)


def _look_alikes(text: str) -> Iterator[Unseen]:
    """Twins inside Latin words, and words made of twins alone in a text without that script."""
    whole: list[re.Match[str]] = []
    foreign_text = False
    for word in _WORD.finditer(text):
        letters = word.group()
        if not _TWIN.search(letters):
            foreign_text = foreign_text or _is_foreign(letters)
        elif any(_is_latin(letter) for letter in letters):
            yield from (_twin(text, word.start() + m.start()) for m in _TWIN.finditer(letters))
        elif len(_TWIN.findall(letters)) == len(letters):
            whole.append(word)
        else:
            foreign_text = True
    if not foreign_text:
        for word in whole:
            if len(word.group()) > 1:
                yield from (_twin(text, at) for at in range(*word.span()))


def _is_latin(letter: str) -> bool:
    return letter < "\u0250" or unicodedata.name(letter, "").startswith("LATIN")


def _is_foreign(letters: str) -> bool:
    return any("\u0370" <= letter <= "\u052f" for letter in letters)


def _twin(text: str, at: int) -> Unseen:
    return Unseen(at, 1, f"U+{ord(text[at]):04X}", unicodedata.name(text[at]), "look-alike")


def pieces(text: str, found: tuple[Unseen, ...]) -> list[str | Unseen]:
    """The text cut at its hidden characters, which a page shows as chips instead."""
    if not found:
        return [text] if text else []
    cut: list[str | Unseen] = []
    edges = [0, *(edge for one in found for edge in (one.at, one.at + one.length)), len(text)]
    for number, (start, end) in enumerate(pairwise(edges)):
        if number % 2:
            cut.append(found[number // 2])
        elif start < end:
            cut.append(text[start:end])
    return cut

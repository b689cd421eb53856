"""Writes plain values as the YAML of a prompt file, so that reading gives the same bytes back.

Text of several lines becomes a literal block: a person reads it and git shows a change line by
line. A literal block cannot carry carriage returns, control characters or the three other line
breaks that YAML knows, so such text goes into double quotes, still one line per line of text.
A bare word is written only where no reader, of YAML 1.1 or 1.2, could take it for anything else.
"""

import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias, cast

Group: TypeAlias = Mapping[str, object]

_UNSAFE = re.compile(
    "[^\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_EASY = r"[^\x00-\x1f\x7f-\xa0\u2028\u2029\ufeff\ufff0-\uffff:#]*"
_BARE = re.compile(rf"[^\W\d]{_EASY}(?:(?::(?=[^\s:])|(?<=\S)#){_EASY})*")
_BARE_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*", re.ASCII)
_COMMON = frozenset((
    "id", "name", "description", "tags", "template", "model", "modelParameters", "messages",
    "role", "content", "variables", "type", "required", "default", "example",
))  # fmt: skip
"""Keys of almost every file, known to be bare."""
_WORDS = frozenset(("true", "false", "yes", "no", "on", "off", "y", "n", "null"))
_SHORT = {
    '"': '\\"', "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0",
    "\x85": "\\N", "\u2028": "\\L", "\u2029": "\\P",
}  # fmt: skip


def dump(tree: Mapping[str, object]) -> str:
    """The whole file."""
    out: list[str] = []
    _mapping(tree, "", "", out)
    return "".join(out)


def _mapping(group: Mapping[str, object], indent: str, first: str, out: list[str]) -> None:
    """Each key on its own line; `first` stands before the first one (`- ` in a list)."""
    lead = first or indent
    for key, value in group.items():
        out.append(lead)
        out.append(key if key in _COMMON or _is_bare_key(key) else _quoted(key, ""))
        out.append(":")
        # Message text is always a block, so that adding a second line is a one-line change.
        _value(value, indent, out, block=key == "content")
        lead = indent


def _sequence(items: Sequence[object], indent: str, out: list[str]) -> None:
    """Each item behind its own dash."""
    for item in items:
        if isinstance(item, dict) and item:
            _mapping(cast("Group", item), indent + "  ", indent + "- ", out)
        else:
            out.append(indent + "-")
            _value(item, indent, out)


def _value(value: object, indent: str, out: list[str], *, block: bool = False) -> None:
    """What stands behind a key or a dash, with its line end."""
    if isinstance(value, str):
        out.append(_text(value, indent + "  ", block=block))
    elif isinstance(value, dict) and value:
        out.append("\n")
        _mapping(cast("Group", value), indent + "  ", "", out)
    elif isinstance(value, list | tuple) and value:
        out.append("\n")
        _sequence(cast("Sequence[object]", value), indent + "  ", out)
    else:
        out.append(f" {_word(value)}\n")


def _word(value: object) -> str:
    """Nothing, true, false, a number, or an empty group or list."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{}"
    if isinstance(value, list | tuple):
        return "[]"
    word = repr(value)
    if "e" in word and "." not in word:  # YAML 1.1 takes 1e-05 for text
        word = word.replace("e", ".0e")
    return word


def _text(text: str, indent: str, *, block: bool) -> str:
    """A text as bare word, literal block or in double quotes, whichever carries it exactly."""
    if "\n" in text or (block and text):
        if not text.strip("\n") or _UNSAFE.search(text):
            return f" {_quoted(text, indent)}\n"
        return _literal(text, indent)
    if _is_bare(text):
        return f" {text}\n"
    return f" {_quoted(text, indent)}\n"


def _literal(text: str, indent: str) -> str:
    """`|` and its two endings; a leading space or blank line needs the indentation said."""
    head = "2" if text[0] in " \t\n" else ""
    if not text.endswith("\n"):
        body, mark = text, "-"
    elif text.endswith("\n\n"):
        body, mark = text[:-1], "+"
    else:
        body, mark = text[:-1], ""
    lines = [indent + line if line else "" for line in body.split("\n")]
    return f" |{head}{mark}\n" + "\n".join(lines) + "\n"


def _quoted(text: str, indent: str) -> str:
    """Double quotes; every line of the text begins a line of the file."""
    if "\n" not in text:
        return f'"{text.translate(_ESCAPES)}"'
    pieces: list[str] = []
    for line in re.split(r"(?<=\n)", text):
        if not line:
            continue
        piece = line.translate(_ESCAPES)
        # The reader drops blanks at the start of a continued line, so the first is escaped.
        pieces.append("\\" + piece if pieces and piece[0] == " " else piece)
    return '"' + f"\\\n{indent}".join(pieces) + '"'


def _escape(character: str) -> str:
    if short := _SHORT.get(character):
        return short
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02X}"
    return f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08X}"


# A table, since a regular expression takes a microsecond for each character that is escaped.
_ESCAPES = {
    code: _escape(chr(code))
    for codes in (
        range(0x20), range(0x7F, 0xA0), (0x22, 0x5C, 0x2028, 0x2029, 0xFEFF, 0xFFFE, 0xFFFF),
        range(0xD800, 0xE000),
    )
    for code in codes
}  # fmt: skip


def _is_bare(text: str) -> bool:
    return _BARE.fullmatch(text) is not None and text[-1] not in " :" and text.lower() not in _WORDS


def _is_bare_key(key: str) -> bool:
    return _BARE_KEY.fullmatch(key) is not None and key.lower() not in _WORDS

"""Reads the YAML of a prompt file into plain values, and refuses everything clever.

Only what JSON could say is taken: groups, lists, text, numbers, true, false and nothing. Aliases,
anchors and tags are refused (a 300-byte file can stand for gigabytes), so are a key given twice,
more than 32 levels, more than 10,000 values and more than 1 MiB. A bare word keeps its spelling in
`Plain` until the field it belongs to says what it wants: `name: 1.0` is the title "1.0",
`temperature: 1.0` a number.
"""

import re
from collections.abc import Sequence

import yaml
from yaml._yaml import CParser

LARGEST_FILE = 1024 * 1024
DEEPEST = 32
LONGEST_KEY = 250
MOST_VALUES = 10_000
"""Texts, numbers, lists and groups of one prompt, all counted: each takes some microseconds."""
MOST_KEYS = 1_000
"""Of the whole prompt, or of what we do not know in one of its groups."""

Path = Sequence[str | int]

NUMBER = re.compile(r"[-+]?(0|[1-9][0-9]*|(?=\.[0-9]))(\.[0-9]*)?([eE][-+]?[0-9]+)?", re.ASCII)
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False}
_BOOLEANS["FALSE"] = False
_FIRST = frozenset("0123456789+-.tTfFnN~yYoO")


class Problem(Exception):
    """Something in the file cannot be used; `path` or `line` tells where."""

    def __init__(
        self, sentence: str, *, path: Path = (), line: int | None = None, key: str | None = None
    ) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.path = path
        self.line = line
        self.key = key


class Plain(str):
    """A word written without quotes: it may turn out to be text, a number or true."""

    __slots__ = ()


def decode(data: bytes) -> str:
    """The file as text, without a byte order mark; other bytes than UTF-8 are refused."""
    if len(data) > LARGEST_FILE:
        raise Problem("A prompt file may have 1 MiB at most; this one is larger. Shorten it.")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Problem(
            "this is not UTF-8 text. Save the file as UTF-8 and try again.", line=line
        ) from None
    text = text.removeprefix("\ufeff")
    if bad := _FORBIDDEN.search(text):
        line = text.count("\n", 0, bad.start()) + 1
        name = f"U+{ord(bad.group()):04X}"
        raise Problem(
            f"the character {name} may not stand in a file as it is. Remove it,"
            " or write it as an escape inside double quotes.",
            line=line,
        )
    return text


def load(text: str) -> object:
    """The values in the file: dict, list, str, `Plain` and None, nothing else."""
    parser = CParser(text)
    try:
        return _Reader(parser).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = None if mark is None else mark.line + 1
        raise Problem(f"the file cannot be read here ({error.problem}).", line=line) from None
    except yaml.YAMLError:
        raise Problem("The file cannot be read: it holds characters that YAML forbids.") from None
    finally:
        parser.dispose()


class _Reader:
    """Makes values of a parser's events, and counts them."""

    def __init__(self, parser: CParser) -> None:
        self._parser = parser
        self._left = MOST_VALUES
        self._under = ""
        """The key of the whole file that is being read."""

    def document(self) -> object:
        """One document, and nothing after it."""
        self._next()
        event = self._next()
        if isinstance(event, yaml.StreamEndEvent):
            return None
        value = self._value(self._next(), 0)
        self._next()
        event = self._next()
        if not isinstance(event, yaml.StreamEndEvent):
            raise Problem(
                "a second document begins here (`---`). Keep one prompt per file.",
                line=_line(event),
            )
        return value

    def _next(self) -> yaml.Event:
        event = self._parser.get_event()
        assert event is not None  # nobody asks beyond the end of the stream
        return event

    def _value(self, event: yaml.Event, depth: int) -> object:
        """The value that begins with `event`."""
        self._left -= 1
        if self._left < 0:
            raise Problem(too_many_values(self._under), line=_line(event), key=self._under or None)
        if isinstance(event, yaml.ScalarEvent):
            return _scalar(event)
        if isinstance(event, yaml.AliasEvent):
            raise Problem(
                f"`*{event.anchor}` points to another place in the file. Write the text out"
                " instead.",
                line=_line(event),
            )
        assert isinstance(event, yaml.NodeEvent)
        _refuse_marks(event)
        if depth >= DEEPEST:
            raise Problem(f"more than {DEEPEST} levels inside each other.", line=_line(event))
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(depth + 1)
        return self._sequence(depth + 1)

    def _mapping(self, depth: int) -> dict[str, object]:
        """A group of keys, each given once."""
        group: dict[str, object] = {}
        while True:
            event = self._next()
            if isinstance(event, yaml.MappingEndEvent):
                return group
            if not isinstance(event, yaml.ScalarEvent):
                raise Problem("a key must be one word, not a list or group.", line=_line(event))
            key = str(_scalar(event))
            if why := key_trouble(key):
                raise Problem(why, line=_line(event), key=key)
            if key in group:
                raise Problem(
                    f"`{key}` is given twice. Keep one of the two.", line=_line(event), key=key
                )
            if depth == 1:
                self._under = key
                if len(group) >= MOST_KEYS:
                    raise Problem(TOO_MANY_KEYS, line=_line(event), key=key)
            group[key] = self._value(self._next(), depth)

    def _sequence(self, depth: int) -> list[object]:
        """A list."""
        items: list[object] = []
        while True:
            event = self._next()
            if isinstance(event, yaml.SequenceEndEvent):
                return items
            items.append(self._value(event, depth))


def _scalar(event: yaml.ScalarEvent) -> str:
    """Text, marked as `Plain` when it could also be something else."""
    if event.anchor is not None or event.tag is not None:
        _refuse_marks(event)
    text: str = event.value
    if event.implicit[0] and (not text or text[0] in _FIRST):
        return Plain(text)
    return text


def _refuse_marks(event: yaml.NodeEvent) -> None:
    if event.anchor is not None:
        raise Problem(
            f"`&{event.anchor}` names a place to be repeated. Remove it.", line=_line(event)
        )
    tag: str | None = getattr(event, "tag", None)
    if tag is not None:
        raise Problem(f"the type mark `{tag}` is not allowed. Remove it.", line=_line(event))


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1


TOO_MANY_KEYS = f"a prompt may have {MOST_KEYS:,} keys at most; this one has more. Remove some."


def too_many_values(key: str) -> str:
    """What is wrong with the prompt whose `key` goes beyond what may be in it."""
    what = f"`{key}` has too many values" if key else "too many values"
    return (
        f"{what}: a prompt may hold {MOST_VALUES:,} (texts, numbers, lists and groups, all"
        " counted). Shorten it."
    )


def key_trouble(key: str) -> str | None:
    """Why this cannot be a key, if so."""
    if len(key) > LONGEST_KEY:
        return f"a key may have {LONGEST_KEY} characters at most."
    if not key.isprintable():
        return "a key may not hold control or invisible characters."
    return None


def settle(value: object) -> object:
    """The value with every bare word taken for what it looks like."""
    if type(value) is Plain:
        return _settle_word(value)
    if type(value) is dict:
        return {key: settle(inner) for key, inner in value.items()}
    if type(value) is list:
        return [settle(inner) for inner in value]
    return value


def _settle_word(word: str) -> object:
    """Nothing, true, false, a number as JSON writes it, or the text itself.

    What YAML 1.1 would also convert (yes, on, 1:30, 2024-01-01, 010) stays the text it was.
    """
    if word in _NULLS:
        return None
    if word in _BOOLEANS:
        return _BOOLEANS[word]
    if found := NUMBER.fullmatch(word):
        whole = found.group(2) is None and found.group(3) is None
        if len(word) > 400:
            raise Problem(f"The number {word[:12]}... is too long.")
        number = int(word) if whole else float(word)
        if number in (float("inf"), float("-inf")):
            raise Problem(f"The number {word} is too large.")
        return number
    return str(word)


def line_of(text: str, path: Path) -> int | None:
    """The line on which the value at `path` is given, for a file that `load` could read."""
    node = yaml.compose(text, Loader=yaml.CSafeLoader)
    line = None
    for step in path:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == str(step):
                    line, node = key.start_mark.line + 1, value
                    break
            else:
                return line
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            if step >= len(node.value):
                return line
            node = node.value[step]
            line = node.start_mark.line + 1
    return line

"""Reads JSON and YAML into plain values, and takes keys out of them so that none is forgotten."""

from __future__ import annotations

import json
import re
from typing import Any, cast

from hub.registry.prompt import yaml_read
from hub.registry.prompt.fields import kind
from hub.sync.formats.report import Notes, Refused

Tree = dict[str, Any]

_FRONT = re.compile(r"\A---[ \t]*\r?\n(.*?)^---[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)
_REMARK = re.compile(r"^# promptHub (\{.*\})[ \t]*\r?$", re.MULTILINE)
_UNKNOWN = "not known here"


def json_of(text: str) -> Any:
    """The value in a JSON file; a key given twice, NaN and endless nesting are refused."""
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise Refused(f"Line {error.lineno}: this is not JSON ({error.msg}).") from None
    except RecursionError:
        raise Refused("Too many levels lie inside each other.") from None
    except ValueError:
        raise Refused("It holds a number that is too long.") from None


def _once(pairs: list[tuple[str, Any]]) -> Tree:
    tree = dict(pairs)
    if len(tree) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Refused(f"`{twice[:40]}` is given twice. Keep one of the two.")
    return tree


def _no_number(word: str) -> Any:
    raise Refused(f"{word} is not a number that JSON knows.")


def yaml_of(text: str) -> Any:
    """The value in a YAML file, read as strictly as our own."""
    try:
        yaml_read.decode(text.encode("utf-8"))
        return yaml_read.settle(yaml_read.load(text))
    except yaml_read.Problem as problem:
        line = f"Line {problem.line}: " if problem.line else ""
        raise Refused(f"{line}{problem.sentence}") from None
    except UnicodeEncodeError:
        raise Refused("It holds half a character that no file can keep.") from None


def front_matter(text: str) -> tuple[Tree, str]:
    """The keys between two lines of `---`, and the text after them."""
    found = _FRONT.match(text)
    if not found:
        if text.startswith("---\n"):
            raise Refused("Line 1: the keys begin here, but no line with `---` ends them.")
        return {}, text
    tree = yaml_of(found[1]) or {}
    if not isinstance(tree, dict):
        raise Refused(f"The part before the text must be a group of keys, not {kind(tree)}.")
    return cast("Tree", tree), text[found.end() :]


def remark(text: str) -> Any:
    """What an export of ours left in a remark, for readers that refuse keys they do not know."""
    front = _FRONT.match(text)
    found = _REMARK.search(front[1]) if front else None
    return json_of(found[1]) if found else None


class Keys:
    """A group of keys; each is taken once, and `done` reports those that nobody took."""

    def __init__(self, tree: object, notes: Notes, path: str = "") -> None:
        if not isinstance(tree, dict):
            of = f"`{path}`" if path else "The file"
            raise Refused(f"{of} must be a group of keys, not {kind(tree)}.")
        self._tree = dict(cast("Tree", tree))
        self.notes = notes
        self.path = path

    def __contains__(self, key: str) -> bool:
        return key in self._tree

    def where(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key

    def peek(self, key: str) -> Any:
        return self._tree.get(key)

    def take(self, key: str) -> Any:
        return self._tree.pop(key, None)

    def text(self, key: str) -> str:
        """Text; a number counts as written, nothing as empty."""
        value = self._tree.pop(key, None)
        if value is None:
            return ""
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
        if not isinstance(value, str):
            raise Refused(f"`{self.where(key)}` must be text, not {kind(value)}.")
        return value

    def group(self, key: str) -> Keys:
        """The group under `key`, empty when left out."""
        value = self._tree.pop(key, None)
        return Keys({} if value is None else value, self.notes, self.where(key))

    def items(self, key: str) -> list[Any]:
        value = self._tree.pop(key, None)
        if value is None:
            return []
        if not isinstance(value, list):
            raise Refused(f"`{self.where(key)}` must be a list, not {kind(value)}.")
        return cast("list[Any]", value)

    def words(self, key: str) -> tuple[str, ...]:
        """A list of words, or one word."""
        if isinstance(self._tree.get(key), str):
            return (self.text(key),)
        found = self.items(key)
        for at, one in enumerate(found):
            if not isinstance(one, str):
                raise Refused(f"`{self.where(key)}[{at}]` must be a word, not {kind(one)}.")
        return tuple(found)

    def lose(self, key: str, why: str) -> None:
        """Leave a key out and say so, if it says anything."""
        if self._tree.pop(key, None) not in (None, "", [], {}):
            self.notes.lose(self.where(key), why)

    def rest_names(self) -> list[str]:
        return list(self._tree)

    def rest(self) -> Tree:
        """What was not taken, to be kept."""
        left, self._tree = self._tree, {}
        return left

    def done(self, why: str = _UNKNOWN) -> None:
        for key in list(self._tree):
            self.lose(key, why)

"""Reads the arguments of a call in pasted Python or JavaScript, without running anything.

>>> from hub.sync.formats.report import Notes
>>> arguments('openai.responses.create(prompt={"id": "pmpt_1"}, input=read())', Notes())
{'prompt': {'id': 'pmpt_1'}}
"""

from __future__ import annotations

import re
from typing import Any

from hub.sync.formats.report import Notes, Refused
from hub.sync.formats.trees import Tree

_SKIP = re.compile(r"(?:\s+|//[^\n]*|\#[^\n]*|/\*.*?\*/)*", re.DOTALL)
_NUMBER = re.compile(r"-?\d{1,300}(?:\.\d+)?(?:[eE][-+]?\d{1,3})?")
_WORD = re.compile(r"[A-Za-z_$][\w$]*")
_WORDS = {
    "true": True,
    "True": True,
    "false": False,
    "False": False,
    "null": None,
    "None": None,
    "undefined": None,
}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "0": "\0", "\n": ""}
_CODE = "code may not come in; only what is written out is taken"
DEEPEST = 32


def arguments(text: str, notes: Notes) -> Tree:
    """The arguments of the first `create(…)`, or the group behind `prompt`."""
    call = re.search(r"\bcreate\s*\(", text)
    reader = _Reader(text, notes)
    if call:
        reader.at = call.end()
        reader.skip()
        if reader.sees("{"):
            return reader.group("", ":", "}", 1)
        return reader.pairs("", "=", ")", 1)
    found = re.search(r"\bprompt[\"']?\s*[:=]\s*(?=\{)", text)
    if not found:
        raise Refused("The snippet holds no `prompt` and no call of `create`.")
    reader.at = found.end()
    try:
        return {"prompt": reader.value("prompt", 1)}
    except _Unread:
        raise Refused("`prompt` is not written out in the snippet; it is code.") from None


class _Unread(Exception):
    """Something stands here that acts; it is skipped."""


class _Reader:
    def __init__(self, text: str, notes: Notes) -> None:
        self.text, self.notes, self.at = text, notes, 0

    def skip(self) -> None:
        found = _SKIP.match(self.text, self.at)
        self.at = found.end() if found else self.at

    def sees(self, mark: str) -> bool:
        return self.text.startswith(mark, self.at)

    def group(self, path: str, between: str, end: str, depth: int) -> Tree:
        self.at += 1
        return self.pairs(path, between, end, depth)

    def pairs(self, path: str, between: str, end: str, depth: int) -> Tree:
        """`key: value, …` up to `end`."""
        tree: Tree = {}
        while True:
            self.skip()
            if self.sees(end):
                self.at += 1
                return tree
            key = self.key(path)
            self.skip()
            where = f"{path}.{key}" if path else key
            if not self.sees(between):
                self.notes.lose(where or "?", _CODE)
                self.pass_over()
            else:
                self.at += 1
                try:
                    tree[key] = self.value(where, depth)
                except _Unread:
                    self.notes.lose(where, _CODE)
                    self.pass_over()
            self.comma(end, where)

    def comma(self, end: str, where: str) -> None:
        self.skip()
        if self.sees(","):
            self.at += 1
        elif not self.sees(end):
            raise Refused(f"Line {self.line()}: the snippet cannot be read after `{where[:60]}`.")

    def key(self, path: str) -> str:
        if self.at < len(self.text) and self.text[self.at] in "\"'":
            return self.string()
        found = _WORD.match(self.text, self.at)
        if not found:
            where = f" in `{path[:60]}`" if path else ""
            raise Refused(f"Line {self.line()}: the snippet cannot be read{where}.")
        self.at = found.end()
        return found[0]

    def value(self, path: str, depth: int) -> Any:
        self.skip()
        if depth > DEEPEST:
            raise Refused(f"`{path[:60]}` has too many levels inside each other.")
        mark = self.text[self.at : self.at + 1]
        if mark in ("{", "["):
            start = self.at
            value = (
                self.group(path, ":", "}", depth + 1)
                if mark == "{"
                else self.items(path, depth + 1)
            )
        else:
            start = self.at
            value = self.word(mark)
        self.skip()
        if not self.text.startswith((",", "}", "]", ")"), self.at) and self.at < len(self.text):
            self.at = start
            raise _Unread
        return value

    def word(self, mark: str) -> Any:
        if mark in ('"', "'", "`") and mark:
            return self.string()
        if found := _NUMBER.match(self.text, self.at):
            self.at = found.end()
            whole = re.fullmatch(r"-?\d+", found[0])
            return int(found[0]) if whole else float(found[0])
        found = _WORD.match(self.text, self.at)
        if found and found[0] in _WORDS:
            self.at = found.end()
            return _WORDS[found[0]]
        raise _Unread

    def items(self, path: str, depth: int) -> list[Any]:
        self.at += 1
        found: list[Any] = []
        while True:
            self.skip()
            if self.sees("]"):
                self.at += 1
                return found
            where = f"{path}[{len(found)}]"
            try:
                found.append(self.value(where, depth))
            except _Unread:
                self.notes.lose(where, _CODE)
                self.pass_over()
            self.comma("]", where)

    def string(self) -> str:
        """A text in quotes; several in a row are one, as Python has it."""
        parts: list[str] = []
        end = self.at
        while self.at < len(self.text) and self.text[self.at] in "\"'`":
            mark = self.text[self.at]
            mark = mark * 3 if self.text.startswith(mark * 3, self.at) and mark != "`" else mark
            self.at += len(mark)
            parts.append(self.until(mark))
            end = self.at
            self.skip()
        self.at = end
        return "".join(parts)

    def until(self, mark: str) -> str:
        out: list[str] = []
        while not self.sees(mark):
            if self.at >= len(self.text):
                raise Refused(f"Line {self.line()}: a text in the snippet does not end.")
            char = self.text[self.at]
            if mark == "`" and self.sees("${"):
                raise _Unread
            self.at += 1
            out.append(self.escape() if char == "\\" else char)
        self.at += len(mark)
        return "".join(out)

    def escape(self) -> str:
        char = self.text[self.at : self.at + 1]
        self.at += 1
        size = {"u": 4, "x": 2}.get(char)
        if size is None:
            return _ESCAPES.get(char, char)
        code = self.text[self.at : self.at + size]
        if not re.fullmatch(r"[0-9a-fA-F]+", code) or len(code) < size:
            raise Refused(f"Line {self.line()}: `\\{char}{code}` is not a character.")
        self.at += size
        return chr(int(code, 16))

    def pass_over(self) -> None:
        """To the comma or bracket that ends what cannot be read."""
        depth = 0
        while self.at < len(self.text):
            char = self.text[self.at]
            if char in "\"'":
                self.string()
                continue
            if char in "([{":
                depth += 1
            elif char in ")]}":
                if depth == 0:
                    return
                depth -= 1
            elif char == "," and depth == 0:
                return
            self.at += 1

    def line(self) -> int:
        return self.text.count("\n", 0, self.at) + 1

"""A model's card for reading: the little of Markdown that cards use, as blocks. Pure."""

from __future__ import annotations

import re
from itertools import groupby
from typing import Literal

import msgspec

Piece = tuple[Literal["text", "strong", "code"], str]
Line = list[Piece]

_MARKED = re.compile(r"\*\*(.+?)\*\*|`([^`]+)`")
_FRONT = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
_RULE = re.compile(r"\|[\s|:-]+\|?")


class Block(msgspec.Struct, frozen=True):
    """A heading, a paragraph, a list (a line per item) or a table (its first row the heads)."""

    kind: Literal["head", "text", "list", "table"]
    lines: list[Line] = []
    rows: list[list[Line]] = []


def blocks(card: str) -> list[Block]:
    """The card without the part for machines at its top and without its title."""
    found: list[Block] = []
    for part in re.split(r"\n\s*\n", _FRONT.sub("", card).strip()):
        for kind, group in groupby(_joined(part), key=_kind):
            lines = list(group)
            if kind == "table":
                rows = [_cells(line) for line in lines if not _RULE.fullmatch(line)]
                found.append(Block("table", rows=rows))
            elif kind != "title":
                found.append(Block(kind, [_pieces(line.lstrip("#- ")) for line in lines]))
    return found


def _kind(line: str) -> Literal["title", "head", "list", "table", "text"]:
    if line.startswith("#"):
        return "title" if line.startswith("# ") else "head"
    if line.startswith("- "):
        return "list"
    return "table" if line.startswith("|") else "text"


def _joined(part: str) -> list[str]:
    """Lines that were broken only to fit a screen are one line again."""
    lines: list[str] = []
    for line in part.splitlines():
        begins = not lines or line.startswith(("#", "- ", "|"))
        if begins or _kind(lines[-1]) in ("title", "head", "table"):
            lines.append(line.strip())
        else:
            lines[-1] += " " + line.strip()
    return lines


def _cells(line: str) -> list[Line]:
    return [_pieces(cell.strip()) for cell in line.strip().strip("|").split("|")]


def _pieces(text: str) -> Line:
    pieces: Line = []
    at = 0
    for match in _MARKED.finditer(text):
        pieces.append(("text", text[at : match.start()]))
        strong, code = match.groups()
        pieces.append(("strong", strong) if strong else ("code", code))
        at = match.end()
    pieces.append(("text", text[at:]))
    return [piece for piece in pieces if piece[1]]

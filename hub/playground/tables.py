"""Examples out of a table: rows copied from a spreadsheet, or a CSV file. Pure."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from typing import Any

import msgspec

from hub.errors import Invalid
from hub.playground.values import Field, read

LARGEST = 1 << 20
MOST = 1000
"""Rows of one table."""
_NAME = ("name", "title", "example")
_EXPECTED = ("expected", "expectedanswer", "answer", "ideal")


class Table(msgspec.Struct, frozen=True):
    """What a table holds."""

    rows: list[dict[str, Any]]
    """`{name, variables, expected}`, as `examples.bring_in` takes them."""
    left_out: list[str]
    """Columns that belong to no variable."""


def text_of(data: bytes) -> str:
    """A file as spreadsheets write it: UTF-8, UTF-16 with its mark, or what old Windows writes.

    Raises:
        Invalid: it is too large.
    """
    if len(data) > LARGEST:
        raise Invalid("The table is larger than 1 MB. Bring it in part by part.")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def read_table(text: str, fields: list[Field]) -> Table:
    """Examples for a prompt with these variables; the first row names the columns.

    Raises:
        Invalid: the sentence says which row cannot be used, and why.
    """
    rows = [(at, row) for at, row in enumerate(_rows(text), 1) if any(one.strip() for one in row)]
    typed = [one for one in fields if one.control != "image"]
    if not rows or not typed:
        raise Invalid("There is nothing in this table that the prompt has a variable for.")
    columns: Sequence[Field | str | None]
    columns, left_out = _columns(rows[0][1], typed)
    if any(one in columns for one in typed):
        rows = rows[1:]
    elif len(typed) == 1 and all(len(row) == 1 for _, row in rows):
        columns, left_out = [typed[0]], []  # a list of cases, as people note them down
    else:
        names = ", ".join(one.name for one in typed)
        raise Invalid(f"The first row has to name the columns: {names}; also name and expected.")
    if len(rows) > MOST:
        raise Invalid(f"A table can have {MOST:,} rows. Bring it in part by part.")
    return Table([made for at, row in rows if (made := _example(at, row, columns))], left_out)


def _rows(text: str) -> list[list[str]]:
    first = text.lstrip().partition("\n")[0]
    sign = "\t" if "\t" in first else max(",;", key=first.count)
    try:
        return list(csv.reader(io.StringIO(text.strip("\n"), newline=""), delimiter=sign))
    except csv.Error:
        raise Invalid("This cannot be read as a table. Save it as CSV and try again.") from None


def _columns(head: list[str], fields: list[Field]) -> tuple[list[Field | str | None], list[str]]:
    """What each column is: a variable, `name`, `expected`, or nothing of ours."""
    by_name = {_plain(one.name): one for one in fields}
    found: list[Field | str | None] = []
    left_out: list[str] = []
    for cell in head:
        plain = _plain(cell)
        kind = "name" if plain in _NAME else "expected" if plain in _EXPECTED else None
        what = by_name.get(plain) or kind
        if what in found:
            what = None
        if what is None and cell.strip():
            left_out.append(cell.strip()[:60])
        found.append(what)
    return found, left_out


def _example(
    at: int, row: list[str], columns: Sequence[Field | str | None]
) -> dict[str, Any] | None:
    typed: dict[str, str] = {}
    about: dict[str, str] = {}
    for what, cell in zip(columns, row, strict=False):
        if isinstance(what, Field):
            typed[what.name] = cell
        elif what:
            about[what] = cell.strip()
    values, wrong = read([one for one in columns if isinstance(one, Field)], typed)
    for name, sentence in wrong.items():
        raise Invalid(f"Row {at}, {name}: {sentence}")
    if not values:
        return None
    expected = about.get("expected") or None
    return {"name": about.get("name", ""), "variables": values, "expected": expected}


def _plain(word: str) -> str:
    """As people write a name: `Caller name` is `caller_name`."""
    return re.sub(r"[\W_]+", "", word).casefold()

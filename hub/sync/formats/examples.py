"""CSV: the examples of a prompt, a column per variable, and `name` and `expected`."""

from __future__ import annotations

import csv
import io
from typing import Any, cast

from hub.registry.prompt.document import Document
from hub.sync.formats.report import Notes, Refused

MOST_ROWS = 5_000
_OWN = ("name", "expected")


def rows_of(text: str, notes: Notes) -> list[object]:
    """`testData` of the table; every value is text, and an empty cell an empty text."""
    try:
        table = [*csv.reader(io.StringIO(text, newline=""), strict=True)]
    except csv.Error as error:
        raise Refused(f"This is not a table with commas ({error}).") from None
    rows = [row for row in table if any(cell.strip() for cell in row)]
    if not rows:
        raise Refused("The table is empty.")
    head = [cell.strip() for cell in rows[0]]
    if "" in head or len(set(head)) != len(head):
        raise Refused("Line 1: every column needs a name, and each its own.")
    if len(rows) > MOST_ROWS:
        raise Refused(f"The table has {len(rows) - 1:,} examples; {MOST_ROWS:,} is the most.")
    found: list[object] = []
    for number, row in enumerate(rows[1:], start=2):
        if len(row) > len(head):
            notes.lose(f"row {number}", "it has more cells than the first line has names")
        cells = dict(zip(head, [*row, *[""] * len(head)], strict=False))
        example: dict[str, Any] = {key: cells[key] for key in _OWN if cells.get(key)}
        example["variables"] = {key: value for key, value in cells.items() if key not in _OWN}
        found.append(example)
    return found


def write(name: str, document: Document, notes: Notes) -> dict[str, bytes]:
    """The examples alone; the prompt itself needs another format."""
    notes.lose("messages", "a table holds the examples, not the prompt")
    data = document.extra.get("testData")
    listed = cast("list[Any]", data) if isinstance(data, list) else []
    rows = [dict(cast("dict[str, Any]", row)) for row in listed if isinstance(row, dict)]
    if not rows:
        raise Refused("It has no examples in its file (`testData`).")
    flat = [_flat(row, at, notes) for at, row in enumerate(rows)]
    head = dict.fromkeys(key for row in flat for key in row)
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(head)
    for at, row in enumerate(flat):
        if any(cell.startswith(("=", "+", "-", "@")) for cell in row.values()):
            notes.change(f"testData[{at}]", "a spreadsheet may take a cell of it for a formula")
        writer.writerow([row.get(key, "") for key in head])
    return {f"{name}.csv": out.getvalue().encode()}


def _flat(row: dict[str, Any], at: int, notes: Notes) -> dict[str, str]:
    inner = row.get("variables")
    cells = (
        {key: row[key] for key in row if key in _OWN} | cast("dict[str, Any]", inner)
        if isinstance(inner, dict)
        else row
    )
    if not isinstance(inner, dict):
        notes.change(f"testData[{at}]", "its values stand under `variables` when it comes back")
    else:
        for key in [key for key in row if key not in (*_OWN, "variables")]:
            notes.lose(f"testData[{at}].{key}", "a table has no place for it")
    for key, value in cells.items():
        if not isinstance(value, str):
            notes.change(f"testData[{at}].{key}", "a table holds text alone")
    return {
        key: "" if value is None else value if isinstance(value, str) else str(value)
        for key, value in cells.items()
    }

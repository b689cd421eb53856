"""Tables of examples find the prompt that lies beside them under the same name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from hub.registry.prompt.document import Document, InvalidDocument, serialise
from hub.sync.formats.examples import rows_of
from hub.sync.formats.slugs import slug

if TYPE_CHECKING:
    from hub.sync.formats.files import Imported

__all__ = ["Table", "laid_beside", "rows_of"]


@dataclass(frozen=True)
class Table:
    """The examples of one file, for the prompt called `name`."""

    name: str
    rows: list[object]
    source_path: str
    notes: list[str]


def laid_beside(found: list[Imported], tables: list[Table]) -> list[Imported]:
    """The prompts with their examples; a table without a prompt is left out with a sentence."""
    at = {one.name: number for number, one in enumerate(found) if one.document is not None}
    done = list(found)
    for table in tables:
        number = at.get(table.name)
        one = done[number] if number is not None else None
        if number is None or one is None or one.document is None:
            done.append(
                _without(table, f"No prompt {table.name} lies beside it. Put them together.")
            )
            continue
        try:
            document = _with(one.document, table.rows)
        except InvalidDocument as refused:
            done.append(_without(table, refused.sentence))
            continue
        said = f"{len(table.rows)} examples came from {table.source_path}."
        done[number] = msgspec.structs.replace(
            one, document=document, notes=[*one.notes, said, *table.notes]
        )
    return done


def _with(document: Document, rows: list[object]) -> Document:
    """The document with the rows behind the examples it has, each once."""
    kept: Any = document.extra.get("testData")
    before: list[object] = list(kept) if isinstance(kept, list) else []
    fresh = [row for row in rows if row not in before]
    extra = document.extra | {"testData": [*before, *fresh]}
    found = msgspec.structs.replace(document, extra=extra)
    serialise(found)
    return found


def _without(table: Table, why: str) -> Imported:
    from hub.sync.formats.files import Imported

    name = slug(table.name.split("/")[-1])
    return Imported(name=name, document=None, source_path=table.source_path, notes=[why])

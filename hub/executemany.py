"""One statement for many rows, without what SQLAlchemy does for each of them again and again.

`Connection.execute` with a list looks up every value of every row by its parameter's name, type and
processor: half of what a batch of saves took in Python. Here that is settled once per statement.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import ClauseElement, Connection, Dialect, Insert, Table, insert
from sqlalchemy.sql.compiler import SQLCompiler

from hub.db import Base

Row = Mapping[str, Any]


def executemany(db: Connection, statement: ClauseElement, rows: Sequence[Row]) -> None:
    """As `db.execute(statement, rows)`, for rows that all have the first one's keys.

    `statement` is an insert, update or delete that returns nothing, and one that is kept: it is
    compiled once.

    Raises:
        NotImplementedError: a column has a default in Python, or rows are asked back; only
            `db.execute` does that, and here it would be left out unsaid.
    """
    if rows:
        sql, values = _compiled(statement, db.dialect, tuple(rows[0]))
        db.exec_driver_sql(sql, [values(row) for row in rows])


def insert_many(db: Connection, model: type[Base], rows: Sequence[Row]) -> None:
    """Into the model's table, as it is said above."""
    executemany(db, _insert(model), rows)


@cache
def _insert(model: type[Base]) -> Insert:
    return insert(table_of(model))


def table_of(model: type[Base]) -> Table:
    table = model.__table__
    assert isinstance(table, Table)
    return table


@lru_cache(maxsize=256)
def _compiled(
    statement: ClauseElement, dialect: Dialect, keys: tuple[str, ...]
) -> tuple[str, Callable[[Row], tuple[Any, ...]]]:
    """What the driver is told, and how a row becomes its parameters."""
    compiled = statement.compile(dialect=dialect, column_keys=list(keys), for_executemany=True)
    assert isinstance(compiled, SQLCompiler)
    assert compiled.positiontup is not None
    if compiled.insert_prefetch or compiled.update_prefetch or compiled.effective_returning:
        raise NotImplementedError(f"{statement} asks for more than its rows.")
    names = compiled.positiontup
    take = itemgetter(*names) if len(names) > 1 else lambda row: (row[names[0]],)
    types = [compiled.binds[name].type.dialect_impl(dialect) for name in names]
    puts = [(at, put) for at, type in enumerate(types) if (put := type.bind_processor(dialect))]

    def values(row: Row) -> tuple[Any, ...]:
        taken = take(row)
        if not puts:
            return taken
        changed = list(taken)
        for at, put in puts:
            changed[at] = put(changed[at])
        return tuple(changed)

    return str(compiled), values

"""How many statements a page costs: what stays the same however loaded the machine is."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

_counted: ContextVar[list[str] | None] = ContextVar("counted", default=None)


@contextmanager
def statements() -> Generator[list[str]]:
    """Every statement of what is asked within; what runs beside it asks in its own context."""
    said: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        if _counted.get() is said:
            said.append(statement)

    within = _counted.set(said)
    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield said
    finally:
        event.remove(Engine, "before_cursor_execute", note)
        _counted.reset(within)

"""Long looks at a text happen beside the event loop: nobody waits for somebody else's giant."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from hub.registry.prompt.document import Document

T = TypeVar("T")

LONG = 4096
"""Characters from which a thread of its own costs less than what it may take to read them."""


async def aside(size: int, work: Callable[[], T]) -> T:
    """Do it here if it is short, else in a thread."""
    return work() if size < LONG else await asyncio.to_thread(work)


def size_of(document: Document) -> int:
    """About how much there is to look at."""
    parts = len(document.variables) + len(document.messages) + len(document.extra)
    return sum(len(message.content) for message in document.messages) + 100 * parts

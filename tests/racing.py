"""Two things at the same moment, and when each was decided."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable
from time import perf_counter
from typing import Any

import pytest

from hub.registry import batch


class Watch:
    """When merges made up their minds, and when the other deed was done."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.began: list[float] = []
        self.done = 0.0
        write = batch.write_intents

        async def watched(*args: Any) -> None:
            began = perf_counter()
            await write(*args)
            self.began.append(began)

        monkeypatch.setattr(batch, "write_intents", watched)

    async def deed(self, doing: Awaitable[Any]) -> Any:
        """Only what was acknowledged is known to have happened before."""
        await asyncio.sleep(random.choice((0.01, 0.05, 0.15)) * random.random())
        done = await doing
        self.done = perf_counter()
        return done

    def start(self) -> None:
        self.began, self.done = [], 0.0


async def soon(doing: Awaitable[Any], *, most: float = 0.015) -> Any:
    await asyncio.sleep(random.uniform(0, most))
    return await doing

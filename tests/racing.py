"""Two things at the same moment, and when each was decided."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Awaitable
from time import perf_counter
from typing import Any

import pytest

from hub.registry.writing import batch
from tests.over_doors import DOORS
from tests.rest_door import Api

ROUNDS = int(os.environ.get("REVIEW_RACES", "6"))
LONG = pytest.mark.timeout(300 + ROUNDS * 4)
_TURNS = ("form", "api", "command")


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


def doors_of(bench: Api, turn: int) -> tuple[Api, Api]:
    """The same workspace behind two doors; a command takes the screen, so never both."""
    first, second = (DOORS[_TURNS[(turn + more) % 3]] for more in (0, 1))
    return first(**vars(bench)), second(**vars(bench))
